#include "campaign/experiment.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "campaign/experiment_expand.h"
#include "campaign/experiment_source.h"
#include "campaign/json_text.h"

namespace sagitta {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using nlohmann::ordered_json;

// A key whose absence and null mean the same.
template <typename Value>
Value value_or(const json& object, const char* key, Value otherwise) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? otherwise : found->get<Value>();
}

const std::string kShippedTechnology = SAGITTA_DATA_DIR "/tech/45nm.json";

std::string shipped_technology(const std::string& folder) {
  const fs::path beside = fs::path(folder) / "tech" / "45nm.json";
  std::error_code error;
  return fs::exists(beside, error) ? beside.string() : kShippedTechnology;
}

void require_file(const ExperimentSource& source, const std::string& where, const std::string& path,
                  const std::string& advice) {
  std::error_code error;
  if (fs::is_regular_file(path, error)) return;
  source.fail(where, "there is no file " + path,
              advice + "paths in the file are relative to " + source.folder() +
                  ", those in --set to the current folder");
}

ordered_json memory_json(const MemoryShape& memory) {
  return {{"activation_bytes", memory.activation_bytes},
          {"activation_banks", memory.activation_banks},
          {"activation_port_bytes", memory.activation_port_bytes},
          {"weight_rows", memory.weight_rows},
          {"partial_rows", memory.partial_rows},
          {"dram_latency", memory.dram_latency},
          {"dram_bytes_per_cycle", memory.dram_bytes_per_cycle},
          {"dma_queue", memory.dma_queue}};
}

// SCALE-Sim's conventions know a plain array and nothing around it: what else is asked for would
// change nothing.
void check_scale_sim(const ExperimentSource& source, const Experiment& experiment) {
  const std::string remedy = ", or use \"timing\": \"real\"";
  for (const Configuration& configuration : experiment.configurations) {
    if (configuration.scheme.kind != "none") {
      source.fail("$.scheme",
                  "SCALE-Sim's conventions know no " + configuration.scheme.kind + " scheme",
                  "use \"none\"" + remedy);
    }
    if (configuration.array.overlap) {
      source.fail(json_place(configuration.array_place, "overlap"),
                  "true says nothing to SCALE-Sim's conventions, where folds never overlap",
                  "remove it" + remedy);
    }
    if (!configuration.array.layer_dataflows.empty()) {
      source.fail(configuration.dataflow_place,
                  "SCALE-Sim's conventions know one dataflow for all layers",
                  "write \"os\", \"ws\" or \"is\"" + remedy);
    }
  }
  const json given = source.document().value("memory", json::object());
  const ordered_json usual = memory_json(MemoryShape{});
  for (const auto& [key, value] : given.items()) {
    if (value.is_null() || value == json(usual[key])) continue;
    source.fail(json_place("$.memory", key),
                show_json(value) +
                    " says nothing to SCALE-Sim's conventions, whose memories have " +
                    "fixed sizes and are as fast as needed",
                "remove it" + remedy);
  }
  const std::string& technology = experiment.technology_path;
  if (technology != shipped_technology(source.folder()) && technology != kShippedTechnology) {
    source.fail("$.technology", "SCALE-Sim's conventions have neither area nor energy",
                "remove it" + remedy);
  }
}

// Which keys make sense together; the schema knows each on its own.
void check_keys(const ExperimentSource& source, const Experiment& experiment) {
  const json& document = source.document();
  if (experiment.network_path.empty() && experiment.workload_path.empty()) {
    source.fail("$.network", "this key is missing",
                "add \"network\": a network folder; or \"workload\": layers that are only timed");
  }
  if (experiment.workload_path.empty()) {
    if (experiment.timing == Timing::real) return;
    source.fail("$.timing", "only a workload can be timed by SCALE-Sim's conventions",
                "remove the key, or name a \"workload\" in place of the network");
  }
  if (!experiment.network_path.empty()) {
    source.fail("$.workload", "there is a network too", "name one of them");
  }
  for (const char* key : {"images", "batch", "fault", "thresholds", "calibration_images"}) {
    if (!document.contains(key) || document[key].is_null()) continue;
    source.fail(json_place("$", key), "this key does not apply to a workload, which has no values",
                "remove it, or name a \"network\"");
  }
  if (experiment.timing == Timing::scale_sim) check_scale_sim(source, experiment);
}

void require_files(const ExperimentSource& source, const Experiment& experiment) {
  std::error_code error;
  const std::string& network = experiment.network_path;
  const bool folder = fs::is_directory(network, error);
  if (!network.empty()) {
    require_file(source, "$.network", folder ? network + "/network.json" : network,
                 "name a network folder; ");
  } else {
    require_file(source, "$.workload", experiment.workload_path,
                 "name a workload file (.json) or a topology (.csv); ");
  }
  require_file(source, "$.technology", experiment.technology_path, "");
  if (!experiment.thresholds_path.empty()) {
    require_file(source, "$.thresholds", experiment.thresholds_path,
                 "write it with sagitta calibrate, or remove the key to calibrate before each "
                 "run; ");
  }
  for (const Configuration& configuration : experiment.configurations) {
    const std::string& list = configuration.fault.list;
    if (!list.empty()) require_file(source, "$.fault.list", list, "");
  }
}

