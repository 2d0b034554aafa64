// Cycle counts from closed forms, derived from the network's shapes alone: docs/machine.md explains
// each term. Nothing here is shared with the machine.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "network/network.h"
#include "schedule/program.h"
#include "support/bank_conflicts.h"

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
  int cycles = p.checksum ? ceil_log2(columns) + 1 : 0;
  for (const Checker& c : p.checkers) {
    cycles += c.kind != CheckerKind::gradient ? 2 : c.axis == Axis::map ? 5 : 4;
  }
  return cycles;
}

// Output stationary, where tiles may run again: from the last row's issue to the detector's flag,
// or until it has left the array. With checksums of columns until the tile's last row has left
// their buffer.
inline std::int64_t verify(const Protection& p, const ArrayShape& array, int rows_used) {
  const int columns = array.columns;
  if (p.column_checksum) {
    // The last row's flag, its differences, their tree or else that of the activations; and the
    // rows themselves.
    const int levels = ceil_log2(columns);
    const int tree = p.correct || p.retries > 0 ? levels : 0;  // where they are judged
    const int deeper = std::max(0, ceil_log2(array.rows) - levels - 4);
    return 3 + (levels + 1) + (1 + tree + deeper) + rows_used;
  }
  if (p.retries == 0 && p.passes == 1) return 0;
  return 3 + (p.checksum ? ceil_log2(columns) + 1 : 0);
}

// What a mixture is made of: the dataflows of its layers with a product.
struct Members {
  bool os = false, ws = false, is = false;
  Dataflow first() const { return os ? Dataflow::os : ws ? Dataflow::ws : Dataflow::is; }
};
inline Members members_of(const std::vector<Layer>& layers, const ArrayShape& array) {
  Members m;
  bool any = false;
  const auto add = [&](Dataflow d) {
    (d == Dataflow::os ? m.os : d == Dataflow::ws ? m.ws : m.is) = any = true;
  };
  for (const Layer& layer : layers) {
    if (layer.kind == LayerKind::gemm) add(array.dataflow_of(layer.name));
  }
  if (!any) add(array.dataflow);
  return m;
}
// The array as a layer sees it: of one dataflow. Layers without a product take the first one.
inline ArrayShape array_of(const std::vector<Layer>& layers, const ArrayShape& array,
                           const Layer& layer) {
  const Dataflow dataflow = layer.kind == LayerKind::gemm ? array.dataflow_of(layer.name)
                                                          : members_of(layers, array).first();
  return {array.rows, array.columns, dataflow, array.overlap};
}

// An operand stays in the PEs: the depth is worked off in folds. From here on an array has one
// dataflow, where the whole network is not named.
inline bool folds(const ArrayShape& array) {
  return array.dataflow != Dataflow::os;
}

// Output channels of a column tile: one a column, or (is) as many as there are partial sums for and
// the scratchpad holds the weights of.
inline int tile_channels(const Layer& layer, const ArrayShape& array, const MemoryShape& memory) {
  if (array.dataflow != Dataflow::is || layer.kind != LayerKind::gemm) return array.columns;
  const std::int64_t weights = memory.weight_rows / ceil_div(layer.depth(), array.rows);
  return static_cast<int>(std::min({std::int64_t{layer.columns()}, memory.partial_rows, weights}));
}

// From the last issue of a column tile to its last result: pooling too passes the whole drain path.
inline std::int64_t flush(const Protection& p, const ArrayShape& array) {
  return 5 + unit_latency(p, array.columns) + (folds(array) ? array.rows + array.columns : 0);
}

