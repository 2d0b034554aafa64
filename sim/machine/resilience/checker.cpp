#include "machine/resilience/checker.h"

#include <string>

namespace sagitta {

void SumChecker::replace(std::int32_t* result, const SumVector& sums, int lane,
                         std::int32_t value) {
  suppressed_.push_back({sums.address, lane, sums.value[lane], value});
  result[lane] = value;
}

CheckerGate::CheckerGate(const CheckerPlace& place) : gate_(place.checker().gate) {
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
    : sequencer_(&place.sequencer), granularity_(place.checker().granularity), word_(place.word) {
  const std::string path = place.path();
  if (granularity_ == Granularity::channel) {
    const int sets = place.program.parameter_sets();
    low_ = place.layout.held<std::int32_t>(path + ".low[]", {sets}, 32);
    high_ = place.layout.held<std::int32_t>(path + ".high[]", {sets}, 32);
  } else {
    low_ = place.layout.held<std::int32_t>(path + ".low", {}, 32);
    high_ = place.layout.held<std::int32_t>(path + ".high", {}, 32);
  }
}

void BoundsRegisters::load(const Cycle& cycle, const SequencerState& s,
                           const WeightScratchpad& weights) const {
  if (granularity_ == Granularity::channel) {
    const LaneRange lanes = sequencer_->parameter_target(s, low_.count);
    for (std::size_t lane = lanes.first; lane < lanes.end; ++lane) {
      low_.at(cycle)[lane] = static_cast<std::int32_t>(weights.lane_word(cycle.now, word_));
      high_.at(cycle)[lane] = static_cast<std::int32_t>(weights.lane_word(cycle.now, word_ + 1));
    }
  } else if (Sequencer::takes_tile_words(s)) {
    const std::uint32_t* words = weights.tile_words(cycle.now) + word_;
    *low_.at(cycle) = static_cast<std::int32_t>(words[0]);
    *high_.at(cycle) = static_cast<std::int32_t>(words[1]);
  }
}

}  // namespace sagitta
