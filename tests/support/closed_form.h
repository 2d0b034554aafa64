// Cycle counts from closed forms, derived from the network's shapes alone: docs/machine.md explains
// each term. Nothing here is shared with the machine.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "network/network.h"
#include "schedule/program.h"

namespace sagitta::test {

inline std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

inline int ceil_log2(int n) {
  int bits = 0;
  while ((1 << bits) < n) ++bits;
  return bits;
}

// Cycles that the resilience unit adds to the drain path.
inline int unit_latency(const Protection& p, int columns) {
  return (p.checksum ? ceil_log2(columns) + 1 : 0) + (p.range.present ? 2 : 0) +
         (p.gradient.present ? 4 : 0);
}

inline bool stationary_weights(const ArrayShape& array) {
  return array.dataflow == Dataflow::ws;
}

// From the last issue of a column tile to its last result: pooling too passes the whole drain path.
inline std::int64_t flush(const Protection& p, const ArrayShape& array) {
  return 5 + unit_latency(p, array.columns) +
         (stationary_weights(array) ? array.rows + array.columns : 0);
}

// One tile from its first feed to its last drain, in the sequencer's time or, two cycles later, in
// the array's.
inline std::int64_t tile_cycles(std::int64_t depth, int rows_used, int lanes_used) {
  return depth + 2 * rows_used + lanes_used - 2;
}

struct TileTiming {
  int layer, row, column, fold;
  std::int64_t start, end;
};

// A weight-stationary column tile without its wait, from cycle 0 on: preload, stream and settle for
// each fold, and a flush for each part. Appends its tiles.
inline std::int64_t folded_tile(const Layer& layer, const ArrayShape& array,
                                const MemoryShape& memory, int lanes_used, const Protection& p,
                                std::vector<TileTiming>& tiles) {
  const auto most = static_cast<int>(memory.partial_rows);
  const auto folds = static_cast<int>(ceil_div(layer.depth(), array.rows));
  std::int64_t now = 0;
  for (int row = 0; row < layer.rows(); row += most) {
    const int pixels = std::min(most, layer.rows() - row);
    for (int fold = 0; fold < folds; ++fold) {
      now += row == 0 && fold == 0 ? std::max(array.rows, lanes_used) : array.rows;
      // The last pixel's sums pass R rows and C columns.
      tiles.push_back(
          {0, row, 0, fold, now + 2, now + 2 + pixels + array.rows + array.columns - 2});
      now += pixels + (fold + 1 < folds ? array.rows - 1 : 0);
    }
    now += flush(p, array);
  }
  return now;
}

// A column tile of a gemm layer without its wait.
inline std::int64_t column_tile_cycles(const Layer& layer, const ArrayShape& array,
                                       const MemoryShape& memory, int lanes_used,
                                       const Protection& p) {
  if (stationary_weights(array)) {
    std::vector<TileTiming> tiles;
    return folded_tile(layer, array, memory, lanes_used, p, tiles);
  }
  const int m = layer.rows();
  std::int64_t cycles = std::max(std::min(array.rows, m), lanes_used);  // setup
  for (int row = 0; row < m; row += array.rows) {
    cycles += tile_cycles(layer.depth(), std::min(array.rows, m - row), lanes_used);
  }
  return cycles + flush(p, array);
}

inline std::int64_t pool_tile_cycles(const Layer& layer, const ArrayShape& array,
                                     const Protection& p) {
  return std::int64_t{layer.rows()} * layer.window.kernel_h * layer.window.kernel_w +
         flush(p, array);
}

inline std::int64_t store_cycles(int elements, int element_bytes, const ArrayShape& array,
                                 const MemoryShape& memory) {
  const std::int64_t beats = ceil_div(elements, array.columns);
  return beats *
             ceil_div(std::int64_t{array.columns} * element_bytes, memory.dram_bytes_per_cycle) +
         std::max(1, memory.dram_latency);
}

// A layer where no wait is longer than the one cycle that it always takes.
inline std::int64_t layer_cycles(const Layer& layer, const ArrayShape& array,
                                 const MemoryShape& memory, const Protection& p) {
  std::int64_t cycles = 0;
  for (int column = 0; column < layer.columns(); column += array.columns) {
    const int lanes = std::min(array.columns, layer.columns() - column);
    cycles +=
        1 + (layer.kind == LayerKind::gemm ? column_tile_cycles(layer, array, memory, lanes, p)
                                           : pool_tile_cycles(layer, array, p));
  }
  return cycles;
}

struct Timing {
  std::vector<std::int64_t> layer_cycles, layer_stalls;
  std::vector<TileTiming> tiles;
  std::int64_t total = 0;
};

// The whole run, stalls included. DMA asks for one transfer a cycle while its queue has room; data
// come after the latency and after those of the transfer before, a beat a cycle. It may ask for the
// weights of column tile j as soon as tile j - 2 is finished.
class DmaTiming {
 public:
  DmaTiming(const std::vector<Layer>& layers, const ArrayShape& array, const MemoryShape& memory,
            const Protection& p)
      : memory_(memory) {
    sizes_.push_back(layers.front().input.elements());
    int lane_words = 2;
    int tile_words = p.checksum ? 1 : 0;
    for (const Checker* c : {&p.range, &p.gradient}) {
      if (c->present) (c->granularity == Granularity::channel ? lane_words : tile_words) += 2;
    }
    for (const Layer& layer : layers) {
      if (layer.kind != LayerKind::gemm) continue;
      const std::int64_t size =
          4 * (array.columns * lane_words + tile_words) +
          std::int64_t{layer.depth()} * (array.columns + (p.checksum ? 2 : 0));
      for (int c = 0; c < layer.columns(); c += array.columns) sizes_.push_back(size);
    }
  }

