// A matrix product on an array with a stationary operand and with faults: what stands where in
// which cycle, and what a flip there changes, from the dataflow alone. The machine says only when
// each fold starts. Weight stationary the p-th item that streams past is a pixel and a lane a
// channel, input stationary it is the other way round.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "support/gemm_case.h"

namespace sagitta::test {

inline std::uint32_t bits_of(std::int64_t value) {
  return static_cast<std::uint32_t>(value);
}
inline std::int32_t wrap(std::int64_t value) {
  return static_cast<std::int32_t>(bits_of(value));
}
inline std::int8_t flipped(std::int8_t value, int bit) {
  return static_cast<std::int8_t>(static_cast<std::uint8_t>(value) ^ (1U << bit));
}

struct FoldedShape {
  int rows, columns, m, k, n, partial_rows;
  bool checksum;
  Dataflow dataflow = Dataflow::ws;
  bool overlap = false;
};

class FoldedProduct {
 public:
  using Result = std::vector<std::int32_t>;

  explicit FoldedProduct(const GemmCase& gemm_case)
      : rows(gemm_case.program.array.rows),
        columns(gemm_case.program.array.columns),
        gemm(gemm_case),
        runs(gemm.program, gemm.a) {}
  FoldedProduct(Random& random, const FoldedShape& s)
      : FoldedProduct(GemmCase(random, s.m, s.k, s.n, {s.rows, s.columns, s.dataflow, s.overlap},
                               checksum(s.checksum), s.partial_rows)) {}

  // Stationary operands that are 1 or -1: sums of neighbouring ones are often 0.
  static GemmCase with_units(Random& random, GemmCase gemm) {
    const bool is = gemm.program.array.dataflow == Dataflow::is;
    for (auto& w : is ? gemm.a : gemm.b) w = static_cast<std::int8_t>(random.chance(50) ? 1 : -1);
    gemm.program = compile_gemm(gemm.m, gemm.k, gemm.n, gemm.b, gemm.program.array,
                                gemm.program.memory, gemm.program.protection);
    return gemm;
  }

  static Protection checksum(bool present) {
    Protection p;
    p.checksum = present;
    return p;
  }

  int rows, columns;
  GemmCase gemm;
  FaultyRuns runs;

  const std::vector<TileRecord>& tiles() const { return runs.tiles(); }
  bool overlap() const { return gemm.program.array.overlap; }
  bool is() const { return gemm.program.array.dataflow == Dataflow::is; }
  // Registers of the operand that moves and of the one that rests.
  const char* moves() const { return is() ? "b" : "a"; }
  const char* rests() const { return is() ? "a" : "b"; }
  const char* moving_memory() const { return is() ? "memory.weight" : "memory.activation"; }
  const char* resting_memory() const { return is() ? "memory.activation" : "memory.weight"; }

  int pixels(const TileRecord& t) const {
    return std::min(static_cast<int>(gemm.program.memory.partial_rows),
                    is() ? gemm.n - t.column : gemm.m - t.row);
  }
  int taps(const TileRecord& t) const { return std::min(rows, gemm.k - t.fold * rows); }
  int lanes(const TileRecord& t) const {
    return std::min(columns, is() ? gemm.m - t.row : gemm.n - t.column);
  }
  // What row r multiplies for the p-th item; zero where there is none.
  std::int8_t moving(const TileRecord& t, int p, int r) const {
    const int k = t.fold * rows + r;
    if (r >= taps(t)) return 0;
    return is() ? gemm.b_at(k, t.column + p) : gemm.a_at(t.row + p, k);
  }
  std::int8_t resting(const TileRecord& t, int r, int c) const {
    const int k = t.fold * rows + r;
    if (r >= taps(t) || c >= lanes(t)) return 0;
    return is() ? gemm.a_at(t.row + c, k) : gemm.b_at(k, t.column + c);
  }
  // The p-th item's sum over this fold's rows 0 .. last.
  std::int32_t sum(const TileRecord& t, int p, int last, int c) const {
    std::int64_t s = 0;
    for (int r = 0; r <= last; ++r) s += std::int64_t{moving(t, p, r)} * resting(t, r, c);
    return wrap(s);
  }

