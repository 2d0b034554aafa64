// The sequencer where an operand is stationary: parts, and the folds of a part.
#include <algorithm>

#include "base/wrap.h"
#include "machine/control/sequencer.h"

namespace sagitta {

int Sequencer::part_rows(const SequencerState& s) const {
  return static_cast<int>(std::clamp<std::int64_t>(wrap_sub(s.config.rows, s.first_row), 0,
                                                   program_->memory.partial_rows));
}

// The walker's position is where every fold of the part begins.
void Sequencer::start_part(SequencerState& s) const {
  s.part_y = s.walk_y;
  s.part_x = s.walk_x;
  s.part_address = s.walk_address;
}

// Each row in turn takes the position of its tap; the lanes take their parameters beside the first
// fold.
void Sequencer::step_preload(const SequencerState& now, SequencerState& s,
                             const Cycle& cycle) const {
  if (now.count < rows_) {
    row_y_.next(cycle)[now.count] = now.tap_y;
    row_x_.next(cycle)[now.count] = now.tap_x;
    row_address_.next(cycle)[now.count] = now.tap_address;
    next_tap(s);
    s.load1 = 1;
  }
  const int lane = parameter_lane(now);
  s.param1 = lane >= 0 ? 1 : 0;
  s.param_lane1 = static_cast<std::uint16_t>(now.count & 0x1FF);
  const bool first = now.first_depth == 0 && now.first_row == 0;
  s.count = (now.count + 1) & 0xFFFFFF;
  if (now.count + 1 < (first ? std::max(rows_, lanes(now)) : rows_)) return;
  s.count = 0;
  s.pixel = 0;
  s.walk_y = now.part_y;
  s.walk_x = now.part_x;
  s.walk_address = now.part_address;
  s.phase = static_cast<std::uint8_t>(Phase::stream);
}

void Sequencer::step_stream(const SequencerState& now, SequencerState& s) const {
  const bool last_fold = wrap_add(now.first_depth, rows_) >= now.config.depth;
  const bool end = now.pixel + 1 >= part_rows(now);
  s.tag1 = static_cast<std::uint8_t>(kTagValid | (now.first_depth == 0 ? kTagFirstFold : 0) |
                                     (last_fold ? kTagLastFold : 0) | (end ? kTagEnd : 0));
  walk(s);
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
