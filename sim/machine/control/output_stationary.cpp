// The sequencer where outputs are stationary: setup and drain. Input stationary has the same setup.
#include <algorithm>

#include "base/wrap.h"
#include "machine/control/sequencer.h"

namespace sagitta {

void Sequencer::step_setup(const SequencerState& now, SequencerState& s, const Cycle& cycle) const {
  const bool os = dataflow(now) == Dataflow::os;
  const int cycles = os ? std::max({1, rows(now), lanes(now)}) : std::max(1, lanes(now));
  if (now.count < positions_) {  // each row or column takes its output pixel's position in turn
    row_y_.next(cycle)[now.count] = now.walk_y;
    row_x_.next(cycle)[now.count] = now.walk_x;
    row_address_.next(cycle)[now.count] = now.walk_address;
  }
  walk(s);
  s.param1 = parameter_lane(now) >= 0 ? 1 : 0;
  s.param_lane1 = static_cast<std::uint16_t>(os ? now.count & 0x1FF : 0);
  s.count = (now.count + 1) & 0xFFFFFF;
  if (now.count + 1 >= cycles) {
    if (os && !overlap()) s.mode1 = static_cast<std::uint8_t>(ArrayMode::clear);
    s.count = 0;
    s.phase = static_cast<std::uint8_t>(os ? Phase::feed : Phase::preload);
  }
}

// With overlap a tile's first product takes the swap bit along, which hands over the sums of the
// tile before. Those leave before the next are handed over: bubbles wait for that.
void Sequencer::step_feed(const SequencerState& now, SequencerState& s, const Cycle& cycle) const {
  if (overlap() && now.weight_row == 0) {
    s.swap1 = 1;
    if (now.first_row > 0) hand_over(now, s, rows_);
  }
  if (!next_tap(s)) return;
  s.count = 0;
  if (!overlap()) {
    const int bubbles = rows(now) + lanes(now) - 2;
    s.phase = static_cast<std::uint8_t>(bubbles > 0 ? Phase::bubble : Phase::drain);
    return;
  }
  const std::int32_t next_row = wrap_add(now.first_row, rows_) & 0xFFFFFF;
  if (next_row >= now.config.rows) {
    s.phase = static_cast<std::uint8_t>(Phase::drain);
    return;
  }
  s.first_row = next_row;
  advance_positions(cycle, now.config);
  if (!drain_ends(s)) s.phase = static_cast<std::uint8_t>(Phase::bubble);
}

// The sums in the array go to the drain registers, where the wavefront meets them; when it has
// passed the last PE in use, `rows` rows leave.
void Sequencer::hand_over(const SequencerState& now, SequencerState& s, int rows) const {
  s.swap1 = 1;
  s.drain_left = rows;
  s.drain_wait = std::max(0, rows + lanes(now) - 2);
}

// Overlap: what was handed over leaves, whatever else the sequencer does.
void Sequencer::step_drain_behind(const SequencerState& now, SequencerState& s) const {
  if (now.drain_left == 0) return;
  if (now.drain_wait > 0) {
    s.drain_wait = now.drain_wait - 1;
    return;
  }
  s.drain1 = 1;
  s.drain_address1 = now.output_address;
  s.output_address = wrap_add(now.output_address, now.config.columns);
  s.drain_left = now.drain_left - 1;
}

// Overlap: no products follow the last tile's, so the swap bit goes alone.
void Sequencer::step_last_drain(const SequencerState& now, SequencerState& s) const {
  if (now.count == 0) {
    if (!drain_ends(now)) return;
    hand_over(now, s, rows(now));
    s.count = 1;
  } else if (s.drain_left == 0) {
    s.count = 0;
    s.phase = static_cast<std::uint8_t>(Phase::flush);
  }
}

void Sequencer::step_drain(const SequencerState& now, SequencerState& s, const Cycle& cycle) const {
  const LayerDescriptor& c = now.config;
  const bool last = now.count + 1 >= rows(now);
  s.mode1 = static_cast<std::uint8_t>(last ? ArrayMode::shift_clear : ArrayMode::shift);
  s.drain1 = 1;
  s.drain_address1 = now.output_address;
  s.output_address = wrap_add(now.output_address, c.columns);
  s.count = (now.count + 1) & 0xFFFFFF;
  if (!last) return;
  s.count = 0;
  if (columns_wait_) {
    s.phase = static_cast<std::uint8_t>(Phase::verify);
    return;
  }
  if (!reruns_) {
    next_row_tile(now, s, cycle);
    return;
  }
  // The last tile of a column tile is judged at the end of the flush, which is longer.
  const std::int32_t next_row = wrap_add(now.first_row, rows_) & 0xFFFFFF;
  s.phase = static_cast<std::uint8_t>(next_row < c.rows ? Phase::verify : Phase::flush);
}

void Sequencer::next_row_tile(const SequencerState& now, SequencerState& s,
                              const Cycle& cycle) const {
  s.first_row = wrap_add(now.first_row, rows_) & 0xFFFFFF;
  if (s.first_row < now.config.rows) {
    advance_positions(cycle, now.config);
    s.phase = static_cast<std::uint8_t>(Phase::feed);
  } else {
    s.phase = static_cast<std::uint8_t>(Phase::flush);
  }
}

// The array is cleared once more at the end, so that what strikes its sums meanwhile does no harm.
void Sequencer::step_verify(const SequencerState& now, SequencerState& s, const Cycle& cycle,
                            bool again) const {
  s.count = (now.count + 1) & 0xFFFFFF;
  if (columns_wait_ ? !ends_verified(now, again) : now.count + 1 < verify_) return;
  s.count = 0;
  if (again) {
    run_again(now, s);
    return;
  }
  next_row_tile(now, s, cycle);
  if (reruns_) s.retry_address = now.output_address;
  s.mode1 = static_cast<std::uint8_t>(ArrayMode::clear);
}

}  // namespace sagitta
