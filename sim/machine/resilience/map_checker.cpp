// A pixel has four neighbours in the map: those left, right, above and below. It is blamed where
// its differences to at least three of them are above the high bound, or to at least three below
// the low one; a neighbour that is missing counts as in bounds.
//
// Vectors come in the order of the map's pixels. As along lines, a vector waits in `compare` until
// the one to its right has its difference. It leaves towards the line memory, with how many of its
// two differences are out, and the vector above it comes from there: both stand side by side, in
// `below` and `above`, as the difference between them is taken, the last one of `above` and the
// third of `below`. What stands in `above` is judged, and what stands in `below` written. So all
// of a map but its last line leaves as the line after it arrives; the last line of the last image
// is pushed out, a vector in each cycle, and nothing is left behind when the column tile ends.
//
// Maps of one line or column, whose pixels have no three neighbours, and outputs of layers without
// a product go past the line memory.
#include "machine/resilience/map_checker.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "machine/resilience/bounds_registers.h"
#include "machine/resilience/gradient_rule.h"

namespace sagitta {
namespace {

constexpr std::uint8_t kLast = 1, kTop = 2, kEnd = 4;
constexpr std::uint32_t kPixelMask = 0xFFFFFF;
constexpr int kPixelBits = 24;
constexpr int kNeeded = 3;  // neighbours, of four

// How many differences are out, in two bits each: below the low bound in bits 1..0, above the high
// one in bits 3..2.
constexpr int kCountBits = 4;
struct Counts {
  unsigned below, above;
};
Counts counts_of(std::uint8_t bits) {
  return {bits & 3U, bits >> 2 & 3U};
}
std::uint8_t bits_of(const Counts& counts) {
  return static_cast<std::uint8_t>((counts.above & 3U) << 2 | (counts.below & 3U));
}
Counts out_of(std::int64_t difference, const Bounds& bounds) {
  return {difference < bounds.low ? 1U : 0U, difference > bounds.high ? 1U : 0U};
}
Counts operator+(const Counts& a, const Counts& b) {
  return {a.below + b.below, a.above + b.above};
}

class MapChecker : public SumChecker {
 public:
  explicit MapChecker(const CheckerPlace& place);
  void step(const Cycle& cycle, const SumVector& input, const WeightScratchpad& weights) override;
  SumVector output(const std::byte* now) const override { return result_.view(now); }
  void accesses(const std::byte* now, const std::byte* held, const SequencerState& s,
                const SumVector& input, const MemoryVisitor& visit) const override;

 private:
  // The layer's vectors go past the line memory.
  static bool passes(const SequencerState& s) { return s.config.map_lines == 0; }
  static std::uint32_t line(const SequencerState& s) {
    return static_cast<std::uint32_t>(s.config.line);
  }
  // What the vector in `difference` is in its map.
  std::uint8_t edge(const std::byte* now, const SequencerState& s) const;
  void step_position(const Cycle& cycle, const SequencerState& s, bool enters) const;
  void step_slot(const Cycle& cycle, const SequencerState& s, bool leaves) const;
  void step_pair(const Cycle& cycle, const SequencerState& s, const SumVector& leaving) const;
  void step_stages(const Cycle& cycle, const SequencerState& s, const SumVector& input,
                   const SumVector& leaving, const SumVector& judged);
  void step_result(const Cycle& cycle, const SequencerState& s, const SumVector& above);
  void write_line(const Cycle& cycle, const SequencerState& s) const;
  // Whether `below` is the neighbour below of `above`.
  bool adjoin(const std::byte* now) const {
    return above_.view(now).valid && below_.view(now).valid && *below_top_.now(now) == 0;
  }
  std::int64_t rise(const std::byte* now, int lane) const {  // from above to below
    return std::int64_t{below_.view(now).value[lane]} - above_.view(now).value[lane];
  }
  bool moves(const std::byte* now, const SequencerState& s, bool leaves) const {
    return (leaves && !passes(s)) || *pushing_.now(now) != 0;
  }
  bool writes(const std::byte* now, const SequencerState& s) const {
    return below_.view(now).valid && !passes(s) && *below_place_.now(now) < words_;
  }
  std::uint8_t counts_below(const std::byte* now, int lane, const Bounds& bounds) const;
  SumVector leaving(const std::byte* now) const;

