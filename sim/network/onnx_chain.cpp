#include "network/onnx_chain.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "network/onnx_window.h"

namespace sagitta {
namespace {

constexpr const char* kQdq =
    "quantise the model with a QuantizeLinear/DequantizeLinear pair on every activation";

}  // namespace

Network OnnxChain::lower() {
  start();
  // Every step moves to a tensor written by a later node, so the walk ends.
  while (tensor_ != graph_.output) step(next_node());
  finish();
  return std::move(network_);
}

void OnnxChain::require(const OnnxNode& node, bool condition, const char* problem,
                        const char* remedy) const {
  if (!condition) constants_.fail(node, problem, remedy);
}

void OnnxChain::require_real_input(const OnnxNode& node) const {
  require(node, holds_ == Holds::real && quantisation_.has_value(),
          "its input is not a dequantised tensor", kQdq);
}

void OnnxChain::start() {
  const auto& dims = graph_.input_shape;
  constexpr std::int64_t kLargest = 32767;
  const bool known = std::all_of(dims.begin() + (dims.empty() ? 0 : 1), dims.end(),
                                 [](std::int64_t d) { return d >= 1; });
  const std::string where = "input '" + graph_.input + "'";
  if ((dims.size() != 2 && dims.size() != 4) || !known) {
    throw InputError(graph_.file, where,
                     "its shape is neither [batch, channels, height, width] nor [batch, features]",
                     "export the model with fixed dimensions; only the batch may be dynamic");
  }
  if (dims[0] > 1) {
    throw InputError(graph_.file, where, "its batch is " + std::to_string(dims[0]),
                     "export the model with batch 1 or a dynamic batch");
  }
  const std::int64_t height = dims.size() == 4 ? dims[2] : 1;
  const std::int64_t width = dims.size() == 4 ? dims[3] : 1;
  if (dims[1] > (1 << 28) || height > kLargest || width > kLargest ||
      dims[1] * height > (1 << 28) / width) {
    throw InputError(graph_.file, where, "it is larger than 2^28 elements", "use smaller images");
  }
  network_.input = {static_cast<int>(height), static_cast<int>(width), static_cast<int>(dims[1])};
  shape_ = network_.input;
  tensor_ = graph_.input;
  if (graph_.input_type == OnnxType::int8 || graph_.input_type == OnnxType::uint8) {
    holds_ = Holds::codes;
    code_type_ = graph_.input_type;
  } else if (graph_.input_type != OnnxType::float32) {
    throw InputError(graph_.file, where, "it is not of type float32, int8 or uint8",
                     "export the model with a float32 input");
  }
}

const OnnxNode& OnnxChain::next_node() const {
  const std::vector<const OnnxNode*> consumers = graph_.consumers(tensor_);
  if (consumers.size() == 1) return *consumers[0];
  std::string names;
  for (const OnnxNode* node : consumers) names += (names.empty() ? "" : ", ") + describe(*node);
  throw InputError(graph_.file, "tensor '" + tensor_ + "'",
                   consumers.empty() ? "no node reads it and it is not the output"
                                     : "the data path branches here into " + names,
                   "Sagitta imports networks with one data path; remove unused nodes");
}

void OnnxChain::step(const OnnxNode& node) {
  require(node, node.op == "Add" || node.inputs[0] == tensor_, "the data is not its first input",
          "put weights and parameters on the other inputs");
  if (node.op == "Identity" || node.op == "Dropout") {
    // Dropout does nothing outside training.
  } else if (node.op == "Softmax" || node.op == "LogSoftmax" || node.op == "ArgMax") {
    require(node, holds_ == Holds::real || holds_ == Holds::codes || holds_ == Holds::scores,
            "the logits before it are not quantised", kQdq);
    holds_ = Holds::scores;
  } else if (holds_ == Holds::scores) {
    constants_.fail(node, "it follows Softmax or ArgMax", "Softmax and ArgMax must come last");
  } else if (node.op == "QuantizeLinear") {
    quantize(node);
  } else if (node.op == "DequantizeLinear") {
    dequantize(node);
  } else if (node.op == "Conv") {
    convolution(node);
  } else if (node.op == "Gemm" || node.op == "MatMul") {
    dense(node);
  } else if (node.op == "QLinearConv" || node.op == "QLinearMatMul") {
    qlinear(node);
  } else if (node.op == "Add") {
    add(node);
  } else if (node.op == "Relu") {
    bound(node, 0.0F, std::nullopt);
  } else if (node.op == "Clip") {
    // Before opset 11 the bounds were attributes.
    const auto attribute = [&](const char* key) {
      const auto found = node.float_attributes.find(key);
      return found == node.float_attributes.end() ? std::optional<float>() : found->second;
    };
    const std::optional<float> low = constants_.scalar(node, 1);
    const std::optional<float> high = constants_.scalar(node, 2);
    bound(node, low ? low : attribute("min"), high ? high : attribute("max"));
  } else if (node.op == "MaxPool") {
    max_pool(node);
  } else if (node.op == "Flatten") {
    flatten(node);
  } else if (node.op == "Reshape") {
    reshape(node);
  } else {
    constants_.fail(node, "this operator cannot stand here", "export the model again");
  }
  tensor_ = node.outputs[0];
}

void OnnxChain::quantize(const OnnxNode& node) {
  require(node, holds_ != Holds::codes, "its input is quantised already", kQdq);
  constexpr std::int64_t kOnnxInt8 = 3;  // attribute output_dtype, opset 21
  const OnnxType without_zero_point =
      node.int_or("output_dtype", 0) == kOnnxInt8 ? OnnxType::int8 : OnnxType::uint8;
  const Quantisation to = constants_.quantisation(node, 1, without_zero_point);
  code_type_ = constants_.zero_point_type(node, 2, without_zero_point);
  if (holds_ == Holds::sums) {
    requantise_to(node, to, node.outputs[0]);
  } else if (!quantisation_) {
    network_.input_scale = to.scale;
    network_.input_zero_point = to.zero_point;
  } else {
    require(node, *quantisation_ == to, "it changes the scale or zero point of a quantised tensor",
            "keep scale and zero point across operators that only move values");
    // A pooling between DequantizeLinear and QuantizeLinear is known by its quantised output.
    if (!network_.layers.empty() && network_.layers.back().output_tensor == tensor_) {
      network_.layers.back().output_tensor = node.outputs[0];
    }
  }
  quantisation_ = to;
  holds_ = Holds::codes;
}

void OnnxChain::dequantize(const OnnxNode& node) {
  require(node, holds_ == Holds::codes, "its input is not quantised", kQdq);
  const Quantisation from = constants_.quantisation(node, 1, code_type_);
  if (!quantisation_) {  // a graph whose input is int8 or uint8
    network_.input_scale = from.scale;
    network_.input_zero_point = from.zero_point;
  } else {
    require(node, *quantisation_ == from,
            "scale or zero point differ from those that the tensor was quantised with",
            "use the same constants in both nodes of a pair");
  }
  quantisation_ = from;
  holds_ = Holds::real;
}

void OnnxChain::convolution(const OnnxNode& node) {
  require_real_input(node);
  begin_convolution(node, constants_.weights(node, 1, 0));
  has_bias_ = node.has_input(2);
  if (has_bias_) add_bias(constants_.bias(node, 2, sum_scale_));
}

void OnnxChain::dense(const OnnxNode& node) {
  require_real_input(node);
  const bool channels_first = node.op == "Gemm" && node.int_or("transB", 0) != 0;
  begin_dense(node, constants_.weights(node, 1, channels_first ? 0 : 1), channels_first);
  has_bias_ = node.op == "Gemm" && node.has_input(2);
  if (has_bias_) add_bias(constants_.bias(node, 2, sum_scale_));
}

void OnnxChain::qlinear(const OnnxNode& node) {
  require(node, holds_ == Holds::codes, "its input is not quantised", kQdq);
  const Quantisation from = constants_.quantisation(node, 1);
  if (!quantisation_) {
    network_.input_scale = from.scale;
    network_.input_zero_point = from.zero_point;
  } else {
    require(node, *quantisation_ == from,
            "its input scale or zero point differ from those of the node before",
            "use the same constants on both sides of a tensor");
  }
  quantisation_ = from;
  if (node.op == "QLinearConv") {
    begin_convolution(node, constants_.qlinear_weights(node, 3, 0));
    add_bias(constants_.qlinear_bias(node, 8, sum_scale_.size()));
  } else {
    begin_dense(node, constants_.qlinear_weights(node, 3, 1), false);
  }
  code_type_ = constants_.zero_point_type(node, 7, OnnxType::uint8);
  quantisation_ = constants_.quantisation(node, 6);
  requantise_to(node, *quantisation_, node.outputs[0]);
  holds_ = Holds::codes;
}

void OnnxChain::add(const OnnxNode& node) {
  require(node,
          holds_ == Holds::sums && !has_bias_ && !low_ && !high_ && pools_.empty() &&
              pending_.rows() == 1,
          "a constant is added to something other than the result of a MatMul",
          "fold the constant into the bias of the layer before");
  add_bias(constants_.bias(node, node.inputs[0] == tensor_ ? 1 : 0, sum_scale_));
  has_bias_ = true;
}

void OnnxChain::bound(const OnnxNode& node, std::optional<float> low, std::optional<float> high) {
  require(node, !(low && high) || *low <= *high, "its lower bound is above its upper bound",
          "export the model again");
  if (holds_ == Holds::sums) {
    // Of two bounds in a row the later one wins where they contradict each other, which clamping
    // the earlier one expresses.
    const auto clamped = [&](std::optional<float> value) {
      if (value && low) value = std::max(*value, *low);
      if (value && high) value = std::min(*value, *high);
      return value;
    };
    low_ = low_ ? clamped(low_) : low;
    high_ = high_ ? clamped(high_) : high;
    return;
  }
  // Behind a tensor whose zero point is its smallest code, a ReLU changes nothing.
  const bool has_no_effect = holds_ == Holds::real && quantisation_ && low == 0.0F && !high &&
                             quantisation_->zero_point == -128;
  require(node, has_no_effect, "it does not directly follow a convolution or dense layer",
          "remove the QuantizeLinear/DequantizeLinear pair before it");
}

void OnnxChain::max_pool(const OnnxNode& node) {
  require(node, holds_ == Holds::sums || quantisation_, "its input is not quantised", kQdq);
  require(node, !flattened_, "it follows Flatten", "export the model again");
  Layer layer;
  layer.name = node.name;
  layer.output_tensor = node.outputs[0];
  layer.kind = LayerKind::max_pool;
  layer.input = shape_;
  layer.window = window_of(node, constants_, shape_, 0, 0);
  layer.output = window_output(node, constants_, shape_, layer.window, shape_.channels);
  shape_ = layer.output;
  if (holds_ == Holds::sums) {
    pools_.push_back(std::move(layer));
    return;
  }
  layer.input_zero_point = layer.output_zero_point = quantisation_->zero_point;
  layer.output_scale = quantisation_->scale;
  network_.layers.push_back(std::move(layer));
}

void OnnxChain::flatten(const OnnxNode& node) {
  require(node, node.inputs.size() <= 2, "it has too many inputs", "export the model again");
  if (shape_.height > 1 || shape_.width > 1) flattened_ = shape_;
  shape_ = {1, 1, shape_.elements()};
}

void OnnxChain::reshape(const OnnxNode& node) {
  std::vector<std::int64_t> dims;
  if (node.has_input(1)) {
    dims = constants_.integers(node, 1);
  } else if (node.list_attributes.contains("shape")) {  // before opset 5
    dims = node.list_attributes.at("shape");
  }
  const bool keeps_batch = !dims.empty() && dims[0] >= -1 && dims[0] <= 1;
  const bool same = !flattened_ && dims.size() == 4 && dims[1] == shape_.channels &&
                    dims[2] == shape_.height && dims[3] == shape_.width;
  if (keeps_batch && same) return;
  require(node, keeps_batch && dims.size() == 2 && (dims[1] == -1 || dims[1] == shape_.elements()),
          "its shape is not [batch, -1]", "only a Reshape that flattens the map is supported");
  flatten(node);
}

void OnnxChain::finish() {
  const auto fail = [&](const char* problem, const char* remedy) {
    throw InputError(graph_.file, "output '" + graph_.output + "'", problem, remedy);
  };
  if (holds_ == Holds::sums) fail("it is not quantised", kQdq);
  if (network_.layers.empty()) fail("there is no layer before it", kQdq);
  if (flattened_ && flattened_->channels > 1) {
    fail("it is a flattened map of several channels", "end the network with a dense layer");
  }
}

}  // namespace sagitta
