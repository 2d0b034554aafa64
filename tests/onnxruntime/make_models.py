#!/usr/bin/env python3
"""Write the small models of this folder: random weights, fixed seed.

Between them they use what the trained models do not: the QLinear operators,
dilation, asymmetric padding, non-square kernels, zero points in mid-range, and
constructs that an importer must refuse.
"""

import argparse
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).resolve().parent
SAMPLES = 4
OPSET = 13
IR_VERSION = 7

# Steps of the output type per standard deviation of a layer's output. 40 uses
# most of the 256 codes and lets the tails saturate now and then.
SPREAD = 40.0


class Builder:
    def __init__(self, name, seed, input_shape):
        self.name = name
        self.random = np.random.RandomState(seed)   # its stream never changes
        self.input_shape = input_shape
        self.nodes = []
        self.initialisers = []
        self.quantisation = {}   # tensor -> (scale, zero point)
        self.shapes = []         # of what ONNX's own shape inference does not know

    # -- pieces

    def constant(self, name, value):
        self.initialisers.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(self, op, name, inputs, output, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [output], name=name, **attributes))
        return output

    def qparams(self, prefix, scale, zero_point):
        return [self.constant(f"{prefix}_scale", scale),
                self.constant(f"{prefix}_zero_point", zero_point)]

    def quantise(self, tensor, name, scale, zero_point):
        """QuantizeLinear alone; the constants are named after `name`."""
        output = f"{name}_quantized"
        self.quantisation[output] = (np.float32(scale), zero_point)
        qp = self.qparams(name, np.float32(scale), zero_point)
        return self.node("QuantizeLinear", f"{name}_quantize", [tensor] + qp, output)

    def dequantise(self, quantised, name, output=None):
        return self.node("DequantizeLinear", f"{name}_dequantize",
                         [quantised, f"{name}_scale", f"{name}_zero_point"],
                         output or f"{name}_dequantized")

    def weight(self, shape, scales):
        """Random codes, and the scales: one, or one per output channel."""
        codes = self.random.randint(-127, 128, shape).astype(np.int8)
        scale = np.asarray(self.random.uniform(0.002, 0.02, scales), np.float32)
        return codes, scale

    def output_scale(self, x_scale, w_scale, fan_in, spread=SPREAD):
        """A scale that spreads the output over its type.

        Taking codes as uniform over 256 values, an accumulator of fan_in
        products has this standard deviation.
        """
        deviation = (256 / np.sqrt(12)) ** 2 * np.sqrt(fan_in)
        jitter = self.random.uniform(0.9, 1.1)   # no power of two by accident
        return np.float32(x_scale * w_scale.mean() * deviation / spread * jitter)

    def bias(self, count, fan_in):
        limit = int((256 / np.sqrt(12)) ** 2 * np.sqrt(fan_in))
        return self.random.randint(-limit, limit + 1, count).astype(np.int32)

    # -- a whole QDQ layer

    def qdq_layer(self, op, name, tensor, quantised, weight_shape, fan_in, *, zero_point,
                  per_channel_axis=None, with_bias=True, relu=False, **attributes):
        x_scale = self.quantisation[quantised][0]
        # The output channels: axis 0, except in a Gemm without transB.
        channels = weight_shape[0 if op == "Conv" or attributes.get("transB") else 1]
        axis = {} if per_channel_axis is None else {"axis": per_channel_axis}
        codes, w_scale = self.weight(weight_shape, None if not axis else channels)
        w_zero = np.zeros(w_scale.shape, np.int8)
        inputs = [tensor, self.node(
            "DequantizeLinear", f"{name}_weight_dequantize",
            [self.constant(f"{name}_weight_quantized", codes)]
            + self.qparams(f"{name}_weight", w_scale, w_zero),
            f"{name}_weight_dequantized", **axis)]
        if with_bias:
            scale = np.float32(x_scale) * w_scale
            inputs.append(self.node(
                "DequantizeLinear", f"{name}_bias_dequantize",
                # An int32 tensor has no zero point, so the third input is left out.
                [self.constant(f"{name}_bias_quantized", self.bias(channels, fan_in)),
                 self.constant(f"{name}_bias_scale", scale)],
                f"{name}_bias_dequantized", **({"axis": 0} if axis else {})))
        tensor = self.node(op, name, inputs, f"{name}_output", **attributes)
        if relu:
            tensor = self.node("Relu", f"{name}_relu", [tensor], f"{name}_relu_output")
        return self.quantise(tensor, name, self.output_scale(x_scale, w_scale, fan_in),
                             zero_point)

    def keep(self, op, name, tensor, quantised, extra=(), **attributes):
        """A QDQ operator that moves values: same scale and zero point after it."""
        tensor = self.node(op, name, [tensor, *extra], f"{name}_output", **attributes)
        return self.quantise(tensor, name, *self.quantisation[quantised])

    def add(self, name, a, b, scale, zero_point, relu=False):
        """A residual addition of two quantised tensors, given as (tensor, name) pairs."""
        inputs = [self.node("DequantizeLinear", f"{name}_{of}_dequantize",
                            [tensor, f"{of}_scale", f"{of}_zero_point"],
                            f"{name}_{of}_dequantized") for tensor, of in (a, b)]
        tensor = self.node("Add", name, inputs, f"{name}_output")
        if relu:
            tensor = self.node("Relu", f"{name}_relu", [tensor], f"{name}_relu_output")
        return self.quantise(tensor, name, scale, zero_point)

    def qlinear_conv(self, name, tensor, of, shape, scale, zero_point, **attributes):
        """QLinearConv; `of` names the constants of the input's quantisation."""
        fan_in = int(np.prod(shape[1:]))
        codes, w_scale = self.weight(shape, None)
        scale = self.output_scale(scale, w_scale, fan_in)
        output = f"{name}_quantized"
        self.quantisation[output] = (scale, zero_point)
        return self.node("QLinearConv", name, [
            tensor, f"{of}_scale", f"{of}_zero_point",
            self.constant(f"{name}_weight_quantized", codes),
            *self.qparams(f"{name}_weight", w_scale, np.int8(0)),
            *self.qparams(name, scale, zero_point),
            self.constant(f"{name}_bias_quantized", self.bias(shape[0], fan_in)),
        ], output, **attributes)

    def contributed(self, op, name, inputs, scale, zero_point, shape, **attributes):
        """An operator of com.microsoft; `inputs` are (tensor, constants' name) pairs."""
        operands = [x for tensor, of in inputs for x in (tensor, f"{of}_scale", f"{of}_zero_point")]
        output = f"{name}_quantized"
        self.quantisation[output] = (np.float32(scale), zero_point)
        self.shapes.append(helper.make_tensor_value_info(output, TensorProto.UINT8, shape))
        return self.node(op, name, operands + self.qparams(name, np.float32(scale), zero_point),
                         output, domain="com.microsoft", **attributes)

    # -- result

    def save(self, folder, output, output_shape):
        graph = helper.make_graph(
            self.nodes, self.name,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, self.input_shape)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, output_shape)],
            self.initialisers, value_info=self.shapes)
        domains = [helper.make_opsetid("", OPSET)]
        if any(node.domain for node in self.nodes):
            domains.append(helper.make_opsetid("com.microsoft", 1))
        model = helper.make_model(graph, producer_name="sagitta", opset_imports=domains)
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, folder / f"{self.name}.onnx")

    def save_input(self, folder):
        scale, zero_point = self.quantisation["input_quantized"]
        limits = np.iinfo(zero_point.dtype)
        # Slightly more than the representable range, so that some values clip.
        low, high = ((limit - int(zero_point)) * float(scale) * 1.02
                     for limit in (limits.min, limits.max))
        shape = [SAMPLES] + self.input_shape[1:]
        np.save(folder / f"{self.name}_input.npy",
                self.random.uniform(low, high, shape).astype(np.float32))


