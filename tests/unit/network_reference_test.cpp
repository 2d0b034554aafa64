#include "network/reference.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "base/philox.h"

namespace sagitta {
namespace {

int draw(Stream& stream, int low, int high) {
  return low + static_cast<int>(stream.below(static_cast<std::uint64_t>(high - low + 1)));
}

// A layer, and what it was made of: the bias before the zero-point correction and the float scale.
struct Sample {
  Layer layer;
  std::vector<std::int32_t> plain_bias;
  std::vector<float> real_scale;
  std::vector<std::int8_t> input;
};

int extent(int input, int pads, int kernel, int dilation, int stride) {
  return (input + pads - (kernel - 1) * dilation - 1) / stride + 1;
}

void random_geometry(Stream& stream, Layer& layer) {
  Window& w = layer.window;
  w.kernel_h = draw(stream, 1, 4);
  w.kernel_w = draw(stream, 1, 4);
  w.stride_h = draw(stream, 1, 3);
  w.stride_w = draw(stream, 1, 3);
  w.dilation_h = draw(stream, 1, 3);
  w.dilation_w = draw(stream, 1, 3);
  w.pad_top = draw(stream, 0, 3);
  w.pad_left = draw(stream, 0, 3);
  w.pad_bottom = draw(stream, 0, 3);
  w.pad_right = draw(stream, 0, 3);
  layer.input = {draw(stream, 10, 14), draw(stream, 10, 14), draw(stream, 1, 9)};
  layer.output.height =
      extent(layer.input.height, w.pad_top + w.pad_bottom, w.kernel_h, w.dilation_h, w.stride_h);
  layer.output.width =
      extent(layer.input.width, w.pad_left + w.pad_right, w.kernel_w, w.dilation_w, w.stride_w);
}

std::vector<std::int8_t> random_codes(Stream& stream, int count) {
  std::vector<std::int8_t> codes(count);
  for (auto& code : codes) code = static_cast<std::int8_t>(draw(stream, -128, 127));
  return codes;
}

Sample random_gemm(std::uint64_t trial, bool dense) {
  Stream stream(11, trial, Purpose::test);
  Sample s;
  Layer& layer = s.layer;
  if (dense) {
    layer.input = {1, 1, draw(stream, 1, 300)};
  } else {
    random_geometry(stream, layer);
  }
  layer.output.channels = draw(stream, 1, 20);
  layer.input_zero_point = draw(stream, -128, 127);
  layer.output_zero_point = draw(stream, -128, 127);
  layer.has_relu = draw(stream, 0, 1) == 1;
  layer.output_min = layer.has_relu ? layer.output_zero_point : -128;
  layer.weights = random_codes(stream, layer.depth() * layer.columns());
  for (int n = 0; n < layer.columns(); ++n) {
    const int bias = draw(stream, -20'000, 20'000);
    int weight_sum = 0;
    for (int k = 0; k < layer.depth(); ++k) weight_sum += layer.weights[k * layer.columns() + n];
    s.plain_bias.push_back(bias);
    layer.bias.push_back(bias - layer.input_zero_point * weight_sum);
    s.real_scale.push_back(static_cast<float>(0.0005 + 0.003 * stream.unit()));
    layer.scale.push_back(to_fixed_scale(s.real_scale.back(), "test"));
  }
  s.input = random_codes(stream, layer.input.elements());
  return s;
}

// The definition of a quantised convolution: (x - zero point) * w, nothing outside of the map.
std::int64_t direct_sum(const Sample& s, int y, int x, int n) {
  const Layer& layer = s.layer;
  const Window& w = layer.window;
  std::int64_t sum = s.plain_bias[n];
  for (int ky = 0; ky < w.kernel_h; ++ky) {
    for (int kx = 0; kx < w.kernel_w; ++kx) {
      for (int c = 0; c < layer.input.channels; ++c) {
        const int in_y = y * w.stride_h + ky * w.dilation_h - w.pad_top;
        const int in_x = x * w.stride_w + kx * w.dilation_w - w.pad_left;
        if (in_y < 0 || in_x < 0 || in_y >= layer.input.height || in_x >= layer.input.width) {
          continue;
        }
        const int k = (ky * w.kernel_w + kx) * layer.input.channels + c;
        const int value = s.input[(in_y * layer.input.width + in_x) * layer.input.channels + c];
        sum +=
            std::int64_t{value - layer.input_zero_point} * layer.weights[k * layer.columns() + n];
      }
    }
  }
  return sum;
}

void expect_direct(const Sample& s) {
  const Layer& layer = s.layer;
  const LayerValues values = run_layer(layer, s.input);
  ASSERT_EQ(values.sums.size(), static_cast<std::size_t>(layer.output.elements()));
  ASSERT_EQ(values.output.size(), values.sums.size());
  std::size_t at = 0;
  for (int y = 0; y < layer.output.height; ++y) {
    for (int x = 0; x < layer.output.width; ++x) {
      for (int n = 0; n < layer.columns(); ++n, ++at) {
        const std::int64_t sum = direct_sum(s, y, x, n);
        ASSERT_EQ(values.sums[at], sum);
        const long double real = static_cast<long double>(sum) * s.real_scale[n];
        long double code = std::nearbyint(real) + layer.output_zero_point;
        if (layer.has_relu) code = std::max<long double>(code, layer.output_zero_point);
        ASSERT_EQ(values.output[at], std::clamp<long double>(code, -128, 127));
      }
    }
  }
}

TEST(Reference, ConvolutionsEqualTheDefinition) {
  for (std::uint64_t trial = 0; trial < 200; ++trial) {
    SCOPED_TRACE(trial);
    expect_direct(random_gemm(trial, false));
  }
}

TEST(Reference, DenseLayersEqualTheDefinition) {
  for (std::uint64_t trial = 0; trial < 100; ++trial) {
    SCOPED_TRACE(trial);
    expect_direct(random_gemm(trial, true));
  }
}

// 300,000 products of 2^14 exceed 2^32, with several rows (one code path) and one (the other).
TEST(Reference, SumsWrapModuloTwoToThe32) {
  for (const int rows : {1, 2}) {
    Layer layer;
    layer.input = {rows, 1, 300'000};
    layer.output = {rows, 1, 2};
    layer.weights.assign(600'000, -128);
    layer.bias = {2'147'483'647, -2'147'483'647 - 1};
    layer.scale.assign(2, to_fixed_scale(0x1p-26F, "test"));
    const auto values = run_layer(layer, std::vector<std::int8_t>(rows * 300'000, -128));
    const std::uint64_t products = 300'000ULL * 16'384;
    for (int m = 0; m < rows; ++m) {
      for (int n = 0; n < 2; ++n) {
        const auto expected =
            static_cast<std::uint32_t>(products + static_cast<std::uint32_t>(layer.bias[n]));
        EXPECT_EQ(static_cast<std::uint32_t>(values.sums[m * 2 + n]), expected);
      }
    }
  }
}

TEST(Reference, MaxPoolSkipsPadding) {
  for (std::uint64_t trial = 0; trial < 200; ++trial) {
    SCOPED_TRACE(trial);
    Stream stream(12, trial, Purpose::test);
    Layer layer;
    layer.kind = LayerKind::max_pool;
    random_geometry(stream, layer);
    layer.output.channels = layer.input.channels;
    layer.input_zero_point = 50;  // padding that won would show as 50
    const auto input = random_codes(stream, layer.input.elements());
    const LayerValues values = run_layer(layer, input);
    EXPECT_TRUE(values.sums.empty());
    std::vector<int> expected(layer.output.elements(), -128);
    // Written from the input's side: every input offers itself to the windows that hold it.
    const Window& w = layer.window;
    for (int i = 0; i < layer.input.elements(); ++i) {
      const int c = i % layer.input.channels;
      const int x = i / layer.input.channels % layer.input.width + w.pad_left;
      const int y = i / layer.input.channels / layer.input.width + w.pad_top;
      for (int ky = 0; ky < w.kernel_h; ++ky) {
        for (int kx = 0; kx < w.kernel_w; ++kx) {
          const int up = y - ky * w.dilation_h;
          const int left = x - kx * w.dilation_w;
          if (up < 0 || left < 0 || up % w.stride_h != 0 || left % w.stride_w != 0) continue;
          const int oy = up / w.stride_h;
          const int ox = left / w.stride_w;
          if (oy >= layer.output.height || ox >= layer.output.width) continue;
          int& best = expected[(oy * layer.output.width + ox) * layer.output.channels + c];
          best = std::max<int>(best, input[i]);
        }
      }
    }
    EXPECT_EQ(std::vector<int>(values.output.begin(), values.output.end()), expected);
  }
}

TEST(Reference, LayersFeedTheNextOne) {
  Network network;
  Layer identity;
  identity.input = identity.output = {1, 1, 1};
  identity.weights = {2};
  identity.bias = {1};
  identity.scale = {to_fixed_scale(1.0F, "test")};
  network.layers = {identity, identity};
  const auto values = run_network(network, {5});
  ASSERT_EQ(values.size(), 2U);
  EXPECT_EQ(values[0].output, std::vector<std::int8_t>{11});
  EXPECT_EQ(values[1].output, std::vector<std::int8_t>{23});
  EXPECT_THROW(run_network(network, {1, 2}), std::invalid_argument);
}

TEST(Top1, TheLowestIndexWinsTies) {
  EXPECT_EQ(top1({1, 7, 7, -3}), 1);
  EXPECT_EQ(top1({-128}), 0);
  EXPECT_THROW(top1({}), std::invalid_argument);
}

}  // namespace
}  // namespace sagitta
