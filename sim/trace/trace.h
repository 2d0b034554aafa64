// A run that is watched: fault-free, and beside it, cycle by cycle, the same run under faults.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fault/injector.h"
#include "machine/machine.h"
#include "trace/access_trace.h"
#include "trace/waveform.h"

namespace sagitta {

// Cycles, both ends inclusive.
struct CycleWindow {
  std::int64_t first = 0;
  std::int64_t last = 0;
  std::int64_t cycles() const { return last - first + 1; }
};

// What a fault-free run shows in advance: where layers and tiles lie.
struct Schedule {
  std::int64_t cycles = 0;
  std::vector<CycleWindow> layers;
  std::vector<TileRecord> tiles;
  std::vector<LayerCounters> counters;  // by layer; the last entry is outside of layers
};
// Throws Interrupted as trace() does.
Schedule schedule_of(const Program& program, const std::int8_t* image);

// Where the trace goes; null: not asked for. Memories and DRAM are those of the run under faults,
// where there is one.
struct TraceOutputs {
  Waveform* waveform = nullptr;
  MemoryTrace* memories = nullptr;
  DramTrace* dram = nullptr;
};

struct TracedRun {
  std::int64_t cycles = 0;  // of the run under faults, or of the only one, as far as it was run
  std::int64_t last = 0;    // last cycle traced
  bool finished = false;    // false: hung, or the window ended first
  std::vector<FaultRecord> faults;
  std::vector<std::int8_t> logits;  // of the same run
  std::vector<std::int32_t> raw_output;
};

// Runs from reset to the end of the window or of both runs. Without faults there is one run and the
// waveform has one; with faults it has two, the fault-free one first. A run that has ended keeps
// its state. Nothing that is traced changes a run. Throws Interrupted when an
// InterruptGuard of the caller has noted Ctrl-C.
TracedRun trace(const Program& program, const std::int8_t* image, const std::vector<Fault>& faults,
                const CycleWindow& window, const TraceOutputs& outputs);

}  // namespace sagitta
