#include "machine/sequencer.h"

#include <algorithm>
#include <cstring>

namespace sagitta {
namespace {

// Registers wrap: arithmetic is modulo 2^32, whatever a fault leaves in them.
std::int32_t add(std::int32_t a, std::int32_t b) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b));
}
std::int32_t sub(std::int32_t a, std::int32_t b) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) - static_cast<std::uint32_t>(b));
}

}  // namespace

Sequencer::Sequencer(RegisterLayout& layout, const Program& program, int unit_latency)
    : program_(&program),
      rows_(program.array.rows),
      columns_(program.array.columns),
      flush_cycles_(flush_cycles(program.array, unit_latency)),
      store_beat_cycles_((program.array.columns * (program.raw_output ? 4 : 1) +
                          program.memory.dram_bytes_per_cycle - 1) /
                         program.memory.dram_bytes_per_cycle) {
  declare(layout);
}

int Sequencer::lanes(const SequencerState& s) const {
  return std::clamp(sub(s.config.columns, s.first_column), 0, columns_);
}

int Sequencer::rows(const SequencerState& s) const {
  const std::int32_t left = dataflow() == Dataflow::os ? sub(s.config.rows, s.first_row)
                                                       : sub(s.config.depth, s.first_depth);
  return std::clamp(left, 0, rows_);
}

int Sequencer::part_rows(const SequencerState& s) const {
  return static_cast<int>(
      std::clamp<std::int64_t>(sub(s.config.rows, s.first_row), 0, program_->memory.partial_rows));
}

std::int32_t Sequencer::weight_row(const SequencerState& s) const {
  if (dataflow() == Dataflow::os) {
    return s.phase == static_cast<std::uint8_t>(Phase::feed) ? s.weight_row : -1;
  }
  if (s.phase != static_cast<std::uint8_t>(Phase::preload) || s.count >= rows_) return -1;
  // Weights sink through the array, so the last row's go first.
  const std::int32_t k = add(s.first_depth, rows_ - 1 - s.count);
  return k < s.config.depth ? k : -1;
}

int Sequencer::parameter_lane(const SequencerState& s) const {
  const bool setup = dataflow() == Dataflow::os
                         ? s.phase == static_cast<std::uint8_t>(Phase::setup)
                         : s.phase == static_cast<std::uint8_t>(Phase::preload) &&
                               s.first_depth == 0 && s.first_row == 0;
  return setup && s.count < columns_ ? s.count : -1;
}

void Sequencer::start_taps(SequencerState& s) const {
  s.tap_y = s.tap_x = s.kernel_y = s.kernel_x = s.channel = 0;
  s.weight_row = 0;
  s.tap_address = 0;
}

// Steps to the next tap; true when the last one has just been issued.
bool Sequencer::next_tap(SequencerState& s) const {
  const LayerDescriptor& c = s.config;
  if (dataflow() == Dataflow::os) s.weight_row = (s.weight_row + 1) & 0xFFFFFF;
  s.channel = (s.channel + 1) & 0xFFFFFF;
  if (s.channel < c.tap_channels) {
    s.tap_address = add(s.tap_address, 1);
    return false;
  }
  s.channel = 0;
  s.kernel_x = (s.kernel_x + 1) & 0xFF;
  if (s.kernel_x < c.kernel_w) {
    s.tap_x = (s.tap_x + c.dilation_x) & 0xFFFFFF;
    s.tap_address = add(s.tap_address, c.tap_step_x);
    return false;
  }
  s.kernel_x = 0;
  s.tap_x = 0;
  s.kernel_y = (s.kernel_y + 1) & 0xFF;
  if (s.kernel_y < c.kernel_h) {
    s.tap_y = (s.tap_y + c.dilation_y) & 0xFFFFFF;
    s.tap_address = add(s.tap_address, c.tap_step_y);
    return false;
  }
  start_taps(s);
  return true;
}

// Moves the walker to the next output pixel in raster order.
void Sequencer::walk(SequencerState& s) const {
  const LayerDescriptor& c = s.config;
  s.walk_x = add(s.walk_x, c.stride_x);
  s.walk_address = add(s.walk_address, c.pixel_step);
  if (sub(s.walk_x, c.origin_x) >= c.span_x) {
    s.walk_x = sub(s.walk_x, c.span_x);
    s.walk_y = add(s.walk_y, c.stride_y);
    s.walk_address = add(s.walk_address, c.line_step);
  }
}

