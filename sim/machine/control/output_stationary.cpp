// The sequencer where outputs are stationary: setup and drain.
#include <algorithm>

#include "base/wrap.h"
#include "machine/control/sequencer.h"

namespace sagitta {

void Sequencer::step_setup(const SequencerState& now, SequencerState& s, const Cycle& cycle) const {
  const int cycles = std::max({1, rows(now), lanes(now)});
  if (now.count < rows_) {  // each row takes its output pixel's position in turn
    row_y_.next(cycle)[now.count] = now.walk_y;
    row_x_.next(cycle)[now.count] = now.walk_x;
    row_address_.next(cycle)[now.count] = now.walk_address;
  }
  walk(s);
  s.param1 = now.count < columns_ ? 1 : 0;
  s.param_lane1 = static_cast<std::uint16_t>(now.count & 0x1FF);
  s.count = (now.count + 1) & 0xFFFFFF;
  if (now.count + 1 >= cycles) {
    s.mode1 = static_cast<std::uint8_t>(ArrayMode::clear);
    s.count = 0;
    s.phase = static_cast<std::uint8_t>(Phase::feed);
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
    for (int r = 0; r < rows_; ++r) {
      std::int32_t y = wrap_add(row_y_.now(cycle)[r], c.tile_y);
      std::int32_t x = wrap_add(row_x_.now(cycle)[r], c.tile_x);
      std::int32_t address = wrap_add(row_address_.now(cycle)[r], c.tile_address);
      wrap_position(c, y, x, address);
      row_y_.next(cycle)[r] = y;
      row_x_.next(cycle)[r] = x;
      row_address_.next(cycle)[r] = address;
    }
    s.phase = static_cast<std::uint8_t>(Phase::feed);
  } else {
    s.phase = static_cast<std::uint8_t>(Phase::flush);
  }
}

}  // namespace sagitta
