#include "report/breakdown.h"

#include <map>
#include <string>
#include <utility>

namespace sagitta {
namespace {

using nlohmann::ordered_json;

struct Ends {
  std::int64_t trials = 0, masked = 0, corrected = 0, tolerable = 0, sdc = 0, hang = 0,
               uncorrected = 0;

  void add(Outcome outcome) {
    ++trials;
    masked += is_masked(outcome) ? 1 : 0;
    corrected += outcome == Outcome::detected_corrected ? 1 : 0;
    tolerable += outcome == Outcome::tolerable ? 1 : 0;
    sdc += is_sdc(outcome) ? 1 : 0;
    hang += outcome == Outcome::hang ? 1 : 0;
    uncorrected += outcome == Outcome::detected_uncorrected ? 1 : 0;
  }
  void write(ordered_json& j) const {
    j["trials"] = trials;
    j["masked"] = masked;
    j["corrected"] = corrected;
    j["tolerable"] = tolerable;
    j["sdc"] = sdc;
    j["hang"] = hang;
    j["uncorrected"] = uncorrected;
  }
};

bool in_a_pe(const std::string& path) {
  return path.starts_with("array.pe[][]");
}

}  // namespace

ordered_json breakdown(const Campaign& campaign, int configuration) {
  const MachinePlan& plan =
      campaign.machines()[static_cast<std::size_t>(campaign.machine_of(configuration))];
  std::map<int, Ends> registers, layers;
  std::map<std::pair<int, int>, Ends> bits, pes;  // register class and bit; row and column
  campaign.store().each_trial(configuration, [&](const TrialResult& t) {
    if (t.faults.size() != 1 || !t.faults[0].fired) return;
    const Site& site = t.faults[0].site;
    registers[site.register_class].add(t.outcome);
    bits[{site.register_class, site.bit}].add(t.outcome);
    layers[t.layer].add(t.outcome);
    const RegisterClass& c = plan.registers[static_cast<std::size_t>(site.register_class)];
    if (!in_a_pe(c.path)) return;
    const std::int64_t copies = c.extents.size() > 2 ? c.extents[2] : 1;
    const std::int64_t pe = site.element / copies;
    pes[{static_cast<int>(pe / c.extents[1]), static_cast<int>(pe % c.extents[1])}].add(t.outcome);
  });
  ordered_json j = {{"registers", ordered_json::array()},
                    {"bits", ordered_json::array()},
                    {"layers", ordered_json::array()},
                    {"pes", ordered_json::array()}};
  const auto path = [&plan](int c) { return plan.registers[static_cast<std::size_t>(c)].path; };
  for (const auto& [c, ends] : registers) {
    ordered_json& entry = j["registers"].emplace_back();
    entry["register"] = path(c);
    entry["bits"] = plan.registers[static_cast<std::size_t>(c)].bits();
    ends.write(entry);
  }
  for (const auto& [place, ends] : bits) {
    ordered_json& entry = j["bits"].emplace_back();
    entry["register"] = path(place.first);
    entry["bit"] = place.second;
    ends.write(entry);
  }
  for (const auto& [layer, ends] : layers) {
    ordered_json& entry = j["layers"].emplace_back();
    const bool outside = layer < 0 || layer >= static_cast<int>(plan.program.layer_names.size());
    entry["layer"] = outside
                         ? ordered_json(nullptr)
                         : ordered_json(plan.program.layer_names[static_cast<std::size_t>(layer)]);
    ends.write(entry);
  }
  for (const auto& [place, ends] : pes) {
    ordered_json& entry = j["pes"].emplace_back();
    entry["row"] = place.first;
    entry["col"] = place.second;
    ends.write(entry);
  }
  return j;
}

}  // namespace sagitta
