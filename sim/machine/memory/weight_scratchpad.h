// Two banks that DMA fills, one column tile each: the parameters of the drain path and K rows of
// weights, with the checksum weight of each row where there is a detector. Input stationary a row
// holds the `array rows` weights of one channel and one fold, there are no checksum weights, and
// parameters are read channel by channel beside the finished sums. A mixture has rows as long as
// the longest of its dataflows needs, and a place for every parameter word of any.
#pragma once

#include <cstdint>
#include <vector>

#include "base/registers.h"
#include "machine/control/sequencer.h"
#include "machine/memory/access.h"
#include "machine/memory/check_bits.h"
#include "machine/memory/dma.h"
#include "schedule/program.h"

namespace sagitta {

class WeightScratchpad {
 public:
  // `waits`: input stationary, for each lane word the cycles that it waits for its vector to reach
  // the block which takes it; otherwise empty.
  WeightScratchpad(RegisterLayout& layout, const Program& program, const Sequencer& sequencer,
                   const std::vector<int>& waits);

  // `channel`: input stationary, whose parameters are read, or -1 (PartialSums::parameter_channel).
  // `reads_wait`: banks are still to deliver activations (Sequencer::step).
  void step(const Cycle& cycle, const Dma& dma, std::int32_t channel, bool reads_wait);

  // Of weights, checksum weights and parameters.
  const ReadStatus& status() const { return status_; }

  // Bytes of DMA's beat that fit into the memory.
  std::int64_t taken(const std::byte* now, const Dma& dma) const;

  // Read registers: one weight row towards the skew registers, and its checksum weight.
  const std::int8_t* read(const std::byte* now) const { return read_.now(now); }
  std::int16_t checksum_read(const std::byte* now) const {
    return has_checksum_ ? *checksum_read_.now(now) : std::int16_t{0};
  }
  // Read registers of the parameter port: one lane's words, and the words of the whole tile; they
  // are valid while the sequencer's param1 is 1 (tile words: for lane 0). Input stationary the lane
  // words are those of the channel that the reading block takes in the next cycle.
  std::uint32_t lane_word(const std::byte* now, int word) const {
    const auto w = static_cast<std::size_t>(word);
    if (waiting_.empty() || waiting_[w].count == 0 || !by_channel(sequencer_->state(now))) {
      return lane_read_.now(now)[w];
    }
    return waiting_[w].now(now)[waiting_[w].count - 1];
  }
  const std::uint32_t* tile_words(const std::byte* now) const { return tile_read_.now(now); }

  void accesses(const std::byte* now, const std::byte* held, const Dma& dma, std::int32_t channel,
                bool reads_wait, const MemoryVisitor& visit) const;

  // Width of a checksum weight: a sum of `columns` int8 values.
  static int checksum_width(int columns);

 private:
  void declare_parameters(RegisterLayout& layout, MemoryCode code);
  void declare_checksum(RegisterLayout& layout, MemoryCode code);
  void declare_parameter_port(RegisterLayout& layout, const std::vector<int>& waits);
  void read_parameters(const Cycle& cycle, const SequencerState& s, std::int32_t channel);
  void check_weights(const Cycle& cycle, const SequencerState& s, std::int64_t bank_row);
  std::int16_t read_checksum(const Cycle& cycle, const SequencerState& s, std::int64_t bank_row);
  std::uint32_t check_word(const Cycle& cycle, std::size_t place, std::uint32_t word, bool used);
  bool lane_word_used(const SequencerState& s, int word) const;
  void write_beat(const Cycle& cycle, const Dma& dma);
  void visit_beat(const std::byte* now, const Dma& dma, const MemoryVisitor& visit) const;
  void trim_checksum(const Cycle& cycle, std::int64_t bank_row) const;
  // Check bits of bytes that a beat has just written, from their places in the stream.
  void encode_beat(const Cycle& cycle, const Dma& dma) const;

  // Parameters accompany their channel.
  bool by_channel(const SequencerState& s) const {
    return channels_ && sequencer_->dataflow(s) == Dataflow::is;
  }
  // Bytes of the beat's transfer before its weights.
  std::int64_t header_of(const DmaState& d) const {
    return has_header_ ? d.data_header : format_.header_bytes(lanes_);
  }
  // Where in a bank the words of the lanes and of the tile begin.
  int lane_area() const { return channels_ ? format_.tile_words : 0; }
  int tile_area() const { return channels_ ? 0 : parameter_lanes_ * format_.lane_words; }

  const Sequencer* sequencer_;
  bool channels_;    // is: parameters of any number of channels, tile words first
  bool has_header_;  // the beat says where its transfer's weights begin
  int lanes_;        // weights a row
  std::int64_t rows_;
  bool has_checksum_;
  int checksum_width_;
  bool bias_sums_;  // is: lane words 2 and 3 are sums of biases, for the checksum
  ParameterFormat format_;
  int parameter_lanes_;       // a bank
  int parameter_words_;       // a bank
  std::int64_t bound_bytes_;  // a bank of bounds a neuron, which the checkers hold
  Held<std::int8_t> weights_;
  Held<std::int16_t> checksum_;
  Held<std::uint32_t> parameters_;
  // DMA writes single bytes, so each byte has check bits of its own.
  CheckBits weight_check_, parameter_check_;
  CheckBits checksum_check_[2];  // of the lower and the upper byte, side by side
  ReadStatus status_;
  Pipe<std::int8_t> read_;
  Pipe<std::int16_t> checksum_read_;
  Pipe<std::uint32_t> lane_read_;
  Pipe<std::uint32_t> tile_read_;
  std::vector<Pipe<std::uint32_t>> waiting_;  // by lane word
};

}  // namespace sagitta
