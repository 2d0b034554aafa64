// The range and gradient checkers against their definitions, computed directly on the layers' sums.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "network/fixed_scale.h"
#include "network/reference.h"
#include "support/checker_formulas.h"
#include "support/flips.h"
#include "support/gemm_case.h"

namespace sagitta {
namespace {

using test::apply;
using test::by_gradient;
using test::log_of;
using test::Random;
using test::Suppressed;

// Returns how many values were suppressed in all. `axis`: where gradient checkers look.
std::size_t compare_networks(std::uint64_t first_seed, const std::vector<CheckerKind>& kinds,
                             Axis axis = Axis::lanes) {
  std::size_t suppressed = 0;
  for (std::uint64_t seed = first_seed; seed < first_seed + 350; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const Network network = test::random_network(random);
    ArrayShape array{random.between(1, 6), random.between(1, 9)};
    if (random.chance(40)) array.dataflow = Dataflow::ws;
    array.overlap = random.chance(40);
    Protection p;
    p.checksum = random.chance(40);
    for (const CheckerKind kind : kinds) {
      p.checkers.push_back(test::random_checker(random, network, kind, p.checksum));
      if (kind == CheckerKind::gradient) p.checkers.back().axis = axis;
    }
    test::random_neurons(random, network, array, p);
    const auto image = random.int8s(network.input.elements());
    const Program program = compile(network, array, test::random_memory(random), p, "test");
    Machine machine(program);
    machine.reset(image.data());
    EXPECT_TRUE(machine.run(10'000'000));
    const test::Expected e = test::reference(network, image, p, array);
    EXPECT_EQ(log_of(machine), e.log);
    EXPECT_EQ(machine.logits(), e.logits);
    std::int64_t counted = 0;
    for (const LayerCounters& c : machine.counters()) counted += c.suppressed;
    EXPECT_EQ(counted, static_cast<std::int64_t>(e.log.size()));
    if (testing::Test::HasFailure()) return 0;
    suppressed += e.log.size();
  }
  return suppressed;
}

TEST(Checkers, RangeSuppressesWhatTheFormulaSays) {
  EXPECT_GT(compare_networks(10'000, {CheckerKind::range}), 5000U);
}
TEST(Checkers, GradientSuppressesWhatTheFormulaSays) {
  EXPECT_GT(compare_networks(20'000, {CheckerKind::gradient}), 1000U);
}
TEST(Checkers, RangeThenGradientSuppressWhatTheFormulaSays) {
  EXPECT_GT(compare_networks(30'000, {CheckerKind::range, CheckerKind::gradient}), 5000U);
}
TEST(Checkers, AChainOfAnyLengthSuppressesWhatTheFormulaSays) {
  const auto range = CheckerKind::range, gradient = CheckerKind::gradient;
  EXPECT_GT(compare_networks(35'000, {gradient, range, gradient, range}), 5000U);
}
TEST(Checkers, GradientAlongLinesSuppressesWhatTheFormulaSays) {
  const auto gradient = CheckerKind::gradient, median = CheckerKind::median;
  EXPECT_GT(compare_networks(50'000, {gradient}, Axis::line), 300U);
  EXPECT_GT(compare_networks(60'000, {gradient, median, gradient}, Axis::line), 2000U);
}
TEST(Checkers, GradientInMapsSuppressesWhatTheFormulaSays) {
  const auto gradient = CheckerKind::gradient, median = CheckerKind::median;
  EXPECT_GT(compare_networks(70'000, {gradient}, Axis::map), 300U);
  EXPECT_GT(compare_networks(80'000, {gradient, median, gradient}, Axis::map), 2000U);
}
TEST(Checkers, MedianFilterReplacesWhatTheFormulaSays) {
  EXPECT_GT(compare_networks(45'000, {CheckerKind::median}), 3000U);
}

// Values just inside and just outside of each bound, by hand.
TEST(Checkers, GradientByHand) {
  Checker c{.kind = CheckerKind::gradient};
  c.layers = {{"gemm", {Bounds{-10, 10}}}};
  const auto blames = [&](const std::vector<std::int32_t>& y) {
    std::vector<bool> blamed;
    for (const auto& replaced : by_gradient(y, c, 0, 0, 0)) blamed.push_back(replaced.has_value());
    return blamed;
  };
  using Bits = std::vector<bool>;
  EXPECT_EQ(blames({0, 11, 0, 0}), (Bits{false, true, false, false}));
  EXPECT_EQ(blames({0, 10, 0, 0}), (Bits{false, false, false, false}));
  EXPECT_EQ(blames({0, 20, 20, 0}), (Bits{false, false, false, false})) << "two equal neighbours";
  EXPECT_EQ(blames({0, 11, 22, 0}), (Bits{false, true, true, false}))
      << "a step up counts as a spike";
  EXPECT_EQ(blames({11, 0, 0, 0}), (Bits{true, false, false, false}))
      << "lane 0 and the last are neighbours";
  EXPECT_EQ(blames({11, 0}), (Bits{false, false})) << "two lanes share both differences";
  c.spike = true;
  EXPECT_EQ(blames({0, 11, 0, 0}), (Bits{false, true, false, false}));
  EXPECT_EQ(blames({0, -11, 0, 0}), (Bits{false, true, false, false}));
  EXPECT_EQ(blames({0, 11, 22, 0}), (Bits{false, false, true, false})) << "a step is no spike";
}

// A row of sums `y` through one checker, on the machine: 1 x 1 times 1 x N.
std::vector<std::int32_t> through(Checker checker, const std::vector<std::int8_t>& y,
                                  const Bounds& b) {
  const int n = static_cast<int>(y.size());
  Protection p;
  checker.layers = {{"gemm", {b}}};
  p.checkers = {checker};
  const Program program = compile_gemm(1, 1, n, y, {1, n}, {}, p);
  const std::int8_t one = 1;
  Machine machine(program);
  machine.reset(&one);
  EXPECT_TRUE(machine.run(100'000));
  return machine.raw_output();
}

// What equals a bound is within it.
TEST(Checkers, BoundsAreInclusive) {
  using Sums = std::vector<std::int32_t>;
  EXPECT_EQ(through({.kind = CheckerKind::range}, {10, 11, -10, -11}, {-10, 10}),
            (Sums{10, 0, -10, 0}));
  EXPECT_EQ(through({.kind = CheckerKind::gradient}, {0, 10, 0, 0}, {-5, 10}), (Sums{0, 10, 0, 0}))
      << "rise within";
  EXPECT_EQ(through({.kind = CheckerKind::gradient}, {0, 11, 0, 0}, {-5, 10}), (Sums{0, 0, 0, 0}));
  EXPECT_EQ(through({.kind = CheckerKind::gradient}, {0, 10, 0, 0}, {-10, 5}), (Sums{0, 10, 0, 0}))
      << "fall within";
  EXPECT_EQ(through({.kind = CheckerKind::gradient}, {0, 11, 0, 0}, {-10, 5}), (Sums{0, 0, 0, 0}));
}

// What takes the place of 100 between 6 and 3, by hand.
TEST(Checkers, ReplacementsByHand) {
  using Sums = std::vector<std::int32_t>;
  const std::vector<std::int8_t> y{6, 100, 3, 3};
  const auto with = [](CheckerKind kind, Suppress suppress) {
    return Checker{.kind = kind, .suppress = suppress};
  };
  const Bounds b{-10, 20};
  const auto range = CheckerKind::range, gradient = CheckerKind::gradient,
             median = CheckerKind::median;
  EXPECT_EQ(through(with(range, Suppress::zero), y, b), (Sums{6, 0, 3, 3}));
  EXPECT_EQ(through(with(range, Suppress::clamp), y, b), (Sums{6, 20, 3, 3}));
  EXPECT_EQ(through(with(gradient, Suppress::zero), y, b), (Sums{6, 0, 3, 3}));
  EXPECT_EQ(through(with(gradient, Suppress::clamp), y, b), (Sums{6, 26, 3, 3})) << "6 + 20";
  EXPECT_EQ(through(with(gradient, Suppress::mean), y, b), (Sums{6, 4, 3, 3})) << "4.5, down";
  EXPECT_EQ(through(with(gradient, Suppress::hold), y, b), (Sums{6, 6, 3, 3}));
  EXPECT_EQ(through({.kind = median}, y, b), (Sums{6, 6, 3, 3})) << "3, 6, 100; 6, 100, 3; ...";
}

// The neighbour and the bound together pass 32 bits on either side: -2^31 + 100 before, then 0.
TEST(Checkers, ClampSaturates) {
  Protection p;
  Checker& c = p.checkers.emplace_back(CheckerKind::gradient);
  c.suppress = Suppress::clamp;
  const auto with_bias = [&](const std::vector<std::int32_t>& bias, const Bounds& b) {
    Network network;
    network.input = {1, 1, 1};
    Layer layer;
    layer.name = "gemm";
    layer.input = network.input;
    layer.output = {1, 1, static_cast<int>(bias.size())};
    layer.weights.assign(bias.size(), 0);
    layer.bias = bias;
    layer.scale.assign(bias.size(), to_fixed_scale(std::ldexp(1.0F, -24), "test"));
    network.layers = {layer};
    p.checkers[0].layers = {{"gemm", {b}}};
    const Program program = compile(network, {1, static_cast<int>(bias.size())}, {}, p, "test");
    const std::int8_t image = 0;
    Machine machine(program);
    machine.reset(&image);
    EXPECT_TRUE(machine.run(100'000));
    return machine.logits();
  };
  constexpr std::int32_t kLow = INT32_MIN + 100, kHigh = INT32_MAX - 100;
  // Sums of 2^31 are logits of 128, which saturate at 127; -2^31 is -128.
  EXPECT_EQ(with_bias({kLow, 0, kLow, kLow}, {-2'000, -1'000})[1], -128) << "below -2^31: not 127";
  EXPECT_EQ(with_bias({kHigh, 0, kHigh, kHigh}, {1'000, 2'000})[1], 127) << "above 2^31: not -128";
}

// A checker along lines has no place where vectors are channels.
TEST(Checkers, LinesNeedPixelsInVectors) {
  Protection p;
  p.name = "rows";
  p.checkers.emplace_back(CheckerKind::gradient).axis = Axis::line;
  const std::vector<std::int8_t> b(4, 1);
  EXPECT_NO_THROW(compile_gemm(2, 2, 2, b, {2, 2, Dataflow::ws}, {}, p));
  try {
    compile_gemm(2, 2, 2, b, {2, 2, Dataflow::is}, {}, p);
    FAIL() << "an input-stationary machine has no lines";
  } catch (const InputError& e) {
    EXPECT_NE(std::string(e.what()).find("scheme rows looks along the lines"), std::string::npos);
  }
}

// No scheme may change a clean run while its bounds hold everything and its gate stays shut.
TEST(Checkers, AnIdleSchemeChangesNothing) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Random random(40'000 + seed);
    const Network network = test::random_network(random);
    const ArrayShape array{random.between(1, 6), random.between(1, 9)};
    const auto image = random.int8s(network.input.elements());
    Protection idle;
    idle.checksum = true;
    // Any bounds at all behind a row gate; no bounds (which pass everything) behind none.
    idle.checkers = {test::random_checker(random, network, CheckerKind::range, true)};
    idle.checkers[0].gate = Gate::row;
    idle.checkers.emplace_back(CheckerKind::gradient);
    test::random_copies(random, idle);
    const Program plain_program = compile(network, array, {}, {}, "test");
    const Program idle_program = compile(network, array, {}, idle, "test");
    Machine plain(plain_program);
    Machine protected_machine(idle_program);
    plain.reset(image.data());
    protected_machine.reset(image.data());
    ASSERT_TRUE(plain.run(10'000'000));
    ASSERT_TRUE(protected_machine.run(10'000'000));
    ASSERT_EQ(protected_machine.logits(), plain.logits());
    ASSERT_EQ(protected_machine.logits(), run_network(network, image).back().output);
    ASSERT_TRUE(protected_machine.suppressions().empty());
  }
}

// With a row gate the checkers act in the rows whose checksum fails and nowhere else, on the faulty
// values. The faulty sums come from a machine without checkers, struck at the same place.
TEST(Checkers, TheRowGateOpensForFaultyRowsOnly) {
  Random random(77);
  int opened = 0, suppressed = 0;
  for (int i = 0; i < 1500; ++i) {
    const ArrayShape array{random.between(1, 5), random.between(3, 6)};
    Protection p;
    p.checksum = true;
    const auto granularity = random.chance(50) ? Granularity::layer : Granularity::channel;
    const auto gate = [&] { return random.chance(70) ? Gate::row : Gate::layer; };
    if (random.chance(50)) p.checkers.emplace_back(CheckerKind::range, gate(), granularity);
    p.checkers.emplace_back(CheckerKind::gradient, gate(), granularity);
    if (random.chance(30)) p.checkers.back().axis = Axis::line;
    if (random.chance(30)) p.checkers.emplace_back(CheckerKind::median, gate());
    const int m = random.between(1, 8), k = random.between(1, 6), n = random.between(3, 9);
    const auto narrow = [&] {
      return Bounds{-random.between(0, 30'000), random.between(0, 30'000)};
    };
    for (Checker& c : p.checkers) {
      c.layers = {{"gemm", {}}};
      for (int b = 0; b < n; ++b) c.layers[0].bounds.push_back(narrow());
    }
    const test::GemmCase gemm(random, m, k, n, array, p);
    Protection detector_only;
    detector_only.checksum = true;
    const Program bare = compile_gemm(m, k, n, gemm.b, array, gemm.program.memory, detector_only);
    test::FaultyRuns without(bare, gemm.a);
    test::FaultyRuns with(gemm.program, gemm.a);

    ASSERT_NO_FATAL_FAILURE(test::strike_alike(random, array, without, with));

    std::vector<std::int32_t> sums = without.machine().raw_output();
    std::vector<bool> flagged;
    for (int first = 0; first < n; first += array.columns) {
      for (int row = 0; row < m; ++row) {
        std::uint32_t change = 0;
        for (int c = first; c < std::min(n, first + array.columns); ++c) {
          change += static_cast<std::uint32_t>(sums[gemm.at(row, c)]) -
                    static_cast<std::uint32_t>(without.clean_raw()[gemm.at(row, c)]);
        }
        flagged.push_back(change != 0);
        opened += change != 0 ? 1 : 0;
      }
    }
    std::vector<Suppressed> log;
    apply(p, Position::sum, 0, sums, m, m, 1, n, n, array.columns, 0, 0, &flagged, log);
    std::sort(log.begin(), log.end());
    suppressed += static_cast<int>(log.size());
    ASSERT_EQ(log_of(with.machine()), log) << "case " << i;
    ASSERT_EQ(with.machine().raw_output(), sums) << "case " << i;
    ASSERT_EQ(with.machine().mismatches(), std::count(flagged.begin(), flagged.end(), true));
  }
  EXPECT_GT(opened, 500);
  EXPECT_GT(suppressed, 500);
}

}  // namespace
}  // namespace sagitta
