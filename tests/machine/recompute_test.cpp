// Tiles that run again: a flip that struck a tile's sums is gone after one more run of it, at the
// cost of that run; what lies in the scratchpads stays wrong, and the host is told.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "network/reference.h"
#include "support/closed_form.h"
#include "support/rerun_product.h"

namespace sagitta {
namespace {

using test::Random;
using test::total;
using Product = test::RerunProduct;

Protection recompute(int retries) {
  Protection p;
  p.name = "recompute";
  p.checksum = true;
  p.retries = retries;
  return p;
}

class RecomputeOf : public testing::TestWithParam<test::ArrayVariant> {};

INSTANTIATE_TEST_SUITE_P(Dataflows, RecomputeOf, testing::ValuesIn(test::kRerunFlows),
                         [](const auto& variant) { return variant.param.name(); });

TEST_P(RecomputeOf, ASumThatWasStruckIsRightAfterOneMoreRunOfItsTile) {
  Product x(GetParam(), recompute(1));
  ASSERT_EQ(x.runs.clean_raw(), x.gemm().product());
  const auto tiles = x.tiles();
  ASSERT_GE(tiles.size(), 4U);
  for (const Product::Tile& t : tiles) {
    for (int pixel = 0; pixel < t.pixels; ++pixel) {
      for (int channel = 0; channel < t.channels; ++channel) {
        SCOPED_TRACE(
            fmt::format("tile {} {}, pixel {} channel {}", t.row, t.column, pixel, channel));
        ASSERT_TRUE(x.runs.run({x.sum_flip(t, pixel, channel, (5 * pixel + channel) % 32)}));
        const Machine& machine = x.runs.machine();
        ASSERT_EQ(machine.mismatches(), 1);
        ASSERT_EQ(machine.raw_output(), x.runs.clean_raw());
        ASSERT_FALSE(machine.uncorrected());
        ASSERT_EQ(total(machine, &LayerCounters::recomputed_tiles), 1);
        ASSERT_EQ(machine.cycle(), x.runs.cycles() + x.cost(t));
        ASSERT_EQ(total(machine, &LayerCounters::recompute_cycles), x.cost(t));
      }
    }
  }
}

// The same sum once more in the second run: with one retry that was the last one.
TEST_P(RecomputeOf, AFlipInEachTryExhaustsTheRetries) {
  for (const int retries : {1, 2}) {
    Product x(GetParam(), recompute(retries));
    for (const Product::Tile& t : x.tiles()) {
      SCOPED_TRACE(fmt::format("{} retries, tile {} {}", retries, t.row, t.column));
      const Fault first = x.sum_flip(t, 0, 0, 9), second = x.sum_flip(t, 0, 0, 12, x.cost(t));
      ASSERT_TRUE(x.runs.run({first, second}));
      const Machine& machine = x.runs.machine();
      ASSERT_EQ(machine.mismatches(), 2);
      ASSERT_EQ(total(machine, &LayerCounters::recomputed_tiles), retries);
      ASSERT_EQ(machine.cycle(), x.runs.cycles() + retries * x.cost(t));
      ASSERT_EQ(machine.uncorrected(), retries == 1);
      auto expected = x.runs.clean_raw();
      auto& struck = expected[x.gemm().at(t.row, t.column)];
      ASSERT_EQ(machine.raw_output() == expected, retries == 2);
      struck = machine.raw_output()[x.gemm().at(t.row, t.column)];
      ASSERT_EQ(machine.raw_output(), expected) << "only the struck sum";
    }
  }
}

// Every tile that needs it fails in every try. The others are as they were. Input stationary the
// detector takes its weights from the same read registers, so that there a bias is struck.
TEST_P(RecomputeOf, AWordOfTheScratchpadThatStaysWrongDefeatsIt) {
  for (const int retries : {1, 3}) {
    Product x(GetParam(), recompute(retries));
    const auto tiles = x.tiles();
    const bool is = GetParam().dataflow == Dataflow::is;
    // The last column tile's bank, once it is there: lane 0 is its first channel.
    const Product::Tile& last = tiles.back();
    std::int64_t first = last.start;
    std::int64_t cost = 0;
    int failing = 0;
    for (const Product::Tile& t : tiles) {
      if (t.column != last.column) continue;
      first = std::min(first, t.start);
      cost += x.cost(t);
      ++failing;
    }
    const int bank = (last.column / (is ? Product::kPartialRows : Product::kColumns)) % 2;
    const Site site =
        x.runs.site(fmt::format(fmt::runtime(is ? "memory.parameter.bank[{}].lane[0].word[0]:6"
                                                : "memory.weight.bank[{}].row[0].lane[0]:6"),
                                bank));
    // Before its first use: weights are read from preload (R cycles before the stream) on.
    const std::int64_t at = first - 2 - (GetParam().dataflow == Dataflow::os ? 0 : 6);
    ASSERT_TRUE(x.runs.run({{site, at}}, 100'000));
    const Machine& machine = x.runs.machine();
    EXPECT_TRUE(machine.uncorrected());
    EXPECT_EQ(total(machine, &LayerCounters::recomputed_tiles), retries * failing);
    EXPECT_EQ(machine.cycle(), x.runs.cycles() + retries * cost);
    for (int m = 0; m < x.gemm().m; ++m) {
      for (int n = 0; n < x.gemm().n; ++n) {
        const std::size_t at_output = x.gemm().at(m, n);
        EXPECT_EQ(machine.raw_output()[at_output] == x.runs.clean_raw()[at_output],
                  n != last.column)
            << m << " " << n;
      }
    }
  }
}

// A flip of the detector or of the flag itself costs a run and nothing else.
TEST_P(RecomputeOf, AFalseAlarmCostsARun) {
  Product x(GetParam(), recompute(1));
  const Product::Tile t = x.tiles()[1];
  ASSERT_TRUE(x.runs.run({{x.runs.site("resilience.recompute.failed:0"), t.start}}));
  EXPECT_EQ(x.runs.machine().cycle(), x.runs.cycles() + x.cost(t));
  EXPECT_EQ(x.runs.machine().raw_output(), x.runs.clean_raw());
  EXPECT_FALSE(x.runs.machine().uncorrected());
  // The status bit alone.
  ASSERT_TRUE(x.runs.run({{x.runs.site("resilience.recompute.uncorrected:0"), t.start}}));
  EXPECT_EQ(x.runs.machine().cycle(), x.runs.cycles());
  EXPECT_TRUE(x.runs.machine().uncorrected());
  // A try that was not: a flip after it is the last one's.
  ASSERT_TRUE(x.runs.run(
      {{x.runs.site("resilience.recompute.attempt:0"), t.start}, x.sum_flip(t, 0, 0, 3)}));
  EXPECT_EQ(x.runs.machine().cycle(), x.runs.cycles());
  EXPECT_TRUE(x.runs.machine().uncorrected());
}

class RecomputeNetworks : public testing::TestWithParam<test::ArrayVariant> {};

INSTANTIATE_TEST_SUITE_P(Dataflows, RecomputeNetworks, testing::ValuesIn(test::rerun_variants()),
                         [](const auto& variant) { return variant.param.name(); });

// Groups, batches, banks, several schemes at once; and no run under faults ends with a wrong sum
// that the detector knows of, but for the host's being told.
TEST_P(RecomputeNetworks, EveryFlipOfASumIsRepaired) {
  int repaired = 0, batches = 0;
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(8'800 + seed);
    const int rows = random.between(1, 6);
    const ArrayShape array = GetParam().shape(rows, random.between(1, 6), seed);
    const Network network = test::random_network(random, 4);
    Protection p = recompute(random.between(1, 2));
    if (random.chance(30)) {
      p.checkers.push_back(test::random_checker(random, network, CheckerKind::gradient, true));
      p.checkers.back().gate = Gate::row;  // which nothing opens in the run that counts
    }
    const int batch = random.chance(60) ? 1 : random.between(2, 3);
    batches += batch > 1 ? 1 : 0;
    const Program program =
        compile(network, array, test::random_memory(random, array), p, "test", batch);
    const auto images = random.int8s(batch * network.input.elements());
    std::vector<std::int8_t> expected;
    for (int i = 0; i < batch; ++i) {
      const auto pixels = images.begin() + std::int64_t{i} * network.input.elements();
      const auto logits =
          run_network(network, {pixels, pixels + network.input.elements()}).back().output;
      expected.insert(expected.end(), logits.begin(), logits.end());
    }
    Machine machine(program);
    const SiteMap sites(machine.layout());
    machine.reset(images.data());
    ASSERT_TRUE(machine.run(10'000'000));
    ASSERT_EQ(machine.logits(), expected) << "idle";
    ASSERT_EQ(total(machine, &LayerCounters::recomputed_tiles), 0);
    ASSERT_FALSE(machine.uncorrected());
    const std::int64_t clean = machine.cycle();
    const SiteSelection sums = sites.select("array.pe[*][*].acc", "", "");
    for (int k = 0; k < 40; ++k) {
      const Fault fault{sums.at(static_cast<std::int64_t>(random.bits() %
                                                          static_cast<std::uint64_t>(sums.bits()))),
                        random.between(0, static_cast<int>(clean) - 1)};
      SCOPED_TRACE(fmt::format("{}@{}", sites.path(fault.site), fault.cycle));
      Injector injector(sites, {fault});
      machine.reset(images.data());
      ASSERT_TRUE(test::run_with(machine, injector, 2 * clean + 1000));
      ASSERT_EQ(machine.logits(), expected);
      ASSERT_FALSE(machine.uncorrected());
      const std::int64_t again = total(machine, &LayerCounters::recomputed_tiles);
      ASSERT_EQ(again, machine.mismatches() > 0 ? 1 : 0);
      ASSERT_LE(machine.cycle(), clean + total(machine, &LayerCounters::recompute_cycles));
      for (const LayerCounters& c : machine.counters()) {
        ASSERT_EQ(c.busy_cycles() + c.stall_cycles() + c.idle_cycles(), c.cycles);
      }
      repaired += static_cast<int>(again);
    }
  }
  EXPECT_GT(repaired, 80);
  EXPECT_GT(batches, 3);
}

// Where an operand is stationary a tile is judged at the end of a flush that is there anyway.
TEST(Recompute, CostsAFaultFreeRunNothingButTheOutputStationaryWait) {
  for (const test::ArrayVariant& variant : test::kRerunFlows) {
    const Product without(variant, recompute(0)), with(variant, recompute(1));
    std::int64_t waits = 0;  // in the clean run
    for (const LayerCounters& c : with.runs.clean().counters) waits += c.verify_cycles;
    EXPECT_EQ(with.runs.cycles() - without.runs.cycles(), waits) << variant.name();
    // Four row tiles in each of two column tiles; the last is judged at the end of the flush.
    EXPECT_EQ(waits, variant.dataflow == Dataflow::os ? 2 * 3 * (3 + 2 + 1) : 0) << variant.name();
  }
}

std::string refusal(const Protection& p, const ArrayShape& array) {
  Random random(1);
  const Network network = test::random_network(random, 2);
  try {
    compile(network, array, {}, p, "experiment.json");
  } catch (const InputError& e) {
    return e.what();
  }
  return "";
}

TEST(Recompute, IsRefusedWhereItCannotWork) {
  Protection p = recompute(1);
  EXPECT_EQ(refusal(p, {3, 3}), "");
  EXPECT_EQ(refusal(p, {3, 3, Dataflow::ws, true}), "");
  EXPECT_NE(refusal(p, {3, 3, Dataflow::os, true}).find("with overlap"), std::string::npos);
  p.checksum = false;
  EXPECT_NE(refusal(p, {3, 3}).find("nothing tells which"), std::string::npos);
  p = recompute(8);
  EXPECT_NE(refusal(p, {3, 3}).find("8 times"), std::string::npos);
  p = recompute(-1);
  EXPECT_NE(refusal(p, {3, 3}).find("-1 times"), std::string::npos);
  p = recompute(1);
  p.checkers.push_back({.kind = CheckerKind::gradient, .axis = Axis::line});
  EXPECT_NE(refusal(p, {3, 3}).find("along lines"), std::string::npos);
}

}  // namespace
}  // namespace sagitta
