// What one flip may change, output stationary, exhaustively: every bit of every PE and skew
// register in every cycle of a matrix product with no zero in it. The expected result is computed
// from the flip alone; the machine has no part in it beyond the cycle in which each tile starts.
#include <cstdint>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/gemm_case.h"

namespace sagitta {
namespace {

using test::FaultyRuns;
using test::GemmCase;

constexpr int kRows = 4;
constexpr int kColumns = 4;

std::int8_t flipped(std::int8_t value, int bit) {
  return static_cast<std::int8_t>(static_cast<std::uint8_t>(value) ^ (1U << bit));
}
std::int32_t wrap(std::int64_t value) {
  return static_cast<std::int32_t>(static_cast<std::uint64_t>(value));
}

class Footprint : public testing::TestWithParam<std::array<int, 3>> {
 protected:
  test::Random random_{11};
  GemmCase gemm_{random_, GetParam()[0], GetParam()[1], GetParam()[2], {kRows, kColumns}};
  FaultyRuns runs_{gemm_.program, gemm_.a};

  int rows(const TileRecord& t) const { return std::min(kRows, gemm_.m - t.row); }
  int lanes(const TileRecord& t) const { return std::min(kColumns, gemm_.n - t.column); }
  // The tile whose product `k` stands at a place that product 0 reaches `delay` cycles after
  // pe[0][0]; none: nothing but zeros is there.
  const TileRecord* tile_at(std::int64_t cycle, int delay, int& k) const {
    for (const TileRecord& t : runs_.tiles()) {
      const std::int64_t product = cycle - t.start_cycle - delay;
      if (product < 0 || product >= gemm_.k) continue;
      k = static_cast<int>(product);
      return &t;
    }
    return nullptr;
  }

