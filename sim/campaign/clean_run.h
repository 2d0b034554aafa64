// The fault-free run of an image, kept for its trials: checkpoints to start from and to come back
// to, and the values and counts that trials are compared with.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "campaign/held_checkpoints.h"
#include "campaign/level_strikes.h"
#include "campaign/reach.h"
#include "machine/clocked_machine.h"
#include "machine/machine.h"
#include "network/network.h"

namespace sagitta {

// What a fault-free run of an image gives.
struct CleanResult {
  int image = 0;
  std::vector<std::int8_t> logits;
  bool correct = false;
  std::int64_t cycles = 0;
  std::int64_t mismatches = 0;  // false alarms of the detectors
  std::int64_t suppressed = 0;  // suppressions on clean data
  std::vector<LayerCounters> counters;
};

// Counts of a run that are part of a trial's result.
struct RunCounts {
  std::int64_t mismatches = 0;
  std::int64_t recomputed_tiles = 0;
  std::int64_t recompute_cycles = 0;
  std::int64_t corrected = 0;  // words of memories, and sums; without faults there are none

  static RunCounts of(const std::vector<LayerCounters>& counters);
  // Adds what lies between the two.
  void add(const RunCounts& from, const RunCounts& to);
};

class CleanRun {
 public:
  explicit CleanRun(const Network& network) : values_(network) {}

  // Where checkpoints are kept: as close to each other as the memory for them allows, and in the
  // cycles `also`. `cycles`: of a fault-free run, for any image.
  void plan(std::int64_t cycles, std::size_t snapshot_bytes, const std::vector<std::int64_t>& also);

  // Runs the machine on an image, which must outlive the trials; if it is an accelerator's, through
  // SystemC and without checkpoints.
  void record(Machine& machine, ClockedMachine* accelerator, const std::vector<std::int8_t>& image,
              NeuronStrikes& neurons, WeightFlips& weights);

  std::int64_t cycles() const { return result_.cycles; }
  const CleanResult& result() const { return result_; }
  const CleanValues& values() const { return values_; }
  const std::vector<SuppressionRecord>& suppressions() const { return suppressions_; }
  // What stands at this place, before this checker of `chain`.
  std::optional<std::int32_t> value_at(const SuppressionRecord& suppression,
                                       const std::vector<Checker>& chain) const;

  // All of a checkpoint but its held state, which is below.
  const Machine::Snapshot& checkpoint(std::size_t i) const { return checkpoints_[i]; }
  HeldCheckpoints& held() { return held_; }
  const HeldCheckpoints& held() const { return held_; }
  // Puts the machine where the fault-free run was.
  void restore(Machine& machine, std::size_t checkpoint);
  // The last one at or before a cycle.
  std::size_t before(std::int64_t cycle) const;
  // The checkpoint that may equal a machine's state. Where tiles ran again it is the one that is as
  // far on in the program. `from` is 0 at first and keeps the place of the search.
  std::optional<std::size_t> like(const Machine& machine, bool recomputed, std::size_t& from) const;

 private:
  CleanValues values_;
  CleanResult result_;
  std::vector<SuppressionRecord> suppressions_;
  // ... by layer and address, in the chain's order.
  std::map<std::pair<int, std::int32_t>, std::vector<SuppressionRecord>> chain_;
  void run(Machine& machine);

  std::vector<std::int64_t> at_;                // cycles of the checkpoints, in order, 0 the first
  std::vector<Machine::Snapshot> checkpoints_;  // their state: of the pipeline alone
  HeldCheckpoints held_;
  std::vector<std::int64_t> progress_;  // of each: cycles of work
};

}  // namespace sagitta
