// Orders of channels: that permuting a network changes places and nothing else, and that the order
// chosen brings like channels together.
#include <algorithm>
#include <numeric>
#include <stdexcept>

#include <gtest/gtest.h>

#include "network/channel_order.h"
#include "support/random_network.h"

namespace sagitta {
namespace {

using test::Random;

ChannelOrder shuffled(Random& random, int channels) {
  ChannelOrder order(static_cast<std::size_t>(channels));
  std::iota(order.begin(), order.end(), 0);
  for (int i = channels - 1; i > 0; --i) {
    std::swap(order[static_cast<std::size_t>(i)],
              order[static_cast<std::size_t>(random.between(0, i))]);
  }
  return order;
}

TEST(ChannelOrder, ReorderedNetworksComputeTheSameElsewhere) {
  int moved = 0, adds = 0, depthwise = 0, flattened = 0;
  for (std::uint64_t seed = 0; seed < 600; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const Network network = test::random_network(random, 8);
    const std::vector<ChannelGroup> groups = channel_groups(network);
    std::vector<ChannelOrder> orders;
    std::vector<ChannelOrder> by_layer(network.layers.size());
    for (const ChannelGroup& group : groups) {
      orders.push_back(random.chance(80) ? shuffled(random, group.channels) : ChannelOrder{});
      for (const int l : group.members) by_layer[static_cast<std::size_t>(l)] = orders.back();
    }
    const auto image = random.int8s(network.input.elements());
    const auto before = run_network(network, image);
    const auto after = run_network(reordered(network, orders), image);
    for (std::size_t l = 0; l < network.layers.size(); ++l) {
      const Layer& layer = network.layers[l];
      const auto channels = static_cast<std::size_t>(layer.output.channels);
      for (std::size_t i = 0; i < before[l].output.size(); ++i) {
        const ChannelOrder& order = by_layer[l];
        const std::size_t from =
            order.empty() ? i
                          : i / channels * channels + static_cast<std::size_t>(order[i % channels]);
        ASSERT_EQ(after[l].output[i], before[l].output[from]) << layer.name;
        if (layer.kind == LayerKind::gemm) {
          ASSERT_EQ(after[l].sums[i], before[l].sums[from]) << layer.name;
        }
      }
      if (by_layer[l].empty() || std::is_sorted(by_layer[l].begin(), by_layer[l].end())) continue;
      ++moved;
      adds += layer.kind == LayerKind::add;
      depthwise += layer.kind == LayerKind::gemm && layer.groups > 1;
      flattened += l + 1 < network.layers.size() && network.source(l + 1) == static_cast<int>(l) &&
                   network.layers[l + 1].input != layer.output;
    }
    ASSERT_EQ(after.back().output, before.back().output);
  }
  EXPECT_GT(moved, 200);
  EXPECT_GT(adds, 5);
  EXPECT_GT(depthwise, 5);
  EXPECT_GT(flattened, 5);
}

Layer named(const char* name, LayerKind kind, std::vector<int> sources, int channels) {
  Layer layer;
  layer.name = name;
  layer.kind = kind;
  layer.sources = std::move(sources);
  layer.input = layer.output = {4, 4, channels};
  return layer;
}

// A residual block: what an add joins shares an order, the convolution within has one of its own.
TEST(ChannelOrder, GroupsOfAResidualBlock) {
  Network network;
  network.input = {4, 4, 3};
  using enum LayerKind;
  network.layers = {named("stem", gemm, {-1}, 8),        named("inner", gemm, {0}, 6),
                    named("outer", gemm, {1}, 8),        named("join", add, {2, 0}, 8),
                    named("pool", average_pool, {3}, 8), named("logits", gemm, {4}, 10)};
  const auto groups = channel_groups(network);
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_EQ(groups[0].channels, 8);
  EXPECT_EQ(groups[0].members, (std::vector<int>{0, 2, 3, 4}));
  EXPECT_EQ(groups[1].channels, 6);
  EXPECT_EQ(groups[1].members, (std::vector<int>{1}));
}

// A pool of the image keeps the image's order, and the logits keep theirs.
TEST(ChannelOrder, ImageAndLogitsStay) {
  Network network;
  network.input = {4, 4, 3};
  network.layers = {named("pool", LayerKind::max_pool, {-1}, 3),
                    named("logits", LayerKind::gemm, {0}, 3)};
  EXPECT_TRUE(channel_groups(network).empty());
}

// What pools a flattened map has every pixel's channels as its own, which no one order describes.
TEST(ChannelOrder, AFlattenedMapThatIsPooledStays) {
  Network network;
  network.input = {4, 4, 3};
  network.layers = {named("conv", LayerKind::gemm, {-1}, 3),
                    named("pool", LayerKind::max_pool, {0}, 48),
                    named("logits", LayerKind::gemm, {1}, 10)};
  network.layers[1].input = network.layers[1].output = {1, 1, 48};
  network.layers[2].input = network.layers[1].output;
  EXPECT_TRUE(channel_groups(network).empty());
}

TEST(ChannelOrder, RefusesWhatIsNoOrder) {
  Network network;
  network.input = {4, 4, 3};
  network.layers = {named("conv", LayerKind::gemm, {-1}, 3),
                    named("logits", LayerKind::gemm, {0}, 3)};
  EXPECT_THROW(reordered(network, {}), std::invalid_argument);
  EXPECT_THROW(reordered(network, {{0, 1}}), std::invalid_argument);
  EXPECT_THROW(reordered(network, {{0, 1, 1}}), std::invalid_argument);
}

// Two pixels: channel 0 is 2 and 4, channel 1 is 12 and 14, channel 2 is 4 and 2. Variances 1 each;
// of 0 - 1: 0, of 0 - 2: (-2, 2), 4.
TEST(ChannelOrder, DistanceIsTheVarianceOfTheDifference) {
  Network network;
  network.input = {1, 2, 1};
  network.layers = {named("conv", LayerKind::gemm, {-1}, 3),
                    named("logits", LayerKind::gemm, {0}, 3)};
  ChannelDistances distances(network);
  distances.add({{{2, 12, 4, 4, 14, 2}, {}}, {}});
  const std::vector<double> d = distances.of(0);
  const std::vector<double> expected{0, 0, 4, 0, 0, 4, 4, 4, 0};
  ASSERT_EQ(d.size(), expected.size());
  for (std::size_t i = 0; i < d.size(); ++i) EXPECT_NEAR(d[i], expected[i], 1e-12) << i;
}

// Rings of three and two lanes: 0-1, 1-2, 2-0, then 3-4 twice.
TEST(ChannelOrder, RingLengthByHand) {
  std::vector<double> d(25);
  for (std::size_t i = 0; i < 5; ++i) {
    for (std::size_t j = 0; j < 5; ++j) d[i * 5 + j] = i == j ? 0 : static_cast<double>(i + j);
  }
  EXPECT_DOUBLE_EQ(ring_length(d, {0, 1, 2, 3, 4}, 3), 1 + 3 + 2 + 7 + 7);
  EXPECT_DOUBLE_EQ(ring_length(d, {0, 1, 2, 3, 4}, 8), 1 + 3 + 5 + 7 + 4);
}

// Against all orders of up to seven channels: rarely longer than the best, never by much.
TEST(ChannelOrder, NearOrderIsNearTheBest) {
  int best_found = 0;
  constexpr int kCases = 60;
  for (int i = 0; i < kCases; ++i) {
    Random random(static_cast<std::uint64_t>(i));
    const int n = random.between(3, 7);
    const int lanes = random.between(3, 8);
    std::vector<double> d(static_cast<std::size_t>(n * n));
    for (int a = 0; a < n; ++a) {
      for (int b = 0; b < a; ++b) {
        d[static_cast<std::size_t>(a * n + b)] = d[static_cast<std::size_t>(b * n + a)] =
            random.between(1, 1000);
      }
    }
    ChannelOrder order(static_cast<std::size_t>(n));
    std::iota(order.begin(), order.end(), 0);
    double best = ring_length(d, order, lanes);
    while (std::next_permutation(order.begin(), order.end())) {
      best = std::min(best, ring_length(d, order, lanes));
    }
    const ChannelOrder near = near_order(d, n, lanes);
    EXPECT_EQ(near, near_order(d, n, lanes));
    const double length = ring_length(d, near, lanes);
    EXPECT_LE(length, 1.3 * best);
    best_found += length <= best * (1 + 1e-9);
  }
  EXPECT_GE(best_found, kCases * 9 / 10);
}

}  // namespace
}  // namespace sagitta
