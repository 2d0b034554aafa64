// Random networks and images for tests.
#pragma once

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

inline Layer random_gemm(Random& random, const FeatureShape& input, bool dense) {
  Layer layer;
  layer.name = "gemm";
  layer.kind = LayerKind::gemm;
  layer.input = dense ? FeatureShape{1, 1, input.elements()} : input;
  Window& w = layer.window;
  if (!dense) {
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
  }
  const auto size = [](int in, int pad, int kernel, int dilation, int stride) {
    return (in + pad - dilation * (kernel - 1) - 1) / stride + 1;
  };
  while (layer.input.height + w.pad_top + w.pad_bottom < w.dilation_h * (w.kernel_h - 1) + 1)
    ++w.pad_top;
  while (layer.input.width + w.pad_left + w.pad_right < w.dilation_w * (w.kernel_w - 1) + 1)
    ++w.pad_left;
  layer.output.height =
      size(layer.input.height, w.pad_top + w.pad_bottom, w.kernel_h, w.dilation_h, w.stride_h);
  layer.output.width =
      size(layer.input.width, w.pad_left + w.pad_right, w.kernel_w, w.dilation_w, w.stride_w);
  layer.output.channels = random.between(1, 11);
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

inline Layer random_pool(Random& random, const FeatureShape& input) {
  Layer layer;
  layer.name = "pool";
  layer.kind = LayerKind::max_pool;
  layer.input = input;
  Window& w = layer.window;
  w.kernel_h = random.between(1, std::min(3, input.height));
  w.kernel_w = random.between(1, std::min(3, input.width));
  w.stride_h = random.between(1, 2);
  w.stride_w = random.between(1, 2);
  if (w.kernel_h > 1) w.pad_top = random.between(0, 1);
  if (w.kernel_w > 1) w.pad_right = random.between(0, 1);
  layer.output = {(input.height + w.pad_top - w.kernel_h) / w.stride_h + 1,
                  (input.width + w.pad_right - w.kernel_w) / w.stride_w + 1, input.channels};
  return layer;
}

// One to `most` layers with names of their own.
inline Network random_network(Random& random, int most = 4) {
  Network network;
  network.name = "random";
  network.input = {random.between(1, 7), random.between(1, 7), random.between(1, 4)};
  FeatureShape shape = network.input;
  const int count = random.between(1, most);
  for (int i = 0; i < count; ++i) {
    const int kind = random.between(0, 9);
    Layer layer = kind < 2   ? random_pool(random, shape)
                  : kind < 4 ? random_gemm(random, shape, true)
                             : random_gemm(random, shape, false);
    layer.name += std::to_string(i);
    shape = layer.output;
    network.layers.push_back(layer);
  }
  return network;
}

}  // namespace sagitta::test
