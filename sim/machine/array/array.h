// The PE array. In every dataflow pe[r][c] multiplies its own registers a and b.
//  - Output stationary: a moves right, b moves down, acc adds up in place, and sums leave upwards
//  through row 0.
//  - Weight stationary: a moves right, b stays, except while weights sink in from above; acc takes
//  the sum of the
//    PE above plus a * b, and sums leave below the last row, where delay registers align them.
//  - Input stationary: the same with a and b exchanged. a stays, except while activations rise from
//    below; b moves right.
//
// With `copies` = 3 every PE has three copies of its registers and of its MAC, and a voter a
// register: the voted values feed the next state of all copies, so that a single upset lasts one
// cycle and is never seen.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/registers.h"
#include "machine/array/skew.h"
#include "machine/control/sequencer.h"
#include "schedule/program.h"

namespace sagitta {

class Array {
 public:
  Array(RegisterLayout& layout, const ArrayShape& shape, int copies);

  // `activations` and `weights` come from the scratchpads' read registers: one a row of what moves
  // right, one a column of the other. The skew registers are part of the array.
  // `mode` acts where outputs are stationary; `load`, where an operand is, says that it is to enter
  // column 0 (column c as many cycles later).
  void step(const Cycle& cycle, const std::int8_t* activations, const std::int8_t* weights,
            ArrayMode mode, bool load = false);

  // The row of sums that leaves in this cycle: `columns` of them, voted where there are copies.
  const std::int32_t* sums(const std::byte* now);

  // The state was changed from outside (a fault, a restored snapshot).
  void touch() {
    quiet_cycles_ = 0;
    copies_may_differ_ = true;
  }

 private:
  bool quiet(const std::int8_t* activations, const std::int8_t* weights, ArrayMode mode, bool load);
  void step_outputs(const Cycle& cycle, const std::int8_t* b, const std::int32_t* acc,
                    const std::int8_t* a, const std::int8_t* weights, ArrayMode mode) const;
  void step_stationary(const Cycle& cycle, const std::int8_t* stays, const std::int32_t* acc,
                       const std::int8_t* moves, const std::int8_t* entering, bool load) const;
  void load_stationary(const std::int8_t* stays, std::int8_t* next, const std::int8_t* entering,
                       const std::uint8_t* loads, bool load) const;
  // Activations move right (os, ws), or stay and rise from below (is).
  bool a_moves_right() const { return dataflow_ != Dataflow::is; }
  const std::int32_t* bottom(const std::byte* now);
  void vote(const std::byte* now);
  std::size_t pes() const { return static_cast<std::size_t>(rows_) * columns_; }

  int rows_;
  int columns_;
  int copies_;
  Dataflow dataflow_;
  Skew<std::int8_t> skew_a_;
  Skew<std::int8_t> skew_b_;
  Pipe<std::int8_t> a_, b_;
  Pipe<std::int32_t> acc_;
  // Weight or input stationary.
  Pipe<std::uint8_t> load_;  // of columns 1 and up
  std::optional<Skew<std::int32_t>> deskew_;

  // Host-side bookkeeping that changes speed only, never values.
  int quiet_cycles_ = 0;           // cycles in which nothing but zeros entered
  bool copies_may_differ_ = true;  // a flip may have separated the copies
  std::vector<std::int8_t> voted_a_, voted_b_;
  std::vector<std::int32_t> voted_acc_;
  std::vector<std::int32_t> bottom_;   // the last row, voted
  std::vector<std::int32_t> leaving_;  // the row that leaves, voted or aligned
  std::vector<std::int32_t> zeros_;
  std::vector<std::int8_t> entering_;  // stationary operands at the columns' edge
};

}  // namespace sagitta
