// Two banks of feature maps: a layer reads one and writes the other. One read port a row of the
// array (im2col addressing: the sequencer's row registers plus the tap address), one port of
// `columns` consecutive elements for pooling and for the host.
#pragma once

#include <cstdint>

#include "base/registers.h"
#include "machine/control/sequencer.h"
#include "machine/memory/access.h"
#include "machine/memory/dma.h"
#include "schedule/program.h"

namespace sagitta {

// What the vector unit writes back: `lanes` elements from `address` on.
struct WriteBack {
  bool valid = false;
  std::int32_t address = 0;
  const std::int8_t* value = nullptr;
};

class ActivationScratchpad {
 public:
  ActivationScratchpad(RegisterLayout& layout, const Program& program, const Sequencer& sequencer);

  void step(const Cycle& cycle, const Dma& dma, const WriteBack& write);

  // Bytes of DMA's beat that fit into the memory.
  std::int64_t taken(const std::byte* now, const Dma& dma) const;

  // Read registers: one element a row, towards the skew registers.
  const std::int8_t* read(const std::byte* now) const { return read_.now(now); }
  // Read register of the wide port: pooling operands, or logits on their way to the host.
  const std::int8_t* vector(const std::byte* now) const { return vector_.now(now); }
  void accesses(const std::byte* now, const std::byte* held, const Dma& dma, const WriteBack& write,
                const MemoryVisitor& visit) const;
  // Contents, for tests and reports.
  const std::int8_t* bank(const std::byte* held, int which) const {
    return banks_.at(held) + which * bytes_;
  }

 private:
  void read_rows(const Cycle& cycle, const SequencerState& s);
  void read_vector(const Cycle& cycle, const SequencerState& s) const;

  const Sequencer* sequencer_;
  int rows_;
  int columns_;
  int logits_;
  bool raw_;
  std::int64_t bytes_;
  Held<std::int8_t> banks_;
  Pipe<std::int8_t> read_;
  Pipe<std::int8_t> vector_;
};

}  // namespace sagitta
