// How the sequencer walks over output pixels and over the taps of their windows, and pooling and
// adding, which are nothing but that.
#include "base/wrap.h"
#include "machine/control/sequencer.h"

namespace sagitta {

void Sequencer::start_taps(SequencerState& s) const {
  s.tap_y = s.tap_x = s.kernel_y = s.kernel_x = s.channel = 0;
  s.tap_address = 0;
}

// Steps to the next tap; true when the last one has just been issued.
bool Sequencer::next_tap(SequencerState& s) const {
  const LayerDescriptor& c = s.config;
  if (dataflow(s) == Dataflow::os) s.weight_row = (s.weight_row + 1) & 0xFFFFFF;
  s.channel = (s.channel + 1) & 0xFFFFFF;
  if (s.channel < c.tap_channels) {
    s.tap_address = wrap_add(s.tap_address, 1);
    return false;
  }
  s.channel = 0;
  s.kernel_x = (s.kernel_x + 1) & 0xFF;
  if (s.kernel_x < c.kernel_w) {
    s.tap_x = (s.tap_x + c.dilation_x) & 0xFFFFFF;
    s.tap_address = wrap_add(s.tap_address, c.tap_step_x);
    return false;
  }
  s.kernel_x = 0;
  s.tap_x = 0;
  s.kernel_y = (s.kernel_y + 1) & 0xFF;
  if (s.kernel_y < c.kernel_h) {
    s.tap_y = (s.tap_y + c.dilation_y) & 0xFFFFFF;
    s.tap_address = wrap_add(s.tap_address, c.tap_step_y);
    return false;
  }
  start_taps(s);
  if (dataflow(s) == Dataflow::os) s.weight_row = 0;
  return true;
}

// A position that has left its output row moves to the next one, and from the last one to the first
// of the next image.
void Sequencer::wrap_position(const LayerDescriptor& c, std::int32_t& y, std::int32_t& x,
                              std::int32_t& address) {
  if (wrap_sub(x, c.origin_x) >= c.span_x) {
    x = wrap_sub(x, c.span_x);
    y = wrap_add(y, c.stride_y);
    address = wrap_add(address, c.line_step);
  }
  if (wrap_sub(y, c.origin_y) >= c.span_y) {
    y = wrap_sub(y, c.span_y);
    address = wrap_add(address, c.image_step);
  }
}

// Moves the walker to the next output pixel in raster order.
void Sequencer::walk(SequencerState& s) const {
  const LayerDescriptor& c = s.config;
  s.walk_x = wrap_add(s.walk_x, c.stride_x);
  s.walk_address = wrap_add(s.walk_address, c.pixel_step);
  wrap_position(c, s.walk_y, s.walk_x, s.walk_address);
}

// A tile's pixels lie as far behind those of the tile before as the array takes at once.
void Sequencer::advance_positions(const Cycle& cycle, const LayerDescriptor& c) const {
  for (int i = 0; i < positions_; ++i) {
    std::int32_t y = wrap_add(row_y_.now(cycle)[i], c.tile_y);
    std::int32_t x = wrap_add(row_x_.now(cycle)[i], c.tile_x);
    std::int32_t address = wrap_add(row_address_.now(cycle)[i], c.tile_address);
    wrap_position(c, y, x, address);
    row_y_.next(cycle)[i] = y;
    row_x_.next(cycle)[i] = x;
    row_address_.next(cycle)[i] = address;
  }
}

void Sequencer::step_pool(const SequencerState& now, SequencerState& s) const {
  const LayerDescriptor& c = now.config;
  const std::int32_t y = wrap_add(now.walk_y, now.tap_y);
  const std::int32_t x = wrap_add(now.walk_x, now.tap_x);
  const bool inside = y >= 0 && y < c.height && x >= 0 && x < c.width;
  const bool first = now.kernel_y == 0 && now.kernel_x == 0;
  const bool last = next_tap(s);
  s.pool1 =
      static_cast<std::uint8_t>(kPoolTap | (first ? kPoolFirst : 0) | (last ? kPoolLast : 0) |
                                (inside ? 0 : kPoolPadded) | (now.kernel_x != 0 ? kPoolSecond : 0));
  s.pool_address1 = now.output_address;
  if (!last) return;
  walk(s);
  s.output_address = wrap_add(now.output_address, c.columns);
  s.pixel = (now.pixel + 1) & 0xFFFFFF;
  if (s.pixel < c.rows) return;
  s.count = 0;
  s.phase = static_cast<std::uint8_t>(Phase::flush);
}

}  // namespace sagitta