  // First cycle in which the sequencer sees transfer `t` complete; `finished[j]`: first cycle after
  // column tile j.
  std::int64_t complete(std::size_t t, const std::vector<std::int64_t>& finished) {
    while (complete_.size() <= t) {
      const std::size_t i = complete_.size();
      std::int64_t request = i == 0 ? 0 : request_ + 1;
      if (i >= 3) request = std::max(request, finished[i - 3]);
      const auto slots = static_cast<std::size_t>(memory_.dma_queue);
      if (i >= slots) request = std::max(request, complete_[i - slots]);
      request_ = request;
      const std::int64_t due = request + 1 + memory_.dram_latency;
      const std::int64_t first = i == 0 ? due : std::max(due, complete_.back());
      const std::int64_t beats =
          std::max<std::int64_t>(1, ceil_div(sizes_[i], memory_.dram_bytes_per_cycle));
      complete_.push_back(first + beats);
    }
    return complete_[t];
  }

 private:
  MemoryShape memory_;
  std::int64_t request_ = 0;  // cycle of the last transfer's
  std::vector<std::int64_t> sizes_, complete_;
};

inline Timing timing(const std::vector<Layer>& layers, const ArrayShape& array,
                     const MemoryShape& memory, const Protection& p, bool raw) {
  Timing result;
  DmaTiming dma(layers, array, memory, p);
  std::vector<std::int64_t> finished;  // gemm column tiles
  std::int64_t now = 0;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Layer& layer = layers[i];
    const bool gemm = layer.kind == LayerKind::gemm;
    ++now;  // load
    std::int64_t stalls = 0;
    const std::int64_t begin = now;
    for (int column = 0; column < layer.columns(); column += array.columns) {
      const int lanes = std::min(array.columns, layer.columns() - column);
      const std::int64_t leave =
          std::max(now, dma.complete(finished.size() + (gemm ? 1 : 0), finished));
      stalls += leave - now;
      now = leave + 1;
      if (gemm && stationary_weights(array)) {
        std::vector<TileTiming> tiles;
        const std::int64_t cycles = folded_tile(layer, array, memory, lanes, p, tiles);
        for (const TileTiming& t : tiles) {
          result.tiles.push_back(
              {static_cast<int>(i), t.row, column, t.fold, now + t.start, now + t.end});
        }
        now += cycles;
        finished.push_back(now);
      } else if (gemm) {
        std::int64_t feed = now + std::max(std::min(array.rows, layer.rows()), lanes);
        for (int row = 0; row < layer.rows(); row += array.rows) {
          const auto cycles =
              tile_cycles(layer.depth(), std::min(array.rows, layer.rows() - row), lanes);
          result.tiles.push_back(
              {static_cast<int>(i), row, column, 0, feed + 2, feed + 2 + cycles - 1});
          feed += cycles;
        }
        now += column_tile_cycles(layer, array, memory, lanes, p);
        finished.push_back(now);
      } else {
        now += pool_tile_cycles(layer, array, p);
      }
    }
    result.layer_cycles.push_back(now - begin);
    result.layer_stalls.push_back(stalls);
  }
  ++now;  // load finds no further layer
  result.total = now + store_cycles(layers.back().output.elements(), raw ? 4 : 1, array, memory);
  return result;
}

}  // namespace sagitta::test
