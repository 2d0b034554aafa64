// Tables and sentences for people at a terminal.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace sagitta {

// An aligned table: the first row is the header. Columns named in `left` are left-aligned, the rest
// right-aligned. `colour` adds ANSI codes: bold header, and cells that begin with '+' or '-' marks
// stay plain.
class Table {
 public:
  explicit Table(std::vector<std::string> header, std::vector<bool> left);
  void add(std::vector<std::string> cells);
  void rule();  // a line between groups
  std::string text(bool colour) const;

 private:
  std::vector<std::string> header_;
  std::vector<bool> left_;
  std::vector<std::vector<std::string>> rows_;  // an empty row is a rule
};

// The heading of a figure: "cycles", or where images go through in batches "cycles/image".
std::string heading(const std::string& figure, const char* of, int batch);

// From the documents of results.h.
std::string clean_table(const nlohmann::ordered_json& results, bool colour);
std::string fault_table(const nlohmann::ordered_json& results, bool colour);
// How trials were drawn, of configurations with a sample of their own; often "".
std::string sample_notes(const nlohmann::ordered_json& results);
// AVF, absolute failures and FIT of plans of single upsets in a machine's own bits; none: "".
std::string vulnerability_table(const nlohmann::ordered_json& results, bool colour);
std::string pairs_table(const nlohmann::ordered_json& results, bool colour);
// What the numbers say, in one sentence or two.
std::string finding(const nlohmann::ordered_json& results);

}  // namespace sagitta
