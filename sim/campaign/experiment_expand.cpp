#include "campaign/experiment_expand.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "campaign/dataflows.h"
#include "campaign/experiment_models.h"
#include "campaign/json_text.h"

namespace sagitta {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

// More than anybody would read, and far less than what exhausts memory.
constexpr std::size_t most_configurations = 10000;

// The values of a key: its list, its one value, or the default when it is absent or null.
std::vector<json> values_of(const json& object, const char* key, const json& otherwise) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return {otherwise};
  if (found->is_array()) return found->get<std::vector<json>>();
  return {*found};
}

json part(const json& document, const char* key, const json& otherwise) {
  const auto found = document.find(key);
  return found == document.end() ? otherwise : *found;
}

// A list with one entry is written as the entry.
ordered_json unless_single(ordered_json list) {
  return list.size() == 1 ? ordered_json(list.front()) : list;
}

// An array, and where it and its dataflow stand.
struct PlacedArray {
  ArrayShape array;
  std::string place, dataflow;
};

void expand_array(const json& entry, const std::string& place, const ExperimentSource& source,
                  std::vector<PlacedArray>& machines) {
  const ArrayShape usual;
  const std::vector<json> dataflows = values_of(entry, "dataflow", to_string(usual.dataflow));
  const bool listed = entry.contains("dataflow") && entry["dataflow"].is_array();
  for (const json& rows : values_of(entry, "rows", usual.rows)) {
    for (const json& columns : values_of(entry, "cols", rows)) {
      for (std::size_t i = 0; i < dataflows.size(); ++i) {
        for (const json& overlap : values_of(entry, "overlap", usual.overlap)) {
          ArrayShape machine{rows.get<int>(), columns.get<int>(), usual.dataflow,
                             overlap.get<bool>()};
          read_dataflows(dataflows[i], machine);
          const ArrayShape plain = without_repetition(machine);
          const auto same = [&plain](const PlacedArray& other) {
            return without_repetition(other.array) == plain;
          };
          if (std::any_of(machines.begin(), machines.end(), same)) {
            source.fail("$.array", "the array " + array_name(plain) + " is listed twice",
                        "list each array once");
          }
          const std::string at = json_place(place, "dataflow");
          machines.push_back({machine, place, listed ? json_place(at, i) : at});
        }
      }
    }
  }
}

std::vector<PlacedArray> expand_arrays(const ExperimentSource& source) {
  const json array = part(source.document(), "array", json::object());
  std::vector<PlacedArray> machines;
  if (!array.is_array()) expand_array(array, "$.array", source, machines);
  for (std::size_t i = 0; array.is_array() && i < array.size(); ++i) {
    expand_array(array[i], json_place("$.array", i), source, machines);
  }
  return machines;
}

// A scheme's options in lists multiply, the first of swept_options() slowest; the values of these
// are added to the name.
std::vector<Scheme> expand_scheme(const json& entry, const std::string& place,
                                  const ExperimentSource& source) {
  const json object = entry.is_string() ? json{{"kind", entry}} : entry;
  std::vector<std::pair<json, std::string>> combinations{{object, ""}};  // and what names them
  for (const std::string& key : swept_options()) {
    if (!object.contains(key) || !object[key].is_array()) continue;
    const bool several = object[key].size() > 1;
    std::vector<std::pair<json, std::string>> longer;
    for (const auto& [combination, name] : combinations) {
      for (const json& value : object[key]) {
        json one = combination;
        one[key] = value;
        const std::string tag =
            value.is_string() ? " " + value.get<std::string>() : " " + key + "=" + value.dump();
        longer.emplace_back(std::move(one), several ? name + tag : name);
      }
    }
    combinations = std::move(longer);
  }
  std::vector<Scheme> schemes;
  for (auto& [combination, tag] : combinations) {
    std::string combined = object["kind"].get<std::string>();
    if (object.contains("with")) {
      for (const json& other : object["with"]) combined += "+" + other.get<std::string>();
    }
    combination["name"] = object.value("name", combined) + tag;
    schemes.push_back(scheme_from(
        combination,
        [&](const std::string& key, const std::string& problem, const std::string& remedy) {
          source.fail(key.empty() ? place : place + "." + key, problem, remedy);
        }));
  }
  return schemes;
}

void add_scheme(const Scheme& scheme, const ExperimentSource& source,
                std::vector<Scheme>& schemes) {
  // "none" is what overheads are measured against; the other kinds are names readers know too.
  for (const SchemeKind& kind : scheme_kinds()) {
    if (scheme.name == kind.name && scheme.kind != kind.name) {
      source.fail("$.scheme", "a scheme of kind " + scheme.kind + " is named " + kind.name,
                  "choose a \"name\" that is not another kind's");
    }
  }
  for (const Scheme& other : schemes) {
    if (other.name != scheme.name) continue;
    if (other == scheme) {
      source.fail("$.scheme", "the scheme " + scheme.name + " is listed twice",
                  "list each scheme once");
    }
    source.fail(
        "$.scheme", "two schemes with different settings are called " + scheme.name,
        "give each a name of its own: {\"kind\": \"" + scheme.kind + "\", \"name\": \"...\", ...}");
  }
  schemes.push_back(scheme);
}

