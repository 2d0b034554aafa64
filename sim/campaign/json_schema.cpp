// The only translation unit that includes valijson, which is slow to compile. Valijson finds out
// where a document is wrong and which keyword it violates; the schema itself then gives the words.
#include "campaign/json_schema.h"

#include <algorithm>
#include <cstddef>
#include <tuple>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>
#include <vector>

#include "base/nearest.h"
#include "campaign/json_text.h"

namespace sagitta {
namespace {

using nlohmann::json;
using Violation = valijson::ValidationResults::Error;
using Nodes = std::vector<const json*>;

bool starts_with(const std::string& text, const std::string& start) {
  return text.compare(0, start.size(), start) == 0;
}

bool contains(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// 'word' in valijson's description.
std::string quoted_word(const std::string& description) {
  const std::size_t open = description.find('\'');
  const std::size_t close = description.rfind('\'');
  return open < close ? description.substr(open + 1, close - open - 1) : std::string();
}

// Valijson's descriptions, in the order in which they are worth reporting at one place.
struct Phrase {
  const char* start;
  const char* keyword;
};
constexpr Phrase phrases[] = {
    {"Object contains a property", "additionalProperties"},
    {"Missing required property", "required"},
    {"Value type not permitted", "type"},
    {"Expected number greater", "minimum"},
    {"Expected number less", "maximum"},
    {"Failed to match against any enum", "enum"},
    {"Failed to match expected value set by 'const'", "const"},
    {"Failed to match regex", "pattern"},
    {"String should be no fewer", "minLength"},
    {"Array should contain no fewer", "minItems"},
    {"Elements at indexes", "uniqueItems"},
    // A property whose schema is `false` is reported at its object, in these words.
    {"Failed to validate against schema associated with property name", "false"},
};

std::size_t rank(const Violation& violation) {
  const auto* const found = std::find_if(
      std::begin(phrases), std::end(phrases),
      [&](const Phrase& phrase) { return starts_with(violation.description, phrase.start); });
  return static_cast<std::size_t>(found - std::begin(phrases));
}

// The schemas that apply to one place: the node itself first, then its branches.
void add_with_branches(const json& schema, const json& node, Nodes& nodes) {
  if (!node.is_object()) return;  // `true` and `false` say nothing more
  if (node.contains("$ref")) {
    const std::string pointer = node["$ref"].get<std::string>().substr(1);  // after '#'
    add_with_branches(schema, schema[json::json_pointer(pointer)], nodes);
    return;
  }
  nodes.push_back(&node);
  for (const char* key : {"then", "else"}) {
    if (node.contains(key)) add_with_branches(schema, node[key], nodes);
  }
  for (const char* key : {"allOf", "anyOf"}) {
    if (!node.contains(key)) continue;
    for (const json& branch : node[key]) add_with_branches(schema, branch, nodes);
  }
}

Nodes children(const json& schema, const Nodes& nodes, const std::string* key) {
  Nodes found;
  for (const json* node : nodes) {
    if (key == nullptr) {
      if (node->contains("items")) add_with_branches(schema, (*node)["items"], found);
    } else if (node->contains("properties") && (*node)["properties"].contains(*key)) {
      add_with_branches(schema, (*node)["properties"][*key], found);
    } else if (node->contains("additionalProperties")) {
      add_with_branches(schema, (*node)["additionalProperties"], found);
    }
  }
  return found;
}

// What the first of the schemas that has the keyword says.
json keyword(const Nodes& nodes, const char* name) {
  for (const json* node : nodes) {
    if (node->contains(name)) return (*node)[name];
  }
  return nullptr;
}

std::string description_of(const Nodes& nodes) {
  const json text = keyword(nodes, "description");
  return text.is_string() ? text.get<std::string>() : std::string();
}

std::string join(const std::vector<std::string>& words, const std::string& last) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? last : ", ";
    text += words[i];
  }
  return text;
}

std::string type_of(const json& value) {
  if (value.is_null()) return "no value";
  if (value.is_boolean()) return "a truth value";
  if (value.is_number_integer()) return "a whole number";
  if (value.is_number()) return "a number with a decimal point, or too large";
  if (value.is_string()) return "a string";
  return value.is_array() ? "a list" : "an object";
}

std::string type_called(const std::string& name) {
  if (name == "integer") return "a whole number";
  if (name == "array") return "a list";
  if (name == "object") return "an object { ... }";
  if (name == "string") return "a string in double quotes";
  if (name == "boolean") return "true or false";
  return name == "null" ? name : "a " + name;
}

SchemaViolation wrong_type(const json& value, const Nodes& nodes) {
  const json types = keyword(nodes, "type");
  std::vector<std::string> names;
  for (const json& type : types.is_array() ? types : json::array({types})) {
    names.push_back(type_called(type.get<std::string>()));
  }
  return {"", show_json(value) + " is " + type_of(value), "write " + join(names, " or ")};
}

SchemaViolation out_of_range(const json& value, const Nodes& nodes) {
  const json minimum = keyword(nodes, "minimum");
  const json above = keyword(nodes, "exclusiveMinimum");
  const json maximum = keyword(nodes, "maximum");
  const json below = keyword(nodes, "exclusiveMaximum");
  SchemaViolation violation;
  if (minimum.is_number() && value < minimum) {
    violation.problem = show_json(value) + " is below the minimum " + minimum.dump();
  } else if (above.is_number() && value <= above) {
    violation.problem = show_json(value) + " is not above " + above.dump();
  } else if (below.is_number() && value >= below) {
    violation.problem = show_json(value) + " is not below " + below.dump();
  } else {
    violation.problem = show_json(value) + " is above the maximum " + maximum.dump();
  }
  violation.remedy = "use a value ";
  violation.remedy += minimum.is_number() ? "from " + minimum.dump() : "above " + above.dump();
  if (maximum.is_number()) {
    violation.remedy += (minimum.is_number() ? " to " : " and up to ") + maximum.dump();
  } else if (below.is_number()) {
    violation.remedy += " and below " + below.dump();
  }
  return violation;
}

SchemaViolation unknown_value(const json& value, const Nodes& nodes) {
  std::vector<std::string> known;
  std::vector<std::string> shown;
  for (const json& entry : keyword(nodes, "enum")) {
    known.push_back(entry.is_string() ? entry.get<std::string>() : entry.dump());
    shown.push_back(entry.dump());
  }
  const std::string word = value.is_string() ? value.get<std::string>() : value.dump();
  std::string remedy = "write " + join(shown, " or ");
  const std::string meant = nearest(word, known);
  if (known.size() > 1 && !meant.empty()) remedy = "did you mean \"" + meant + "\"? " + remedy;
  return {"", show_json(value) + " is not known here", remedy};
}

SchemaViolation unknown_key(const json& object, const Nodes& nodes) {
  std::vector<std::string> known;
  for (const json* node : nodes) {
    if (!node->contains("properties")) continue;
    for (const auto& [name, unused] : (*node)["properties"].items()) {
      if (name != "$schema" && !contains(known, name)) known.push_back(name);
    }
  }
  std::string word;
  for (const auto& [name, unused] : object.items()) {
    if (word.empty() && name != "$schema" && !contains(known, name)) word = name;
  }
  const std::string meant = nearest(word, known);
  std::string remedy = "the keys are " + join(known, " and ");
  if (!meant.empty()) remedy = "did you mean \"" + meant + "\"? " + remedy;
  return {word, "this key is unknown", remedy};
}

// `where` holds a key below the place, or nothing.
SchemaViolation explain(const Violation& violation, const json& value, const json& schema,
                        const Nodes& nodes) {
  const std::size_t phrase = rank(violation);
  const std::string name = phrase < std::size(phrases) ? phrases[phrase].keyword : "";
  if (name == "additionalProperties") {
    return unknown_key(value, nodes);
  }
  if (name == "required" || name == "false") {
    const std::string key = quoted_word(violation.description);
    const std::string about = description_of(children(schema, nodes, &key));
    if (name == "false") return {key, "this key does not apply here", "remove it; " + about};
    return {key, "this key is missing", "add \"" + key + "\": " + about};
  }
  if (name == "type") return wrong_type(value, nodes);
  if (name == "minimum" || name == "maximum") return out_of_range(value, nodes);
  if (name == "enum") return unknown_value(value, nodes);
  if (name == "minLength") return {"", "this string is empty", description_of(nodes)};
  if (name == "minItems") return {"", "this list is empty", "give at least one value"};
  if (name == "uniqueItems") {
    return {"", "the list " + show_json(value) + " holds a value twice", "list each value once"};
  }
  if (name == "pattern") {
    return {"", show_json(value) + " is not fit for this", description_of(nodes)};
  }
  return {"", violation.description, description_of(nodes)};
}

}  // namespace