def qlinear(folder):
    """QLinear operators on uint8: stride 2, a different padding on every side."""
    b = Builder("qlinear", 101, [1, 3, 17, 15])
    x_scale = np.float32(0.0173)
    x = b.quantise("input", "input", x_scale, np.uint8(119))

    w, w_scale = b.weight((8, 3, 3, 3), None)
    y_scale = b.output_scale(x_scale, w_scale, 27)
    x = b.node("QLinearConv", "conv1", [
        x, "input_scale", "input_zero_point",
        b.constant("conv1_weight_quantized", w),
        *b.qparams("conv1_weight", w_scale, np.int8(0)),
        *b.qparams("conv1", y_scale, np.uint8(103)),
        b.constant("conv1_bias_quantized", b.bias(8, 27)),
    ], "conv1_quantized", kernel_shape=[3, 3], strides=[2, 2], pads=[0, 1, 2, 3])
    x = b.node("MaxPool", "pool1", [x], "pool1_quantized", kernel_shape=[2, 2], strides=[2, 2])
    x = b.node("Flatten", "flatten", [x], "flatten_quantized", axis=1)

    w, w_scale = b.weight((128, 10), None)
    z_scale = b.output_scale(y_scale, w_scale, 128)
    x = b.node("QLinearMatMul", "matmul1", [
        x, "conv1_scale", "conv1_zero_point",
        b.constant("matmul1_weight_quantized", w),
        *b.qparams("matmul1_weight", w_scale, np.int8(0)),
        *b.qparams("matmul1", z_scale, np.uint8(131)),
    ], "matmul1_quantized")
    b.dequantise(x, "matmul1", "output")
    b.save(folder, "output", [1, 10])
    b.save_input(folder)


