#include "report/trial_export.h"

#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "campaign/trial_fields.h"
#include "report/csv.h"

namespace sagitta {
namespace {

using nlohmann::ordered_json;

struct ConfigurationRow {
  int id = 0;
  std::string name;
  int plan = 0;
  std::int64_t seed = 0;
};

struct LayerRow {
  std::string name;
  int width = 1, channels = 1;
};

std::vector<ConfigurationRow> read_configurations(const Store& store) {
  std::vector<ConfigurationRow> rows;
  SQLite::Statement row(store.database(),
                        "SELECT id, name, plan, seed FROM configuration ORDER BY id");
  while (row.executeStep()) {
    rows.push_back({row.getColumn(0).getInt(), row.getColumn(1).getString(),
                    row.getColumn(2).getInt(), row.getColumn(3).getInt64()});
  }
  return rows;
}

std::vector<LayerRow> read_layers(const Store& store) {
  std::vector<LayerRow> rows;
  SQLite::Statement row(store.database(), "SELECT name, width, channels FROM layer ORDER BY id");
  while (row.executeStep()) {
    rows.push_back(
        {row.getColumn(0).getString(), row.getColumn(1).getInt(), row.getColumn(2).getInt()});
  }
  return rows;
}

SiteMap read_sites(const Store& store, int plan) {
  std::vector<RegisterClass> classes;
  SQLite::Statement row(store.database(),
                        "SELECT path, extents, width FROM register WHERE plan = ? ORDER BY id");
  row.bind(1, plan);
  while (row.executeStep()) {
    RegisterClass c;
    c.path = row.getColumn(0).getString();
    c.extents = nlohmann::json::parse(row.getColumn(1).getString()).get<std::vector<int>>();
    c.width = row.getColumn(2).getInt();
    classes.push_back(std::move(c));
  }
  return SiteMap(std::move(classes));
}

// One trial's line.
class Line {
 public:
  Line(ExportFormat format, const std::vector<LayerRow>& layers, const SiteMap& sites)
      : csv_(format == ExportFormat::csv), layers_(layers), sites_(sites) {}

  std::string text(const ConfigurationRow& configuration, const TrialResult& trial) {
    json_ = ordered_json::object();
    cells_.clear();
    add("configuration", configuration.id);
    add("name", configuration.name);
    add("seed", configuration.seed);
    each_number(trial, [this](const char* name, const auto& value) { add_number(name, value); });
    ordered_json faults = ordered_json::array();
    std::string sites;
    const auto named = [&](const std::string& text) { sites += (sites.empty() ? "" : " ") + text; };
    for (const FaultRecord& f : trial.faults) {
      if (csv_) {
        named(fault_text(sites_, f.fault()));
      } else {
        faults.push_back(record_json(sites_, f));
      }
    }
    // Of weights and neurons in real numbers, which have no cycle.
    const auto fault = [&](const std::string& site, bool fired, const ordered_json& before,
                           const ordered_json& after) {
      if (csv_) {
        named(site);
      } else {
        faults.push_back({{"site", site},
                          {"cycle", nullptr},
                          {"kind", to_string(FaultKind::flip)},
                          {"last", nullptr},
                          {"fired", fired},
                          {"before", before},
                          {"after", after}});
      }
    };
    for (const WeightRecord& w : trial.weights) {
      fault(fmt::format("weights.{}[{}][{}]:{}", layer(w.fault.layer).name, w.fault.k, w.fault.n,
                        w.fault.bit),
            w.fired, w.before, w.after);
    }
    for (const FloatRecord& r : trial.floats) {
      fault(neuron(r.fault), r.fired, real(r.before), real(r.after));
    }
    if (!csv_) {
      json_["faults"] = std::move(faults);
      return json_.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
    }
    add("faults", sites);
    return cells_ + "\n";
  }

  static std::string head() {
    std::string names = "configuration,name,seed";
    const TrialResult none;
    each_number(none, [&](const char* name, const auto&) { names += std::string(",") + name; });
    return names + ",faults\n";
  }

 private:
  void add(const char* name, const ordered_json& value) {
    if (!csv_) {
      json_[name] = value;
      return;
    }
    if (std::string_view(name) != "configuration") cells_ += ',';
    if (!value.is_null())
      cells_ += value.is_string() ? csv_text(value.get<std::string>()) : value.dump();
  }
  // Classes and layers by their names, yes and no as 1 and 0 in either format.
  template <typename Value>
  void add_number(const std::string& name, const Value& value) {
    if constexpr (std::is_same_v<Value, Outcome> || std::is_same_v<Value, Road>) {
      add(name.c_str(), to_string(value));
    } else if (name == "layer") {
      const bool none = static_cast<std::size_t>(value) >= layers_.size();
      add("layer", none ? ordered_json() : ordered_json(layer(static_cast<int>(value)).name));
    } else {
      add(name.c_str(), static_cast<std::int64_t>(value));
    }
  }
  const LayerRow& layer(int index) const { return layers_.at(static_cast<std::size_t>(index)); }
  std::string neuron(const NeuronFault& f) const {
    const LayerRow& l = layer(f.layer);
    const int pixel = f.element / l.channels;
    return fmt::format("neurons.{}[{}][{}][{}]:{}", l.name, pixel / l.width, pixel % l.width,
                       f.element % l.channels, f.bit);
  }
  // JSON has neither NaN nor infinities.
  static ordered_json real(float value) {
    return std::isfinite(value) ? ordered_json(value) : ordered_json(fmt::format("{}", value));
  }

  bool csv_;
  const std::vector<LayerRow>& layers_;
  const SiteMap& sites_;
  ordered_json json_;
  std::string cells_;
};

}  // namespace

ordered_json record_json(const SiteMap& sites, const FaultRecord& record) {
  const bool ends = record.kind != FaultKind::flip && record.last != kToTheEnd;
  return {{"site", sites.path(record.site)},
          {"cycle", record.cycle},
          {"kind", to_string(record.kind)},
          {"last", ends ? ordered_json(record.last) : ordered_json(nullptr)},
          {"fired", record.fired},
          {"before", record.before},
          {"after", record.after}};
}

void export_trials(const Store& store, ExportFormat format,
                   const std::function<void(std::string_view)>& write) {
  constexpr std::size_t kPiece = 1 << 16;
  const std::vector<LayerRow> layers = read_layers(store);
  std::string text = format == ExportFormat::csv ? Line::head() : "";
  for (const ConfigurationRow& configuration : read_configurations(store)) {
    const SiteMap sites = read_sites(store, configuration.plan);
    Line line(format, layers, sites);
    store.each_trial(configuration.id, [&](const TrialResult& trial) {
      text += line.text(configuration, trial);
      if (text.size() < kPiece) return;
      write(text);
      text.clear();
    });
  }
  write(text);
}

std::int64_t trials_planned(const Store& store) {
  const Shard shard = parse_shard(store.meta().at("shard").get<std::string>());
  std::int64_t planned = 0;
  SQLite::Statement row(store.database(), "SELECT trials FROM configuration");
  while (row.executeStep()) planned += shard.share(row.getColumn(0).getInt64());
  return planned;
}

}  // namespace sagitta
