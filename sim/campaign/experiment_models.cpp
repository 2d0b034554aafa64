#include "campaign/experiment_models.h"

#include <algorithm>
#include <vector>

#include "campaign/json_text.h"

namespace sagitta {
namespace {

using nlohmann::json;

struct Option {
  const char* name;
  const char* owner;  // for messages: "it belongs to ..."
  std::vector<std::string> models;
};

const std::vector<Option>& options() {
  static const std::vector<Option> all = {
      {"upsets",
       "the other models: rate draws how many there are",
       {"seu", "mbu", "stuck-at-0", "stuck-at-1", "intermittent"}},
      {"rate", "the model rate, and to the levels neuron and weight", {"rate"}},
      {"cluster_size", "the model mbu", {"mbu"}},
      {"cluster_along", "the model mbu", {"mbu"}},
      {"onset", "the models stuck-at-0 and stuck-at-1", {"stuck-at-0", "stuck-at-1"}},
      {"duration", "the model intermittent", {"intermittent"}}};
  return all;
}

bool given(const json& object, const std::string& key) {
  const auto found = object.find(key);
  return found != object.end() && !found->is_null();
}

std::vector<json> list_of(const json& object, const char* key, const json& otherwise) {
  if (!given(object, key)) return {otherwise};
  return object[key].is_array() ? object[key].get<std::vector<json>>() : std::vector{object[key]};
}

}  // namespace

bool model_has(const std::string& model, const std::string& option) {
  return std::any_of(options().begin(), options().end(), [&](const Option& o) {
    return o.name == option && std::find(o.models.begin(), o.models.end(), model) != o.models.end();
  });
}

void check_models(const json& fault, const std::string& place, const ExperimentSource& source) {
  const std::string level = fault.value("level", "register");
  const std::vector<json> models = list_of(fault, "model", "seu");
  if (level != "register") {
    for (const json& model : models) {
      if (model == "seu") continue;
      source.fail(json_place(place, "model"),
                  show_json(model) + " does not apply here: a " + level +
                      " is hit once, in one bit, which is inverted",
                  "remove it, or strike registers: \"level\": \"register\"");
    }
    return;  // the schema knows this level's keys
  }
  for (const Option& o : options()) {
    const bool has = std::any_of(models.begin(), models.end(), [&](const json& model) {
      return model_has(model.get<std::string>(), o.name);
    });
    if (given(fault, o.name) && !has) {
      source.fail(json_place(place, o.name),
                  std::string("does not apply here: it belongs to ") + o.owner,
                  "remove it, or choose that \"model\"");
    }
  }
  if (std::find(models.begin(), models.end(), "rate") == models.end()) return;
  if (!given(fault, "rate")) {
    source.fail(json_place(place, "rate"), "this key is missing",
                "add it: upsets of a bit in a cycle, for example 1e-9");
  }
  // Draws are in steps of 2^-64 (campaign/fault_levels.h): from here on right to 3 digits.
  constexpr double kLowestRate = 1e-16;
  for (const json& rate : list_of(fault, "rate", 0)) {
    if (rate.get<double>() >= kLowestRate) continue;
    source.fail(
        json_place(place, "rate"), show_json(rate) + " is below 1e-16, which cannot be drawn",
        "at such a rate an inference has one upset or none: use \"model\": \"seu\", and weigh "
        "its results with bits x cycles x rate");
  }
}

}  // namespace sagitta
