"""A two-layer network for MNIST: trained, quantised and stored as Sagitta reads it.

    python3 docs/examples/mlp.py out/mlp

Needs NumPy and ONNX (Debian: python3-numpy, python3-onnx). docs/bring-your-own-network.md explains it.
"""
import json
import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = pathlib.Path(sys.argv[1])
SOURCE = pathlib.Path(__file__).resolve().parents[2] / "models/lenet5-mnist"


def load(name):
    return np.load(SOURCE / name / "images.npy"), np.load(SOURCE / name / "labels.npy")


(train, train_labels), (test, test_labels) = load("calibration"), load("test")

# 1. Train 784-32-10 in floating point: plain gradient descent.
rng = np.random.default_rng(1)
x = train.reshape(len(train), -1) / 255.0
target = np.eye(10)[train_labels]
w1, b1 = rng.normal(0, 0.05, (784, 32)), np.zeros(32)
w2, b2 = rng.normal(0, 0.2, (32, 10)), np.zeros(10)
for _ in range(400):
    h = np.maximum(x @ w1 + b1, 0)
    z = h @ w2 + b2
    p = np.exp(z - z.max(1, keepdims=True))
    dz = (p / p.sum(1, keepdims=True) - target) / len(x)
    dh = (dz @ w2.T) * (h > 0)
    w2, b2 = w2 - 0.5 * h.T @ dz, b2 - 0.5 * dz.sum(0)
    w1, b1 = w1 - 0.5 * x.T @ dh, b1 - 0.5 * dh.sum(0)

# 2. Quantise: int8 weights with zero point 0, activations from their range, int32 biases.
nodes, constants = [], []


def constant(name, value, dtype):
    constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
    return name


def quantised(tensor, low, high):  # QuantizeLinear and DequantizeLinear around a tensor
    scale = (max(high, 0) - min(low, 0)) / 255
    zero = int(np.clip(round(-128 - min(low, 0) / scale), -128, 127))
    s, q = constant(tensor + "_scale", scale, np.float32), constant(tensor + "_zero", zero, np.int8)
    nodes.append(helper.make_node("QuantizeLinear", [tensor, s, q], [tensor + "_q"]))
    nodes.append(helper.make_node("DequantizeLinear", [tensor + "_q", s, q], [tensor + "_dq"]))
    return tensor + "_dq", np.float32(scale)


def dense(name, tensor, in_scale, weights, bias):
    scale = np.float32(np.abs(weights).max() / 127)
    parts = (("w", np.clip(np.rint(weights / scale), -127, 127), np.int8, scale),
             ("b", np.rint(bias / (in_scale * scale)), np.int32, in_scale * scale))
    for part, values, dtype, part_scale in parts:
        nodes.append(helper.make_node("DequantizeLinear", [
            constant(f"{name}_{part}", values, dtype),
            constant(f"{name}_{part}_scale", part_scale, np.float32)], [f"{name}_{part}_dq"]))
    nodes.append(helper.make_node(
        "Gemm", [tensor, f"{name}_w_dq", f"{name}_b_dq"], [name], name=name))


nodes.append(helper.make_node("Flatten", ["image"], ["pixels"]))
tensor, scale = quantised("pixels", 0.0, 1.0)
dense("fc1", tensor, scale, w1, b1)
nodes.append(helper.make_node("Relu", ["fc1"], ["hidden"]))
tensor, scale = quantised("hidden", 0.0, h.max())
dense("fc2", tensor, scale, w2, b2)
tensor, scale = quantised("fc2", z.min(), z.max())

# 3. The folder: model, images, labels, description.
graph = helper.make_graph(
    nodes, "mlp", [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 28, 28])],
    [helper.make_tensor_value_info(tensor, TensorProto.FLOAT, [1, 10])], constants)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
onnx.checker.check_model(model)
FOLDER.mkdir(parents=True, exist_ok=True)
onnx.save(model, str(FOLDER / "model.onnx"))
description = {"name": "mlp", "model": "model.onnx",
               "preprocessing": {"scale": 1 / 255, "mean": [0.0], "std": [1.0]}}
for name, images, labels in (("test", test, test_labels), ("calibration", train, train_labels)):
    np.save(FOLDER / f"{name}-images.npy", images)  # uint8 [count, 1, 28, 28]
    np.save(FOLDER / f"{name}-labels.npy", labels)  # integers [count]
    description[name] = {"images": f"{name}-images.npy", "labels": f"{name}-labels.npy"}
(FOLDER / "network.json").write_text(json.dumps(description, indent=2) + "\n")

hidden = np.maximum(test.reshape(len(test), -1) / 255.0 @ w1 + b1, 0)
right = ((hidden @ w2 + b2).argmax(1) == test_labels).sum()
print(f"In floating point {right} of {len(test)} test images are right.")
