#include "network/onnx_lowering.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "network/onnx_window.h"

namespace sagitta {
namespace {

constexpr const char* kQdq =
    "quantise the model with a QuantizeLinear/DequantizeLinear pair on every activation";
constexpr const char* kQLinearAdd = "com.microsoft.QLinearAdd";

}  // namespace

Network OnnxLowering::lower() {
  start();
  // The order of the nodes is an order of execution: the reader has checked that.
  for (const OnnxNode& node : graph_.nodes) {
    if (tensors_.contains(graph_.output)) break;
    if (!graph_.is_constant(node.outputs[0])) step(node);
  }
  finish();
  return std::move(network_);
}

void OnnxLowering::require(const OnnxNode& node, bool condition, const char* problem,
                           const char* remedy) const {
  if (!condition) constants_.fail(node, problem, remedy);
}

void OnnxLowering::require_real_input(const OnnxNode& node) const {
  require(node, at_.holds == Holds::real && at_.quantisation.has_value(),
          "its input is not a dequantised tensor", kQdq);
}

void OnnxLowering::start() {
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
  at_ = {};
  at_.shape = network_.input;
  at_.name = graph_.input;
  if (graph_.input_type == OnnxType::int8 || graph_.input_type == OnnxType::uint8) {
    at_.holds = Holds::codes;
    at_.code_type = graph_.input_type;
  } else if (graph_.input_type != OnnxType::float32) {
    throw InputError(graph_.file, where, "it is not of type float32, int8 or uint8",
                     "export the model with a float32 input");
  }
  if (at_.holds != Holds::codes) refuse_branch(at_);
  tensors_[at_.name] = at_;
}

// Codes and their real values may be read more than once; anything else is in the middle of a
// layer.
void OnnxLowering::refuse_branch(const Tensor& tensor) const {
  const std::vector<const OnnxNode*> consumers = graph_.consumers(tensor.name);
  const bool whole = tensor.holds == Holds::codes ||
                     (tensor.holds == Holds::real && tensor.quantisation.has_value());
  if (tensor.name == graph_.output || consumers.size() == 1 || (consumers.size() > 1 && whole)) {
    return;
  }
  std::string names;
  for (const OnnxNode* node : consumers) names += (names.empty() ? "" : ", ") + describe(*node);
  throw InputError(graph_.file, "tensor '" + tensor.name + "'",
                   consumers.empty()
                       ? "no node reads it and it is not the output"
                       : "the data path branches here into " + names + " before it is quantised",
                   consumers.empty() ? "remove unused nodes" : kQdq);
}

OnnxLowering::Tensor OnnxLowering::take(const OnnxNode& node, const std::string& name) {
  const auto found = tensors_.find(name);
  require(node, found != tensors_.end(), "the data is not its first input",
          "put weights and parameters on the other inputs");
  if (found->second.holds != Holds::sums) return found->second;
  return std::move(found->second);  // the only node that reads it
}

void OnnxLowering::step(const OnnxNode& node) {
  const bool second = node.op == "Add" && graph_.is_constant(node.inputs[0]);
  at_ = take(node, node.inputs[second ? 1 : 0]);
  data_operator(node);
  at_.name = node.outputs[0];
  refuse_branch(at_);
  tensors_[at_.name] = std::move(at_);
}

void OnnxLowering::data_operator(const OnnxNode& node) {
  if (node.op == "Identity" || node.op == "Dropout") {
    // Dropout does nothing outside training.
  } else if (node.op == "Softmax" || node.op == "LogSoftmax" || node.op == "ArgMax") {
    require(node,
            at_.holds == Holds::real || at_.holds == Holds::codes || at_.holds == Holds::scores,
            "the logits before it are not quantised", kQdq);
    at_.holds = Holds::scores;
  } else if (at_.holds == Holds::scores) {
    constants_.fail(node, "it follows Softmax or ArgMax", "Softmax and ArgMax must come last");
  } else if (node.op == "QuantizeLinear") {
    quantize(node);
  } else if (node.op == "DequantizeLinear") {
    dequantize(node);
  } else if (node.op == "Conv") {
    convolution(node);
  } else if (node.op == "Gemm" || node.op == "MatMul") {
    dense(node);
  } else if (node.op.find("QLinear") != std::string::npos) {
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
  } else if (node.op == "MaxPool" || node.op == "GlobalMaxPool") {
    max_pool(node);
  } else if (node.op == "AveragePool" || node.op == "GlobalAveragePool") {
    require_real_input(node);
    average_pool(node);
  } else if (node.op == "ReduceMean") {
    require_real_input(node);
    reduce_mean(node);
  } else if (node.op == "Flatten") {
    flatten(node);
  } else if (node.op == "Reshape") {
    reshape(node);
  } else {
    constants_.fail(node, "this operator cannot stand here", "export the model again");
  }
}

// The first node that quantises the image says how images are quantised.
void OnnxLowering::set_input_quantisation(const OnnxNode& node, const Quantisation& quantisation) {
  require(node,
          !has_input_quantisation_ || (network_.input_scale == quantisation.scale &&
                                       network_.input_zero_point == quantisation.zero_point),
          "scale or zero point of the image differ from those that another node gives it",
          "quantise the image once");
  has_input_quantisation_ = true;
  network_.input_scale = quantisation.scale;
  network_.input_zero_point = quantisation.zero_point;
}

void OnnxLowering::quantize(const OnnxNode& node) {
  require(node, at_.holds != Holds::codes, "its input is quantised already", kQdq);
  constexpr std::int64_t kOnnxInt8 = 3;  // attribute output_dtype, opset 21
  const OnnxType without_zero_point =
      node.int_or("output_dtype", 0) == kOnnxInt8 ? OnnxType::int8 : OnnxType::uint8;
  const Quantisation to = constants_.quantisation(node, 1, without_zero_point);
  at_.code_type = constants_.zero_point_type(node, 2, without_zero_point);
  if (at_.holds == Holds::sums) {
    requantise_to(node, to, node.outputs[0]);
  } else if (!at_.quantisation) {
    set_input_quantisation(node, to);
  } else {
    require(node, *at_.quantisation == to,
            "it changes the scale or zero point of a quantised tensor",
            "keep scale and zero point across operators that only move values");
    // A pooling between DequantizeLinear and QuantizeLinear is known by its quantised output.
    if (at_.layer >= 0) {
      Layer& layer = network_.layers[static_cast<std::size_t>(at_.layer)];
      if (layer.output_tensor == at_.name) layer.output_tensor = node.outputs[0];
    }
  }
  at_.quantisation = to;
  at_.holds = Holds::codes;
}

void OnnxLowering::dequantize(const OnnxNode& node) {
  require(node, at_.holds == Holds::codes, "its input is not quantised", kQdq);
  const Quantisation from = constants_.quantisation(node, 1, at_.code_type);
  if (!at_.quantisation) {  // a graph whose input is int8 or uint8
    set_input_quantisation(node, from);
  } else {
    require(node, *at_.quantisation == from,
            "scale or zero point differ from those that the tensor was quantised with",
            "use the same constants in both nodes of a pair");
  }
  at_.quantisation = from;
  at_.holds = Holds::real;
}

void OnnxLowering::convolution(const OnnxNode& node) {
  require_real_input(node);
  begin_convolution(node, constants_.weights(node, 1, 0));
  at_.pending.has_bias = node.has_input(2);
  if (at_.pending.has_bias) add_bias(constants_.bias(node, 2, at_.pending.sum_scale));
}

void OnnxLowering::dense(const OnnxNode& node) {
  require_real_input(node);
  const bool channels_first = node.op == "Gemm" && node.int_or("transB", 0) != 0;
  begin_dense(node, constants_.weights(node, 1, channels_first ? 0 : 1), channels_first);
  at_.pending.has_bias = node.op == "Gemm" && node.has_input(2);
  if (at_.pending.has_bias) add_bias(constants_.bias(node, 2, at_.pending.sum_scale));
}

void OnnxLowering::take_codes(const OnnxNode& node, Tensor& tensor, std::size_t scale_input) {
  require(node, tensor.holds == Holds::codes, "its input is not quantised", kQdq);
  const Quantisation from = constants_.quantisation(node, scale_input);
  if (!tensor.quantisation) {
    set_input_quantisation(node, from);
  } else {
    require(node, *tensor.quantisation == from,
            "its input scale or zero point differ from those of the node before",
            "use the same constants on both sides of a tensor");
  }
  tensor.quantisation = from;
}

void OnnxLowering::qlinear_output(const OnnxNode& node, std::size_t scale_input) {
  at_.code_type = constants_.zero_point_type(node, scale_input + 1, OnnxType::uint8);
  at_.quantisation = constants_.quantisation(node, scale_input);
  requantise_to(node, *at_.quantisation, node.outputs[0]);
  at_.holds = Holds::codes;
}

void OnnxLowering::qlinear(const OnnxNode& node) {
  take_codes(node, at_, 1);
  if (node.op == "QLinearConv") {
    begin_convolution(node, constants_.qlinear_weights(node, 3, 0));
    add_bias(constants_.qlinear_bias(node, 8, at_.pending.sum_scale.size()));
    qlinear_output(node, 6);
  } else if (node.op == "QLinearMatMul") {
    begin_dense(node, constants_.qlinear_weights(node, 3, 1), false);
    qlinear_output(node, 6);
  } else if (node.op == kQLinearAdd) {
    Tensor other = take(node, node.inputs.at(3));
    take_codes(node, other, 4);
    residual(node, other);
    qlinear_output(node, 6);
  } else {
    average_pool(node);
    qlinear_output(node, 3);
  }
}

void OnnxLowering::add(const OnnxNode& node) {
  const bool first = graph_.is_constant(node.inputs[0]);
  if (!first && !graph_.is_constant(node.inputs[1])) {
    const Tensor other = node.inputs[1] == at_.name ? at_ : take(node, node.inputs[1]);
    for (const Tensor* t : {&std::as_const(at_), &other}) {
      require(node, t->holds == Holds::real && t->quantisation.has_value(),
              "one of its inputs is not a dequantised tensor", kQdq);
    }
    residual(node, other);
    return;
  }
  require(node,
          at_.holds == Holds::sums && !at_.pending.has_bias && !at_.pending.low &&
              !at_.pending.high && at_.pending.pools.empty() &&
              at_.pending.layer.kind == LayerKind::gemm && at_.pending.layer.rows() == 1,
          "a constant is added to something other than the result of a MatMul",
          "fold the constant into the bias of the layer before");
  add_bias(constants_.bias(node, first ? 0 : 1, at_.pending.sum_scale));
  at_.pending.has_bias = true;
}

void OnnxLowering::bound(const OnnxNode& node, std::optional<float> low,
                         std::optional<float> high) {
  require(node, !(low && high) || *low <= *high, "its lower bound is above its upper bound",
          "export the model again");
  if (at_.holds == Holds::sums) {
    // Of two bounds in a row the later one wins where they contradict each other, which clamping
    // the earlier one expresses.
    const auto clamped = [&](std::optional<float> value) {
      if (value && low) value = std::max(*value, *low);
      if (value && high) value = std::min(*value, *high);
      return value;
    };
    at_.pending.low = at_.pending.low ? clamped(at_.pending.low) : low;
    at_.pending.high = at_.pending.high ? clamped(at_.pending.high) : high;
    return;
  }
  // Behind a tensor whose zero point is its smallest code, a ReLU changes nothing.
  const bool has_no_effect = at_.holds == Holds::real && at_.quantisation && low == 0.0F && !high &&
                             at_.quantisation->zero_point == -128;
  require(node, has_no_effect, "it does not directly follow a convolution or dense layer",
          "remove the QuantizeLinear/DequantizeLinear pair before it");
}

void OnnxLowering::max_pool(const OnnxNode& node) {
  require(node, at_.holds == Holds::sums || at_.quantisation, "its input is not quantised", kQdq);
  Layer layer = pool(node, LayerKind::max_pool);
  at_.shape = layer.output;
  if (at_.holds == Holds::sums) {
    at_.pending.pools.push_back(std::move(layer));
    return;
  }
  layer.input_zero_point = layer.output_zero_point = at_.quantisation->zero_point;
  layer.output_scale = at_.quantisation->scale;
  push(std::move(layer));
}

void OnnxLowering::flatten(const OnnxNode& node) {
  require(node, node.inputs.size() <= 2, "it has too many inputs", "export the model again");
  if (at_.shape.height > 1 || at_.shape.width > 1) at_.flattened = at_.shape;
  at_.shape = {1, 1, at_.shape.elements()};
}

void OnnxLowering::reshape(const OnnxNode& node) {
  std::vector<std::int64_t> dims;
  if (node.has_input(1)) {
    dims = constants_.integers(node, 1);
  } else if (node.list_attributes.contains("shape")) {  // before opset 5
    dims = node.list_attributes.at("shape");
  }
  const bool keeps_batch = !dims.empty() && dims[0] >= -1 && dims[0] <= 1;
  const bool same = !at_.flattened && dims.size() == 4 && dims[1] == at_.shape.channels &&
                    dims[2] == at_.shape.height && dims[3] == at_.shape.width;
  if (keeps_batch && same) return;
  require(node,
          keeps_batch && dims.size() == 2 && (dims[1] == -1 || dims[1] == at_.shape.elements()),
          "its shape is not [batch, -1]", "only a Reshape that flattens the map is supported");
  flatten(node);
}

void OnnxLowering::finish() {
  at_ = tensors_[graph_.output];
  const auto fail = [&](const char* problem, const char* remedy) {
    throw InputError(graph_.file, "output '" + graph_.output + "'", problem, remedy);
  };
  if (at_.holds == Holds::sums) fail("it is not quantised", kQdq);
  if (network_.layers.empty()) fail("there is no layer before it", kQdq);
  if (at_.flattened && at_.flattened->channels > 1) {
    fail("it is a flattened map of several channels", "end the network with a dense layer");
  }
}

}  // namespace sagitta
