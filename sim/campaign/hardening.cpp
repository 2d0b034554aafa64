#include "campaign/hardening.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/philox.h"

namespace sagitta {

Hardening::Hardening(const Scheme& scheme, const SiteMap& sites, const std::string& file,
                     const std::string& machine) {
  if (scheme.hardened.empty()) return;
  factor_ = scheme.hardened_factor;
  hardened_ = sites.select(fmt::format("{}", fmt::join(scheme.hardened, ",")), file,
                           "$.scheme.hardened", machine);
  for (const SiteSelection::Run& run : hardened_.runs()) {
    const RegisterClass& c = sites.classes()[static_cast<std::size_t>(run.register_class)];
    if (c.storage == Storage::flip_flop) continue;
    throw InputError(file, "$.scheme.hardened",
                     fmt::format("{} is a memory, which has no flip-flops to harden",
                                 sites.element_path(run.register_class, run.first)),
                     "name flip-flops, as in array.pe[*][*].acc; memories have the schemes parity "
                     "and secded");
  }
}

std::map<std::string, std::int64_t> Hardening::bits(const SiteMap& sites) const {
  std::map<std::string, std::int64_t> bits;
  for (const SiteSelection::Run& run : hardened_.runs()) {
    bits[sites.classes()[static_cast<std::size_t>(run.register_class)].path] += run.bits();
  }
  return bits;
}

SiteSelection Hardening::targets(const SiteSelection& sites) const {
  return factor_ > 0 ? sites : sites.without(hardened_);
}

void Hardening::thin(std::uint64_t seed, std::int64_t trial, std::vector<Fault>& faults) const {
  if (hardened_.bits() == 0) return;
  Stream stream(seed, static_cast<std::uint64_t>(trial), Purpose::hardening);
  for (Fault& fault : faults) {
    const double draw = stream.unit();  // one a fault, whatever it strikes
    fault.resisted = draw >= factor_ && hardened_.contains(fault.site);
  }
}

}  // namespace sagitta
