// Two banks that DMA fills, one column tile each: the parameters of the drain path and K rows of
// weights, with the checksum weight of each row where there is a detector.
#pragma once

#include <cstdint>

#include "base/registers.h"
#include "machine/control/sequencer.h"
#include "machine/memory/access.h"
#include "machine/memory/dma.h"
#include "schedule/program.h"

namespace sagitta {

class WeightScratchpad {
 public:
  WeightScratchpad(RegisterLayout& layout, const Program& program, const Sequencer& sequencer);

  void step(const Cycle& cycle, const Dma& dma);

  // Bytes of DMA's beat that fit into the memory.
  std::int64_t taken(const std::byte* now, const Dma& dma) const;

  // Read registers: one weight row towards the skew registers, and its checksum weight.
  const std::int8_t* read(const std::byte* now) const { return read_.now(now); }
  std::int16_t checksum_read(const std::byte* now) const {
    return has_checksum_ ? *checksum_read_.now(now) : std::int16_t{0};
  }
  // Read registers of the parameter port: one lane's words, and the words of the whole tile; they
  // are valid while the sequencer's param1 is 1 (tile words: for lane 0).
  const std::uint32_t* lane_words(const std::byte* now) const { return lane_read_.now(now); }
  const std::uint32_t* tile_words(const std::byte* now) const { return tile_read_.now(now); }

  void accesses(const std::byte* now, const std::byte* held, const Dma& dma,
                const MemoryVisitor& visit) const;

  // Width of a checksum weight: a sum of `columns` int8 values.
  static int checksum_width(int columns);

 private:
  void declare_parameters(RegisterLayout& layout);
  void write_beat(const Cycle& cycle, const Dma& dma);
  void trim_checksum(const Cycle& cycle, std::int64_t bank_row) const;

  const Sequencer* sequencer_;
  int columns_;
  std::int64_t rows_;
  bool has_checksum_;
  ParameterFormat format_;
  int parameter_words_;
  Held<std::int8_t> weights_;
  Held<std::int16_t> checksum_;
  Held<std::uint32_t> parameters_;
  Pipe<std::int8_t> read_;
  Pipe<std::int16_t> checksum_read_;
  Pipe<std::uint32_t> lane_read_;
  Pipe<std::uint32_t> tile_read_;
};

}  // namespace sagitta
