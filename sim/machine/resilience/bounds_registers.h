// The bounds registers of a checker: one pair, or one a lane (only is: one for the channel at
// hand). Only their own checker reads them. Bounds a neuron lie in a memory of the checker's own,
// which DMA fills with each column tile and of which a row comes into the registers with each
// vector.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/registers.h"
#include "machine/control/sequencer.h"
#include "machine/memory/access.h"
#include "machine/memory/dma.h"
#include "machine/memory/weight_scratchpad.h"
#include "machine/resilience/checker.h"
#include "schedule/program.h"

namespace sagitta {

class BoundsRegisters {
 public:
  explicit BoundsRegisters(const CheckerPlace& place);
  Bounds of(const Cycle& cycle, int lane) const {
    const int i = low_.count > 1 ? lane : 0;
    return {low_.at(cycle)[i], high_.at(cycle)[i]};
  }
  // Behind everything that reads them in this cycle. `arrives`: in the next one the next vector is
  // where it meets its bounds.
  void load(const Cycle& cycle, const SequencerState& s, const WeightScratchpad& weights,
            bool arrives = false) const;
  // What the memory does in this cycle.
  void accesses(const std::byte* now, const std::byte* held, const SequencerState& s, bool arrives,
                const MemoryVisitor& visit) const;

 private:
  // The bounds that begin with this one of the parameter words.
  template <typename Word>
  Bounds bounds(const Word& word) const;
  bool reads(const SequencerState& s, bool arrives) const;
  void load_row(const Cycle& cycle, const SequencerState& s, bool arrives) const;
  void write_beat(const Cycle& cycle) const;
  // take(place in the memory, byte of the word, value) for each byte of a beat that belongs here.
  template <typename Take>
  void for_each_byte(const std::byte* now, const Take& take) const;

  const Sequencer* sequencer_;
  Granularity granularity_;
  Position position_;
  int word_;
  Held<std::int32_t> low_, high_;

  // Bounds a neuron.
  const Dma* dma_;
  ParameterFormat format_;
  int lanes_;
  int words_;  // of a lane: two, or one
  std::uint32_t rows_;
  std::string memory_name_;     // in traces
  Held<std::uint32_t> memory_;  // [bank][row][lane][word]
  Held<std::uint32_t> row_;     // of the next vector
};

}  // namespace sagitta
