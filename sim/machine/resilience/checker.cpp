#include "machine/resilience/checker.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace sagitta {
namespace {

std::string path_of(const SumChecker& checker) {
  return "resilience." + checker.name();
}

const Checker& scheme_of(const Program& program, std::size_t index) {
  return program.protection.checkers[index];
}

int before(int lane, int lanes) {
  return lane > 0 ? lane - 1 : lanes - 1;
}
int after(int lane, int lanes) {
  return lane + 1 < lanes ? lane + 1 : 0;
}

// Two lanes are each other's neighbours on both sides, and one its own.
constexpr int kFewestLanes = 3;

constexpr std::uint8_t kBelow = 1, kAbove = 2;

}  // namespace

int latency(const Checker& checker) {
  return checker.kind == CheckerKind::gradient ? 4 : 2;
}

int bounds_stage(const Checker& checker) {
  return checker.kind == CheckerKind::gradient ? 2 : 1;
}

std::unique_ptr<SumChecker> make_checker(RegisterLayout& layout, const Program& program,
                                         const Sequencer& sequencer, std::size_t index, int word) {
  switch (scheme_of(program, index).kind) {
    case CheckerKind::range:
      return std::make_unique<RangeChecker>(layout, program, sequencer, index, word);
    case CheckerKind::median:
      return std::make_unique<MedianFilter>(layout, program, sequencer, index);
    default:
      break;
  }
  if (scheme_of(program, index).axis == Axis::line) {
    return std::make_unique<LineChecker>(layout, program, sequencer, index, word);
  }
  return std::make_unique<GradientChecker>(layout, program, sequencer, index, word);
}

// The address of a lane's element: a corrupt one wraps, as its register does.
void SumChecker::suppress(const SumVector& sums, int lane, std::int32_t lane_step) {
  const auto address = static_cast<std::uint32_t>(sums.address) +
                       static_cast<std::uint32_t>(lane) * static_cast<std::uint32_t>(lane_step);
  suppressed_.push_back({static_cast<std::int32_t>(address), sums.value[lane]});
}

CheckerGate::CheckerGate(RegisterLayout& layout, const std::string& path, Gate gate) : gate_(gate) {
  if (gate == Gate::layer) open_ = layout.pipe<std::uint8_t>(path + ".open", {}, 1);
}

void CheckerGate::step(const Cycle& cycle, const SequencerState& s, const SumVector& sums) const {
  if (gate_ != Gate::layer) return;
  const bool next_layer = s.phase == static_cast<std::uint8_t>(Phase::load);
  const bool opens = sums.valid && sums.flagged;
  *open_.next(cycle) = !next_layer && (opens || *open_.now(cycle) != 0) ? 1 : 0;
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
      clamps_(scheme_of(program, index).suppress == Suppress::clamp),
      gate_(layout, path_of(*this), scheme_of(program, index).gate),
      bounds_(layout, path_of(*this), program, sequencer, scheme_of(program, index).granularity,
              word),
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
    if (latched.valid && gate_.open(cycle, latched)) {
      std::int32_t* result = result_.next_values(cycle);
      const int lanes = sequencer_->lanes(s);
      for (int c = 0; c < lanes; ++c) {
        const Bounds b = bounds_.of(cycle, c);
        const std::int32_t value = latched.value[c];
        if (value >= b.low && value <= b.high) continue;
        suppress(latched, c, sequencer_->lane_step(s));
        result[c] = !clamps_ ? 0 : value < b.low ? b.low : b.high;
      }
    }
  }
  gate_.step(cycle, s, latched);
  bounds_.load(cycle, s, weights);
}

