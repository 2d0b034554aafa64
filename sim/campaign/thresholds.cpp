#include "campaign/thresholds.h"

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
#include "network/reference.h"

namespace sagitta {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr const char* kFormat = "sagitta-thresholds/1";
constexpr const char* kRemedy = "make the file anew: sagitta calibrate CONFIG -o FILE";

// Exact integer moments: the same for any order of images, and stable.
struct Moments {
  std::int64_t n = 0;
  __extension__ __int128 sum = 0;
  __extension__ __int128 squares = 0;
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  std::int64_t largest = std::numeric_limits<std::int64_t>::min();

  void add(std::int64_t value) {
    ++n;
    sum += value;
    squares += static_cast<__int128>(value) * value;
    least = std::min(least, value);
    largest = std::max(largest, value);
  }
  double mean() const { return n == 0 ? 0 : static_cast<double>(sum) / static_cast<double>(n); }
  double deviation() const {
    if (n == 0) return 0;
    const auto scaled = static_cast<long double>(squares) * n - static_cast<long double>(sum) * sum;
    return static_cast<double>(std::sqrt(std::max(0.0L, scaled)) / n);
  }
};

std::int32_t saturate(double value) {
  return static_cast<std::int32_t>(
      std::clamp(value, static_cast<double>(INT32_MIN), static_cast<double>(INT32_MAX)));
}

// A layer that sees its whole input at once, whatever operator the model writes it with.
bool is_dense(const Layer& layer) {
  return layer.input.height == 1 && layer.input.width == 1;
}

// The values that a scheme's bounds apply to, by channel. Neighbours are the lanes of a vector:
// channels of a pixel, or (is) pixels of a channel.
void collect(const Layer& layer, const std::vector<std::int32_t>& sums, const Scheme& scheme,
             const ArrayShape& array, std::vector<Moments>& moments) {
  const int n = layer.columns();
  const int columns = array.columns;
  const auto add = [&](int channel, std::int64_t value) {
    moments[scheme.granularity == Granularity::channel ? static_cast<std::size_t>(channel) : 0].add(
        value);
  };
  if (scheme.kind == "gradient" && array.dataflow_of(layer.name) == Dataflow::is) {
    for (int first = 0; first < layer.rows(); first += columns) {
      const int lanes = std::min(columns, layer.rows() - first);
      if (lanes < 3) continue;  // the unit passes such tiles
      for (int m = 0; m < lanes; ++m) {
        const int before = m > 0 ? m - 1 : lanes - 1;
        const std::int32_t* row = sums.data() + static_cast<std::size_t>(first + m) * n;
        const std::int32_t* other = sums.data() + static_cast<std::size_t>(first + before) * n;
        for (int c = 0; c < n; ++c) add(c, std::int64_t{row[c]} - other[c]);
      }
    }
    return;
  }
  for (int m = 0; m < layer.rows(); ++m) {
    const std::int32_t* row = sums.data() + static_cast<std::size_t>(m) * n;
    if (scheme.kind == "range-zero") {
      for (int c = 0; c < n; ++c) add(c, row[c]);
      continue;
    }
    for (const auto& [first, lanes] : column_tiles(n, n / layer.groups, columns)) {
      if (lanes < 3) continue;  // the unit passes such tiles
      for (int c = 0; c < lanes; ++c) {
        const int before = c > 0 ? c - 1 : lanes - 1;
        add(first + c, std::int64_t{row[first + c]} - row[first + before]);
      }
    }
  }
}

Bounds bounds_of(const Moments& moments, const Scheme& scheme, bool dense) {
  if (moments.n == 0) return {};
  if (scheme.kind == "range-zero") {
    return {saturate(static_cast<double>(moments.least)),
            saturate(static_cast<double>(moments.largest))};
  }
  const double reach = (dense ? scheme.k_dense : scheme.k_convolution) * moments.deviation();
  return {saturate(std::floor(moments.mean() - reach)),
          saturate(std::ceil(moments.mean() + reach))};
}

bool fits(const ThresholdFit& fit, const Scheme& scheme, const ArrayShape& array) {
  if (fit.kind != scheme.kind || fit.granularity != scheme.granularity ||
      fit.columns != array.columns ||
      !std::all_of(fit.layers.begin(), fit.layers.end(), [&array](const LayerFit& layer) {
        return layer.dataflow == array.dataflow_of(layer.layer);
      })) {
    return false;
  }
  return scheme.kind != "gradient" ||
         (fit.k_convolution == scheme.k_convolution && fit.k_dense == scheme.k_dense);
}

std::string describe(const Scheme& scheme, const ArrayShape& array) {
  std::string text = fmt::format("{} ({} statistics", scheme.kind, to_string(scheme.granularity));
  if (scheme.kind == "gradient") {
    text += fmt::format(", k = {} convolution, {} dense", scheme.k_convolution, scheme.k_dense);
  }
  return text + fmt::format(") with {} columns, dataflow {}", array.columns, dataflows_name(array));
}

ordered_json fit_to_json(const ThresholdFit& fit) {
  ordered_json j;
  j["scheme"] = fit.kind;
  j["granularity"] = to_string(fit.granularity);
  if (fit.kind == "gradient") {
    j["k_convolution"] = fit.k_convolution;
    j["k_dense"] = fit.k_dense;
  }
  j["columns"] = fit.columns;
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
    l["low"] = ordered_json::array();
    l["high"] = ordered_json::array();
    for (const Bounds& b : layer.bounds) {
      l["low"].push_back(b.low);
      l["high"].push_back(b.high);
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

ThresholdFit fit_from_json(const json& j, const std::string& path, const std::string& place) {
  ThresholdFit fit;
  const auto known_value = [&](const json& object, const std::string& where, const char* key,
                               const std::vector<std::string>& known) {
    const auto value = object.at(key).get<std::string>();
    if (std::find(known.begin(), known.end(), value) != known.end()) return value;
    throw InputError(path, where + "." + key, fmt::format("\"{}\" is not known", value), kRemedy);
  };
  const auto one_of = [&](const char* key, const std::vector<std::string>& known) {
    return known_value(j, place, key, known);
  };
  fit.kind = one_of("scheme", {"range-zero", "gradient"});
  fit.granularity = one_of("granularity", {"layer", "channel"}) == "channel" ? Granularity::channel
                                                                             : Granularity::layer;
  fit.k_convolution = j.value("k_convolution", 0.0);
  fit.k_dense = j.value("k_dense", 0.0);
  fit.columns = j.at("columns").get<int>();
  const bool mixed = !j.contains("dataflow");
  for (const json& l : j.at("layers")) {
    const std::string where = fmt::format("{}.layers[{}]", place, fit.layers.size());
    LayerFit layer;
    layer.layer = l.at("name").get<std::string>();
    layer.dataflow = dataflow_from(
        known_value(mixed ? l : j, mixed ? where : place, "dataflow", {"os", "ws", "is"}));
    layer.samples = l.at("samples").get<std::int64_t>();
    layer.mean = l.at("mean").get<std::vector<double>>();
    layer.deviation = l.at("deviation").get<std::vector<double>>();
    const json& low = l.at("low");
    const json& high = l.at("high");
    if (!low.is_array() || !high.is_array() || low.size() != high.size()) {
      throw InputError(path, where, "\"low\" and \"high\" are not lists of one length", kRemedy);
    }
    for (std::size_t i = 0; i < low.size(); ++i) {
      const Bounds b{bound_from_json(low[i], path, fmt::format("{}.low[{}]", where, i)),
                     bound_from_json(high[i], path, fmt::format("{}.high[{}]", where, i))};
      if (b.low > b.high) {
        throw InputError(path, fmt::format("{}.low[{}]", where, i),
                         fmt::format("{} is above the upper bound {}", b.low, b.high), kRemedy);
      }
      layer.bounds.push_back(b);
    }
    fit.layers.push_back(layer);
  }
  return fit;
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
    const std::size_t bounds =
        fit.granularity == Granularity::channel ? static_cast<std::size_t>(layer.columns()) : 1;
    if (fit.layers[i].bounds.size() != bounds) {
      throw InputError(path, where + ".low",
                       fmt::format("has {} bounds where layer {} takes {}",
                                   fit.layers[i].bounds.size(), layer.name, bounds),
                       kRemedy);
    }
    ++i;
  }
  if (i < fit.layers.size()) {
    throw InputError(path, fmt::format("{}.layers[{}]", place, i),
                     fmt::format("network {} has no such layer", network.name), kRemedy);
  }
}

// The images as the network sees them: the file, and what is done to its pixels.
std::string calibration_digest(const NetworkFolder& folder) {
  std::string text =
      sha256_file(folder.calibration.images) + fmt::format(" {}", folder.pixel_scale);
  for (const auto* list : {&folder.mean, &folder.std_dev}) {
    text += " |";
    for (const double value : *list) text += fmt::format(" {}", value);
  }
  return sha256(text);
}

}  // namespace

const char* to_string(Granularity granularity) {
  return granularity == Granularity::channel ? "channel" : "layer";
}
const char* to_string(Gate gate) {
  return gate == Gate::row ? "row" : "always";
}

ThresholdFit fit_thresholds(const Network& network, const ImageSet& calibration,
                            const Scheme& scheme, const ArrayShape& array) {
  ThresholdFit fit;
  fit.kind = scheme.kind;
  fit.granularity = scheme.granularity;
  fit.k_convolution = scheme.k_convolution;
  fit.k_dense = scheme.k_dense;
  fit.columns = array.columns;
  std::vector<std::vector<Moments>> moments;
  for (const Layer& layer : network.layers) {
    const int entries = scheme.granularity == Granularity::channel ? layer.columns() : 1;
    moments.emplace_back(static_cast<std::size_t>(entries));
  }
  for (int i = 0; i < calibration.count(); ++i) {
    const auto values = run_network(network, calibration.image(i));
    for (std::size_t l = 0; l < network.layers.size(); ++l) {
      if (network.layers[l].kind != LayerKind::gemm) continue;
      collect(network.layers[l], values[l].sums, scheme, array, moments[l]);
    }
  }
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer& layer = network.layers[l];
    if (layer.kind != LayerKind::gemm) continue;
    LayerFit f;
    f.layer = layer.name;
    f.dataflow = array.dataflow_of(layer.name);
    for (const Moments& m : moments[l]) {
      f.samples += m.n;
      f.mean.push_back(m.mean());
      f.deviation.push_back(m.deviation());
      f.bounds.push_back(bounds_of(m, scheme, is_dense(layer)));
    }
    fit.layers.push_back(f);
  }
  return fit;
}