// Where there are checkers of maps they then let go of their last lines, one behind the other, in
// layers with pixels that have three neighbours.
inline std::int64_t last_lines(const Protection& p, const Layer& layer) {
  if (layer.kind != LayerKind::gemm || layer.output.height < 2 || layer.output.width < 2) return 0;
  std::int64_t cycles = 0;
  for (const Checker& c : p.checkers) cycles += c.axis == Axis::map ? layer.output.width : 0;
  return cycles;
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

// A column tile of a stationary operand without its wait, from cycle 0 on: preload, stream and
// settle for each fold, and a flush for each part (ws) or tile of pixels (is). `first`, `channels`:
// of the column tile. Appends its tiles.
inline std::int64_t folded_tile(const Layer& layer, const ArrayShape& array,
                                const MemoryShape& memory, int first, int channels,
                                const Protection& p, int batch, std::vector<TileTiming>& tiles,
                                Banks& banks) {
  const bool ws = array.dataflow == Dataflow::ws;
  const int most = ws ? static_cast<int>(memory.partial_rows) : array.columns;
  const auto count = static_cast<int>(ceil_div(layer.depth(), array.rows));
  const int m = batch * layer.rows();
  const int group = first / (layer.columns() / layer.groups);
  // Setup: the columns take their pixels' positions. Weight stationary the lanes take their
  // parameters beside the first preload.
  std::int64_t now = ws ? std::max(0, channels - array.rows) : std::min(most, m);
  for (int run = 0; run / p.passes * most < m; ++run) {
    const int row = run / p.passes * most;
    const int pixels = std::min(most, m - row);
    // A part's parameters come with each of its runs.
    if (ws && row == 0 && run > 0) now += std::max(0, channels - array.rows);
    for (int fold = 0; fold < count; ++fold) {
      const int k = fold * array.rows;
      const bool last = fold + 1 == count;
      // A fold's activations: pixel by pixel as they stream (ws), or tap by tap beforehand (is).
      const auto preload = [&](int depth) {
        std::int64_t cycles = 0;
        for (int r = 0; r < array.rows; ++r) {
          cycles += banks.operands(layer, row, pixels, depth + r, 1, group);
        }
        return cycles;
      };
      if (fold == 0 || !array.overlap) now += ws ? array.rows : preload(k);
      std::int64_t stream = ws ? 0 : channels;
      std::int64_t first_access = 1;
      for (int pixel = 0; ws && pixel < pixels; ++pixel) {
        const std::int64_t access = banks.operands(layer, row + pixel, 1, k, array.rows, group);
        if (pixel == 0) first_access = access;
        stream += access;
      }
      // The last one's sums pass R rows and C columns.
      tiles.push_back({0, row, 0, fold, now + first_access - 1 + 2,
                       now + 2 + stream + array.rows + array.columns - 2});
      if (!array.overlap || last) {
        now += stream + (last ? 0 : array.rows - 1);
        continue;
      }
      // The next fold loads from R - 1 cycles after this one's start on; and none takes one cycle.
      const std::int64_t loaded = ws ? array.rows : preload(k + array.rows);
      now += std::max(stream, std::max(1, array.rows - 1) + loaded);
    }
    now += flush(p, array) + (ws && row + most < m ? 0 : last_lines(p, layer));
  }
  return now;
}

// An output-stationary column tile, likewise.
inline std::int64_t output_tile(const Layer& layer, const ArrayShape& array, int first,
                                int lanes_used, const Protection& p, int batch,
                                std::vector<TileTiming>& tiles, Banks& banks) {
  const int m = batch * layer.rows();
  const int group = first / (layer.columns() / layer.groups);
  std::int64_t feed = std::max(std::min(array.rows, m), lanes_used);  // setup
  std::int64_t leaves = 0;  // overlap: when the last row of the tile before leaves
  int before = 0;           // ... and its rows
  for (int run = 0; run / p.passes * array.rows < m; ++run) {
    const int row = run / p.passes * array.rows;
    const int rows = std::min(array.rows, m - row);
    std::int64_t feed_cycles = 0;
    std::int64_t first_access = 0;
    for (int k = 0; k < layer.depth(); ++k) {
      feed_cycles += banks.operands(layer, row, rows, k, 1, group);
      if (k == 0) first_access = feed_cycles;
    }
    const std::int64_t start = feed + first_access - 1;  // product 0 and the swap bit are issued
    if (!array.overlap) {
      const std::int64_t cycles = tile_cycles(feed_cycles, rows, lanes_used);
      tiles.push_back({0, row, 0, 0, start + 2, feed + 2 + cycles - 1});
      feed += cycles;
      // The last tile ends with a flush, in each of its runs.
      const bool more = run % p.passes + 1 < p.passes;
      if (row + rows < m)
        feed += verify(p, array, rows);
      else if (p.column_checksum)
        return feed + verify(p, array, rows) + flush(p, array) - 3 - ceil_log2(array.columns);
      else if (more)
        feed += flush(p, array) + last_lines(p, layer);
      continue;
    }
    // The tile before is handed over as this one starts, the last one when the drain is free.
    if (row > 0) {
      leaves = start + 2 * before + lanes_used - 2;
      tiles.back().end = leaves + 2;
    }
    tiles.push_back({0, row, 0, 0, start + 2, 0});
    before = rows;
    feed = std::max(feed + feed_cycles, leaves);
  }
  const std::int64_t end = flush(p, array) + last_lines(p, layer);
  if (!array.overlap) return feed + end;
  leaves = feed + 2 * before + lanes_used - 2;
  tiles.back().end = leaves + 2;
  return leaves + 1 + end;
}

// A column tile of a gemm layer without its wait. Appends its tiles.
inline std::int64_t column_tile_cycles(const Layer& layer, const ArrayShape& array,
                                       const MemoryShape& memory, int first, int channels,
                                       const Protection& p, int batch,
                                       std::vector<TileTiming>& tiles, Banks& banks) {
  return folds(array) ? folded_tile(layer, array, memory, first, channels, p, batch, tiles, banks)
                      : output_tile(layer, array, first, channels, p, batch, tiles, banks);
}

// Pooling takes an access of neighbouring channels a tap; adding is a window of two taps at the
// same place.
inline std::int64_t pool_tile_cycles(const Layer& layer, const ArrayShape& array, int first,
                                     int lanes, const Protection& p, int batch, Banks& banks) {
  const bool add = layer.kind == LayerKind::add;
  const int taps = add ? 2 : layer.window.kernel_h * layer.window.kernel_w;
  Layer channel = layer;  // a window over one channel of the map
  channel.kind = LayerKind::gemm;
  channel.groups = layer.input.channels;
  std::int64_t cycles = 0;
  for (int pixel = 0; pixel < batch * layer.rows(); ++pixel) {
    for (int tap = 0; tap < taps; ++tap) {
      const auto at = operand(channel, pixel, add ? 0 : tap, first);
      cycles += banks.ideal() || !at ? 1 : banks.neighbours(*at, lanes);
    }
  }
  return cycles + flush(p, array);
}

// First channel and channels of every column tile: no tile spans two groups.
inline std::vector<std::pair<int, int>> lanes_of(const Layer& layer, const ArrayShape& array,
                                                 const MemoryShape& memory) {
  std::vector<std::pair<int, int>> tiles;
  const int width = layer.columns() / layer.groups;
  for (int group = 0; group < layer.groups; ++group) {
    const int most = tile_channels(layer, array, memory);
    for (int column = 0; column < width; column += most) {
      tiles.emplace_back(group * width + column, std::min(most, width - column));
    }
  }
  return tiles;
}

// `banks`, if any: of activations that go to the host. Raw sums (4 bytes) have a buffer of their
// own.
inline std::int64_t store_cycles(int elements, int element_bytes, const ArrayShape& array,
                                 const MemoryShape& memory, Banks* banks = nullptr) {
  const std::int64_t beats = ceil_div(elements, array.columns);
  std::int64_t waits = 0;
  for (int first = 0; banks != nullptr && element_bytes == 1 && first < elements;
       first += array.columns) {
    waits += banks->neighbours(first, std::min(array.columns, elements - first)) - 1;
  }
  return beats *
             ceil_div(std::int64_t{array.columns} * element_bytes, memory.dram_bytes_per_cycle) +
         waits + std::max(1, memory.dram_latency);
}

// A layer where no wait is longer than the one cycle that it always takes.
inline std::int64_t layer_cycles(const Layer& layer, const ArrayShape& array,
                                 const MemoryShape& memory, const Protection& p, int batch = 1) {
  std::int64_t cycles = 0;
  Banks banks(memory);
  for (const auto& [column, lanes] : lanes_of(layer, array, memory)) {
    std::vector<TileTiming> tiles;
    cycles +=
        1 + (layer.kind == LayerKind::gemm
                 ? column_tile_cycles(layer, array, memory, column, lanes, p, batch, tiles, banks)
                 : pool_tile_cycles(layer, array, column, lanes, p, batch, banks));
  }
  return cycles;
}

struct Timing {
  std::vector<std::int64_t> layer_cycles, dram_stalls;
  // By layer, and at last those of the store phase. Stalls: what ideal ports would save.
  std::vector<std::int64_t> bank_stalls, words;
  std::vector<TileTiming> tiles;
  std::int64_t total = 0;
};

// The whole run, stalls included. DMA asks for one transfer a cycle while its queue has room; data
// come after the latency and after those of the transfer before, a beat a cycle. It may ask for the
// weights of column tile j as soon as tile j - 2 is finished.
class DmaTiming {
 public:
  DmaTiming(const std::vector<Layer>& layers, const ArrayShape& array, const MemoryShape& memory,
            const Protection& p, int batch)
      : memory_(memory) {
    sizes_.push_back(std::int64_t{batch} * layers.front().input.elements());
    const Members members = members_of(layers, array);
    const bool outputs = members.os || members.ws;  // lanes are channels
    const bool row_sums = p.checksum && outputs;
    int lane_words = p.checksum && members.is ? 4 : 2;  // a channel has its own sums of biases
    int tile_words = row_sums ? 1 : 0;
    int neuron_words = 0;
    for (const Checker& c : p.checkers) {
      if (c.kind == CheckerKind::median) continue;
      (c.granularity == Granularity::neuron    ? neuron_words
       : c.granularity == Granularity::channel ? lane_words
                                               : tile_words) +=
          c.position == Position::output ? 1 : 2;  // bounds of outputs share a word
    }
    // A row of weights is as long as any member's.
    const std::int64_t row =
        std::max(outputs ? array.columns : 0, members.is ? array.rows : 0) + (row_sums ? 2 : 0);
    for (const Layer& layer : layers) {
      if (layer.kind != LayerKind::gemm) continue;
      const bool is = array.dataflow_of(layer.name) == Dataflow::is;
      for (const auto& tile : lanes_of(layer, array_of(layers, array, layer), memory)) {
        const int channels = is ? tile.second : array.columns;
        const std::int64_t rows =
            is ? ceil_div(layer.depth(), array.rows) * channels : std::int64_t{layer.depth()};
        const std::int64_t bounds = std::int64_t{4} * layer.rows() * channels * neuron_words;
        sizes_.push_back(4 * (channels * lane_words + tile_words) + bounds + rows * row);
      }
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

inline Timing timing(const std::vector<Layer>& layers, const ArrayShape& machine,
                     const MemoryShape& memory, const Protection& p, bool raw, int batch = 1) {
  Timing result;
  DmaTiming dma(layers, machine, memory, p, batch);
  std::vector<std::int64_t> finished;  // gemm column tiles
  std::int64_t now = 0;
  MemoryShape ports = memory;
  ports.activation_banks = 0;
  Banks ideal(ports);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Layer& layer = layers[i];
    const ArrayShape array = array_of(layers, machine, layer);
    const bool gemm = layer.kind == LayerKind::gemm;
    ++now;  // load
    std::int64_t stalls = 0;
    std::int64_t bank_stalls = 0;
    Banks banks(memory);
    const std::int64_t begin = now;
    for (const auto& [column, lanes] : lanes_of(layer, array, memory)) {
      const std::int64_t leave =
          std::max(now, dma.complete(finished.size() + (gemm ? 1 : 0), finished));
      stalls += leave - now;
      now = leave + 1;
      if (gemm) {
        std::vector<TileTiming> tiles;
        const std::int64_t cycles =
            column_tile_cycles(layer, array, memory, column, lanes, p, batch, tiles, banks);
        for (const TileTiming& t : tiles) {
          result.tiles.push_back(
              {static_cast<int>(i), t.row, column, t.fold, now + t.start, now + t.end});
        }
        bank_stalls += cycles - column_tile_cycles(layer, array, memory, column, lanes, p, batch,
                                                   tiles, ideal);
        now += cycles;
        finished.push_back(now);
      } else {
        const std::int64_t cycles = pool_tile_cycles(layer, array, column, lanes, p, batch, banks);
        bank_stalls += cycles - pool_tile_cycles(layer, array, column, lanes, p, batch, ideal);
        now += cycles;
      }
    }
    result.layer_cycles.push_back(now - begin);
    result.dram_stalls.push_back(stalls);
    result.bank_stalls.push_back(bank_stalls);
    result.words.push_back(banks.words());
  }
  ++now;  // load finds no further layer
  Banks banks(memory);
  const int results = batch * layers.back().output.elements();
  const std::int64_t store = store_cycles(results, raw ? 4 : 1, machine, memory, &banks);
  result.total = now + store;
  result.bank_stalls.push_back(store - store_cycles(results, raw ? 4 : 1, machine, memory));
  result.words.push_back(banks.words());
  return result;
}

}  // namespace sagitta::test
