// The sequencer where outputs are stationary: setup and drain. Input stationary has the same setup.
#include <algorithm>

#include "base/wrap.h"
#include "machine/control/sequencer.h"

namespace sagitta {

void Sequencer::step_setup(const SequencerState& now, SequencerState& s, const Cycle& cycle) const {
  const bool os = dataflow() == Dataflow::os;
  const int cycles = os ? std::max({1, rows(now), lanes(now)}) : std::max(1, lanes(now));
  if (now.count < positions_) {  // each row or column takes its output pixel's position in turn
    row_y_.next(cycle)[now.count] = now.walk_y;
    row_x_.next(cycle)[now.count] = now.walk_x;
    row_address_.next(cycle)[now.count] = now.walk_address;
  }
  walk(s);
  s.param1 = parameter_lane(now) >= 0 ? 1 : 0;
  if (os) s.param_lane1 = static_cast<std::uint16_t>(now.count & 0x1FF);
  s.count = (now.count + 1) & 0xFFFFFF;
  if (now.count + 1 >= cycles) {
    if (os) s.mode1 = static_cast<std::uint8_t>(ArrayMode::clear);
    s.count = 0;
    s.phase = static_cast<std::uint8_t>(os ? Phase::feed : Phase::preload);
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
  s.first_row = (now.first_row + rows_) & 0xFFFFFF;
  if (s.first_row < c.rows) {
    advance_positions(cycle, c);
    s.phase = static_cast<std::uint8_t>(Phase::feed);
  } else {
    s.phase = static_cast<std::uint8_t>(Phase::flush);
  }
}

}  // namespace sagitta
