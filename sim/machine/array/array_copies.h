// Complete copies of the array side by side: they have the same inputs and, without faults, the
// same state. What they let out, the row at the top (os) or the sums aligned below the last row, is
// voted (three copies) or compared (two). A flip in a copy stays there until the register is
// written again, since nothing inside of it is voted.
#pragma once

#include <cstdint>
#include <vector>

#include "base/registers.h"
#include "machine/control/sequencer.h"
#include "schedule/program.h"

namespace sagitta {

// What one copy lets out in a cycle: `columns` sums each. Null where no layer uses it.
struct ArrayOutput {
  const std::int32_t* top = nullptr;
  const std::int32_t* aligned = nullptr;
};

// Majority of three, bit by bit, between the arrays and whatever reads their sums. Combinational:
// it has no registers and takes no cycle.
class ArrayVoter {
 public:
  explicit ArrayVoter(const ArrayShape& shape);
  // Valid until the next call.
  ArrayOutput vote(const ArrayOutput& x, const ArrayOutput& y, const ArrayOutput& z);

 private:
  std::vector<std::int32_t> top_, aligned_;
};

// Compares the rows of sums that leave two copies. The first copy's go on in any case. With
// `status` a row that differs sets a bit, which stays until reset and which the host reads with the
// result; without, tiles run again, and it has no registers (machine/resilience/recompute.h).
class ArrayComparator {
 public:
  ArrayComparator(RegisterLayout& layout, const Sequencer& sequencer, bool status);

  // A row of sums leaves the array in this cycle.
  bool row_leaves(const std::byte* now) const;
  // ... and the copies differ in a lane in use.
  bool mismatch(const std::byte* now, const ArrayOutput& x, const ArrayOutput& y) const;
  void step(const Cycle& cycle, bool mismatch) const;
  bool uncorrected(const std::byte* now) const {
    return uncorrected_.count > 0 && *uncorrected_.now(now) != 0;
  }

 private:
  const Sequencer* sequencer_;
  Pipe<std::uint8_t> uncorrected_;
};

}  // namespace sagitta
