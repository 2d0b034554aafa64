// Validation against a JSON Schema (draft 7), with messages for people who do not read schemas.
#pragma once

#include <optional>
#include <string>

#include <nlohmann/json.hpp>

namespace sagitta {

// The most specific thing that is wrong with a document.
struct SchemaViolation {
  std::string where;    // "$.array.rows"
  std::string problem;  // "0 is below the minimum 1"
  std::string remedy;   // "use a value from 1 to 256"
};

// Checks `document` against `schema`, which must be valid, self-contained (no remote references)
// and free of "oneOf"; nothing when the document is valid.
std::optional<SchemaViolation> check_schema(const nlohmann::json& document,
                                            const nlohmann::json& schema);

}  // namespace sagitta
