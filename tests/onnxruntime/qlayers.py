"""Splits a quantised ONNX model into its layers.

A layer takes one or two quantised tensors to the next. In a QDQ model that is
DequantizeLinear -> operator [-> Relu] -> QuantizeLinear, with the
DequantizeLinear nodes of the constants; with the QLinear operators, and with
operators that only move quantised values, it is a single node.
"""

import dataclasses

import onnx
from onnx import helper, shape_inference

QDQ_OPERATORS = {"Conv", "Gemm", "MatMul", "Add", "MaxPool", "AveragePool",
                 "GlobalAveragePool", "Flatten", "Reshape"}
QLINEAR_OPERATORS = {"QLinearConv", "QLinearMatMul", "QLinearAdd", "QLinearAveragePool",
                     "QLinearGlobalAveragePool"}
MOVING_OPERATORS = {"MaxPool", "Flatten", "Reshape"}
# These change the shape of a tensor but none of its values.
RESHAPING_OPERATORS = {"Flatten", "Reshape"}


@dataclasses.dataclass
class Layer:
    name: str
    operator: onnx.NodeProto    # Conv, Gemm, QLinearConv, ...
    inputs: list                # quantised input tensors: one, of an addition two
    output: str                 # quantised output tensor
    relu: bool
    nodes: list                 # everything the layer consists of, in order

    @property
    def input(self):
        return self.inputs[0]

    @property
    def reshapes(self):
        return self.operator.op_type in RESHAPING_OPERATORS


def _single(consumers, tensor, op_type):
    nodes = consumers.get(tensor, [])
    return nodes[0] if len(nodes) == 1 and nodes[0].op_type == op_type else None


def find_layers(model):
    """The layers of the model, in the order in which they execute."""
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    producer = {name: node for node in graph.node for name in node.output}
    consumers = {}
    for node in graph.node:
        for name in node.input:
            consumers.setdefault(name, []).append(node)

    layers = []
    quantised = set()
    for node in graph.node:
        if node.op_type == "QuantizeLinear":
            quantised.add(node.output[0])
        elif node.op_type in QLINEAR_OPERATORS or (
                node.op_type in MOVING_OPERATORS and node.input[0] in quantised):
            quantised.add(node.output[0])
            inputs = [node.input[i] for i in ((0, 3) if node.op_type == "QLinearAdd" else (0,))]
            layers.append(Layer(node.name, node, inputs, node.output[0], False, [node]))
        elif node.op_type in QDQ_OPERATORS:
            before = [producer[name] for name in node.input if name not in constants]
            if any(n.op_type != "DequantizeLinear" for n in before):
                raise ValueError(f"{node.name}: an input is not dequantised")
            tail = [node]
            relu = _single(consumers, node.output[0], "Relu")
            if relu is not None:
                tail.append(relu)
            quantise = _single(consumers, tail[-1].output[0], "QuantizeLinear")
            if quantise is None:
                raise ValueError(f"{node.name}: the output is not quantised")
            inputs = [n.input[0] for n in before if n.input[0] not in constants]
            layers.append(Layer(node.name, node, inputs, quantise.output[0],
                                relu is not None, before + tail + [quantise]))
        elif node.op_type not in ("DequantizeLinear", "Relu"):
            raise ValueError(f"{node.name}: {node.op_type} is not part of any known layer")
    return layers


def submodel(model, layer):
    """The layer as a model of its own, from quantised inputs to quantised output."""
    inferred = shape_inference.infer_shapes(model)
    info = {value.name: value for value in
            list(inferred.graph.value_info) + list(inferred.graph.output)}
    used = {name for node in layer.nodes for name in node.input}
    graph = helper.make_graph(
        layer.nodes, layer.name, [info[name] for name in layer.inputs], [info[layer.output]],
        [tensor for tensor in model.graph.initializer if tensor.name in used])
    result = helper.make_model(graph, opset_imports=model.opset_import)
    result.ir_version = model.ir_version
    onnx.checker.check_model(result)
    return result