GradientChecker::GradientChecker(RegisterLayout& layout, const Program& program,
                                 const Sequencer& sequencer, std::size_t index, int word)
    : SumChecker(checker_name(program.protection, index)),
      sequencer_(&sequencer),
      columns_(program.array.columns),
      rule_(scheme_of(program, index)),
      gate_(layout, path_of(*this), scheme_of(program, index).gate),
      bounds_(layout, path_of(*this), program, sequencer, scheme_of(program, index).granularity,
              word),
      latch_(layout, path_of(*this) + ".latch", columns_, program.protection.gated_from(index)),
      difference_(layout, path_of(*this) + ".difference", columns_,
                  program.protection.gated_from(index)),
      gradient_(
          layout.pipe<std::int64_t>(path_of(*this) + ".difference.gradient[]", {columns_}, 33)),
      compare_(layout, path_of(*this) + ".compare", columns_, program.protection.gated_from(index)),
      out_of_bounds_(layout.pipe<std::uint8_t>(path_of(*this) + ".compare.out[]", {columns_},
                                               rule_.out_bits())),
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
        gradient_.next(cycle)[c] = std::int64_t{latched.value[c]} - latched.value[before(c, lanes)];
      }
    }

    compare_.load(cycle, differed);
    std::memcpy(out_of_bounds_.next(cycle), out_of_bounds_.now(cycle), out_of_bounds_.count);
    if (differed.valid) {
      for (int c = 0; c < lanes; ++c) {
        out_of_bounds_.next(cycle)[c] = rule_.out(gradient_.now(cycle)[c], bounds_.of(cycle, c));
      }
    }

    result_.load(cycle, compared);
    if (compared.valid && lanes >= kFewestLanes && gate_.open(cycle, compared)) {
      step_result(cycle, compared, lanes, sequencer_->lane_step(s));
    }
  }
  gate_.step(cycle, s, compared);
  bounds_.load(cycle, s, weights);
}

void GradientChecker::step_result(const Cycle& cycle, const SumVector& compared, int lanes,
                                  std::int32_t lane_step) {
  const std::uint8_t* out = out_of_bounds_.now(cycle);
  std::int32_t* result = result_.next_values(cycle);
  for (int c = 0; c < lanes; ++c) {
    const int next = after(c, lanes);
    if (!rule_.blamed(out[c], out[next])) continue;
    suppress(compared, c, lane_step);
    result[c] = rule_.replacement(compared.value[before(c, lanes)], compared.value[next], out[c],
                                  bounds_.of(cycle, c));
  }
}

std::uint8_t GradientRule::out(std::int64_t difference, const Bounds& bounds) const {
  const int out = (difference < bounds.low ? kBelow : 0) | (difference > bounds.high ? kAbove : 0);
  return static_cast<std::uint8_t>(directed_ ? out : out != 0);
}

bool GradientRule::blamed(std::uint8_t out, std::uint8_t out_after) const {
  if (!spike_) return out != 0 && out_after != 0;
  return ((out & kAbove) != 0 && (out_after & kBelow) != 0) ||
         ((out & kBelow) != 0 && (out_after & kAbove) != 0);
}

std::int32_t GradientRule::replacement(std::int32_t before, std::int32_t after, std::uint8_t out,
                                       const Bounds& bounds) const {
  switch (suppress_) {
    case Suppress::clamp: {
      const std::int64_t bound = (out & kAbove) != 0 ? bounds.high : bounds.low;
      return static_cast<std::int32_t>(
          std::clamp<std::int64_t>(before + bound, INT32_MIN, INT32_MAX));
    }
    case Suppress::mean:
      return static_cast<std::int32_t>((std::int64_t{before} + after) >> 1);
    case Suppress::hold:
      return before;
    default:
      return 0;
  }
}

MedianFilter::MedianFilter(RegisterLayout& layout, const Program& program,
                           const Sequencer& sequencer, std::size_t index)
    : SumChecker(checker_name(program.protection, index)),
      sequencer_(&sequencer),
      gate_(layout, path_of(*this), scheme_of(program, index).gate),
      latch_(layout, path_of(*this) + ".latch", program.array.columns,
             program.protection.gated_from(index)),
      result_(layout, path_of(*this) + ".result", program.array.columns,
              program.protection.gated_from(index + 1)) {}

void MedianFilter::step(const Cycle& cycle, const SumVector& input, const WeightScratchpad&) {
  suppressed_.clear();
  const SequencerState& s = sequencer_->state(cycle.now);
  const SumVector latched = latch_.view(cycle.now);
  if (!idle_.skip(input.valid || latched.valid || result_.view(cycle.now).valid)) {
    latch_.load(cycle, input);
    result_.load(cycle, latched);
    const int lanes = sequencer_->lanes(s);
    if (latched.valid && lanes >= kFewestLanes && gate_.open(cycle, latched)) {
      std::int32_t* result = result_.next_values(cycle);
      for (int c = 0; c < lanes; ++c) {
        const std::int32_t value = latched.value[c];
        const std::int32_t x = latched.value[before(c, lanes)];
        const std::int32_t y = latched.value[after(c, lanes)];
        const std::int32_t median = std::clamp(value, std::min(x, y), std::max(x, y));
        if (median == value) continue;
        suppress(latched, c, sequencer_->lane_step(s));
        result[c] = median;
      }
    }
  }
  gate_.step(cycle, s, latched);
}

}  // namespace sagitta
