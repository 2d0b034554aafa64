#include "workload/scale_sim_config.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <map>
#include <sstream>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"

namespace sagitta {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string trimmed(const std::string& text) {
  const char* spaces = " \t\r\n";
  const std::size_t first = text.find_first_not_of(spaces);
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(spaces) - first + 1);
}

class ConfigFile {
 public:
  explicit ConfigFile(std::string path) : path_(std::move(path)) {
    std::istringstream text(read_file(path_));
    std::string line;
    std::string section;
    for (int number = 1; std::getline(text, line); ++number) {
      line = trimmed(line);
      if (line.empty() || line[0] == '#' || line[0] == ';') continue;
      if (line[0] == '[' && line.back() == ']') {
        section = line.substr(1, line.size() - 2);
        sections_[section];
        continue;
      }
      const std::size_t sign = line.find_first_of("=:");
      if (sign == std::string::npos || section.empty()) {
        throw InputError(path_, fmt::format("line {}", number),
                         fmt::format("'{}' is neither a [section] nor a key with a value", line),
                         section.empty() ? "begin with [general]" : "write Key = value");
      }
      sections_[section][lower(trimmed(line.substr(0, sign)))] = trimmed(line.substr(sign + 1));
    }
  }

  // The value, or `otherwise`; without one a missing key is an error.
  std::string text(const std::string& section, const std::string& key,
                   const char* otherwise = nullptr) const {
    const auto found = sections_.find(section);
    if (found != sections_.end()) {
      const auto value = found->second.find(lower(key));
      if (value != found->second.end()) return value->second;
    }
    if (otherwise != nullptr) return otherwise;
    throw InputError(path_, fmt::format("[{}] {}", section, key), "this key is missing",
                     fmt::format("write it below [{}]: {} = ...", section, key));
  }

  std::int64_t number(const std::string& section, const std::string& key, std::int64_t least,
                      std::int64_t most, const char* otherwise = nullptr) const {
    return parse(section, key, text(section, key, otherwise), least, most);
  }

  std::int64_t parse(const std::string& section, const std::string& key, const std::string& value,
                     std::int64_t least, std::int64_t most) const {
    std::int64_t n = 0;
    const auto r = std::from_chars(value.data(), value.data() + value.size(), n);
    if (r.ec != std::errc{} || r.ptr != value.data() + value.size() || n < least || n > most) {
      refuse(section, key,
             fmt::format("'{}' is not a whole number from {} to {}", value, least, most),
             "use one in that range");
    }
    return n;
  }

  [[noreturn]] void refuse(const std::string& section, const std::string& key,
                           const std::string& problem, const std::string& remedy) const {
    throw InputError(path_, fmt::format("[{}] {}", section, key), problem, remedy);
  }

 private:
  std::string path_;
  std::map<std::string, std::map<std::string, std::string>> sections_;
};

void refuse_features(const ConfigFile& file) {
  const auto off = [&file](const char* section, const char* key, const char* what) {
    if (lower(file.text(section, key, "False")) != "true") return;
    file.refuse(section, key, fmt::format("{} not modelled", what), "set it to False");
  };
  off("run_presets", "UseRamulatorTrace", "traces of Ramulator are");
  off("layout", "IfmapCustomLayout", "layouts of the buffers are");
  off("layout", "FilterCustomLayout", "layouts of the buffers are");
  off("sparsity", "SparsitySupport", "sparse filters are");
}

Stationary dataflow_of(const ConfigFile& file, const std::string& section) {
  const std::string value = lower(file.text(section, "Dataflow"));
  for (const Stationary s : {Stationary::output, Stationary::weight, Stationary::input}) {
    if (value == to_string(s)) return s;
  }
  file.refuse(section, "Dataflow", fmt::format("'{}' is not a dataflow", value),
              "write os, ws or is");
}

}  // namespace

const char* to_string(Stationary stationary) {
  switch (stationary) {
    case Stationary::output:
      return "os";
    case Stationary::weight:
      return "ws";
    case Stationary::input:
      return "is";
  }
  return "";
}

ScaleSimConfig read_scale_sim_config(const std::string& path) {
  const ConfigFile file(path);
  const std::string section = "architecture_presets";
  constexpr int kMostPes = 256;
  constexpr std::int64_t kMostKilobytes = 1 << 22;
  constexpr std::int64_t kMostOffset = std::int64_t{1} << 40;
  ScaleSimConfig config;
  config.run_name = file.text("general", "run_name");
  if (config.run_name.empty() || config.run_name.find('/') != std::string::npos) {
    file.refuse("general", "run_name", fmt::format("'{}' cannot name a folder", config.run_name),
                "give a name without /");
  }
  config.rows = static_cast<int>(file.number(section, "ArrayHeight", 1, kMostPes));
  config.columns = static_cast<int>(file.number(section, "ArrayWidth", 1, kMostPes));
  config.ifmap_words = 1024 * file.number(section, "IfmapSramSzkB", 1, kMostKilobytes);
  config.filter_words = 1024 * file.number(section, "FilterSramSzkB", 1, kMostKilobytes);
  config.ofmap_words = 1024 * file.number(section, "OfmapSramSzkB", 1, kMostKilobytes);
  config.ifmap_offset = file.number(section, "IfmapOffset", 0, kMostOffset, "0");
  config.filter_offset = file.number(section, "FilterOffset", 0, kMostOffset, "10000000");
  config.ofmap_offset = file.number(section, "OfmapOffset", 0, kMostOffset, "20000000");
  config.dataflow = dataflow_of(file, section);
  const std::string interface = lower(file.text("run_presets", "InterfaceBandwidth", "CALC"));
  if (interface != "calc" && interface != "user") {
    file.refuse("run_presets", "InterfaceBandwidth",
                fmt::format("'{}' is not known", file.text("run_presets", "InterfaceBandwidth")),
                "write CALC or USER");
  }
  config.user_bandwidth = interface == "user";
  if (config.user_bandwidth) {
    const std::string all = file.text(section, "Bandwidth");
    config.bandwidth = static_cast<int>(
        file.parse(section, "Bandwidth", trimmed(all.substr(0, all.find(','))), 1, 1024));
  }
  refuse_features(file);
  return config;
}

}  // namespace sagitta
