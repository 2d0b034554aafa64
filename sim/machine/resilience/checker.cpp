#include "machine/resilience/checker.h"

#include <cstring>
#include <string>

namespace sagitta {
namespace {

// Element of the layer's result that a lane holds; a corrupt address wraps, as its register does.
std::int32_t element(const SumVector& sums, int lane, std::int32_t step) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(sums.address) +
                                   static_cast<std::uint32_t>(lane) *
                                       static_cast<std::uint32_t>(step));
}

std::string path_of(const SumChecker& checker) {
  return "resilience." + checker.name();
}

}  // namespace

int latency(const Checker& checker) {
  return checker.kind == CheckerKind::range ? 2 : 4;
}

int bounds_stage(const Checker& checker) {
  return checker.kind == CheckerKind::range ? 1 : 2;
}

std::unique_ptr<SumChecker> make_checker(RegisterLayout& layout, const Program& program,
                                         const Sequencer& sequencer, std::size_t index, int word) {
  if (program.protection.checkers[index].kind == CheckerKind::range) {
    return std::make_unique<RangeChecker>(layout, program, sequencer, index, word);
  }
  return std::make_unique<GradientChecker>(layout, program, sequencer, index, word);
}

BoundsRegisters::BoundsRegisters(RegisterLayout& layout, const std::string& path,
                                 const Program& program, const Sequencer& sequencer,
                                 Granularity granularity, int word)
    : sequencer_(&sequencer), granularity_(granularity), word_(word) {
  if (granularity == Granularity::channel) {
    const int sets = program.parameter_sets();
    low_ = layout.held<std::int32_t>(path + ".low[]", {sets}, 32);
    high_ = layout.held<std::int32_t>(path + ".high[]", {sets}, 32);
  } else {
    low_ = layout.held<std::int32_t>(path + ".low", {}, 32);
    high_ = layout.held<std::int32_t>(path + ".high", {}, 32);
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

RangeChecker::RangeChecker(RegisterLayout& layout, const Program& program,
                           const Sequencer& sequencer, std::size_t index, int word)
    : SumChecker(checker_name(program.protection, index)),
      sequencer_(&sequencer),
      gate_(program.protection.checkers[index].gate),
      bounds_(layout, path_of(*this), program, sequencer,
              program.protection.checkers[index].granularity, word),
      latch_(layout, path_of(*this) + ".latch", program.array.columns,
             program.protection.gated_from(index)),
      result_(layout, path_of(*this) + ".result", program.array.columns,
              program.protection.gated_from(index + 1)) {}

void RangeChecker::step(const Cycle& cycle, const SumVector& input,
                        const WeightScratchpad& weights) {
  suppressed_.clear();
  const SequencerState& s = sequencer_->state(cycle.now);
  const SumVector latched = latch_.view(cycle.now);
  if (!idle_.skip(input.valid || latched.valid || result_.view(cycle.now).valid)) {
    latch_.load(cycle, input);
    result_.load(cycle, latched);
    if (latched.valid && (gate_ == Gate::always || latched.flagged)) {
      std::int32_t* result = result_.next_values(cycle);
      const int lanes = sequencer_->lanes(s);
      for (int c = 0; c < lanes; ++c) {
        if (!bounds_.outside(cycle, c, latched.value[c])) continue;
        suppressed_.push_back({element(latched, c, sequencer_->lane_step(s)), latched.value[c]});
        result[c] = 0;
      }
    }
  }
  bounds_.load(cycle, s, weights);
}

GradientChecker::GradientChecker(RegisterLayout& layout, const Program& program,
                                 const Sequencer& sequencer, std::size_t index, int word)
    : SumChecker(checker_name(program.protection, index)),
      sequencer_(&sequencer),
      columns_(program.array.columns),
      gate_(program.protection.checkers[index].gate),
      bounds_(layout, path_of(*this), program, sequencer,
              program.protection.checkers[index].granularity, word),
      latch_(layout, path_of(*this) + ".latch", columns_, program.protection.gated_from(index)),
      difference_(layout, path_of(*this) + ".difference", columns_,
                  program.protection.gated_from(index)),
      gradient_(
          layout.pipe<std::int64_t>(path_of(*this) + ".difference.gradient[]", {columns_}, 33)),
      compare_(layout, path_of(*this) + ".compare", columns_, program.protection.gated_from(index)),
      out_of_bounds_(layout.pipe<std::uint8_t>(path_of(*this) + ".compare.out[]", {columns_}, 1)),
      result_(layout, path_of(*this) + ".result", columns_,
              program.protection.gated_from(index + 1)) {}

void GradientChecker::step(const Cycle& cycle, const SumVector& input,
                           const WeightScratchpad& weights) {
  suppressed_.clear();
  const SequencerState& s = sequencer_->state(cycle.now);
  const SumVector latched = latch_.view(cycle.now);
  const SumVector differed = difference_.view(cycle.now);
  const SumVector compared = compare_.view(cycle.now);
  const bool busy = input.valid || latched.valid || differed.valid || compared.valid ||
                    result_.view(cycle.now).valid;
  if (!idle_.skip(busy)) {
    const int lanes = sequencer_->lanes(s);
    latch_.load(cycle, input);

    difference_.load(cycle, latched);
    std::memcpy(gradient_.next(cycle), gradient_.now(cycle),
                sizeof(std::int64_t) * gradient_.count);
    if (latched.valid) {
      for (int c = 0; c < lanes; ++c) {
        const int before = c > 0 ? c - 1 : lanes - 1;
        gradient_.next(cycle)[c] = std::int64_t{latched.value[c]} - latched.value[before];
      }
    }

    compare_.load(cycle, differed);
    std::memcpy(out_of_bounds_.next(cycle), out_of_bounds_.now(cycle), out_of_bounds_.count);
    if (differed.valid) {
      for (int c = 0; c < lanes; ++c) {
        out_of_bounds_.next(cycle)[c] = bounds_.outside(cycle, c, gradient_.now(cycle)[c]) ? 1 : 0;
      }
    }

    result_.load(cycle, compared);
    // Two lanes share both differences, so blame needs three.
    if (compared.valid && lanes >= 3 && (gate_ == Gate::always || compared.flagged)) {
      const std::uint8_t* out = out_of_bounds_.now(cycle);
      std::int32_t* result = result_.next_values(cycle);
      for (int c = 0; c < lanes; ++c) {
        const int after = c + 1 < lanes ? c + 1 : 0;
        if (out[c] == 0 || out[after] == 0) continue;
        suppressed_.push_back({element(compared, c, sequencer_->lane_step(s)), compared.value[c]});
        result[c] = 0;
      }
    }
  }
  bounds_.load(cycle, s, weights);
}

}  // namespace sagitta
