// The parts of OnnxLowering that build one layer: multiplications, poolings, residual adds.
#include <algorithm>
#include <cmath>
#include <utility>

#include "network/onnx_lowering.h"
#include "network/onnx_window.h"

namespace sagitta {

void OnnxLowering::begin(const OnnxNode& node, const QuantisedWeights& weights) {
  at_.pending.layer.name = node.name;
  at_.pending.layer.output_tensor = node.outputs[0];
  at_.pending.layer.kind = LayerKind::gemm;
  at_.pending.layer.input = at_.shape;
  at_.pending.layer.input_zero_point = at_.quantisation->zero_point;
  const auto columns = static_cast<std::size_t>(at_.pending.layer.columns());
  // Padding holds the zero point too, so every tap contributes zero_point * weight and the
  // correction is the same for all rows.
  at_.pending.layer.bias.assign(columns, 0);
  std::vector<std::uint32_t> weight_sum(columns, 0);
  for (std::size_t i = 0; i < at_.pending.layer.weights.size(); ++i) {
    weight_sum[i % columns] +=
        static_cast<std::uint32_t>(std::int32_t{at_.pending.layer.weights[i]});
  }
  const auto negative = static_cast<std::uint32_t>(-at_.pending.layer.input_zero_point);
  at_.pending.sum_scale.resize(columns);
  for (std::size_t n = 0; n < columns; ++n) {
    at_.pending.layer.bias[n] = static_cast<std::int32_t>(negative * weight_sum[n]);
    at_.pending.sum_scale[n] =
        at_.quantisation->scale * weights.scale[weights.scale.size() > 1 ? n : 0];
  }
  at_.flattened.reset();
  at_.shape = at_.pending.layer.output;
  at_.holds = Holds::sums;
}

void OnnxLowering::begin_convolution(const OnnxNode& node, const QuantisedWeights& weights) {
  require(node, weights.shape.size() == 4, "its weights are not four-dimensional",
          "only two-dimensional convolutions are supported");
  const std::int64_t groups = node.int_or("group", 1);
  require(node, groups >= 1 && at_.shape.channels % groups == 0 && weights.shape[0] % groups == 0,
          "its groups do not divide its channels", "export the model again");
  require(node, weights.shape[1] * groups == at_.shape.channels && !at_.flattened,
          "its weights do not have the channels of its input", "export the model again");
  at_.pending = {};
  at_.pending.layer.groups = static_cast<int>(groups);
  at_.pending.layer.window =
      window_of(node, constants_, at_.shape, weights.shape[2], weights.shape[3]);
  at_.pending.layer.output =
      window_output(node, constants_, at_.shape, at_.pending.layer.window, weights.shape[0]);
  const std::size_t columns = at_.pending.layer.output.channels;
  const std::size_t channels = at_.shape.channels / groups;
  const std::size_t taps =
      std::size_t(at_.pending.layer.window.kernel_h) * at_.pending.layer.window.kernel_w;
  at_.pending.layer.weights.resize(weights.codes.size());
  auto code = weights.codes.begin();
  for (std::size_t n = 0; n < columns; ++n) {
    for (std::size_t c = 0; c < channels; ++c) {
      for (std::size_t tap = 0; tap < taps; ++tap) {
        at_.pending.layer.weights[(tap * channels + c) * columns + n] = *code++;
      }
    }
  }
  begin(node, weights);
}

void OnnxLowering::begin_dense(const OnnxNode& node, const QuantisedWeights& weights,
                               bool channels_first) {
  require(node, weights.shape.size() == 2 && at_.shape.height == 1 && at_.shape.width == 1,
          "its input or its weights are not two-dimensional", "put a Flatten before it");
  const std::int64_t depth = weights.shape[channels_first ? 1 : 0];
  const std::int64_t columns = weights.shape[channels_first ? 0 : 1];
  require(node, depth == at_.shape.channels, "its weights do not have the features of its input",
          "export the model again");
  require(node, columns >= 1, "its weights are empty", "export the model again");
  const FeatureShape map = at_.flattened.value_or(at_.shape);
  at_.pending = {};
  at_.pending.layer.output = {1, 1, static_cast<int>(columns)};
  at_.pending.layer.weights.resize(weights.codes.size());
  const std::int64_t plane = std::int64_t{map.height} * map.width;
  for (std::int64_t k = 0; k < depth; ++k) {
    // Position k of our HWC order is the pixel k / channels, channel k % channels.
    const std::int64_t onnx_k = k % map.channels * plane + k / map.channels;
    for (std::int64_t n = 0; n < columns; ++n) {
      at_.pending.layer.weights[k * columns + n] =
          weights.codes[channels_first ? n * depth + onnx_k : onnx_k * columns + n];
    }
  }
  begin(node, weights);
}

void OnnxLowering::add_bias(const std::vector<std::int32_t>& bias) {
  for (std::size_t n = 0; n < bias.size(); ++n) {
    at_.pending.layer.bias[n] =
        static_cast<std::int32_t>(static_cast<std::uint32_t>(at_.pending.layer.bias[n]) +
                                  static_cast<std::uint32_t>(bias[n]));
  }
}

// A pooling over the map at hand, with the window of the node or, where it has none, all of the
// map.
Layer OnnxLowering::pool(const OnnxNode& node, LayerKind kind) const {
  require(node, !at_.flattened, "it follows Flatten", "export the model again");
  Layer layer;
  layer.name = node.name;
  layer.output_tensor = node.outputs[0];
  layer.kind = kind;
  layer.input = at_.shape;
  if (node.op == "ReduceMean" || node.op.find("Global") != std::string::npos) {
    layer.window.kernel_h = at_.shape.height;
    layer.window.kernel_w = at_.shape.width;
  } else {
    layer.window = window_of(node, constants_, at_.shape, 0, 0);
  }
  layer.output = window_output(node, constants_, at_.shape, layer.window, at_.shape.channels);
  return layer;
}

void OnnxLowering::average_pool(const OnnxNode& node) {
  Pending pending;
  pending.layer = pool(node, LayerKind::average_pool);
  const Window& w = pending.layer.window;
  const bool padded = w.pad_top + w.pad_left + w.pad_bottom + w.pad_right > 0;
  // Without this attribute the padding of a window does not count, so that windows at the edge
  // would divide by another number than those inside.
  require(node, !padded || node.int_or("count_include_pad", 0) == 1,
          "it has padding that does not count (count_include_pad 0)",
          "export it with count_include_pad 1 or without padding");
  pending.layer.input_zero_point = pending.layer.second_zero_point = at_.quantisation->zero_point;
  pending.first_scale = pending.second_scale =
      double{at_.quantisation->scale} / (w.kernel_h * w.kernel_w);
  at_.shape = pending.layer.output;
  at_.pending = std::move(pending);
  at_.holds = Holds::sums;
}

void OnnxLowering::reduce_mean(const OnnxNode& node) {
  std::vector<std::int64_t> axes;
  if (node.has_input(1)) {
    axes = constants_.integers(node, 1);
  } else if (node.list_attributes.contains("axes")) {  // before opset 18
    axes = node.list_attributes.at("axes");
  }
  for (std::int64_t& axis : axes) axis += axis < 0 ? 4 : 0;
  std::sort(axes.begin(), axes.end());
  require(node, axes == std::vector<std::int64_t>{2, 3}, "its axes are not height and width",
          "only the mean over a whole map is supported");
  average_pool(node);
}

// Adds `other` to the tensor at hand; both hold codes or the real values of codes.
void OnnxLowering::residual(const OnnxNode& node, const Tensor& other) {
  require(node, at_.shape == other.shape && at_.flattened == other.flattened,
          "its inputs differ in shape", "broadcasting is not supported");
  Pending pending;
  Layer& layer = pending.layer;
  layer.name = node.name;
  layer.output_tensor = node.outputs[0];
  layer.kind = LayerKind::add;
  layer.sources = {at_.layer, other.layer};
  layer.input = layer.output = at_.shape;
  layer.input_zero_point = at_.quantisation->zero_point;
  layer.second_zero_point = other.quantisation->zero_point;
  pending.first_scale = at_.quantisation->scale;
  pending.second_scale = other.quantisation->scale;
  at_.pending = std::move(pending);
  at_.holds = Holds::sums;
}

// The layer reads what the tensor at hand was computed by, unless it says otherwise.
void OnnxLowering::push(Layer layer) {
  if (layer.sources.empty()) layer.sources = {at_.layer};
  at_.layer = static_cast<int>(network_.layers.size());
  network_.layers.push_back(std::move(layer));
}

void OnnxLowering::requantise_to(const OnnxNode& node, const Quantisation& to,
                                 const std::string& output) {
  Pending& pending = at_.pending;
  Layer& layer = pending.layer;
  const std::string what = graph_.file + ": " + describe(node) + ", ";
  for (std::size_t n = 0; n < pending.sum_scale.size(); ++n) {
    const std::string channel =
        what + "output channel " + std::to_string(n) + " of layer '" + layer.name + "'";
    layer.scale.push_back(to_fixed_scale(pending.sum_scale[n] / to.scale, channel.c_str()));
  }
  if (layer.kind != LayerKind::gemm) {
    layer.tap_scale = to_tap_scale(pending.first_scale / to.scale, pending.second_scale / to.scale,
                                   (what + "layer '" + layer.name + "'").c_str());
  }
  // Rounding is monotonic: a bound on the real value is a bound on the code.
  const auto code = [&](float real) {
    const float value = std::nearbyint(real / to.scale) + static_cast<float>(to.zero_point);
    return static_cast<int>(std::clamp(value, -128.0F, 127.0F));
  };
  if (pending.low) layer.output_min = code(*pending.low);
  if (pending.high) layer.output_max = code(*pending.high);
  layer.has_relu = pending.low == 0.0F;
  layer.output_zero_point = to.zero_point;
  layer.output_scale = to.scale;
  (pending.pools.empty() ? layer : pending.pools.back()).output_tensor = output;
  std::vector<Layer> pools = std::move(pending.pools);
  push(std::move(layer));
  for (Layer& pool : pools) {
    pool.input_zero_point = pool.output_zero_point = to.zero_point;
    pool.output_scale = to.scale;
    push(std::move(pool));
  }
  at_.pending = {};
}

}  // namespace sagitta
