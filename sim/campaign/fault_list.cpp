#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "campaign/campaign.h"

namespace sagitta {
namespace {

constexpr const char* kFormat = "sagitta-faults/1";

}  // namespace

void write_fault_list(const FaultList& list, const std::string& path) {
  nlohmann::ordered_json j;
  j["format"] = kFormat;
  j["machine_digest"] = list.machine_digest;
  j["seed"] = list.seed;
  j["model"] = list.model;
  j["trials"] = nlohmann::ordered_json::array();
  for (const FaultList::Trial& t : list.trials) {
    j["trials"].push_back({{"trial", t.trial}, {"image", t.image}, {"faults", t.faults}});
  }
  write_file(path, j.dump(1) + "\n");
}

FaultList read_fault_list(const std::string& path) {
  const std::string remedy = "use a faults.json that `sagitta inject -o DIR` wrote, or its form";
  FaultList list;
  try {
    const auto j = nlohmann::json::parse(read_file(path));
    if (j.at("format") != kFormat) {
      throw InputError(path, "$.format", fmt::format("{} is not \"{}\"", j["format"].dump(), kFormat), remedy);
    }
    list.machine_digest = j.value("machine_digest", "");
    list.seed = j.value("seed", std::uint64_t{0});
    list.model = j.value("model", "seu");
    if (list.model != "seu") {
      throw InputError(path, "$.model", fmt::format("'{}' is not a fault model", list.model), "use seu");
    }
    for (const auto& t : j.at("trials")) {
      list.trials.push_back({static_cast<std::int64_t>(list.trials.size()), t.at("image").get<int>(),
                             t.at("faults").get<std::vector<std::string>>()});
    }
  } catch (const nlohmann::json::exception& e) {
    throw InputError(path, "", fmt::format("is not a fault list: {}", e.what()), remedy);
  }
  if (list.trials.empty()) throw InputError(path, "$.trials", "has no trial", remedy);
  return list;
}

}  // namespace sagitta
