// What one flip may change, weight or input stationary, exhaustively: every PE, skew and deskew
// register and the partial sums, in every cycle of matrix products with no zero in them, with and
// without the checksum column. The expected result and flags are computed from the flip alone
// (support/folded_product.h).
#include <cstdint>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/folded_product.h"

namespace sagitta {
namespace {

using test::FoldedProduct;
using test::FoldedShape;
using test::GemmCase;
using test::Random;

class FootprintFolds : public testing::TestWithParam<FoldedShape> {
 protected:
  using Result = FoldedProduct::Result;

  Random random_{11};
  FoldedProduct x_{random_, GetParam()};
  int touched_ = 0;  // runs with another result

  void expect(const std::string& path, const Fault& fault, const Result& expected) {
    const auto where = [&] { return fmt::format("{}:{}@{}", path, fault.site.bit, fault.cycle); };
    ASSERT_TRUE(x_.runs.run({fault})) << where();
    const Machine& machine = x_.runs.machine();
    ASSERT_EQ(machine.raw_output(), expected) << where();
    ASSERT_EQ(machine.cycle(), x_.runs.cycles()) << where();
    // The checksum column reads the same activations, so it agrees with what is wrong in them; and
    // the same weights where it has none of its own.
    const bool shared =
        path.starts_with("memory.activation.") || (x_.is() && path.starts_with("memory.weight."));
    const bool seen = GetParam().checksum && !shared;
    ASSERT_EQ(machine.mismatches(), seen ? x_.flaggable(expected) : 0) << where();
    touched_ += expected != x_.runs.clean_raw() ? 1 : 0;
  }
  // Strikes in every cycle all bits of a byte, or one bit of each byte of a word: the next one in
  // the next cycle. `predict` applies the flip to the expected result.
  template <typename Predict>
  void exhaust(const std::string& path, int width, const Predict& predict) {
    Site site = x_.runs.site(path + ":0");
    for (std::int64_t cycle = 0; cycle < x_.runs.cycles(); ++cycle) {
      for (int i = 0; i < (width == 8 ? 8 : 4); ++i) {
        site.bit = width == 8 ? i : 8 * i + static_cast<int>((cycle + i) % 8);
        Result expected = x_.runs.clean_raw();
        predict(expected, cycle, site.bit);
        ASSERT_NO_FATAL_FAILURE(expect(path, {site, cycle}, expected));
      }
    }
  }
  // Sum over all tiles of what `count` says of one.
  template <typename Count>
  int over_tiles(const Count& count) const {
    int total = 0;
    for (const TileRecord& t : x_.tiles()) total += count(t);
    return total;
  }
};

TEST_P(FootprintFolds, TheCleanProductIsExactAndItsFoldsAreInOrder) {
  const GemmCase& g = x_.gemm;
  EXPECT_EQ(x_.runs.clean_raw(), g.product());
  std::size_t i = 0;
  const auto part = static_cast<int>(g.program.memory.partial_rows);
  ASSERT_EQ(part, GetParam().partial_rows);
  for (int column = 0; column < g.n; column += x_.is() ? part : x_.columns) {
    for (int row = 0; row < g.m; row += x_.is() ? x_.columns : part) {
      for (int fold = 0; fold * x_.rows < g.k; ++fold, ++i) {
        ASSERT_LT(i, x_.tiles().size());
        const TileRecord& t = x_.tiles()[i];
        EXPECT_EQ(t.row, row);
        EXPECT_EQ(t.column, column);
        EXPECT_EQ(t.fold, fold);
        EXPECT_EQ(t.end_cycle, t.start_cycle + x_.pixels(t) + x_.rows + x_.columns - 2);
        EXPECT_EQ(t.end_cycle, x_.aligned(t, x_.pixels(t) - 1));
      }
    }
  }
  EXPECT_EQ(i, x_.tiles().size());
}

// What the flips are computed from, looked up in the registers of every cycle.
TEST_P(FootprintFolds, EveryRegisterHoldsWhatIsExpected) {
  Machine machine(x_.gemm.program);
  const auto read = [&](const std::string& path) {
    const Site s = x_.runs.site(path + ":0");
    return read_register(machine.state(),
                         x_.runs.sites().classes()[static_cast<std::size_t>(s.register_class)],
                         s.element);
  };
  const auto byte = [&](const std::string& path) { return static_cast<std::int8_t>(read(path)); };
  const auto word = [&](const std::string& path) { return static_cast<std::int32_t>(read(path)); };
  machine.reset(x_.gemm.a.data());
  for (std::int64_t cycle = 0; cycle < x_.runs.cycles(); machine.run(++cycle)) {
    SCOPED_TRACE(cycle);
    int p = 0, k = 0;
    for (int r = 0; r < x_.rows; ++r) {
      for (int s = 0; s < r; ++s) {
        const TileRecord* t = x_.pixel_at(cycle, s, p);
        ASSERT_EQ(byte(fmt::format("array.skew_{}[{}][{}]", x_.moves(), r, s)),
                  t ? x_.moving(*t, p, r) : 0);
      }
      for (int c = 0; c < x_.columns; ++c) {
        const std::string pe = fmt::format("array.pe[{}][{}].", r, c);
        const TileRecord* t = x_.pixel_at(cycle, r + c, p);
        ASSERT_EQ(byte(pe + x_.moves()), t ? x_.moving(*t, p, r) : 0) << pe;
        t = x_.pixel_at(cycle, r + c + 1, p);
        ASSERT_EQ(word(pe + "acc"), t ? x_.sum(*t, p, r, c) : 0) << pe;
        t = x_.resting_at(cycle, r, c, k);
        if (t != nullptr) {
          ASSERT_EQ(byte(pe + (x_.overlap() ? "next" : x_.rests())), x_.resting(*t, k, c)) << pe;
        }
        t = x_.overlap() ? x_.swapped_at(cycle, r, c) : nullptr;
        if (t != nullptr) {
          ASSERT_EQ(byte(pe + x_.rests()), x_.resting(*t, r, c)) << pe;
        }
      }
    }
    for (int c = 0; c < x_.columns; ++c) {
      for (int s = 0; s < c; ++s) {
        const TileRecord* t = x_.entering_at(cycle, s, k);
        if (t != nullptr) {
          ASSERT_EQ(byte(fmt::format("array.skew_{}[{}][{}]", x_.rests(), c, s)),
                    x_.resting(*t, k, c))
              << c << s;
        }
      }
      for (int s = 0; s < x_.columns - 1 - c; ++s) {
        const TileRecord* t = x_.pixel_at(cycle, x_.rows + c + 1 + s, p);
        ASSERT_EQ(word(fmt::format("array.deskew[{}][{}]", c, s)),
                  t ? x_.sum(*t, p, x_.rows - 1, c) : 0)
            << c << s;
      }
    }
  }
  EXPECT_TRUE(machine.done());
  EXPECT_EQ(machine.mismatches(), 0);
}

TEST_P(FootprintFolds, AMovingOperandTouchesTheRestOfItsRow) {
  for (int r = 0; r < x_.rows; ++r) {
    for (int c = 0; c < x_.columns; ++c) {
      exhaust(fmt::format("array.pe[{}][{}].{}", r, c, x_.moves()), 8,
              [&](Result& e, auto cycle, int bit) { x_.flip_moving(e, cycle, r + c, r, c, bit); });
      ASSERT_FALSE(HasFailure());
    }
  }
  // Every operand of every product, in the cycle in which it is multiplied.
  EXPECT_EQ(touched_, 8 * x_.gemm.m * x_.gemm.k * x_.gemm.n);
}

TEST_P(FootprintFolds, AStationaryOperandTouchesWhatIsStillToCome) {
  for (int r = 0; r < x_.rows; ++r) {
    for (int c = 0; c < x_.columns; ++c) {
      exhaust(fmt::format("array.pe[{}][{}].{}", r, c, x_.rests()), 8,
              [&](Result& e, auto cycle, int bit) {
                x_.overlap() ? x_.flip_swapped(e, cycle, r, c, bit)
                             : x_.flip_resting(e, cycle, r, c, bit);
              });
      ASSERT_FALSE(HasFailure());
    }
  }
  if (x_.overlap()) {  // as long as it is multiplied by
    EXPECT_EQ(touched_, over_tiles([&](const TileRecord& t) {
                return 8 * x_.pixels(t) * x_.taps(t) * x_.lanes(t);
              }));
    return;
  }
  // Row r's weight comes into row 0 R - 1 - r cycles after the first of R, so that it is there r +
  // 1 cycles before all are; the last pixel meets it r cycles after row 0's. Row r's activation
  // comes into the last row r cycles after the first.
  EXPECT_EQ(touched_, over_tiles([&](const TileRecord& t) {
              int cycles = 0;
              for (int r = 0; r < x_.taps(t); ++r) {
                const int before = x_.is() ? x_.rows - r : r + 1;
                cycles += before + x_.rest(t) + x_.pixels(t) + r;
              }
              return 8 * cycles * x_.lanes(t);
            }));
}

TEST_P(FootprintFolds, AWaitingOperandTouchesTheWholeFold) {
  if (!x_.overlap()) {
    for (const RegisterClass& c : x_.runs.sites().classes()) {
      ASSERT_FALSE(c.path.ends_with(".next")) << "only with overlap";
    }
    return;
  }
  for (int r = 0; r < x_.rows; ++r) {
    for (int c = 0; c < x_.columns; ++c) {
      exhaust(fmt::format("array.pe[{}][{}].next", r, c), 8,
              [&](Result& e, auto cycle, int bit) { x_.flip_waiting(e, cycle, r, c, bit); });
      ASSERT_FALSE(HasFailure());
    }
  }
  // From its entry into the column to the swap bit: the r-th activation enters r cycles after the
  // first, the r-th weight as many before the last.
  EXPECT_EQ(touched_, over_tiles([&](const TileRecord& t) {
              int cycles = 0;
              for (int r = 0; r < x_.taps(t); ++r) {
                const int enters = x_.is() ? r : x_.rows - 1 - r;
                cycles += static_cast<int>(t.start_cycle + r - x_.loads(t)) - enters;
              }
              return 8 * cycles * x_.lanes(t);
            }));
}

TEST_P(FootprintFolds, AnAccumulatorTouchesOneElement) {
  for (int r = 0; r < x_.rows; ++r) {
    for (int c = 0; c < x_.columns; ++c) {
      exhaust(fmt::format("array.pe[{}][{}].acc", r, c), 32, [&](Result& e, auto cycle, int bit) {
        x_.flip_sum(e, cycle, r + c + 1, r, c, bit);
        ASSERT_LE(x_.changed(e), 1);
      });
      ASSERT_FALSE(HasFailure());
    }
  }
  // Rows without a tap pass on what comes from above.
  EXPECT_EQ(touched_, over_tiles([&](const TileRecord& t) {
              return 4 * x_.pixels(t) * x_.rows * x_.lanes(t);
            }));
}

TEST_P(FootprintFolds, ADeskewRegisterTouchesOneElement) {
  for (int c = 0; c < x_.columns; ++c) {
    for (int s = 0; s < x_.columns - 1 - c; ++s) {
      exhaust(fmt::format("array.deskew[{}][{}]", c, s), 32, [&](Result& e, auto cycle, int bit) {
        x_.flip_sum(e, cycle, x_.rows + c + 1 + s, x_.rows - 1, c, bit);
        ASSERT_LE(x_.changed(e), 1);
      });
      ASSERT_FALSE(HasFailure());
    }
  }
  EXPECT_EQ(touched_, over_tiles([&](const TileRecord& t) {
              int stages = 0;
              for (int c = 0; c < x_.lanes(t); ++c) stages += x_.columns - 1 - c;
              return 4 * x_.pixels(t) * stages;
            }));
}

TEST_P(FootprintFolds, SkewAndReadRegistersTouchAWholeRowOrColumn) {
  // Stage -1 is the scratchpad's read register.
  for (int r = 0; r < x_.rows; ++r) {
    for (int s = -1; s < r; ++s) {
      const std::string path = s < 0 ? fmt::format("{}.read[{}]", x_.moving_memory(), r)
                                     : fmt::format("array.skew_{}[{}][{}]", x_.moves(), r, s);
      exhaust(path, 8,
              [&](Result& e, auto cycle, int bit) { x_.flip_moving(e, cycle, s, r, 0, bit); });
      ASSERT_FALSE(HasFailure());
    }
  }
  for (int c = 0; c < x_.columns; ++c) {
    for (int s = -1; s < c; ++s) {
      const std::string path = s < 0 ? fmt::format("{}.read[{}]", x_.resting_memory(), c)
                                     : fmt::format("array.skew_{}[{}][{}]", x_.rests(), c, s);
      exhaust(path, 8,
              [&](Result& e, auto cycle, int bit) { x_.flip_entering(e, cycle, s, c, bit); });
      ASSERT_FALSE(HasFailure());
    }
  }
  EXPECT_EQ(touched_, over_tiles([&](const TileRecord& t) {
              int cycles = 0;  // one for each pixel, or each tap, in each stage
              for (int r = 0; r < x_.taps(t); ++r) cycles += (r + 1) * x_.pixels(t);
              for (int c = 0; c < x_.lanes(t); ++c) cycles += (c + 1) * x_.taps(t);
              return 8 * cycles;
            }));
}

// A row waits from the cycle after its sums stood below the array until, a cycle before the next
// fold's do, it is read. To the first fold's sums zeros are added.
TEST_P(FootprintFolds, APartialSumTouchesOneElement) {
  for (int c = 0; c < x_.columns; ++c) {
    for (int p = 0; p < GetParam().partial_rows; ++p) {
      exhaust(fmt::format("memory.partial.row[{}].lane[{}]", p, c), 32,
              [&](Result& e, auto cycle, int bit) {
                for (std::size_t i = 1; i < x_.tiles().size(); ++i) {
                  const TileRecord& t = x_.tiles()[i];
                  if (t.fold > 0 && p < x_.pixels(t) && cycle < x_.aligned(t, p) &&
                      cycle > x_.aligned(x_.tiles()[i - 1], p)) {
                    x_.flip_bit_of(e, t, p, c, x_.partial(t, p, c, t.fold), bit);
                  }
                }
              });
      ASSERT_FALSE(HasFailure());
    }
    exhaust(fmt::format("memory.partial.read[{}]", c), 32, [&](Result& e, auto cycle, int bit) {
      int p = 0;
      const TileRecord* t = x_.pixel_at(cycle, x_.rows + x_.columns - 1, p);
      if (t != nullptr) x_.flip_bit_of(e, *t, p, c, x_.partial(*t, p, c, t->fold), bit);
    });
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_EQ(touched_, over_tiles([&](const TileRecord& t) {
              const TileRecord* before = t.fold > 0 ? &t - 1 : nullptr;
              const auto waits = before ? t.start_cycle - before->start_cycle - 1 : 0;
              return 4 * x_.pixels(t) * x_.lanes(t) * (1 + static_cast<int>(waits));
            }));
}

// A row number that a flip has made too large is one that the memory does not have, whichever bit
// it was: the sign bit of 24 is no less so.
TEST_P(FootprintFolds, EveryRowBeyondThePartialSumsIsNone) {
  for (const char* path : {"memory.partial.read_row", "memory.partial.write_row"}) {
    Site site = x_.runs.site(fmt::format("{}:0", path));
    for (std::int64_t cycle = 0; cycle < x_.runs.cycles(); ++cycle) {
      site.bit = 22;
      ASSERT_TRUE(x_.runs.run({{site, cycle}})) << path << "@" << cycle;
      const Result other = x_.runs.machine().raw_output();
      const std::int64_t mismatches = x_.runs.machine().mismatches();
      site.bit = 23;
      ASSERT_TRUE(x_.runs.run({{site, cycle}})) << path << "@" << cycle;
      ASSERT_EQ(x_.runs.machine().raw_output(), other) << path << "@" << cycle;
      ASSERT_EQ(x_.runs.machine().mismatches(), mismatches) << path << "@" << cycle;
    }
  }
}

// Weight stationary, then the same with pixels and channels exchanged. Whole tiles; edges of every
// kind, with and without a detector; a last fold of one tap; one pixel a part; three folds, one
// part and unused rows of partial sums; the thinnest arrays.
INSTANTIATE_TEST_SUITE_P(
    Shapes, FootprintFolds,
    testing::Values(FoldedShape{3, 3, 2, 3, 3, 2, false}, FoldedShape{3, 3, 5, 5, 4, 3, false},
                    FoldedShape{3, 3, 5, 5, 4, 3, true}, FoldedShape{4, 2, 3, 5, 3, 2, true},
                    FoldedShape{2, 4, 3, 3, 6, 1, true}, FoldedShape{2, 3, 2, 5, 2, 4, false},
                    FoldedShape{1, 3, 3, 2, 4, 2, true}, FoldedShape{3, 1, 3, 4, 2, 2, true},
                    FoldedShape{1, 1, 2, 3, 2, 1, false},
                    FoldedShape{3, 3, 3, 3, 2, 2, false, Dataflow::is},
                    FoldedShape{3, 3, 4, 5, 5, 3, false, Dataflow::is},
                    FoldedShape{3, 3, 4, 5, 5, 3, true, Dataflow::is},
                    FoldedShape{4, 2, 3, 5, 3, 2, true, Dataflow::is},
                    FoldedShape{2, 4, 6, 3, 3, 1, true, Dataflow::is},
                    FoldedShape{2, 3, 2, 5, 2, 4, false, Dataflow::is},
                    FoldedShape{1, 3, 4, 2, 3, 2, true, Dataflow::is},
                    FoldedShape{3, 1, 2, 4, 3, 2, true, Dataflow::is},
                    FoldedShape{1, 1, 2, 3, 2, 1, false, Dataflow::is},
                    FoldedShape{3, 3, 5, 5, 4, 3, true, Dataflow::ws, true},
                    FoldedShape{2, 4, 3, 3, 6, 1, false, Dataflow::ws, true},
                    FoldedShape{1, 3, 3, 3, 4, 1, true, Dataflow::ws, true},
                    FoldedShape{3, 3, 4, 7, 5, 3, true, Dataflow::is, true},
                    FoldedShape{4, 2, 3, 5, 3, 2, false, Dataflow::is, true},
                    FoldedShape{1, 1, 2, 3, 2, 1, false, Dataflow::is, true}),
    [](const auto& s) {
      return fmt::format("{}{}r{}c{}m{}k{}n{}p{}{}", to_string(s.param.dataflow),
                         s.param.overlap ? "Overlap" : "", s.param.rows, s.param.columns, s.param.m,
                         s.param.k, s.param.n, s.param.partial_rows,
                         s.param.checksum ? "checksum" : "");
    });

}  // namespace
}  // namespace sagitta
