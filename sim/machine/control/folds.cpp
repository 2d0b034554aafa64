// The sequencer where an operand is stationary: parts (ws) or tiles of pixels (is), and their
// folds.
#include <algorithm>

#include "base/wrap.h"
#include "machine/control/sequencer.h"

namespace sagitta {

// What streams past a fold: the pixels of the part (ws), the channels of the column tile (is).
int Sequencer::stream_length(const SequencerState& s) const {
  if (dataflow() == Dataflow::is) {
    return std::clamp(wrap_sub(s.config.group_columns, s.group_column), 0, s.config.tile_channels);
  }
  return static_cast<int>(std::clamp<std::int64_t>(wrap_sub(s.config.rows, s.first_row), 0,
                                                   program_->memory.partial_rows));
}

// The walker's position is where every fold of the part begins.
void Sequencer::start_part(SequencerState& s) const {
  s.part_y = s.walk_y;
  s.part_x = s.walk_x;
  s.part_address = s.walk_address;
}

// The next part or tile of pixels of the column tile, from its first fold on; false: there is none.
bool Sequencer::next_part(const SequencerState& now, SequencerState& s, const Cycle& cycle) const {
  const bool ws = dataflow() == Dataflow::ws;
  const auto pixels = ws ? static_cast<std::int32_t>(program_->memory.partial_rows) : columns_;
  s.first_row = wrap_add(now.first_row, pixels) & 0xFFFFFF;
  if (s.first_row >= s.config.rows) return false;
  start_taps(s);
  s.first_depth = 0;
  if (ws) {
    start_part(s);
  } else {
    s.weight_row = 0;
    s.output_address = wrap_add(now.output_address, s.config.tile_output);
    advance_positions(cycle, s.config);
  }
  s.phase = static_cast<std::uint8_t>(Phase::preload);
  return true;
}

// Weight stationary: each row in turn takes the position of its tap; the lanes take their
// parameters beside the first fold. Input stationary: the columns read one tap after the other.
void Sequencer::step_preload(const SequencerState& now, SequencerState& s,
                             const Cycle& cycle) const {
  const bool ws = dataflow() == Dataflow::ws;
  if (now.count < rows_) {
    if (ws) {
      row_y_.next(cycle)[now.count] = now.tap_y;
      row_x_.next(cycle)[now.count] = now.tap_x;
      row_address_.next(cycle)[now.count] = now.tap_address;
    }
    next_tap(s);
    s.load1 = 1;
  }
  int cycles = rows_;
  if (ws) {
    s.param1 = parameter_lane(now) >= 0 ? 1 : 0;
    s.param_lane1 = static_cast<std::uint16_t>(now.count & 0x1FF);
    if (now.first_depth == 0 && now.first_row == 0) cycles = std::max(rows_, lanes(now));
  }
  s.count = (now.count + 1) & 0xFFFFFF;
  if (now.count + 1 < cycles) return;
  s.count = 0;
  s.pixel = 0;
  if (ws) {
    s.walk_y = now.part_y;
    s.walk_x = now.part_x;
    s.walk_address = now.part_address;
  }
  s.phase = static_cast<std::uint8_t>(Phase::stream);
}

void Sequencer::step_stream(const SequencerState& now, SequencerState& s) const {
  const bool last_fold = wrap_add(now.first_depth, rows_) >= now.config.depth;
  const bool end = now.pixel + 1 >= stream_length(now);
  s.tag1 = static_cast<std::uint8_t>(kTagValid | (now.first_depth == 0 ? kTagFirstFold : 0) |
                                     (last_fold ? kTagLastFold : 0) | (end ? kTagEnd : 0));
  if (dataflow() == Dataflow::ws) walk(s);
  if (dataflow() == Dataflow::is) s.weight_row = (now.weight_row + 1) & 0xFFFFFF;
  s.pixel = (now.pixel + 1) & 0xFFFFFF;
  if (!end) return;
  s.count = 0;
  if (last_fold) {
    s.phase = static_cast<std::uint8_t>(Phase::flush);
    return;
  }
  s.first_depth = wrap_add(now.first_depth, rows_) & 0xFFFFFF;
  s.phase = static_cast<std::uint8_t>(rows_ > 1 ? Phase::settle : Phase::preload);
}

}  // namespace sagitta
