#include "report/replay_report.h"

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

#include <fmt/format.h>

#include "campaign/trial_fields.h"
#include "report/trial_export.h"

namespace sagitta {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kShown = 20;  // faults, and differences, in text

// Logits and registers are whole numbers but for studies in real ones, whose NaN and infinities
// JSON does not have.
ordered_json number(float value) {
  if (!std::isfinite(value)) return fmt::format("{}", value);
  if (std::trunc(value) == value && std::abs(value) < 1e9F) return static_cast<int>(value);
  return value;
}

// The results of a trial by name.
ordered_json numbers(const Campaign& campaign, const TrialResult& trial) {
  ordered_json all = ordered_json::object();
  each_number(trial, [&](const std::string& name, const auto& value) {
    using Value = std::decay_t<decltype(value)>;
    if constexpr (std::is_same_v<Value, Outcome> || std::is_same_v<Value, Road>) {
      all[name] = to_string(value);
    } else if (name == "layer") {
      const auto layer = static_cast<std::size_t>(value);
      const auto& layers = campaign.network().layers;
      all[name] = layer < layers.size() ? ordered_json(layers[layer].name) : ordered_json();
    } else {
      all[name] = value;
    }
  });
  return all;
}

ordered_json clean_numbers(const CleanResult& clean) {
  ordered_json all = ordered_json::object();
  each_clean_number(clean, [&](const char* name, const auto& value) { all[name] = value; });
  all["logits"] = clean.logits;
  return all;
}

ordered_json faults(const Campaign& campaign, int configuration, const TrialResult& trial) {
  const int machine = campaign.machine_of(configuration);
  const SiteMap sites(machine < 0
                          ? std::vector<RegisterClass>{}
                          : campaign.machines()[static_cast<std::size_t>(machine)].registers);
  ordered_json all = ordered_json::array();
  const auto add = [&all](const std::string& site, bool fired, const ordered_json& before,
                          const ordered_json& after) {
    all.push_back({{"site", site},
                   {"cycle", nullptr},
                   {"fired", fired},
                   {"before", before},
                   {"after", after}});
  };
  for (const FaultRecord& f : trial.faults) {
    all.push_back(record_json(sites, f));
    if (f.resisted) all.back()["resisted"] = true;
  }
  for (const WeightRecord& w : trial.weights) {
    add(weight_path(campaign.network(), w.fault), w.fired, w.before, w.after);
  }
  for (const FloatRecord& r : trial.floats) {
    add(neuron_path(campaign.network(), r.fault), r.fired, number(r.before), number(r.after));
  }
  return all;
}

void compare(const std::string& field, const ordered_json& stored, const ordered_json& replayed,
             ordered_json& differences) {
  if (stored == replayed) return;
  differences.push_back({{"field", field}, {"stored", stored}, {"replayed", replayed}});
}

std::string fault_text(const ordered_json& f) {
  std::string text = f.at("site").get<std::string>();
  const std::string kind = f.value("kind", "flip");
  if (kind != "flip") text += kind == "stuck0" ? "=0" : "=1";
  if (!f.at("cycle").is_null()) text += "@" + f.at("cycle").dump();
  if (f.contains("last") && !f.at("last").is_null()) text += ".." + f.at("last").dump();
  const auto value = [](const ordered_json& v) {
    return v.is_string() ? v.get<std::string>() : v.dump();
  };
  if (f.contains("resisted")) return text + ": resisted, the flip-flop is hardened";
  if (!f.at("fired").get<bool>()) return text + ": did not fire";
  return text + ": " + value(f.at("before")) + " -> " + value(f.at("after"));
}

std::string join(const ordered_json& values) {
  std::string text;
  for (const ordered_json& v : values) {
    text += " " + (v.is_string() ? v.get<std::string>() : v.dump());
  }
  return text + "\n";
}

}  // namespace

StoredTrial find_stored(const Campaign& campaign, const Store& store, int configuration,
                        std::int64_t trial) {
  StoredTrial stored;
  stored.trial = store.find_trial(configuration, trial);
  if (!stored.trial) return stored;
  const TrialResult& t = *stored.trial;
  stored.names_faults = store.meta().at("faults") == "named" ||
                        t.faults.size() + t.weights.size() + t.floats.size() > 0;
  const int study = campaign.study_of(configuration);
  const int plan = study < 0 ? campaign.machine_of(configuration)
                             : static_cast<int>(campaign.machines().size()) + study;
  store.each_clean(plan, [&](const CleanResult& clean) {
    if (clean.image == t.image) stored.clean = clean;
  });
  return stored;
}

