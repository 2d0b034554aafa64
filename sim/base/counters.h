// Event counts of one run, kept by the machine and read by reports and the cost model. What a count
// means, in which unit, stands in the table of counters.cpp: one entry a member.
#pragma once

#include <cstdint>
#include <span>

namespace sagitta {

// What happened, by layer; the last entry counts what is outside of layers (load, store). Every
// clock cycle is in exactly one of busy (feed, pool), stalled (dram_stall, bank_stall) and idle
// (the other *_cycles of the sequencer), and in exactly one of the four states of DMA.
struct LayerCounters {
  std::int64_t cycles = 0;
  std::int64_t feed_cycles = 0;
  std::int64_t pool_cycles = 0;
  std::int64_t dram_stall_cycles = 0;
  std::int64_t bank_stall_cycles = 0;
  std::int64_t control_cycles = 0;
  std::int64_t setup_cycles = 0;
  std::int64_t preload_cycles = 0;
  std::int64_t fill_cycles = 0;
  std::int64_t drain_cycles = 0;
  std::int64_t verify_cycles = 0;
  std::int64_t settle_cycles = 0;
  std::int64_t flush_cycles = 0;
  std::int64_t store_cycles = 0;

  std::int64_t macs = 0;
  std::int64_t activation_reads = 0;
  std::int64_t activation_words = 0;
  std::int64_t activation_writes = 0;
  std::int64_t weight_row_reads = 0;
  std::int64_t partial_reads = 0;
  std::int64_t partial_writes = 0;
  std::int64_t accumulator_writes = 0;
  std::int64_t vectors = 0;
  std::int64_t pool_taps = 0;
  std::int64_t store_beats = 0;

  std::int64_t dma_burst_cycles = 0;
  std::int64_t dma_latency_cycles = 0;
  std::int64_t dma_blocked_cycles = 0;
  std::int64_t dma_idle_cycles = 0;
  std::int64_t dram_read_bytes = 0;
  std::int64_t dma_bytes = 0;
  std::int64_t activation_dma_bytes = 0;
  std::int64_t weight_dma_bytes = 0;

  std::int64_t mismatches = 0;
  std::int64_t output_mismatches = 0;
  std::int64_t suppressed = 0;
  std::int64_t recomputed_tiles = 0;
  std::int64_t recompute_cycles = 0;
  std::int64_t corrected_reads = 0;
  std::int64_t corrected_sums = 0;

  // The array or the pooling path gets operands in these cycles; in the idle ones neither does,
  // though nothing is waited for.
  std::int64_t busy_cycles() const { return feed_cycles + pool_cycles; }
  // Lost to memories that deliver too late: without them the rest would stay as it is.
  std::int64_t stall_cycles() const { return dram_stall_cycles + bank_stall_cycles; }
  std::int64_t idle_cycles() const {
    return control_cycles + setup_cycles + preload_cycles + fill_cycles + drain_cycles +
           verify_cycles + settle_cycles + flush_cycles + store_cycles;
  }

  LayerCounters& operator+=(const LayerCounters& other);
};

// A member of LayerCounters as users see it.
struct Counter {
  const char* group;  // "time", "work", "dma" or "checks"
  const char* name;
  const char* unit;
  const char* description;
  std::int64_t LayerCounters::*member;
};

// Every member once, in their order.
std::span<const Counter> counters();

// What is derived from counts: a sum, or a ratio.
struct DerivedCounter {
  const char* name;
  const char* unit;
  const char* formula;  // over the names of counters, and `pes`: rows x columns
  const char* description;
  double (*value)(const LayerCounters& c, double pes);
};
std::span<const DerivedCounter> derived_counters();

}  // namespace sagitta
