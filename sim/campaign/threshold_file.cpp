// Threshold files: the form that calibration's results are kept in.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "campaign/dataflows.h"
#include "campaign/json_text.h"
#include "campaign/thresholds.h"
#include "machine/resilience/checker_type.h"
#include "schedule/images.h"

namespace sagitta {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr const char* kFormat = "sagitta-thresholds/2";
constexpr const char* kRemedy = "make the file anew: sagitta calibrate CONFIG -o FILE";

// Open bounds are null: JSON has no infinity. A float32 is the same again as a double.
ordered_json float_to_json(float bound) {
  return std::isfinite(bound) ? ordered_json(double{bound}) : ordered_json(nullptr);
}

ordered_json fit_to_json(const ThresholdFit& fit) {
  const FitKey& key = fit.key;
  const CheckerType& type = checker_type(key.checker.kind);
  ordered_json j;
  j["checker"] = key.checker.kind.name();
  if (key.floats) j["values"] = "fp32";
  if (key.checker.position != Position::sum) j["position"] = to_string(key.checker.position);
  if (type.line) j["axis"] = to_string(key.checker.axis);
  if (type.spike && key.checker.axis != Axis::map) j["rule"] = key.checker.spike ? "spike" : "both";
  j["granularity"] = to_string(key.checker.granularity);
  j["bounds"] = to_string(key.plan.fit);
  if (key.plan.fit == BoundsFit::deviations) {
    j["k_convolution"] = key.plan.k_convolution;
    j["k_dense"] = key.plan.k_dense;
  }
  if (key.plan.fit == BoundsFit::quantile) j["false_positives"] = key.plan.false_positives;
  j["fitted_layers"] = to_string(key.plan.layers);
  j["order"] = key.near_order ? "near" : "natural";
  j["columns"] = key.columns;
  // Of the fit, or where they differ of each layer.
  const bool mixed = std::any_of(fit.layers.begin(), fit.layers.end(), [&](const LayerFit& layer) {
    return layer.dataflow != fit.layers.front().dataflow;
  });
  if (!mixed) j["dataflow"] = to_string(fit.layers.empty() ? Dataflow{} : fit.layers[0].dataflow);
  j["layers"] = ordered_json::array();
  for (const LayerFit& layer : fit.layers) {
    ordered_json l;
    l["name"] = layer.layer;
    if (mixed) l["dataflow"] = to_string(layer.dataflow);
    l["samples"] = layer.samples;
    l["mean"] = layer.mean;
    l["deviation"] = layer.deviation;
    l["k"] = layer.k;
    l["blamed"] = layer.blamed;
    l["low"] = ordered_json::array();
    l["high"] = ordered_json::array();
    for (const Bounds& b : layer.bounds) {
      l["low"].push_back(b.low);
      l["high"].push_back(b.high);
    }
    for (const FloatBounds& b : layer.float_bounds) {
      l["low"].push_back(float_to_json(b.low));
      l["high"].push_back(float_to_json(b.high));
    }
    j["layers"].push_back(l);
  }
  return j;
}

// Reads bounds that a register can hold.
std::int32_t bound_from_json(const json& value, const std::string& path, const std::string& where) {
  if (value.is_number_integer()) {
    const bool large = value.is_number_unsigned() && value.get<std::uint64_t>() > INT32_MAX;
    const auto number = large ? INT64_MAX : value.get<std::int64_t>();
    if (number >= INT32_MIN && number <= INT32_MAX) return static_cast<std::int32_t>(number);
  }
  throw InputError(path, where, value.dump() + " is not a 32-bit whole number", kRemedy);
}

float float_from_json(const json& value, float open, const std::string& path,
                      const std::string& where) {
  if (value.is_null()) return open;
  if (value.is_number() &&
      std::abs(value.get<double>()) <= double{std::numeric_limits<float>::max()}) {
    return value.get<float>();
  }
  throw InputError(path, where, value.dump() + " is not a float32 number", kRemedy);
}

// Reads a fit; names that it does not know are errors.
class FitReader {
 public:
  FitReader(const json& j, const std::string& path, const std::string& place)
      : j_(j), path_(path), place_(place) {}

