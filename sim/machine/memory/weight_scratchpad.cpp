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
      has_header_(program.has_data_header()),
      lanes_(program.array.weight_lanes()),
      rows_(program.memory.weight_rows),
      has_checksum_(program.checksum_bytes() > 0),
      checksum_width_(checksum_width(program.array.columns)),
      bias_sums_(channels_ && program.protection.checksum),
      format_(program.parameters),
      parameter_lanes_(std::max(channels_ ? static_cast<int>(program.memory.partial_rows) : 0,
                                program.array.only(Dataflow::is) ? 0 : program.array.columns)),
      parameter_words_(parameter_lanes_ * format_.lane_words + format_.tile_words),
      bound_bytes_(std::int64_t{4} * program.bound_rows * program.array.columns *
                   format_.neuron_words) {
  const int rows = static_cast<int>(rows_);
  const MemoryCode code = program.protection.memory_code;
  weights_ = layout.held<std::int8_t>("memory.weight.bank[].row[].lane[]", {2, rows, lanes_}, 8,
                                      Storage::sram);
  weight_check_ =
      CheckBits(layout, "memory.weight.bank[].row[].lane_check[]", {2, rows, lanes_}, code, 8);
  declare_parameters(layout, code);
  read_ = layout.pipe<std::int8_t>("memory.weight.read[]", {lanes_}, 8);
  declare_parameter_port(layout, waits);
  if (has_checksum_) {
    const int width = checksum_width_;
    checksum_ = layout.held<std::int16_t>("resilience.checksum.weight.bank[].row[]", {2, rows},
                                          width, Storage::sram);
    declare_checksum(layout, code);
    checksum_read_ = layout.pipe<std::int16_t>("resilience.checksum.weight.read", {}, width);
  }
  status_ = ReadStatus(layout, "memory.weight.uncorrected", code);
}

void WeightScratchpad::declare_checksum(RegisterLayout& layout, MemoryCode code) {
  if (code == MemoryCode::none) return;
  const int bytes = checksum_width_ > 8 ? 2 : 1;
  const auto check = layout.held<std::uint8_t>(
      "resilience.checksum.weight.bank[].row[].byte_check[]", {2, static_cast<int>(rows_), bytes},
      WordCode(code, 8).check_bits(), Storage::sram);
  checksum_check_[0] = CheckBits(check, code, 8);
  if (bytes > 1) checksum_check_[1] = CheckBits(check, code, checksum_width_ - 8);
}

// A bank holds the words of every lane, then those of the whole tile; where the number of channels
// varies, those of the tile come first.
void WeightScratchpad::declare_parameters(RegisterLayout& layout, MemoryCode code) {
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
  if (code == MemoryCode::none) return;
  const auto check = layout.place_held<std::uint8_t>(4 * parameters_.count);
  parameter_check_ = CheckBits(check, code, 8);
  c.width = WordCode(code, 8).check_bits();
  c.element_bytes = 1;
  c.path = "memory.parameter.bank[].lane[].word[].byte_check[]";
  c.extents = {2, parameter_lanes_, format_.lane_words, 4};
  c.strides = {4 * parameter_words_, 4 * format_.lane_words, 4, 1};
  c.offset = check.offset + 4 * static_cast<std::size_t>(lane_area());
  layout.declare(c);
  c.path = "memory.parameter.bank[].tile_word[].byte_check[]";
  c.extents = {2, format_.tile_words, 4};
  c.strides = {4 * parameter_words_, 4, 1};
  c.offset = check.offset + 4 * static_cast<std::size_t>(tile_area());
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
                                       std::int32_t channel) {
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
  if (parameter_check_.on()) {
    const std::int32_t first = s.weight_bank * parameter_words_;
    const bool used = by_channel(s) || read < sequencer_->lanes(s);
    for (int w = 0; w < format_.lane_words && read >= 0 && read < parameter_lanes_; ++w) {
      const std::int32_t place = first + lane_area() + read * format_.lane_words + w;
      lane[w] =
          check_word(cycle, static_cast<std::size_t>(place), lane[w], used && lane_word_used(s, w));
    }
    for (int w = 0; w < format_.tile_words && taken == 0; ++w) {
      const bool bias_sum = has_checksum_ && w == 0;  // not for sums by channel
      tile[w] = check_word(
          cycle, static_cast<std::size_t>(first) + static_cast<std::size_t>(tile_area() + w),
          tile[w], !(bias_sum && by_channel(s)));
    }
  }
  for (std::size_t w = 0; w < waiting_.size(); ++w) {
    const Pipe<std::uint32_t>& wait = waiting_[w];
    if (wait.count == 0) continue;
    wait.next(cycle)[0] = lane_read_.now(cycle)[w];
    if (w == 1) wait.next(cycle)[0] &= (1U << (kMantissaBits + kShiftBits)) - 1;
    std::memcpy(wait.next(cycle) + 1, wait.now(cycle), (wait.count - 1) * sizeof(std::uint32_t));
  }
}

// Of the sums of biases a channel's row takes one: that of a whole tile of pixels, or of the last.
bool WeightScratchpad::lane_word_used(const SequencerState& s, int word) const {
  if (!bias_sums_ || (word != 2 && word != 3)) return true;
  const bool whole = sequencer_->lanes(s) == sequencer_->columns();
  return by_channel(s) && whole == (word == 2);
}