std::optional<SchemaViolation> check_schema(const json& document, const json& schema) {
  valijson::Schema compiled;
  valijson::SchemaParser parser;
  parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(schema), compiled);
  valijson::Validator validator;
  valijson::ValidationResults results;
  const valijson::adapters::NlohmannJsonAdapter adapter(document);
  if (validator.validate(compiled, adapter, &results)) return std::nullopt;

  // The deepest place is the most specific; the places above it only repeat that something below
  // is wrong.
  const auto deepest =
      std::min_element(results.begin(), results.end(), [](const Violation& a, const Violation& b) {
        return std::tuple(b.context.size(), rank(a)) < std::tuple(a.context.size(), rank(b));
      });
  if (deepest == results.end()) return SchemaViolation{"$", "the document is not valid", ""};

  // "<root>", "[array]", "[rows]", "[1]": the document tells keys from indices.
  std::string where = "$";
  const json* value = &document;
  Nodes nodes;
  add_with_branches(schema, schema, nodes);
  for (std::size_t i = 1; i < deepest->context.size(); ++i) {
    const std::string& entry = deepest->context[i];
    const std::string token = entry.substr(1, entry.size() - 2);
    if (value->is_array()) {
      const std::size_t index = std::stoul(token);
      where = json_place(where, index);
      value = &(*value)[index];
      nodes = children(schema, nodes, nullptr);
    } else {
      where = json_place(where, token);
      value = &(*value)[token];
      nodes = children(schema, nodes, &token);
    }
  }
  SchemaViolation violation = explain(*deepest, *value, schema, nodes);
  violation.where = violation.where.empty() ? where : json_place(where, violation.where);
  return violation;
}

}  // namespace sagitta
