// The network in real numbers against the integer reference and hand counts.
#include "network/float_reference.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "network/dataset.h"
#include "network/reference.h"
#include "support/random_network.h"

namespace sagitta {
namespace {

using test::Random;

float random_scale(Random& random) {
  return static_cast<float>(random.between(1, 1000)) * 1e-3F;
}

// A sum is the integer one times its step, whatever the scales, zero points, groups and padding.
TEST(FloatReference, SumsAreTheIntegerOnesInRealNumbers) {
  int rectified = 0;
  for (int seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(static_cast<std::uint64_t>(seed));
    Network network = test::random_network(random, 6);
    network.input_scale = random_scale(random);
    for (Layer& layer : network.layers) layer.output_scale = random_scale(random);
    const FloatNetwork real(network);
    for (std::size_t l = 0; l < network.layers.size(); ++l) {
      const Layer& layer = network.layers[l];
      if (layer.kind != LayerKind::gemm) continue;
      const int from = network.source(l);
      const float step = from < 0 ? network.input_scale
                                  : network.layers[static_cast<std::size_t>(from)].output_scale;
      const auto codes = random.int8s(layer.input.elements());
      std::vector<float> input;
      for (const std::int8_t code : codes) {
        input.push_back(static_cast<float>(code - layer.input_zero_point) * step);
      }
      const LayerValues expected = run_layer(layer, codes);
      const FloatValues values = real.run_layer(l, input);
      ASSERT_EQ(values.sums.size(), expected.sums.size());
      for (std::size_t i = 0; i < values.sums.size(); ++i) {
        const FixedScale scale = layer.scale[i % static_cast<std::size_t>(layer.columns())];
        const double unit = std::ldexp(scale.mantissa, -int{scale.shift}) * layer.output_scale;
        // Up to K products of 2^15 steps, each rounded a few times in float32.
        const double tolerance = unit * (layer.depth() * 32768.0 + 200'000) * 1e-6;
        ASSERT_NEAR(values.sums[i], expected.sums[i] * unit, tolerance);
        const bool zero = layer.has_relu && values.sums[i] < 0;
        ASSERT_EQ(values.output[i], zero ? 0 : values.sums[i]);
        rectified += zero ? 1 : 0;
      }
    }
  }
  EXPECT_GT(rectified, 100);
}

Layer pool_of(LayerKind kind) {  // a 2 x 2 map of one channel, padded by one on the left
  Layer layer;
  layer.name = "pool";
  layer.kind = kind;
  layer.input = {2, 2, 1};
  layer.output = {1, 2, 1};
  layer.window.kernel_h = layer.window.kernel_w = 2;
  layer.window.pad_left = 1;
  return layer;
}

TEST(FloatReference, PoolsAndAddsByHand) {
  Network network;
  network.input = {2, 2, 1};
  network.layers = {pool_of(LayerKind::max_pool), pool_of(LayerKind::average_pool)};
  Layer add;
  add.kind = LayerKind::add;
  add.input = add.output = network.input;
  add.output_zero_point = add.output_min = 3;  // a ReLU
  add.output_scale = 0.5F;
  add.output_max = 13;  // and a clip at 5
  network.layers.push_back(add);
  const FloatNetwork real(network);
  const std::vector<float> map{-1, -2, -3, 4};
  EXPECT_EQ(real.run_layer(0, map).output, (std::vector<float>{-1, 4}));
  EXPECT_EQ(real.run_layer(1, map).output, (std::vector<float>{-1, -0.5}));  // padding adds zeros
  EXPECT_EQ(real.run_layer(2, map, {2, 1, 1, 7}).output, (std::vector<float>{1, 0, 0, 5}));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto pooled = real.run_layer(0, {nan, 1, 2, 3}).output;
  EXPECT_TRUE(std::isnan(pooled[0]) && std::isnan(pooled[1]));
  EXPECT_TRUE(std::isnan(real.run_layer(2, {nan, 0, 0, 0}, map).output[0]));
}

TEST(FloatReference, ChangesReachTheActivationAndWhatFollows) {
  Random random(4);
  Network network;
  network.input = {3, 3, 2};
  network.layers.push_back(test::random_gemm(random, network.input, false));
  network.layers.push_back(test::random_gemm(random, network.layers[0].output, true));
  const FloatNetwork real(network);
  const auto image = random.int8s(network.input.elements());
  const auto clean = real.run(image);
  const auto struck = real.run(image, [](std::size_t layer, std::vector<float>& sums) {
    if (layer == 0) sums[0] += 1000;
  });
  EXPECT_EQ(struck[0].sums[0], clean[0].sums[0] + 1000);
  EXPECT_EQ(struck[0].output[0], clean[0].sums[0] + 1000);
  EXPECT_EQ(struck[0].output[1], clean[0].output[1]);
  EXPECT_NE(struck[1].sums, clean[1].sums);
}

TEST(FloatReference, ClassOfLogits) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(top1(std::vector<float>{1, 3, 3, 2}), 1);
  EXPECT_EQ(top1(std::vector<float>{1, 3, nan, nan}), 2);
  EXPECT_EQ(top1(std::vector<float>{nan, 3}), 0);
  EXPECT_EQ(top1(std::vector<float>{-std::numeric_limits<float>::infinity(), -3}), 1);
}

// Of the networks that ship: as right as the int8 network, image by image nearly always.
class FloatAccuracy : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Networks, FloatAccuracy,
                         testing::Values("lenet5-mnist", "mlp-mnist", "resnet8-fashion"),
                         [](const auto& name) {
                           const std::string text = name.param;
                           return text.substr(0, text.find('-'));
                         });

TEST_P(FloatAccuracy, IsThatOfTheInt8Network) {
  const NetworkFolder folder =
      open_network(std::string(SAGITTA_SOURCE_DIR "/models/") + GetParam());
  const ImageSet images = folder.load_test(100);
  const FloatNetwork real(folder.network);
  int right = 0, right_int8 = 0, same = 0;
  for (int i = 0; i < images.count(); ++i) {
    const auto image = images.image(i);
    const int label = images.labels[static_cast<std::size_t>(i)];
    const int of_real = top1(real.run(image).back().output);
    const int of_int8 = top1(run_network(folder.network, image).back().output);
    right += of_real == label ? 1 : 0;
    right_int8 += of_int8 == label ? 1 : 0;
    same += of_real == of_int8 ? 1 : 0;
  }
  RecordProperty("right", right);
  RecordProperty("right_int8", right_int8);
  EXPECT_NEAR(right, right_int8, 2);
  EXPECT_GE(same, 96);
}

}  // namespace
}  // namespace sagitta