template <typename Value>
ordered_json null_if(bool absent, const Value& value) {
  return absent ? ordered_json(nullptr) : ordered_json(value);
}

ordered_json resolve(const Experiment& experiment, const Expansion& expansion) {
  const bool timed = !experiment.workload_path.empty();
  ordered_json all;
  if (timed) {
    all["workload"] = experiment.workload_path;
    all["timing"] = to_string(experiment.timing);
  } else {
    all["network"] = experiment.network_path;
    all["images"] = null_if(experiment.images == 0, experiment.images);
    all["batch"] = experiment.batch;
  }
  all["array"] = expansion.array;
  all["scheme"] = expansion.scheme;
  if (!timed) all["fault"] = expansion.fault;
  if (experiment.timing == Timing::real) {
    all["memory"] = memory_json(experiment.memory);
    all["technology"] = experiment.technology_path;
  }
  all["clock_mhz"] = experiment.clock_mhz;
  if (timed) return all;
  all["thresholds"] = null_if(experiment.thresholds_path.empty(), experiment.thresholds_path);
  all["calibration_images"] =
      null_if(experiment.calibration_images == 0, experiment.calibration_images);
  return all;
}

std::vector<std::string> networks_of(const json& document) {
  const auto found = document.find("network");
  if (found == document.end() || found->is_null()) return {};
  if (found->is_array()) return found->get<std::vector<std::string>>();
  return {found->get<std::string>()};
}

}  // namespace

std::vector<std::string> experiment_networks(const std::string& path,
                                             const std::vector<std::string>& overrides,
                                             const std::string& part) {
  return networks_of(ExperimentSource(path, overrides, part).document());
}

const char* to_string(Timing timing) {
  return timing == Timing::real ? "real" : "scale-sim";
}

InputError error_at(const Experiment& experiment, const std::string& where,
                    const std::string& problem, const std::string& remedy) {
  const Place place = place_of(where, experiment.origins, experiment.file);
  return {place.file, place.where, problem, remedy};
}

void require_network(const Experiment& experiment) {
  if (experiment.workload_path.empty()) return;
  throw error_at(experiment, "$.workload",
                 "a workload has shapes and no values: it can only be timed",
                 "time it with sagitta run, or name a \"network\" in its place");
}

namespace {

Experiment experiment_of(const ExperimentSource& source) {
  const json& document = source.document();

  Experiment experiment;
  experiment.file = source.file();
  experiment.origins = source.origins();
  const std::vector<std::string> networks = networks_of(document);
  if (networks.size() > 1) {
    source.fail("$.network", "this command takes one network, not " + show_json(networks.size()),
                "choose one: --set network=" + networks.front());
  }
  if (!networks.empty()) experiment.network_path = networks.front();
  experiment.workload_path = value_or(document, "workload", std::string());
  if (document.value("timing", "real") == "scale-sim") experiment.timing = Timing::scale_sim;
  experiment.images = value_or(document, "images", 0);
  experiment.batch = value_or(document, "batch", experiment.batch);
  const json memory = document.value("memory", json::object());
  MemoryShape& shape = experiment.memory;
  shape.activation_bytes = value_or(memory, "activation_bytes", shape.activation_bytes);
  shape.activation_banks = value_or(memory, "activation_banks", shape.activation_banks);
  shape.activation_port_bytes =
      value_or(memory, "activation_port_bytes", shape.activation_port_bytes);
  shape.weight_rows = value_or(memory, "weight_rows", shape.weight_rows);
  shape.partial_rows = value_or(memory, "partial_rows", shape.partial_rows);
  shape.dram_latency = value_or(memory, "dram_latency", shape.dram_latency);
  shape.dram_bytes_per_cycle = value_or(memory, "dram_bytes_per_cycle", shape.dram_bytes_per_cycle);
  shape.dma_queue = value_or(memory, "dma_queue", shape.dma_queue);
  experiment.clock_mhz = value_or(document, "clock_mhz", experiment.clock_mhz);
  experiment.technology_path = document.contains("technology")
                                   ? document["technology"].get<std::string>()
                                   : shipped_technology(source.folder());
  experiment.thresholds_path = value_or(document, "thresholds", std::string());
  experiment.calibration_images = value_or(document, "calibration_images", 0);

  Expansion expansion = expand(source);
  experiment.resolved = resolve(experiment, expansion);
  experiment.configurations = std::move(expansion.configurations);
  check_keys(source, experiment);
  require_files(source, experiment);
  return experiment;
}

}  // namespace

Experiment load_experiment(const std::string& path, const std::vector<std::string>& overrides,
                           const std::string& part) {
  return experiment_of(ExperimentSource(path, overrides, part));
}

Experiment resolved_experiment(const nlohmann::ordered_json& resolved, const std::string& file) {
  return experiment_of(ExperimentSource::resolved(file, resolved.dump()));
}

}  // namespace sagitta
