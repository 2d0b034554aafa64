#include "campaign/dataflows.h"

#include <algorithm>
#include <array>
#include <map>
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
  throw error_at(experiment, where,
                 found == network.layers.end()
                     ? what + " has no layer " + show_json(name)
                     : show_json(name) + " is a layer of kind " + to_string(found->kind) +
                           ", which has no dataflow",
                 suggest(name, known, "convolutions and dense layers"));
}

ArrayShape settled(const ArrayShape& array, const Network& network) {
  std::array<int, 3> layers{};
  for (const Layer& layer : network.layers) {
    if (layer.kind != LayerKind::gemm) continue;
    ++layers[static_cast<std::size_t>(array.dataflow_of(layer.name))];
  }
  const auto most = std::max_element(layers.begin(), layers.end());
  if (*most == 0) return without_repetition(array);  // no layer has a product
  ArrayShape shape = array;
  shape.dataflow = static_cast<Dataflow>(most - layers.begin());
  for (const Layer& layer : network.layers) {
    if (layer.kind == LayerKind::gemm) {
      shape.layer_dataflows[layer.name] = array.dataflow_of(layer.name);
    }
  }
  return without_repetition(shape);
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

ArrayShape without_repetition(ArrayShape array) {
  std::erase_if(array.layer_dataflows,
                [&array](const auto& layer) { return layer.second == array.dataflow; });
  return array;
}

std::string array_name(const ArrayShape& array) {
  return std::to_string(array.rows) + "x" + std::to_string(array.columns) + " " +
         dataflows_name(array) + (array.overlap ? " overlap" : "");
}

std::string array_name(const nlohmann::ordered_json& array) {
  ArrayShape shape{array.at("rows").get<int>(), array.at("cols").get<int>()};
  shape.overlap = array.value("overlap", false);
  read_dataflows(array.value("dataflow", nlohmann::ordered_json(to_string(shape.dataflow))), shape);
  return array_name(shape);
}

void settle_dataflows(Experiment& experiment, const Network& network, const std::string& what) {
  std::map<std::string, ArrayShape> machines;  // as the experiment has them, by settled name
  for (Configuration& c : experiment.configurations) {
    const std::string layers = json_place(c.dataflow_place, "layers");
    for (const auto& [name, dataflow] : c.array.layer_dataflows) {
      check_layer(experiment, json_place(layers, name), name, network, what);
    }
    const ArrayShape shape = settled(c.array, network);
    const auto [first, is_new] = machines.emplace(array_name(shape), c.array);
    if (!is_new && first->second != c.array) {
      throw error_at(experiment, "$.array",
                     "the array " + first->first + " is listed twice: " + array_name(c.array) +
                         " is no other in " + what,
                     "list each array once");
    }
    c.array = shape;
    c.name = array_name(shape) + " " + c.scheme.name;
  }
}

}  // namespace sagitta
