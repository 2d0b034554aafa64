// A layer list under SCALE-Sim's conventions ("timing": "scale-sim"): each layer walked fold by
// fold, and what its three reports and its traces say. docs/scale-sim.md.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "workload/dram_buffers.h"
#include "workload/fold_walker.h"
#include "workload/scale_sim_config.h"
#include "workload/topology.h"

namespace sagitta {

// Accesses to one SRAM: words, and the cycles of the first and the last one.
struct SramAccesses {
  std::int64_t count = 0;
  std::int64_t start = 0, stop = 0;
};

struct ScaleSimLayer {
  std::string name;
  std::int64_t rows = 0, depth = 0, columns = 0;  // M, K, N
  std::int64_t cycles = 0;                        // counted
  std::int64_t folds = 0;
  std::int64_t stall_cycles = 0;
  std::int64_t macs = 0;
  double mapping_efficiency = 0;   // fraction of the PEs that folds use
  double compute_utilization = 0;  // ... times the share of a fold's cycles that they compute in
  SramAccesses ifmap, filter, ofmap;
  DramTraffic ifmap_dram, filter_dram, ofmap_dram;

  // As reports have it: the number of the last cycle, counted from 0.
  std::int64_t last_cycle() const { return cycles - 1; }
  double overall_utilization(int pes) const;
  // From the first prefetch to the last write to DRAM.
  std::int64_t cycles_with_prefetch() const;
};

// Where the lines of a layer's SRAM traces go: IFMAP, FILTER or OFMAP, and one line.
using TraceSink = std::function<void(const char* buffer, const std::string& line)>;

// Walks one layer. `trace` may be empty.
ScaleSimLayer simulate_scale_sim(const TopologyLayer& layer, const ScaleSimConfig& config,
                                 const TraceSink& trace = {});

}  // namespace sagitta