  ThresholdFit read() const {
    ThresholdFit fit;
    FitKey& key = fit.key;
    key.checker.kind = kind();
    key.floats = j_.contains("values") && one_of("values", {"fp32"}) == "fp32";
    key.checker.position =
        j_.contains("position") && one_of("position", {"sum", "output"}) == "output"
            ? Position::output
            : Position::sum;
    if (j_.contains("axis")) {
      const std::string axis = one_of("axis", {"lanes", "line", "map"});
      key.checker.axis = axis == "map" ? Axis::map : axis == "line" ? Axis::line : Axis::lanes;
    }
    key.checker.spike = j_.contains("rule") && one_of("rule", {"both", "spike"}) == "spike";
    const std::string granularity = one_of("granularity", {"layer", "channel", "neuron"});
    key.checker.granularity = granularity == "neuron"    ? Granularity::neuron
                              : granularity == "channel" ? Granularity::channel
                                                         : Granularity::layer;
    const std::string bounds = one_of("bounds", {"extremes", "deviations", "quantile"});
    key.plan.fit = bounds == "deviations" ? BoundsFit::deviations
                   : bounds == "quantile" ? BoundsFit::quantile
                                          : BoundsFit::extremes;
    if (key.plan.fit == BoundsFit::deviations) {
      key.plan.k_convolution = j_.at("k_convolution").get<double>();
      key.plan.k_dense = j_.at("k_dense").get<double>();
    }
    if (key.plan.fit == BoundsFit::quantile) {
      key.plan.false_positives = j_.at("false_positives").get<double>();
    }
    const std::string layers = one_of("fitted_layers", {"all", "convolution", "dense"});
    key.plan.layers = layers == "dense"         ? LayerChoice::dense
                      : layers == "convolution" ? LayerChoice::convolution
                                                : LayerChoice::all;
    key.near_order = one_of("order", {"natural", "near"}) == "near";
    key.columns = j_.at("columns").get<int>();
    for (const json& l : j_.at("layers")) {
      fit.layers.push_back(layer(l, fmt::format("{}.layers[{}]", place_, fit.layers.size())));
    }
    return fit;
  }

 private:
  CheckerKind kind() const {
    const auto name = j_.at("checker").get<std::string>();
    for (const CheckerType& type : checker_types()) {
      if (type.kind.name() == name) return type.kind;
    }
    throw InputError(path_, place_ + ".checker", fmt::format("\"{}\" is not known", name), kRemedy);
  }
  std::string known_value(const json& object, const std::string& where, const char* key,
                          const std::vector<std::string>& known) const {
    auto value = object.at(key).get<std::string>();
    if (std::find(known.begin(), known.end(), value) != known.end()) return value;
    throw InputError(path_, where + "." + key, fmt::format("\"{}\" is not known", value), kRemedy);
  }
  std::string one_of(const char* key, const std::vector<std::string>& known) const {
    return known_value(j_, place_, key, known);
  }
  LayerFit layer(const json& l, const std::string& where) const {
    const bool mixed = !j_.contains("dataflow");
    LayerFit layer;
    layer.layer = l.at("name").get<std::string>();
    layer.dataflow = dataflow_from(
        known_value(mixed ? l : j_, mixed ? where : place_, "dataflow", {"os", "ws", "is"}));
    layer.samples = l.at("samples").get<std::int64_t>();
    layer.mean = l.at("mean").get<std::vector<double>>();
    layer.deviation = l.at("deviation").get<std::vector<double>>();
    layer.k = l.at("k").get<double>();
    layer.blamed = l.at("blamed").get<std::int64_t>();
    const json& low = l.at("low");
    const json& high = l.at("high");
    if (!low.is_array() || !high.is_array() || low.size() != high.size()) {
      throw InputError(path_, where, "\"low\" and \"high\" are not lists of one length", kRemedy);
    }
    if (j_.contains("values")) {
      read_floats(low, high, where, layer.float_bounds);
      return layer;
    }
    for (std::size_t i = 0; i < low.size(); ++i) {
      const Bounds b{bound_from_json(low[i], path_, fmt::format("{}.low[{}]", where, i)),
                     bound_from_json(high[i], path_, fmt::format("{}.high[{}]", where, i))};
      if (b.low > b.high) {
        throw InputError(path_, fmt::format("{}.low[{}]", where, i),
                         fmt::format("{} is above the upper bound {}", b.low, b.high), kRemedy);
      }
      layer.bounds.push_back(b);
    }
    return layer;
  }

