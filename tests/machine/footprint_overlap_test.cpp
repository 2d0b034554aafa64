// What one flip may change where a tile's sums leave behind the next tile's products, exhaustively:
// every PE register in every cycle of output-stationary products with overlap. The expected result
// is computed from the flip alone; the machine says only when each tile starts and ends. (Weight
// and input stationary: footprint_folds_test.)
#include <cstdint>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/folded_product.h"

namespace sagitta {
namespace {

using test::FaultyRuns;
using test::GemmCase;
using test::Random;

struct Shape {
  int rows, columns, m, k, n;
};

class FootprintOverlap : public testing::TestWithParam<Shape> {
 protected:
  using Result = std::vector<std::int32_t>;

  Random random_{31};
  GemmCase gemm_{random_,
                 GetParam().m,
                 GetParam().k,
                 GetParam().n,
                 {GetParam().rows, GetParam().columns, Dataflow::os, true}};
  FaultyRuns runs_{gemm_.program, gemm_.a};
  int touched_ = 0;

  int rows(const TileRecord& t) const { return std::min(GetParam().rows, gemm_.m - t.row); }
  int lanes(const TileRecord& t) const { return std::min(GetParam().columns, gemm_.n - t.column); }
  // pe[0][0] holds the swap bit that hands the tile over; the last of its rows leaves at its end.
  std::int64_t hand_over(const TileRecord& t) const {
    return t.end_cycle - (2 * rows(t) + lanes(t) - 2);
  }
  void add(Result& result, int m, int n, std::int64_t change) const {
    auto& out = result[gemm_.at(m, n)];
    out = test::wrap(out + change);
  }
  // The flip of a bit of the sum over the first `count` products of C[m][n].
  void flip_sum(Result& result, int m, int n, std::int64_t count, int bit) const {
    std::int64_t sum = 0;
    for (int k = 0; k < count; ++k) sum += gemm_.a_at(m, k) * gemm_.b_at(k, n);
    const std::uint32_t before = test::bits_of(sum);
    add(result, m, n, std::int64_t{before ^ (1U << bit)} - before);
  }

  // Strikes in every cycle every bit of a byte, or four bits of a word, others in the next cycle.
  template <typename Predict>
  void exhaust(const char* name, int width, const Predict& predict) {
    for (int r = 0; r < GetParam().rows; ++r) {
      for (int c = 0; c < GetParam().columns; ++c) {
        Site site = runs_.site(fmt::format("array.pe[{}][{}].{}:0", r, c, name));
        for (std::int64_t cycle = 0; cycle < runs_.cycles(); ++cycle) {
          for (int i = 0; i < (width == 8 ? 8 : 4); ++i) {
            site.bit = width == 8 ? i : 8 * i + static_cast<int>((cycle + i) % 8);
            Result expected = runs_.clean_raw();
            for (const TileRecord& t : runs_.tiles()) {
              if (r < rows(t) && c < lanes(t)) predict(expected, t, r, c, cycle, site.bit);
            }
            SCOPED_TRACE(fmt::format("{}@{}", runs_.sites().path(site), cycle));
            ASSERT_TRUE(runs_.run({{site, cycle}}));
            ASSERT_EQ(runs_.machine().raw_output(), expected);
            ASSERT_EQ(runs_.machine().cycle(), runs_.cycles());
            touched_ += expected != runs_.clean_raw() ? 1 : 0;
          }
        }
      }
    }
  }
};

TEST_P(FootprintOverlap, AnOperandTouchesTheRestOfItsRowOrColumn) {
  EXPECT_EQ(runs_.clean_raw(), gemm_.product());
  exhaust("a", 8, [&](Result& e, const TileRecord& t, int r, int c, std::int64_t cycle, int bit) {
    const std::int64_t k = cycle - t.start_cycle - r - c;
    if (k < 0 || k >= gemm_.k) return;
    const std::int8_t old = gemm_.a_at(t.row + r, static_cast<int>(k));
    for (int n = t.column + c; n < t.column + lanes(t); ++n) {
      add(e, t.row + r, n, (test::flipped(old, bit) - old) * gemm_.b_at(static_cast<int>(k), n));
    }
  });
  exhaust("b", 8, [&](Result& e, const TileRecord& t, int r, int c, std::int64_t cycle, int bit) {
    const std::int64_t k = cycle - t.start_cycle - r - c;
    if (k < 0 || k >= gemm_.k) return;
    const std::int8_t old = gemm_.b_at(static_cast<int>(k), t.column + c);
    for (int m = t.row + r; m < t.row + rows(t); ++m) {
      add(e, m, t.column + c, (test::flipped(old, bit) - old) * gemm_.a_at(m, static_cast<int>(k)));
    }
  });
  EXPECT_EQ(touched_, 2 * 8 * gemm_.m * gemm_.k * gemm_.n);
}

// From the cycle after product 0 to the one in which the sum is handed over.
TEST_P(FootprintOverlap, AnAccumulatorTouchesOneElement) {
  exhaust("acc", 32,
          [&](Result& e, const TileRecord& t, int r, int c, std::int64_t cycle, int bit) {
            const std::int64_t done = cycle - t.start_cycle - r - c;
            if (done < 1 || cycle > hand_over(t) + r + c) return;
            flip_sum(e, t.row + r, t.column + c, std::min<std::int64_t>(done, gemm_.k), bit);
          });
  EXPECT_GE(touched_, 4 * gemm_.m * gemm_.n * gemm_.k);
}

// From the cycle after that until the row has left at the top: all move up together.
TEST_P(FootprintOverlap, ADrainRegisterTouchesOneElement) {
  exhaust("drain", 32,
          [&](Result& e, const TileRecord& t, int r, int c, std::int64_t cycle, int bit) {
            const std::int64_t leaves = hand_over(t) + rows(t) + lanes(t) - 1;
            const std::int64_t source = r + std::max<std::int64_t>(0, cycle - leaves);
            if (cycle <= hand_over(t) + r + c || source >= rows(t)) return;
            flip_sum(e, t.row + static_cast<int>(source), t.column + c, gemm_.k, bit);
          });
  EXPECT_GE(touched_, 4 * gemm_.m * gemm_.n);
}

// Tiles as long as their products and tiles that wait for the drain; edges; the thinnest arrays.
INSTANTIATE_TEST_SUITE_P(Shapes, FootprintOverlap,
                         testing::Values(Shape{3, 3, 8, 11, 5}, Shape{3, 3, 7, 2, 4},
                                         Shape{2, 4, 5, 6, 5}, Shape{1, 3, 4, 2, 4},
                                         Shape{3, 1, 7, 3, 2}, Shape{1, 1, 3, 1, 2}),
                         [](const auto& s) {
                           return fmt::format("r{}c{}m{}k{}n{}", s.param.rows, s.param.columns,
                                              s.param.m, s.param.k, s.param.n);
                         });

}  // namespace
}  // namespace sagitta