std::vector<Scheme> expand_schemes(const ExperimentSource& source) {
  const json scheme = part(source.document(), "scheme", "none");
  std::vector<Scheme> schemes;
  if (!scheme.is_array()) {
    for (const Scheme& each : expand_scheme(scheme, "$.scheme", source)) {
      add_scheme(each, source, schemes);
    }
    return schemes;
  }
  for (std::size_t i = 0; i < scheme.size(); ++i) {
    for (const Scheme& each : expand_scheme(scheme[i], json_place("$.scheme", i), source)) {
      add_scheme(each, source, schemes);
    }
  }
  return schemes;
}

struct FaultLists {
  std::string level;
  std::string place;  // where the plan stands
  json sample;        // its key, or null
  SamplePlan samples;
  std::vector<json> rate, values, sites, population, upsets, model, trials, seed, list;
  std::vector<json> cluster_size, cluster_along, onset, duration;  // of models

  FaultLists(const json& fault, std::string stands, const ExperimentSource& source)
      : place(std::move(stands)), sample(part(fault, "sample", nullptr)) {
    const FaultPlan usual;
    level = values_of(fault, "level", usual.level).front().get<std::string>();
    rate = values_of(fault, "rate", usual.rate);
    values = values_of(fault, "values", usual.values);
    sites = values_of(fault, "sites", usual.sites);
    population = values_of(fault, "population", usual.population);
    upsets = values_of(fault, "upsets", usual.upsets);
    model = values_of(fault, "model", usual.model);
    cluster_size = values_of(fault, "cluster_size", usual.cluster_size);
    cluster_along = values_of(fault, "cluster_along", usual.cluster_along);
    onset = values_of(fault, "onset", usual.onset);
    duration = values_of(fault, "duration", usual.duration);
    trials = values_of(fault, "trials", usual.trials);
    seed = values_of(fault, "seed", usual.seed);
    list = values_of(fault, "list", usual.list);
    if (level != "register") population = {"common"};  // drawn over what all machines share
    read_sample_plan(fault, source);
  }

  // What the sample says must go together with the rest of the plan.
  void read_sample_plan(const json& fault, const ExperimentSource& source) {
    const std::string where = json_place(place, "sample");
    samples = read_sample(
        sample, [&](const std::string& key, const std::string& problem, const std::string& remedy) {
          source.fail(json_place(where, key), problem, remedy);
        });
    const bool plain = samples.method == SamplePlan::Method::uniform;
    const std::string method = to_string(samples.method);
    if (!plain && level != "register") {
      source.fail(
          json_place(where, "method"),
          "a sample that is " + method + " is one of a machine's bits, not of " + level + "s",
          "use \"uniform\"");
    }
    if (!sample.is_null() && part(fault, "list", nullptr).is_string()) {
      source.fail(where, "a list is replayed as it is", "remove one of the two");
    }
    const auto is_one = [](const std::vector<json>& all, const json& one) {
      return all.size() == 1 && all.front() == one;
    };
    if (!plain && !is_one(upsets, 1)) {
      source.fail(json_place(place, "upsets"),
                  "a sample that is " + method + " is one of single upsets", "use 1");
    }
    if (!plain && !is_one(model, "seu")) {
      source.fail(json_place(place, "model"),
                  "a sample that is " + method + " is one of single upsets", "use \"seu\"");
    }
    if (samples.method == SamplePlan::Method::exhaustive && !is_one(population, "own")) {
      source.fail(json_place(place, "population"),
                  "an exhaustive sample is one of the machine's own bits and cycles",
                  "use \"own\"");
    }
    if (!samples.gives_trials()) return;
    if (!part(fault, "trials", nullptr).is_null()) {
      source.fail(json_place(place, "trials"), "the sample says how many",
                  samples.error > 0 ? "remove one of trials and sample.error; --set "
                                      "fault.trials=null removes the file's"
                                    : "remove it, or set it to null");
    }
    trials = {0};
  }

  // A double: the product of user-written lists has no bound.
  double count() const {
    double product = 1;
    for (const auto* key : {&rate, &values, &sites, &population, &upsets, &cluster_size,
                            &cluster_along, &onset, &duration, &model, &trials, &seed, &list}) {
      product *= static_cast<double>(key->size());
    }
    return product;
  }

