// The trial engine: one machine, one image at a time; a fault-free run with checkpoints, then any
// number of trials on that image.
//
// A trial is by definition a whole run from reset. The engine leaves out of it what cannot differ
// from the fault-free run (docs/adr/0017-what-a-trial-leaves-out.md): it starts from the last
// checkpoint before its first fault; once all state is as at a later checkpoint but for words of
// memories, it goes on where the first of these is read; and differences in activations that only
// later layers read are carried through these in software. A test holds all of it to whole runs.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "campaign/activity.h"
#include "campaign/carry.h"
#include "campaign/clean_run.h"
#include "campaign/experiment.h"
#include "campaign/fault_levels.h"
#include "campaign/idle_state.h"
#include "campaign/level_strikes.h"
#include "campaign/memory_use.h"
#include "campaign/outcome.h"
#include "fault/injector.h"
#include "fault/site.h"
#include "machine/clocked_machine.h"
#include "machine/machine.h"

namespace sagitta {

// What a trial's result took: the clocked core, until everything was as in the fault-free run; from
// some cycle on also software, for differences that only later layers read; or the clocked core to
// the end of the run. A study in real numbers has no machine: software.
enum class Road : std::uint8_t { core, difference, machine, software };
inline constexpr int kRoads = 4;
const char* to_string(Road road);

struct TrialResult {
  std::int64_t trial = 0;
  int image = 0;
  Outcome outcome = Outcome::harness_error;
  Road road = Road::machine;
  int reference_class = 0;   // fault-free
  int predicted_class = -1;  // -1: no result, or one that the host was told not to trust
  bool reference_correct = false;
  bool correct = false;
  int stratum = 0;          // of the plan's sample
  std::int64_t weight = 1;  // points of the fault space that it stands for; of an exhaustive sample
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

// The draws of trial k: a pure function of seed and k.
int draw_image(std::uint64_t seed, std::int64_t trial, int images);
std::vector<Fault> draw_faults(std::uint64_t seed, std::int64_t trial, int upsets,
                               const SiteSelection& sites, std::int64_t cycles);

// How trials are run; results are the same.
//  - fast: the blocks of the machine without the kernel, and only what can differ.
//  - machine: the whole SystemC accelerator, from reset to the end. SystemC elaborates once a
//    process, so there can be one such engine in it.
enum class Engine : std::uint8_t { fast, machine };
const char* to_string(Engine engine);

class TrialEngine {
 public:
  TrialEngine(const Program& program, const Network& network, Engine engine = Engine::fast);

  const SiteMap& sites() const { return sites_; }
  Machine& machine() { return machine_; }

  // Cycles of a fault-free run; the schedule does not depend on data.
  std::int64_t clean_cycles();
  // ... and the first cycle of each layer in it; the first one's is 0.
  const std::vector<std::int64_t>& layer_begins();

  // Fault-free run of an image, keeping checkpoints for the trials that follow.
  CleanResult prepare(int image, const std::vector<std::int8_t>& pixels, int label);

  // One trial on the prepared image. `from_reset`: a whole run, without shortcuts, as the machine's
  // engine always makes it.
  TrialResult run_trial(std::int64_t trial, const TrialFaults& faults, bool from_reset = false);
  TrialResult run(std::int64_t trial, const std::vector<Fault>& registers,
                  bool from_reset = false) {
    return run_trial(trial, {.registers = registers}, from_reset);
  }

  // Whether results name the neurons and weights that were hit; their numbers are always told.
  void keep_records(bool keep) { keep_records_ = keep; }
  // Whether somebody knows which neurons are struck, and makes them zero: a bound, no hardware.
  void set_oracle(bool oracle) { oracle_ = oracle; }

  // A run that takes longer than this is a hang. All of its tiles may run again.
  static std::int64_t budget(std::int64_t clean_cycles, int retries) {
    return (2 + retries) * clean_cycles + 1000;
  }
  // Called with the machine of every cycle of a trial on Engine::machine: when the cycle's faults
  // have struck, before its clock edge. For traces; it must not throw.
  using Watch = std::function<void(const Machine&)>;
  void watch(Watch watch) { watch_ = std::move(watch); }
  // Of the last trial: what the host received.
  const std::vector<std::int8_t>& logits() const { return logits_; }

 private:
  // A trial on its way: trial_course.h.
  struct Course;
  struct MemoryFlip;
  // How a piece of it ended: the run is over; it has taken too long, or stands still for ever; or
  // it is the fault-free run again, but for words of memories that are still to be read.
  enum class Stop : std::uint8_t { done, too_long, stands_still, clean };

  void plan();
  std::optional<MemoryFlip> memory_flip(const TrialFaults& faults) const;
  TrialResult unread(const MemoryFlip& flip);
  bool start_behind(const MemoryFlip& flip, Course& course);
  TrialResult clean_trial() const;
  void judge(const std::vector<SuppressionRecord>& suppressions, TrialResult& result) const;
  void start(Course& course);
  void strike(Course& course);
  Stop run_whole(Course& course);
  Stop run_piece(Course& course);
  bool clean_again(Course& course);
  std::int64_t next_read(Course& course, std::int64_t cycle) const;
  bool settle(Course& course, std::int64_t cycle, std::int64_t read);
  bool go_on(Course& course);
  bool carry(const Course& course, std::int64_t cycle, std::int64_t read, Differences& differences);
  bool carry_weights(const Course& course, std::int64_t cycle, Differences& differences);
  bool carry_input(const Course& course, std::int64_t cycle, std::int64_t read,
                   Differences& differences);
  void leave_piece(Course& course);
  void skip_to(Course& course, std::size_t checkpoint);
  TrialResult conclude(Course& course, Stop stop);
  Outcome classify(const Course& course, const TrialResult& result, bool finished,
                   std::size_t suppressions) const;

  const Network* network_;
  Program program_;                              // of its own: weights are flipped in it
  std::unique_ptr<ClockedMachine> accelerator_;  // Engine::machine
  std::unique_ptr<Machine> plain_;               // Engine::fast
  Machine& machine_;
  SiteMap sites_;
  Activity activity_;
  IdleState idle_state_;
  NeuronStrikes neurons_;
  WeightFlips weights_;
  // Of a fault-free run of any image; filled by the first prepare(), if trials take shortcuts.
  std::optional<MemoryUse> use_;
  std::vector<Activity::Moment> moments_;  // by cycle
  std::vector<std::int16_t> layers_;       // at work, by cycle
  DifferenceCarrier carrier_;
  // Whether differences may be carried in software.
  bool carries_, carries_weights_, carries_inputs_;
  bool keep_records_ = true;
  bool oracle_ = false;
  Watch watch_;
  std::int64_t clean_cycles_ = 0;
  std::vector<std::int64_t> layer_begins_;

  int image_ = -1;
  int label_ = 0;
  bool correct_ = false;  // fault-free
  std::vector<std::int8_t> pixels_;
  CleanRun clean_;
  TrialResult clean_trial_;
  std::vector<std::int8_t> logits_;
};

}  // namespace sagitta
