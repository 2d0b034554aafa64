#include "campaign/fault_models.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "base/philox.h"
#include "campaign/fault_levels.h"
#include "campaign/trial.h"
#include "schedule/protection.h"

namespace sagitta {
namespace {

const RegisterClass& class_of(const SiteMap& map, const Site& site) {
  return map.classes()[static_cast<std::size_t>(site.register_class)];
}

// Copies of a PE's register lie within it, as the last index.
bool is_in_pe(const RegisterClass& c) {
  return as_first_array(c.path).starts_with("array.pe[][]");
}

// Of the cycles x bits in this order, so that the faults come in order of time.
std::vector<Fault> draw_rate(const FaultPlan& plan, std::int64_t trial, const SiteSelection& sites,
                             std::int64_t cycles) {
  std::vector<Fault> faults;
  const Stream gaps(plan.seed, static_cast<std::uint64_t>(trial), Purpose::upset_gap);
  const std::int64_t bits = sites.bits();
  if (bits == 0) return faults;
  for (const std::int64_t hit : draw_hits(gaps, plan.rate, bits * cycles)) {
    faults.push_back({sites.at(hit % bits), hit / bits});
  }
  return faults;
}

}  // namespace

std::vector<Site> cluster_of(const Site& drawn, int size, const std::string& along,
                             const SiteMap& map) {
  const RegisterClass& c = class_of(map, drawn);
  std::vector<Site> sites;
  if (along == "bits") {
    const int bits = std::min(size, c.width);
    const int lowest = std::min(drawn.bit, c.width - bits);
    for (int i = 0; i < bits; ++i) {
      sites.push_back({drawn.register_class, drawn.element, lowest + i});
    }
    return sites;
  }
  // Elements are row-major over PE row, PE column and copy.
  const std::size_t axis = along == "row" ? 1 : 0;
  const int extent = c.extents[axis];
  std::int64_t stride = 1;
  for (std::size_t i = axis + 1; i < c.extents.size(); ++i) stride *= c.extents[i];
  const int pes = std::min(size, extent);
  const auto index = static_cast<int>(drawn.element / stride % extent);
  const int first = std::min(index, extent - pes);
  for (int i = 0; i < pes; ++i) {
    sites.push_back({drawn.register_class, drawn.element + std::int64_t{first + i - index} * stride,
                     drawn.bit});
  }
  return sites;
}

std::vector<Fault> draw_register_faults(const FaultPlan& plan, std::int64_t trial,
                                        const SiteMap& map, const SiteSelection& sites,
                                        std::int64_t cycles) {
  if (plan.model == "rate") return draw_rate(plan, trial, sites, cycles);
  std::vector<Fault> faults = draw_faults(plan.seed, trial, plan.upsets, sites, cycles);
  if (plan.model == "mbu") {
    std::vector<Fault> flips;
    for (const Fault& event : faults) {
      for (const Site& site : cluster_of(event.site, plan.cluster_size, plan.cluster_along, map)) {
        flips.push_back({site, event.cycle});
      }
    }
    return flips;
  }
  Stream values(plan.seed, static_cast<std::uint64_t>(trial), Purpose::stuck_value);
  for (Fault& f : faults) {
    if (plan.model == "intermittent") {
      f.kind = values.below(2) == 0 ? FaultKind::stuck0 : FaultKind::stuck1;
      f.last = f.cycle + plan.duration - 1;
    } else if (plan.model != "seu") {
      f.kind = plan.model == "stuck-at-0" ? FaultKind::stuck0 : FaultKind::stuck1;
      f.last = kToTheEnd;
      if (plan.onset == "start") f.cycle = 0;
    }
  }
  return faults;
}

void check_cluster_sites(const FaultPlan& plan, const SiteMap& map, const SiteSelection& sites,
                         const std::string& file, const std::string& where) {
  if (plan.model != "mbu" || plan.cluster_along == "bits") return;
  for (const SiteSelection::Run& run : sites.runs()) {
    const RegisterClass& c = map.classes()[static_cast<std::size_t>(run.register_class)];
    if (is_in_pe(c)) continue;
    throw InputError(
        file, where,
        fmt::format("'{}' has {}, which is in no PE: it has no neighbours along a {}", plan.sites,
                    map.element_path(run.register_class, run.first), plan.cluster_along),
        "name registers of PEs, as in array.pe[*][*].acc, or set \"cluster_along\": "
        "\"bits\"");
  }
}

bool is_fault_model(const std::string& model) {
  constexpr const char* kModels[] = {"seu",        "mbu",          "stuck-at-0",
                                     "stuck-at-1", "intermittent", "rate"};
  return std::find(std::begin(kModels), std::end(kModels), model) != std::end(kModels);
}

}  // namespace sagitta
