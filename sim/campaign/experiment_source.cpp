#include "campaign/experiment_source.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <functional>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/nearest.h"
#include "campaign/json_schema.h"
#include "campaign/json_text.h"

namespace sagitta {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const json& experiment_schema() {
  static const json schema = json::parse(experiment_schema_text);
  return schema;
}

// The schema of an included file: "array_object" or "scheme_object".
json fragment_schema(const std::string& definition) {
  json schema = experiment_schema()["definitions"][definition];
  schema["definitions"] = experiment_schema()["definitions"];
  return schema;
}

bool names_a_file(const json& value) {
  if (!value.is_string()) return false;
  return value.get_ref<const std::string&>().ends_with(".json");
}

std::string absolute_path(const std::string& path, const std::string& folder) {
  const fs::path whole = (fs::path(folder) / path).lexically_normal();
  return (whole.has_filename() ? whole : whole.parent_path()).string();
}

// Calls `change` on the string, or every string of the list, at a place.
void for_each_string(json& value, const std::string& where,
                     const std::function<void(json&, const std::string&)>& change) {
  if (value.is_string()) change(value, where);
  if (!value.is_array()) return;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i].is_string()) change(value[i], json_place(where, i));
  }
}

// Makes the paths of a document, or of a part that an override gives, absolute. Values of a wrong
// type stay for the schema to refuse, empty ones too.
void make_paths_absolute(json& document, const std::string& folder) {
  const auto change = [&](json& value, const std::string&) {
    const auto path = value.get<std::string>();
    if (!path.empty()) value = absolute_path(path, folder);
  };
  for (const char* key : {"network", "workload", "technology", "thresholds"}) {
    if (document.contains(key)) for_each_string(document[key], key, change);
  }
  if (!document.contains("fault")) return;
  json& fault = document["fault"];
  const auto change_list = [&](json& plan) {
    if (plan.is_object() && plan.contains("list")) for_each_string(plan["list"], "list", change);
  };
  if (fault.is_array()) {
    for (json& plan : fault) change_list(plan);
  } else {
    change_list(fault);
  }
}

// Replaces the names of .json files under "array" and "scheme" by what the files hold, and returns
// where that was. `from` is the file or override that names them.
std::vector<Origin> include_files(json& document, const std::string& folder,
                                  const std::string& from) {
  std::vector<Origin> files;
  for (const std::string key : {"array", "scheme"}) {
    if (!document.contains(key)) continue;
    const auto include = [&](json& value, const std::string& where) {
      if (!names_a_file(value)) return;
      const std::string file = absolute_path(value.get<std::string>(), folder);
      std::error_code error;
      if (!fs::is_regular_file(file, error)) {
        throw InputError(from, where, "there is no file " + file,
                         "paths are relative to " + folder);
      }
      json part = parse_json(read_file(file), file);
      if (const auto violation = check_schema(part, fragment_schema(key + "_object"))) {
        throw InputError(file, violation->where, violation->problem, violation->remedy);
      }
      part.erase("$schema");
      value = std::move(part);
      files.push_back({where, file, true});
    };
    for_each_string(document[key], json_place("$", key), include);
  }
  return files;
}

// The value part of an override: JSON, or else a string as it stands.
json parse_value(const std::string& text, const std::string& origin) {
  const bool structured = !text.empty() && (text[0] == '{' || text[0] == '[' || text[0] == '"');
  if (structured) return parse_json(text, origin);
  json value = json::parse(text, nullptr, false);
  if (value.is_discarded()) value = text;
  return value;
}

Override parse_override(const std::string& text) {
  const std::string origin = "--set " + text;
  const std::string example = "write key.path=value, for example --set array.rows=32";
  // Results carry the value as JSON, which other bytes cannot stand in.
  try {
    static_cast<void>(json(text).dump());
  } catch (const json::type_error&) {
    throw InputError("--set", "", "the text is not UTF-8", example);
  }
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) throw InputError(origin, "", "there is no =", example);

  Override change{text, {}, "$", nullptr, {}};
  std::size_t start = 0;
  while (start <= equals) {
    const std::size_t end = std::min(text.find('.', start), equals);
    change.keys.push_back(text.substr(start, end - start));
    if (change.keys.back().empty()) {
      throw InputError(origin, "", "a key before the = is empty", example);
    }
    change.where = json_place(change.where, change.keys.back());
    start = end + 1;
  }

  // Paths mean the same as elsewhere on the command line: from the current folder on.
  json part = json::object();
  json* at = &part;
  for (const std::string& key : change.keys) at = &(*at)[key];
  *at = parse_value(text.substr(equals + 1), origin);
  const std::string folder = fs::current_path().string();
  change.files = include_files(part, folder, origin);
  make_paths_absolute(part, folder);
  for (const std::string& key : change.keys) part = json(std::move(part[key]));
  change.value = std::move(part);
  return change;
}

// Sets the keys from number `depth` on. A list of objects takes the value in each of them, so that
// fault.seed=7 means every fault plan's seed.
void set_value(const Override& change, std::size_t depth, json& document) {
  json* at = &document;
  std::string where = "$";
  for (std::size_t i = 0; i < depth; ++i) where = json_place(where, change.keys[i]);
  for (; depth < change.keys.size(); ++depth) {
    const std::string& key = change.keys[depth];
    const bool objects =
        at->is_array() && !at->empty() &&
        std::all_of(at->begin(), at->end(), [](const json& entry) { return entry.is_object(); });
    if (objects) {
      for (json& entry : *at) set_value(change, depth, entry);
      return;
    }
    if (at->is_null()) *at = json::object();
    if (!at->is_object()) {
      throw InputError("--set " + change.text, where,
                       show_json(*at) + " has no keys, so \"" + key + "\" cannot be set in it",
                       "set the whole value: --set '" +
                           where.substr(std::min<std::size_t>(2, where.size())) + "=...'");
    }
    at = &(*at)[key];
    where = json_place(where, key);
  }
  *at = change.value;
}

