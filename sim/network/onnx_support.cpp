#include "network/onnx_support.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/error.h"
#include "network/onnx_constants.h"

namespace sagitta {
namespace {

constexpr auto kOperators =
    std::to_array<std::string_view>({"Add",
                                     "ArgMax",
                                     "AveragePool",
                                     "Clip",
                                     "Conv",
                                     "DequantizeLinear",
                                     "Dropout",
                                     "Flatten",
                                     "Gemm",
                                     "GlobalAveragePool",
                                     "GlobalMaxPool",
                                     "Identity",
                                     "LogSoftmax",
                                     "MatMul",
                                     "MaxPool",
                                     "QLinearConv",
                                     "QLinearMatMul",
                                     "QuantizeLinear",
                                     "ReduceMean",
                                     "Relu",
                                     "Reshape",
                                     "Softmax",
                                     "com.microsoft.QLinearAdd",
                                     "com.microsoft.QLinearAveragePool",
                                     "com.microsoft.QLinearGlobalAveragePool"});

// Why the node cannot be imported; empty if it can, as far as the node alone tells.
std::string problem(const OnnxGraph& graph, const OnnxNode& node) {
  if (std::find(kOperators.begin(), kOperators.end(), node.op) == kOperators.end()) {
    return "operator";
  }
  if (node.op.ends_with("Pool")) {
    if (node.int_or("ceil_mode", 0) != 0) return "ceil_mode 1";
    if (node.int_or("channels_last", 0) != 0) return "channels_last 1";
    if (node.outputs.size() > 1 && !node.outputs[1].empty()) return "output Indices";
  }
  if (node.op == "Add" && node.inputs.size() != 2) return "other than two inputs";
  if (node.op == "MatMul") {
    const auto constants =
        std::count_if(node.inputs.begin(), node.inputs.end(),
                      [&](const std::string& input) { return graph.is_constant(input); });
    if (node.inputs.size() != 2 || constants == 0) return "two data inputs";
  }
  if (node.op == "Gemm") {
    if (node.int_or("transA", 0) != 0) return "transA 1";
    if (node.float_or("alpha", 1) != 1) return "alpha other than 1";
    if (node.float_or("beta", 1) != 1) return "beta other than 1";
  }
  if (node.op == "Flatten" && node.int_or("axis", 1) != 1) return "axis other than 1";
  if (node.int_or("block_size", 0) != 0) return "blocked quantisation";
  return "";
}

}  // namespace

void check_supported(const OnnxGraph& graph) {
  std::string list;
  for (const OnnxNode& node : graph.nodes) {
    const std::string text = problem(graph, node);
    if (text.empty()) continue;
    if (!list.empty()) list += "; ";
    list += describe(node);
    if (text != "operator") list += " with " + text;
  }
  if (list.empty()) return;
  throw InputError(
      graph.file, "", "these nodes are not supported: " + list,
      "Sagitta imports quantised Conv, Gemm, MatMul, Add, MaxPool, AveragePool, global "
      "pooling, ReduceMean, Relu, Clip, Flatten and Reshape");
}

}  // namespace sagitta
