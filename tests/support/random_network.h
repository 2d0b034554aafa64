// Random networks and images for tests.
#pragma once

#include <algorithm>
#include <vector>

#include "base/philox.h"
#include "network/network.h"

namespace sagitta::test {

class Random {
 public:
  explicit Random(std::uint64_t seed) : stream_(seed, 0, Purpose::test) {}
  int between(int low, int high) {  // both inclusive
    return low + static_cast<int>(stream_.below(static_cast<std::uint64_t>(high - low + 1)));
  }
  bool chance(int percent) { return between(1, 100) <= percent; }
  std::int8_t int8() { return static_cast<std::int8_t>(between(-128, 127)); }
  std::vector<std::int8_t> int8s(int n) {
    std::vector<std::int8_t> v(static_cast<std::size_t>(n));
    for (auto& x : v) x = int8();
    return v;
  }
  std::uint64_t bits() { return stream_.next(); }

 private:
  Stream stream_;
};

// Any kernel up to 3 x 4 with stride and dilation per axis and padding per side, over a map that is
// padded further where the kernel would not fit.
inline Window random_window(Random& random, const FeatureShape& input) {
  Window w;
  w.kernel_h = random.between(1, 3);
  w.kernel_w = random.between(1, 4);
  w.stride_h = random.between(1, 2);
  w.stride_w = random.between(1, 3);
  w.dilation_h = random.between(1, 2);
  w.dilation_w = random.between(1, 2);
  w.pad_top = random.between(0, 2);
  w.pad_left = random.between(0, 2);
  w.pad_bottom = random.between(0, 2);
  w.pad_right = random.between(0, 2);
  w.pad_top +=
      std::max(0, w.dilation_h * (w.kernel_h - 1) + 1 - input.height - w.pad_top - w.pad_bottom);
  w.pad_left +=
      std::max(0, w.dilation_w * (w.kernel_w - 1) + 1 - input.width - w.pad_left - w.pad_right);
  return w;
}

inline FeatureShape window_output(const Window& w, const FeatureShape& input, int channels) {
  const auto size = [](int in, int pad, int kernel, int dilation, int stride) {
    return (in + pad - dilation * (kernel - 1) - 1) / stride + 1;
  };
  return {size(input.height, w.pad_top + w.pad_bottom, w.kernel_h, w.dilation_h, w.stride_h),
          size(input.width, w.pad_left + w.pad_right, w.kernel_w, w.dilation_w, w.stride_w),
          channels};
}

inline Layer random_gemm(Random& random, const FeatureShape& input, bool dense) {
  Layer layer;
  layer.name = "gemm";
  layer.kind = LayerKind::gemm;
  layer.input = dense ? FeatureShape{1, 1, input.elements()} : input;
  if (!dense) layer.window = random_window(random, layer.input);
  layer.output = window_output(layer.window, layer.input, random.between(1, 11));
  if (!dense && random.chance(40)) {  // groups: any divisor of the input channels, depthwise too
    do {
      layer.groups = random.between(1, layer.input.channels);
    } while (layer.input.channels % layer.groups != 0);
    layer.output.channels = layer.groups * random.between(1, std::max(1, 11 / layer.groups));
  }
  layer.weights = random.int8s(layer.depth() * layer.columns());
  for (int n = 0; n < layer.columns(); ++n) {
    layer.bias.push_back(random.between(-100000, 100000));
    layer.scale.push_back(
        to_fixed_scale(static_cast<float>(random.between(1, 1000)) * 1e-5F, "test"));
  }
  layer.input_zero_point = random.int8();
  layer.output_zero_point = random.int8();
  layer.has_relu = random.chance(50);
  layer.output_min = layer.has_relu ? layer.output_zero_point : -128;
  return layer;
}

inline double random_tap_scale(Random& random, int taps) {
  return random.between(1, 3000) * 1e-3 / taps;
}

// The parameters of an accumulating layer's rounding.
inline void random_output(Random& random, Layer& layer) {
  layer.input_zero_point = random.int8();
  layer.second_zero_point = random.int8();
  layer.output_zero_point = random.int8();
  if (random.chance(30)) layer.output_min = layer.output_zero_point;
  if (random.chance(30)) layer.output_max = random.between(layer.output_zero_point, 127);
}

// Maximum or average over any window, or over the whole map.
inline Layer random_pool(Random& random, const FeatureShape& input) {
  Layer layer;
  layer.name = "pool";
  layer.kind = random.chance(50) ? LayerKind::max_pool : LayerKind::average_pool;
  layer.input = input;
  if (random.chance(20)) {
    layer.window.kernel_h = input.height;
    layer.window.kernel_w = input.width;
  } else {
    layer.window = random_window(random, input);
  }
  layer.output = window_output(layer.window, input, input.channels);
  if (layer.kind == LayerKind::max_pool) return layer;
  random_output(random, layer);
  const double scale = random_tap_scale(random, layer.window.kernel_h * layer.window.kernel_w);
  layer.tap_scale = to_tap_scale(scale, scale, "test");
  return layer;
}

inline Layer random_add(Random& random, const FeatureShape& input) {
  Layer layer;
  layer.name = "add";
  layer.kind = LayerKind::add;
  layer.input = layer.output = input;
  random_output(random, layer);
  layer.tap_scale = to_tap_scale(random_tap_scale(random, 1), random_tap_scale(random, 1), "test");
  return layer;
}

inline constexpr int kMostRandomLayers = 8;

// One to `most` layers with names of their own, those with a product "gemm" and their number. Some
// read an earlier map than the last one, and some add two of one shape.
inline Network random_network(Random& random, int most = 4) {
  Network network;
  network.name = "random";
  network.input = {random.between(1, 7), random.between(1, 7), random.between(1, 4)};
  const int count = random.between(1, most);
  const auto shape_of = [&](int map) {
    return map < 0 ? network.input : network.layers[static_cast<std::size_t>(map)].output;
  };
  for (int i = 0; i < count; ++i) {
    const int from = random.chance(80) ? i - 1 : random.between(-1, i - 1);
    const FeatureShape shape = shape_of(from);
    const int kind = random.between(0, 11);
    Layer layer = kind < 3   ? random_pool(random, shape)
                  : kind < 5 ? random_gemm(random, shape, true)
                  : kind < 7 ? random_add(random, shape)
                             : random_gemm(random, shape, false);
    if (from != i - 1 || layer.kind == LayerKind::add) layer.sources.push_back(from);
    if (layer.kind == LayerKind::add) {
      int other = random.between(-1, i - 1);
      while (shape_of(other) != shape) other = other < i - 1 ? other + 1 : -1;
      layer.sources.push_back(other);
    }
    layer.name += std::to_string(i);
    network.layers.push_back(layer);
  }
  return network;
}

}  // namespace sagitta::test
