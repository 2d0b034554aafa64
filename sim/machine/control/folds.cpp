// The sequencer where an operand is stationary: parts (ws) or tiles of pixels (is), and their
// folds.
#include <algorithm>
#include <cstring>

#include "base/wrap.h"
#include "machine/control/sequencer.h"

namespace sagitta {

// What streams past a fold: the pixels of the part (ws), the channels of the column tile (is).
int Sequencer::stream_length(const SequencerState& s) const {
  if (dataflow(s) == Dataflow::is) {
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
  const bool ws = dataflow(now) == Dataflow::ws;
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

bool Sequencer::last_fold(const SequencerState& s) const {
  return wrap_add(s.first_depth, rows_) >= s.config.depth;
}

int Sequencer::loading(const SequencerState& s) const {
  const auto phase = static_cast<Phase>(s.phase);
  if (phase == Phase::preload) return s.count < rows_ ? s.count : -1;
  if (!overlap() || (phase != Phase::stream && phase != Phase::settle) || last_fold(s)) return -1;
  // The swap bit has passed the last row of column 0 R - 1 cycles after the stream began.
  const int step = s.ahead - (rows_ - 1);
  return step >= 0 && step < rows_ ? step : -1;
}

std::int32_t Sequencer::loading_depth(const SequencerState& s) const {
  const bool behind = static_cast<Phase>(s.phase) != Phase::preload;
  return behind ? wrap_add(s.first_depth, rows_) : s.first_depth;
}

// One step of what moves stationary operands into the array. Weight stationary each row in turn
// takes the position of its tap; input stationary the columns read one tap after the other.
void Sequencer::load_stationary(const SequencerState& now, SequencerState& s,
                                const Cycle& cycle) const {
  const int step = loading(now);
  if (step < 0) return;
  s.load1 = 1;
  if (dataflow(now) == Dataflow::ws) {
    (overlap() ? next_y_ : row_y_).next(cycle)[step] = now.tap_y;
    (overlap() ? next_x_ : row_x_).next(cycle)[step] = now.tap_x;
    (overlap() ? next_address_ : row_address_).next(cycle)[step] = now.tap_address;
  }
  next_tap(s);
}

// The fold that has been loaded begins in the next cycle.
void Sequencer::start_stream(const SequencerState& now, SequencerState& s,
                             const Cycle& cycle) const {
  s.count = 0;
  s.pixel = 0;
  s.phase = static_cast<std::uint8_t>(Phase::stream);
  if (overlap()) {
    s.swap1 = 1;
    s.ahead = 0;
  }
  if (dataflow(now) != Dataflow::ws) return;
  s.walk_y = now.part_y;
  s.walk_x = now.part_x;
  s.walk_address = now.part_address;
  if (!overlap()) return;
  const auto take = [&](const Pipe<std::int32_t>& row, const Pipe<std::int32_t>& next) {
    std::memcpy(row.next(cycle), next.next(cycle), sizeof(std::int32_t) * next.count);
  };
  take(row_y_, next_y_);
  take(row_x_, next_x_);
  take(row_address_, next_address_);
}

// Weight stationary the lanes take their parameters beside the first fold.
void Sequencer::step_preload(const SequencerState& now, SequencerState& s,
                             const Cycle& cycle) const {
  load_stationary(now, s, cycle);
  int cycles = rows_;
  if (dataflow(now) == Dataflow::ws) {
    s.param1 = parameter_lane(now) >= 0 ? 1 : 0;
    s.param_lane1 = static_cast<std::uint16_t>(now.count & 0x1FF);
    if (now.first_depth == 0 && now.first_row == 0) cycles = std::max(rows_, lanes(now));
  }
  s.count = (now.count + 1) & 0xFFFFFF;
  if (now.count + 1 >= cycles) start_stream(now, s, cycle);
}

// Overlap: one more of the next fold's operands, behind the products. Activations may have to wait,
// and the time until the fold begins with them.
void Sequencer::load_behind(const SequencerState& now, SequencerState& s, const Cycle& cycle,
                            bool reads_wait) const {
  if (reads_wait && dataflow(now) == Dataflow::is) return;
  load_stationary(now, s, cycle);
  s.ahead = std::min(now.ahead + 1, 2 * rows_ - 1);
}

void Sequencer::step_stream(const SequencerState& now, SequencerState& s, const Cycle& cycle,
                            bool reads_wait) const {
  if (overlap()) load_behind(now, s, cycle, reads_wait);
  if (!issues_rows(now, reads_wait)) return;
  const bool last = last_fold(now);
  const bool end = now.pixel + 1 >= stream_length(now);
  s.tag1 = static_cast<std::uint8_t>(kTagValid | (now.first_depth == 0 ? kTagFirstFold : 0) |
                                     (last ? kTagLastFold : 0) | (end ? kTagEnd : 0));
  if (dataflow(now) == Dataflow::ws) walk(s);
  if (dataflow(now) == Dataflow::is) s.weight_row = (now.weight_row + 1) & 0xFFFFFF;
  s.pixel = (now.pixel + 1) & 0xFFFFFF;
  if (!end) return;
  s.count = 0;
  if (last) {
    s.phase = static_cast<std::uint8_t>(Phase::flush);
    return;
  }
  if (overlap()) {
    s.phase = static_cast<std::uint8_t>(Phase::settle);
    end_settle(now, s, cycle, reads_wait);
    return;
  }
  s.first_depth = wrap_add(now.first_depth, rows_) & 0xFFFFFF;
  s.phase = static_cast<std::uint8_t>(rows_ > 1 ? Phase::settle : Phase::preload);
}

// Without overlap until the last one has passed the last row; with it until the next fold is
// loaded.
void Sequencer::step_settle(const SequencerState& now, SequencerState& s, const Cycle& cycle,
                            bool reads_wait) const {
  if (overlap()) {
    load_behind(now, s, cycle, reads_wait);
    end_settle(now, s, cycle, reads_wait);
    return;
  }
  s.count = (now.count + 1) & 0xFFFFFF;
  if (now.count + 1 < rows_ - 1) return;
  s.count = 0;
  s.phase = static_cast<std::uint8_t>(Phase::preload);
}

// Overlap: the last of the next fold's operands is read 2 R - 2 cycles after the stream of this one
// began. A fold's partial sum has to be written before the next one reads it, so that no fold may
// follow in the next cycle.
void Sequencer::end_settle(const SequencerState& now, SequencerState& s, const Cycle& cycle,
                           bool reads_wait) const {
  if (reads_wait || now.ahead < std::max(1, 2 * rows_ - 2)) return;
  s.first_depth = wrap_add(now.first_depth, rows_) & 0xFFFFFF;
  start_stream(now, s, cycle);
}

}  // namespace sagitta
