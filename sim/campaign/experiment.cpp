#include "campaign/experiment.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "campaign/experiment_expand.h"
#include "campaign/experiment_source.h"

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

std::string shipped_technology(const std::string& folder) {
  const fs::path beside = fs::path(folder) / "tech" / "45nm.json";
  std::error_code error;
  return fs::exists(beside, error) ? beside.string() : SAGITTA_DATA_DIR "/tech/45nm.json";
}

void require_file(const ExperimentSource& source, const std::string& where, const std::string& path,
                  const std::string& advice) {
  std::error_code error;
  if (fs::is_regular_file(path, error)) return;
  source.fail(where, "there is no file " + path,
              advice + "paths in the file are relative to " + source.folder() +
                  ", those in --set to the current folder");
}

void require_files(const ExperimentSource& source, const Experiment& experiment) {
  std::error_code error;
  const std::string& network = experiment.network_path;
  const bool folder = fs::is_directory(network, error);
  require_file(source, "$.network", folder ? network + "/network.json" : network,
               "name a network folder; ");
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
  ordered_json all;
  all["network"] = experiment.network_path;
  all["images"] = null_if(experiment.images == 0, experiment.images);
  all["array"] = expansion.array;
  all["scheme"] = expansion.scheme;
  all["fault"] = expansion.fault;
  all["memory"] = {{"activation_bytes", experiment.memory.activation_bytes},
                   {"weight_rows", experiment.memory.weight_rows},
                   {"partial_rows", experiment.memory.partial_rows},
                   {"dram_latency", experiment.memory.dram_latency},
                   {"dram_bytes_per_cycle", experiment.memory.dram_bytes_per_cycle},
                   {"dma_queue", experiment.memory.dma_queue}};
  all["technology"] = experiment.technology_path;
  all["clock_mhz"] = experiment.clock_mhz;
  all["thresholds"] = null_if(experiment.thresholds_path.empty(), experiment.thresholds_path);
  all["calibration_images"] =
      null_if(experiment.calibration_images == 0, experiment.calibration_images);
  return all;
}

}  // namespace

Experiment load_experiment(const std::string& path, const std::vector<std::string>& overrides) {
  const ExperimentSource source(path, overrides);
  const json& document = source.document();

  Experiment experiment;
  experiment.file = path;
  experiment.overridden = source.overridden();
  experiment.network_path = document["network"].get<std::string>();
  experiment.images = value_or(document, "images", 0);
  const json memory = document.value("memory", json::object());
  MemoryShape& shape = experiment.memory;
  shape.activation_bytes = value_or(memory, "activation_bytes", shape.activation_bytes);
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
  require_files(source, experiment);
  return experiment;
}

}  // namespace sagitta