void Sequencer::start_column_tile(SequencerState& s) const {
  const LayerDescriptor& c = s.config;
  s.first_row = 0;
  s.pixel = 0;
  s.count = 0;
  s.output_address = s.first_column;
  s.walk_y = c.origin_y;
  s.walk_x = c.origin_x;
  s.walk_address = c.operation == static_cast<std::uint8_t>(LayerOperation::gemm)
                       ? c.origin_address
                       : add(c.origin_address, s.first_column);
  start_taps(s);
  if (dataflow() == Dataflow::os) return;
  s.first_depth = 0;
  start_part(s);
}

// The walker's position is where every fold of the part begins.
void Sequencer::start_part(SequencerState& s) const {
  s.part_y = s.walk_y;
  s.part_x = s.walk_x;
  s.part_address = s.walk_address;
}

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
  s.output_address = add(now.output_address, c.columns);
  s.count = (now.count + 1) & 0xFFFFFF;
  if (!last) return;
  s.count = 0;
  s.first_row = (now.first_row + rows_) & 0xFFFFFF;
  if (s.first_row < c.rows) {
    for (int r = 0; r < rows_; ++r) {
      std::int32_t y = add(row_y_.now(cycle)[r], c.tile_y);
      std::int32_t x = add(row_x_.now(cycle)[r], c.tile_x);
      std::int32_t address = add(row_address_.now(cycle)[r], c.tile_address);
      if (sub(x, c.origin_x) >= c.span_x) {
        x = sub(x, c.span_x);
        y = add(y, c.stride_y);
        address = add(address, c.line_step);
      }
      row_y_.next(cycle)[r] = y;
      row_x_.next(cycle)[r] = x;
      row_address_.next(cycle)[r] = address;
    }
    s.phase = static_cast<std::uint8_t>(Phase::feed);
  } else {
    s.phase = static_cast<std::uint8_t>(Phase::flush);
  }
}

void Sequencer::step_pool(const SequencerState& now, SequencerState& s) const {
  const LayerDescriptor& c = now.config;
  const std::int32_t y = add(now.walk_y, now.tap_y);
  const std::int32_t x = add(now.walk_x, now.tap_x);
  const bool inside = y >= 0 && y < c.height && x >= 0 && x < c.width;
  const bool first = now.kernel_y == 0 && now.kernel_x == 0;
  const bool last = next_tap(s);
  s.pool1 = static_cast<std::uint8_t>(kPoolTap | (first ? kPoolFirst : 0) | (last ? kPoolLast : 0) |
                                      (inside ? 0 : kPoolPadded));
  s.pool_address1 = now.output_address;
  if (!last) return;
  walk(s);
  s.output_address = add(now.output_address, c.columns);
  s.pixel = (now.pixel + 1) & 0xFFFFFF;
  if (s.pixel < c.rows) return;
  s.count = 0;
  s.phase = static_cast<std::uint8_t>(Phase::flush);
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
  const bool last_fold = add(now.first_depth, rows_) >= now.config.depth;
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
  s.first_depth = add(now.first_depth, rows_) & 0xFFFFFF;
  s.phase = static_cast<std::uint8_t>(rows_ > 1 ? Phase::settle : Phase::preload);
}

// The drain path is empty: the next part, column tile or layer.
void Sequencer::end_tile(const SequencerState& now, SequencerState& s) const {
  const LayerDescriptor& c = now.config;
  const bool gemm = c.operation == static_cast<std::uint8_t>(LayerOperation::gemm);
  if (gemm && dataflow() == Dataflow::ws) {
    s.first_row =
        add(now.first_row, static_cast<std::int32_t>(program_->memory.partial_rows)) & 0xFFFFFF;
    if (s.first_row < c.rows) {
      start_taps(s);
      s.first_depth = 0;
      start_part(s);
      s.phase = static_cast<std::uint8_t>(Phase::preload);
      return;
    }
  }
  if (gemm) {
    s.column_tile = static_cast<std::uint16_t>(now.column_tile + 1);
    s.weight_bank = now.weight_bank ^ 1;
  }
  s.first_column = (now.first_column + columns_) & 0xFFFFFF;
  if (s.first_column < c.columns) {
    s.phase = static_cast<std::uint8_t>(Phase::wait);
  } else {
    s.input_bank = now.input_bank ^ 1;
    s.phase = static_cast<std::uint8_t>(Phase::load);
  }
}

