#include "machine/resilience/recompute.h"

#include <bit>
#include <string>

namespace sagitta {

Recompute::Recompute(RegisterLayout& layout, const Program& program)
    : retries_(static_cast<std::uint8_t>(program.protection.retries)),
      passes_(program.protection.passes) {
  const std::string path = "resilience.recompute.";
  if (retries_ > 0) {
    failed_ = layout.pipe<std::uint8_t>(path + "failed", {}, 1);
    attempt_ =
        layout.pipe<std::uint8_t>(path + "attempt", {}, std::bit_width(std::uint32_t{retries_}));
    uncorrected_ = layout.pipe<std::uint8_t>(path + "uncorrected", {}, 1);
  }
  if (passes_ > 1) pass_ = layout.pipe<std::uint8_t>(path + "pass", {}, 2);
}

void Recompute::step(const Cycle& cycle, bool judges, bool mismatch) const {
  const bool judged = judges && last_pass(cycle.now);
  if (passes_ > 1) {
    const int pass = judged ? 0 : this->pass(cycle.now) + (judges ? 1 : 0);
    *pass_.next(cycle) = static_cast<std::uint8_t>(pass);
  }
  if (retries_ == 0) return;
  const bool failed = mismatch || *failed_.now(cycle) != 0;
  const bool repeats = fails(cycle.now, judges, mismatch);
  const std::uint8_t attempt = *attempt_.now(cycle);
  *failed_.next(cycle) = !judged && failed ? 1 : 0;
  *attempt_.next(cycle) = static_cast<std::uint8_t>(repeats ? attempt + 1 : judged ? 0 : attempt);
  *uncorrected_.next(cycle) =
      *uncorrected_.now(cycle) != 0 || (judged && failed && !repeats) ? 1 : 0;
}

}  // namespace sagitta
