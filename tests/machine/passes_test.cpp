// Redundancy in time: every tile runs three times, and its sums are voted on. What one pass alone
// has wrong is outvoted, whatever it was; what two have wrong, or the scratchpads, is not.
#include <cstdint>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "network/reference.h"
#include "support/rerun_product.h"

namespace sagitta {
namespace {

using test::Random;
using test::total;
using Product = test::RerunProduct;

Protection passes(int retries = 0) {
  Protection p;
  p.name = "three passes";
  p.passes = 3;
  p.checksum = retries > 0;
  p.retries = retries;
  return p;
}

class PassesOf : public testing::TestWithParam<test::ArrayVariant> {};

INSTANTIATE_TEST_SUITE_P(Dataflows, PassesOf, testing::ValuesIn(test::kRerunFlows),
                         [](const auto& variant) { return variant.param.name(); });

// Each tile costs its run twice more, and nothing else.
TEST_P(PassesOf, TakeEachTileThreeTimes) {
  Product x(GetParam(), passes());
  EXPECT_EQ(x.runs.clean_raw(), x.gemm().product());
  Protection once = passes();
  once.passes = 1;
  const Product single(GetParam(), once);
  std::int64_t runs = 0, waits = 0;
  for (const Product::Tile& t : x.tiles()) {
    runs += x.cost(t);
    // Output stationary the first run of a row tile waits as well.
    if (GetParam().dataflow == Dataflow::os && t.row + Product::kRows < x.gemm().m) waits += 3;
  }
  EXPECT_EQ(x.runs.cycles() - single.runs.cycles(), 2 * runs + waits);
  std::int64_t macs = 0;
  for (const LayerCounters& c : x.runs.clean().counters) macs += c.macs;
  EXPECT_EQ(macs, 3 * 10 * 7 * 6);
}

// In each of the three passes.
TEST_P(PassesOf, ASumThatOnePassHasWrongIsOutvoted) {
  Product x(GetParam(), passes());
  for (const Product::Tile& t : x.tiles()) {
    for (int pass = 0; pass < 3; ++pass) {
      for (int bit = 0; bit < 32; bit += 5) {
        SCOPED_TRACE(fmt::format("tile {} {}, pass {} bit {}", t.row, t.column, pass, bit));
        ASSERT_TRUE(x.runs.run({x.sum_flip(t, 0, 0, bit, pass * x.cost(t))}));
        ASSERT_FALSE(x.runs.visible());
      }
    }
  }
}

// In whichever two of them.
TEST_P(PassesOf, TheSameBitInTwoPassesCorrupts) {
  Product x(GetParam(), passes());
  const int pairs[][2] = {{0, 1}, {0, 2}, {1, 2}};
  for (const Product::Tile& t : x.tiles()) {
    for (const auto& [one, other] : pairs) {
      SCOPED_TRACE(fmt::format("tile {} {}, passes {} and {}", t.row, t.column, one, other));
      ASSERT_TRUE(x.runs.run(
          {x.sum_flip(t, 0, 0, 20, one * x.cost(t)), x.sum_flip(t, 0, 0, 20, other * x.cost(t))}));
      const auto& result = x.runs.machine().raw_output();
      const std::size_t struck = x.gemm().at(t.row, t.column);
      ASSERT_EQ(std::abs(result[struck] - x.runs.clean_raw()[struck]), 1 << 20);
      // Two sums: each is outvoted.
      ASSERT_TRUE(x.runs.run(
          {x.sum_flip(t, 0, 0, 20, one * x.cost(t)), x.sum_flip(t, 0, 1, 20, other * x.cost(t))}));
      ASSERT_FALSE(x.runs.visible());
    }
  }
}

// As the last pass begins both sums of a row are kept, and those of the first one have been read.
TEST_P(PassesOf, AKeptSumIsOutvotedUnlessBothAreStruck) {
  Product x(GetParam(), passes());
  const Product::Tile t = x.tiles()[1];
  const bool is = GetParam().dataflow == Dataflow::is;
  const std::int64_t at = t.start + 2 * x.cost(t);
  const auto flip = [&](const std::string& path) { return Fault{x.runs.site(path), at}; };
  for (int lane = 0; lane < (is ? t.pixels : t.channels); ++lane) {
    for (int row = 0; row < (is ? t.channels : t.pixels); ++row) {
      SCOPED_TRACE(fmt::format("row {} lane {}", row, lane));
      const Fault first = flip(fmt::format("memory.vote.bank[0].row[{}].lane[{}]:13", row, lane));
      const Fault second = flip(fmt::format("memory.vote.bank[1].row[{}].lane[{}]:13", row, lane));
      for (const Fault& one : {first, second}) {
        ASSERT_TRUE(x.runs.run({one}));
        ASSERT_FALSE(x.runs.visible());
      }
      ASSERT_TRUE(x.runs.run({first, second}));
      ASSERT_EQ(x.runs.visible(), row > 0);
    }
    ASSERT_TRUE(x.runs.run({flip(fmt::format("memory.vote.read[0][{}]:13", lane)),
                            flip(fmt::format("memory.vote.read[1][{}]:13", lane))}));
    ASSERT_TRUE(x.runs.visible());
  }
}

// All passes take the same word, and nothing tells.
TEST_P(PassesOf, AWeightThatStaysWrongIsNotSeen) {
  Product x(GetParam(), passes());
  ASSERT_TRUE(
      x.runs.run({{x.runs.site("memory.weight.bank[0].row[1].lane[0]:6"), x.tiles()[0].start}}));
  EXPECT_NE(x.runs.machine().raw_output(), x.runs.clean_raw());
  EXPECT_EQ(x.runs.machine().cycle(), x.runs.cycles());
  EXPECT_FALSE(x.runs.machine().uncorrected());
}

// What is voted on passes the detector: a tile that two passes have wrong is tried again.
TEST_P(PassesOf, WithADetectorAVoteThatIsWrongIsTriedAgain) {
  Product x(GetParam(), passes(1));
  for (const Product::Tile& t : x.tiles()) {
    SCOPED_TRACE(fmt::format("tile {} {}", t.row, t.column));
    ASSERT_TRUE(x.runs.run({x.sum_flip(t, 0, 0, 7)}));
    ASSERT_FALSE(x.runs.visible()) << "no alarm";
    ASSERT_TRUE(x.runs.run({x.sum_flip(t, 0, 0, 7), x.sum_flip(t, 0, 0, 7, 2 * x.cost(t))}));
    const Machine& machine = x.runs.machine();
    ASSERT_EQ(machine.mismatches(), 1);
    ASSERT_EQ(machine.raw_output(), x.runs.clean_raw());
    ASSERT_FALSE(machine.uncorrected());
    ASSERT_EQ(total(machine, &LayerCounters::recomputed_tiles), 1);
    ASSERT_EQ(machine.cycle(), x.runs.cycles() + 3 * x.cost(t));
    ASSERT_EQ(total(machine, &LayerCounters::recompute_cycles), 3 * x.cost(t));
  }
}

class PassesNetworks : public testing::TestWithParam<test::ArrayVariant> {};

INSTANTIATE_TEST_SUITE_P(Dataflows, PassesNetworks, testing::ValuesIn(test::rerun_variants()),
                         [](const auto& variant) { return variant.param.name(); });

// Anything in the array, its read registers and its partial sums, on random networks.
TEST_P(PassesNetworks, EveryFlipOfTheArrayIsOutvoted) {
  for (std::uint64_t seed = 0; seed < 25; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(9'900 + seed);
    const int rows = random.between(1, 5);
    const ArrayShape array = GetParam().shape(rows, random.between(1, 5), seed);
    const Network network = test::random_network(random, 3);
    const int batch = random.chance(70) ? 1 : 2;
    const Program program =
        compile(network, array, test::random_memory(random, array), passes(), "test", batch);
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
    ASSERT_EQ(machine.logits(), expected);
    const std::int64_t clean = machine.cycle();
    const SiteSelection struck = sites.select(
        program.array.folds() ? "array.**,memory.weight.read**,memory.activation.read**,"
                                "memory.partial.row**,memory.partial.read[*]"
                              : "array.**,memory.weight.read**,memory.activation.read**",
        "", "");
    for (int k = 0; k < 40; ++k) {
      const Fault fault{struck.at(static_cast<std::int64_t>(
                            random.bits() % static_cast<std::uint64_t>(struck.bits()))),
                        random.between(0, static_cast<int>(clean) - 1)};
      SCOPED_TRACE(fmt::format("{}@{}", sites.path(fault.site), fault.cycle));
      Injector injector(sites, {fault});
      machine.reset(images.data());
      ASSERT_TRUE(test::run_with(machine, injector, 2 * clean + 1000));
      ASSERT_EQ(machine.logits(), expected);
      ASSERT_EQ(machine.cycle(), clean);
    }
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

TEST(Passes, AreRefusedWhereTheyCannotWork) {
  Protection p = passes();
  EXPECT_EQ(refusal(p, {3, 3}), "");
  EXPECT_EQ(refusal(p, {3, 3, Dataflow::is, true}), "");
  EXPECT_NE(refusal(p, {3, 3, Dataflow::os, true}).find("with overlap"), std::string::npos);
  for (const int count : {0, 2, 4, -1}) {
    p.passes = count;
    EXPECT_NE(refusal(p, {3, 3}).find(std::to_string(count) + " times"), std::string::npos);
  }
  for (const MemoryCode code : {MemoryCode::parity, MemoryCode::secded}) {
    p.passes = 3;
    p.memory_code = code;
    EXPECT_NE(refusal(p, {3, 3}).find("no check bits"), std::string::npos);
    p.passes = 1;
    EXPECT_EQ(refusal(p, {3, 3}), "");
  }
}

}  // namespace
}  // namespace sagitta