// One beat of `columns` values every store_beat_cycles_, then the DRAM latency.
void Sequencer::step_store(const SequencerState& now, SequencerState& s) const {
  if (now.output_address >= program_->logits) {
    s.count = (now.count + 1) & 0xFFFFFF;
    if (now.count + 1 >= program_->memory.dram_latency) {
      s.phase = static_cast<std::uint8_t>(Phase::done);
    }
    return;
  }
  s.store1 = now.channel == 0 ? 1 : 0;
  s.channel = (now.channel + 1) & 0xFFFFFF;
  if (now.channel + 1 < store_beat_cycles_) return;
  s.channel = 0;
  s.output_address = add(now.output_address, columns_);
}

void Sequencer::step(const Cycle& cycle, std::uint32_t transfers_done) const {
  const SequencerState& now = *state_.now(cycle);
  SequencerState& s = *state_.next(cycle);
  s = now;
  std::memcpy(row_y_.next(cycle), row_y_.now(cycle), sizeof(std::int32_t) * row_y_.count);
  std::memcpy(row_x_.next(cycle), row_x_.now(cycle), sizeof(std::int32_t) * row_x_.count);
  std::memcpy(row_address_.next(cycle), row_address_.now(cycle),
              sizeof(std::int32_t) * row_address_.count);

  // The control that travels beside the data.
  s.mode1 = static_cast<std::uint8_t>(ArrayMode::accumulate);
  s.mode2 = now.mode1;
  s.drain1 = 0;
  s.drain2 = now.drain1;
  s.drain_address2 = now.drain_address1;
  s.param1 = 0;
  s.pool1 = 0;
  s.pool2 = now.pool1;
  s.pool_address2 = now.pool_address1;
  s.store1 = 0;
  s.load1 = 0;
  s.tag1 = 0;
  if (tags_.count > 0) {
    std::memcpy(tags_.next(cycle) + 1, tags_.now(cycle), tags_.count - 1);
    tags_.next(cycle)[0] = now.tag1;
  }

  const bool os = dataflow() == Dataflow::os;
  const bool gemm = now.config.operation == static_cast<std::uint8_t>(LayerOperation::gemm);
  switch (static_cast<Phase>(now.phase)) {
    case Phase::load:
      if (now.layer >= program_->layers.size()) {
        s.count = 0;
        s.channel = 0;
        s.output_address = 0;
        s.phase = static_cast<std::uint8_t>(Phase::store);
        break;
      }
      s.config = program_->layers[now.layer];
      s.layer = static_cast<std::uint8_t>(now.layer + 1);
      s.first_column = 0;
      s.phase = static_cast<std::uint8_t>(Phase::wait);
      break;
    case Phase::wait: {
      // Transfer 0 is the image, transfer t + 1 the weights of column tile t.
      const std::uint32_t needed = std::uint32_t{now.column_tile} + (gemm ? 2 : 1);
      if (transfers_done < needed) break;
      start_column_tile(s);
      s.phase = static_cast<std::uint8_t>(!gemm ? Phase::pool : os ? Phase::setup : Phase::preload);
      break;
    }
    case Phase::setup:
      if (os) step_setup(now, s, cycle);
      break;
    case Phase::feed:
      if (os && next_tap(s)) {
        s.count = 0;
        const int bubbles = rows(now) + lanes(now) - 2;
        s.phase = static_cast<std::uint8_t>(bubbles > 0 ? Phase::bubble : Phase::drain);
      }
      break;
    case Phase::bubble:
      if (!os) break;
      s.count = (now.count + 1) & 0xFFFFFF;
      if (now.count + 1 >= rows(now) + lanes(now) - 2) {
        s.count = 0;
        s.phase = static_cast<std::uint8_t>(Phase::drain);
      }
      break;
    case Phase::drain:
      if (os) step_drain(now, s, cycle);
      break;
    case Phase::pool:
      step_pool(now, s);
      break;
    case Phase::flush:
      s.count = (now.count + 1) & 0xFFFFFF;
      if (now.count + 1 < flush_cycles_) break;
      s.count = 0;
      end_tile(now, s);
      break;
    case Phase::preload:
      if (!os) step_preload(now, s, cycle);
      break;
    case Phase::stream:
      if (!os) step_stream(now, s);
      break;
    case Phase::settle:
      if (os) break;
      s.count = (now.count + 1) & 0xFFFFFF;
      if (now.count + 1 >= rows_ - 1) {
        s.count = 0;
        s.phase = static_cast<std::uint8_t>(Phase::preload);
      }
      break;
    case Phase::store:
      step_store(now, s);
      break;
    case Phase::done:
    default:
      break;
  }
}

}  // namespace sagitta
