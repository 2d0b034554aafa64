#!/usr/bin/env python3
"""Integer-only NumPy executor for quantised models, compared to ONNX Runtime.

This is a second, independent statement of the arithmetic that Sagitta's
integer reference executor uses:

  accumulate   sum of (x - x_zero_point) * w, plus the int32 bias
  scale        x_scale * w_scale / y_scale, in float32, product first
  requantise   accumulator * scale as an exact product, rounded half to even,
               plus y_zero_point, saturated to the output type
  add up       poolings that average, and additions: the sum of (x - x_zero_point)
               * mantissa over the taps, where the scales x_scale / y_scale (over
               the number of taps) are rounded to mantissas of one common shift,
               24 bits for the larger; then rounded half to even as above

ONNX Runtime rounds the accumulator and the product to float32 before it rounds
to an integer. The comparison is made with both forms, so that any difference
can be told apart from a mistake.
"""

import argparse
import json
import pathlib

import numpy as np
import onnx
from onnx import helper, numpy_helper

import ort_runner
from qlayers import find_layers


# --- arithmetic --------------------------------------------------------------

def saturate(values, dtype):
    limits = np.iinfo(dtype)
    return np.clip(values, limits.min, limits.max).astype(dtype)


def scaled_exact(accumulator, scale):
    """round_half_even(accumulator * scale), the product not being rounded."""
    result = np.empty_like(accumulator)
    for channel, factor in enumerate(scale):
        mantissa, exponent = np.frexp(np.float64(factor))
        # A float32 has 24 significant bits: this conversion loses nothing, and
        # 24 bits times an int32 accumulator fit 64 bits.
        mantissa, shift = int(mantissa * 2 ** 24), 24 - int(exponent)
        if not 1 <= shift <= 62:
            raise ValueError(f"requantisation scale {factor} is out of range")
        product = accumulator[:, channel] * mantissa
        floor = product >> shift
        remainder = product - (floor << shift)
        half = 1 << (shift - 1)
        up = (remainder > half) | ((remainder == half) & (floor & 1 == 1))
        result[:, channel] = floor + up
    return result


def scaled_float32(accumulator, scale):
    """The same in float32 throughout, as ONNX Runtime's kernels do it."""
    scale = scale.reshape((1, -1) + (1,) * (accumulator.ndim - 2))
    return np.rint(accumulator.astype(np.float32) * scale).astype(np.int64)


def taps_exact(terms, scales):
    """round_half_even(sum of term * scale), the scales being mantissas of one shift."""
    shift = 24 - int(np.frexp(max(scales))[1])
    total = sum(term * int(np.rint(np.ldexp(scale, shift))) for term, scale in zip(terms, scales))
    floor = total >> shift
    remainder = total - (floor << shift)
    half = 1 << (shift - 1)
    return floor + ((remainder > half) | ((remainder == half) & (floor & 1 == 1)))


def taps_float32(terms, scales):
    """The same in float32; ONNX Runtime's kernels add in an order of their own."""
    return np.rint(sum(term.astype(np.float32) * np.float32(scale)
                       for term, scale in zip(terms, scales))).astype(np.int64)


def window_taps(x, kernel, strides, pads, dilations=(1, 1), padding=0):
    """One array a tap of the window: what each output pixel sees there."""
    top, left, bottom, right = pads
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=padding)
    (kh, kw), (sh, sw), (dh, dw) = kernel, strides, dilations
    height = (x.shape[2] - dh * (kh - 1) - 1) // sh + 1
    width = (x.shape[3] - dw * (kw - 1) - 1) // sw + 1
    return [x[:, :, i * dh:i * dh + sh * (height - 1) + 1:sh,
              j * dw:j * dw + sw * (width - 1) + 1:sw]
            for i in range(kh) for j in range(kw)]


def convolve(x, w, strides, pads, dilations, groups=1):
    """im2col and one integer matrix product; x is already free of its zero point."""
    if groups > 1:
        return np.concatenate([
            convolve(part, kernels, strides, pads, dilations)
            for part, kernels in zip(np.split(x, groups, axis=1), np.split(w, groups))], axis=1)
    # The zero point is subtracted, so padding with it means padding with 0.
    columns = np.stack(window_taps(x, w.shape[2:], strides, pads, dilations), axis=2)
    height, width = columns.shape[3:]
    columns = columns.reshape(len(x), -1, height * width)
    return (w.reshape(len(w), -1) @ columns).reshape(len(x), len(w), height, width)


