// The checksum detector: it flags every flip that changes exactly one output of a GEMM row, misses
// what the formula says it must miss, and never cries wolf.
#include <cstring>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/flips.h"
#include "support/gemm_case.h"

namespace sagitta {
namespace {

using test::FaultyRuns;
using test::GemmCase;
using test::Random;

constexpr int kRows = 3;
constexpr int kColumns = 4;

Protection detector() {
  Protection p;
  p.name = "checksum";
  p.checksum = true;
  return p;
}

class Checksum : public testing::Test {
 protected:
  Random random_{21};
  GemmCase gemm_{random_, 5, 4, 6, {kRows, kColumns}, detector()};
  FaultyRuns runs_{gemm_.program, gemm_.a};

  // GEMM rows of a column tile whose outputs differ from the clean run's, and those among them in
  // which the differences do not cancel.
  struct Rows {
    int changed = 0, flaggable = 0;
  };
  Rows changed_rows() const {
    Rows rows;
    for (int m = 0; m < gemm_.m; ++m) {
      for (int first = 0; first < gemm_.n; first += kColumns) {
        bool changed = false;
        std::uint32_t sum = 0;
        for (int n = first; n < std::min(gemm_.n, first + kColumns); ++n) {
          const std::uint32_t d =
              static_cast<std::uint32_t>(runs_.machine().raw_output()[gemm_.at(m, n)]) -
              static_cast<std::uint32_t>(runs_.clean_raw()[gemm_.at(m, n)]);
          changed = changed || d != 0;
          sum += d;
        }
        rows.changed += changed ? 1 : 0;
        rows.flaggable += sum != 0 ? 1 : 0;
      }
    }
    return rows;
  }
  template <typename Check>
  void exhaust(const std::string& globs, const Check& check) {
    test::exhaust(runs_, globs, check);
  }
};

TEST_F(Checksum, EveryFlipOfAnAccumulatorInUseIsFlaggedOnce) {
  int effective = 0;
  exhaust("array.pe[*][*].acc", [&] {
    const Rows rows = changed_rows();
    ASSERT_LE(rows.changed, 1);
    ASSERT_EQ(runs_.machine().mismatches(), rows.changed);
    effective += rows.changed;
  });
  EXPECT_GT(effective, 32 * gemm_.m * gemm_.n);
}

TEST_F(Checksum, EveryWeightFlipIsFlaggedInEveryRowItReaches) {
  exhaust("array.pe[*][*].b,array.skew_b**,memory.weight.read**",
          [&] { ASSERT_EQ(runs_.machine().mismatches(), changed_rows().changed); });
}

// An activation is shared by the columns to its right: its flip escapes when the weights that it
// meets there sum to zero, and only then.
TEST_F(Checksum, AnActivationFlipEscapesExactlyWhenTheTouchedWeightsCancel) {
  Random random(4);
  for (auto& w : gemm_.b) w = static_cast<std::int8_t>(random.chance(50) ? 1 : -1);
  MemoryShape memory = gemm_.program.memory;
  const Program program =
      compile_gemm(gemm_.m, gemm_.k, gemm_.n, gemm_.b, {kRows, kColumns}, memory, detector());
  FaultyRuns runs(program, gemm_.a);
  int escapes = 0, caught = 0;
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
          ASSERT_NE(runs.machine().raw_output(), runs.clean_raw());
          ASSERT_EQ(runs.machine().mismatches(), touched == 0 ? 0 : 1)
              << runs.sites().path(f.site) << "@" << f.cycle;
          ++(touched == 0 ? escapes : caught);
        }
      }
    }
  }
  EXPECT_GT(escapes, 10);
  EXPECT_GT(caught, 10);
}

TEST_F(Checksum, AFlagMeansThatARowIsWrongUnlessTheDetectorItselfIsStruck) {
  exhaust("array.skew_a**,array.pe[*][*].a", [&] {
    const Rows rows = changed_rows();
    ASSERT_EQ(runs_.machine().mismatches(), rows.flaggable);
  });
}

