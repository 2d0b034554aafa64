// Runs an experiment: every machine (array x scheme) on every image, and every fault plan's trials.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/interval.h"
#include "campaign/experiment.h"
#include "campaign/float_trial.h"
#include "campaign/hardening.h"
#include "campaign/population.h"
#include "campaign/progress.h"
#include "campaign/sampler.h"
#include "campaign/store.h"
#include "campaign/thresholds.h"
#include "campaign/trial.h"
#include "campaign/workers.h"
#include "cost/cost.h"
#include "network/dataset.h"

namespace sagitta {

// An array with a scheme: one elaborated machine.
struct MachinePlan {
  ArrayShape array;
  Scheme scheme;
  std::shared_ptr<const Network> network;  // with the scheme's order of channels
  std::vector<LayerOrder> orders;          // by layer; empty: as the experiment's network has them
  Program program;
  std::string digest;  // of everything that decides what this machine computes
  std::vector<RegisterClass> registers;
  std::vector<int> configurations;  // indices into Experiment::configurations
};

// Fault-free figures of a machine.
struct MachineResult {
  std::int64_t images = 0;
  std::int64_t passes = 0;  // runs of the machine, a batch of images each
  std::int64_t correct = 0;
  std::int64_t cycles_per_pass = 0;     // the schedule does not depend on data
  std::vector<LayerCounters> counters;  // of one pass; suppressed and mismatches summed over all
  std::int64_t alarmed_passes = 0;      // with a flagged row or a suppressed value
  std::int64_t false_alarms = 0;        // flagged rows
  std::int64_t clean_suppressed = 0;    // values suppressed on clean data
  std::int64_t clean_values = 0;        // values that passed the drain path
  std::vector<std::vector<std::int8_t>> logits;  // by image
  AreaBill area;
  EnergyBill energy;  // of one pass
};

// Fault-free figures of a study in real numbers.
struct FloatResult {
  std::int64_t images = 0;
  std::int64_t correct = 0;
  std::int64_t alarmed = 0;     // images in which a value was suppressed
  std::int64_t suppressed = 0;  // values, of all images
  std::int64_t values = 0;      // that passed the checkers
};

struct Overhead {
  double area = 0, energy = 0, cycles = 0;  // fractions; 0.07 is 7 % more
};

// One configuration's trials; those of a pilot are left out.
struct FaultResult : TrialSums {
  Rates rates;
  std::int64_t pilots = 0;
  double population = 0;      // points of the fault space; 0: not known, or far more than trials
  std::int64_t sites = 0;     // bits that could be hit
  std::int64_t cycles = 0;    // cycles in which they could be hit
  std::int64_t elements = 0;  // of other levels: neurons or weights that could be hit
};

// A fault list for replay: explicit image, site and cycle of every trial.
struct FaultList {
  struct Trial {
    std::int64_t trial;
    int image;
    // As parse_fault() takes them, or a weight's bit, or one of a neuron (fault_levels.h).
    std::vector<std::string> faults;
  };
  std::string machine_digest;
  std::uint64_t seed = 0;
  std::string model = "seu";
  std::string values = {};  // fp32: faults are of neurons in real numbers; else empty
  std::vector<Trial> trials;
};

// How many trials a configuration will have.
struct PlannedTrials {
  std::int64_t runs = 0;  // of a plan that adapts: the first ones
  bool adapts = false;
  double population = 0;  // as in FaultResult
};

// A trial that was run once more, from reset.
struct Replay {
  TrialResult trial;  // with every fault, whatever the store keeps
  CleanResult clean;
  // Fault-free, and with the faults: int8 codes, or real numbers of a study.
  std::vector<float> reference, logits;
  // Not of a study: for further runs of the same trial, on the same SystemC machine.
  std::unique_ptr<TrialEngine> engine;
  TrialFaults faults;
};

class Campaign {
 public:
  // Loads everything that the experiment names; `thresholds` are read or fitted here.
  explicit Campaign(Experiment experiment);

  const Experiment& experiment() const { return experiment_; }
  const NetworkFolder& folder() const { return folder_; }
  const Network& network() const { return folder_.network; }
  const ImageSet& images() const { return images_; }
  const Technology& technology() const { return technology_; }
  const ThresholdFile& thresholds() const { return thresholds_; }
  const std::vector<MachinePlan>& machines() const { return machines_; }
  // -1: none, the configuration is a study in real numbers.
  int machine_of(int configuration) const {
    return machine_of_[static_cast<std::size_t>(configuration)];
  }
  // Studies in real numbers, in software: of the configurations whose faults are (float_trial.h).
  const std::vector<FloatPlan>& studies() const { return studies_; }
  // -1: none, the configuration has a machine.
  int study_of(int configuration) const {
    return study_of_[static_cast<std::size_t>(configuration)];
  }
  // For what only machines can do. Throws InputError where there are none.
  void require_machines() const;

  // The images that go through the machine together, one behind the other: a batch from `first` on.
  int batch() const { return experiment_.batch; }
  std::vector<std::int8_t> pass(int first) const;