  // The fold whose item p stands in this cycle at a place that item 0 reaches `delay` cycles
  // after pe[0][0]; none: nothing but zeros is there.
  const TileRecord* pixel_at(std::int64_t cycle, int delay, int& p) const {
    for (const TileRecord& t : tiles()) {
      const std::int64_t pixel = cycle - t.start_cycle - delay;
      if (pixel < 0 || pixel >= pixels(t)) continue;
      p = static_cast<int>(pixel);
      return &t;
    }
    return nullptr;
  }
  // Weight stationary, before a column tile's first fold the parameters of its lanes are read, one
  // a cycle, beside the R rows of weights: where there are more lanes than rows, the weights rest
  // before the stream.
  int rest(const TileRecord& t) const {
    return !is() && t.row == 0 && t.fold == 0 ? std::max(0, lanes(t) - rows) : 0;
  }
  // The cycle in which an operand of this fold first comes into column 0. With overlap that is into
  // `next`, and for all folds but a part's first it begins R - 1 cycles after the stream before.
  std::int64_t loads(const TileRecord& t) const {
    if (overlap() && t.fold > 0) return (&t - 1)->start_cycle + rows - 1;
    return t.start_cycle - rest(t) - rows;
  }
  // Overlap: the fold whose stationary operand pe[row][column] multiplies by; it came a cycle after
  // the swap bit.
  const TileRecord* swapped_at(std::int64_t cycle, int row, int column) const {
    const TileRecord* fold = nullptr;
    for (const TileRecord& t : tiles()) {
      if (t.start_cycle + row + column <= cycle) fold = &t;
    }
    return fold;
  }
  // Overlap: whether the operand in `next` of pe[row][column], on its way to row r, has yet to be
  // taken over.
  bool waits(const TileRecord& t, std::int64_t cycle, int r, int column) const {
    return cycle <= t.start_cycle - 1 + r + column;
  }
  // The fold whose stationary operand for row k0 + r is in pe[row][column]. In the R cycles before
  // they are at rest, weights come in from above, the last row's first, and activations from below,
  // the first row's first; those of the fold before go out at the other end. None: an operand that
  // multiplies nothing any more.
  const TileRecord* resting_at(std::int64_t cycle, int row, int column, int& r) const {
    const TileRecord* fold = nullptr;
    for (const TileRecord& t : tiles()) {
      if (loads(t) + column <= cycle) fold = &t;
    }
    if (fold == nullptr) return nullptr;
    const std::int64_t moves = cycle - (loads(*fold) + column) + 1;
    const int left = rows - static_cast<int>(std::min<std::int64_t>(rows, moves));
    r = is() ? row - left : row + left;
    return r >= 0 && r < rows ? fold : nullptr;
  }
  // The fold whose stationary operand for row k0 + r stands, on its way to column `column`, `delay`
  // cycles away from where it enters column 0.
  const TileRecord* entering_at(std::int64_t cycle, int delay, int& r) const {
    for (const TileRecord& t : tiles()) {
      const std::int64_t position = cycle - loads(t) - delay;
      if (position < 0 || position >= rows) continue;
      r = static_cast<int>(is() ? position : rows - 1 - position);
      return &t;
    }
    return nullptr;
  }
  // When the p-th item's sums stand aligned below the array.
  std::int64_t aligned(const TileRecord& t, int p) const {
    return t.start_cycle + p + rows + columns - 1;
  }