  // An activation flipped on its way: products with columns first_column.. of its row change.
  void flip_activation(std::vector<std::int32_t>& expected, std::int64_t cycle, int delay, int row,
                       int first_column, int bit) const {
    int k = 0;
    const TileRecord* t = tile_at(cycle, delay, k);
    if (t == nullptr || row >= rows(*t)) return;
    const std::int8_t a = gemm_.a_at(t->row + row, k);
    for (int c = first_column; c < lanes(*t); ++c) {
      auto& out = expected[gemm_.at(t->row + row, t->column + c)];
      out = wrap(std::int64_t{out} + (flipped(a, bit) - a) * gemm_.b_at(k, t->column + c));
    }
  }
  void flip_weight(std::vector<std::int32_t>& expected, std::int64_t cycle, int delay, int column,
                   int first_row, int bit) const {
    int k = 0;
    const TileRecord* t = tile_at(cycle, delay, k);
    if (t == nullptr || column >= lanes(*t)) return;
    const std::int8_t b = gemm_.b_at(k, t->column + column);
    for (int r = first_row; r < rows(*t); ++r) {
      auto& out = expected[gemm_.at(t->row + r, t->column + column)];
      out = wrap(std::int64_t{out} + (flipped(b, bit) - b) * gemm_.a_at(t->row + r, k));
    }
  }
  // Strikes and compares with `expected`, and the cycle count with the clean run's.
  void expect(const std::string& path, std::int64_t cycle,
              const std::vector<std::int32_t>& expected) {
    ASSERT_TRUE(runs_.run({{runs_.site(path), cycle}})) << path << "@" << cycle;
    ASSERT_EQ(runs_.machine().cycle(), runs_.cycles()) << path << "@" << cycle;
    ASSERT_EQ(runs_.machine().raw_output(), expected) << path << "@" << cycle;
  }
};

TEST_P(Footprint, TheCleanProductIsExact) {
  EXPECT_EQ(runs_.clean_raw(), gemm_.product());
}

TEST_P(Footprint, AnActivationRegisterTouchesTheRestOfItsRow) {
  int touched = 0;
  for (std::int64_t cycle = 0; cycle < runs_.cycles(); ++cycle) {
    for (int r = 0; r < kRows; ++r) {
      for (int c = 0; c < kColumns; ++c) {
        for (int bit = 0; bit < 8; ++bit) {
          auto expected = runs_.clean_raw();
          flip_activation(expected, cycle, r + c, r, c, bit);
          touched += expected != runs_.clean_raw() ? 1 : 0;
          ASSERT_NO_FATAL_FAILURE(
              expect(fmt::format("array.pe[{}][{}].a:{}", r, c, bit), cycle, expected));
        }
      }
    }
  }
  // K operands of 8 bits pass every used PE once a tile.
  EXPECT_EQ(touched, 8 * gemm_.k * gemm_.m * gemm_.n);
}

TEST_P(Footprint, AWeightRegisterTouchesTheRestOfItsColumn) {
  int touched = 0;
  for (std::int64_t cycle = 0; cycle < runs_.cycles(); ++cycle) {
    for (int r = 0; r < kRows; ++r) {
      for (int c = 0; c < kColumns; ++c) {
        for (int bit = 0; bit < 8; ++bit) {
          auto expected = runs_.clean_raw();
          flip_weight(expected, cycle, r + c, c, r, bit);
          touched += expected != runs_.clean_raw() ? 1 : 0;
          ASSERT_NO_FATAL_FAILURE(
              expect(fmt::format("array.pe[{}][{}].b:{}", r, c, bit), cycle, expected));
        }
      }
    }
  }
  EXPECT_EQ(touched, 8 * gemm_.k * gemm_.m * gemm_.n);
}

TEST_P(Footprint, AnAccumulatorTouchesOneElement) {
  for (std::int64_t cycle = 0; cycle < runs_.cycles(); ++cycle) {
    for (int r = 0; r < kRows; ++r) {
      for (int c = 0; c < kColumns; ++c) {
        // In a tile's drain the sums move up: row r then holds what row r + moved accumulated.
        std::size_t element = SIZE_MAX;
        for (const TileRecord& t : runs_.tiles()) {
          if (cycle < t.start_cycle || cycle > t.end_cycle) continue;
          const std::int64_t moved = std::max<std::int64_t>(0, cycle - (t.end_cycle - rows(t) + 1));
          if (r + moved < rows(t) && c < lanes(t)) {
            element = gemm_.at(t.row + r + static_cast<int>(moved), t.column + c);
          }
        }
        for (int bit = 0; bit < 32; ++bit) {
          const std::string path = fmt::format("array.pe[{}][{}].acc:{}", r, c, bit);
          ASSERT_TRUE(runs_.run({{runs_.site(path), cycle}}));
          ASSERT_EQ(runs_.machine().cycle(), runs_.cycles());
          const auto& result = runs_.machine().raw_output();
          for (std::size_t i = 0; i < result.size(); ++i) {
            const std::uint32_t change = static_cast<std::uint32_t>(result[i]) -
                                         static_cast<std::uint32_t>(runs_.clean_raw()[i]);
            if (i != element) {
              ASSERT_EQ(change, 0U) << path << "@" << cycle << " element " << i;
            } else {
              ASSERT_TRUE(change == 1U << bit || change == ~(1U << bit) + 1)
                  << path << "@" << cycle << " change " << change;
            }
          }
        }
      }
    }
  }
}

TEST_P(Footprint, SkewAndReadRegistersTouchAWholeRowOrColumn) {
  for (std::int64_t cycle = 0; cycle < runs_.cycles(); ++cycle) {
    for (int lane = 0; lane < 4; ++lane) {
      // Stage -1 is the scratchpad's read register, one cycle ahead of pe[0][0].
      for (int stage = -1; stage < lane; ++stage) {
        for (int bit = 0; bit < 8; ++bit) {
          auto row = runs_.clean_raw();
          flip_activation(row, cycle, stage, lane, 0, bit);
          ASSERT_NO_FATAL_FAILURE(
              expect(stage < 0 ? fmt::format("memory.activation.read[{}]:{}", lane, bit)
                               : fmt::format("array.skew_a[{}][{}]:{}", lane, stage, bit),
                     cycle, row));
          auto column = runs_.clean_raw();
          flip_weight(column, cycle, stage, lane, 0, bit);
          ASSERT_NO_FATAL_FAILURE(
              expect(stage < 0 ? fmt::format("memory.weight.read[{}]:{}", lane, bit)
                               : fmt::format("array.skew_b[{}][{}]:{}", lane, stage, bit),
                     cycle, column));
        }
      }
    }
  }
}

// A whole tile; four tiles with partly used rows and columns; one product a PE.
INSTANTIATE_TEST_SUITE_P(Shapes, Footprint,
                         testing::Values(std::array{4, 5, 4}, std::array{7, 3, 6},
                                         std::array{5, 1, 2}),
                         [](const auto& shape) {
                           return fmt::format("m{}k{}n{}", shape.param[0], shape.param[1],
                                              shape.param[2]);
                         });

}  // namespace
}  // namespace sagitta
