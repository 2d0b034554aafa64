// The accumulator buffer of a stationary operand: a row of `columns` partial sums for each output
// pixel of a part (is: for each output channel of the column tile), to which every fold adds. The
// last fold's sums go on to the vector unit.
#pragma once

#include <cstdint>

#include "base/registers.h"
#include "machine/control/sequencer.h"
#include "machine/memory/access.h"
#include "machine/vector/sum_stage.h"
#include "schedule/program.h"

namespace sagitta {

class PartialSums {
 public:
  PartialSums(RegisterLayout& layout, const Program& program, const Sequencer& sequencer);

  // `aligned`: the sums below the array, which the sequencer's tag describes. A row is read in the
  // cycle before its sums arrive and written in the one in which they do.
  // Where tiles may run again: `judges`, this part's fate is decided in this cycle; `again`, it
  // runs once more.
  void step(const Cycle& cycle, const std::int32_t* aligned, bool judges, bool again);

  // The row that is read for the next cycle, and the one whose sums arrive in this.
  std::uint32_t read_row(const std::byte* now) const { return *read_row_.now(now); }
  std::uint32_t row(const std::byte* now) const { return *row_.now(now); }

  // Input stationary: the channel of the column tile whose finished sums arrive in the next cycle,
  // or -1. Its parameters are read now.
  std::int32_t parameter_channel(const std::byte* now) const {
    constexpr std::uint8_t last = kTagValid | kTagLastFold;
    return (sequencer_->next_tag(now) & last) == last ? static_cast<std::int32_t>(read_row(now))
                                                      : -1;
  }
  void accesses(const std::byte* now, const std::byte* held, const std::int32_t* aligned,
                const MemoryVisitor& visit) const;

  // Finished sums on their way to the bias adder.
  SumVector output(const std::byte* now) const { return finished_.view(now); }

 private:
  const Sequencer* sequencer_;
  int columns_;
  std::uint32_t rows_;
  Held<std::int32_t> words_;
  Pipe<std::int32_t> read_;
  Pipe<std::uint32_t> read_row_, row_;
  Pipe<std::int32_t> address_;
  Pipe<std::int32_t> retry_address_;  // ws, where tiles may run again: of the part's first result
  SumStage finished_;
};

}  // namespace sagitta
