// Strict reading of JSON, and the notation for places in it that error messages use.
#pragma once

#include <cstddef>
#include <string>

#include <nlohmann/json.hpp>

namespace sagitta {

// Parses `text`. Throws InputError that names `file`, line and column on a syntax error and on a
// key that stands twice in one object, which JSON libraries pass silently.
nlohmann::json parse_json(const std::string& text, const std::string& file);

// Places in a document: "$" is all of it, then "$.array.rows[1]"; a key with other characters than
// letters, digits, '_', '-' and '$' is quoted, as in $["a b"].
std::string json_place(const std::string& parent, const std::string& key);
std::string json_place(const std::string& parent, std::size_t index);

// A value as an error message shows it: at most 60 characters.
std::string show_json(const nlohmann::json& value);

}  // namespace sagitta