  void read_floats(const json& low, const json& high, const std::string& where,
                   std::vector<FloatBounds>& bounds) const {
    const FloatBounds open;
    for (std::size_t i = 0; i < low.size(); ++i) {
      const std::string place = fmt::format("{}.low[{}]", where, i);
      const FloatBounds b{
          float_from_json(low[i], open.low, path_, place),
          float_from_json(high[i], open.high, path_, fmt::format("{}.high[{}]", where, i))};
      if (b.low > b.high) {
        throw InputError(path_, place, fmt::format("{} is above the upper bound {}", b.low, b.high),
                         kRemedy);
      }
      bounds.push_back(b);
    }
  }

  const json& j_;
  const std::string& path_;
  std::string place_;
};

ordered_json orders_to_json(const std::vector<OrderFit>& orders) {
  ordered_json list = ordered_json::array();
  for (const OrderFit& o : orders) {
    list.push_back({{"columns", o.columns}, {"groups", o.orders}});
  }
  return list;
}

// An order has one entry for each group of channels, and each is a permutation.
OrderFit order_from_json(const json& j, const Network& network, const std::string& path,
                         const std::string& place) {
  OrderFit order{j.at("columns").get<int>(), j.at("groups").get<std::vector<ChannelOrder>>()};
  const std::vector<ChannelGroup> groups = channel_groups(network);
  if (order.orders.size() != groups.size()) {
    throw InputError(path, place + ".groups",
                     fmt::format("has {} orders where network {} has {} groups of channels",
                                 order.orders.size(), network.name, groups.size()),
                     kRemedy);
  }
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const std::set<int> channels(order.orders[g].begin(), order.orders[g].end());
    const bool all = static_cast<int>(order.orders[g].size()) == groups[g].channels &&
                     static_cast<int>(channels.size()) == groups[g].channels &&
                     *channels.begin() == 0 && *channels.rbegin() == groups[g].channels - 1;
    if (all) continue;
    throw InputError(path, fmt::format("{}.groups[{}]", place, g),
                     fmt::format("is no order of {} channels", groups[g].channels), kRemedy);
  }
  return order;
}

// A fit has the gemm layers of its network, in order, with as many bounds as its granularity asks.
void check_layers(const ThresholdFit& fit, const Network& network, const std::string& path,
                  const std::string& place) {
  std::size_t i = 0;
  for (const Layer& layer : network.layers) {
    if (layer.kind != LayerKind::gemm) continue;
    const std::string where = fmt::format("{}.layers[{}]", place, i);
    if (i >= fit.layers.size() || fit.layers[i].layer != layer.name) {
      throw InputError(path, where,
                       fmt::format("is not layer {} of network {}", layer.name, network.name),
                       kRemedy);
    }
    const std::size_t bounds = bound_count(fit.key.checker.granularity, layer);
    const LayerFit& l = fit.layers[i];
    const std::size_t found = fit.key.floats ? l.float_bounds.size() : l.bounds.size();
    if (found != bounds) {
      throw InputError(
          path, where + ".low",
          fmt::format("has {} bounds where layer {} takes {}", found, layer.name, bounds), kRemedy);
    }
    ++i;
  }
  if (i < fit.layers.size()) {
    throw InputError(path, fmt::format("{}.layers[{}]", place, i),
                     fmt::format("network {} has no such layer", network.name), kRemedy);
  }
}

}  // namespace