  void flip_moving(Result& expected, std::int64_t cycle, int delay, int row, int first_column,
                   int bit) const {
    int p = 0;
    const TileRecord* t = pixel_at(cycle, delay, p);
    if (t == nullptr) return;
    const std::int8_t old = moving(*t, p, row);
    for (int c = first_column; c < lanes(*t); ++c) {
      add(expected, *t, p, c, (flipped(old, bit) - old) * resting(*t, row, c));
    }
  }
  // Row r's stationary operand, for items from `first` on.
  void flip_operand(Result& expected, const TileRecord& t, int r, int c, std::int64_t first,
                    int bit) const {
    const std::int8_t old = resting(t, r, c);
    for (int p = static_cast<int>(std::max<std::int64_t>(0, first)); p < pixels(t); ++p) {
      add(expected, t, p, c, (flipped(old, bit) - old) * moving(t, p, r));
    }
  }
  void flip_resting(Result& expected, std::int64_t cycle, int row, int column, int bit) const {
    int r = 0;
    const TileRecord* t = resting_at(cycle, row, column, r);
    if (t == nullptr) return;
    flip_operand(expected, *t, r, column, cycle - t->start_cycle - r - column, bit);
  }
  void flip_entering(Result& expected, std::int64_t cycle, int delay, int column, int bit) const {
    int r = 0;
    const TileRecord* t = entering_at(cycle, delay, r);
    if (t != nullptr) flip_operand(expected, *t, r, column, 0, bit);
  }
  // Overlap: of the operand that is multiplied by, and of the one that waits.
  void flip_swapped(Result& expected, std::int64_t cycle, int row, int column, int bit) const {
    const TileRecord* t = swapped_at(cycle, row, column);
    if (t == nullptr) return;
    flip_operand(expected, *t, row, column, cycle - t->start_cycle - row - column, bit);
  }
  void flip_waiting(Result& expected, std::int64_t cycle, int row, int column, int bit) const {
    int r = 0;
    const TileRecord* t = resting_at(cycle, row, column, r);
    if (t != nullptr && waits(*t, cycle, r, column)) flip_operand(expected, *t, r, column, 0, bit);
  }
  // A sum over rows 0 .. last.
  void flip_sum(Result& expected, std::int64_t cycle, int delay, int last, int column,
                int bit) const {
    int p = 0;
    const TileRecord* t = pixel_at(cycle, delay, p);
    if (t != nullptr) flip_bit_of(expected, *t, p, column, sum(*t, p, last, column), bit);
  }
  // A change by the flip of a bit of `old`, a term of the sum.
  void flip_bit_of(Result& expected, const TileRecord& t, int p, int c, std::int32_t old,
                   int bit) const {
    const std::uint32_t before = bits_of(old);
    add(expected, t, p, c, std::int64_t{before ^ (1U << bit)} - before);
  }
  // What folds 0 .. count - 1 of t's part have added up.
  std::int32_t partial(const TileRecord& t, int p, int c, int count) const {
    std::int64_t s = 0;
    for (const TileRecord& u : tiles()) {
      if (u.row == t.row && u.column == t.column && u.fold < count) s += sum(u, p, rows - 1, c);
    }
    return wrap(s);
  }

  // Vectors (lanes of one item) in which the changes do not add up to 0 modulo 2^32.
  int flaggable(const Result& result) const {
    int flags = 0;
    const int items = is() ? gemm.n : gemm.m;
    const int width = is() ? gemm.m : gemm.n;
    for (int p = 0; p < items; ++p) {
      for (int first = 0; first < width; first += columns) {
        std::uint32_t change = 0;
        for (int i = first; i < std::min(width, first + columns); ++i) {
          const std::size_t at = is() ? gemm.at(i, p) : gemm.at(p, i);
          change += bits_of(result[at]) - bits_of(runs.clean_raw()[at]);
        }
        flags += change != 0 ? 1 : 0;
      }
    }
    return flags;
  }
  int changed(const Result& result) const {
    int count = 0;
    for (std::size_t i = 0; i < result.size(); ++i) count += result[i] != runs.clean_raw()[i];
    return count;
  }

 private:
  void add(Result& result, const TileRecord& t, int p, int c, std::int64_t change) const {
    if (c >= lanes(t)) return;
    auto& out = result[is() ? gemm.at(t.row + c, t.column + p) : gemm.at(t.row + p, t.column + c)];
    out = wrap(out + change);
  }
};

}  // namespace sagitta::test
