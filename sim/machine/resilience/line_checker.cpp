// Neighbours in a line of the output map are the vectors that leave before and after, so that a
// vector waits in `compare` until the one after it has its difference, or leaves at once where it
// is its line's last. A line's last vector is also the last of its column tile's, so that nothing
// waits when the tile's parameters are replaced or the layer ends.
#include <cstring>
#include <string>

#include "machine/resilience/checker.h"

namespace sagitta {
namespace {

constexpr std::uint8_t kFirst = 1, kLast = 2;

std::string path_of(const SumChecker& checker) {
  return "resilience." + checker.name();
}

}  // namespace

LineChecker::LineChecker(RegisterLayout& layout, const Program& program, const Sequencer& sequencer,
                         std::size_t index, int word)
    : SumChecker(checker_name(program.protection, index)),
      sequencer_(&sequencer),
      rule_(program.protection.checkers[index]),
      gate_(layout, path_of(*this), program.protection.checkers[index].gate),
      bounds_(layout, path_of(*this), program, sequencer,
              program.protection.checkers[index].granularity, word),
      position_(layout.pipe<std::uint32_t>(path_of(*this) + ".position", {}, 24)),
      latch_(layout, path_of(*this) + ".latch", program.array.columns,
             program.protection.gated_from(index)),
      latch_edge_(layout.pipe<std::uint8_t>(path_of(*this) + ".latch.edge", {}, 2)),
      difference_(layout, path_of(*this) + ".difference", program.array.columns,
                  program.protection.gated_from(index)),
      gradient_(layout.pipe<std::int64_t>(path_of(*this) + ".difference.gradient[]",
                                          {program.array.columns}, 33)),
      difference_edge_(layout.pipe<std::uint8_t>(path_of(*this) + ".difference.edge", {}, 2)),
      compare_(layout, path_of(*this) + ".compare", program.array.columns,
               program.protection.gated_from(index)),
      out_of_bounds_(layout.pipe<std::uint8_t>(path_of(*this) + ".compare.out[]",
                                               {program.array.columns}, rule_.out_bits())),
      compare_last_(layout.pipe<std::uint8_t>(path_of(*this) + ".compare.last", {}, 1)),
      previous_(program.protection.checkers[index].suppress != Suppress::zero
                    ? layout.pipe<std::int32_t>(path_of(*this) + ".compare.previous[]",
                                                {program.array.columns}, 32)
                    : Pipe<std::int32_t>{}),
      result_(layout, path_of(*this) + ".result", program.array.columns,
              program.protection.gated_from(index + 1)) {}

void LineChecker::step(const Cycle& cycle, const SumVector& input,
                       const WeightScratchpad& weights) {
  suppressed_.clear();
  const SequencerState& s = sequencer_->state(cycle.now);
  SumVector leaving = compare_.view(cycle.now);
  const bool held = leaving.valid;
  const bool next = difference_.view(cycle.now).valid;
  leaving.valid = held && (next || *compare_last_.now(cycle) != 0);
  const bool busy =
      input.valid || latch_.view(cycle.now).valid || next || held || result_.view(cycle.now).valid;
  if (!idle_.skip(busy)) {
    step_stages(cycle, s, input, leaving);
    if (held && !leaving.valid) compare_.keep(cycle);
  }
  step_position(cycle, s, input.valid);
  gate_.step(cycle, s, leaving);
  bounds_.load(cycle, s, weights);
}

void LineChecker::step_position(const Cycle& cycle, const SequencerState& s, bool enters) const {
  const std::uint32_t now = *position_.now(cycle);
  const bool next_layer = s.phase == static_cast<std::uint8_t>(Phase::load);
  const bool last = now + 1 >= static_cast<std::uint32_t>(s.config.line);
  *position_.next(cycle) = next_layer || (enters && last) ? 0 : enters ? now + 1 : now;
}

void LineChecker::step_stages(const Cycle& cycle, const SequencerState& s, const SumVector& input,
                              const SumVector& leaving) {
  const SumVector latched = latch_.view(cycle.now);
  const SumVector differed = difference_.view(cycle.now);
  const auto columns = gradient_.count;
  const int lanes = sequencer_->lanes(s);

  latch_.load(cycle, input);
  const std::uint32_t position = *position_.now(cycle);
  const bool last = position + 1 >= static_cast<std::uint32_t>(s.config.line);
  const int entering = (position == 0 ? kFirst : 0) | (last ? kLast : 0);
  *latch_edge_.next(cycle) =
      input.valid ? static_cast<std::uint8_t>(entering) : *latch_edge_.now(cycle);

  difference_.load(cycle, latched);
  *difference_edge_.next(cycle) = *(latched.valid ? latch_edge_ : difference_edge_).now(cycle);
  std::memcpy(gradient_.next(cycle), gradient_.now(cycle), sizeof(std::int64_t) * columns);
  if (latched.valid) {  // what stands in `difference` came before
    for (int c = 0; c < lanes; ++c) {
      gradient_.next(cycle)[c] = std::int64_t{latched.value[c]} - differed.value[c];
    }
  }

  compare_.load(cycle, differed);
  const std::uint8_t edge = *difference_edge_.now(cycle);
  *compare_last_.next(cycle) =
      differed.valid ? ((edge & kLast) != 0 ? 1 : 0) : *compare_last_.now(cycle);
  std::memcpy(out_of_bounds_.next(cycle), out_of_bounds_.now(cycle), columns);
  for (int c = 0; c < lanes && differed.valid; ++c) {
    const bool first = (edge & kFirst) != 0;
    out_of_bounds_.next(cycle)[c] =
        first ? std::uint8_t{0} : rule_.out(gradient_.now(cycle)[c], bounds_.of(cycle, c));
  }
  if (previous_.count > 0) {
    std::memcpy(previous_.next(cycle),
                differed.valid ? compare_.view(cycle.now).value : previous_.now(cycle),
                sizeof(std::int32_t) * columns);
  }

  result_.load(cycle, leaving);
  if (leaving.valid && *compare_last_.now(cycle) == 0 && gate_.open(cycle, leaving)) {
    step_result(cycle, leaving, lanes, sequencer_->lane_step(s));
  }
}

// The vector after stands in `difference`.
void LineChecker::step_result(const Cycle& cycle, const SumVector& leaving, int lanes,
                              std::int32_t lane_step) {
  const std::uint8_t* out = out_of_bounds_.now(cycle);
  const std::int32_t* after = difference_.view(cycle.now).value;
  std::int32_t* result = result_.next_values(cycle);
  for (int c = 0; c < lanes; ++c) {
    const Bounds b = bounds_.of(cycle, c);
    if (!rule_.blamed(out[c], rule_.out(gradient_.now(cycle)[c], b))) continue;
    suppress(leaving, c, lane_step);
    const std::int32_t before = previous_.count > 0 ? previous_.now(cycle)[c] : 0;
    result[c] = rule_.replacement(before, after[c], out[c], b);
  }
}

}  // namespace sagitta
