// Checkers of real numbers: against their formulas, against the integer checkers on whole numbers,
// and what becomes of values that are not finite.
#include "campaign/float_checker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string>

#include "campaign/fit.h"
#include "machine/resilience/checker_type.h"
#include "network/float_reference.h"
#include "support/checker_formulas.h"
#include "support/machine_cases.h"

namespace sagitta {
namespace {

using test::Random;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kMost = std::numeric_limits<float>::max();

Layer map_of(int height, int width, int channels, int groups = 1) {
  Layer layer;
  layer.name = "gemm";
  layer.input = {height, width, groups};
  layer.output = {height, width, channels};
  layer.groups = groups;
  return layer;
}

std::vector<float> through(const FloatChecker& checker, std::vector<float> sums,
                           const std::vector<bool>& open_rows = {}) {
  for (const auto& [element, value] : checker.replacements(sums, open_rows)) {
    sums[static_cast<std::size_t>(element)] = value;
  }
  return sums;
}

// Whole numbers, small enough that float32 has all differences, and multiples of 16, so that it has
// the means of a chain's means.
std::int32_t whole(Random& random) {
  return 16 * random.between(-2'500, 2'500);
}

Checker whole_checker(Random& random, CheckerKind kind, int channels, bool line) {
  Network one;
  one.layers = {map_of(1, 1, channels)};
  Checker c = test::random_checker(random, one, kind, false);
  if (kind == CheckerKind::gradient && line) c.axis = Axis::line;
  c.gate = std::vector{Gate::always, Gate::row,
                       Gate::layer}[static_cast<std::size_t>(random.between(0, 2))];
  for (LayerBounds& l : c.layers) {
    for (Bounds& b : l.bounds) b = {-16 * random.between(0, 1'900), 16 * random.between(0, 1'900)};
  }
  return c;
}

std::vector<FloatBounds> float_bounds(const Checker& c) {
  std::vector<FloatBounds> bounds;
  if (c.layers.empty()) return bounds;
  for (const Bounds& b : c.layers[0].bounds) {
    bounds.push_back({static_cast<float>(b.low), static_cast<float>(b.high)});
  }
  return bounds;
}

// On whole numbers a chain does what the formulas say that the hardware is held to, gates included.
TEST(FloatCheckers, DoOnWholeNumbersWhatTheIntegersDo) {
  std::map<std::string, int> suppressed;
  for (int seed = 0; seed < 1500; ++seed) {
    SCOPED_TRACE(seed);
    Random random(static_cast<std::uint64_t>(seed));
    const bool gated = random.chance(60);
    const int groups = gated ? 1 : random.between(1, 2);
    const Layer layer =
        map_of(random.between(1, 3), random.between(1, 5), groups * random.between(1, 9), groups);
    const int channels = layer.columns(), rows = layer.rows();
    ArrayShape array{1, random.between(1, 6)};
    if (!gated && random.chance(40)) array.dataflow = Dataflow::is;
    const bool is = array.dataflow == Dataflow::is;
    Protection p;
    for (int i = random.between(1, 3); i > 0; --i) {
      const CheckerKind kinds[] = {CheckerKind::range, CheckerKind::gradient, CheckerKind::median};
      p.checkers.push_back(
          whole_checker(random, kinds[random.between(0, 2)], channels, !is && random.chance(40)));
      if (!gated) p.checkers.back().gate = Gate::always;
    }
    std::vector<std::int32_t> sums;
    for (int i = 0; i < rows * channels; ++i) sums.push_back(whole(random));
    const int tiles = (channels + array.columns - 1) / array.columns;
    std::vector<bool> flagged;
    for (int i = 0; i < tiles * rows; ++i) flagged.push_back(random.chance(25));

    std::vector<float> real(sums.begin(), sums.end());
    const ChannelLanes lanes(layer, array, {});
    if (gated) {
      ASSERT_EQ(lanes.rows(), static_cast<int>(flagged.size()));
    }
    for (const Checker& c : p.checkers) {
      std::vector<bool> open = c.gate == Gate::always ? std::vector<bool>{} : flagged;
      if (c.gate == Gate::layer)
        std::fill(std::find(open.begin(), open.end(), true), open.end(), true);
      real = through(FloatChecker(c, lanes, float_bounds(c)), real, open);
    }
    std::vector<test::Suppressed> log;
    if (is) {
      test::apply_by_channel(p, Position::sum, 0, sums, channels, array.columns, 0, 0, log);
    } else {
      test::apply(p, Position::sum, 0, sums, rows, layer.output.width, layer.output.height,
                  channels, channels / groups, array.columns, 0, 0, &flagged, log);
    }
    ASSERT_EQ(real, std::vector<float>(sums.begin(), sums.end()));
    suppressed[is ? "is" : gated ? "gated" : "os"] += static_cast<int>(log.size());
  }
  for (const auto& [what, count] : suppressed) EXPECT_GT(count, 1000) << what;
  EXPECT_EQ(suppressed.size(), 3U);
}

float random_real(Random& random) {
  if (random.chance(4)) return std::vector{kNan, kInf, -kInf, -0.0F}[random.bits() % 4];
  return std::ldexp(static_cast<float>(random.between(-4'000'000, 4'000'000)),
                    random.between(-20, 2));
}

// The definitions once more, in real numbers: float_checker.h's rule about what is not finite.
std::optional<float> by_definition(const Checker& c, float before, float y, float after,
                                   const FloatBounds& own, const FloatBounds& next) {
  if (c.kind == CheckerKind::range) {
    if (y >= own.low && y <= own.high) return std::nullopt;
    if (c.suppress == Suppress::zero) return 0.0F;
    if (std::isnan(y)) return own.low > 0 ? own.low : own.high < 0 ? own.high : 0.0F;
    return y > own.high ? own.high : own.low;
  }
  if (c.kind == CheckerKind::median) {
    // NaN stands behind all others.
    std::vector<float> three{before, y, after};
    std::vector<float> numbers;
    for (const float v : three) {
      if (!std::isnan(v)) numbers.push_back(v);
    }
    std::sort(numbers.begin(), numbers.end());
    const float median = numbers.size() < 2 ? kNan : numbers[1];
    if (median == y || (std::isnan(median) && std::isnan(y))) return std::nullopt;
    return median;
  }
  int rise = 0, fall = 0;
  if (std::isfinite(y)) {
    const float up = y - before, down = after - y;
    if (std::isfinite(before)) rise = up > own.high ? 1 : up < own.low ? -1 : 0;
    if (std::isfinite(after)) fall = down > next.high ? 1 : down < next.low ? -1 : 0;
    const bool blamed = rise != 0 && fall != 0 && (!c.spike || rise != fall);
    if (!blamed) return std::nullopt;
  } else if (!std::isnan(y)) {
    rise = y > 0 ? 1 : -1;
  }
  const double b = std::isfinite(before) ? before : 0, a = std::isfinite(after) ? after : 0;
  if (c.suppress == Suppress::hold) return static_cast<float>(b);
  if (c.suppress == Suppress::mean) return static_cast<float>((a + b) / 2);
  if (c.suppress == Suppress::zero) return 0.0F;
  const double bound = rise > 0       ? own.high
                       : rise < 0     ? own.low
                       : own.low > 0  ? own.low
                       : own.high < 0 ? own.high
                                      : 0.0F;
  return static_cast<float>(std::max(-double{kMost}, std::min(double{kMost}, b + bound)));
}

TEST(FloatCheckers, DoWhatTheFormulaSays) {
  std::map<std::string, int> replaced;
  for (int seed = 0; seed < 1500; ++seed) {
    SCOPED_TRACE(seed);
    Random random(static_cast<std::uint64_t>(10'000 + seed));
    const Layer layer = map_of(random.between(1, 3), random.between(1, 5), random.between(1, 9));
    const int channels = layer.columns(), width = layer.output.width;
    const ArrayShape array{1, random.between(1, 6)};
    const CheckerKind kinds[] = {CheckerKind::range, CheckerKind::gradient, CheckerKind::median};
    const Checker c =
        whole_checker(random, kinds[random.between(0, 2)], channels, random.chance(40));
    std::vector<FloatBounds> bounds = float_bounds(c);
    for (FloatBounds& b : bounds) {
      b = {b.low * 1.3e-2F, b.high * 1.1e-2F};
      if (random.chance(10)) b = {b.high + 1, b.high + 3};  // zero is outside
    }
    const auto bound = [&](int channel) {
      if (bounds.empty()) return FloatBounds{};
      return bounds[c.granularity == Granularity::channel ? static_cast<std::size_t>(channel) : 0];
    };
    ChannelOrder order;  // of the lanes
    if (random.chance(50)) {
      for (int i = 0; i < channels; ++i) order.push_back(i);
      for (int i = channels - 1; i > 0; --i) {
        std::swap(order[static_cast<std::size_t>(i)],
                  order[static_cast<std::size_t>(random.between(0, i))]);
      }
    }
    std::vector<float> sums;
    for (int i = 0; i < layer.output.elements(); ++i) sums.push_back(random_real(random));
    const auto at = [&](int pixel, int place) -> std::size_t {
      const int channel = order.empty() ? place : order[static_cast<std::size_t>(place)];
      return static_cast<std::size_t>(pixel * channels + channel);
    };
    std::vector<float> expected = sums;
    for (int m = 0; m < layer.rows(); ++m) {
      for (int i = 0; i < channels; ++i) {
        std::size_t before = at(m, i), after = before;
        int next = i;
        if (c.kind != CheckerKind::range && c.axis == Axis::line) {
          if (m % width == 0 || m % width == width - 1) continue;
          before = at(m - 1, i);
          after = at(m + 1, i);
        } else if (c.kind != CheckerKind::range) {
          const int first = i / array.columns * array.columns;
          const int lanes = std::min(array.columns, channels - first);
          if (lanes < 3) continue;
          next = first + (i - first + 1) % lanes;
          before = at(m, first + (i - first + lanes - 1) % lanes);
          after = at(m, next);
        }
        const auto value =
            by_definition(c, sums[before], sums[at(m, i)], sums[after], bound(i), bound(next));
        if (!value) continue;
        expected[at(m, i)] = *value;
        ++replaced[std::string(c.kind.name())];
      }
    }
    const auto found = through(FloatChecker(c, ChannelLanes(layer, array, order), bounds), sums);
    for (std::size_t i = 0; i < sums.size(); ++i) {
      ASSERT_EQ(std::bit_cast<std::uint32_t>(found[i]), std::bit_cast<std::uint32_t>(expected[i]))
          << i << ": " << sums[i] << " to " << found[i] << ", not " << expected[i];
    }
  }
  for (const char* kind : {"range", "gradient", "median"}) EXPECT_GT(replaced[kind], 300) << kind;
}

std::vector<float> row_through(const Checker& checker, const std::vector<float>& y,
                               const FloatBounds& b) {
  const int n = static_cast<int>(y.size());
  return through(FloatChecker(checker, ChannelLanes(map_of(1, 1, n), {1, n}, {}), {b}), y);
}

TEST(FloatCheckers, WhatIsNotFiniteIsBlamedAndBlamesNobody) {
  using Row = std::vector<float>;
  Checker c{.kind = CheckerKind::gradient};
  const FloatBounds b{-10, 10};
  for (const bool spike : {false, true}) {
    c.spike = spike;
    for (const float bad : {kNan, -kNan, kInf, -kInf}) {
      EXPECT_EQ(row_through(c, {1, 2, bad, 3, 4}, b), (Row{1, 2, 0, 3, 4}));
      EXPECT_EQ(row_through(c, {1, bad, bad, 3, 4}, b), (Row{1, 0, 0, 3, 4})) << "side by side";
      EXPECT_EQ(row_through(c, {bad, 2, 1, 3, 4}, b), (Row{0, 2, 1, 3, 4})) << "in a ring";
      // 50 is wrong, too, but only one of its neighbours can tell.
      EXPECT_EQ(row_through(c, {1, 50, bad, 3, 4}, b), (Row{1, 50, 0, 3, 4}));
      EXPECT_EQ(row_through(c, {1, bad, 50, 3, 4}, b), (Row{1, 0, 50, 3, 4}));
      EXPECT_EQ(std::isnan(row_through(c, {1, bad}, b)[1]), std::isnan(bad)) << "two lanes pass";
    }
    // Finite values whose difference is not: 3e38 is a spike like any other.
    EXPECT_EQ(row_through(c, {-3e38F, 3e38F, -3e38F, -3e38F}, b), (Row{-3e38F, 0, -3e38F, -3e38F}));
  }
  EXPECT_EQ(row_through({.kind = CheckerKind::range}, {kNan, kInf, -kInf, 10, -10}, b),
            (Row{0, 0, 0, 10, -10}));
}

TEST(FloatCheckers, WhatTakesThePlaceOfWhatIsNotFinite) {
  using Row = std::vector<float>;
  const FloatBounds b{-10, 20};
  const auto with = [](CheckerKind kind, Suppress suppress) {
    return Checker{.kind = kind, .suppress = suppress};
  };
  const auto range = CheckerKind::range, gradient = CheckerKind::gradient;
  EXPECT_EQ(row_through(with(range, Suppress::clamp), {kNan, kInf, -kInf}, b), (Row{0, 20, -10}));
  EXPECT_EQ(row_through(with(range, Suppress::clamp), {kNan}, {3, 20}), (Row{3}));
  EXPECT_EQ(row_through(with(gradient, Suppress::clamp), {6, kInf, 3, 3}, b), (Row{6, 26, 3, 3}));
  EXPECT_EQ(row_through(with(gradient, Suppress::clamp), {6, -kInf, 3, 3}, b), (Row{6, -4, 3, 3}));
  EXPECT_EQ(row_through(with(gradient, Suppress::clamp), {6, kNan, 3, 3}, b), (Row{6, 6, 3, 3}));
  EXPECT_EQ(row_through(with(gradient, Suppress::mean), {6, kNan, 3, 3}, b), (Row{6, 4.5, 3, 3}));
  EXPECT_EQ(row_through(with(gradient, Suppress::hold), {6, kNan, kInf, 3}, b), (Row{6, 6, 0, 3}))
      << "a neighbour that is not finite is zero";
  EXPECT_EQ(row_through({.kind = CheckerKind::median}, {1, kNan, 2, kInf, -kInf}, {}),
            (Row{1, 2, kInf, 2, 1}));
  EXPECT_EQ(
      row_through(with(gradient, Suppress::clamp), {kMost, kInf, kMost, kMost}, {-kMost, kMost}),
      (Row(4, kMost)))
      << "saturates";
}

// A layer that a checker has no bounds for passes whatever comes.
TEST(FloatCheckers, OpenBoundsHoldEverything) {
  const std::vector<float> y{1, kNan, -3e38F, kInf, 3e38F};
  for (const CheckerKind kind : {CheckerKind::range, CheckerKind::gradient}) {
    const auto out = row_through({.kind = kind}, y, {});
    for (std::size_t i = 0; i < y.size(); ++i) {
      EXPECT_EQ(std::bit_cast<std::uint32_t>(out[i]), std::bit_cast<std::uint32_t>(y[i])) << i;
    }
  }
}

// Sums of this network are whole numbers as real numbers, too: every scale is one.
Network whole_network(Random& random, bool dense) {
  Network network;
  network.input = {3, 5, 2};
  Layer layer = test::random_gemm(random, network.input, dense);
  while (layer.output.width < 3 && !dense) layer = test::random_gemm(random, network.input, false);
  layer.output_scale = 1;
  layer.scale.assign(layer.scale.size(), to_fixed_scale(1.0F, "test"));
  network.input_scale = 1;
  network.input_zero_point = layer.input_zero_point;
  network.layers = {layer, layer};
  network.layers[1].name = "second";  // reads the image, too
  network.layers[1].sources = {-1};
  return network;
}

TEST(FloatFits, AreOnWholeNumbersThoseOfTheIntegers) {
  std::int64_t samples = 0, blamed = 0;
  for (int seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    Random random(static_cast<std::uint64_t>(seed));
    const Network network = whole_network(random, random.chance(30));
    ImageSet images;
    images.shape = network.input;
    images.pixels = random.int8s(12 * network.input.elements());
    images.labels.assign(12, 0);
    ArrayShape array{1, random.between(3, 8)};
    if (random.chance(30)) array.dataflow = Dataflow::is;
    FitRequest request;
    request.array = array;
    FitKey& key = request.key;
    key.columns = array.columns;
    key.checker.kind = random.chance(30) ? CheckerKind::range : CheckerKind::gradient;
    key.checker.granularity = random.chance(50) ? Granularity::layer : Granularity::channel;
    if (key.checker.kind == CheckerKind::gradient) {
      key.checker.spike = random.chance(50);
      if (array.dataflow != Dataflow::is && random.chance(40)) key.checker.axis = Axis::line;
    }
    key.plan.fit = std::vector{BoundsFit::extremes, BoundsFit::deviations,
                               BoundsFit::quantile}[static_cast<std::size_t>(seed % 3)];
    key.plan.k_convolution = key.plan.k_dense = 1.5;
    key.plan.false_positives = 0.05;
    key.near_order = random.chance(50);
    const auto orders = fit_orders(network, images, {array.columns});
    const ThresholdFit whole = fit_bounds(network, images, {request}, orders).at(0);
    key.floats = true;
    const ThresholdFit real = fit_float_bounds(network, images, {request}, orders).at(0);
    ASSERT_EQ(real.layers.size(), whole.layers.size());
    for (std::size_t l = 0; l < whole.layers.size(); ++l) {
      const LayerFit& w = whole.layers[l];
      const LayerFit& r = real.layers[l];
      ASSERT_EQ(r.samples, w.samples);
      EXPECT_NEAR(r.k, w.k, 1e-9 * w.k);
      ASSERT_EQ(r.float_bounds.size(), w.bounds.size());
      ASSERT_TRUE(r.bounds.empty());
      samples += r.samples;
      blamed += r.blamed;
      for (std::size_t i = 0; i < w.bounds.size(); ++i) {
        EXPECT_NEAR(r.mean[i], w.mean[i], 1e-9 * (1 + w.deviation[i]));
        EXPECT_NEAR(r.deviation[i], w.deviation[i], 1e-9 * (1 + w.deviation[i]));
        if (w.bounds[i] == Bounds{}) {
          EXPECT_TRUE(r.float_bounds[i].open());
          continue;
        }
        // Rounded outwards to whole numbers there, to float32 here.
        const FloatBounds b = r.float_bounds[i];
        if (key.plan.fit == BoundsFit::extremes) {
          EXPECT_EQ(b.low, static_cast<float>(w.bounds[i].low));
          EXPECT_EQ(b.high, static_cast<float>(w.bounds[i].high));
        }
        EXPECT_NEAR(b.low, w.bounds[i].low, 1.01);
        EXPECT_NEAR(b.high, w.bounds[i].high, 1.01);
        EXPECT_LE(double{b.low}, w.mean[i] - w.k * w.deviation[i] + 1e-6 * w.deviation[i]);
      }
      if (key.plan.fit != BoundsFit::deviations) {
        EXPECT_LE(r.blamed, static_cast<std::int64_t>(key.plan.false_positives *
                                                      static_cast<double>(r.samples)));
      }
    }
  }
  EXPECT_GT(samples, 10'000);
  EXPECT_GT(blamed, 100);
}

// What a fit says that the checker would act on is what it acts on.
TEST(FloatFits, BlamedAreThoseThatTheCheckerReplaces) {
  std::int64_t blamed = 0;
  for (int seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(seed);
    Random random(static_cast<std::uint64_t>(500 + seed));
    Network network = whole_network(random, false);
    network.input_scale = 0.37F;
    ImageSet images;
    images.shape = network.input;
    images.pixels = random.int8s(8 * network.input.elements());
    images.labels.assign(8, 0);
    FitRequest request;
    request.array = {1, random.between(3, 6)};
    request.key.columns = request.array.columns;
    request.key.floats = true;
    request.key.near_order = random.chance(50);
    request.key.checker.kind = random.chance(30) ? CheckerKind::range : CheckerKind::gradient;
    request.key.checker.granularity = Granularity::channel;
    request.key.checker.spike = random.chance(50);
    request.key.plan.fit = BoundsFit::quantile;
    request.key.plan.false_positives = 0.05;
    const auto orders = fit_orders(network, images, {request.array.columns});
    const LayerFit fit = fit_float_bounds(network, images, {request}, orders).at(0).layers[0];
    const auto channels = layer_channels(
        network, request.key.near_order ? orders : std::vector<OrderFit>{}, request.array.columns);
    const ChannelLanes lanes(network.layers[0], request.array, channels[0]);
    const FloatChecker checker(request.key.checker, lanes, fit.float_bounds);
    const FloatNetwork real(network);
    std::int64_t replaced = 0;
    for (int i = 0; i < images.count(); ++i) {
      const auto sums = real.run(images.image(i))[0].sums;
      replaced += static_cast<std::int64_t>(checker.replacements(sums, {}).size());
    }
    EXPECT_EQ(replaced, fit.blamed);
    blamed += replaced;
  }
  EXPECT_GT(blamed, 200);
}

}  // namespace
}  // namespace sagitta
