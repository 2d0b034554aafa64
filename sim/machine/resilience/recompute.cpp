#include "machine/resilience/recompute.h"

#include <bit>

namespace sagitta {

Recompute::Recompute(RegisterLayout& layout, const Program& program)
    : retries_(static_cast<std::uint8_t>(program.protection.retries)),
      failed_(layout.pipe<std::uint8_t>("resilience.recompute.failed", {}, 1)),
      attempt_(layout.pipe<std::uint8_t>("resilience.recompute.attempt", {},
                                         std::bit_width(std::uint32_t{retries_}))),
      uncorrected_(layout.pipe<std::uint8_t>("resilience.recompute.uncorrected", {}, 1)) {}

void Recompute::step(const Cycle& cycle, bool judges, bool mismatch) const {
  const bool failed = mismatch || *failed_.now(cycle) != 0;
  const bool repeats = again(cycle.now, judges, mismatch);
  const std::uint8_t attempt = *attempt_.now(cycle);
  *failed_.next(cycle) = !judges && failed ? 1 : 0;
  *attempt_.next(cycle) = static_cast<std::uint8_t>(repeats ? attempt + 1 : judges ? 0 : attempt);
  *uncorrected_.next(cycle) =
      *uncorrected_.now(cycle) != 0 || (judges && failed && !repeats) ? 1 : 0;
}

}  // namespace sagitta
