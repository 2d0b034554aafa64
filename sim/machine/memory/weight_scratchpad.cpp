#include "machine/memory/weight_scratchpad.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace sagitta {

int WeightScratchpad::checksum_width(int columns) {
  return 8 + static_cast<int>(std::bit_width(static_cast<unsigned>(columns - 1)));
}

WeightScratchpad::WeightScratchpad(RegisterLayout& layout, const Program& program,
                                   const Sequencer& sequencer)
    : sequencer_(&sequencer),
      columns_(program.array.columns),
      rows_(program.memory.weight_rows),
      has_checksum_(program.protection.checksum),
      format_(program.parameters),
      parameter_words_(program.array.columns * program.parameters.lane_words +
                       program.parameters.tile_words) {
  const int rows = static_cast<int>(rows_);
  weights_ = layout.held<std::int8_t>("memory.weight.bank[].row[].lane[]", {2, rows, columns_}, 8,
                                      Storage::sram);
  declare_parameters(layout);
  read_ = layout.pipe<std::int8_t>("memory.weight.read[]", {columns_}, 8);
  lane_read_ = layout.pipe<std::uint32_t>("memory.parameter.lane_read[]", {format_.lane_words}, 32);
  tile_read_ = layout.pipe<std::uint32_t>("memory.parameter.tile_read[]", {format_.tile_words}, 32);
  if (has_checksum_) {
    const int width = checksum_width(columns_);
    checksum_ = layout.held<std::int16_t>("resilience.checksum.weight.bank[].row[]", {2, rows},
                                          width, Storage::sram);
    checksum_read_ = layout.pipe<std::int16_t>("resilience.checksum.weight.read", {}, width);
  }
}

// A bank holds the words of every lane, then those of the whole tile.
void WeightScratchpad::declare_parameters(RegisterLayout& layout) {
  parameters_ = layout.place_held<std::uint32_t>(2 * static_cast<std::size_t>(parameter_words_));
  const int lane_area = columns_ * format_.lane_words;
  RegisterClass c;
  c.path = "memory.parameter.bank[].lane[].word[]";
  c.extents = {2, columns_, format_.lane_words};
  c.strides = {parameter_words_, format_.lane_words, 1};
  c.width = 32;
  c.storage = Storage::sram;
  c.region = Region::held;
  c.offset = parameters_.offset;
  c.element_bytes = sizeof(std::uint32_t);
  layout.declare(c);
  c.path = "memory.parameter.bank[].tile_word[]";
  c.extents = {2, format_.tile_words};
  c.strides = {parameter_words_, 1};
  c.offset += sizeof(std::uint32_t) * static_cast<std::size_t>(lane_area);
  layout.declare(c);
}

void WeightScratchpad::step(const Cycle& cycle, const Dma& dma) {
  const SequencerState& s = sequencer_->state(cycle.now);
  const auto columns = static_cast<std::size_t>(columns_);
  const std::int64_t bank_row = s.weight_bank * rows_;

  std::int8_t* read = read_.next(cycle);
  const std::int32_t row = sequencer_->weight_row(s);
  const bool feed = row >= 0 && row < rows_;
  if (feed) {
    std::memcpy(read, weights_.at(cycle) + (bank_row + row) * columns_, columns);
  } else {
    std::memset(read, 0, columns);
  }
  if (has_checksum_) {
    *checksum_read_.next(cycle) = feed ? checksum_.at(cycle)[bank_row + row] : std::int16_t{0};
  }

  // Parameters: lane `count` in cycle `count` of setup, the tile's own words in the first.
  std::uint32_t* lane = lane_read_.next(cycle);
  std::uint32_t* tile = tile_read_.next(cycle);
  const auto lane_bytes = sizeof(std::uint32_t) * static_cast<std::size_t>(format_.lane_words);
  const auto tile_bytes = sizeof(std::uint32_t) * static_cast<std::size_t>(format_.tile_words);
  const std::uint32_t* bank = parameters_.at(cycle) + s.weight_bank * parameter_words_;
  const int taken = sequencer_->parameter_lane(s);
  std::memcpy(lane, taken >= 0 ? bank + taken * format_.lane_words : lane_read_.now(cycle),
              lane_bytes);
  std::memcpy(tile, taken == 0 ? bank + columns_ * format_.lane_words : tile_read_.now(cycle),
              tile_bytes);

  const DmaState& d = dma.state(cycle.now);
  if (d.data_valid != 0 && d.data_image == 0) write_beat(cycle, dma);
}

// A checksum weight travels as two bytes; the memory has the bits that its width says.
void WeightScratchpad::trim_checksum(const Cycle& cycle, std::int64_t bank_row) const {
  if (!has_checksum_) return;
  std::int16_t& word = checksum_.at(cycle)[bank_row];
  const int unused = 16 - checksum_width(columns_);
  word = static_cast<std::int16_t>(static_cast<std::int16_t>(word << unused) >> unused);
}

std::int64_t WeightScratchpad::taken(const std::byte* now, const Dma& dma) const {
  const DmaState& d = dma.state(now);
  if (d.data_valid == 0 || d.data_image != 0) return 0;
  const std::int64_t end =
      format_.header_bytes(columns_) + rows_ * (columns_ + (has_checksum_ ? 2 : 0));
  return std::clamp<std::int64_t>(end - d.data_address, 0, dma.count(now));
}

// Places a beat of the column tile's stream; see Transfer for its order.
void WeightScratchpad::write_beat(const Cycle& cycle, const Dma& dma) {
  const DmaState& d = dma.state(cycle.now);
  const std::uint8_t* data = dma.data(cycle.now);
  const std::int64_t header = format_.header_bytes(columns_);
  const std::int64_t stride = columns_ + (has_checksum_ ? 2 : 0);
  std::int64_t position = d.data_address;
  std::int64_t left = dma.count(cycle.now);
  while (left > 0) {  // piece by piece: header, weights of a row, its checksum weight
    std::uint8_t* target = nullptr;
    std::int64_t room = 0;
    if (position < header) {  // words are little endian, as the host is
      target =
          reinterpret_cast<std::uint8_t*>(parameters_.at(cycle) + d.data_bank * parameter_words_) +
          position;
      room = header - position;
    } else {
      const std::int64_t row = (position - header) / stride;
      const std::int64_t column = (position - header) % stride;
      if (row >= rows_) return;  // beyond the memory: dropped
      const std::int64_t bank_row = d.data_bank * rows_ + row;
      if (column < columns_) {
        target = reinterpret_cast<std::uint8_t*>(weights_.at(cycle) + bank_row * columns_ + column);
        room = columns_ - column;
      } else {
        target =
            reinterpret_cast<std::uint8_t*>(checksum_.at(cycle) + bank_row) + (column - columns_);
        room = stride - column;
      }
    }
    const std::int64_t count = std::min(room, left);
    std::memcpy(target, data, static_cast<std::size_t>(count));
    if (position >= header)
      trim_checksum(cycle, d.data_bank * rows_ + (position - header) / stride);
    data += count;
    position += count;
    left -= count;
  }
}

}  // namespace sagitta
