#include "cli/explain.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "cli/command.h"

namespace sagitta::cli {
namespace {

struct Place {
  const TileRecord* tile;
  int rows, lanes;      // in use
  std::int64_t offset;  // cycles since the tile's start
};

std::string operand(const Place& p, const GemmShape& shape, bool is_a, int row, int column,
                    std::int64_t k) {
  const TileRecord& t = *p.tile;
  if (row >= p.rows || column >= p.lanes)
    return "outside the rows and columns that this tile uses: no output depends on it";
  if (k < 0 || k >= shape.k)
    return "holds no operand of this tile in that cycle (it is filling or draining): no output "
           "depends on it";
  if (is_a) {
    return fmt::format(
        "holds A[{}][{}], operand of MAC {}; acts on {}", t.row + row, k, k,
        outputs(t.row + row, t.row + row, t.column + column, t.column + p.lanes - 1));
  }
  return fmt::format(
      "holds B[{}][{}], operand of MAC {}; acts on {}", k, t.column + column, k,
      outputs(t.row + row, t.row + p.rows - 1, t.column + column, t.column + column));
}

std::string accumulator(const Place& p, const GemmShape& shape, int row, int column) {
  const TileRecord& t = *p.tile;
  if (column >= p.lanes) return "outside the columns that this tile uses: no output depends on it";
  // Sums leave upwards, one row a cycle, once the last PE has finished.
  const std::int64_t drain = shape.k + p.rows + p.lanes - 2;
  const std::int64_t shifted = std::max<std::int64_t>(0, p.offset - drain);
  const std::int64_t source = row + shifted;
  if (row >= p.rows) return "outside the rows that this tile uses: no output depends on it";
  if (source >= p.rows) return "its sum has already left upwards: no output depends on it";
  const int m = t.row + static_cast<int>(source);
  const int n = t.column + column;
  const std::int64_t done = std::clamp<std::int64_t>(p.offset - source - column, 0, shape.k);
  if (p.offset >= drain) {
    return fmt::format("holds the finished sum of C[{}][{}] on its way out; acts on {}", m, n,
                       outputs(m, m, n, n));
  }
  return fmt::format("holds the partial sum of C[{}][{}] after {} of {} MACs; acts on {}", m, n,
                     done, shape.k, outputs(m, m, n, n));
}

std::string explain_outputs(const std::string& path, const std::vector<int>& index,
                            std::int64_t cycle, const std::vector<TileRecord>& tiles,
                            const GemmShape& shape, const ArrayShape& array) {
  std::optional<Place> place;
  for (const TileRecord& t : tiles) {
    if (cycle < t.start_cycle || cycle > t.end_cycle) continue;
    place = Place{&t, std::min(array.rows, shape.m - t.row),
                  std::min(array.columns, shape.n - t.column), cycle - t.start_cycle};
    break;
  }
  if (!place) return "no tile is in the array in that cycle: no output depends on it";
  const TileRecord& t = *place->tile;
  const std::string head =
      fmt::format("tile at row {}, column {} (cycles {}..{}), {}: ", t.row, t.column, t.start_cycle,
                  t.end_cycle, cycle_of_tile(place->offset));
  if (path.starts_with("array.pe")) {
    const std::int64_t k = place->offset - index[0] - index[1];
    if (path.ends_with(".a")) return head + operand(*place, shape, true, index[0], index[1], k);
    if (path.ends_with(".b")) return head + operand(*place, shape, false, index[0], index[1], k);
    return head + accumulator(*place, shape, index[0], index[1]);
  }
  // Stage s of a lane holds in cycle t what pe[0][0] held s cycles before.
  const int lane = index[0];
  const std::int64_t k = place->offset - index[1];
  if (path.starts_with("array.skew_a")) return head + operand(*place, shape, true, lane, 0, k);
  return head + operand(*place, shape, false, 0, lane, k);
}

// Output stationary with overlap, where tiles follow each other through the PEs: a register belongs
// to the one whose data it holds. A tile's sums are handed over 2 R' + C' - 2 cycles before its
// end.
std::string explain_overlap(const std::string& path, const std::vector<int>& index,
                            std::int64_t cycle, const std::vector<TileRecord>& tiles,
                            const GemmShape& shape, const ArrayShape& array) {
  const bool skew = path.starts_with("array.skew");
  const int row = skew && !path.starts_with("array.skew_a") ? 0 : index[0];
  const int column = path.starts_with("array.skew_b") ? index[0] : skew ? 0 : index[1];
  for (const TileRecord& t : tiles) {
    const Place p{&t, std::min(array.rows, shape.m - t.row),
                  std::min(array.columns, shape.n - t.column), cycle - t.start_cycle};
    const std::string head =
        fmt::format("tile at row {}, column {} (cycles {}..{}), {}: ", t.row, t.column,
                    t.start_cycle, t.end_cycle, cycle_of_tile(p.offset));
    if (row >= p.rows || column >= p.lanes) continue;
    const bool is_a = path.ends_with(".a") || path.starts_with("array.skew_a");
    if (skew || is_a || path.ends_with(".b")) {
      const std::int64_t k = p.offset - (skew ? index[1] : row + column);
      if (k >= 0 && k < shape.k) return head + operand(p, shape, is_a, row, column, k);
      continue;
    }
    const std::int64_t hand_over = t.end_cycle - (2 * p.rows + p.lanes - 2);
    const std::int64_t here = hand_over + row + column;  // as the sum of this PE is handed over
    if (path.ends_with(".acc")) {
      const std::int64_t done = std::min<std::int64_t>(p.offset - row - column, shape.k);
      if (done < 1 || cycle > here) continue;
      return head +
             fmt::format("holds the partial sum of C[{}][{}] after {} of {} MACs; acts on {}",
                         t.row + row, t.column + column, done, shape.k,
                         outputs(t.row + row, t.row + row, t.column + column, t.column + column));
    }
    // All rows move up in every cycle from the one in which the top row leaves.
    const std::int64_t leaves = hand_over + p.rows + p.lanes - 1;
    const std::int64_t source = row + std::max<std::int64_t>(0, cycle - leaves);
    if (cycle <= here || source >= p.rows) continue;
    const int m = t.row + static_cast<int>(source);
    return head + fmt::format("holds the finished sum of C[{}][{}] on its way out; acts on {}", m,
                              t.column + column,
                              outputs(m, m, t.column + column, t.column + column));
  }
  return "holds nothing of any tile in that cycle: no output depends on it";
}

// What the scheme may do about it: a footprint is that of the array without it.
std::string repair(const SiteMap& sites) {
  const auto has = [&](const char* path) {
    return std::any_of(sites.classes().begin(), sites.classes().end(),
                       [&](const RegisterClass& c) { return c.path.starts_with(path); });
  };
  if (has("memory.vote.")) return ", unless the vote of three passes has the other two's sums";
  if (has("resilience.columns.total")) {
    return ", unless the checksums of rows and columns correct it";
  }
  if (has("resilience.recompute.")) return ", unless its tile runs again";
  return "";
}

}  // namespace

std::string cycle_of_tile(std::int64_t offset) {
  return offset >= 0 ? fmt::format("its cycle {}", offset)
                     : counted(-offset, "cycle") + " before them";
}

std::string outputs(int row0, int row1, int column0, int column1) {
  const auto range = [](int x, int y) {
    return x == y ? std::to_string(x) : fmt::format("{}..{}", x, y);
  };
  return fmt::format("C[{}][{}]", range(row0, row1), range(column0, column1));
}

namespace {

std::string explain_data(const SiteMap& sites, const Fault& fault,
                         const std::vector<TileRecord>& tiles, const GemmShape& shape,
                         const ArrayShape& array) {
  const std::string path = sites.element_path(fault.site.register_class, fault.site.element);
  const auto& classes = sites.classes();
  const bool voted = std::any_of(classes.begin(), classes.end(), [](const RegisterClass& c) {
    return c.path.starts_with(array_block(2) + ".");
  });
  if (voted && as_first_array(path).starts_with("array.")) {
    return "in one of three arrays; the voter takes the other two's sums, no output depends on it";
  }
  if (path.starts_with(array_block(1) + ".")) {
    return "in the array that the other one is compared with: no output depends on it";
  }
  if (!path.starts_with("array.")) {
    return "a register outside the array; `--explain` knows the array's own (run it to see what it "
           "does)";
  }
  std::vector<int> index;
  for (std::size_t i = 0; (i = path.find('[', i)) != std::string::npos; ++i) {
    index.push_back(std::stoi(path.substr(i + 1)));
  }
  if (path.find(".copy[") != std::string::npos) {
    return "one of three copies; the voter takes the other two's value, no output depends on it";
  }
  if (path.find("swap") != std::string::npos) {
    return "tells PEs where the next tile begins; `--explain` knows the array's data only";
  }
  if (array.overlap && array.dataflow == Dataflow::os) {
    return explain_overlap(path, index, fault.cycle, tiles, shape, array);
  }
  return array.dataflow != Dataflow::os
             ? explain_folds(path, index, fault.cycle, tiles, shape, array)
             : explain_outputs(path, index, fault.cycle, tiles, shape, array);
}

}  // namespace

std::string explain(const SiteMap& sites, const Fault& fault, const std::vector<TileRecord>& tiles,
                    const GemmShape& shape, const ArrayShape& array) {
  std::string text = explain_data(sites, fault, tiles, shape, array);
  if (text.find("; acts on ") != std::string::npos) text += repair(sites);
  if (fault.kind == FaultKind::flip) return text;
  text = "stuck; in the first of its cycles: " + text;
  return fault.last == fault.cycle ? text : text + "; in the others it acts on what passes then";
}

}  // namespace sagitta::cli