ordered_json replay_document(const Campaign& campaign, int configuration, const Replay& replay,
                             const StoredTrial& stored) {
  const auto image = static_cast<std::size_t>(replay.trial.image);
  ordered_json j;
  j["configuration"] = configuration;
  j["name"] = campaign.experiment().configurations[static_cast<std::size_t>(configuration)].name;
  j["label"] = campaign.images().labels[image];
  j.update(numbers(campaign, replay.trial));
  j["fault_free_cycles"] = replay.clean.cycles;
  j["faults"] = faults(campaign, configuration, replay.trial);
  j["logits"] = {{"fault_free", ordered_json::array()}, {"faulty", ordered_json::array()}};
  for (const float v : replay.reference) j["logits"]["fault_free"].push_back(number(v));
  for (const float v : replay.logits) j["logits"]["faulty"].push_back(number(v));
  j["stored_road"] = nullptr;
  j["as_stored"] = nullptr;
  ordered_json& differences = j["differences"] = ordered_json::array();
  if (!stored.trial) return j;
  const ordered_json there = numbers(campaign, *stored.trial);
  for (const auto& [name, value] : there.items()) {
    if (name != "road") compare(name, value, j.at(name), differences);
  }
  if (stored.names_faults) {
    const ordered_json theirs = faults(campaign, configuration, *stored.trial);
    const ordered_json& ours = j.at("faults");
    for (std::size_t i = 0; i < std::max(theirs.size(), ours.size()); ++i) {
      compare(fmt::format("faults[{}]", i), i < theirs.size() ? theirs[i] : ordered_json(),
              i < ours.size() ? ours[i] : ordered_json(), differences);
    }
  }
  if (stored.clean) {
    const ordered_json theirs = clean_numbers(*stored.clean);
    const ordered_json ours = clean_numbers(replay.clean);
    for (const auto& [name, value] : theirs.items()) {
      compare("fault_free." + name, value, ours.at(name), differences);
    }
  }
  j["stored_road"] = there.at("road");
  j["as_stored"] = differences.empty();
  return j;
}

std::string replay_text(const ordered_json& j) {
  const auto number_at = [&j](const char* key) { return j.at(key).get<std::int64_t>(); };
  const auto name_at = [&j](const char* key) { return j.at(key).get<std::string>(); };
  std::string text = fmt::format("Trial {} of configuration {}, {}: image {}, class {}\n",
                                 number_at("trial"), number_at("configuration"), name_at("name"),
                                 number_at("image"), number_at("label"));
  text += fmt::format("Faults: {} drawn, {} fired\n", number_at("faults_drawn"),
                      number_at("faults_fired"));
  const ordered_json& faults = j.at("faults");
  for (std::size_t i = 0; i < std::min(kShown, faults.size()); ++i) {
    text += "  " + fault_text(faults[i]) + "\n";
  }
  if (faults.size() > kShown) text += fmt::format("  and {} more\n", faults.size() - kShown);
  const std::int64_t predicted = number_at("predicted_class");
  text +=
      fmt::format("Outcome: {}; fault-free class {}, with the faults {}\n", name_at("outcome"),
                  number_at("reference_class"), predicted < 0 ? "none" : std::to_string(predicted));
  if (name_at("road") != "software") {
    text += fmt::format("Cycles: {}, fault-free {}{}\n", number_at("cycles"),
                        number_at("fault_free_cycles"),
                        j.at("layer").is_null() ? "" : "; struck first in " + name_at("layer"));
  }
  text += fmt::format(
      "Detectors: {} rows flagged, {} tiles run again in {} cycles; suppressed values: {} right, "
      "{} wrong\n",
      number_at("mismatches"), number_at("recomputed_tiles"), number_at("recompute_cycles"),
      number_at("suppressed_right"), number_at("suppressed_wrong"));
  text += "Logits, fault-free: " + join(j.at("logits").at("fault_free"));
  text += "Logits, with faults:" + join(j.at("logits").at("faulty"));
  if (j.at("as_stored").is_null()) {
    return text + "The store does not hold this trial: there is nothing to compare with\n";
  }
  const std::string road = name_at("stored_road");
  if (j.at("as_stored").get<bool>()) return text + "As stored (road " + road + ")\n";
  text += "Not as stored (road " + road + "):\n";
  const ordered_json& differences = j.at("differences");
  for (std::size_t i = 0; i < std::min(kShown, differences.size()); ++i) {
    const ordered_json& d = differences[i];
    text += fmt::format("  {}: stored {}, replayed {}\n", d.at("field").get<std::string>(),
                        d.at("stored").dump(), d.at("replayed").dump());
  }
  if (differences.size() > kShown) {
    text += fmt::format("  and {} more\n", differences.size() - kShown);
  }
  return text;
}

}  // namespace sagitta
