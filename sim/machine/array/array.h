// The PE array, output stationary: pe[r][c] multiplies its own registers a and b and adds to acc;
// a moves right, b moves down, and sums leave upwards through row 0.
//
// With `copies` = 3 every PE has three copies of its registers and of its MAC, and a voter a
// register: the voted values feed the next state of all copies, so that a single upset lasts one
// cycle and is never seen.
#pragma once

#include <cstdint>
#include <vector>

#include "base/registers.h"
#include "machine/array/skew.h"
#include "machine/sequencer.h"
#include "schedule/program.h"

namespace sagitta {

class Array {
 public:
  Array(RegisterLayout& layout, const ArrayShape& shape, int copies);

  // `activations` (one a row) and `weights` (one a column) come from the scratchpads' read
  // registers; the skew registers are part of the array.
  void step(const Cycle& cycle, const std::int8_t* activations, const std::int8_t* weights,
            ArrayMode mode);

  // The row that leaves in this cycle: `columns` sums, voted where there are copies.
  const std::int32_t* sums(const std::byte* now);

  // The state was changed from outside (a fault, a restored snapshot).
  void touch() {
    quiet_cycles_ = 0;
    copies_may_differ_ = true;
  }

 private:
  bool quiet(const std::int8_t* activations, const std::int8_t* weights, ArrayMode mode);
  void vote(const std::byte* now);
  std::size_t pes() const { return static_cast<std::size_t>(rows_) * columns_; }

  int rows_;
  int columns_;
  int copies_;
  Skew<std::int8_t> skew_a_;
  Skew<std::int8_t> skew_b_;
  Pipe<std::int8_t> a_, b_;
  Pipe<std::int32_t> acc_;

  // Host-side bookkeeping that changes speed only, never values.
  int quiet_cycles_ = 0;           // cycles in which nothing but zeros entered
  bool copies_may_differ_ = true;  // a flip may have separated the copies
  std::vector<std::int8_t> voted_a_, voted_b_;
  std::vector<std::int32_t> voted_acc_;
  std::vector<std::int32_t> leaving_;  // the top row, voted
};

}  // namespace sagitta