ordered_json to_json(const ThresholdFile& file) {
  ordered_json j;
  j["format"] = kFormat;
  j["network"] = {{"name", file.network}, {"digest", file.network_digest}};
  j["data"] = {{"digest", file.data_digest}, {"images", file.images}};
  j["orders"] = orders_to_json(file.orders);
  j["fits"] = ordered_json::array();
  for (const ThresholdFit& fit : file.fits) j["fits"].push_back(fit_to_json(fit));
  j["neighbours"] = ordered_json::array();
  for (const NeighbourTable& table : file.neighbours) {
    ordered_json rows = ordered_json::array();
    for (const NeighbourFit& f : table.fits) {
      rows.push_back({{"layer", f.layer},
                      {"position", to_string(f.position)},
                      {"neighbours", f.neighbours},
                      {"rule", f.rule},
                      {"samples", f.samples},
                      {"sigma_ratio", f.sigma_ratio},
                      {"k", f.k},
                      {"threshold", f.threshold}});
    }
    j["neighbours"].push_back({{"array", array_name(table.array)},
                               {"false_positives", table.false_positives},
                               {"layers", rows}});
  }
  j["digest"] = sha256(j.dump());
  return j;
}

void write_thresholds(const ThresholdFile& file, const std::string& path) {
  write_file(path, to_json(file).dump(1) + "\n");
}

ThresholdFile read_thresholds(const std::string& path, const NetworkFolder& folder) {
  ThresholdFile file;
  json orders;
  const auto as_thresholds = [&path](const auto& read) {
    try {
      read();
    } catch (const nlohmann::json::exception& e) {
      const std::string what = e.what();  // "[json.exception...] key 'format' not found"
      throw InputError(path, "", "is not a threshold file: " + what.substr(what.find("] ") + 2),
                       kRemedy);
    }
  };
  as_thresholds([&] {
    const std::string text = read_file(path);
    if (!parse_json(text, path).is_object())
      throw InputError(path, "$", "is not an object", kRemedy);
    ordered_json j = ordered_json::parse(text);
    if (j.at("format") != kFormat) {
      throw InputError(path, "$.format", fmt::format("{} is not {}", j["format"].dump(), kFormat),
                       kRemedy);
    }
    const std::string digest = j.at("digest").get<std::string>();
    j.erase("digest");
    if (sha256(j.dump()) != digest) {
      throw InputError(path, "$.digest", "the content does not match its digest: it was changed",
                       kRemedy);
    }
    file.network = j.at("network").at("name").get<std::string>();
    file.network_digest = j.at("network").at("digest").get<std::string>();
    file.data_digest = j.at("data").at("digest").get<std::string>();
    file.images = j.at("data").at("images").get<int>();
    for (const json fit : j.at("fits")) {
      const std::string place = fmt::format("$.fits[{}]", file.fits.size());
      file.fits.push_back(FitReader(fit, path, place).read());
    }
    orders = j.at("orders");
  });
  if (file.network_digest != folder.network.digest) {
    throw InputError(path, "$.network.digest",
                     fmt::format("fitted to network {} ({}...), not to {} ({}...)", file.network,
                                 file.network_digest.substr(0, 12), folder.network.name,
                                 folder.network.digest.substr(0, 12)),
                     kRemedy);
  }
  const std::string data = calibration_digest(folder);
  if (file.data_digest != data) {
    throw InputError(
        path, "$.data.digest",
        fmt::format("fitted on other calibration images than {}, or with other preprocessing",
                    folder.calibration.images),
        kRemedy);
  }
  as_thresholds([&] {
    for (std::size_t i = 0; i < orders.size(); ++i) {
      file.orders.push_back(
          order_from_json(orders[i], folder.network, path, fmt::format("$.orders[{}]", i)));
    }
  });
  for (std::size_t i = 0; i < file.fits.size(); ++i) {
    check_layers(file.fits[i], folder.network, path, fmt::format("$.fits[{}]", i));
  }
  return file;
}

}  // namespace sagitta
