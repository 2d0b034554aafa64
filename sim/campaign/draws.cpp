#include "base/philox.h"
#include "campaign/trial.h"

namespace sagitta {

int draw_image(std::uint64_t seed, std::int64_t trial, int images) {
  Stream stream(seed, static_cast<std::uint64_t>(trial), Purpose::image);
  return static_cast<int>(stream.below(static_cast<std::uint64_t>(images)));
}

std::vector<Fault> draw_faults(std::uint64_t seed, std::int64_t trial, int upsets,
                               const SiteSelection& sites, std::int64_t cycles) {
  Stream site(seed, static_cast<std::uint64_t>(trial), Purpose::fault_site);
  Stream cycle(seed, static_cast<std::uint64_t>(trial), Purpose::fault_cycle);
  std::vector<Fault> faults;
  for (int i = 0; i < upsets; ++i) {
    const auto index = site.below(static_cast<std::uint64_t>(sites.bits()));
    faults.push_back({sites.at(static_cast<std::int64_t>(index)),
                      static_cast<std::int64_t>(cycle.below(static_cast<std::uint64_t>(cycles)))});
  }
  return faults;
}

}  // namespace sagitta
