// What a register of a weight-stationary array holds in a cycle. The timing is that of
// docs/machine.md: product p of a fold stands in pe[r][c] in cycle start + p + r + c, its sum from
// the next cycle on.
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

  int first_k() const { return tile.fold * array.rows; }
  int lanes() const { return std::min(array.columns, shape.n - tile.column); }
  int pixels() const {
    return static_cast<int>(tile.end_cycle - tile.start_cycle) - array.rows - array.columns + 2;
  }
  bool has_pixel(std::int64_t p) const { return p >= 0 && p < pixels(); }
  // Cycles that the preload takes; the first one also waits for the lanes' parameters.
  int preload() const {
    return tile.row == 0 && tile.fold == 0 ? std::max(array.rows, lanes()) : array.rows;
  }

  std::string head() const {
    return fmt::format("tile at row {}, column {}, fold {} (cycles {}..{}), its cycle {}: ",
                       tile.row, tile.column, tile.fold, tile.start_cycle, tile.end_cycle, offset);
  }

  std::string activation(std::int64_t p, int row, int column) const {
    const int k = first_k() + row;
    if (!has_pixel(p) || k >= shape.k || column >= lanes()) return "";
    const int m = tile.row + static_cast<int>(p);
    return head() + fmt::format("holds A[{}][{}]; acts on {}", m, k,
                                outputs(m, m, tile.column + column, tile.column + lanes() - 1));
  }

  // The weight of `row`, in time for pixels from `p` on.
  std::string weight(std::int64_t p, int row, int column, const char* how) const {
    const int k = first_k() + row;
    const std::int64_t from = std::max<std::int64_t>(0, p);
    if (row >= array.rows || k >= shape.k || column >= lanes() || from >= pixels()) return "";
    const int n = tile.column + column;
    return head() +
           fmt::format("{} B[{}][{}]; acts on {}", how, k, n,
                       outputs(tile.row + static_cast<int>(from), tile.row + pixels() - 1, n, n));
  }

  std::string sum(std::int64_t p, int rows_done, int column) const {
    if (!has_pixel(p) || column >= lanes()) return "";
    const int m = tile.row + static_cast<int>(p);
    const int n = tile.column + column;
    const int last = std::min(first_k() + rows_done, shape.k) - 1;
    return head() + fmt::format("holds the sum of C[{}][{}] over k = {}..{}; acts on {}", m, n,
                                first_k(), last, outputs(m, m, n, n));
  }

  // The weights sink row by row and stand in column c from its cycle `preload end + c` on.
  std::string stationary(int row, int column) const {
    const std::int64_t settled = column - 1 - (preload() - array.rows);
    if (offset >= settled) return weight(offset - row - column, row, column, "holds");
    const std::int64_t left = settled - offset;  // rows that it has yet to sink
    if (left >= array.rows || row + left >= array.rows) return "";
    return weight(0, row + static_cast<int>(left), column, "holds, on its way down,");
  }

  std::string explain(const std::string& path, const std::vector<int>& index) const {
    const int x = index[0];
    const int y = index[1];
    if (path.starts_with("array.skew_a")) return activation(offset - y, x, 0);
    if (path.starts_with("array.skew_b")) {
      const std::int64_t step = offset + preload() - y;  // of the preload that read it
      if (step < 0 || step >= array.rows) return "";
      return weight(0, array.rows - 1 - static_cast<int>(step), x, "holds, on its way in,");
    }
    if (path.starts_with("array.deskew")) {
      return sum(offset - array.rows - x - 1 - y, array.rows, x);
    }
    if (path.ends_with(".a")) return activation(offset - x - y, x, y);
    if (path.ends_with(".b")) return stationary(x, y);
    return sum(offset - x - y - 1, x + 1, y);
  }
};

}  // namespace

std::string explain_weights(const std::string& path, const std::vector<int>& index,
                            std::int64_t cycle, const std::vector<TileRecord>& tiles,
                            const GemmShape& shape, const ArrayShape& array) {
  if (path.starts_with("array.load")) {
    return "says whether a weight sinks into a column; `--explain` knows the array's data only";
  }
  // Folds overlap in time: a register belongs to the one whose data it holds.
  for (const TileRecord& t : tiles) {
    std::string text = Fold{t, shape, array, cycle - t.start_cycle}.explain(path, index);
    if (!text.empty()) return text;
  }
  return "holds nothing of any tile in that cycle: no output depends on it";
}

}  // namespace sagitta::cli
