// An experiment file as it was meant: validated, defaults filled in, paths made absolute, and the
// cross product of its lists expanded into configurations.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "campaign/sample_plan.h"
#include "campaign/scheme.h"
#include "schedule/program.h"

namespace sagitta {

struct FaultPlan {
  // register: bits of the machine; neuron, weight: elements of layers' results and weights in DRAM,
  // each hit with the probability `rate` (campaign/fault_levels.h).
  std::string level = "register";
  double rate = 0;              // neuron, weight; model rate: upsets of a bit in a cycle
  std::string values = "int8";  // neuron: which of its values is hit: int32, int8 or fp32
  // Of registers (campaign/fault_models.h): seu, mbu, stuck-at-0, stuck-at-1, intermittent or rate,
  // each with options of its own; those of other models have their defaults.
  std::string model = "seu";
  int cluster_size = 2;                // mbu: bits that one event flips
  std::string cluster_along = "bits";  // mbu: of a word; row, column: the same bit of so many PEs
  std::string onset = "drawn";         // stuck-at: at the drawn cycle; start: from reset on
  std::int64_t duration = 100;         // intermittent: cycles that the bit is stuck
  int upsets = 1;                      // events in one inference; model rate: says nothing
  std::int64_t trials = 2000;          // 0: the sample says how many, once the fault space is known
  std::uint64_t seed = 1;
  std::string sites = "all";  // comma-separated path globs, or one of the names all, logic, memory
  // own: over this machine's bits and cycles; common: over those of the unprotected machine,
  // carried over, for paired comparisons (campaign/population.h).
  std::string population = "own";
  SamplePlan sample;
  std::string list;  // a fault list file to replay instead of sampling; empty: sample
  bool operator==(const FaultPlan&) const = default;
  bool of_registers() const { return level == "register"; }
  // Whether so many events are drawn in each trial, as many as `upsets` says.
  bool draws_events() const { return of_registers() && list.empty() && model != "rate"; }
  // Whether each trial draws one fault of one bit.
  bool of_one_bit() const { return draws_events() && upsets == 1 && model != "mbu"; }
  // Real numbers, computed in software: no machine has part in it (campaign/float_study.h).
  bool of_floats() const { return level == "neuron" && values == "fp32"; }
};

// One point of the cross product.
struct Configuration {
  std::string name;  // "16x16 os gradient", unique among the fault-free machines of an experiment
  ArrayShape array;
  Scheme scheme;
  FaultPlan fault;
  std::string array_place;     // where the array stands: "$.array[1]"
  std::string dataflow_place;  // ... and its dataflow: "$.array[1].dataflow"
  std::string fault_place;     // ... and the fault plan: "$.fault[1]"
};

// How a workload is timed: by the machine, or by SCALE-Sim's conventions (docs/scale-sim.md).
enum class Timing : std::uint8_t { real, scale_sim };
const char* to_string(Timing timing);

// Where values of the experiment come from that do not stand in its own file: an override of the
// command line, or a file that an entry of "array" or "scheme" names.
struct Origin {
  std::string where;   // "$.array.rows"; of a file the entry that names it
  std::string source;  // "--set array.rows=32"; or the file
  bool is_file = false;
};

struct Place {
  std::string file;   // or override
  std::string where;  // in it
};

// What an error about the place `where` should blame: the last override that set it, a part of it
// or what holds it; or the file that holds it; otherwise `file`. `origins` are in the order in
// which they took effect.
Place place_of(const std::string& where, const std::vector<Origin>& origins,
               const std::string& file);

// NOLINTNEXTLINE(bugprone-exception-escape): the JSON library does not declare all of its moves
struct Experiment {
  std::string file;  // for messages; empty when built in memory
  std::vector<Origin> origins;
  // Absolute paths of which one is empty: a network, or a list of layers that is only timed.
  std::string network_path;
  std::string workload_path;
  Timing timing = Timing::real;
  int images = 0;      // 0: all of the test set
  int batch = 1;       // images that go through the machine together
  MemoryShape memory;  // zeros: sized to fit
  double clock_mhz = 500.0;
  std::string technology_path;  // absolute
  std::string thresholds_path;  // absolute; empty: calibrated before the run
  int calibration_images = 0;   // 0: all of the calibration set
  // array (outermost) x scheme x upsets/sites/... (innermost), in the file's order.
  std::vector<Configuration> configurations;
  nlohmann::ordered_json resolved;  // everything above as a file that would give the same again
};

// An error about a place in the experiment, which blames whatever gave the value.
InputError error_at(const Experiment& experiment, const std::string& where,
                    const std::string& problem, const std::string& remedy);

// Does `work`; errors in it about the experiment's file blame whatever gave the value.
template <typename Work>
void with_origins(const Experiment& experiment, Work work) {
  try {
    work();
  } catch (const InputError& e) {
    if (e.file() != experiment.file) throw;
    const Place place = place_of(e.where(), experiment.origins, experiment.file);
    throw e.at(place.file, place.where);
  }
}

// Throws InputError for a workload, which has no values to work on.
void require_network(const Experiment& experiment);

// Reads and checks `path`; `overrides` are "key.path=value" (value as JSON, or else as a string).
// Throws InputError with file, JSON path, value and remedy; an unknown key names the nearest known.
// The experiment is about one network, and one part of a file that has parts: see below.
Experiment load_experiment(const std::string& path, const std::vector<std::string>& overrides,
                           const std::string& part = "");

// The experiment that `resolved` says in full, as a store keeps it; `file` is for messages.
Experiment resolved_experiment(const nlohmann::ordered_json& resolved, const std::string& file);

// The parts of the file, in its order; none: it has no key "parts". Each is an experiment of its
// own. Throws InputError.
std::vector<std::string> experiment_parts(const std::string& path);

// The networks that it names, absolute; none where it names a workload. Each is an experiment of
// its own, with the further override "network=PATH". Throws InputError likewise.
std::vector<std::string> experiment_networks(const std::string& path,
                                             const std::vector<std::string>& overrides,
                                             const std::string& part = "");

}  // namespace sagitta
