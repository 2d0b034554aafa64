// A product of several tiles either way, on machines whose tiles may run more than once.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include <fmt/format.h>

#include "support/closed_form.h"
#include "support/gemm_case.h"

namespace sagitta::test {

// One dataflow each; with overlap only an operand may be stationary.
inline constexpr ArrayVariant kRerunFlows[] = {{Dataflow::os, false},
                                               {Dataflow::ws, false},
                                               {Dataflow::is, false},
                                               {Dataflow::ws, true},
                                               {Dataflow::is, true}};

inline std::vector<ArrayVariant> rerun_variants() {
  std::vector<ArrayVariant> all;
  for (const ArrayVariant& v : kVariants) {
    if (!(v.overlap && v.shape(2, 2).has(Dataflow::os))) all.push_back(v);
  }
  return all;
}

inline std::int64_t total(const Machine& machine, std::int64_t LayerCounters::*member) {
  std::int64_t n = 0;
  for (const LayerCounters& c : machine.counters()) n += c.*member;
  return n;
}

// A product with several tiles either way, and what a tile's run costs.
class RerunProduct {
 public:
  RerunProduct(const ArrayVariant& variant, const Protection& protection)
      : array_(variant.shape(kRows, kColumns)),
        gemm_(random_, 10, 7, 6, array_, protection, array_.folds() ? kPartialRows : 0),
        runs(gemm_.program, gemm_.a) {}

  static constexpr int kRows = 3, kColumns = 4, kPartialRows = 4;

  // A tile as it is judged: its first output pixel and channel, and its extent.
  struct Tile {
    int row, column, pixels, channels;
    std::int64_t start;  // of its first product in the array
  };
  std::vector<Tile> tiles() const {
    const Dataflow flow = array_.dataflow;
    const int pixels = flow == Dataflow::os   ? kRows
                       : flow == Dataflow::ws ? kPartialRows
                                              : kColumns;
    const int channels = flow == Dataflow::is ? kPartialRows : kColumns;
    std::vector<Tile> all;
    for (const TileRecord& t : runs.tiles()) {
      if (t.fold > 0) continue;
      const bool again = !all.empty() && all.back().row == t.row && all.back().column == t.column;
      if (again) continue;  // of three passes the first
      all.push_back({t.row, t.column, std::min(pixels, gemm_.m - t.row),
                     std::min(channels, gemm_.n - t.column), t.start_cycle});
    }
    return all;
  }

  // From the tables of docs/machine.md.
  std::int64_t cost(const Tile& t) const {
    const std::int64_t unit = gemm_.program.protection.checksum ? ceil_log2(kColumns) + 1 : 0;
    const std::int64_t flush = 5 + unit;
    if (array_.dataflow == Dataflow::os) {
      const bool last = t.row + kRows >= gemm_.m;
      return gemm_.k + 2 * t.pixels + t.channels - 2 + (last ? flush : 3 + unit);
    }
    const bool ws = array_.dataflow == Dataflow::ws;
    const std::int64_t folds = ceil_div(gemm_.k, kRows);
    const std::int64_t stream = ws ? t.pixels : t.channels;
    // The first part's lanes take their parameters once more.
    const std::int64_t parameters = ws && t.row == 0 ? std::max(0, t.channels - kRows) : 0;
    std::int64_t run = folds * (kRows + stream) + (folds - 1) * (kRows - 1);
    if (array_.overlap) {
      run = kRows + (folds - 1) * std::max<std::int64_t>({stream, 2 * kRows - 1, 2}) + stream;
    }
    return parameters + run + flush + kRows + kColumns;
  }

  // A flip of a sum of the tile, `later` cycles later than possible in its first run. It changes
  // the output of (pixel, channel) only.
  Fault sum_flip(const Tile& t, int pixel, int channel, int bit, std::int64_t later = 0) const {
    const Dataflow flow = array_.dataflow;
    const int row = flow == Dataflow::os ? pixel : kRows - 1;
    const int column = flow == Dataflow::is ? pixel : channel;
    // Output stationary the sum stays, and has its first product; otherwise it passes row 2.
    const int moves = flow == Dataflow::os ? 0 : flow == Dataflow::ws ? pixel : channel;
    return {runs.site(fmt::format("array.pe[{}][{}].acc:{}", row, column, bit)),
            t.start + moves + row + column + 1 + later};
  }

  const GemmCase& gemm() const { return gemm_; }

 private:
  Random random_{77};
  ArrayShape array_;
  GemmCase gemm_;

 public:
  FaultyRuns runs;
};

}  // namespace sagitta::test
