// The range and gradient checkers against their definitions, computed directly on the layers' sums.
#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <tuple>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "network/fixed_scale.h"
#include "network/reference.h"
#include "support/gemm_case.h"

namespace sagitta {
namespace {

using test::Random;
using Suppressed = std::tuple<int, std::int32_t, std::int32_t>;  // layer, address, value

Bounds bounds_at(const Checker& c, int gemm, int column) {
  const auto& b = c.layers[static_cast<std::size_t>(gemm)].bounds;
  return b[c.granularity == Granularity::channel ? static_cast<std::size_t>(column) : 0];
}

bool outside(std::int64_t value, const Bounds& b) {
  return value < b.low || value > b.high;
}

// One row of one column tile through one checker: what takes the place of each sum that it blames.
using Replaced = std::vector<std::optional<std::int64_t>>;

Replaced by_range(const std::vector<std::int32_t>& y, const Checker& c, int gemm,
                  int first_column) {
  Replaced r(y.size());
  for (std::size_t i = 0; i < y.size(); ++i) {
    const Bounds b = bounds_at(c, gemm, first_column + static_cast<int>(i));
    if (!outside(y[i], b)) continue;
    r[i] = c.suppress == Suppress::zero ? 0 : y[i] < b.low ? b.low : b.high;
  }
  return r;
}

// After Amarnath et al.: y is suppressed when its gradients, to the neighbour before and from it to
// the neighbour after, are both out of bounds, or where the scheme says so on opposite sides.
std::optional<std::int64_t> by_gradients(std::int64_t before, std::int64_t y, std::int64_t after,
                                         const Bounds& own, const Bounds& next, const Checker& c) {
  const auto side = [](std::int64_t gradient, const Bounds& b) {  // -1, 0 or 1
    return gradient > b.high ? 1 : gradient < b.low ? -1 : 0;
  };
  const int rise = side(y - before, own), fall = side(after - y, next);
  if (c.spike ? rise * fall != -1 : rise * fall == 0) return std::nullopt;
  switch (c.suppress) {
    case Suppress::hold:
      return before;
    case Suppress::mean:
      return static_cast<std::int64_t>(std::floor(static_cast<double>(before + after) / 2));
    case Suppress::clamp:
      return std::clamp<std::int64_t>(before + (rise > 0 ? own.high : own.low), INT32_MIN,
                                      INT32_MAX);
    default:
      return 0;
  }
}

// Neighbours are circular over the tile's lanes.
Replaced by_gradient(const std::vector<std::int32_t>& y, const Checker& c, int gemm,
                     int first_column) {
  const std::size_t n = y.size();
  Replaced r(n);
  if (n < 3) return r;
  const auto bounds = [&](std::size_t i) {
    return bounds_at(c, gemm, first_column + static_cast<int>(i));
  };
  for (std::size_t j = 0; j < n; ++j) {
    const std::size_t next = (j + 1) % n;
    r[j] = by_gradients(y[(j + n - 1) % n], y[j], y[next], bounds(j), bounds(next), c);
  }
  return r;
}

// Neighbours are the rows before and after in a line of the map; its first and last row pass.
Replaced by_line(const std::vector<std::vector<std::int32_t>>& rows, std::size_t m, int line,
                 const Checker& c, int gemm, int first_column) {
  Replaced r(rows[m].size());
  const int position = static_cast<int>(m) % line;
  if (position == 0 || position == line - 1) return r;
  for (std::size_t i = 0; i < r.size(); ++i) {
    const Bounds b = bounds_at(c, gemm, first_column + static_cast<int>(i));
    r[i] = by_gradients(rows[m - 1][i], rows[m][i], rows[m + 1][i], b, b, c);
  }
  return r;
}

Replaced by_median(const std::vector<std::int32_t>& y) {
  const std::size_t n = y.size();
  Replaced r(n);
  for (std::size_t j = 0; j < n && n >= 3; ++j) {
    std::array<std::int32_t, 3> window{y[(j + n - 1) % n], y[j], y[(j + 1) % n]};
    std::sort(window.begin(), window.end());
    if (window[1] != y[j]) r[j] = window[1];
  }
  return r;
}

// Row `m` of the rows of a column tile, `line` of which make a line of the map.
Replaced by(const Checker& c, const std::vector<std::vector<std::int32_t>>& rows, std::size_t m,
            int line, int gemm, int first_column) {
  const std::vector<std::int32_t>& y = rows[m];
  if (c.axis == Axis::line) return by_line(rows, m, line, c, gemm, first_column);
  if (c.kind == CheckerKind::range) return by_range(y, c, gemm, first_column);
  if (c.kind == CheckerKind::gradient) return by_gradient(y, c, gemm, first_column);
  return by_median(y);
}

// Suppresses in place, checker by checker.
// Column tiles have channels of one group.
void apply(const Protection& p, std::vector<std::int32_t>& sums, int rows, int line, int columns,
           int group_columns, int lanes, int layer, int gemm, const std::vector<bool>* flagged,
           std::vector<Suppressed>& log) {
  int valid = 0;
  for (int first = 0; first < columns; first += valid) {
    valid = std::min(lanes, group_columns - first % group_columns);
    std::vector<std::vector<std::int32_t>> tile;
    for (int m = 0; m < rows; ++m) {
      const auto at = sums.begin() + m * columns + first;
      tile.emplace_back(at, at + valid);
    }
    for (const Checker& c : p.checkers) {
      const auto open = [&](int m) {
        if (c.gate == Gate::always) return true;
        if (flagged == nullptr) return false;
        const auto row = flagged->begin() + first / lanes * rows + m;  // in the order of draining
        return c.gate == Gate::row ? *row : std::find(flagged->begin(), row + 1, true) != row + 1;
      };
      std::vector<std::vector<std::int32_t>> passed = tile;
      for (int m = 0; m < rows; ++m) {
        if (!open(m)) continue;
        const auto row = static_cast<std::size_t>(m);
        const Replaced replaced = by(c, tile, row, line, gemm, first);
        for (std::size_t i = 0; i < replaced.size(); ++i) {
          if (!replaced[i]) continue;
          log.emplace_back(layer, m * columns + first + static_cast<int>(i), tile[row][i]);
          passed[row][i] = static_cast<std::int32_t>(*replaced[i]);
        }
      }
      tile = passed;
    }
    for (int m = 0; m < rows; ++m) {
      const auto& row = tile[static_cast<std::size_t>(m)];
      std::copy(row.begin(), row.end(), sums.begin() + m * columns + first);
    }
  }
}

struct Expected {
  std::vector<std::int8_t> logits;
  std::vector<Suppressed> log;
};

// The network with suppression between sums and requantisation. Clean rows never open a row gate.
Expected reference(const Network& network, const std::vector<std::int8_t>& image,
                   const Protection& p, int lanes) {
  Expected e;
  std::vector<std::vector<std::int8_t>> maps;
  const auto source = [&](std::size_t layer, std::size_t operand) -> const auto& {
    const int from = network.source(layer, operand);
    return from < 0 ? image : maps[static_cast<std::size_t>(from)];
  };
  int gemm = 0;
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const Layer& layer = network.layers[i];
    LayerValues v = layer.kind == LayerKind::add ? run_layer(layer, source(i, 0), source(i, 1))
                                                 : run_layer(layer, source(i, 0));
    if (layer.kind == LayerKind::gemm) {
      apply(p, v.sums, layer.rows(), layer.output.width, layer.columns(),
            layer.columns() / layer.groups, lanes, static_cast<int>(i), gemm++, nullptr, e.log);
      for (std::size_t o = 0; o < v.sums.size(); ++o) {
        v.output[o] =
            requantise(v.sums[o], layer.scale[o % static_cast<std::size_t>(layer.columns())],
                       layer.output_zero_point, layer.output_min, layer.output_max);
      }
    }
    maps.push_back(v.output);
  }
  e.logits = maps.back();
  std::sort(e.log.begin(), e.log.end());
  return e;
}

std::vector<Suppressed> log_of(const Machine& machine) {
  std::vector<Suppressed> log;
  for (const SuppressionRecord& s : machine.suppressions())
    log.emplace_back(s.layer, s.address, s.value);
  std::sort(log.begin(), log.end());
  return log;
}

// Returns how many values were suppressed in all. `lines`: gradient checkers look along lines.
std::size_t compare_networks(std::uint64_t first_seed, const std::vector<CheckerKind>& kinds,
                             bool lines = false) {
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
      if (lines && kind == CheckerKind::gradient) p.checkers.back().axis = Axis::line;
    }
    const auto image = random.int8s(network.input.elements());
    const Program program = compile(network, array, test::random_memory(random), p, "test");
    Machine machine(program);
    machine.reset(image.data());
    EXPECT_TRUE(machine.run(10'000'000));
    const Expected e = reference(network, image, p, array.columns);
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
  EXPECT_GT(compare_networks(50'000, {gradient}, true), 300U);
  EXPECT_GT(compare_networks(60'000, {gradient, median, gradient}, true), 2000U);
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
    for (const auto& replaced : by_gradient(y, c, 0, 0)) blamed.push_back(replaced.has_value());
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

    // One or two accumulators, struck in the same cycle of the same tile on both machines.
    const int tile = random.between(0, static_cast<int>(with.tiles().size()) - 1);
    std::vector<Fault> faults_without, faults_with;
    for (int f = random.between(1, 2); f > 0; --f) {
      const auto site =
          with.site(fmt::format("array.pe[{}][{}].acc:{}", random.between(0, array.rows - 1),
                                random.between(0, array.columns - 1), random.between(8, 31)));
      const auto& t = with.tiles()[static_cast<std::size_t>(tile)];
      const int offset = random.between(0, static_cast<int>(t.end_cycle - t.start_cycle));
      faults_with.push_back({site, t.start_cycle + offset});
      faults_without.push_back(
          {without.site(with.sites().path(site)),
           without.tiles()[static_cast<std::size_t>(tile)].start_cycle + offset});
    }
    ASSERT_TRUE(without.run(faults_without));
    ASSERT_TRUE(with.run(faults_with));

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
    apply(p, sums, m, m, n, n, array.columns, 0, 0, &flagged, log);
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