ThresholdFile calibrate(const Experiment& experiment, const NetworkFolder& folder) {
  ThresholdFile file;
  file.network = folder.network.name;
  file.network_digest = folder.network.digest;
  bool needed = false;
  for (const Configuration& c : experiment.configurations) needed |= c.scheme.needs_thresholds();
  if (!needed) return file;
  const ImageSet images = folder.load_calibration(experiment.calibration_images);
  file.data_digest = calibration_digest(folder);
  file.images = images.count();
  for (const Configuration& c : experiment.configurations) {
    if (!c.scheme.needs_thresholds()) continue;
    const bool known = std::any_of(file.fits.begin(), file.fits.end(), [&](const ThresholdFit& f) {
      return fits(f, c.scheme, c.array);
    });
    if (!known) {
      file.fits.push_back(fit_thresholds(folder.network, images, c.scheme, c.array));
    }
  }
  return file;
}

ordered_json to_json(const ThresholdFile& file) {
  ordered_json j;
  j["format"] = kFormat;
  j["network"] = {{"name", file.network}, {"digest", file.network_digest}};
  j["data"] = {{"digest", file.data_digest}, {"images", file.images}};
  j["fits"] = ordered_json::array();
  for (const ThresholdFit& fit : file.fits) j["fits"].push_back(fit_to_json(fit));
  j["digest"] = sha256(j.dump());
  return j;
}

