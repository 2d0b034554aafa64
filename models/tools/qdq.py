"""Post-training quantisation to int8 and ONNX graphs in QDQ form.

The graphs are written with onnx.helper rather than exported, so that the
placement of every QuantizeLinear/DequantizeLinear pair and every tensor name
is fixed by this file and does not follow the exporter's version.
"""

import dataclasses
import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 13
IR_VERSION = 7             # the IR version that belongs to opset 13
ZERO_POINT_UNSIGNED = -128  # maps the range [0, max] onto all 256 int8 codes


@dataclasses.dataclass(frozen=True)
class Layer:
    """A node of the network, with the ReLU that may follow it."""

    name: str
    op: str                  # ONNX operator
    attributes: dict = dataclasses.field(default_factory=dict)
    relu: bool = False
    inputs: tuple = ()       # names of layers or "input"; empty: the layer before
    codes_of: str = ""       # it only moves values, so it keeps that tensor's codes


# --- quantisation ------------------------------------------------------------

def scale_and_zero_point(tensor):
    """(scale, zero point) of an activation, from its range."""
    # Zero must be representable: it is what padding and ReLU produce.
    low = min(float(tensor.min()), 0.0)
    high = max(float(tensor.max()), 0.0)
    scale = np.float32((high - low) / 255.0)
    zero_point = int(np.clip(round(-128.0 - low / float(scale)), -128, 127))
    return scale, zero_point


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

class Network:
    """Layers in the order in which they execute; the last one's output is `logits`.

    weights: of each layer with some, (weight, bias) as float32.
    params: of every tensor, (scale, zero point); of "input" too.
    """

    def __init__(self, name, title, input_shape, classes, layers, weights):
        self.name = name
        self.title = title
        self.input_shape = list(input_shape)
        self.classes = classes
        self.layers = layers
        self.weights = weights

    def _inputs(self, index):
        layer = self.layers[index]
        if layer.inputs:
            return layer.inputs
        return (self.layers[index - 1].name if index else "input",)

    def fp32(self):
        g = GraphBuilder(self)
        tensors = {"input": "input"}
        for i, layer in enumerate(self.layers):
            inputs = [tensors[name] for name in self._inputs(i)]
            if layer.name in self.weights:
                weight, bias = self.weights[layer.name]
                inputs += [g.constant(f"{layer.name}_weight", weight),
                           g.constant(f"{layer.name}_bias", bias)]
            last = i == len(self.layers) - 1
            output = "logits" if last else f"{layer.name}_output"
            tensor = g.node(layer.op, layer.name, inputs, output, **layer.attributes)
            if layer.relu:
                tensor = g.node("Relu", f"{layer.name}_relu", [tensor],
                                f"{layer.name}_relu_output")
            tensors[layer.name] = tensor
        return g.model(f"{self.title}, fp32")

    def int8(self, params):
        params = dict(params)
        for layer in self.layers:
            if layer.codes_of:
                params[layer.name] = params[layer.codes_of]
        g = GraphBuilder(self)
        tensors = {"input": g.quantise_dequantise("input", "input", "input_dequantized",
                                                  params["input"])}
        for i, layer in enumerate(self.layers):
            sources = self._inputs(i)
            inputs = [tensors[name] for name in sources]
            if layer.name in self.weights:
                weight, bias = self.weights[layer.name]
                codes, w_scale = quantise_weight(weight)
                # The bias is added to the int32 accumulator, so it has the
                # accumulator's scale: the float32 product of the two scales.
                bias_scale = np.float32(params[sources[0]][0]) * w_scale
                bias_codes = np.rint(bias.astype(np.float64) / bias_scale).astype(np.int32)
                inputs += [g.dequantised_constant(f"{layer.name}_weight", codes, w_scale),
                           g.dequantised_constant(f"{layer.name}_bias", bias_codes, bias_scale)]
            tensor = g.node(layer.op, layer.name, inputs, f"{layer.name}_output",
                            **layer.attributes)
            if layer.relu:
                tensor = g.node("Relu", f"{layer.name}_relu", [tensor],
                                f"{layer.name}_relu_output")
            last = i == len(self.layers) - 1
            tensors[layer.name] = g.quantise_dequantise(
                layer.name, tensor, "logits" if last else f"{layer.name}_dequantized",
                params[layer.name])
        return g.model(f"{self.title}, int8 by post-training quantisation")


class GraphBuilder:
    """Collects nodes and initialisers in the order in which they execute."""

    def __init__(self, network):
        self.network = network
        self.nodes = []
        self.initialisers = []

    def constant(self, name, value):
        self.initialisers.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(self, op, name, inputs, output, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [output], name=name, **attributes))
        return output

    def quantise_dequantise(self, name, tensor, output, params):
        scale, zero_point = params
        qp = [self.constant(f"{name}_scale", np.float32(scale)),
              self.constant(f"{name}_zero_point", np.int8(zero_point))]
        q = self.node("QuantizeLinear", f"{name}_quantize", [tensor] + qp, f"{name}_quantized")
        return self.node("DequantizeLinear", f"{name}_dequantize", [q] + qp, output)

    def dequantised_constant(self, name, codes, scale):
        zero_point = np.zeros(len(scale), codes.dtype)
        inputs = [self.constant(f"{name}_quantized", codes),
                  self.constant(f"{name}_scale", scale),
                  self.constant(f"{name}_zero_point", zero_point)]
        return self.node("DequantizeLinear", f"{name}_dequantize", inputs,
                         f"{name}_dequantized", axis=0)

    def model(self, description):
        n = self.network
        graph = helper.make_graph(
            self.nodes, n.name,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N"] + n.input_shape)],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", len(n.classes)])],
            self.initialisers)
        model = helper.make_model(
            graph, producer_name="sagitta", doc_string=description,
            opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model, full_check=True)
        return model


# --- output ------------------------------------------------------------------

def save_npy(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as stream:
        np.lib.format.write_array(stream, np.ascontiguousarray(array), version=(1, 0))


def write_network_json(path, network):
    """The description that Sagitta loads, for images in [0, 255] scaled by 1 / 255."""
    description = {
        "$schema": "../../configs/schema/network.schema.json",
        "name": network.name,
        "model": "model.onnx",
        "preprocessing": {"scale": 1.0 / 255.0, "mean": [0.0], "std": [1.0]},
        "test": {"images": "test/images.npy", "labels": "test/labels.npy"},
        "calibration": {"images": "calibration/images.npy",
                        "labels": "calibration/labels.npy"},
        "classes": network.classes,
    }
    # One member per line: lists of numbers and names read best unbroken.
    members = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}"
                         for key, value in description.items())
    path.write_text(f"{{\n{members}\n}}\n")


def write_folder(folder, network, params, test, calibration):
    """Everything that a network's folder holds; test, calibration: (images, labels)."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(network.fp32(), folder / "model-fp32.onnx")
    onnx.save(network.int8(params), folder / "model.onnx")
    for name, (images, labels) in (("test", test), ("calibration", calibration)):
        save_npy(folder / name / "images.npy", images)
        save_npy(folder / name / "labels.npy", labels)
    write_network_json(folder / "network.json", network)