  // Every fault of every trial is to be kept, as a list that replays needs it. Otherwise those of
  // plans with one upset are: of others it can be many more than there are trials.
  void keep_faults() { keep_faults_ = true; }
  // Where run_trials keeps trials; `command` reports on them. Without it: in a temporary file.
  // How trials are run; before keep_in().
  void set_engine(Engine engine) { engine_ = engine; }
  void keep_in(const StoreOptions& options, const std::string& command) {
    store_options_ = options;
    command_ = command;
  }
  // Reads the fault lists and site globs of every configuration: what run_trials needs. Throws
  // InputError.
  void read_plans();
  // ... and of each of them its trials, without running any. Throws InputError.
  std::vector<PlannedTrials> planned();
  // Every machine on every image through the SystemC kernel.
  void run_clean(int workers, const Progress& progress);
  // Every machine and study on every image, and every configuration's trials, on the plain cores:
  // what the store does not have yet. Of a shard only its trials, and no results: merge makes them.
  void run_trials(int workers, const Progress& progress);

  // Trial k of a configuration on the whole SystemC machine, without shortcuts; of a study in
  // software, likewise. Once a process, as SystemC elaborates. Throws InputError.
  // `store`: the trials that a sample may have adapted to.
  Replay replay(int configuration, std::int64_t trial, const Store& store);
  // What a store says of this campaign.
  StoreHead store_head() const;

  // What run_trials left.
  const Store& store() const { return *store_; }
  // Filled by run_clean or run_trials.
  const MachineResult& result(int machine) const {
    return results_[static_cast<std::size_t>(machine)];
  }
  // Filled by run_trials.
  const FloatResult& study_result(int study) const {
    return study_results_[static_cast<std::size_t>(study)];
  }
  const FaultResult& faults(int configuration) const {
    return fault_results_[static_cast<std::size_t>(configuration)];
  }
  // Against the unprotected machine of the same array; area of `none` comes from its own bill.
  Overhead overhead(int machine) const;

  // faults.json of a configuration, with the store's trials: docs/formats.md.
  void write_fault_list(int configuration, const std::string& path) const;

 private:
  struct Baseline {
    ArrayShape array;
    double area, energy;
    std::int64_t cycles;
  };
  // Where the trials of one configuration come from.
  struct TrialSource {
    SiteSelection sites;
    Hardening hardening;
    std::shared_ptr<const CommonPopulation> common;  // population: common
    std::int64_t cycles = 0;
    std::int64_t elements = 0;                        // neurons or weights
    std::vector<std::vector<std::int64_t>> by_image;  // trials that are to be run, by image
    std::vector<FaultList::Trial> list;               // replay
    std::unique_ptr<Sampler> sampler;                 // none: uniform, or replay
    double population = 0;                            // as in FaultResult
    std::int64_t decided = 0;                         // trials, so far
    double planned = 0;                               // sequence: where it is narrowest
  };

  void load();
  void compile_machines();
  void plan_study(int configuration);
  void read_study_sources();
  void check_image(const FaultPlan& plan, int image, const std::string& where) const;
  void add_study(int study, const CleanResult& clean);
  std::vector<NeuronFault> neurons_of(int configuration, std::int64_t trial) const;
  void read_sources();
  void check_room() const;
  void check_rate(int configuration) const;
  bool names_faults(int configuration) const;
  // Refuses a fault of the list; the second argument says where it stands.
  using ParseFault = std::function<void(const std::string& fault, const std::string& place)>;
  void read_list(FaultPlan& plan, TrialSource& source, const ParseFault& parse) const;
  Program unprotected(const ArrayShape& array) const;
  void plan_trials(std::optional<int> only = {});  // those of one machine; otherwise of all
  // campaign_sample.cpp: how many trials there are, and which.
  void plan_samples(std::optional<int> only);
  void count_trials(std::size_t configuration);
  void plan_sample(std::size_t configuration, const Program& program, TrialEngine& engine);
  void refuse_shards() const;
  bool decide_more(std::size_t configuration, const Store& store);
  std::int64_t pilots_of(std::size_t configuration) const;
  FaultResult result_of(std::size_t configuration) const;
  Program compile_for(const Network& network, const ArrayShape& array,
                      const Protection& protection) const;
  class TrialRun;
  void take_results();
  void add_clean(int machine, const CleanResult& clean);
  void finish();
  int image_of(int configuration, std::int64_t trial) const;
  TrialFaults faults_of(const TrialEngine& engine, int configuration, std::int64_t trial) const;
  const Baseline& baseline(const ArrayShape& array) const;

  Experiment experiment_;
  NetworkFolder folder_;
  ImageSet images_;
  Technology technology_;
  ThresholdFile thresholds_;
  std::vector<MachinePlan> machines_;
  std::vector<int> machine_of_;
  std::shared_ptr<const FloatNetwork> float_network_;  // of all studies
  std::vector<FloatPlan> studies_;
  std::vector<int> study_of_;
  std::vector<TrialSource> sources_;
  std::vector<MachineResult> results_;
  std::vector<FloatResult> study_results_;
  std::vector<FaultResult> fault_results_;
  bool keep_faults_ = false;
  StoreOptions store_options_;
  Engine engine_ = Engine::fast;
  std::string command_;
  std::unique_ptr<Store> store_;
  mutable std::vector<Baseline> baselines_;
};

// faults.json: see docs/formats.md. A list is written trial by trial: it may be longer than memory.
class FaultListWriter {
 public:
  // `list`: all but its trials. Members throw InputError naming the path.
  FaultListWriter(const FaultList& list, const std::string& path);
  void add(const FaultList::Trial& trial);
  void finish();

 private:
  OutputFile file_;
  bool first_ = true;
};
FaultList read_fault_list(const std::string& path);

}  // namespace sagitta
