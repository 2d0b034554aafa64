// Neighbours in a line of the output map are the vectors that leave before and after, so that a
// vector waits in `compare` until the one after it has its difference, or leaves at once where it
// is its line's last. A line's last vector is also the last of its column tile's, so that nothing
// waits when the tile's parameters are replaced or the layer ends.
#include "machine/resilience/line_checker.h"

#include <cstring>

#include "machine/resilience/bounds_registers.h"
#include "machine/resilience/gradient_rule.h"

namespace sagitta {
namespace {

constexpr std::uint8_t kFirst = 1, kLast = 2;

class LineChecker : public SumChecker {
 public:
  explicit LineChecker(const CheckerPlace& place);
  void step(const Cycle& cycle, const SumVector& input, const WeightScratchpad& weights) override;
  SumVector output(const std::byte* now) const override { return result_.view(now); }

 private:
  // Vectors of a line; of a layer whose outputs it passes: none, so that each is a line's first and
  // last and nothing waits.
  std::uint32_t line(const SequencerState& s) const {
    return outputs_ && !has_product(s) ? 0 : static_cast<std::uint32_t>(s.config.line);
  }
  void step_position(const Cycle& cycle, const SequencerState& s, bool enters) const;
  void step_stages(const Cycle& cycle, const SequencerState& s, const SumVector& input,
                   const SumVector& leaving);
  void step_result(const Cycle& cycle, const SequencerState& s, const SumVector& leaving);

  bool outputs_;
  GradientRule rule_;
  CheckerGate gate_;
  BoundsRegisters bounds_;
  Pipe<std::uint32_t> position_;  // in its line, of the next vector
  // Each with: is it the line's first (bit 0), its last (bit 1).
  SumStage latch_;
  Pipe<std::uint8_t> latch_edge_;
  SumStage difference_;
  Pipe<std::int64_t> gradient_;  // a bit wider: to the vector before, which stands here until then
  Pipe<std::uint8_t> difference_edge_;
  SumStage compare_;
  Pipe<std::uint8_t> out_of_bounds_;  // of a line's first: 0
  Pipe<std::uint8_t> compare_last_;
  Pipe<std::int32_t> previous_;  // the vector before; where it may take the place of this one
  SumStage result_;
};

LineChecker::LineChecker(const CheckerPlace& place)
    : SumChecker(place),
      outputs_(place.checker().position == Position::output),
      rule_(place.checker()),
      gate_(place),
      bounds_(place),
      position_(place.layout.pipe<std::uint32_t>(place.path() + ".position", {}, 24)),
      latch_(place.stage("latch", place.flag())),
      latch_edge_(place.layout.pipe<std::uint8_t>(place.path() + ".latch.edge", {}, 2)),
      difference_(place.stage("difference", place.flag())),
      gradient_(place.layout.pipe<std::int64_t>(place.path() + ".difference.gradient[]",
                                                {place.lanes()}, place.checker().value_bits() + 1)),
      difference_edge_(place.layout.pipe<std::uint8_t>(place.path() + ".difference.edge", {}, 2)),
      compare_(place.stage("compare", place.flag())),
      out_of_bounds_(place.layout.pipe<std::uint8_t>(place.path() + ".compare.out[]",
                                                     {place.lanes()}, rule_.out_bits())),
      compare_last_(place.layout.pipe<std::uint8_t>(place.path() + ".compare.last", {}, 1)),
      previous_(place.checker().suppress != Suppress::zero
                    ? place.layout.pipe<std::int32_t>(place.path() + ".compare.previous[]",
                                                      {place.lanes()}, place.checker().value_bits())
                    : Pipe<std::int32_t>{}),
      result_(place.stage("result", place.flag_behind())) {}

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
  const bool last = now + 1 >= line(s);
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
  const bool last = position + 1 >= line(s);
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
  if (leaving.valid && *compare_last_.now(cycle) == 0 && gate_.open(cycle, s, leaving)) {
    step_result(cycle, s, leaving);
  }
}

// The vector after stands in `difference`.
void LineChecker::step_result(const Cycle& cycle, const SequencerState& s,
                              const SumVector& leaving) {
  const std::uint8_t* out = out_of_bounds_.now(cycle);
  const std::int32_t* after = difference_.view(cycle.now).value;
  std::int32_t* result = result_.next_values(cycle);
  for (int c = 0; c < sequencer_->lanes(s); ++c) {
    const Bounds b = bounds_.of(cycle, c);
    if (!rule_.blamed(out[c], rule_.out(gradient_.now(cycle)[c], b))) continue;
    const std::int32_t before = previous_.count > 0 ? previous_.now(cycle)[c] : 0;
    replace(result, leaving, c, rule_.replacement(before, after[c], out[c], b, zero(s)));
  }
}

}  // namespace

std::unique_ptr<SumChecker> make_line_checker(const CheckerPlace& place) {
  return std::make_unique<LineChecker>(place);
}

void judge_lines(const Layer& layer, const std::vector<std::int32_t>& sums,
                 std::vector<Judged>& all) {
  const auto channels = static_cast<std::size_t>(layer.columns());
  const auto width = static_cast<std::size_t>(layer.output.width);
  const std::size_t lines = sums.size() / channels / width;
  for (std::size_t line = 0; line < lines; ++line) {
    for (std::size_t x = 1; x + 1 < width; ++x) {
      const std::int32_t* pixel = sums.data() + (line * width + x) * channels;
      for (std::size_t c = 0; c < channels; ++c) {
        const std::int64_t value = pixel[c];
        all.push_back({.first = value - pixel[static_cast<std::ptrdiff_t>(c - channels)],
                       .second = pixel[c + channels] - value,
                       .channel = static_cast<int>(c),
                       .second_channel = static_cast<int>(c)});
      }
    }
  }
}

}  // namespace sagitta
