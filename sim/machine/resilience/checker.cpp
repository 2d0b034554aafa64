#include "machine/resilience/checker.h"

#include <algorithm>
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

BoundsRegisters::BoundsRegisters(const CheckerPlace& place)
    : sequencer_(&place.sequencer),
      granularity_(place.checker().granularity),
      position_(place.checker().position),
      word_(place.word) {
  const std::string path = place.path();
  const int bits = place.checker().bound_bits();
  if (granularity_ == Granularity::channel) {
    const int sets = place.program.parameter_sets();
    low_ = place.layout.held<std::int32_t>(path + ".low[]", {sets}, bits);
    high_ = place.layout.held<std::int32_t>(path + ".high[]", {sets}, bits);
  } else {
    low_ = place.layout.held<std::int32_t>(path + ".low", {}, bits);
    high_ = place.layout.held<std::int32_t>(path + ".high", {}, bits);
  }
}

template <typename Word>
Bounds BoundsRegisters::bounds(const Word& word) const {
  if (position_ == Position::sum) {
    return {static_cast<std::int32_t>(word(0)), static_cast<std::int32_t>(word(1))};
  }
  // Nine bits of each half, with their sign.
  const auto nine = [](std::uint32_t half) { return static_cast<std::int32_t>(half << 23) >> 23; };
  return {nine(word(0)), nine(word(0) >> 16)};
}

void BoundsRegisters::load(const Cycle& cycle, const SequencerState& s,
                           const WeightScratchpad& weights) const {
  if (granularity_ == Granularity::channel) {
    const LaneRange lanes = sequencer_->parameter_target(s, low_.count);
    if (lanes.first == lanes.end) return;
    const Bounds b = bounds([&](int i) { return weights.lane_word(cycle.now, word_ + i); });
    std::fill(low_.at(cycle) + lanes.first, low_.at(cycle) + lanes.end, b.low);
    std::fill(high_.at(cycle) + lanes.first, high_.at(cycle) + lanes.end, b.high);
  } else if (Sequencer::takes_tile_words(s)) {
    const std::uint32_t* words = weights.tile_words(cycle.now) + word_;
    const Bounds b = bounds([words](int i) { return words[i]; });
    *low_.at(cycle) = b.low;
    *high_.at(cycle) = b.high;
  }
}

}  // namespace sagitta
