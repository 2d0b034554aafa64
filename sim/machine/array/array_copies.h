// Complete copies of the array side by side: they have the same inputs and, without faults, the
// same state. What they let out, the row at the top (os) or the sums aligned below the last row, is
// voted (three copies) or compared (two). A flip in a copy stays there until the register is
// written again, since nothing inside of it is voted.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/registers.h"
#include "machine/array/array.h"
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

// The further copies of a machine's array, and what stands behind them all.
class ArrayCopies {
 public:
  // As many as the program has arrays, less one.
  ArrayCopies(RegisterLayout& layout, const Program& program, const Sequencer& sequencer);

  // The further copies and the comparator; `first` is the array itself.
  void step(const Cycle& cycle, const std::int8_t* activations, const std::int8_t* weights,
            const ArrayControl& control, Array& first);
  void touch();

  std::vector<Array>& further() { return further_; }
  ArrayVoter* voter() { return voter_ ? &*voter_ : nullptr; }
  const ArrayComparator* comparator() const { return comparator_ ? &*comparator_ : nullptr; }

  // What leaves the arrays in this cycle: the voted sums, or those of `first`.
  ArrayOutput output(const std::byte* now, Array& first);
  // Two, of which a row of sums leaves in this cycle, differ in it.
  bool differ(const std::byte* now, Array& first);
  // A comparator's status.
  bool uncorrected(const std::byte* now) const {
    return comparator_ && comparator_->uncorrected(now);
  }

 private:
  ArrayOutput of(const std::byte* now, Array& array) const;

  bool os_, folds_;
  std::vector<Array> further_;
  std::optional<ArrayVoter> voter_;
  std::optional<ArrayComparator> comparator_;
};

}  // namespace sagitta