void write_thresholds(const ThresholdFile& file, const std::string& path) {
  write_file(path, to_json(file).dump(1) + "\n");
}

ThresholdFile read_thresholds(const std::string& path, const NetworkFolder& folder) {
  ThresholdFile file;
  try {
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
    for (const auto& fit : j.at("fits")) {
      file.fits.push_back(fit_from_json(fit, path, fmt::format("$.fits[{}]", file.fits.size())));
    }
  } catch (const nlohmann::json::exception& e) {
    const std::string what = e.what();  // "[json.exception...] key 'format' not found"
    throw InputError(path, "", "is not a threshold file: " + what.substr(what.find("] ") + 2),
                     kRemedy);
  }
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
  for (std::size_t i = 0; i < file.fits.size(); ++i) {
    check_layers(file.fits[i], folder.network, path, fmt::format("$.fits[{}]", i));
  }
  return file;
}

Protection blocks_of(const Scheme& scheme) {
  Protection p;
  p.name = scheme.name;
  p.tmr_pe = scheme.kind == "tmr-pe";
  if (scheme.kind == "parity") p.memory_code = MemoryCode::parity;
  if (scheme.kind == "secded") p.memory_code = MemoryCode::secded;
  if (!scheme.needs_thresholds()) return p;
  p.checksum = scheme.gate == Gate::row;
  Checker& checker = p.checkers.emplace_back();
  checker.kind = scheme.kind == "gradient" ? CheckerKind::gradient : CheckerKind::range;
  checker.gate = scheme.gate;
  checker.granularity = scheme.granularity;
  return p;
}

Protection protection_of(const Scheme& scheme, const ArrayShape& array,
                         const ThresholdFile& thresholds, const std::string& thresholds_path) {
  Protection p = blocks_of(scheme);
  if (!scheme.needs_thresholds()) return p;
  Checker& checker = p.checkers.front();
  for (const ThresholdFit& fit : thresholds.fits) {
    if (!fits(fit, scheme, array)) continue;
    for (const LayerFit& layer : fit.layers) checker.layers.push_back({layer.layer, layer.bounds});
    return p;
  }
  throw InputError(thresholds_path, "$.fits",
                   fmt::format("holds no fit for {}", describe(scheme, array)), kRemedy);
}

}  // namespace sagitta
