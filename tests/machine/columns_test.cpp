// Checksums of rows and columns: single flips in the array are corrected or told, what they expect
// equals direct sums, and gates of cells open where a flagged row and a flagged column cross.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "network/reference.h"
#include "support/checker_formulas.h"
#include "support/closed_form.h"
#include "support/flips.h"
#include "support/rerun_product.h"

namespace sagitta {
namespace {

using test::FaultyRuns;
using test::GemmCase;
using test::Random;
using test::total;

constexpr int kRows = 3, kColumns = 4;
const ArrayShape kArray{kRows, kColumns};

Protection columns(bool correct = true, int retries = 0) {
  Protection p;
  p.name = "columns";
  p.checksum = p.column_checksum = true;
  p.correct = correct;
  p.retries = retries;
  return p;
}

class Columns : public testing::Test {
 protected:
  Random random_{31};
  GemmCase gemm_{random_, 5, 4, 6, kArray, columns()};
  FaultyRuns runs_{gemm_.program, gemm_.a};

  const Machine& machine() const { return runs_.machine(); }
  bool right() const { return machine().raw_output() == runs_.clean_raw(); }

  template <typename Check>
  void exhaust(const std::string& globs, const Check& check) {
    test::exhaust(runs_, globs, check);
  }
};

TEST_F(Columns, IdleTheyChangeNothing) {
  EXPECT_EQ(runs_.clean_raw(), gemm_.product());
  ASSERT_TRUE(runs_.run({{runs_.site("memory.weight.bank[1].row[3].lane[3]:0"), 0}}));
  EXPECT_FALSE(machine().uncorrected()) << "overwritten before it is read";
}

// One row and one column.
TEST_F(Columns, EveryFlipOfASumIsCorrected) {
  std::int64_t corrected = 0;
  exhaust("array.pe[*][*].acc", [&] {
    ASSERT_TRUE(right());
    ASSERT_FALSE(machine().uncorrected());
    ASSERT_EQ(machine().cycle(), runs_.cycles());
    ASSERT_EQ(total(machine(), &LayerCounters::corrected_sums), machine().mismatches());
    corrected += machine().mismatches();
  });
  EXPECT_GT(corrected, 32 * gemm_.m * gemm_.n);
}

// One column, and the rows below.
TEST_F(Columns, EveryFlipOfAWeightInTheArrayIsCorrected) {
  int several = 0;
  exhaust("array.pe[*][*].b,array.skew_b**", [&] {
    ASSERT_TRUE(right());
    ASSERT_FALSE(machine().uncorrected());
    several += machine().mismatches() > 1 ? 1 : 0;
  });
  EXPECT_GT(several, 100);
}

// One row, and the columns to the right: the row's own sum may be right by chance, and then several
// columns say that it is not.
TEST_F(Columns, EveryFlipOfAnActivationInTheArrayIsCorrectedOrTold) {
  for (auto& w : gemm_.b) w = static_cast<std::int8_t>(random_.chance(50) ? 1 : -1);
  const Program program =
      compile_gemm(gemm_.m, gemm_.k, gemm_.n, gemm_.b, kArray, gemm_.program.memory, columns());
  FaultyRuns runs(program, gemm_.a);
  int escapes = 0, several = 0;
  for (const TileRecord& t : runs.tiles()) {
    const int lanes = std::min(kColumns, gemm_.n - t.column);
    for (int r = 0; r < std::min(kRows, gemm_.m - t.row); ++r) {
      for (int c = 0; c < lanes; ++c) {
        for (int k = 0; k < gemm_.k; ++k) {
          int touched = 0;
          for (int n = c; n < lanes; ++n) touched += gemm_.b_at(k, t.column + n);
          const Fault f{runs.site(fmt::format("array.pe[{}][{}].a:4", r, c)),
                        t.start_cycle + k + r + c};
          ASSERT_TRUE(runs.run({f}));
          SCOPED_TRACE(runs.sites().path(f.site) + "@" + std::to_string(f.cycle));
          ASSERT_EQ(runs.machine().raw_output() == runs.clean_raw(), touched != 0);
          ASSERT_EQ(runs.machine().uncorrected(), touched == 0);
          ASSERT_EQ(total(runs.machine(), &LayerCounters::corrected_sums),
                    touched == 0 ? 0 : lanes - c);
          escapes += touched == 0 ? 1 : 0;
          several += touched != 0 && lanes - c > 1 ? 1 : 0;
        }
      }
    }
  }
  EXPECT_GT(escapes, 10);
  EXPECT_GT(several, 10);
}

TEST_F(Columns, NoFlipInTheArrayIsWrongAndNotTold) {
  int corrected = 0;
  exhaust("array.skew_a**,array.pe[*][*].a", [&] {
    ASSERT_TRUE(right() || machine().uncorrected());
    corrected += machine().mismatches() > 0 && right() ? 1 : 0;
  });
  EXPECT_GT(corrected, 1000);
}

// Both checksums of columns and the array take it from there: only the rows say so.
TEST_F(Columns, AFlipOfTheWeightsReadRegisterIsTold) {
  int told = 0;
  exhaust("memory.weight.read**", [&] {
    ASSERT_EQ(machine().uncorrected(), !right());
    told += machine().uncorrected() ? 1 : 0;
  });
  EXPECT_GT(told, 100);
}

// One column alone is the column's own doing: nothing is done and nothing told. Whatever else
// strikes what is expected may be told, and no result is wrong.
TEST_F(Columns, FlipsInWhatIsExpectedNeverTouchTheData) {
  std::int64_t told = 0;
  exhaust(
      "resilience.columns.tree**,resilience.columns.weight**,resilience.columns.total**,"
      "resilience.columns.flagged**,resilience.columns.row_total,resilience.checksum.pe**",
      [&] {
        ASSERT_TRUE(right());
        told += machine().uncorrected() ? 1 : 0;
      });
  EXPECT_GT(told, 1000);
  exhaust("resilience.columns.difference[*],resilience.columns.bias[*]", [&] {
    ASSERT_TRUE(right());
    ASSERT_FALSE(machine().uncorrected());
  });
}

TEST(ColumnsOfTiles, WhatRowsAndColumnsDoNotLocateIsToldOrRunAgain) {
  for (const int retries : {0, 1}) {
    test::RerunProduct x({Dataflow::os, false}, columns(true, retries));
    for (const auto& t : x.tiles()) {
      if (t.pixels < 2) continue;
      SCOPED_TRACE(fmt::format("{} retries, tile {} {}", retries, t.row, t.column));
      ASSERT_TRUE(x.runs.run({x.sum_flip(t, 0, 0, 9), x.sum_flip(t, 1, 1, 12)}));
      const Machine& m = x.runs.machine();
      EXPECT_EQ(m.mismatches(), 2);
      EXPECT_EQ(total(m, &LayerCounters::corrected_sums), 0);
      EXPECT_EQ(m.raw_output() == x.runs.clean_raw(), retries == 1);
      EXPECT_EQ(m.uncorrected(), retries == 0);
      // From the tile's first product to its verdict: feed, bubble, drain, and 3 + 3 + 3.
      const int run = x.gemm().k + 2 * t.pixels + t.channels - 2 + 9;
      EXPECT_EQ(m.cycle(), x.runs.cycles() + retries * run);
      EXPECT_EQ(total(m, &LayerCounters::recomputed_tiles), retries);
      // Two in a row, or in a column, are corrected.
      ASSERT_TRUE(x.runs.run({x.sum_flip(t, 1, 0, 9), x.sum_flip(t, 1, 1, 12)}));
      EXPECT_EQ(m.raw_output(), x.runs.clean_raw());
      EXPECT_EQ(total(m, &LayerCounters::corrected_sums), 2);
      ASSERT_TRUE(x.runs.run({x.sum_flip(t, 0, 1, 3), x.sum_flip(t, 1, 1, 12)}));
      EXPECT_EQ(m.raw_output(), x.runs.clean_raw());
      EXPECT_EQ(total(m, &LayerCounters::corrected_sums), 2);
      EXPECT_FALSE(m.uncorrected());
      EXPECT_EQ(m.cycle(), x.runs.cycles());
    }
  }
}

// Without correction every flagged row makes its tile run again.
TEST(ColumnsOfTiles, RunAgainWhereNothingCorrects) {
  test::RerunProduct x({Dataflow::os, false}, columns(false, 1));
  const auto t = x.tiles()[1];
  ASSERT_TRUE(x.runs.run({x.sum_flip(t, 1, 1, 12)}));
  EXPECT_EQ(x.runs.machine().raw_output(), x.runs.clean_raw());
  EXPECT_EQ(total(x.runs.machine(), &LayerCounters::recomputed_tiles), 1);
  EXPECT_EQ(total(x.runs.machine(), &LayerCounters::corrected_sums), 0);
}

std::int64_t read(const Machine& machine, const SiteMap& sites, const std::string& path) {
  const Site s = sites.parse(path + ":0", "", "");
  return read_register(const_cast<Machine&>(machine).state(),
                       sites.classes()[static_cast<std::size_t>(s.register_class)], s.element);
}

// As the first row leaves the detector all products are in: the sums of the integer reference over
// the tile's rows, without their biases. Padding, groups, strides, partial tiles.
TEST(ColumnsOfNetworks, ExpectWhatTheReferenceAddsUpTo) {
  int tiles = 0, partial = 0;
  for (std::uint64_t seed = 0; seed < 260; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(9'100 + seed);
    const Network network = test::random_network(random, 4);
    const ArrayShape array{random.between(1, 9), random.between(2, 7)};
    const Program program =
        compile(network, array, test::random_memory(random, array), columns(), "test");
    const auto image = random.int8s(network.input.elements());
    const auto layers = run_network(network, image);
    Machine machine(program);
    const SiteMap sites(machine.layout());
    machine.reset(image.data());
    while (!machine.done()) {
      machine.step();
      const SequencerState& s = machine.control();
      if (!machine.checksum()->output(machine.state().now()).valid) continue;
      if (read(machine, sites, "resilience.columns.row") != 0) continue;
      const auto l = static_cast<std::size_t>(machine.layer());
      const Layer& layer = network.layers[l];
      const int rows = std::min(array.rows, layer.rows() - s.first_row);
      const int lanes = machine.sequencer().lanes(s);
      for (int c = 0; c < lanes; ++c) {
        std::uint32_t expected = 0;
        const int n = s.first_column + c;
        for (int r = s.first_row; r < s.first_row + rows; ++r) {
          const auto at = static_cast<std::size_t>(r * layer.columns() + n);
          expected += static_cast<std::uint32_t>(layers[l].sums[at]) -
                      static_cast<std::uint32_t>(layer.bias[static_cast<std::size_t>(n)]);
        }
        ASSERT_EQ(static_cast<std::uint32_t>(
                      read(machine, sites, fmt::format("resilience.columns.difference[{}]", c))),
                  expected);
      }
      ++tiles;
      partial += rows < array.rows || lanes < array.columns ? 1 : 0;
    }
    ASSERT_EQ(machine.logits(), layers.back().output);
    ASSERT_FALSE(machine.uncorrected());
  }
  EXPECT_GT(tiles, 1'500);
  EXPECT_GT(partial, 500);
}

TEST(ColumnsOfNetworks, EverySingleFlipInTheArrayEndsRightOrTold) {
  int corrected = 0, told = 0, again = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(9'500 + seed);
    const Network network = test::random_network(random, 4);
    const ArrayShape array{random.between(1, 6), random.between(1, 6)};
    const int retries = static_cast<int>(seed % 2);
    const Program program =
        compile(network, array, test::random_memory(random, array), columns(true, retries), "test");
    const auto image = random.int8s(network.input.elements());
    Machine machine(program);
    const SiteMap sites(machine.layout());
    machine.reset(image.data());
    ASSERT_TRUE(machine.run(10'000'000));
    const auto expected = machine.logits();
    ASSERT_EQ(expected, run_network(network, image).back().output);
    const std::int64_t clean = machine.cycle();
    const SiteSelection struck = sites.select("array.**", "", "");
    for (int k = 0; k < 60; ++k) {
      const auto bits = static_cast<std::uint64_t>(struck.bits());
      const Fault fault{struck.at(static_cast<std::int64_t>(random.bits() % bits)),
                        random.between(0, static_cast<int>(clean) - 1)};
      SCOPED_TRACE(fmt::format("{}@{}", sites.path(fault.site), fault.cycle));
      Injector injector(sites, {fault});
      machine.reset(image.data());
      ASSERT_TRUE(test::run_with(machine, injector, 3 * clean + 1000));
      ASSERT_TRUE(machine.logits() == expected || machine.uncorrected());
      ASSERT_FALSE(retries > 0 && machine.uncorrected());
      corrected += total(machine, &LayerCounters::corrected_sums) > 0 ? 1 : 0;
      told += machine.uncorrected() ? 1 : 0;
      again += total(machine, &LayerCounters::recomputed_tiles) > 0 ? 1 : 0;
    }
  }
  EXPECT_GT(corrected, 150);
  fmt::print("{} corrected, {} told, {} run again\n", corrected, told, again);
}

// One or two flips in a tile's sums, weights or activations, and what the differences to the right
// sums add up to by rows and by columns.
TEST(ColumnsGate, ActsWhereAFlaggedRowAndAFlaggedColumnCross) {
  int cells = 0, rows_only = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(9'900 + seed);
    const int rows = random.between(1, 5), lanes = random.between(1, 5);
    const int m = random.between(1, 12), k = random.between(1, 6), n = random.between(1, 12);
    constexpr CheckerKind kKinds[] = {CheckerKind::range, CheckerKind::gradient,
                                      CheckerKind::median};
    Checker c{.kind = kKinds[seed % 3], .gate = Gate::cell};
    if (c.has_bounds()) c.layers = {{"gemm", {{-300, 200}}}};
    Protection p = columns(false);
    p.checkers = {c};
    const GemmCase gemm(random, m, k, n, {rows, lanes}, p);
    // The same machine in time, whose checker finds nothing.
    p.checkers = {{.gate = Gate::cell, .layers = {{"gemm", {Bounds{}}}}}};
    if (c.kind == CheckerKind::gradient) p.checkers[0].kind = CheckerKind::gradient;
    const Program open = compile_gemm(m, k, n, gemm.b, {rows, lanes}, gemm.program.memory, p);
    FaultyRuns with(gemm.program, gemm.a), without(open, gemm.a);
    const auto clean = gemm.product();
    ASSERT_EQ(with.clean_raw(), clean);
    for (int trial = 0; trial < 20; ++trial) {
      const TileRecord& t = with.tiles()[random.bits() % with.tiles().size()];
      const int used = std::min(rows, m - t.row), wide = std::min(lanes, n - t.column);
      std::vector<Fault> faults, same;
      for (int i = random.between(1, 2); i > 0; --i) {
        const int r = random.between(0, used - 1), l = random.between(0, wide - 1);
        constexpr const char* kWhat[] = {"acc", "a", "b"};
        const int what = random.between(0, 2);
        const std::string site = fmt::format("array.pe[{}][{}].{}:{}", r, l, kWhat[what],
                                             random.between(0, what == 0 ? 31 : 7));
        const std::int64_t at = t.start_cycle + r + l + random.between(0, k - 1);
        faults.push_back({with.site(site), at});
        same.push_back({without.site(site), at});
      }
      ASSERT_TRUE(with.run(faults));
      ASSERT_TRUE(without.run(same));
      const auto& y = without.machine().raw_output();
      auto expected = y;
      std::vector<std::vector<std::int32_t>> tile;
      std::vector<std::uint32_t> row(static_cast<std::size_t>(used)),
          column(static_cast<std::size_t>(wide));
      for (int r = 0; r < used; ++r) {
        tile.emplace_back();
        for (int l = 0; l < wide; ++l) {
          const std::size_t at = gemm.at(t.row + r, t.column + l);
          const auto d = static_cast<std::uint32_t>(clean[at]) - static_cast<std::uint32_t>(y[at]);
          row[static_cast<std::size_t>(r)] += d;
          column[static_cast<std::size_t>(l)] += d;
          tile.back().push_back(y[at]);
        }
      }
      for (int r = 0; r < used; ++r) {
        const auto i = static_cast<std::size_t>(r);
        if (row[i] == 0) continue;
        const test::Replaced replaced = test::by(c, tile, i, 1, 1, 0, t.column, 0);
        for (int l = 0; l < wide; ++l) {
          const auto j = static_cast<std::size_t>(l);
          if (!replaced[j]) continue;
          ++(column[j] != 0 ? cells : rows_only);
          if (column[j] == 0) continue;
          expected[gemm.at(t.row + r, t.column + l)] = static_cast<std::int32_t>(*replaced[j]);
        }
      }
      ASSERT_EQ(with.machine().raw_output(), expected);
      ASSERT_FALSE(with.machine().uncorrected());
    }
  }
  EXPECT_GT(cells, 150);
  EXPECT_GT(rows_only, 100);
}

// What is corrected is right: nothing is left for a checker behind.
TEST(ColumnsGate, StaysShutWhereASumWasCorrected) {
  Random random(77);
  Protection p = columns();
  p.checkers = {{.gate = Gate::cell, .layers = {{"gemm", {{0, 0}}}}},
                {.kind = CheckerKind::median, .gate = Gate::row}};
  const GemmCase gemm(random, 5, 4, 6, kArray, p);
  FaultyRuns runs(gemm.program, gemm.a);
  const TileRecord& t = runs.tiles()[0];
  const auto flip = [&](int r, int c) {
    return Fault{runs.site(fmt::format("array.pe[{}][{}].acc:7", r, c)), t.start_cycle + r + c};
  };
  ASSERT_TRUE(runs.run({flip(1, 2)}));
  EXPECT_EQ(runs.machine().raw_output(), runs.clean_raw());
  EXPECT_TRUE(runs.machine().suppressions().empty());
  ASSERT_TRUE(runs.run({flip(1, 2), flip(2, 3)}));
  EXPECT_TRUE(runs.machine().uncorrected());
  int ranged = 0;
  for (const SuppressionRecord& s : runs.machine().suppressions()) ranged += s.checker == 0 ? 1 : 0;
  EXPECT_EQ(ranged, 4) << "two rows, two columns";
}

// A tree of activations so deep that products come later than the last row.
TEST(ColumnsTiming, WaitsForDeepTrees) {
  for (const int rows : {16, 33, 128, 256}) {
    for (const int lanes : {1, 2, 4}) {
      Random random(5);
      const ArrayShape array{rows, lanes};
      const GemmCase gemm(random, 1, 3, 1, array, columns());
      FaultyRuns runs(gemm.program, gemm.a);
      EXPECT_EQ(runs.clean_raw(), gemm.product());
      const int levels = test::ceil_log2(lanes);
      const int wait = 3 + levels + 1 + std::max(1 + levels, test::ceil_log2(rows) - 3);
      EXPECT_EQ(total(runs.machine(), &LayerCounters::verify_cycles), wait + 1);
      ASSERT_TRUE(runs.run({{runs.site("array.pe[0][0].acc:3"), runs.tiles()[0].start_cycle}}));
      EXPECT_EQ(runs.machine().raw_output(), runs.clean_raw());
      EXPECT_FALSE(runs.machine().uncorrected());
    }
  }
}

std::string refusal(const Protection& p, const ArrayShape& array = kArray) {
  try {
    compile_gemm(2, 2, 2, std::vector<std::int8_t>(4), array, {}, p);
  } catch (const InputError& e) {
    return e.what();
  }
  return "";
}

TEST(ColumnsRefusals, SayWhy) {
  const auto refused = [](const Protection& p, const ArrayShape& array, const char* why) {
    EXPECT_NE(refusal(p, array).find(why), std::string::npos) << why << ": " << refusal(p, array);
  };
  EXPECT_EQ(refusal(columns(true, 1)), "");
  refused(columns(), {3, 4, Dataflow::ws}, "every layer is output stationary");
  refused(columns(), {3, 4, Dataflow::is}, "every layer is output stationary");
  ArrayShape mixture{3, 4};
  mixture.layer_dataflows["gemm"] = Dataflow::ws;  // the only layer
  refused(columns(), mixture, "every layer is output stationary");
  refused(columns(), {3, 4, Dataflow::os, true}, "with overlap");
  Protection p = columns();
  p.arrays = 2;
  refused(p, kArray, "judges tiles");
  p = columns();
  p.passes = 3;
  refused(p, kArray, "judges tiles");
  p = columns();
  p.memory_code = MemoryCode::secded;
  refused(p, kArray, "no check bits");
  p = columns();
  p.checksum = false;
  refused(p, kArray, "without those of rows");
  p = columns();
  p.column_checksum = false;
  refused(p, kArray, "without checksums of columns");
  p.correct = false;
  p.checkers = {{.gate = Gate::cell}};
  refused(p, kArray, "columns have no checksums");
  p = columns();
  p.checkers = {{.gate = Gate::cell, .position = Position::output}};
  refused(p, kArray, "only sums have checksums of");
}

}  // namespace
}  // namespace sagitta
