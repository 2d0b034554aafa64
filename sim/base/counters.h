// Event counts of one run, kept by the machine and read by reports and the cost model.
#pragma once

#include <cstdint>

namespace sagitta {

// What happened, by layer; the last entry counts what is outside of layers (load, store).
struct LayerCounters {
  std::int64_t cycles = 0;
  std::int64_t stall_cycles = 0;       // waiting for DMA longer than the one cycle that it takes
  std::int64_t feed_cycles = 0;        // in which operands are issued to the array
  std::int64_t macs = 0;               // useful ones: valid row x valid lane, a feed cycle
  std::int64_t activation_reads = 0;   // elements
  std::int64_t weight_row_reads = 0;   // rows of `columns` weights
  std::int64_t partial_reads = 0;      // elements of the partial-sum memory
  std::int64_t partial_writes = 0;     // elements
  std::int64_t vectors = 0;            // rows of sums through the drain path
  std::int64_t pool_taps = 0;          // vectors of `columns` elements
  std::int64_t activation_writes = 0;  // elements
  std::int64_t dma_bytes = 0;
  std::int64_t mismatches = 0;  // rows whose checksum failed
  std::int64_t suppressed = 0;
};

}  // namespace sagitta