def max_pool(x, kernel, strides, pads):
    return np.max(window_taps(x, kernel, strides, pads, padding=np.iinfo(x.dtype).min), axis=0)


def quantise(x, scale, zero_point):
    return saturate(np.rint(x / scale).astype(np.int64) + int(zero_point), zero_point.dtype)


# --- model -------------------------------------------------------------------

class Reference:
    def __init__(self, model, scaled=scaled_exact, taps=taps_exact):
        self.model = model
        self.scaled = scaled
        self.taps = taps
        self.layers = find_layers(model)
        self.constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}

    def quantise_input(self, x):
        node = next(n for n in self.model.graph.node if n.op_type == "QuantizeLinear")
        return quantise(x, *(self.constants[name] for name in node.input[1:]))

    def _operands(self, layer):
        """(x scale, x zero point, weight, w scale, bias, y scale, y zero point)"""
        c = self.constants
        node = layer.operator
        if node.op_type == "QLinearConv":
            _, xs, xz, w, ws, wz, ys, yz = (c.get(name) for name in node.input[:8])
            bias = c[node.input[8]] if len(node.input) > 8 else None
        elif node.op_type == "QLinearMatMul":
            _, xs, xz, w, ws, wz, ys, yz = (c.get(name) for name in node.input)
            bias = None
        else:
            made_by = {n.output[0]: n for n in layer.nodes}
            inputs = [made_by[name] for name in node.input]
            xs, xz = (c[name] for name in inputs[0].input[1:])
            w, ws, wz = (c[name] for name in inputs[1].input)
            bias = c[inputs[2].input[0]] if len(inputs) > 2 else None
            ys, yz = (c[name] for name in layer.nodes[-1].input[1:])
        if np.any(wz):
            raise ValueError(f"{layer.name}: weight zero points must be 0")
        return xs, xz, w.astype(np.int64), np.atleast_1d(ws), bias, ys, yz

    def _parameters(self, layer):
        """[(scale, zero point)] of the inputs and the output of a layer without weights."""
        names = list(layer.operator.input)
        if layer.operator.op_type.startswith("QLinear"):
            # Every tensor is followed by its scale and zero point; the output's come last.
            pairs = [names[i + 1:i + 3] for i in range(0, 3 * len(layer.inputs), 3)]
            pairs.append(names[-2:])
        else:
            made_by = {n.output[0]: n for n in layer.nodes}
            pairs = [made_by[name].input[1:] for name in names] + [layer.nodes[-1].input[1:]]
        return [[self.constants[name] for name in pair] for pair in pairs]

    def _add_up(self, layer, inputs, attributes):
        """An average over windows or over the map, or the sum of two maps."""
        *sources, (ys, yz) = self._parameters(layer)
        terms = [x.astype(np.int64) - int(zero) for x, (_, zero) in zip(inputs, sources)]
        scales = [np.float64(scale) / np.float64(ys) for scale, _ in sources]
        if len(terms) == 1:
            kernel = attributes.get("kernel_shape", terms[0].shape[2:])   # global: all of the map
            terms = window_taps(terms[0], kernel, attributes.get("strides", [1, 1]),
                                attributes.get("pads", [0, 0, 0, 0]))
            scales = [scales[0] / len(terms)] * len(terms)
        y = saturate(self.taps(terms, scales) + int(yz), yz.dtype)
        return np.maximum(y, yz) if layer.relu else y

    def run_layer(self, layer, *inputs):
        x = inputs[0]
        attributes = {a.name: helper.get_attribute_value(a) for a in layer.operator.attribute}
        op = layer.operator.op_type
        if layer.reshapes:
            return x.reshape(len(x), -1)
        if op == "MaxPool":
            return max_pool(x, attributes["kernel_shape"], attributes.get("strides", [1, 1]),
                            attributes.get("pads", [0, 0, 0, 0]))
        if op.endswith("Add") or op.endswith("AveragePool"):
            return self._add_up(layer, inputs, attributes)
        xs, xz, w, ws, bias, ys, yz = self._operands(layer)
        x = x.astype(np.int64) - int(xz)
        if op in ("Conv", "QLinearConv"):
            accumulator = convolve(x, w, attributes.get("strides", [1, 1]),
                                   attributes.get("pads", [0, 0, 0, 0]),
                                   attributes.get("dilations", [1, 1]),
                                   attributes.get("group", 1))
        else:
            accumulator = x @ (w.T if attributes.get("transB", 0) else w)
        if bias is not None:
            accumulator += bias.reshape((1, -1) + (1,) * (accumulator.ndim - 2))
        if np.abs(accumulator).max() >= 2 ** 31:
            raise OverflowError(f"{layer.name}: the accumulator exceeds 32 bits")
        scale = np.broadcast_to((np.float32(xs) * ws) / np.float32(ys), accumulator.shape[1])
        y = saturate(self.scaled(accumulator, scale) + int(yz), yz.dtype)
        return np.maximum(y, yz) if layer.relu else y

    def run(self, x):
        """All quantised tensors of the model, for a float32 input."""
        tensors = {self.layers[0].input: self.quantise_input(x)}
        for layer in self.layers:
            tensors[layer.output] = self.run_layer(layer, *(tensors[i] for i in layer.inputs))
        return tensors


