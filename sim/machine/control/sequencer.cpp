#include "machine/control/sequencer.h"

#include <algorithm>
#include <cstring>

#include "base/wrap.h"

namespace sagitta {

Sequencer::Sequencer(RegisterLayout& layout, const Program& program, int unit_latency,
                     int detector_latency, int column_latency)
    : program_(&program),
      mixed_(program.array.mixed()),
      overlap_(program.array.overlap),
      reruns_(program.protection.reruns()),
      columns_wait_(program.protection.column_checksum),
      first_(program.array.first()),
      members_{program.array.has(Dataflow::os), program.array.has(Dataflow::ws),
               program.array.has(Dataflow::is)},
      rows_(program.array.rows),
      columns_(program.array.columns),
      positions_(program.array.activation_lanes()),
      drain_path_(5 + unit_latency),
      verify_(3 + detector_latency + column_latency),
      before_buffer_(2 + detector_latency),
      store_beat_cycles_((program.array.columns * (program.raw_output ? 4 : 1) +
                          program.memory.dram_bytes_per_cycle - 1) /
                         program.memory.dram_bytes_per_cycle) {
  declare(layout);
}

int Sequencer::lanes(const SequencerState& s) const {
  const std::int32_t left = pixels_in_lanes(s) ? wrap_sub(s.config.rows, s.first_row)
                                               : wrap_sub(s.config.group_columns, s.group_column);
  return std::clamp(left, 0, columns_);
}

int Sequencer::rows(const SequencerState& s) const {
  const std::int32_t left = dataflow(s) == Dataflow::os ? wrap_sub(s.config.rows, s.first_row)
                                                        : wrap_sub(s.config.depth, s.first_depth);
  return std::clamp(left, 0, rows_);
}

int Sequencer::held_back(const SequencerState& s) const {
  const int maps = program_->protection.maps();
  if (maps == 0 || s.config.map_lines == 0) return 0;
  // A line stays while there are more parts of its map.
  const auto pixels = static_cast<std::int32_t>(program_->memory.partial_rows);
  const bool more =
      dataflow(s) == Dataflow::ws && (wrap_add(s.first_row, pixels) & 0xFFFFFF) < s.config.rows;
  return more ? 0 : maps * s.config.line;
}

int Sequencer::activations_read(const SequencerState& s) const {
  if (dataflow(s) != Dataflow::is) return issues_rows(s, false) ? rows(s) : 0;
  // Rows beyond K load zeros.
  const int step = loading(s);
  return step >= 0 && wrap_add(loading_depth(s), step) < s.config.depth ? lanes(s) : 0;
}

std::int32_t Sequencer::weight_row(const SequencerState& s, bool reads_wait) const {
  if (dataflow(s) != Dataflow::ws) return issues_rows(s, reads_wait) ? s.weight_row : -1;
  const int step = loading(s);
  if (step < 0) return -1;
  // Weights sink through the array, so the last row's go first.
  const std::int32_t k = wrap_add(loading_depth(s), rows_ - 1 - step);
  return k < s.config.depth ? k : -1;
}

ArrayControl Sequencer::array_control(const SequencerState& s) const {
  const Dataflow flow = dataflow(s);
  return {flow, static_cast<ArrayMode>(s.mode2), s.load1 != 0, s.swap1 != 0,
          overlap() && flow == Dataflow::os && s.drain2 != 0};
}

int Sequencer::parameter_lane(const SequencerState& s) const {
  const bool setup = dataflow(s) == Dataflow::ws
                         ? s.phase == static_cast<std::uint8_t>(Phase::preload) &&
                               s.first_depth == 0 && s.first_row == 0
                         : s.phase == static_cast<std::uint8_t>(Phase::setup);
  const int read = dataflow(s) == Dataflow::is ? 1 : columns_;
  return setup && s.count < read ? s.count : -1;
}

void Sequencer::start_column_tile(SequencerState& s) const {
  const LayerDescriptor& c = s.config;
  s.first_row = 0;
  s.pixel = 0;
  s.count = 0;
  s.output_address = s.first_column;
  if (reruns_ && members_[static_cast<std::size_t>(Dataflow::os)]) {
    s.retry_address = s.first_column;
  }
  s.walk_y = c.origin_y;
  s.walk_x = c.origin_x;
  const bool gemm = c.operation == static_cast<std::uint8_t>(LayerOperation::gemm);
  s.walk_address = wrap_add(c.origin_address, gemm ? s.group_address : s.first_column);
  start_taps(s);
  const Dataflow flow = dataflow(s);
  if (flow != Dataflow::ws) s.weight_row = 0;
  if (flow == Dataflow::os) return;
  s.first_depth = 0;
  if (flow == Dataflow::ws) start_part(s);
}

// The drain path is empty: the next part, column tile or layer.
void Sequencer::end_tile(const SequencerState& now, SequencerState& s, const Cycle& cycle,
                         bool again) const {
  const LayerDescriptor& c = now.config;
  const bool gemm = c.operation == static_cast<std::uint8_t>(LayerOperation::gemm);
  if (again) {
    run_again(now, s);
    return;
  }
  if (gemm && dataflow(now) != Dataflow::os && next_part(now, s, cycle)) return;
  if (gemm) {
    s.column_tile = static_cast<std::uint16_t>(now.column_tile + 1);
    s.weight_bank = now.weight_bank ^ 1;
  }
  const bool pixels = pixels_in_lanes(now);
  s.first_column = (now.first_column + (pixels ? stream_length(now) : lanes(now))) & 0xFFFFFF;
  s.group_column = wrap_add(now.group_column, pixels ? c.tile_channels : columns_) & 0xFFFFFF;
  if (s.group_column >= c.group_columns) {  // the next group has input channels of its own
    s.group_column = 0;
    s.group_address = wrap_add(now.group_address, c.tap_channels);
  }
  s.phase = static_cast<std::uint8_t>(s.first_column < c.columns ? Phase::wait : Phase::load);
}

bool Sequencer::judges(const SequencerState& s) const {
  const bool gemm = s.config.operation == static_cast<std::uint8_t>(LayerOperation::gemm);
  if (columns_wait_) return gemm && verified(s) == 0;
  if (!reruns_ || !gemm) return false;
  switch (static_cast<Phase>(s.phase)) {
    case Phase::verify:
      return dataflow(s) == Dataflow::os && s.count + 1 >= verify_;
    case Phase::flush:
      return s.count + 1 >= flush_cycles(s);
    default:
      return false;
  }
}

// The tile at work, from its first product on. All that it takes is still in the scratchpads, and
// its results, which no layer has read, are written once more.
void Sequencer::run_again(const SequencerState& now, SequencerState& s) const {
  start_taps(s);
  const Dataflow flow = dataflow(now);
  if (flow != Dataflow::ws) s.weight_row = 0;
  if (flow == Dataflow::os) {
    s.output_address = now.retry_address;
    s.mode1 = static_cast<std::uint8_t>(ArrayMode::clear);
    s.phase = static_cast<std::uint8_t>(Phase::feed);
    return;
  }
  s.first_depth = 0;
  s.phase = static_cast<std::uint8_t>(Phase::preload);
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
  s.output_address = wrap_add(now.output_address, columns_);
}

void Sequencer::step(const Cycle& cycle, std::uint32_t transfers_done, bool reads_wait,
                     bool again) const {
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
  s.pool2 = now.pool1 & 0xF;
  s.pool_address2 = now.pool_address1;
  s.store1 = 0;
  s.load1 = 0;
  s.swap1 = 0;
  s.tag1 = 0;
  if (next_y_.count > 0) {
    const std::size_t bytes = sizeof(std::int32_t) * next_y_.count;
    std::memcpy(next_y_.next(cycle), next_y_.now(cycle), bytes);
    std::memcpy(next_x_.next(cycle), next_x_.now(cycle), bytes);
    std::memcpy(next_address_.next(cycle), next_address_.now(cycle), bytes);
  }
  if (tags_.count > 0) {
    std::memcpy(tags_.next(cycle) + 1, tags_.now(cycle), tags_.count - 1);
    tags_.next(cycle)[0] = now.tag1;
  }

  const bool os = dataflow(now) == Dataflow::os;
  const bool ws = dataflow(now) == Dataflow::ws;
  if (os && overlap()) step_drain_behind(now, s);
  const auto phase = static_cast<Phase>(now.phase);
  if (reads_wait && phase != Phase::stream && phase != Phase::settle) return;
  const bool gemm = now.config.operation == static_cast<std::uint8_t>(LayerOperation::gemm);
  switch (phase) {
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
      s.group_column = 0;
      s.group_address = 0;
      s.phase = static_cast<std::uint8_t>(Phase::wait);
      break;
    case Phase::wait:
      if (!data_ready(now, transfers_done)) break;
      start_column_tile(s);
      s.phase = static_cast<std::uint8_t>(!gemm ? Phase::pool : ws ? Phase::preload : Phase::setup);
      break;
    case Phase::setup:
      if (!ws) step_setup(now, s, cycle);
      break;
    case Phase::feed:
      if (os) step_feed(now, s, cycle);
      break;
    case Phase::bubble:
      if (!os) break;
      if (overlap()) {
        if (drain_ends(s)) s.phase = static_cast<std::uint8_t>(Phase::feed);
        break;
      }
      s.count = (now.count + 1) & 0xFFFFFF;
      if (now.count + 1 >= rows(now) + lanes(now) - 2) {
        s.count = 0;
        s.phase = static_cast<std::uint8_t>(Phase::drain);
      }
      break;
    case Phase::drain:
      if (os) overlap() ? step_last_drain(now, s) : step_drain(now, s, cycle);
      break;
    case Phase::verify:
      if (os && (reruns_ || columns_wait_)) step_verify(now, s, cycle, again);
      break;
    case Phase::pool:
      step_pool(now, s);
      break;
    case Phase::flush:
      s.count = (now.count + 1) & 0xFFFFFF;
      if (now.count + 1 < flush_cycles(now)) break;
      s.count = 0;
      end_tile(now, s, cycle, again);
      break;
    case Phase::preload:
      if (!os) step_preload(now, s, cycle);
      break;
    case Phase::stream:
      if (!os) step_stream(now, s, cycle, reads_wait);
      break;
    case Phase::settle:
      if (!os) step_settle(now, s, cycle, reads_wait);
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
