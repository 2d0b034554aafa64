// The checksum detector where an operand is stationary: which flips it must miss, and that it
// misses no others.
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/folded_product.h"

namespace sagitta {
namespace {

using test::FoldedProduct;
using test::GemmCase;
using test::Random;

class ChecksumFolds : public testing::TestWithParam<Dataflow> {
 protected:
  Random random_{12};
  // Four lanes and three; folds of three taps and two; parts of 2 and 1.
  GemmCase gemm_ = GetParam() == Dataflow::is ? make(7, 3) : make(3, 7);

  GemmCase make(int m, int n) {
    return {random_, m, 5, n, {3, 4, GetParam()}, FoldedProduct::checksum(true), 2};
  }

  // Strikes, and expects the results and a flag for each row whose changes do not cancel.
  static void expect(FoldedProduct& x, const std::vector<Fault>& faults,
                     const FoldedProduct::Result& expected, int flags) {
    ASSERT_TRUE(x.runs.run(faults));
    ASSERT_EQ(x.runs.machine().raw_output(), expected);
    ASSERT_EQ(x.runs.machine().cycle(), x.runs.cycles());
    ASSERT_EQ(x.runs.machine().mismatches(), flags);
  }
};

INSTANTIATE_TEST_SUITE_P(Dataflows, ChecksumFolds, testing::Values(Dataflow::ws, Dataflow::is),
                         [](const auto& d) { return std::string(to_string(d.param)); });

// A moving operand is shared by the columns to its right: its flip escapes when the stationary ones
// that it meets there sum to zero, and only then.
TEST_P(ChecksumFolds, AFlipOfAMovingOperandEscapesExactlyWhenTheTouchedOnesCancel) {
  FoldedProduct x(FoldedProduct::with_units(random_, gemm_));
  int escapes = 0, caught = 0;
  for (const TileRecord& t : x.tiles()) {
    for (int r = 0; r < x.taps(t); ++r) {
      for (int c = 0; c < x.lanes(t); ++c) {
        int touched = 0;
        for (int n = c; n < x.lanes(t); ++n) touched += x.resting(t, r, n);
        Site site = x.runs.site(fmt::format("array.pe[{}][{}].{}:0", r, c, x.moves()));
        for (int p = 0; p < x.pixels(t); ++p) {
          for (site.bit = 0; site.bit < 8; ++site.bit) {
            const std::int64_t cycle = t.start_cycle + p + r + c;
            auto expected = x.runs.clean_raw();
            x.flip_moving(expected, cycle, r + c, r, c, site.bit);
            ASSERT_EQ(x.changed(expected), x.lanes(t) - c);
            SCOPED_TRACE(fmt::format("{}@{}", x.runs.sites().path(site), cycle));
            ASSERT_NO_FATAL_FAILURE(expect(x, {{site, cycle}}, expected, touched == 0 ? 0 : 1));
            ++(touched == 0 ? escapes : caught);
          }
        }
      }
    }
  }
  EXPECT_GT(escapes, 50);
  EXPECT_GT(caught, 100);
}

// Two sums of one pixel, flipped in the same bit: one rises by as much as the other falls, or both
// change by the same, which is caught except in bit 31, where they add up to 2^32.
TEST_P(ChecksumFolds, TwoSumFlipsOfARowEscapeExactlyWhenTheyCancel) {
  FoldedProduct x(gemm_);
  int escapes = 0, caught = 0;
  for (const TileRecord& t : x.tiles()) {
    for (int p = 0; p < x.pixels(t); ++p) {
      for (int c = 1; c < x.lanes(t); ++c) {
        for (int bit = 0; bit < 32; ++bit) {
          // In rows of their own, so that the flips are of different registers and cycles.
          const int first = (bit + p) % x.rows, second = (bit + c) % x.rows;
          const std::array rows{first, second};
          const std::array columns{c - 1, c};
          std::vector<Fault> faults;
          auto expected = x.runs.clean_raw();
          std::uint32_t ones = 0;
          for (std::size_t i = 0; i < 2; ++i) {
            const int delay = rows[i] + columns[i] + 1;
            const std::int64_t cycle = t.start_cycle + p + delay;
            faults.push_back(
                {x.runs.site(fmt::format("array.pe[{}][{}].acc:{}", rows[i], columns[i], bit)),
                 cycle});
            x.flip_sum(expected, cycle, delay, rows[i], columns[i], bit);
            ones += test::bits_of(x.sum(t, p, rows[i], columns[i])) >> bit & 1U;
          }
          ASSERT_EQ(x.changed(expected), 2);
          const bool cancels = ones == 1 || bit == 31;
          SCOPED_TRACE(fmt::format("pixel {} column {} bit {}", t.row + p, t.column + c, bit));
          ASSERT_NO_FATAL_FAILURE(expect(x, faults, expected, cancels ? 0 : 1));
          ++(cancels ? escapes : caught);
        }
      }
    }
  }
  EXPECT_GT(escapes, 100);
  EXPECT_GT(caught, 100);
}

}  // namespace
}  // namespace sagitta