def perchannel(folder):
    """One weight scale per output channel; dilation, non-square kernel and stride."""
    b = Builder("perchannel", 102, [1, 4, 20, 14])
    q = b.quantise("input", "input", 0.0291, np.int8(-128))
    q = b.qdq_layer("Conv", "conv1", b.dequantise(q, "input"), q, (12, 4, 3, 2), 24,
                    per_channel_axis=0, relu=True, zero_point=np.int8(-128),
                    kernel_shape=[3, 2], strides=[2, 1], dilations=[2, 2], pads=[1, 0, 1, 0])
    q = b.keep("Flatten", "flatten", b.dequantise(q, "conv1"), q, axis=1)
    # Without transB the output channels are the second axis of the weights.
    q = b.qdq_layer("Gemm", "fc1", b.dequantise(q, "flatten"), q, (12 * 9 * 12, 10),
                    12 * 9 * 12, per_channel_axis=1, zero_point=np.int8(4))
    b.dequantise(q, "fc1", "output")
    b.save(folder, "output", [1, 10])
    b.save_input(folder)


def asymmetric(folder):
    """Zero points in mid-range, so that padding and ReLU are not a type's limit."""
    b = Builder("asymmetric", 103, [1, 2, 12, 12])
    q = b.quantise("input", "input", 0.0117, np.uint8(87))
    # uint8 in, int8 out; the zero point leaves room below it, which only the
    # explicit ReLU keeps empty.
    q = b.qdq_layer("Conv", "conv1", b.dequantise(q, "input"), q, (8, 2, 3, 3), 18,
                    relu=True, zero_point=np.int8(-37),
                    kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    # Padding must never win a maximum, although 0 is a real value here.
    q = b.keep("MaxPool", "pool1", b.dequantise(q, "conv1"), q,
               kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    q = b.qdq_layer("Conv", "conv2", b.dequantise(q, "pool1"), q, (8, 8, 3, 3), 72,
                    with_bias=False, zero_point=np.int8(23),
                    kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    q = b.keep("Reshape", "reshape", b.dequantise(q, "conv2"), q,
               extra=[b.constant("reshape_shape", np.array([1, -1], np.int64))])
    q = b.qdq_layer("Gemm", "fc1", b.dequantise(q, "reshape"), q, (10, 288), 288,
                    zero_point=np.int8(41), transB=1)
    b.dequantise(q, "fc1", "output")
    b.save(folder, "output", [1, 10])
    b.save_input(folder)


def residual(folder):
    """QDQ: additions of maps of different scales, groups, poolings that average."""
    b = Builder("residual", 106, [1, 6, 11, 9])
    x = b.quantise("input", "input", 0.0213, np.int8(9))
    y = b.qdq_layer("Conv", "conv1", b.dequantise(x, "input"), x, (8, 6, 3, 3), 54,
                    relu=True, zero_point=np.int8(-128), per_channel_axis=0,
                    kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    d = b.qdq_layer("Conv", "depthwise", b.dequantise(y, "conv1"), y, (8, 1, 3, 3), 9,
                    zero_point=np.int8(5), per_channel_axis=0, group=8,
                    kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    scale = (b.quantisation[y][0] + b.quantisation[d][0]) * 0.6
    s = b.add("add1", (d, "depthwise"), (y, "conv1"), scale, np.int8(-31), relu=True)
    p = b.node("AveragePool", "pool1", [b.dequantise(s, "add1")], "pool1_output",
               kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1], count_include_pad=1)
    p = b.quantise(p, "pool1", scale * 0.7, np.int8(-60))
    g = b.qdq_layer("Conv", "grouped", b.dequantise(p, "pool1"), p, (8, 4, 1, 1), 4,
                    zero_point=np.int8(17), group=2, kernel_shape=[1, 1])
    scale = (b.quantisation[p][0] + b.quantisation[g][0]) * 0.55
    s = b.add("add2", (p, "pool1"), (g, "grouped"), scale, np.int8(-3))
    m = b.node("GlobalAveragePool", "mean", [b.dequantise(s, "add2")],
               "mean_output")
    m = b.quantise(m, "mean", scale * 0.11, np.int8(12))
    m = b.keep("Flatten", "flatten", b.dequantise(m, "mean"), m, axis=1)
    m = b.qdq_layer("Gemm", "fc1", b.dequantise(m, "flatten"), m, (10, 8), 8,
                    zero_point=np.int8(-9), transB=1)
    b.dequantise(m, "fc1", "output")
    b.save(folder, "output", [1, 10])
    b.save_input(folder)


def residual_qlinear(folder):
    """The operators of com.microsoft on uint8, with equal scales around one pooling."""
    b = Builder("residual_qlinear", 107, [1, 3, 12, 10])
    x = b.quantise("input", "input", 0.0131, np.uint8(117))
    y = b.qlinear_conv("conv1", x, "input", (6, 3, 3, 3), 0.0131, np.uint8(90),
                       kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    y_scale = b.quantisation[y][0]
    d = b.qlinear_conv("depthwise", y, "conv1", (6, 1, 3, 3), y_scale, np.uint8(140), group=6,
                       kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    scale = (y_scale + b.quantisation[d][0]) * 0.6
    s = b.contributed("QLinearAdd", "add1", [(d, "depthwise"), (y, "conv1")], scale,
                      np.uint8(101), [1, 6, 12, 10])
    p = b.contributed("QLinearAveragePool", "pool1", [(s, "add1")], scale, np.uint8(101),
                      [1, 6, 6, 5], kernel_shape=[2, 2], strides=[2, 2])
    m = b.contributed("QLinearGlobalAveragePool", "mean", [(p, "pool1")], scale * 0.09,
                      np.uint8(120), [1, 6, 1, 1])
    m = b.node("Flatten", "flatten", [m], "flatten_quantized", axis=1)
    w, w_scale = b.weight((6, 10), None)
    z_scale = b.output_scale(scale * 0.09, w_scale, 6)
    z = b.node("QLinearMatMul", "matmul1", [
        m, "mean_scale", "mean_zero_point",
        b.constant("matmul1_weight_quantized", w),
        *b.qparams("matmul1_weight", w_scale, np.int8(0)),
        *b.qparams("matmul1", z_scale, np.uint8(131)),
    ], "matmul1_quantized")
    b.dequantise(z, "matmul1", "output")
    b.save(folder, "output", [1, 10])
    b.save_input(folder)


def unsupported(folder):
    """Valid ONNX with two operators that Sagitta does not implement."""
    b = Builder("unsupported", 104, [1, 1, 4, 4])
    q = b.quantise("input", "input", 0.02, np.int8(0))
    q = b.qdq_layer("Conv", "conv6", b.dequantise(q, "input"), q, (1, 1, 3, 3), 9,
                    zero_point=np.int8(0), kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    x = b.node("Softplus", "act7", [b.dequantise(q, "conv6")], "act7_output")
    q = b.quantise(x, "act7", 0.05, np.int8(-128))
    x = b.node("Einsum", "mix8", [b.dequantise(q, "act7")], "mix8_output",
               equation="nchw->ncwh")
    q = b.quantise(x, "mix8", 0.05, np.int8(-128))
    b.dequantise(q, "mix8", "output")
    b.save(folder, "output", [1, 1, 4, 4])


def weight_zero_point(folder):
    """A weight with a zero point other than 0, which Sagitta does not implement."""
    b = Builder("weight_zero_point", 105, [1, 1, 4, 4])
    q = b.quantise("input", "input", 0.02, np.int8(0))
    q = b.qdq_layer("Conv", "conv1", b.dequantise(q, "input"), q, (1, 1, 3, 3), 9,
                    zero_point=np.int8(0), kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    b.dequantise(q, "conv1", "output")
    index = [t.name for t in b.initialisers].index("conv1_weight_zero_point")
    b.initialisers[index] = numpy_helper.from_array(
        np.array(5, np.int8), "conv1_weight_zero_point")
    b.save(folder, "output", [1, 1, 4, 4])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output-dir", type=pathlib.Path, default=HERE / "models")
    folder = parser.parse_args().output_dir
    folder.mkdir(parents=True, exist_ok=True)
    for make in (qlinear, perchannel, asymmetric, residual, residual_qlinear, unsupported,
                 weight_zero_point):
        make(folder)


if __name__ == "__main__":
    main()
