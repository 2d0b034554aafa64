#include "campaign/workload_file.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/nearest.h"
#include "campaign/json_schema.h"
#include "campaign/json_text.h"

namespace sagitta {
namespace {

using nlohmann::json;

constexpr std::int64_t kMostElements = std::int64_t{1} << 30;  // of a map

std::string show(const FeatureShape& shape) {
  return fmt::format("{} x {} x {}", shape.height, shape.width, shape.channels);
}

// Follows the shapes from layer to layer.
class Builder {
 public:
  explicit Builder(const std::string& path) : path_(path) {
    const json document = parse_json(read_file(path), path);
    static const json schema = json::parse(workload_schema_text);
    if (const auto violation = check_schema(document, schema)) {
      throw InputError(path, violation->where, violation->problem, violation->remedy);
    }
    workload_.name = document["name"].get<std::string>();
    workload_.source = document.value("source", std::string());
    workload_.batch = document.value("batch", 1);
    const json& input = document["input"];
    workload_.input = {input[0].get<int>(), input[1].get<int>(), input[2].get<int>()};
    where_ = "$.input";
    check_size(workload_.input);
    for (std::size_t i = 0; i < document["layers"].size(); ++i) {
      where_ = json_place("$.layers", i);
      add(document["layers"][i]);
    }
  }

  const Workload& workload() const { return workload_; }

 private:
  [[noreturn]] void fail(const std::string& key, const std::string& problem,
                         const std::string& remedy) const {
    throw InputError(path_, key.empty() ? where_ : json_place(where_, key), problem, remedy);
  }

  // Index of the layer that a key names, -1 for the input.
  int layer_named(const json& object, const char* key) const {
    const int before = static_cast<int>(workload_.layers.size()) - 1;
    if (!object.contains(key)) return before;
    const auto name = object[key].get<std::string>();
    if (name == "input") return -1;
    std::vector<std::string> known = {"input"};
    for (std::size_t i = 0; i < workload_.layers.size(); ++i) {
      if (workload_.layers[i].name == name) return static_cast<int>(i);
      known.push_back(workload_.layers[i].name);
    }
    fail(key, fmt::format("no layer before this one is called \"{}\"", name),
         suggest(name, known, "names of what it may read"));
  }

  const FeatureShape& shape_of(int index) const {
    return index < 0 ? workload_.input : workload_.layers[static_cast<std::size_t>(index)].output;
  }

  static std::pair<int, int> pair(const json& object, const char* key, int otherwise) {
    if (!object.contains(key)) return {otherwise, otherwise};
    const json& value = object[key];
    if (value.is_array()) return {value[0].get<int>(), value[1].get<int>()};
    return {value.get<int>(), value.get<int>()};
  }

  Window window_of(const json& object, const WorkLayer& layer) const {
    Window w;
    std::tie(w.kernel_h, w.kernel_w) = pair(object, "kernel", 1);
    if (!object.contains("kernel")) {  // pooling over the whole map
      w.kernel_h = layer.input.height;
      w.kernel_w = layer.input.width;
    }
    std::tie(w.stride_h, w.stride_w) = pair(object, "stride", 1);
    std::tie(w.dilation_h, w.dilation_w) = pair(object, "dilation", 1);
    if (!object.contains("padding")) return w;
    const json& padding = object["padding"];
    if (padding.is_array() && padding.size() == 3) {
      fail("padding", show_json(padding) + " has three numbers",
           "write one for all sides, [vertical, horizontal] or [top, left, bottom, right]");
    }
    if (!padding.is_array() || padding.size() == 2) {
      std::tie(w.pad_top, w.pad_left) = pair(object, "padding", 0);
      w.pad_bottom = w.pad_top;
      w.pad_right = w.pad_left;
    } else {
      w.pad_top = padding[0].get<int>();
      w.pad_left = padding[1].get<int>();
      w.pad_bottom = padding[2].get<int>();
      w.pad_right = padding[3].get<int>();
    }
    return w;
  }

  void slide(const json& object, WorkLayer& layer) const {
    layer.window = window_of(object, layer);
    const Window& w = layer.window;
    layer.output.height = window_length(layer.input.height, w.pad_top + w.pad_bottom, w.kernel_h,
                                        w.dilation_h, w.stride_h);
    layer.output.width = window_length(layer.input.width, w.pad_left + w.pad_right, w.kernel_w,
                                       w.dilation_w, w.stride_w);
    if (layer.output.height > 0 && layer.output.width > 0) return;
    fail("kernel",
         fmt::format("a window of {} x {} does not fit the map, {} with padding", w.kernel_h,
                     w.kernel_w, show(layer.input)),
         "check kernel, dilation and padding, and which layer this one reads");
  }

  void check_groups(const json& object, WorkLayer& layer) const {
    layer.groups = object.value("groups", 1);
    if (layer.input.channels % layer.groups == 0 && layer.output.channels % layer.groups == 0) {
      return;
    }
    fail("groups",
         fmt::format("{} groups do not divide {} input and {} output channels", layer.groups,
                     layer.input.channels, layer.output.channels),
         "use a divisor of both");
  }

  void check_size(const FeatureShape& shape) const {
    const double elements = double(shape.height) * shape.width * shape.channels;
    if (elements <= static_cast<double>(kMostElements)) return;
    fail("", fmt::format("a map of {} has {:.0f} elements", show(shape), elements),
         fmt::format("use at most {}", kMostElements));
  }

  void add(const json& object) {
    WorkLayer layer;
    layer.name = object["name"].get<std::string>();
    for (const WorkLayer& other : workload_.layers) {
      if (other.name == layer.name) {
        fail("name", "two layers are called \"" + layer.name + "\"", "give each a name of its own");
      }
    }
    if (layer.name == "input") {
      fail("name", "\"input\" means the workload's input", "use another name");
    }
    layer.from = layer_named(object, "from");
    layer.input = shape_of(layer.from);
    const auto kind = object["kind"].get<std::string>();
    if (kind == "convolution") {
      layer.kind = WorkKind::convolution;
      layer.output.channels = object["filters"].get<int>();
      check_groups(object, layer);
      slide(object, layer);
    } else if (kind == "dense") {
      layer.kind = WorkKind::dense;
      layer.input = {1, 1, layer.input.elements()};
      layer.output = {1, 1, object["filters"].get<int>()};
    } else if (kind == "add") {
      layer.kind = WorkKind::add;
      layer.with = layer_named(object, "with");
      layer.output = layer.input;
      if (shape_of(layer.with) != layer.input) {
        fail("with",
             fmt::format("maps of {} and {} cannot be added", show(layer.input),
                         show(shape_of(layer.with))),
             "both must have the same shape");
      }
    } else {
      layer.kind = kind == "max_pool" ? WorkKind::max_pool : WorkKind::average_pool;
      layer.output.channels = layer.input.channels;
      slide(object, layer);
    }
    check_size(layer.output);
    workload_.layers.push_back(layer);
  }

  std::string path_;
  std::string where_;
  Workload workload_;
};

}  // namespace

WorkloadFile read_workload(const std::string& path) {
  if (path.ends_with(".csv")) {
    Topology topology = read_topology(path, topology_form(path));
    return {std::move(topology.workload), std::move(topology.layers)};
  }
  const Builder builder(path);
  return {builder.workload(), topology_of(builder.workload())};
}

}  // namespace sagitta
