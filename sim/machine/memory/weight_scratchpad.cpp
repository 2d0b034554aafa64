#include "machine/memory/weight_scratchpad.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include <fmt/format.h>

#include "network/fixed_scale.h"

namespace sagitta {

int WeightScratchpad::checksum_width(int columns) {
  return 8 + static_cast<int>(std::bit_width(static_cast<unsigned>(columns - 1)));
}

WeightScratchpad::WeightScratchpad(RegisterLayout& layout, const Program& program,
                                   const Sequencer& sequencer, const std::vector<int>& waits)
    : sequencer_(&sequencer),
      channels_(program.array.has(Dataflow::is)),
      lanes_(program.array.weight_lanes()),
      rows_(program.memory.weight_rows),
      has_checksum_(program.checksum_bytes() > 0),
      checksum_width_(checksum_width(program.array.columns)),
      format_(program.parameters),
      parameter_lanes_(std::max(channels_ ? static_cast<int>(program.memory.partial_rows) : 0,
                                program.array.only(Dataflow::is) ? 0 : program.array.columns)),
      parameter_words_(parameter_lanes_ * format_.lane_words + format_.tile_words) {
  const int rows = static_cast<int>(rows_);
  weights_ = layout.held<std::int8_t>("memory.weight.bank[].row[].lane[]", {2, rows, lanes_}, 8,
                                      Storage::sram);
  declare_parameters(layout);
  read_ = layout.pipe<std::int8_t>("memory.weight.read[]", {lanes_}, 8);
  declare_parameter_port(layout, waits);
  if (has_checksum_) {
    const int width = checksum_width_;
    checksum_ = layout.held<std::int16_t>("resilience.checksum.weight.bank[].row[]", {2, rows},
                                          width, Storage::sram);
    checksum_read_ = layout.pipe<std::int16_t>("resilience.checksum.weight.read", {}, width);
  }
}

// A bank holds the words of every lane, then those of the whole tile; where the number of channels
// varies, those of the tile come first.
void WeightScratchpad::declare_parameters(RegisterLayout& layout) {
  parameters_ = layout.place_held<std::uint32_t>(2 * static_cast<std::size_t>(parameter_words_));
  RegisterClass c;
  c.path = "memory.parameter.bank[].lane[].word[]";
  c.extents = {2, parameter_lanes_, format_.lane_words};
  c.strides = {parameter_words_, format_.lane_words, 1};
  c.width = 32;
  c.storage = Storage::sram;
  c.region = Region::held;
  c.offset = parameters_.offset + sizeof(std::uint32_t) * static_cast<std::size_t>(lane_area());
  c.element_bytes = sizeof(std::uint32_t);
  layout.declare(c);
  c.path = "memory.parameter.bank[].tile_word[]";
  c.extents = {2, format_.tile_words};
  c.strides = {parameter_words_, 1};
  c.offset = parameters_.offset + sizeof(std::uint32_t) * static_cast<std::size_t>(tile_area());
  layout.declare(c);
}

void WeightScratchpad::declare_parameter_port(RegisterLayout& layout,
                                              const std::vector<int>& waits) {
  lane_read_ = layout.pipe<std::uint32_t>("memory.parameter.lane_read[]", {format_.lane_words}, 32);
  tile_read_ = layout.pipe<std::uint32_t>("memory.parameter.tile_read[]", {format_.tile_words}, 32);
  for (std::size_t w = 0; w < waits.size(); ++w) {
    // Mantissa and shift; all other words are whole.
    const int width = w == 1 ? kMantissaBits + kShiftBits : 32;
    waiting_.push_back(layout.pipe<std::uint32_t>(fmt::format("memory.parameter.wait[{}][]", w),
                                                  {waits[w]}, width));
  }
}

void WeightScratchpad::read_parameters(const Cycle& cycle, const SequencerState& s,
                                       std::int32_t channel) const {
  std::uint32_t* lane = lane_read_.next(cycle);
  std::uint32_t* tile = tile_read_.next(cycle);
  const auto lane_bytes = sizeof(std::uint32_t) * static_cast<std::size_t>(format_.lane_words);
  const auto tile_bytes = sizeof(std::uint32_t) * static_cast<std::size_t>(format_.tile_words);
  const std::uint32_t* bank = parameters_.at(cycle) + s.weight_bank * parameter_words_;
  // Lane `count` in cycle `count` of setup, the tile's own words in the first.
  const int taken = sequencer_->parameter_lane(s);
  const std::int32_t read = by_channel(s) ? channel : taken;
  if (read >= parameter_lanes_) {
    std::memset(lane, 0, lane_bytes);
  } else {
    const std::uint32_t* words = bank + lane_area() + read * format_.lane_words;
    std::memcpy(lane, read >= 0 ? words : lane_read_.now(cycle), lane_bytes);
  }
  std::memcpy(tile, taken == 0 ? bank + tile_area() : tile_read_.now(cycle), tile_bytes);
  for (std::size_t w = 0; w < waiting_.size(); ++w) {
    const Pipe<std::uint32_t>& wait = waiting_[w];
    if (wait.count == 0) continue;
    wait.next(cycle)[0] = lane_read_.now(cycle)[w];
    if (w == 1) wait.next(cycle)[0] &= (1U << (kMantissaBits + kShiftBits)) - 1;
    std::memcpy(wait.next(cycle) + 1, wait.now(cycle), (wait.count - 1) * sizeof(std::uint32_t));
  }
}

void WeightScratchpad::step(const Cycle& cycle, const Dma& dma, std::int32_t channel,
                            bool reads_wait) {
  const SequencerState& s = sequencer_->state(cycle.now);
  const auto lanes = static_cast<std::size_t>(lanes_);
  const std::int64_t bank_row = s.weight_bank * rows_;

  std::int8_t* read = read_.next(cycle);
  const std::int32_t row = sequencer_->weight_row(s, reads_wait);
  const bool feed = row >= 0 && row < rows_;
  if (feed) {
    std::memcpy(read, weights_.at(cycle) + (bank_row + row) * lanes_, lanes);
  } else {
    std::memset(read, 0, lanes);
  }
  if (has_checksum_) {
    *checksum_read_.next(cycle) = feed ? checksum_.at(cycle)[bank_row + row] : std::int16_t{0};
  }
  read_parameters(cycle, s, channel);

  const DmaState& d = dma.state(cycle.now);
  if (d.data_valid != 0 && d.data_image == 0) write_beat(cycle, dma);
}

// A checksum weight travels as two bytes; the memory has the bits that its width says.
void WeightScratchpad::trim_checksum(const Cycle& cycle, std::int64_t bank_row) const {
  if (!has_checksum_) return;
  std::int16_t& word = checksum_.at(cycle)[bank_row];
  const int unused = 16 - checksum_width_;
  word = static_cast<std::int16_t>(static_cast<std::int16_t>(word << unused) >> unused);
}

std::int64_t WeightScratchpad::taken(const std::byte* now, const Dma& dma) const {
  const DmaState& d = dma.state(now);
  if (d.data_valid == 0 || d.data_image != 0) return 0;
  const std::int64_t header = channels_ ? d.data_header : format_.header_bytes(lanes_);
  const std::int64_t parameters = std::min(header, 4 * std::int64_t{parameter_words_});
  const std::int64_t weights = rows_ * (lanes_ + (has_checksum_ ? 2 : 0));
  // Bytes of the beat in [from, to) of the column tile's stream.
  const auto within = [&](std::int64_t from, std::int64_t to) {
    const std::int64_t first = d.data_address;
    return std::max<std::int64_t>(0, std::min(to, first + dma.count(now)) - std::max(from, first));
  };
  return within(0, parameters) + within(header, header + weights);
}

// Places a beat of the column tile's stream; see Transfer for its order.
void WeightScratchpad::write_beat(const Cycle& cycle, const Dma& dma) {
  const DmaState& d = dma.state(cycle.now);
  const std::uint8_t* data = dma.data(cycle.now);
  const std::int64_t header = channels_ ? d.data_header : format_.header_bytes(lanes_);
  const std::int64_t bank_bytes = 4 * std::int64_t{parameter_words_};
  const std::int64_t stride = lanes_ + (has_checksum_ ? 2 : 0);
  std::int64_t position = d.data_address;
  std::int64_t left = dma.count(cycle.now);
  while (left > 0) {  // piece by piece: header, weights of a row, its checksum weight
    std::uint8_t* target = nullptr;
    std::int64_t room = 0;
    if (position < header) {        // words are little endian, as the host is
      if (position < bank_bytes) {  // beyond the memory: dropped
        target = reinterpret_cast<std::uint8_t*>(parameters_.at(cycle) +
                                                 d.data_bank * parameter_words_) +
                 position;
      }
      room = (target != nullptr ? std::min(header, bank_bytes) : header) - position;
    } else {
      const std::int64_t row = (position - header) / stride;
      const std::int64_t column = (position - header) % stride;
      if (row >= rows_) return;  // beyond the memory: dropped
      const std::int64_t bank_row = d.data_bank * rows_ + row;
      if (column < lanes_) {
        target = reinterpret_cast<std::uint8_t*>(weights_.at(cycle) + bank_row * lanes_ + column);
        room = lanes_ - column;
      } else {
        target =
            reinterpret_cast<std::uint8_t*>(checksum_.at(cycle) + bank_row) + (column - lanes_);
        room = stride - column;
      }
    }
    const std::int64_t count = std::min(room, left);
    if (target != nullptr) std::memcpy(target, data, static_cast<std::size_t>(count));
    if (position >= header)
      trim_checksum(cycle, d.data_bank * rows_ + (position - header) / stride);
    data += count;
    position += count;
    left -= count;
  }
}

}  // namespace sagitta
