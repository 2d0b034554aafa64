// The gradient checker of maps: by hand, over batches, and behind gates under faults.
// checkers_test and output_checkers_test hold it to its formula on random networks.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "network/fixed_scale.h"
#include "support/checker_formulas.h"
#include "support/flips.h"
#include "support/gemm_case.h"

namespace sagitta {
namespace {

using test::Random;

// A layer whose outputs are its inputs.
Network copies(int height, int width, int channels = 1) {
  Network network;
  network.input = {height, width, channels};
  Layer layer;
  layer.name = "gemm";
  layer.input = layer.output = network.input;
  layer.groups = channels;
  layer.weights.assign(static_cast<std::size_t>(channels), 1);
  layer.bias.assign(static_cast<std::size_t>(channels), 0);
  layer.scale.assign(static_cast<std::size_t>(channels), to_fixed_scale(1.0F, "test"));
  network.layers = {layer};
  return network;
}

Checker of_maps(Bounds b, Suppress suppress = Suppress::zero) {
  return {.kind = CheckerKind::gradient,
          .axis = Axis::map,
          .suppress = suppress,
          .layers = {{"gemm", {b}}}};
}

using Map = std::vector<std::int8_t>;

Map through(const Checker& checker, int height, int width, const Map& map, int batch = 1,
            const ArrayShape& array = {3, 2}) {
  Protection p;
  p.checkers = {checker};
  const Program program = compile(copies(height, width), array, {}, p, "test", batch);
  Machine machine(program);
  machine.reset(map.data());
  EXPECT_TRUE(machine.run(100'000));
  return machine.logits();
}

// 9 in the middle, on an edge and in a corner of a map of zeros.
TEST(MapChecker, NeedsThreeNeighbours) {
  const Checker c = of_maps({-8, 8});
  EXPECT_EQ(through(c, 3, 3, {0, 0, 0, 0, 9, 0, 0, 0, 0}), (Map{0, 0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(through(c, 3, 3, {0, 9, 0, 0, 0, 0, 0, 0, 0}), (Map{0, 0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(through(c, 3, 3, {0, 0, 0, 9, 0, 0, 0, 0, 0}), (Map{0, 0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(through(c, 3, 3, {0, 0, 0, 0, 0, 9, 0, 0, 0}), (Map{0, 0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(through(c, 3, 3, {0, 0, 0, 0, 0, 0, 0, 9, 0}), (Map{0, 0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(through(c, 3, 3, {9, 0, 9, 0, 0, 0, 9, 0, 9}), (Map{9, 0, 9, 0, 0, 0, 9, 0, 9}))
      << "corners have two";
  EXPECT_EQ(through(c, 3, 3, {0, 0, 0, 0, 8, 0, 0, 0, 0}), (Map{0, 0, 0, 0, 8, 0, 0, 0, 0}))
      << "a bound is within";
  EXPECT_EQ(through(c, 3, 3, {5, 5, 5, 5, -4, 5, 5, 5, 5}), (Map{5, 5, 5, 5, 0, 5, 5, 5, 5}))
      << "a dip";
  EXPECT_EQ(through(c, 3, 3, {0, 9, 0, 0, 9, 0, 0, 0, 0}), (Map{0, 9, 0, 0, 0, 0, 0, 0, 0}))
      << "two together: the one on the edge has two others, the one in the middle three";
  EXPECT_EQ(through(c, 3, 3, {0, 9, 0, 0, 9, 0, 0, 9, 0}), (Map{0, 9, 0, 0, 9, 0, 0, 9, 0}))
      << "a line stands";
  EXPECT_EQ(through(c, 3, 3, {0, -9, 0, 9, 0, 9, 0, -9, 0}), (Map{0, 0, 0, 0, 0, 0, 0, 0, 0}))
      << "two above and two below blame nobody between them";
}

TEST(MapChecker, SidesHaveBoundsOfTheirOwn) {
  const Map peak{0, 0, 0, 0, 5, 0, 0, 0, 0}, dip{0, 0, 0, 0, -5, 0, 0, 0, 0};
  const Map flat(9, 0);
  EXPECT_EQ(through(of_maps({-9, 4}), 3, 3, peak), flat);
  EXPECT_EQ(through(of_maps({-9, 4}), 3, 3, dip), dip);
  EXPECT_EQ(through(of_maps({-4, 9}), 3, 3, peak), peak);
  EXPECT_EQ(through(of_maps({-4, 9}), 3, 3, dip), flat);
}

// Blamed at each place of a 3 x 3 map with 1 .. 9 around it, corners never.
TEST(MapChecker, ReplacementsByHand) {
  const auto with = [](Suppress suppress, int at) {
    Map map{1, 2, 3, 4, 5, 6, 7, 8, 9};
    map[static_cast<std::size_t>(at)] = 100;
    const Map after = through(of_maps({-50, 50}, suppress), 3, 3, map);
    for (std::size_t i = 0; i < 9; ++i) {
      EXPECT_EQ(after[i], i == static_cast<std::size_t>(at) ? after[i] : map[i]) << i;
    }
    return int{after[static_cast<std::size_t>(at)]};
  };
  EXPECT_EQ(with(Suppress::hold, 4), 4);
  EXPECT_EQ(with(Suppress::hold, 1), 1);
  EXPECT_EQ(with(Suppress::hold, 7), 7);
  EXPECT_EQ(with(Suppress::hold, 3), 7) << "none on the left: the one below";
  EXPECT_EQ(with(Suppress::hold, 5), 5);
  EXPECT_EQ(with(Suppress::mean, 4), 6) << "4 and 8";
  EXPECT_EQ(with(Suppress::mean, 1), 3) << "1 and 5";
  EXPECT_EQ(with(Suppress::mean, 3), 7);
  EXPECT_EQ(with(Suppress::mean, 7), 7) << "none below";
  EXPECT_EQ(with(Suppress::mean, 5), 7) << "5 and 9";
  EXPECT_EQ(with(Suppress::clamp, 4), 54) << "4 + 50";
  EXPECT_EQ(with(Suppress::clamp, 3), 57) << "7 + 50";
  EXPECT_EQ(with(Suppress::zero, 4), 0);
}

// The neighbour that takes a place is the one from before it was replaced itself.
TEST(MapChecker, BlamesWithWhatCame) {
  //  the two 60s in the middle have three neighbours of 0 and one of 60
  const Map map{0, 0, 0, 0, 0, 60, 60, 0, 0, 0, 0, 0};
  EXPECT_EQ(through(of_maps({-50, 50}), 3, 4, map), Map(12, 0));
  EXPECT_EQ(through(of_maps({-50, 50}, Suppress::hold), 3, 4, map),
            (Map{0, 0, 0, 0, 0, 0, 60, 0, 0, 0, 0, 0}));
}

// Maps of one line or column have no pixel with three neighbours, and take no cycle longer for it.
TEST(MapChecker, PassesMapsWithoutThreeNeighbours) {
  const Checker c = of_maps({1, -1});  // nothing is within
  for (const auto& [height, width] : {std::pair{1, 7}, {7, 1}, {1, 1}, {2, 2}}) {
    Random random(5);
    const Map map = random.int8s(height * width);
    EXPECT_EQ(through(c, height, width, map), map) << height << " x " << width;
  }
}

// From the last issue to the last result: five stages, and the line that is held back, once a
// column tile.
TEST(MapChecker, TakesALineLonger) {
  const auto flush = [](int height, int width, int channels, const std::vector<Checker>& checkers,
                        Dataflow dataflow) {
    Protection p;
    p.checkers = checkers;
    MemoryShape memory;
    memory.partial_rows = 4;
    const Program program =
        compile(copies(height, width, channels), {2, 3, dataflow}, memory, p, "test");
    Machine machine(program);
    const Map map(static_cast<std::size_t>(height * width * channels), 1);
    machine.reset(map.data());
    EXPECT_TRUE(machine.run(100'000));
    EXPECT_EQ(machine.logits(), map);
    return machine.counters()[0].flush_cycles;
  };
  const Checker c = of_maps({-9, 9});
  Checker of_outputs = c;
  of_outputs.position = Position::output;
  for (const int channels : {1, 2}) {  // column tiles of one lane each
    const auto added = [&](int height, int width, const std::vector<Checker>& checkers,
                           Dataflow dataflow = Dataflow::os) {
      return flush(height, width, channels, checkers, dataflow) -
             flush(height, width, channels, {}, dataflow);
    };
    EXPECT_EQ(added(3, 6, {c}), channels * (5 + 6));
    EXPECT_EQ(added(6, 3, {c}), channels * (5 + 3));
    EXPECT_EQ(added(1, 18, {c}), channels * 5);
    EXPECT_EQ(added(18, 1, {c}), channels * 5);
    EXPECT_EQ(added(3, 6, {c, of_outputs}), channels * 2 * (5 + 6));
    EXPECT_EQ(added(3, 6, {c}, Dataflow::ws), channels * (5 * 5 + 6)) << "18 pixels in parts of 4";
  }
}

// An image's first line is not below the last line of the one before.
TEST(MapChecker, ABatchIsSeveralMaps) {
  std::size_t replaced = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(500 + seed);
    const int height = random.between(1, 5), width = random.between(1, 6);
    constexpr Suppress kAll[] = {Suppress::zero, Suppress::clamp, Suppress::mean, Suppress::hold};
    const Checker c =
        of_maps({-random.between(0, 90), random.between(0, 90)}, kAll[random.between(0, 3)]);
    const ArrayShape array{random.between(1, 4), random.between(1, 3),
                           random.chance(50) ? Dataflow::os : Dataflow::ws};
    const int images = random.between(2, 4), size = height * width;
    const Map all = random.int8s(images * size);
    Map expected;
    for (int i = 0; i < images; ++i) {
      const Map one(all.begin() + i * size, all.begin() + (i + 1) * size);
      const Map after = through(c, height, width, one, 1, array);
      expected.insert(expected.end(), after.begin(), after.end());
      for (std::size_t k = 0; k < one.size(); ++k) replaced += one[k] != after[k] ? 1 : 0;
    }
    EXPECT_EQ(through(c, height, width, all, images, array), expected);
  }
  EXPECT_GT(replaced, 200U);
}

TEST(MapChecker, NeedsPixelsInVectorsAndAMemoryWithoutCheckBits) {
  Protection p;
  p.name = "maps";
  p.checkers = {of_maps({-9, 9})};
  const auto refused = [&](Dataflow dataflow, const char* why) {
    try {
      compile(copies(3, 3), {2, 2, dataflow}, {}, p, "test");
      ADD_FAILURE() << "accepted";
    } catch (const InputError& e) {
      EXPECT_NE(std::string(e.what()).find(why), std::string::npos) << e.what();
    }
  };
  refused(Dataflow::is, "scheme maps looks along the lines of a map");
  p.memory_code = MemoryCode::secded;
  refused(Dataflow::os, "holds lines of a map in a memory without check bits");
  p.memory_code = MemoryCode::none;
  p.checksum = true;
  p.retries = 1;
  refused(Dataflow::os, "runs tiles again");
  p.retries = 0;
  p.column_checksum = true;
  p.checkers.push_back({.gate = Gate::cell});
  refused(Dataflow::os, "opens a gate by row and column at a checker of maps or behind it");
  std::swap(p.checkers[0], p.checkers[1]);
  EXPECT_NO_THROW(compile(copies(3, 3), {2, 2}, {}, p, "test"));
}

// Behind a gate it acts in rows, or from the first row of a layer on, whose checksum fails and
// nowhere else. The faulty sums come from a machine without checkers, struck at the same place.
TEST(MapChecker, TheGatesOpenForFaultyRowsOnly) {
  Random random(78);
  int opened = 0, suppressed = 0;
  for (int i = 0; i < 500; ++i) {
    const ArrayShape array{random.between(1, 5), random.between(3, 6),
                           random.chance(50) ? Dataflow::os : Dataflow::ws};
    const int height = random.between(2, 4), width = random.between(2, 5);
    const int k = random.between(1, 4), n = random.between(3, 8);
    Network network;
    network.input = {height, width, k};
    Layer& layer = network.layers.emplace_back();
    layer.name = "gemm";
    layer.input = network.input;
    layer.output = {height, width, n};
    layer.weights = random.int8s(k * n);
    layer.bias.assign(static_cast<std::size_t>(n), 0);
    layer.scale.assign(static_cast<std::size_t>(n), FixedScale{});
    const auto image = random.int8s(network.input.elements());

    Protection p;
    p.checksum = true;
    Checker c = of_maps({});
    c.gate = random.chance(60) ? Gate::row : Gate::layer;
    c.granularity = random.chance(50) ? Granularity::layer : Granularity::channel;
    constexpr Suppress kAll[] = {Suppress::zero, Suppress::clamp, Suppress::mean, Suppress::hold};
    c.suppress = kAll[random.between(0, 3)];
    c.layers[0].bounds.clear();
    for (int b = 0; b < n; ++b) {
      c.layers[0].bounds.push_back({-random.between(0, 20'000), random.between(0, 20'000)});
    }
    p.checkers = {c};
    MemoryShape memory;
    memory.dram_latency = 0;
    const auto raw = [&](const Protection& protection) {
      Program program = compile(network, array, memory, protection, "test");
      program.layers.back().raw = 1;
      program.raw_output = true;
      return program;
    };
    Protection detector_only;
    detector_only.checksum = true;
    const Program bare = raw(detector_only), guarded = raw(p);
    test::FaultyRuns without(bare, image);
    test::FaultyRuns with(guarded, image);

    ASSERT_NO_FATAL_FAILURE(test::strike_alike(random, array, without, with));

    std::vector<std::int32_t> sums = without.machine().raw_output();
    std::vector<bool> flagged;
    const int m = height * width;
    for (int first = 0; first < n; first += array.columns) {
      for (int row = 0; row < m; ++row) {
        std::uint32_t change = 0;
        for (int column = first; column < std::min(n, first + array.columns); ++column) {
          const auto at = static_cast<std::size_t>(row * n + column);
          change += static_cast<std::uint32_t>(sums[at]) -
                    static_cast<std::uint32_t>(without.clean_raw()[at]);
        }
        flagged.push_back(change != 0);
        opened += change != 0 ? 1 : 0;
      }
    }
    std::vector<test::Suppressed> log;
    test::apply(p, Position::sum, 0, sums, m, width, height, n, n, array.columns, 0, 0, &flagged,
                log);
    std::sort(log.begin(), log.end());
    suppressed += static_cast<int>(log.size());
    ASSERT_EQ(test::log_of(with.machine()), log) << "case " << i;
    ASSERT_EQ(with.machine().raw_output(), sums) << "case " << i;
  }
  EXPECT_GT(opened, 200);
  EXPECT_GT(suppressed, 200);
}

}  // namespace
}  // namespace sagitta