  std::string memory_;  // its line memory's name in traces
  GradientRule rule_;
  CheckerGate gate_;
  BoundsRegisters bounds_;
  std::uint32_t words_;
  std::size_t lanes_;
  // Of the vector in `difference`: in its line, in its map, and of all images of the batch.
  Pipe<std::uint32_t> position_, row_, pixel_;
  SumStage latch_;
  SumStage difference_;
  Pipe<std::int64_t> gradient_;  // a bit wider: to the vector before, which stands here until then
  SumStage compare_;
  Pipe<std::uint8_t> left_;  // the difference to the neighbour on the left is below, above
  Pipe<std::uint8_t> compare_edge_;
  // The line memory: a word a pixel. Its next word; a whole line is in it; the last line leaves.
  Held<std::int32_t> line_;
  Held<std::uint8_t> line_out_;
  Held<std::int32_t> line_address_;
  Held<std::uint8_t> line_flag_;
  Pipe<std::uint32_t> slot_;
  Pipe<std::uint8_t> full_, pushing_;
  SumStage below_;
  Pipe<std::uint8_t> below_out_;
  Pipe<std::uint8_t> below_top_;
  Pipe<std::uint32_t> below_place_;
  SumStage above_;
  Pipe<std::uint8_t> above_out_;
  // Where a neighbour may take the place of `above`: the one on its left, if it has one.
  Pipe<std::int32_t> previous_;
  Pipe<std::uint8_t> above_first_;
  SumStage result_;
  std::vector<std::int32_t> zeros_;  // not part of the hardware: words outside of the memory
};

MapChecker::MapChecker(const CheckerPlace& place)
    : SumChecker(place),
      memory_(name() + "-line"),
      rule_(place.checker()),
      gate_(place),
      bounds_(place),
      words_(static_cast<std::uint32_t>(place.program.map_pixels)),
      lanes_(static_cast<std::size_t>(place.lanes())),
      position_(place.layout.pipe<std::uint32_t>(place.path() + ".position", {}, kPixelBits)),
      row_(place.layout.pipe<std::uint32_t>(place.path() + ".row", {}, kPixelBits)),
      pixel_(place.layout.pipe<std::uint32_t>(place.path() + ".pixel", {}, kPixelBits)),
      latch_(place.stage("latch", place.flag())),
      difference_(place.stage("difference", place.flag())),
      gradient_(place.layout.pipe<std::int64_t>(place.path() + ".difference.gradient[]",
                                                {place.lanes()}, place.checker().value_bits() + 1)),
      compare_(place.stage("compare", place.flag())),
      left_(place.layout.pipe<std::uint8_t>(place.path() + ".compare.out[]", {place.lanes()}, 2)),
      compare_edge_(place.layout.pipe<std::uint8_t>(place.path() + ".compare.edge", {}, 3)),
      line_(place.layout.held<std::int32_t>(place.path() + ".line[].lane[]",
                                            {place.program.map_pixels, place.lanes()},
                                            place.checker().value_bits(), Storage::sram)),
      line_out_(place.layout.held<std::uint8_t>(place.path() + ".line[].out[]",
                                                {place.program.map_pixels, place.lanes()},
                                                kCountBits, Storage::sram)),
      line_address_(place.layout.held<std::int32_t>(place.path() + ".line[].address",
                                                    {place.program.map_pixels}, 32, Storage::sram)),
      line_flag_(place.flag().flag
                     ? place.layout.held<std::uint8_t>(place.path() + ".line[].flag",
                                                       {place.program.map_pixels}, 1, Storage::sram)
                     : Held<std::uint8_t>{}),
      slot_(place.layout.pipe<std::uint32_t>(place.path() + ".slot", {}, kPixelBits)),
      full_(place.layout.pipe<std::uint8_t>(place.path() + ".full", {}, 1)),
      pushing_(place.layout.pipe<std::uint8_t>(place.path() + ".pushing", {}, 1)),
      below_(place.stage("below", place.flag())),
      below_out_(place.layout.pipe<std::uint8_t>(place.path() + ".below.out[]", {place.lanes()},
                                                 kCountBits)),
      below_top_(place.layout.pipe<std::uint8_t>(place.path() + ".below.top", {}, 1)),
      below_place_(place.layout.pipe<std::uint32_t>(place.path() + ".below.place", {}, kPixelBits)),
      above_(place.stage("above", place.flag())),
      above_out_(place.layout.pipe<std::uint8_t>(place.path() + ".above.out[]", {place.lanes()},
                                                 kCountBits)),
      previous_(place.checker().suppress != Suppress::zero
                    ? place.layout.pipe<std::int32_t>(place.path() + ".above.previous[]",
                                                      {place.lanes()}, place.checker().value_bits())
                    : Pipe<std::int32_t>{}),
      above_first_(place.checker().suppress != Suppress::zero
                       ? place.layout.pipe<std::uint8_t>(place.path() + ".above.first", {}, 1)
                       : Pipe<std::uint8_t>{}),
      result_(place.stage("result", place.flag_behind())),
      zeros_(lanes_) {}

SumVector MapChecker::leaving(const std::byte* now) const {
  SumVector compared = compare_.view(now);
  compared.valid =
      compared.valid && (difference_.view(now).valid || (*compare_edge_.now(now) & kLast) != 0);
  return compared;
}

void MapChecker::step(const Cycle& cycle, const SumVector& input, const WeightScratchpad& weights) {
  suppressed_.clear();
  const std::byte* now = cycle.now;
  const SequencerState& s = sequencer_->state(now);
  const SumVector leaves = leaving(now);
  const bool held = compare_.view(now).valid;
  const SumVector judged = passes(s) ? below_.view(now) : above_.view(now);
  const bool busy = input.valid || latch_.view(now).valid || difference_.view(now).valid || held ||
                    below_.view(now).valid || above_.view(now).valid || result_.view(now).valid ||
                    *pushing_.now(now) != 0;
  if (!idle_.skip(busy)) {
    step_stages(cycle, s, input, leaves, judged);
    if (held && !leaves.valid) compare_.keep(cycle);
    step_pair(cycle, s, leaves);
    write_line(cycle, s);
  }
  step_position(cycle, s, difference_.view(now).valid);
  step_slot(cycle, s, leaves.valid);
  gate_.step(cycle, s, judged);
  bounds_.load(cycle, s, weights);
}

std::uint8_t MapChecker::edge(const std::byte* now, const SequencerState& s) const {
  const bool last = passes(s) || *position_.now(now) + 1 >= line(s);
  const bool end = !passes(s) && *pixel_.now(now) + 1 >= static_cast<std::uint32_t>(s.config.rows);
  return static_cast<std::uint8_t>((last ? kLast : 0) | (*row_.now(now) == 0 ? kTop : 0) |
                                   (end ? kEnd : 0));
}

void MapChecker::step_position(const Cycle& cycle, const SequencerState& s, bool enters) const {
  const bool next_layer = s.phase == static_cast<std::uint8_t>(Phase::load);
  const std::uint8_t at = edge(cycle.now, s);
  const bool last = (at & kLast) != 0, end = (at & kEnd) != 0;
  const std::uint32_t position = *position_.now(cycle), row = *row_.now(cycle);
  const bool bottom = row + 1 >= static_cast<std::uint32_t>(s.config.map_lines);
  std::uint32_t next_position = position, next_row = row, next_pixel = *pixel_.now(cycle);
  if (enters) {
    next_position = last ? 0 : position + 1;
    next_row = !last ? row : bottom ? 0 : row + 1;
    next_pixel = passes(s) ? next_pixel : (next_pixel + 1) & kPixelMask;
  }
  const bool anew = next_layer || (enters && end);
  *position_.next(cycle) = anew ? 0 : next_position & kPixelMask;
  *row_.next(cycle) = anew ? 0 : next_row & kPixelMask;
  *pixel_.next(cycle) = anew ? 0 : next_pixel;
}

void MapChecker::step_slot(const Cycle& cycle, const SequencerState& s, bool leaves) const {
  const bool next_layer = s.phase == static_cast<std::uint8_t>(Phase::load);
  const std::uint32_t slot = *slot_.now(cycle);
  const bool pushing = *pushing_.now(cycle) != 0;
  const bool moving = moves(cycle.now, s, leaves);
  const bool wraps = moving && slot + 1 >= line(s);
  const bool ends = leaves && !passes(s) && (*compare_edge_.now(cycle) & kEnd) != 0;
  *slot_.next(cycle) = next_layer || wraps ? 0 : moving ? (slot + 1) & kPixelMask : slot;
  const bool full = wraps ? !pushing : *full_.now(cycle) != 0;
  *full_.next(cycle) = !next_layer && full ? 1 : 0;
  *pushing_.next(cycle) = !next_layer && (ends || (pushing && !wraps)) ? 1 : 0;
}

void MapChecker::step_stages(const Cycle& cycle, const SequencerState& s, const SumVector& input,
                             const SumVector& leaving, const SumVector& judged) {
  const SumVector latched = latch_.view(cycle.now);
  const SumVector differed = difference_.view(cycle.now);
  const auto columns = gradient_.count;
  const int lanes = sequencer_->lanes(s);

  latch_.load(cycle, input);
  difference_.load(cycle, latched);
  std::memcpy(gradient_.next(cycle), gradient_.now(cycle), sizeof(std::int64_t) * columns);
  if (latched.valid) {  // what stands in `difference` came before
    for (int c = 0; c < lanes; ++c) {
      gradient_.next(cycle)[c] = std::int64_t{latched.value[c]} - differed.value[c];
    }
  }

  compare_.load(cycle, differed);
  *compare_edge_.next(cycle) = differed.valid ? edge(cycle.now, s) : *compare_edge_.now(cycle);
  std::memcpy(left_.next(cycle), left_.now(cycle), columns);
  const bool first = passes(s) || *position_.now(cycle) == 0;
  for (int c = 0; c < lanes && differed.valid; ++c) {
    const Counts out = out_of(gradient_.now(cycle)[c], bounds_.of(cycle, c));
    left_.next(cycle)[c] =
        first ? std::uint8_t{0} : static_cast<std::uint8_t>(out.above << 1 | out.below);
  }

  below_.load(cycle, leaving);
  std::memcpy(below_out_.next(cycle), below_out_.now(cycle), columns);
  const bool last = (*compare_edge_.now(cycle) & kLast) != 0;
  for (int c = 0; c < lanes && leaving.valid; ++c) {  // the one to the right is in `difference`
    const unsigned left = left_.now(cycle)[c];
    const Counts right = out_of(-gradient_.now(cycle)[c], bounds_.of(cycle, c));
    const Counts out{left & 1U, left >> 1 & 1U};
    below_out_.next(cycle)[c] = bits_of(last ? out : out + right);
  }
  const bool top = (*compare_edge_.now(cycle) & kTop) != 0;
  *below_top_.next(cycle) = leaving.valid ? (top ? 1 : 0) : *below_top_.now(cycle);
  *below_place_.next(cycle) = *(leaving.valid ? slot_ : below_place_).now(cycle);

  result_.load(cycle, judged);
  if (judged.valid && !passes(s) && gate_.open(cycle, s, judged)) step_result(cycle, s, judged);
}

// What comes from the line memory as another vector leaves for the same place, or none does.
void MapChecker::step_pair(const Cycle& cycle, const SequencerState& s,
                           const SumVector& leaving) const {
  const std::uint32_t slot = *slot_.now(cycle);
  SumVector word{.valid = moves(cycle.now, s, leaving.valid) && *full_.now(cycle) != 0,
                 .value = zeros_.data()};
  const bool inside = slot < words_;
  if (inside) {
    word.flagged = line_flag_.count > 0 && line_flag_.at(cycle)[slot] != 0;
    word.address = line_address_.at(cycle)[slot];
    word.value = line_.at(cycle) + slot * lanes_;
  }
  above_.load(cycle, word);
  if (previous_.count > 0) {
    std::memcpy(previous_.next(cycle),
                word.valid ? above_.view(cycle.now).value : previous_.now(cycle),
                sizeof(std::int32_t) * lanes_);
    *above_first_.next(cycle) = word.valid ? (slot == 0 ? 1 : 0) : *above_first_.now(cycle);
  }
  if (!word.valid) {
    std::memcpy(above_out_.next(cycle), above_out_.now(cycle), lanes_);
  } else if (inside) {
    std::memcpy(above_out_.next(cycle), line_out_.at(cycle) + slot * lanes_, lanes_);
  } else {
    std::memset(above_out_.next(cycle), 0, lanes_);
  }
}

std::uint8_t MapChecker::counts_below(const std::byte* now, int lane, const Bounds& bounds) const {
  const Counts sides = counts_of(below_out_.now(now)[lane]);
  return bits_of(adjoin(now) ? sides + out_of(rise(now, lane), bounds) : sides);
}

void MapChecker::write_line(const Cycle& cycle, const SequencerState& s) const {
  if (!writes(cycle.now, s)) return;
  const SumVector below = below_.view(cycle.now);
  const std::size_t slot = *below_place_.now(cycle);
  std::memcpy(line_.at(cycle) + slot * lanes_, below.value, sizeof(std::int32_t) * lanes_);
  const int lanes = sequencer_->lanes(s);
  for (int c = 0; c < static_cast<int>(lanes_); ++c) {
    line_out_.at(cycle)[slot * lanes_ + static_cast<std::size_t>(c)] =
        c < lanes ? counts_below(cycle.now, c, bounds_.of(cycle, c)) : below_out_.now(cycle)[c];
  }
  line_address_.at(cycle)[slot] = below.address;
  if (line_flag_.count > 0) line_flag_.at(cycle)[slot] = below.flagged ? 1 : 0;
}

void MapChecker::step_result(const Cycle& cycle, const SequencerState& s, const SumVector& above) {
  const std::byte* now = cycle.now;
  const std::int32_t* below = below_.view(now).value;
  const bool adjoins = adjoin(now);
  std::int32_t* result = result_.next_values(cycle);
  for (int c = 0; c < sequencer_->lanes(s); ++c) {
    const Bounds b = bounds_.of(cycle, c);
    Counts out = counts_of(above_out_.now(now)[c]);
    if (adjoins) out = out + out_of(-rise(now, c), b);
    if (out.above < kNeeded && out.below < kNeeded) continue;
    const bool first = previous_.count > 0 && *above_first_.now(now) != 0;
    const std::int32_t left = previous_.count == 0 ? 0 : first ? below[c] : previous_.now(now)[c];
    // As the rule of two differences names a side: bit 1 above, bit 0 below.
    const std::uint8_t side = out.above >= kNeeded ? 2 : 1;
    replace(result, above, c, rule_.replacement(left, adjoins ? below[c] : left, side, b, zero(s)));
  }
}

void MapChecker::accesses(const std::byte* now, const std::byte* held, const SequencerState& s,
                          const SumVector&, const MemoryVisitor& visit) const {
  const auto lanes = static_cast<std::int64_t>(lanes_);
  const std::uint32_t slot = *slot_.now(now);
  if (moves(now, s, leaving(now).valid) && *full_.now(now) != 0 && slot < words_) {
    const std::int32_t* words = line_.at(held) + slot * lanes_;
    visit({memory_.c_str(), 0, false, slot * lanes, {words, words + lanes_}});
  }
  if (!writes(now, s)) return;
  const std::int32_t* words = below_.view(now).value;
  visit({memory_.c_str(), 0, true, *below_place_.now(now) * lanes, {words, words + lanes_}});
}

}  // namespace

std::unique_ptr<SumChecker> make_map_checker(const CheckerPlace& place) {
  return std::make_unique<MapChecker>(place);
}

}  // namespace sagitta
