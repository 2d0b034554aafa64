#include "network/onnx_constants.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace sagitta {
namespace {

constexpr const char* kQuantiseStatically =
    "quantise the model statically, so that weights, scales and zero points are constants";

// Position of `axis` counted from the front; ONNX allows negative ones.
std::int64_t front_axis(std::int64_t axis, std::size_t rank) {
  return axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis;
}

std::int32_t round_to_int32(double value) {
  const double rounded = std::nearbyint(value);
  return static_cast<std::int32_t>(std::clamp<double>(
      rounded, std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()));
}

}  // namespace

std::string describe(const OnnxNode& node) {
  return node.op + " '" + node.name + "'";
}

void OnnxConstants::fail(const OnnxNode& node, const std::string& problem,
                         const std::string& remedy) const {
  throw InputError(graph_.file, describe(node), problem, remedy);
}

const std::string& OnnxConstants::through_identity(const std::string& tensor) const {
  const std::string* name = &tensor;
  for (const OnnxNode* node = graph_.producer(*name); node != nullptr && node->op == "Identity";
       node = graph_.producer(*name)) {
    if (!node->has_input(0)) fail(*node, "it has no input", "export the model again");
    name = &node->inputs[0];
  }
  return *name;
}

const OnnxTensor& OnnxConstants::constant(const OnnxNode& node, std::size_t index,
                                          const char* what) const {
  if (!node.has_input(index)) {
    fail(node, std::string("its ") + what + " is missing", "export the model again");
  }
  const auto found = graph_.constants.find(through_identity(node.inputs[index]));
  if (found == graph_.constants.end()) {
    fail(node, std::string("its ") + what + " '" + node.inputs[index] + "' is not a constant",
         kQuantiseStatically);
  }
  return found->second;
}

std::vector<float> OnnxConstants::scales(const OnnxNode& node, std::size_t index,
                                         const char* what) const {
  const OnnxTensor& tensor = constant(node, index, what);
  if (tensor.type != OnnxType::float32 || tensor.floats.empty()) {
    fail(node, std::string("its ") + what + " is of type " + tensor.type_name + " or empty",
         "use float32 scales");
  }
  for (const float scale : tensor.floats) {
    if (!(scale > 0) || !std::isfinite(scale)) {
      fail(node, std::string("its ") + what + " is " + std::to_string(scale),
           "scales must be finite and above 0: calibrate the model again");
    }
  }
  return tensor.floats;
}

Quantisation OnnxConstants::quantisation(const OnnxNode& node, std::size_t scale_input,
                                         OnnxType type) const {
  const std::vector<float> scale = scales(node, scale_input, "scale");
  if (scale.size() != 1) {
    fail(node, "activations have one scale per channel", "quantise activations per tensor");
  }
  if (!node.has_input(scale_input + 1)) return {scale[0], type == OnnxType::int8 ? 0 : -128};
  const OnnxTensor& zero_point = constant(node, scale_input + 1, "zero point");
  const bool is_signed = zero_point.type == OnnxType::int8;
  if ((!is_signed && zero_point.type != OnnxType::uint8) || zero_point.ints.size() != 1) {
    fail(node, "its zero point is of type " + zero_point.type_name + " or not a single value",
         "quantise activations to int8 or uint8 per tensor");
  }
  return {scale[0], static_cast<int>(zero_point.ints[0]) - (is_signed ? 0 : 128)};
}

OnnxType OnnxConstants::zero_point_type(const OnnxNode& node, std::size_t index,
                                        OnnxType otherwise) const {
  return node.has_input(index) ? constant(node, index, "zero point").type : otherwise;
}

