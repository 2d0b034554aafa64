// What a register of an array with a stationary operand holds in a cycle. The timing is that of
// docs/machine.md: product p of a fold stands in pe[r][c] in cycle start + p + r + c, its sum from
// the next cycle on. Product p is pixel p of the part (ws) or channel p of the column tile (is).
#include <algorithm>

#include <fmt/format.h>

#include "cli/explain.h"

namespace sagitta::cli {
namespace {

// One fold of a tile, and the cycle as seen from its first product.
struct Fold {
  const TileRecord& tile;
  const GemmShape& shape;
  const ArrayShape& array;
  std::int64_t offset;

  bool is() const { return array.dataflow == Dataflow::is; }
  int first_k() const { return tile.fold * array.rows; }
  // Columns in use, and what streams past: channels and pixels, or the other way round.
  int lanes() const {
    return std::min(array.columns, is() ? shape.m - tile.row : shape.n - tile.column);
  }
  int length() const {
    return static_cast<int>(tile.end_cycle - tile.start_cycle) - array.rows - array.columns + 2;
  }
  bool streams(std::int64_t p) const { return p >= 0 && p < length(); }
  // Cycles that the preload takes; weight stationary the first one also waits for the lanes'
  // parameters.
  int preload() const {
    // With overlap it begins R - 1 cycles after the stream of the fold before.
    if (array.overlap && tile.fold > 0) {
      const TileRecord& before = *(&tile - 1);
      return static_cast<int>(tile.start_cycle - before.start_cycle) - (array.rows - 1);
    }
    return !is() && tile.row == 0 && tile.fold == 0 ? std::max(array.rows, lanes()) : array.rows;
  }
  // Results of products p .. q in lanes x .. y.
  std::string acts_on(std::int64_t p, std::int64_t q, int x, int y) const {
    const auto first = static_cast<int>(p);
    const auto last = static_cast<int>(q);
    return is() ? outputs(tile.row + x, tile.row + y, tile.column + first, tile.column + last)
                : outputs(tile.row + first, tile.row + last, tile.column + x, tile.column + y);
  }
  std::string operand(bool a, int k, int lane_or_p) const {
    return a ? fmt::format("A[{}][{}]", tile.row + lane_or_p, k)
             : fmt::format("B[{}][{}]", k, tile.column + lane_or_p);
  }

  std::string head() const {
    return fmt::format("tile at row {}, column {}, fold {} (cycles {}..{}), {}: ", tile.row,
                       tile.column, tile.fold, tile.start_cycle, tile.end_cycle,
                       cycle_of_tile(offset));
  }

  // The operand that moves right: of product p, in `row`.
  std::string moving(std::int64_t p, int row, int column) const {
    const int k = first_k() + row;
    if (!streams(p) || k >= shape.k || column >= lanes()) return "";
    return head() + fmt::format("holds {}; acts on {}", operand(!is(), k, static_cast<int>(p)),
                                acts_on(p, p, column, lanes() - 1));
  }

  // The stationary operand of `row`, in time for products from p on.
  std::string resting(std::int64_t p, int row, int column, const char* how) const {
    const int k = first_k() + row;
    const std::int64_t from = std::max<std::int64_t>(0, p);
    if (row < 0 || row >= array.rows || k >= shape.k || column >= lanes() || from >= length()) {
      return "";
    }
    return head() + fmt::format("{} {}; acts on {}", how, operand(is(), k, column),
                                acts_on(from, length() - 1, column, column));
  }

  std::string sum(std::int64_t p, int rows_done, int column) const {
    if (!streams(p) || column >= lanes()) return "";
    const int last = std::min(first_k() + rows_done, shape.k) - 1;
    const std::string result = acts_on(p, p, column, column);
    return head() + fmt::format("holds the sum of {} over k = {}..{}; acts on {}", result,
                                first_k(), last, result);
  }

  // With overlap: operands wait in `next` until the swap bit comes, a cycle ahead of product 0.
  std::string waiting(int row, int column) const {
    const std::int64_t settled = column - 1 - (preload() - array.rows);
    const std::int64_t left = std::max<std::int64_t>(0, settled - offset);
    const auto there = static_cast<int>(is() ? row - left : row + left);
    if (left >= array.rows || offset > there + column - 1) return "";
    return resting(0, there, column, "holds, for the next fold,");
  }

  // Weights sink, activations rise, row by row; they stand in column c from its cycle
  // `preload end + c` on.
  std::string stationary(int row, int column) const {
    const std::int64_t settled = column - 1 - (preload() - array.rows);
    if (offset >= settled) return resting(offset - row - column, row, column, "holds");
    const std::int64_t left = settled - offset;  // rows that it has yet to go
    if (left >= array.rows) return "";
    const auto there = static_cast<int>(is() ? row - left : row + left);
    return resting(0, there, column, is() ? "holds, on its way up," : "holds, on its way down,");
  }

  // Stage `stage` of the skew registers at column `column`.
  std::string entering(int column, int stage) const {
    const std::int64_t step = offset + preload() - stage;  // of the preload that read it
    if (step < 0 || step >= array.rows) return "";
    const auto row = static_cast<int>(is() ? step : array.rows - 1 - step);
    return resting(0, row, column, "holds, on its way in,");
  }

  std::string explain(const std::string& path, const std::vector<int>& index) const {
    const int x = index[0];
    const int y = index[1];
    const char* moves = is() ? "array.skew_b" : "array.skew_a";
    if (path.starts_with(moves)) return moving(offset - y, x, 0);
    if (path.starts_with("array.skew")) return entering(x, y);
    if (path.starts_with("array.deskew")) {
      return sum(offset - array.rows - x - 1 - y, array.rows, x);
    }
    if (path.ends_with(is() ? ".b" : ".a")) return moving(offset - x - y, x, y);
    if (path.ends_with(".acc")) return sum(offset - x - y - 1, x + 1, y);
    if (path.ends_with(".next")) return waiting(x, y);
    if (array.overlap) {
      return offset < x + y ? "" : resting(offset - x - y, x, y, "holds");
    }
    return stationary(x, y);
  }
};

}  // namespace

std::string explain_folds(const std::string& path, const std::vector<int>& index,
                          std::int64_t cycle, const std::vector<TileRecord>& tiles,
                          const GemmShape& shape, const ArrayShape& array) {
  if (path.starts_with("array.load")) {
    return "says whether stationary operands move in a column; `--explain` knows the array's data "
           "only";
  }
  // Folds overlap in time: a register belongs to the one whose data it holds.
  for (const TileRecord& t : tiles) {
    std::string text = Fold{t, shape, array, cycle - t.start_cycle}.explain(path, index);
    if (!text.empty()) return text;
  }
  return "holds nothing of any tile in that cycle: no output depends on it";
}

}  // namespace sagitta::cli
