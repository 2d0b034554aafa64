// The part of OnnxChain that builds one layer of multiplications.
#include <algorithm>
#include <cmath>
#include <utility>

#include "network/onnx_chain.h"
#include "network/onnx_window.h"

namespace sagitta {

void OnnxChain::begin(const OnnxNode& node, const QuantisedWeights& weights) {
  pending_.name = node.name;
  pending_.output_tensor = node.outputs[0];
  pending_.kind = LayerKind::gemm;
  pending_.input = shape_;
  pending_.input_zero_point = quantisation_->zero_point;
  const auto columns = static_cast<std::size_t>(pending_.columns());
  // Padding holds the zero point too, so every tap contributes zero_point * weight and the
  // correction is the same for all rows.
  pending_.bias.assign(columns, 0);
  std::vector<std::uint32_t> weight_sum(columns, 0);
  for (std::size_t i = 0; i < pending_.weights.size(); ++i) {
    weight_sum[i % columns] += static_cast<std::uint32_t>(std::int32_t{pending_.weights[i]});
  }
  const auto negative = static_cast<std::uint32_t>(-pending_.input_zero_point);
  sum_scale_.resize(columns);
  for (std::size_t n = 0; n < columns; ++n) {
    pending_.bias[n] = static_cast<std::int32_t>(negative * weight_sum[n]);
    sum_scale_[n] = quantisation_->scale * weights.scale[weights.scale.size() > 1 ? n : 0];
  }
  low_.reset();
  high_.reset();
  pools_.clear();
  has_bias_ = false;
  flattened_.reset();
  shape_ = pending_.output;
  holds_ = Holds::sums;
}

void OnnxChain::begin_convolution(const OnnxNode& node, const QuantisedWeights& weights) {
  require(node, weights.shape.size() == 4, "its weights are not four-dimensional",
          "only two-dimensional convolutions are supported");
  require(node, weights.shape[1] == shape_.channels && !flattened_,
          "its weights do not have the channels of its input", "export the model again");
  pending_ = {};
  pending_.window = window_of(node, constants_, shape_, weights.shape[2], weights.shape[3]);
  pending_.output = window_output(node, constants_, shape_, pending_.window, weights.shape[0]);
  const std::size_t columns = pending_.output.channels;
  const std::size_t channels = shape_.channels;
  const std::size_t taps = std::size_t(pending_.window.kernel_h) * pending_.window.kernel_w;
  pending_.weights.resize(weights.codes.size());
  auto code = weights.codes.begin();
  for (std::size_t n = 0; n < columns; ++n) {
    for (std::size_t c = 0; c < channels; ++c) {
      for (std::size_t tap = 0; tap < taps; ++tap) {
        pending_.weights[(tap * channels + c) * columns + n] = *code++;
      }
    }
  }
  begin(node, weights);
}

void OnnxChain::begin_dense(const OnnxNode& node, const QuantisedWeights& weights,
                            bool channels_first) {
  require(node, weights.shape.size() == 2 && shape_.height == 1 && shape_.width == 1,
          "its input or its weights are not two-dimensional", "put a Flatten before it");
  const std::int64_t depth = weights.shape[channels_first ? 1 : 0];
  const std::int64_t columns = weights.shape[channels_first ? 0 : 1];
  require(node, depth == shape_.channels, "its weights do not have the features of its input",
          "export the model again");
  require(node, columns >= 1, "its weights are empty", "export the model again");
  const FeatureShape map = flattened_.value_or(shape_);
  pending_ = {};
  pending_.output = {1, 1, static_cast<int>(columns)};
  pending_.weights.resize(weights.codes.size());
  const std::int64_t plane = std::int64_t{map.height} * map.width;
  for (std::int64_t k = 0; k < depth; ++k) {
    // Position k of our HWC order is the pixel k / channels, channel k % channels.
    const std::int64_t onnx_k = k % map.channels * plane + k / map.channels;
    for (std::int64_t n = 0; n < columns; ++n) {
      pending_.weights[k * columns + n] =
          weights.codes[channels_first ? n * depth + onnx_k : onnx_k * columns + n];
    }
  }
  begin(node, weights);
}

void OnnxChain::add_bias(const std::vector<std::int32_t>& bias) {
  for (std::size_t n = 0; n < bias.size(); ++n) {
    pending_.bias[n] = static_cast<std::int32_t>(static_cast<std::uint32_t>(pending_.bias[n]) +
                                                 static_cast<std::uint32_t>(bias[n]));
  }
}

void OnnxChain::requantise_to(const OnnxNode& node, const Quantisation& to,
                              const std::string& output) {
  for (std::size_t n = 0; n < sum_scale_.size(); ++n) {
    const std::string what = graph_.file + ": " + describe(node) + ", output channel " +
                             std::to_string(n) + " of layer '" + pending_.name + "'";
    pending_.scale.push_back(to_fixed_scale(sum_scale_[n] / to.scale, what.c_str()));
  }
  // Rounding is monotonic: a bound on the real value is a bound on the code.
  const auto code = [&](float real) {
    const float value = std::nearbyint(real / to.scale) + static_cast<float>(to.zero_point);
    return static_cast<int>(std::clamp(value, -128.0F, 127.0F));
  };
  if (low_) pending_.output_min = code(*low_);
  if (high_) pending_.output_max = code(*high_);
  pending_.has_relu = low_ == 0.0F;
  pending_.output_zero_point = to.zero_point;
  pending_.output_scale = to.scale;
  (pools_.empty() ? pending_ : pools_.back()).output_tensor = output;
  network_.layers.push_back(std::move(pending_));
  for (Layer& pool : pools_) {
    pool.input_zero_point = pool.output_zero_point = to.zero_point;
    pool.output_scale = to.scale;
    network_.layers.push_back(std::move(pool));
  }
}

}  // namespace sagitta