// A parameter word as it leaves the memory, byte by byte.
std::uint32_t WeightScratchpad::check_word(const Cycle& cycle, std::size_t place,
                                           std::uint32_t word, bool used) {
  std::uint32_t checked = 0;
  for (unsigned byte = 0; byte < 4; ++byte) {
    const std::uint32_t stored = word >> 8 * byte & 0xFF;
    checked |= parameter_check_.read(cycle, 4 * place + byte, stored, used, status_) << 8 * byte;
  }
  return checked;
}

// The row in the read register: the weights of the tile's lanes or (is) of the fold's taps are
// used.
void WeightScratchpad::check_weights(const Cycle& cycle, const SequencerState& s,
                                     std::int64_t bank_row) {
  if (!weight_check_.on()) return;
  std::int8_t* read = read_.next(cycle);
  const bool is = sequencer_->dataflow(s) == Dataflow::is;
  const int used = is ? sequencer_->rows(s) : sequencer_->lanes(s);
  for (int lane = 0; lane < lanes_; ++lane) {
    const auto stored = static_cast<std::uint8_t>(read[lane]);
    const auto place = static_cast<std::size_t>(bank_row * lanes_ + lane);
    read[lane] =
        static_cast<std::int8_t>(weight_check_.read(cycle, place, stored, lane < used, status_));
  }
}

std::int16_t WeightScratchpad::read_checksum(const Cycle& cycle, const SequencerState& s,
                                             std::int64_t bank_row) {
  const std::int16_t word = checksum_.at(cycle)[bank_row];
  if (!checksum_check_[0].on()) return word;
  const auto stored = static_cast<std::uint16_t>(word);
  const bool used = sequencer_->dataflow(s) != Dataflow::is;
  const std::size_t bytes = checksum_width_ > 8 ? 2 : 1;
  const std::size_t place = static_cast<std::size_t>(bank_row) * bytes;
  std::uint32_t checked = checksum_check_[0].read(cycle, place, stored & 0xFFU, used, status_);
  if (bytes > 1) {
    const std::uint32_t upper = stored >> 8 & ((1U << (checksum_width_ - 8)) - 1);
    checked |= checksum_check_[1].read(cycle, place + 1, upper, used, status_) << 8;
  }
  const int unused = 16 - checksum_width_;
  return static_cast<std::int16_t>(static_cast<std::int16_t>(checked << unused) >> unused);
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
    check_weights(cycle, s, bank_row + row);
  } else {
    std::memset(read, 0, lanes);
  }
  if (has_checksum_) {
    *checksum_read_.next(cycle) = feed ? read_checksum(cycle, s, bank_row + row) : std::int16_t{0};
  }
  read_parameters(cycle, s, channel);
  status_.step(cycle);

  const DmaState& d = dma.state(cycle.now);
  if (d.data_valid == 0 || d.data_image != 0) return;
  write_beat(cycle, dma);
  if (weight_check_.on()) encode_beat(cycle, dma);
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
  const std::int64_t header = header_of(d);
  const std::int64_t parameters = std::min(header, 4 * std::int64_t{parameter_words_});
  const std::int64_t bounds = std::clamp<std::int64_t>(header - parameters, 0, bound_bytes_);
  const std::int64_t weights = rows_ * (lanes_ + (has_checksum_ ? 2 : 0));
  // Bytes of the beat in [from, to) of the column tile's stream.
  const auto within = [&](std::int64_t from, std::int64_t to) {
    const std::int64_t first = d.data_address;
    return std::max<std::int64_t>(0, std::min(to, first + dma.count(now)) - std::max(from, first));
  };
  return within(0, parameters + bounds) + within(header, header + weights);
}

void WeightScratchpad::encode_beat(const Cycle& cycle, const Dma& dma) const {
  const DmaState& d = dma.state(cycle.now);
  const std::uint8_t* data = dma.data(cycle.now);
  const std::int64_t header = header_of(d);
  const std::int64_t stride = lanes_ + (has_checksum_ ? 2 : 0);
  for (std::uint32_t i = 0; i < dma.count(cycle.now); ++i) {
    const std::int64_t at = std::int64_t{d.data_address} + i;
    const std::uint8_t byte = data[i];
    if (at < header) {
      if (at >= 4 * std::int64_t{parameter_words_}) continue;  // beyond the memory: dropped
      const std::int64_t place = 4 * std::int64_t{d.data_bank} * parameter_words_ + at;
      parameter_check_.write(cycle, static_cast<std::size_t>(place), byte);
      continue;
    }
    const std::int64_t row = (at - header) / stride;
    const std::int64_t column = (at - header) % stride;
    if (row >= rows_) return;
    const std::int64_t bank_row = d.data_bank * rows_ + row;
    if (column < lanes_) {
      weight_check_.write(cycle, static_cast<std::size_t>(bank_row * lanes_ + column), byte);
    } else if (column == lanes_) {
      const int bytes = checksum_width_ > 8 ? 2 : 1;
      checksum_check_[0].write(cycle, static_cast<std::size_t>(bank_row * bytes), byte);
    } else if (checksum_width_ > 8) {
      const auto upper = byte & ((1U << (checksum_width_ - 8)) - 1);
      checksum_check_[1].write(cycle, static_cast<std::size_t>(bank_row * 2 + 1), upper);
    }
  }
}

// Places a beat of the column tile's stream; see Transfer for its order.
void WeightScratchpad::write_beat(const Cycle& cycle, const Dma& dma) {
  const DmaState& d = dma.state(cycle.now);
  const std::uint8_t* data = dma.data(cycle.now);
  const std::int64_t header = header_of(d);
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
