#include "campaign/dataflows.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/nearest.h"
#include "campaign/json_text.h"

namespace sagitta {
namespace {

void check_layer(const Experiment& experiment, const std::string& where, const std::string& name,
                 const Network& network, const std::string& what) {
  const auto found = std::find_if(network.layers.begin(), network.layers.end(),
                                  [&name](const Layer& layer) { return layer.name == name; });
  if (found != network.layers.end() && found->kind == LayerKind::gemm) return;
  std::vector<std::string> known;
  for (const Layer& layer : network.layers) {
    if (layer.kind == LayerKind::gemm) known.push_back(layer.name);
  }
  throw InputError(origin_of(where, experiment.overridden, experiment.file), where,
                   found == network.layers.end()
                       ? what + " has no layer " + show_json(name)
                       : show_json(name) + " is a layer of kind " + to_string(found->kind) +
                             ", which has no dataflow",
                   suggest(name, known, "convolutions and dense layers"));
}

}  // namespace

void read_dataflows(const nlohmann::json& value, ArrayShape& array) {
  array.layer_dataflows.clear();
  if (value.is_string()) {
    array.dataflow = dataflow_from(value.get<std::string>());
    return;
  }
  array.dataflow = dataflow_from(value.value("default", "os"));
  if (!value.contains("layers")) return;
  for (const auto& [layer, dataflow] : value["layers"].items()) {
    array.layer_dataflows[layer] = dataflow_from(dataflow.get<std::string>());
  }
}

nlohmann::ordered_json dataflows_json(const ArrayShape& array) {
  if (array.layer_dataflows.empty()) return to_string(array.dataflow);
  nlohmann::ordered_json layers = nlohmann::ordered_json::object();
  for (const auto& [layer, dataflow] : array.layer_dataflows) layers[layer] = to_string(dataflow);
  return {{"default", to_string(array.dataflow)}, {"layers", layers}};
}

std::string dataflows_name(const ArrayShape& array) {
  std::string name = to_string(array.dataflow);
  for (const auto& [layer, dataflow] : array.layer_dataflows) {
    name += " " + layer + "=" + to_string(dataflow);
  }
  return name;
}

nlohmann::ordered_json dataflow_json(const ArrayShape& array, const Layer& layer) {
  if (layer.kind != LayerKind::gemm) return nullptr;
  return to_string(array.dataflow_of(layer.name));
}

void check_dataflows(const Experiment& experiment, const Network& network,
                     const std::string& what) {
  for (const Configuration& configuration : experiment.configurations) {
    const std::string layers = json_place(configuration.dataflow_place, "layers");
    for (const auto& [name, dataflow] : configuration.array.layer_dataflows) {
      check_layer(experiment, json_place(layers, name), name, network, what);
    }
  }
}

}  // namespace sagitta
