// Reads what a command or a trace wrote as CSV.
#pragma once

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace sagitta::test {

// The rows of a CSV file, by column.
struct Csv {
  std::string header;
  std::vector<std::vector<std::string>> rows;
  explicit Csv(const std::string& path) {
    std::ifstream file(path);
    std::getline(file, header);
    for (std::string line; std::getline(file, line);) {
      std::stringstream fields(line);
      rows.emplace_back();
      for (std::string field; std::getline(fields, field, ',');) rows.back().push_back(field);
    }
  }
};

}  // namespace sagitta::test
