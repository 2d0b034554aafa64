#include <cstdint>
#include <limits>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "campaign/campaign.h"
#include "campaign/fault_models.h"
#include "campaign/json_text.h"

namespace sagitta {
namespace {

using nlohmann::json;

constexpr const char* kFormat = "sagitta-faults/1";

// Values of the right kind, or an error that names their place.
class Reader {
 public:
  explicit Reader(const std::string& file) : file_(file) {}

  [[noreturn]] void fail(const std::string& where, const std::string& problem) const {
    throw InputError(file_, where, problem,
                     "use a faults.json that `sagitta inject -o DIR` wrote, or its form");
  }
  const json& get(const json& object, const std::string& where, const char* key) const {
    if (!object.is_object()) fail(where, show_json(object) + " is not an object");
    const auto found = object.find(key);
    if (found == object.end()) fail(json_place(where, key), "this key is missing");
    return *found;
  }
  const json& list(const json& value, const std::string& where) const {
    if (!value.is_array()) fail(where, show_json(value) + " is not a list");
    return value;
  }
  std::string text(const json& value, const std::string& where) const {
    if (!value.is_string()) fail(where, show_json(value) + " is not a string");
    return value.get<std::string>();
  }
  std::uint64_t whole(const json& value, const std::string& where, std::uint64_t most) const {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > most) {
      fail(where, fmt::format("{} is not a whole number from 0 to {}", show_json(value), most));
    }
    return value.get<std::uint64_t>();
  }

 private:
  const std::string& file_;
};

}  // namespace

FaultListWriter::FaultListWriter(const FaultList& list, const std::string& path) : file_(path) {
  nlohmann::ordered_json j;
  j["format"] = kFormat;
  j["machine_digest"] = list.machine_digest;
  j["seed"] = list.seed;
  j["model"] = list.model;
  if (!list.values.empty()) j["values"] = list.values;
  j["trials"] = nlohmann::ordered_json::array();
  std::string text = j.dump(1);
  text.resize(text.rfind(']'));  // the list stays open
  file_.write(text);
}

void FaultListWriter::add(const FaultList::Trial& t) {
  const nlohmann::ordered_json j = {{"trial", t.trial}, {"image", t.image}, {"faults", t.faults}};
  file_.write(first_ ? "\n  " : ",\n  ");
  first_ = false;
  for (const char c : j.dump(1)) {  // two levels deep in the document
    file_.write({&c, 1});
    if (c == '\n') file_.write("  ");
  }
}

void FaultListWriter::finish() {
  file_.write(first_ ? "]\n}\n" : "\n ]\n}\n");
  file_.close();
  file_.take_name();
}

FaultList read_fault_list(const std::string& path) {
  const Reader reader(path);
  const json root = parse_json(read_file(path), path);
  FaultList list;
  const json& format = reader.get(root, "$", "format");
  if (format != kFormat) {
    reader.fail("$.format", fmt::format("{} is not \"{}\"", show_json(format), kFormat));
  }
  if (root.contains("machine_digest"))
    list.machine_digest = reader.text(root["machine_digest"], "$.machine_digest");
  if (root.contains("seed"))
    list.seed = reader.whole(root["seed"], "$.seed", std::numeric_limits<std::int64_t>::max());
  if (root.contains("model")) list.model = reader.text(root["model"], "$.model");
  if (!is_fault_model(list.model)) {
    throw InputError(path, "$.model", fmt::format("'{}' is not a fault model", list.model),
                     "use seu, mbu, stuck-at-0, stuck-at-1, intermittent or rate; what is struck "
                     "stands in each row");
  }
  if (root.contains("values")) {
    list.values = reader.text(root["values"], "$.values");
    if (list.values != "fp32") {
      throw InputError(path, "$.values",
                       fmt::format("'{}' are no values that a list can have", list.values),
                       "write \"fp32\", or leave it out of a list of registers and weights");
    }
  }
  const json& trials = reader.list(reader.get(root, "$", "trials"), "$.trials");
  if (trials.empty()) reader.fail("$.trials", "has no trial");
  for (std::size_t k = 0; k < trials.size(); ++k) {
    const std::string where = json_place("$.trials", k);
    const json& image = reader.get(trials[k], where, "image");
    const json& faults = reader.list(reader.get(trials[k], where, "faults"), where + ".faults");
    FaultList::Trial trial{static_cast<std::int64_t>(k), 0, {}};
    trial.image =
        static_cast<int>(reader.whole(image, where + ".image", std::numeric_limits<int>::max()));
    for (std::size_t i = 0; i < faults.size(); ++i) {
      trial.faults.push_back(reader.text(faults[i], json_place(where + ".faults", i)));
    }
    list.trials.push_back(std::move(trial));
  }
  return list;
}

}  // namespace sagitta
