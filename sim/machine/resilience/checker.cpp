#include "machine/resilience/checker.h"

#include <string>

namespace sagitta {

void SumChecker::replace(std::int32_t* result, const SumVector& sums, int lane,
                         std::int32_t value) {
  if (of_cells_ && sums.cells[lane] == 0) return;
  suppressed_.push_back({sums.address, lane, sums.value[lane], value});
  result[lane] = value;
}

CheckerGate::CheckerGate(const CheckerPlace& place)
    : gate_(place.checker().gate), outputs_(place.checker().position == Position::output) {
  if (gate_ == Gate::layer) {
    open_ = place.layout.pipe<std::uint8_t>(place.path() + ".open", {}, 1);
  }
}

void CheckerGate::step(const Cycle& cycle, const SequencerState& s, const SumVector& sums) const {
  if (gate_ != Gate::layer) return;
  const bool next_layer = s.phase == static_cast<std::uint8_t>(Phase::load);
  const bool opens = sums.valid && sums.flagged;
  *open_.next(cycle) = !next_layer && (opens || *open_.now(cycle) != 0) ? 1 : 0;
}

}  // namespace sagitta
