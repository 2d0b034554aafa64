// Checkers at the output position against their definitions, and the check that opens their gates.
#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "network/fixed_scale.h"
#include "network/reference.h"
#include "schedule/images.h"
#include "support/checker_formulas.h"
#include "support/gemm_case.h"

namespace sagitta {
namespace {

using test::Random;
using test::Suppressed;

constexpr Position kOutput = Position::output;
constexpr auto kRange = CheckerKind::range, kGradient = CheckerKind::gradient,
               kMedian = CheckerKind::median;

// Random networks through chains on an array; how many values were replaced in all. `sums` come
// before them in the chain.
std::size_t compare_networks(std::uint64_t first_seed, const test::ArrayVariant& variant,
                             const std::vector<CheckerKind>& kinds, Axis axis = Axis::lanes,
                             const std::vector<CheckerKind>& sums = {}) {
  std::size_t replaced = 0;
  for (std::uint64_t seed = first_seed; seed < first_seed + 120; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const Network network = test::random_network(random);
    const ArrayShape array =
        variant.shape(random.between(1, 6), random.between(1, 9), random.bits() % 1000);
    Protection p;
    p.checksum = random.chance(40);
    for (const CheckerKind kind : sums) {
      p.checkers.push_back(test::random_checker(random, network, kind, p.checksum));
    }
    for (const CheckerKind kind : kinds) {
      p.checkers.push_back(test::random_checker(random, network, kind, random.chance(30), kOutput));
      if (kind == CheckerKind::gradient) p.checkers.back().axis = axis;
    }
    test::random_neurons(random, network, array, p);
    const auto image = random.int8s(network.input.elements());
    const Program program = compile(network, array, test::random_memory(random), p, "test");
    Machine machine(program);
    machine.reset(image.data());
    EXPECT_TRUE(machine.run(10'000'000));
    const test::Expected e = test::reference(network, image, p, array);
    EXPECT_EQ(test::log_of(machine), e.log);
    EXPECT_EQ(machine.logits(), e.logits);
    EXPECT_EQ(machine.mismatches(), 0) << "false alarm";
    if (testing::Test::HasFailure()) return 0;
    replaced += e.log.size();
  }
  return replaced;
}

class OutputCheckers : public testing::TestWithParam<test::ArrayVariant> {};

INSTANTIATE_TEST_SUITE_P(Dataflows, OutputCheckers, testing::ValuesIn(test::kVariants),
                         [](const auto& variant) { return variant.param.name(); });

// Random networks have pooling and adding layers: what these write is not replaced.
TEST_P(OutputCheckers, ReplaceWhatTheFormulaSays) {
  EXPECT_GT(compare_networks(1'000, GetParam(), {kRange}), 1000U);
  EXPECT_GT(compare_networks(2'000, GetParam(), {kGradient}), 200U);
  EXPECT_GT(compare_networks(3'000, GetParam(), {kMedian}), 300U);
}
TEST_P(OutputCheckers, StandBehindThoseOfSums) {
  EXPECT_GT(
      compare_networks(4'000, GetParam(), {kGradient, kRange}, Axis::lanes, {kRange, kMedian}),
      2000U);
}
TEST_P(OutputCheckers, AlongLinesReplaceWhatTheFormulaSays) {
  const ArrayShape array = GetParam().shape(2, 2);
  if (GetParam().dataflow == Dataflow::is || GetParam().mixed_is) {
    Protection p;
    p.checkers.push_back({.kind = kGradient, .axis = Axis::line, .position = kOutput});
    EXPECT_THROW(compile_gemm(2, 2, 2, std::vector<std::int8_t>(4, 1),
                              {2, 2, Dataflow::is, array.overlap}, {}, p),
                 InputError);
    return;
  }
  EXPECT_GT(compare_networks(5'000, GetParam(), {kGradient}, Axis::line), 100U);
  EXPECT_GT(
      compare_networks(6'000, GetParam(), {kRange, kGradient, kMedian}, Axis::line, {kGradient}),
      500U);
}

TEST_P(OutputCheckers, InMapsReplaceWhatTheFormulaSays) {
  if (GetParam().dataflow == Dataflow::is || GetParam().mixed_is) return;  // refused like lines
  EXPECT_GT(compare_networks(7'000, GetParam(), {kGradient}, Axis::map), 100U);
  EXPECT_GT(
      compare_networks(8'000, GetParam(), {kRange, kGradient, kMedian}, Axis::map, {kGradient}),
      500U);
}

// A dense layer of one pixel whose outputs are `y`: biases alone, at a scale of one.
Network of_outputs(const std::vector<std::int32_t>& y, int zero_point) {
  Network network;
  network.input = {1, 1, 1};
  Layer layer;
  layer.name = "gemm";
  layer.input = network.input;
  layer.output = {1, 1, static_cast<int>(y.size())};
  layer.weights.assign(y.size(), 0);
  for (const std::int32_t value : y) layer.bias.push_back(value - zero_point);
  layer.output_zero_point = zero_point;
  layer.scale.assign(y.size(), to_fixed_scale(1.0F, "test"));
  network.layers = {layer};
  return network;
}

std::vector<std::int8_t> through(Checker checker, const std::vector<std::int32_t>& y,
                                 const Bounds& b, int zero_point) {
  Protection p;
  checker.position = kOutput;
  checker.layers = {{"gemm", {b}}};
  p.checkers = {checker};
  const Program program =
      compile(of_outputs(y, zero_point), {1, static_cast<int>(y.size())}, {}, p, "test");
  const std::int8_t image = 0;
  Machine machine(program);
  machine.reset(&image);
  EXPECT_TRUE(machine.run(100'000));
  return machine.logits();
}

TEST(OutputCheckersByHand, Replacements) {
  using Bytes = std::vector<std::int8_t>;
  const std::vector<std::int32_t> y{6, 100, 3, 3};
  const auto with = [](CheckerKind kind, Suppress suppress) {
    return Checker{.kind = kind, .suppress = suppress};
  };
  const Bounds b{-10, 20};
  EXPECT_EQ(through(with(kRange, Suppress::zero), y, b, -5), (Bytes{6, -5, 3, 3})) << "zero point";
  EXPECT_EQ(through(with(kRange, Suppress::clamp), y, b, -5), (Bytes{6, 20, 3, 3}));
  EXPECT_EQ(through(with(kGradient, Suppress::zero), y, b, 7), (Bytes{6, 7, 3, 3}));
  EXPECT_EQ(through(with(kGradient, Suppress::clamp), y, b, 0), (Bytes{6, 26, 3, 3})) << "6 + 20";
  EXPECT_EQ(through(with(kGradient, Suppress::mean), y, b, 0), (Bytes{6, 4, 3, 3}));
  EXPECT_EQ(through(with(kGradient, Suppress::hold), y, b, 0), (Bytes{6, 6, 3, 3}));
  EXPECT_EQ(through({.kind = kMedian}, y, b, 0), (Bytes{6, 6, 3, 3}));
}

// A bound of nine bits may be no output, nor a neighbour and a bound together.
TEST(OutputCheckersByHand, ReplacementsSaturate) {
  const Checker clamp{.kind = kGradient, .suppress = Suppress::clamp};
  EXPECT_EQ(through(clamp, {-128, 0, -128, -128}, {-20, -10}, 0)[1], -128) << "-138, not 118";
  EXPECT_EQ(through(clamp, {127, 0, 127, 127}, {10, 20}, 0)[1], 127) << "137, not -119";
  const Checker range{.kind = kRange, .suppress = Suppress::clamp};
  EXPECT_EQ(through(range, {5, 6, 7}, {-200, -150}, 0), (std::vector<std::int8_t>(3, -128)));
  EXPECT_EQ(through(range, {5, 6, 7}, {150, 200}, 0), (std::vector<std::int8_t>(3, 127)));
}

TEST(OutputCheckersByHand, BoundsShareAWord) {
  EXPECT_EQ(output_bounds_word({-1, 2}), 0x0002FFFFU);
  EXPECT_EQ(output_bounds_word({-256, 255}), 0x00FFFF00U);
  EXPECT_EQ(output_bounds_word({}), output_bounds_word({-256, 255})) << "passes everything";
  EXPECT_EQ(output_bounds_word({-1000, 1000}), output_bounds_word({-256, 255}));
  // Words of a layer (tile words) and of a lane, beside bias and scale.
  const auto words = [](Position position, Granularity granularity) {
    Protection p;
    p.checkers.push_back({.kind = kRange, .granularity = granularity, .position = position});
    return compile_gemm(2, 2, 2, std::vector<std::int8_t>(4, 1), {2, 2}, {}, p).parameters;
  };
  EXPECT_EQ(words(Position::sum, Granularity::layer).tile_words, 2);
  EXPECT_EQ(words(kOutput, Granularity::layer).tile_words, 1);
  EXPECT_EQ(words(Position::sum, Granularity::channel).lane_words, 4);
  EXPECT_EQ(words(kOutput, Granularity::channel).lane_words, 3);
}

// Input stationary a channel's words wait until its vector is where they are used: the bounds of
// outputs longer by product and output, and behind two stages of sums the scale sooner.
TEST(OutputCheckersByHand, InputStationaryWaits) {
  Protection p;
  p.checkers.push_back({.kind = kRange, .granularity = Granularity::channel});
  const auto waits = [&p] {
    return Machine::parameter_waits(
        compile_gemm(2, 2, 2, std::vector<std::int8_t>(4, 1), {2, 2, Dataflow::is}, {}, p));
  };
  // Bias, scale, bounds; a range checker has two stages, and compares in the second.
  EXPECT_EQ(waits(), (std::vector<int>{0, 1 + 2, 2, 2}));
  p.checkers[0].position = kOutput;
  EXPECT_EQ(waits(), (std::vector<int>{0, 1, 2 + 2}));
  p.checkers.insert(p.checkers.begin(), {.kind = kMedian});
  EXPECT_EQ(waits(), (std::vector<int>{0, 1 + 2, 2 + 2 + 2}));
}

TEST(OutputCheckersByHand, SumsComeFirst) {
  Protection p;
  p.name = "late";
  p.checkers.push_back({.kind = kRange, .position = kOutput});
  p.checkers.push_back({.kind = kRange});
  try {
    compile_gemm(2, 2, 2, std::vector<std::int8_t>(4, 1), {2, 2}, {}, p);
    FAIL() << "there are no sums behind the output registers";
  } catch (const InputError& e) {
    EXPECT_NE(std::string(e.what()).find("scheme late has a checker of sums behind one of outputs"),
              std::string::npos);
  }
}

// Bounds that hold everything, or a gate that stays shut, change nothing but the cycles.
TEST_P(OutputCheckers, AnIdleSchemeChangesNothingButItsLatency) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Random random(40'000 + seed);
    const Network network = test::random_network(random);
    const ArrayShape array = GetParam().shape(random.between(1, 6), random.between(1, 9), seed);
    const auto image = random.int8s(network.input.elements());
    Protection idle;
    idle.checkers = {test::random_checker(random, network, kRange, false, kOutput)};
    idle.checkers[0].gate = random.chance(50) ? Gate::row : Gate::layer;
    idle.checkers.push_back({.kind = kGradient, .position = kOutput});
    const Program plain_program = compile(network, array, {}, {}, "test");
    const Program idle_program = compile(network, array, {}, idle, "test");
    Machine plain(plain_program), idle_machine(idle_program);
    plain.reset(image.data());
    idle_machine.reset(image.data());
    ASSERT_TRUE(plain.run(10'000'000));
    ASSERT_TRUE(idle_machine.run(10'000'000));
    ASSERT_EQ(idle_machine.logits(), plain.logits());
    ASSERT_TRUE(idle_machine.suppressions().empty());
    for (std::size_t l = 0; l < network.layers.size(); ++l) {
      const LayerCounters& a = plain.counters()[l];
      const LayerCounters& b = idle_machine.counters()[l];
      ASSERT_EQ(b.macs, a.macs);
      ASSERT_EQ(b.activation_writes, a.activation_writes);
      ASSERT_GT(b.flush_cycles, a.flush_cycles);
      ASSERT_EQ((b.flush_cycles - a.flush_cycles) % 6, 0) << "range 2, gradient 4";
    }
  }
}

// Two layers, so that the first one's outputs are written back; what flips of its output registers
// do behind a gate that their check opens. The range holds no value at all: where the gate opens,
// the whole row becomes zero.
class OutputCheck : public testing::Test {
 protected:
  static constexpr int kLanes = 3;
  OutputCheck()
      : network_([] {
          Random random(5);
          Network n = of_outputs({20, -30, 40}, 3);
          n.layers[0].output_max = 127;
          Layer second = n.layers[0];
          second.name = "second";
          second.input = {1, 1, kLanes};
          second.weights = random.int8s(kLanes * kLanes);
          n.layers.push_back(second);
          return n;
        }()),
        program_([this] {
          Protection p;
          p.checkers.push_back({.kind = kRange,
                                .gate = Gate::row,
                                .layers = {{"gemm", {{10, 5}}}, {"second", {Bounds{}}}},
                                .position = kOutput});
          return compile(network_, {2, kLanes}, {}, p, "test");
        }()),
        runs_(program_, {0}) {
    // The cycle in which the first layer's row stands in the output registers.
    Machine machine(program_);
    const std::int8_t image = 0;
    machine.reset(&image);
    while (!machine.vector().output(machine.state().now()).valid) machine.step();
    cycle_ = machine.cycle();
  }

  // Counts of the first layer after these flips in that cycle.
  const LayerCounters& after(const std::vector<std::string>& sites) {
    std::vector<Fault> faults;
    for (const std::string& site : sites) faults.push_back({runs_.site(site), cycle_});
    EXPECT_TRUE(runs_.run(faults));
    return runs_.machine().counters()[0];
  }
  static std::string output(int lane, int bit) {
    return fmt::format("vector.output.value[{}]:{}", lane, bit);
  }

  Network network_;
  Program program_;
  test::FaultyRuns runs_;
  std::int64_t cycle_ = 0;
};

TEST_F(OutputCheck, AnyFlipOfOneOutputOpensTheGate) {
  EXPECT_EQ(runs_.clean().counters[0].output_mismatches, 0);
  EXPECT_TRUE(runs_.clean().suppressions.empty());
  for (int lane = 0; lane < kLanes; ++lane) {
    for (int bit = 0; bit < 8; ++bit) {
      const LayerCounters& c = after({output(lane, bit)});
      EXPECT_EQ(c.output_mismatches, 1) << lane << ":" << bit;
      EXPECT_EQ(c.mismatches, 0) << "the checksum's are apart, and there is none";
      EXPECT_EQ(c.suppressed, kLanes) << "the whole row";
      for (const SuppressionRecord& s : runs_.machine().suppressions()) {
        EXPECT_EQ(s.checker, 0);
        EXPECT_EQ(s.replacement, 3) << "the zero point";
      }
    }
  }
}

TEST_F(OutputCheck, AFlipOfTheCheckOpensTheGateToo) {
  for (int bit = 0; bit < 8; ++bit) {
    EXPECT_EQ(after({fmt::format("vector.output.check:{}", bit)}).output_mismatches, 1);
  }
}

// All pairs of flips: those of one bit in two lanes escape, and no others.
TEST_F(OutputCheck, TwoFlipsEscapeWhereTheyMeetInABit) {
  int escapes = 0;
  for (int first = 0; first < kLanes * 8; ++first) {
    for (int second = first + 1; second < kLanes * 8; ++second) {
      const bool meet = first % 8 == second % 8;
      const LayerCounters& c =
          after({output(first / 8, first % 8), output(second / 8, second % 8)});
      ASSERT_EQ(c.output_mismatches, meet ? 0 : 1) << first << ", " << second;
      ASSERT_EQ(c.suppressed, meet ? 0 : kLanes);
      escapes += meet ? 1 : 0;
    }
  }
  EXPECT_EQ(escapes, 8 * 3) << "three pairs of lanes";
}

// What its bounds say counts once the gate is open: the upper one, 5, struck in bit 5, is 37, and
// 20, which was above it, passes.
TEST_F(OutputCheck, TheGateOpensToItsBounds) {
  EXPECT_EQ(after({output(1, 0)}).suppressed, kLanes);
  EXPECT_EQ(after({output(1, 0), "resilience.range.high:5"}).suppressed, kLanes - 1) << "20 passes";
  EXPECT_EQ(after({"resilience.range.high:5"}).suppressed, 0) << "shut";
  EXPECT_EQ(after({output(1, 0), "resilience.range.high:5", "resilience.range.low:4"}).suppressed,
            kLanes)
      << "26 is above 20";
}

// Before the output registers the check is formed from what is wrong already.
TEST_F(OutputCheck, WhatStrikesBeforeIsNotSeen) {
  const Fault fault{runs_.site("vector.requantise.product[1]:27"), cycle_ - 1};
  ASSERT_TRUE(runs_.run({fault}));
  EXPECT_EQ(runs_.machine().counters()[0].output_mismatches, 0);
  EXPECT_TRUE(runs_.machine().suppressions().empty());
}

// A flip of one output, and a spike among its neighbours, in the row whose gate it opens: the flip
// is taken back where the formula blames it.
TEST(OutputGate, TheGradientTakesAFlipBack) {
  const Network network = of_outputs({10, 12, 11, 13}, 0);
  for (const Gate gate : {Gate::row, Gate::layer, Gate::always}) {
    Protection p;
    p.checkers.push_back({.kind = kGradient,
                          .gate = gate,
                          .spike = true,
                          .suppress = Suppress::mean,
                          .layers = {{"gemm", {{-20, 20}}}},
                          .position = kOutput});
    const Program program = compile(network, {1, 4}, {}, p, "test");
    test::FaultyRuns runs(program, {0});
    Machine machine(program);
    const std::int8_t image = 0;
    machine.reset(&image);
    while (!machine.vector().output(machine.state().now()).valid) machine.step();
    ASSERT_TRUE(runs.run({{runs.site("vector.output.value[1]:6"), machine.cycle()}}));
    ASSERT_EQ(runs.machine().suppressions().size(), 1U);
    EXPECT_EQ(runs.machine().suppressions()[0].value, 12 + 64);
    EXPECT_EQ(runs.machine().logits(), (std::vector<std::int8_t>{10, 10, 11, 13})) << "10 and 11";
  }
}

}  // namespace
}  // namespace sagitta
