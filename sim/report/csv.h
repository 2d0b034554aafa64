// A cell of a CSV file.
#pragma once

#include <string>

namespace sagitta {

// As it is, or between quotes where it has commas, quotes or line ends.
inline std::string csv_text(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

}  // namespace sagitta