QuantisedWeights OnnxConstants::make_weights(const OnnxNode& node, const OnnxTensor& codes,
                                             std::vector<float> scale, const OnnxTensor* zero_point,
                                             int channel_axis) const {
  const bool is_signed = codes.type == OnnxType::int8;
  if (!is_signed && codes.type != OnnxType::uint8) {
    fail(node, "its weights are of type " + codes.type_name, "quantise weights to int8");
  }
  const std::int64_t neutral = is_signed ? 0 : 128;
  const std::vector<std::int64_t> zero_points =
      zero_point == nullptr ? std::vector<std::int64_t>{0} : zero_point->ints;
  for (const std::int64_t value : zero_points) {
    if (value != neutral) {
      fail(node,
           "its weights have zero point " + std::to_string(value) + ", only " +
               std::to_string(neutral) + " is supported for " + codes.type_name + " weights",
           "quantise weights symmetrically to int8");
    }
  }
  if (zero_point != nullptr && zero_point->type != codes.type) {
    fail(node, "its weights and their zero point differ in type", "export the model again");
  }
  const std::int64_t rank = static_cast<std::int64_t>(codes.shape.size());
  if (channel_axis >= rank) {
    fail(node, "its weights have " + std::to_string(rank) + " dimensions",
         "only 2-D convolutions and dense layers are supported");
  }
  const auto channels = static_cast<std::size_t>(codes.shape[channel_axis]);
  if (scale.size() != 1 && scale.size() != channels) {
    fail(node,
         "its weights have " + std::to_string(scale.size()) + " scales for " +
             std::to_string(channels) + " output channels",
         "use one weight scale, or one for each output channel");
  }
  QuantisedWeights weights{codes.shape, {}, std::move(scale)};
  weights.codes.reserve(codes.ints.size());
  for (const std::int64_t code : codes.ints) {
    weights.codes.push_back(static_cast<std::int8_t>(code - neutral));
  }
  return weights;
}

// Some exporters leave weights in float with QuantizeLinear and DequantizeLinear behind them.
OnnxTensor OnnxConstants::quantise_constant(const OnnxNode& quantize) const {
  const OnnxTensor& real = constant(quantize, 0, "input");
  const std::vector<float> scale = scales(quantize, 1, "scale");
  const bool has_zero_point = quantize.has_input(2);
  const OnnxType type = has_zero_point ? constant(quantize, 2, "zero point").type : OnnxType::uint8;
  const std::vector<std::int64_t> zero_point =
      has_zero_point ? constant(quantize, 2, "zero point").ints : std::vector<std::int64_t>{0};
  const auto axis =
      static_cast<std::size_t>(front_axis(quantize.int_or("axis", 1), real.shape.size()));
  if (real.type != OnnxType::float32 || (type != OnnxType::int8 && type != OnnxType::uint8) ||
      (scale.size() > 1 && (axis >= real.shape.size() ||
                            real.shape[axis] != static_cast<std::int64_t>(scale.size()))) ||
      (zero_point.size() != 1 && zero_point.size() != scale.size())) {
    fail(quantize, "a constant cannot be quantised like this", kQuantiseStatically);
  }
  std::size_t inner = 1;
  for (std::size_t i = axis + 1; i < real.shape.size(); ++i) inner *= real.shape[i];
  OnnxTensor codes{type, type == OnnxType::int8 ? "INT8" : "UINT8", real.shape, {}, {}};
  const float low = type == OnnxType::int8 ? -128.0F : 0.0F;
  for (std::size_t i = 0; i < real.floats.size(); ++i) {
    const std::size_t channel = scale.size() > 1 ? i / inner % scale.size() : 0;
    const auto zero = static_cast<float>(zero_point[zero_point.size() > 1 ? channel : 0]);
    const float code = std::nearbyint(real.floats[i] / scale[channel]) + zero;
    codes.ints.push_back(static_cast<std::int64_t>(std::clamp(code, low, low + 255)));
  }
  return codes;
}

QuantisedWeights OnnxConstants::weights(const OnnxNode& node, std::size_t index,
                                        int channel_axis) const {
  if (!node.has_input(index)) fail(node, "it has no weights", "export the model again");
  const OnnxNode* dequantize = graph_.producer(through_identity(node.inputs[index]));
  if (dequantize == nullptr || dequantize->op != "DequantizeLinear") {
    fail(node, "its weights '" + node.inputs[index] + "' are not quantised",
         "quantise the weights to int8 (DequantizeLinear of an int8 constant)");
  }
  OnnxTensor codes;
  const OnnxNode* quantize =
      dequantize->has_input(0) ? graph_.producer(through_identity(dequantize->inputs[0])) : nullptr;
  if (quantize != nullptr && quantize->op == "QuantizeLinear") {
    codes = quantise_constant(*quantize);
  } else {
    codes = constant(*dequantize, 0, "input");
  }
  std::vector<float> scale = scales(*dequantize, 1, "scale");
  const std::int64_t axis = front_axis(dequantize->int_or("axis", 1), codes.shape.size());
  if (scale.size() > 1 && axis != channel_axis) {
    fail(*dequantize,
         "weights have a scale for each entry of axis " + std::to_string(axis) +
             ", which is not the axis of the output channels",
         "quantise weights per tensor or per output channel");
  }
  const OnnxTensor* zero_point =
      dequantize->has_input(2) ? &constant(*dequantize, 2, "zero point") : nullptr;
  return make_weights(node, codes, std::move(scale), zero_point, channel_axis);
}

