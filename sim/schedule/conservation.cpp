#include "schedule/conservation.h"

#include <fmt/format.h>

namespace sagitta {
namespace {

void require(const std::string& place, const char* law, std::int64_t left, std::int64_t right) {
  if (left == right) return;
  throw ConservationError(
      fmt::format("internal error: {}: {} does not hold: {} against {}", place, law, left, right));
}

void require_at_most(const std::string& place, const char* law, std::int64_t left,
                     std::int64_t right) {
  if (left <= right) return;
  throw ConservationError(
      fmt::format("internal error: {}: {} does not hold: {} against {}", place, law, left, right));
}

// A bank delivers at most a word a cycle, and while somebody waits at least one does. Without banks
// there is neither.
void check_banks(const Program& program, const std::string& place, const LayerCounters& c) {
  const std::int64_t banks = program.memory.activation_banks;
  require_at_most(place, "bank stalls <= words read", c.bank_stall_cycles, c.activation_words);
  require_at_most(place, "words read <= banks x cycles", c.activation_words, banks * c.cycles);
}

void check_cycles(const std::string& place, const LayerCounters& c) {
  require(place, "busy + stall + idle = cycles",
          c.busy_cycles() + c.stall_cycles() + c.idle_cycles(), c.cycles);
  require(place, "DMA burst + latency + blocked + idle = cycles",
          c.dma_burst_cycles + c.dma_latency_cycles + c.dma_blocked_cycles + c.dma_idle_cycles,
          c.cycles);
}

// Sums that wait for a later fold: each of M N once a fold but the last.
std::int64_t kept_sums(const Program& program, const LayerDescriptor& layer) {
  if (static_cast<Dataflow>(layer.dataflow) == Dataflow::os) return 0;
  const std::int64_t rows = program.array.rows;
  const std::int64_t folds = (layer.depth + rows - 1) / rows;
  return (folds - 1) * layer.rows * layer.columns;
}

void check_layer(const Program& program, const std::string& place, const LayerDescriptor& layer,
                 const LayerCounters& c) {
  check_cycles(place, c);
  check_banks(program, place, c);
  const bool gemm = layer.operation == static_cast<std::uint8_t>(LayerOperation::gemm);
  const std::int64_t outputs = std::int64_t{layer.rows} * layer.columns;
  const std::int64_t passes = program.protection.passes;  // of every tile
  require(place, gemm ? "MACs = M N K" : "MACs = 0", c.macs,
          gemm ? passes * outputs * layer.depth : 0);
  require(place, "elements written = M N", c.activation_writes + c.accumulator_writes, outputs);
  require(place, "partial sums written = M N (folds - 1)", c.partial_writes,
          gemm ? passes * kept_sums(program, layer) : 0);
  require(place, "partial sums read = written", c.partial_reads, c.partial_writes);
}

}  // namespace

void check_conservation(const Program& program, const std::vector<LayerCounters>& counters,
                        std::int64_t cycles) {
  const std::size_t layers = program.layers.size();
  require("run", "counts = layers + 1", static_cast<std::int64_t>(counters.size()),
          static_cast<std::int64_t>(layers) + 1);
  LayerCounters run;
  for (std::size_t l = 0; l < layers; ++l) {
    check_layer(program, "layer " + program.layer_names[l], program.layers[l], counters[l]);
    run += counters[l];
  }
  check_cycles("outside of layers", counters.back());
  check_banks(program, "outside of layers", counters.back());
  run += counters.back();

  std::int64_t transferred = 0;
  for (const Transfer& t : program.transfers) transferred += t.size;
  require("run", "cycles of layers and outside = cycles", run.cycles, cycles);
  require("run", "bytes read from DRAM = transfers", run.dram_read_bytes, transferred);
  require("run", "bytes sent by DMA = transfers", run.dma_bytes, transferred);
  require("run", "bytes taken by the scratchpads = transfers",
          run.activation_dma_bytes + run.weight_dma_bytes, transferred);
  require("run", "bytes taken by the activation scratchpad = image", run.activation_dma_bytes,
          program.transfers.front().size);
  require("run", "words corrected without a fault = 0", run.corrected_reads, 0);
  require("run", "sums corrected without a fault = 0", run.corrected_sums, 0);
  require("run", "beats to the host = ceil(results / columns)", run.store_beats,
          (program.logits + program.array.columns - 1) / program.array.columns);
}

}  // namespace sagitta
