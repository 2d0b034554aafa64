// The trial engine: one machine, one image at a time; a fault-free run with checkpoints, then any
// number of trials on that image.
//
// A trial is by definition a whole run from reset. The engine starts it from the last checkpoint
// before its first fault, and stops it when the whole state equals the fault-free state of a later
// checkpoint: both are exact, and a test holds them to whole runs. A run in which a tile ran again
// is compared with the checkpoint that stands as far on in the program, a tile's run earlier.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "campaign/activity.h"
#include "campaign/experiment.h"
#include "campaign/fault_levels.h"
#include "campaign/level_strikes.h"
#include "campaign/outcome.h"
#include "fault/injector.h"
#include "fault/site.h"
#include "machine/machine.h"
#include "network/reference.h"

namespace sagitta {

struct TrialResult {
  std::int64_t trial = 0;
  int image = 0;
  Outcome outcome = Outcome::harness_error;
  int reference_class = 0;   // fault-free
  int predicted_class = -1;  // -1: no result, or one that the host was told not to trust
  bool reference_correct = false;
  bool correct = false;
  std::int64_t cycles = 0;
  int layer = -1;  // at work when the first register was struck; as many as there are: none
  std::int64_t mismatches = 0;        // rows flagged by a detector, or by the outputs' check
  std::int64_t recomputed_tiles = 0;  // that ran again
  std::int64_t recompute_cycles = 0;  // ... and what their judged runs took
  std::int64_t suppressed_right = 0;  // suppressed values that a fault had changed
  std::int64_t suppressed_wrong = 0;  // suppressed values that were as in the fault-free run
  std::int64_t faults_drawn = 0;
  std::int64_t faults_fired = 0;
  std::vector<FaultRecord> faults;    // of registers, in the order given, then of neurons
  std::vector<WeightRecord> weights;  // in the order given
  std::vector<FloatRecord> floats;    // ... of a study in real numbers
};

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

// The draws of trial k: a pure function of seed and k.
int draw_image(std::uint64_t seed, std::int64_t trial, int images);
std::vector<Fault> draw_faults(std::uint64_t seed, std::int64_t trial, int upsets,
                               const SiteSelection& sites, std::int64_t cycles);

class TrialEngine {
 public:
  TrialEngine(const Program& program, const Network& network);

  const SiteMap& sites() const { return sites_; }
  Machine& machine() { return machine_; }

  // Cycles of a fault-free run; the schedule does not depend on data.
  std::int64_t clean_cycles();

  // Fault-free run of an image, keeping checkpoints for the trials that follow.
  CleanResult prepare(int image, const std::vector<std::int8_t>& pixels, int label);

  // One trial on the prepared image. `from_reset`: a whole run, without shortcuts.
  TrialResult run_trial(std::int64_t trial, const TrialFaults& faults, bool from_reset = false);
  TrialResult run(std::int64_t trial, const std::vector<Fault>& registers,
                  bool from_reset = false) {
    return run_trial(trial, {.registers = registers}, from_reset);
  }

  // Whether results name the neurons and weights that were hit; their numbers are always told.
  void keep_records(bool keep) { keep_records_ = keep; }
  // Whether somebody knows which neurons are struck, and makes them zero: a bound, no hardware.
  void set_oracle(bool oracle) { oracle_ = oracle; }

  static constexpr std::int64_t kCheckpointInterval = 512;
  // A run that takes longer than this is a hang. All of its tiles may run again.
  static std::int64_t budget(std::int64_t clean_cycles, int retries) {
    return (2 + retries) * clean_cycles + 1000;
  }

 private:
  class Recorder;
  class Differences;
  void strike(Injector& injector, bool& in_use);
  std::int64_t corrected_reads() const;
  const Machine::Snapshot* start(std::int64_t first_register) const;
  // The checkpoint that the machine has come back to, or nullptr. `from`: the first one that may be
  // as far on in the program as a run in which tiles ran again.
  const Machine::Snapshot* converged_to(bool recomputed, std::size_t& from) const;
  void judge_suppressions(const std::vector<SuppressionRecord>& suppressions,
                          TrialResult& result) const;
  std::optional<std::int32_t> fault_free(const SuppressionRecord& suppression) const;

  const Network* network_;
  Program program_;  // of its own: weights are flipped in it
  Machine machine_;
  SiteMap sites_;
  Activity activity_;
  NeuronStrikes neurons_;
  WeightFlips weights_;
  bool keep_records_ = true;
  bool oracle_ = false;
  std::int64_t clean_cycles_ = 0;

  int image_ = -1;
  int label_ = 0;
  std::vector<std::int8_t> pixels_;
  CleanResult clean_;
  // Of clean_: sums before the checkers of sums, outputs before those of outputs, and what is
  // written.
  std::vector<LayerValues> reference_;
  std::vector<std::vector<std::int8_t>> written_;
  std::vector<SuppressionRecord> clean_suppressions_;
  // ... by layer and address, in the chain's order.
  std::map<std::pair<int, std::int32_t>, std::vector<SuppressionRecord>> clean_chain_;
  std::vector<Machine::Snapshot> checkpoints_;  // [i] at cycle i * kCheckpointInterval
  std::vector<std::int64_t> progress_;          // of each: cycles of work
  std::size_t checkpoint_count_ = 0;
};

}  // namespace sagitta