  // The lists read as the digits of a number, the last one changing fastest. Nothing where a list
  // of an option that the model does not have is not at its first entry: that plan was there.
  std::optional<FaultPlan> plan(std::size_t number) const {
    const auto digit = [&number](const std::vector<json>& key) -> const json& {
      const std::size_t index = number % key.size();
      number /= key.size();
      return key[index];
    };
    FaultPlan plan;
    bool repeated = false;
    const auto option = [&](const char* name, const std::vector<json>& key, auto& value) {
      const json& entry = digit(key);
      if (level != "register" || model_has(plan.model, name)) {
        entry.get_to(value);
      } else {
        repeated = repeated || &entry != &key.front();
      }
    };
    plan.list = digit(list).get<std::string>();
    plan.seed = digit(seed).get<std::uint64_t>();
    plan.trials = digit(trials).get<std::int64_t>();
    plan.model = digit(model).get<std::string>();
    option("duration", duration, plan.duration);
    option("onset", onset, plan.onset);
    option("cluster_along", cluster_along, plan.cluster_along);
    option("cluster_size", cluster_size, plan.cluster_size);
    option("upsets", upsets, plan.upsets);
    plan.population = digit(population).get<std::string>();
    plan.sites = digit(sites).get<std::string>();
    plan.values = digit(values).get<std::string>();
    option("rate", rate, plan.rate);
    plan.level = level;
    plan.sample = samples;
    return repeated ? std::nullopt : std::optional(plan);
  }

  ordered_json resolved() const {
    ordered_json fault = resolved_plan();
    if (samples.gives_trials()) fault["trials"] = nullptr;
    if (!sample.is_null()) fault["sample"] = to_json(samples);
    return fault;
  }

  ordered_json resolved_plan() const {
    ordered_json fault;
    fault["level"] = level;
    fault["model"] = unless_single(model);
    if (level != "register") {
      fault["rate"] = unless_single(rate);
      if (level == "neuron") fault["values"] = unless_single(values);
      fault["trials"] = unless_single(trials);
      fault["seed"] = unless_single(seed);
      return fault;
    }
    const auto option = [&](const char* name, const std::vector<json>& key) {
      const auto has = [&](const json& m) { return model_has(m.get<std::string>(), name); };
      if (std::any_of(model.begin(), model.end(), has)) fault[name] = unless_single(key);
    };
    option("rate", rate);
    option("cluster_size", cluster_size);
    option("cluster_along", cluster_along);
    option("onset", onset);
    option("duration", duration);
    option("upsets", upsets);
    fault["trials"] = unless_single(trials);
    fault["seed"] = unless_single(seed);
    fault["sites"] = unless_single(sites);
    fault["population"] = unless_single(population);
    const bool sampled = list.size() == 1 && list.front().get<std::string>().empty();
    fault["list"] = sampled ? ordered_json(nullptr) : unless_single(list);
    return fault;
  }
};

// Hits of neurons and weights are drawn over the network, which all machines share.
void check_population(const json& fault, const std::string& place, const ExperimentSource& source) {
  if (values_of(fault, "level", "register").front() == "register") return;
  for (const json& population : values_of(fault, "population", "common")) {
    if (population == "common") continue;
    source.fail(json_place(place, "population"),
                show_json(population) +
                    " does not apply here: every scheme faces the same neurons "
                    "and weights",
                "remove it, or write \"common\"");
  }
}

ordered_json resolved(const PlacedArray& place) {
  const ArrayShape& array = place.array;
  return {{"rows", array.rows},
          {"cols", array.columns},
          {"dataflow", dataflows_json(array)},
          {"overlap", array.overlap}};
}

ordered_json resolved(const Scheme& scheme) {
  return scheme_json(scheme);
}

template <typename Entry>
ordered_json resolved_list(const std::vector<Entry>& entries) {
  ordered_json list = ordered_json::array();
  for (const Entry& entry : entries) list.push_back(resolved(entry));
  return unless_single(std::move(list));
}

}  // namespace

Expansion expand(const ExperimentSource& source) {
  const std::vector<PlacedArray> machines = expand_arrays(source);
  const std::vector<Scheme> schemes = expand_schemes(source);
  const json fault = part(source.document(), "fault", json::object());
  std::vector<FaultLists> faults;
  for (const json& plan : fault.is_array() ? fault : json::array({fault})) {
    const std::string place =
        fault.is_array() ? json_place("$.fault", faults.size()) : std::string("$.fault");
    check_population(plan, place, source);
    check_models(plan, place, source);
    faults.emplace_back(plan, place, source);
  }
  double count = 0;
  for (const FaultLists& lists : faults) count += lists.count();
  count *= static_cast<double>(machines.size()) * static_cast<double>(schemes.size());
  if (count > most_configurations) {
    source.fail(
        "$",
        "the lists multiply to " + show_json(static_cast<std::uint64_t>(count)) + " configurations",
        "shorten them to " + std::to_string(most_configurations) + " at most");
  }

  Expansion result;
  for (const auto& [machine, place, dataflow] : machines) {
    const std::string name = array_name(without_repetition(machine)) + " ";
    for (const Scheme& scheme : schemes) {
      for (const FaultLists& lists : faults) {
        for (std::size_t number = 0; number < static_cast<std::size_t>(lists.count()); ++number) {
          const std::optional<FaultPlan> plan = lists.plan(number);
          if (!plan) continue;
          result.configurations.push_back(
              {name + scheme.name, machine, scheme, *plan, place, dataflow, lists.place});
        }
      }
    }
  }
  result.array = resolved_list(machines);
  result.scheme = resolved_list(schemes);
  ordered_json plans = ordered_json::array();
  for (const FaultLists& lists : faults) plans.push_back(lists.resolved());
  result.fault = unless_single(std::move(plans));
  return result;
}

}  // namespace sagitta
