// Reads a Value Change Dump (IEEE 1364-2005, clause 18) by the rules of the standard, not by those
// of the writer.
#pragma once

#include <cstdint>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace sagitta::test {

class Vcd {
 public:
  struct Variable {
    std::string type;
    int width = 0;
    std::string id;
  };

  explicit Vcd(const std::string& path) : file_(path) {
    if (!file_) throw std::runtime_error(path + " cannot be read");
    read_header();
    read_values();
  }

  const std::string& timescale() const { return timescale_; }
  // By full path: the scopes and the name, with dots between.
  const std::map<std::string, Variable>& variables() const { return variables_; }
  const std::vector<std::int64_t>& times() const { return times_; }

  // The bits of a variable at a time, as an unsigned number. Throws when it has no value yet.
  std::uint64_t at(const std::string& path, std::int64_t time) const {
    const auto& changes = changes_.at(variables_.at(path).id);
    auto it = changes.upper_bound(time);
    if (it == changes.begin()) throw std::runtime_error(path + " has no value");
    return (--it)->second;
  }
  // Times at which it changes, the first value included.
  std::vector<std::int64_t> changes_of(const std::string& path) const {
    std::vector<std::int64_t> times;
    for (const auto& [time, value] : changes_.at(variables_.at(path).id)) times.push_back(time);
    return times;
  }

 private:
  std::string word() {
    std::string w;
    if (!(file_ >> w)) throw std::runtime_error("the file ends early");
    return w;
  }
  std::vector<std::string> words() {  // up to $end
    std::vector<std::string> all;
    for (std::string w = word(); w != "$end"; w = word()) all.push_back(w);
    return all;
  }

  void read_header() {
    std::vector<std::string> scopes;
    for (std::string w = word(); w != "$enddefinitions"; w = word()) {
      const auto rest = words();
      if (w == "$timescale") {
        for (const auto& part : rest) timescale_ += part;
      } else if (w == "$scope") {
        scopes.push_back(rest.at(1));
      } else if (w == "$upscope") {
        if (scopes.empty()) throw std::runtime_error("a scope too many is closed");
        scopes.pop_back();
      } else if (w == "$var") {
        std::string path;
        for (const auto& s : scopes) path += s + ".";
        // Some writers leave no blank before the range.
        std::string name = rest.at(3);
        const int width = std::stoi(rest.at(1));
        const std::string range = "[" + std::to_string(width - 1) + ":0]";
        if (width > 1 && name.ends_with(range)) name.erase(name.size() - range.size());
        if (!variables_.emplace(path + name, Variable{rest.at(0), width, rest.at(2)}).second) {
          throw std::runtime_error(path + name + " is declared twice");
        }
        widths_[rest.at(2)] = width;
      }
    }
    if (!scopes.empty()) throw std::runtime_error("a scope is left open");
    words();
  }

  void read_values() {
    std::string w;
    while (file_ >> w) {
      if (w[0] == '#') {
        const std::int64_t time = std::stoll(w.substr(1));
        if (!times_.empty() && time <= times_.back()) throw std::runtime_error("time stands still");
        times_.push_back(time);
      } else if (w[0] == 'b' || w[0] == 'B') {
        set(word(), w.substr(1));
      } else if (w[0] == '0' || w[0] == '1') {
        set(w.substr(1), w.substr(0, 1));
      } else if (w == "$comment") {
        words();
      } else if (w[0] != '$') {
        throw std::runtime_error("'" + w + "' is no value");
      }
    }
  }

  void set(const std::string& id, const std::string& bits) {
    if (times_.empty()) throw std::runtime_error("a value before the first time");
    const auto width = widths_.find(id);
    if (width == widths_.end()) throw std::runtime_error("'" + id + "' is not declared");
    if (static_cast<int>(bits.size()) > width->second) throw std::runtime_error("too many bits");
    changes_[id][times_.back()] = std::stoull(bits, nullptr, 2);
  }

  std::ifstream file_;
  std::string timescale_;
  std::map<std::string, Variable> variables_;
  std::map<std::string, int> widths_;
  std::vector<std::int64_t> times_;
  std::map<std::string, std::map<std::int64_t, std::uint64_t>> changes_;  // by identifier
};

}  // namespace sagitta::test