// Is `outer` the place `inner`, or one that holds it?
bool holds(const std::string& outer, const std::string& inner) {
  if (inner.compare(0, outer.size(), outer) != 0) return false;
  return inner.size() == outer.size() || inner[outer.size()] == '.' || inner[outer.size()] == '[';
}

// "$.array[1].rows" -> "$.array.rows". Indices are numbers; a quoted key stays.
std::string without_indices(const std::string& where) {
  std::string text;
  for (std::size_t i = 0; i < where.size(); ++i) {
    const std::size_t end = where.find_first_not_of("0123456789", i + 1);
    if (where[i] == '[' && end != std::string::npos && end > i + 1 && where[end] == ']') {
      i = end;
    } else {
      text += where[i];
    }
  }
  return text;
}

}  // namespace

std::vector<std::string> experiment_parts(const std::string& path) {
  const std::string text = read_file(path);
  parse_json(text, path);                                     // for its messages
  const auto document = nlohmann::ordered_json::parse(text);  // in the file's order
  std::vector<std::string> names;
  if (!document.is_object() || !document.contains("parts")) return names;
  if (!document["parts"].is_object() || document["parts"].empty()) {
    throw InputError(path, "$.parts", "this is no object that holds a part or more",
                     "write \"parts\": {\"name\": {\"scheme\": ..., \"fault\": ...}, ...}");
  }
  for (const auto& [name, part] : document["parts"].items()) {
    names.push_back(name);
    const std::string where = json_place("$.parts", name);
    const auto usual = [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.';
    };
    if (name.empty() || name[0] == '.' || !std::all_of(name.begin(), name.end(), usual)) {
      throw InputError(path, where, "results of a part go to a folder of its name",
                       "use letters, digits, - and _ in it");
    }
    if (part.is_object()) continue;
    throw InputError(path, where, show_json(part) + " is no part of an experiment",
                     "write the keys that this part has of its own");
  }
  return names;
}

ExperimentSource::ExperimentSource(std::string file, const std::vector<std::string>& overrides,
                                   const std::string& part)
    : file_(std::move(file)) {
  folder_ = fs::absolute(file_).lexically_normal().parent_path().string();
  document_ = parse_json(read_file(file_), file_);
  if (!document_.is_object()) {
    throw InputError(file_, "$", show_json(document_) + " is not an experiment",
                     "write { \"network\": ... }");
  }
  const std::vector<std::string> parts = experiment_parts(file_);
  if (parts.empty() != part.empty()) {
    throw InputError(file_, "$.parts",
                     part.empty() ? "this command takes one part of the experiment"
                                  : "this experiment has no parts, and so none called " + part,
                     part.empty() ? "choose one: --part " + parts.front() : "leave --part out");
  }
  if (!part.empty()) {
    if (std::find(parts.begin(), parts.end(), part) == parts.end()) {
      throw InputError(file_, "$.parts", "there is no part " + part, suggest(part, parts, "parts"));
    }
    const json own = document_["parts"][part];
    document_.erase("parts");
    document_.update(own);
    for (const auto& [key, value] : own.items()) {
      origins_.push_back({json_place("$", key), file_ + ", part " + part});
    }
  }
  const auto included = include_files(document_, folder_, file_);
  origins_.insert(origins_.end(), included.begin(), included.end());
  make_paths_absolute(document_, folder_);
  for (const std::string& text : overrides) {
    const Override change = parse_override(text);
    set_value(change, 0, document_);
    origins_.push_back({change.where, "--set " + change.text});
    origins_.insert(origins_.end(), change.files.begin(), change.files.end());
  }
  if (const auto violation = check_schema(document_, experiment_schema())) {
    fail(violation->where, violation->problem, violation->remedy);
  }
}

ExperimentSource ExperimentSource::resolved(std::string file, const std::string& text) {
  ExperimentSource source;
  source.file_ = std::move(file);
  source.document_ = parse_json(text, source.file_);
  if (const auto violation = check_schema(source.document_, experiment_schema())) {
    source.fail(violation->where, violation->problem, violation->remedy);
  }
  return source;
}

void ExperimentSource::fail(const std::string& where, const std::string& problem,
                            const std::string& remedy) const {
  const Place place = place_of(where, origins_, file_);
  throw InputError(place.file, place.where, problem, remedy);
}

Place place_of(const std::string& where, const std::vector<Origin>& origins,
               const std::string& file) {
  // An override of a list of objects is one of each of them: its place has no index.
  const std::string anywhere = without_indices(where);
  Place place{file, where};
  for (const Origin& origin : origins) {
    if (origin.is_file) {  // its own place is the name of the file
      const bool inside = holds(origin.where, where) && where != origin.where;
      if (inside) place = {origin.source, "$" + where.substr(origin.where.size())};
      continue;
    }
    // An unknown key in the middle of an override is above the override's own place.
    const bool above = where != "$" && holds(anywhere, origin.where);
    if (above || holds(origin.where, anywhere)) place = {origin.source, where};
  }
  return place;
}

}  // namespace sagitta
