// The trial engine: one machine, one image at a time; a fault-free run with checkpoints, then any
// number of trials on that image.
//
// A trial is by definition a whole run from reset. The engine starts it from the last checkpoint
// before its first fault, and stops it when the whole state equals the fault-free state of a later
// checkpoint: both are exact, and a test holds them to whole runs.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "campaign/activity.h"
#include "campaign/experiment.h"
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
  int predicted_class = -1;  // -1: no result
  bool reference_correct = false;
  bool correct = false;
  std::int64_t cycles = 0;
  std::int64_t mismatches = 0;        // rows flagged by the checksum or the outputs' check
  std::int64_t suppressed_right = 0;  // suppressed values that a fault had changed
  std::int64_t suppressed_wrong = 0;  // suppressed values that were as in the fault-free run
  std::vector<FaultRecord> faults;
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
  TrialResult run(std::int64_t trial, const std::vector<Fault>& faults, bool from_reset = false);

  static constexpr std::int64_t kCheckpointInterval = 512;
  // A run that takes longer than this is a hang.
  static std::int64_t budget(std::int64_t clean_cycles) { return 2 * clean_cycles + 1000; }

 private:
  class Recorder;
  class Differences;
  void strike(Injector& injector, bool& in_use);
  void judge_suppressions(const std::vector<SuppressionRecord>& suppressions,
                          TrialResult& result) const;
  std::optional<std::int32_t> fault_free(const SuppressionRecord& suppression) const;

  const Network* network_;
  Machine machine_;
  SiteMap sites_;
  Activity activity_;
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
  std::size_t checkpoint_count_ = 0;
};

}  // namespace sagitta