// The detector's own registers never change a result: they can only raise a false flag.
TEST_F(Checksum, FlipsInTheDetectorNeverTouchTheData) {
  int raised = 0;
  exhaust(
      "resilience.checksum.pe**,resilience.checksum.skew**,resilience.checksum.expected**,"
      "resilience.checksum.tree**,resilience.checksum.bias_sum",
      [&] {
        ASSERT_EQ(changed_rows().changed, 0);
        raised += runs_.machine().mismatches() > 0 ? 1 : 0;
      });
  EXPECT_GT(raised, 1000);
}

// A flip behind the compare is no longer seen.
TEST_F(Checksum, TheDelayOfTheOutputIsBehindTheCompare) {
  exhaust("resilience.checksum.output.sum[*]", [&] { ASSERT_EQ(runs_.machine().mismatches(), 0); });
}

TEST(ChecksumOnNetworks, NoFalseAlarmWithPaddingBiasAndZeroPoints) {
  std::int64_t rows = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Random random(400 + seed);
    const Network network = test::random_network(random);
    const Program program = compile(network, {random.between(1, 9), random.between(1, 20)},
                                    test::random_memory(random), detector(), "test");
    const auto image = random.int8s(network.input.elements());
    Machine machine(program);
    machine.reset(image.data());
    ASSERT_TRUE(machine.run(10'000'000));
    ASSERT_EQ(machine.mismatches(), 0) << "seed " << seed;
    for (const LayerCounters& c : machine.counters()) rows += c.vectors;
  }
  EXPECT_GT(rows, 3'000);
}

// Sums that wrap modulo 2^32 are equal on both sides of the compare.
TEST(ChecksumOnNetworks, NoFalseAlarmWhenSumsWrap) {
  Random random(9);
  Network network;
  network.input = {4, 4, 3};
  network.layers.push_back(test::random_gemm(random, network.input, false));
  Layer& layer = network.layers[0];
  for (auto& b : layer.bias)
    b = random.chance(50) ? INT32_MAX - random.between(0, 100) : INT32_MIN + random.between(0, 100);
  for (auto& w : layer.weights) w = -128;
  const Program program = compile(network, {3, 4}, {}, detector(), "test");
  const std::vector<std::int8_t> image(static_cast<std::size_t>(network.input.elements()), -128);
  Machine machine(program);
  machine.reset(image.data());
  ASSERT_TRUE(machine.run(1'000'000));
  EXPECT_EQ(machine.mismatches(), 0);
}

// A checksum weight has 8 + ceil(log2 C) bits; what DMA brings beyond them is not stored.
TEST(ChecksumWeights, HaveTheBitsOfTheirWidthOnly) {
  test::Random random(77);
  const int columns = 4;  // 10 bits
  const auto b = random.int8s(3 * columns);
  Protection p;
  p.checksum = true;
  Program program = compile_gemm(1, 3, columns, b, {1, columns}, {}, p);
  const auto image = random.int8s(3);
  Machine plain(program);
  plain.reset(image.data());
  ASSERT_TRUE(plain.run(1'000'000));
  // Flip the bits above the width in every checksum weight's upper byte.
  Transfer& t = program.transfers[1];
  const int header = program.parameters.header_bytes(columns);
  for (int k = 0; k < 3; ++k) {
    t.bytes[static_cast<std::size_t>(header + k * (columns + 2) + columns + 1)] ^= 0xFC;
  }
  Machine other(program);
  other.reset(image.data());
  ASSERT_TRUE(other.run(1'000'000));
  EXPECT_EQ(other.mismatches(), 0);
  EXPECT_EQ(std::memcmp(plain.state().held(), other.state().held(), plain.layout().held_bytes()),
            0);
}

}  // namespace
}  // namespace sagitta