QuantisedWeights OnnxConstants::qlinear_weights(const OnnxNode& node, std::size_t index,
                                                int channel_axis) const {
  return make_weights(node, constant(node, index, "weight"),
                      scales(node, index + 1, "weight scale"),
                      &constant(node, index + 2, "weight zero point"), channel_axis);
}

std::vector<std::int32_t> OnnxConstants::bias(const OnnxNode& node, std::size_t index,
                                              const std::vector<float>& step) const {
  const std::size_t channels = step.size();
  std::vector<double> real(channels);
  const OnnxNode* dequantize = graph_.producer(through_identity(node.inputs[index]));
  const bool quantised = dequantize != nullptr && dequantize->op == "DequantizeLinear";
  const OnnxTensor& tensor =
      quantised ? constant(*dequantize, 0, "input") : constant(node, index, "bias");
  const std::vector<float> scale =
      quantised ? scales(*dequantize, 1, "scale") : std::vector<float>{1.0F};
  // Trailing dimensions of one appear when a bias is an Add of its own.
  if (tensor.elements() != static_cast<std::int64_t>(channels) ||
      (scale.size() != 1 && scale.size() != channels) ||
      (quantised ? tensor.type != OnnxType::int32 && tensor.type != OnnxType::int8
                 : tensor.type != OnnxType::float32)) {
    fail(node,
         "its bias has " + std::to_string(tensor.elements()) + " values of type " +
             tensor.type_name + " for " + std::to_string(channels) + " output channels",
         "use a float bias or an int32 one behind DequantizeLinear");
  }
  if (quantised && dequantize->has_input(2)) {
    for (const std::int64_t value : constant(*dequantize, 2, "zero point").ints) {
      if (value != 0) fail(*dequantize, "the bias has a zero point", "use zero point 0 for biases");
    }
  }
  std::vector<std::int32_t> codes(channels);
  for (std::size_t n = 0; n < channels; ++n) {
    const float bias_scale = scale[scale.size() > 1 ? n : 0];
    // Exporters compute x_scale * w_scale in float32 or double: the last bits may differ.
    if (quantised && std::abs(bias_scale - step[n]) <= 1e-5F * step[n]) {
      codes[n] = static_cast<std::int32_t>(tensor.ints[n]);
    } else {
      const double value = quantised ? static_cast<double>(tensor.ints[n]) * bias_scale
                                     : static_cast<double>(tensor.floats[n]);
      if (!std::isfinite(value)) fail(node, "its bias is not finite", "train the model again");
      codes[n] = round_to_int32(value / step[n]);
    }
  }
  return codes;
}

std::vector<std::int32_t> OnnxConstants::qlinear_bias(const OnnxNode& node, std::size_t index,
                                                      std::size_t channels) const {
  if (!node.has_input(index)) return std::vector<std::int32_t>(channels, 0);
  const OnnxTensor& tensor = constant(node, index, "bias");
  if (tensor.type != OnnxType::int32 || tensor.ints.size() != channels) {
    fail(node, "its bias is not one int32 for each output channel", "export the model again");
  }
  return {tensor.ints.begin(), tensor.ints.end()};
}

std::optional<float> OnnxConstants::scalar(const OnnxNode& node, std::size_t index) const {
  if (!node.has_input(index)) return std::nullopt;
  const OnnxTensor& tensor = constant(node, index, "bound");
  if (tensor.type != OnnxType::float32 || tensor.floats.size() != 1) {
    fail(node, "its bounds are not single float32 values", "export the model again");
  }
  return tensor.floats[0];
}

std::vector<std::int64_t> OnnxConstants::integers(const OnnxNode& node, std::size_t index) const {
  const OnnxTensor& tensor = constant(node, index, "shape");
  if (tensor.type != OnnxType::int64) fail(node, "its shape is not int64", "export again");
  return tensor.ints;
}

}  // namespace sagitta
