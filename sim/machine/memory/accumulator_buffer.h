// Raw int32 results, for layers whose sums are wanted as they are (a bare matrix product).
// Elaborated only where the program has such a layer.
#pragma once

#include <cstdint>

#include "base/registers.h"
#include "machine/control/sequencer.h"
#include "machine/memory/access.h"
#include "machine/memory/check_bits.h"
#include "machine/vector/sum_stage.h"
#include "schedule/program.h"

namespace sagitta {

class AccumulatorBuffer {
 public:
  AccumulatorBuffer(RegisterLayout& layout, const Program& program, const Sequencer& sequencer);
  void step(const Cycle& cycle, const SumVector& checked);
  const std::int32_t* vector(const std::byte* now) const { return vector_.now(now); }
  void accesses(const std::byte* now, const std::byte* held, const SumVector& checked,
                const MemoryVisitor& visit) const;
  const ReadStatus& status() const { return status_; }

 private:
  const Sequencer* sequencer_;
  int columns_;
  int words_;
  Held<std::int32_t> bank_;
  CheckBits check_;
  ReadStatus status_;
  Pipe<std::int32_t> vector_;
};

}  // namespace sagitta