# --- comparison --------------------------------------------------------------

LISTED = 10   # differing elements shown per tensor


def preprocess(images, network):
    settings = json.loads(network.read_text())["preprocessing"]
    mean, std = (np.array(settings[key]).reshape(1, -1, 1, 1) for key in ("mean", "std"))
    return ((images * settings["scale"] - mean) / std).astype(np.float32)


def difference(a, b):
    delta = np.abs(a.astype(np.int64) - b.astype(np.int64))
    return int((delta != 0).sum()), int(delta.max())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--input", type=pathlib.Path, required=True)
    parser.add_argument("--network", type=pathlib.Path)
    parser.add_argument("--level", default="all")
    args = parser.parse_args()

    model = onnx.load(args.model)
    samples = np.load(args.input)
    floats = preprocess(samples, args.network) if args.network else samples
    alone = ort_runner.run_layers(model, samples, args.level, args.network)
    whole = ort_runner.run(model, samples, args.level, "all-quantized", args.network)
    exact, rounded = Reference(model), Reference(model, scaled_float32, taps_float32)

    print(f"{args.model.name}, {len(samples)} samples, level {args.level}: elements that "
          "differ from ONNX Runtime, and the largest difference")
    print(f"{'':20}{'':>10}  {'-- layer on its own --':^28}  {'end to end':^14}")
    print(f"{'tensor':20}{'elements':>10}  {'exact':>14}{'float32':>14}  {'exact':>14}")
    first = exact.layers[0].input
    chain = exact.run(floats)
    rows = [(first, chain[first], rounded.quantise_input(floats))]
    for layer in exact.layers:
        inputs = [alone[name] for name in layer.inputs]
        rows.append((layer.output, exact.run_layer(layer, *inputs),
                     rounded.run_layer(layer, *inputs)))
    totals = np.zeros((3, 2), np.int64)
    for name, with_exact, with_float32 in rows:
        results = [difference(with_exact, alone[name]), difference(with_float32, alone[name]),
                   difference(chain[name], whole[name])]
        for total, (count, largest) in zip(totals, results):
            total += count, 0
            total[1] = max(total[1], largest)
        cells = [f"{count} (max {largest})" for count, largest in results]
        print(f"{name:20}{chain[name].size:>10}  {cells[0]:>14}{cells[1]:>14}  {cells[2]:>14}")
    cells = [f"{count} (max {largest})" for count, largest in totals]
    elements = sum(chain[name].size for name, _, _ in rows)
    print(f"{'total':20}{elements:>10}  {cells[0]:>14}{cells[1]:>14}  {cells[2]:>14}")
    for name, with_exact, _ in rows:
        for index in np.argwhere(with_exact != alone[name])[:LISTED]:
            index = tuple(int(i) for i in index)
            print(f"{name}{list(index)}, layer on its own: {with_exact[index]}, "
                  f"ONNX Runtime {alone[name][index]}")
    last = exact.layers[-1].output
    same = int((chain[last].argmax(axis=1) == whole[last].argmax(axis=1)).sum())
    print(f"same class: {same}/{len(samples)}")


if __name__ == "__main__":
    main()
