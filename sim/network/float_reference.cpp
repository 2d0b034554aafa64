#include "network/float_reference.h"

#include <cmath>
#include <limits>
#include <stdexcept>

namespace sagitta {
namespace {

double real(FixedScale scale) {
  return std::ldexp(static_cast<double>(scale.mantissa), -int{scale.shift});
}

// ReLU where the int8 layer's lower clamp is its zero point; an upper one below saturation (Clip).
void activate(const Layer& layer, std::vector<float>& values) {
  const bool rectifies = layer.output_min == layer.output_zero_point;
  const bool clips = layer.output_max < 127;
  const float high =
      static_cast<float>(layer.output_max - layer.output_zero_point) * layer.output_scale;
  for (float& v : values) {
    if (rectifies && v < 0) v = 0;
    if (clips && v > high) v = high;
  }
}

// Calls tap(output pixel, input pixel, kernel position) for the taps that lie inside of the map.
template <typename Tap>
void for_each_tap(const Layer& layer, const Tap& tap) {
  const Window& w = layer.window;
  std::size_t pixel = 0;
  for (int y = 0; y < layer.output.height; ++y) {
    for (int x = 0; x < layer.output.width; ++x, ++pixel) {
      for (int ky = 0; ky < w.kernel_h; ++ky) {
        const int in_y = y * w.stride_h - w.pad_top + ky * w.dilation_h;
        if (in_y < 0 || in_y >= layer.input.height) continue;
        for (int kx = 0; kx < w.kernel_w; ++kx) {
          const int in_x = x * w.stride_w - w.pad_left + kx * w.dilation_w;
          if (in_x < 0 || in_x >= layer.input.width) continue;
          tap(pixel, static_cast<std::size_t>(in_y * layer.input.width + in_x),
              ky * w.kernel_w + kx);
        }
      }
    }
  }
}

}  // namespace

FloatNetwork::FloatNetwork(const Network& network) : network_(&network) {
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer& layer = network.layers[l];
    Gemm& gemm = gemms_.emplace_back();
    if (layer.kind != LayerKind::gemm) continue;
    const int from = network.source(l);
    const double input_scale = from < 0
                                   ? network.input_scale
                                   : network.layers[static_cast<std::size_t>(from)].output_scale;
    const auto columns = static_cast<std::size_t>(layer.columns());
    gemm.weights.resize(layer.weights.size());
    for (std::size_t n = 0; n < columns; ++n) {
      // The real value of one step of a sum, which is that of the input times that of the weights.
      const double sum_scale = real(layer.scale[n]) * double{layer.output_scale};
      std::uint32_t weight_sum = 0;
      for (std::size_t i = n; i < layer.weights.size(); i += columns) {
        gemm.weights[i] = static_cast<float>(layer.weights[i] * (sum_scale / input_scale));
        weight_sum += static_cast<std::uint32_t>(std::int32_t{layer.weights[i]});
      }
      // The int8 bias has the input's zero point in it, modulo 2^32.
      const auto bias = static_cast<std::int32_t>(
          static_cast<std::uint32_t>(layer.bias[n]) +
          static_cast<std::uint32_t>(layer.input_zero_point) * weight_sum);
      gemm.bias.push_back(static_cast<float>(bias * sum_scale));
    }
  }
}

std::vector<float> FloatNetwork::input(const std::vector<std::int8_t>& codes) const {
  std::vector<float> values;
  values.reserve(codes.size());
  for (const std::int8_t code : codes) {
    values.push_back(static_cast<float>(code - network_->input_zero_point) * network_->input_scale);
  }
  return values;
}

// Taps in the order of the weights' k, so that every sum has one defined order of additions.
void FloatNetwork::run_gemm(const Layer& layer, const Gemm& gemm, const std::vector<float>& input,
                            std::vector<float>& sums) const {
  const auto columns = static_cast<std::size_t>(layer.columns());
  const auto groups = static_cast<std::size_t>(layer.groups);
  const auto all = static_cast<std::size_t>(layer.input.channels);
  const std::size_t channels = all / groups;
  const std::size_t group_columns = columns / groups;
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] = gemm.bias[i % columns];
  for_each_tap(layer, [&](std::size_t to, std::size_t from, int position) {
    float* sum = sums.data() + to * columns;
    for (std::size_t c = 0; c < channels; ++c) {
      const float* weights =
          gemm.weights.data() + (static_cast<std::size_t>(position) * channels + c) * columns;
      for (std::size_t g = 0; g < groups; ++g) {
        const float x = input[from * all + g * channels + c];
        for (std::size_t n = g * group_columns; n < (g + 1) * group_columns; ++n) {
          sum[n] += x * weights[n];
        }
      }
    }
  });
}

FloatValues FloatNetwork::run_layer(std::size_t number, const std::vector<float>& input,
                                    const std::vector<float>& second, const Change& change) const {
  const Layer& layer = network_->layers[number];
  const auto elements = static_cast<std::size_t>(layer.input.elements());
  if (input.size() != elements || (layer.kind == LayerKind::add && second.size() != elements)) {
    throw std::invalid_argument("layer " + layer.name + " was given an input of the wrong size");
  }
  FloatValues values;
  std::vector<float>& output = values.output;
  output.resize(static_cast<std::size_t>(layer.output.elements()));
  const auto channels = static_cast<std::size_t>(layer.input.channels);
  switch (layer.kind) {
    case LayerKind::gemm:
      values.sums.resize(output.size());
      run_gemm(layer, gemms_[number], input, values.sums);
      if (change) change(number, values.sums);
      output = values.sums;
      break;
    case LayerKind::max_pool:
      output.assign(output.size(), -std::numeric_limits<float>::infinity());
      for_each_tap(layer, [&](std::size_t to, std::size_t from, int) {
        for (std::size_t c = 0; c < channels; ++c) {
          float& most = output[to * channels + c];
          const float x = input[from * channels + c];
          if (x > most || std::isnan(x)) most = x;
        }
      });
      return values;
    case LayerKind::average_pool: {
      const int taps = layer.window.kernel_h * layer.window.kernel_w;
      for_each_tap(layer, [&](std::size_t to, std::size_t from, int) {
        for (std::size_t c = 0; c < channels; ++c) {
          output[to * channels + c] += input[from * channels + c];
        }
      });
      for (float& v : output) v /= static_cast<float>(taps);
      break;
    }
    case LayerKind::add:
      for (std::size_t i = 0; i < output.size(); ++i) output[i] = input[i] + second[i];
      break;
  }
  activate(layer, output);
  return values;
}

std::vector<FloatValues> FloatNetwork::run(const std::vector<std::int8_t>& codes,
                                           const Change& change) const {
  const std::vector<float> image = input(codes);
  std::vector<FloatValues> values;
  values.reserve(network_->layers.size());
  const std::vector<float> none;
  for (std::size_t l = 0; l < network_->layers.size(); ++l) {
    const auto operand = [&](std::size_t which) -> const std::vector<float>& {
      const int from = network_->source(l, which);
      return from < 0 ? image : values[static_cast<std::size_t>(from)].output;
    };
    const bool adds = network_->layers[l].kind == LayerKind::add;
    values.push_back(run_layer(l, operand(0), adds ? operand(1) : none, change));
  }
  return values;
}

int top1(const std::vector<float>& logits) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < logits.size() && !std::isnan(logits[best]); ++i) {
    if (!(logits[i] <= logits[best])) best = i;
  }
  return static_cast<int>(best);
}

}  // namespace sagitta
