// The PE array. In every dataflow pe[r][c] multiplies its own registers a and b.
//  - Output stationary: a moves right, b moves down, acc adds up in place, and sums leave upwards
//  through row 0.
//  - Weight stationary: a moves right, b stays, except while weights sink in from above; acc takes
//  the sum of the
//    PE above plus a * b, and sums leave below the last row, where delay registers align them.
//  - Input stationary: the same with a and b exchanged. a stays, except while activations rise from
//    below; b moves right.
//
// With overlap every PE has a second register and a `swap` bit, which moves right beside the
// operand that does. Output stationary it comes with product 0 of the next tile: the finished sum
// goes to `drain`, acc starts from the product, and the drain registers shift upwards behind it.
// Weight and input stationary it comes a cycle ahead of product 0: what has been loaded into `next`
// becomes the stationary operand.
//
// In a mixture the layer's dataflow, which comes with the control, says which of these a PE does;
// it has the registers of all. Load enables, swap bits, skew and deskew registers move on in every
// layer; `next` rests while outputs are stationary, and `drain` while they are not.
//
// With `copies` = 3 every PE has three copies of its registers and a voter a register: the voted
// values feed the next state of all copies, so that a single upset lasts one cycle and is never
// seen. Whether it has one MAC or three makes no difference to the registers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/registers.h"
#include "machine/array/skew.h"
#include "machine/control/sequencer.h"
#include "schedule/program.h"

namespace sagitta {

class Array {
 public:
  // `block`: the first component of the registers' paths, "array" or that of a further copy.
  Array(RegisterLayout& layout, const ArrayShape& shape, int copies,
        const std::string& block = "array");

  // `activations` and `weights` come from the scratchpads' read registers: one a row of what moves
  // right, one a column of the other. The skew registers are part of the array.
  void step(const Cycle& cycle, const std::int8_t* activations, const std::int8_t* weights,
            const ArrayControl& control);

  // The row of sums that leaves in this cycle: `columns` of them, voted where there are copies.
  // Outputs stationary at the top, otherwise below the last row.
  const std::int32_t* top(const std::byte* now);
  const std::int32_t* aligned(const std::byte* now);

  // The state was changed from outside (a fault, a restored snapshot).
  void touch() {
    quiet_cycles_ = 0;
    copies_may_differ_ = true;
  }

 private:
  // A cycle's registers of all PEs, voted where there are copies.
  struct Pes {
    const std::int8_t *a, *b;
    const std::int32_t* acc;
    // With overlap.
    const std::uint8_t* swap;
    const std::int32_t* drain;  // os
    const std::int8_t* next;    // ws, is
  };
  Pes pes_now(const Cycle& cycle);

  bool quiet(const std::int8_t* activations, const std::int8_t* weights,
             const ArrayControl& control);
  void step_outputs(const Cycle& cycle, const Pes& now, const std::int8_t* weights, ArrayMode mode);
  void step_drain(const Cycle& cycle, const Pes& now, bool shift);
  void step_stationary(const Cycle& cycle, const Pes& now, const std::int8_t* entering,
                       bool load) const;
  void step_loads(const Cycle& cycle, bool load) const;
  void hold_second(const Cycle& cycle, const Pes& now) const;
  void copy_registers(const Cycle& cycle) const;
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
  int activation_lanes_, weight_lanes_;
  Skew<std::int8_t> skew_a_;
  Skew<std::int8_t> skew_b_;
  Pipe<std::int8_t> a_, b_;
  Pipe<std::int32_t> acc_;
  // Overlap.
  bool overlap_;
  std::optional<Skew<std::uint8_t>> skew_swap_;
  Pipe<std::uint8_t> swap_;
  Pipe<std::int32_t> drain_;
  Pipe<std::int8_t> next_;
  // Weight or input stationary.
  Pipe<std::uint8_t> load_;  // of columns 1 and up
  std::optional<Skew<std::int32_t>> deskew_;

  // Host-side bookkeeping that changes speed only, never values.
  Dataflow dataflow_;              // of the last step's layer
  int quiet_cycles_ = 0;           // cycles in which nothing but zeros entered
  bool copies_may_differ_ = true;  // a flip may have separated the copies
  std::vector<std::int8_t> voted_a_, voted_b_, voted_next_;
  std::vector<std::uint8_t> voted_swap_;
  std::vector<std::int32_t> voted_acc_, voted_drain_;
  std::vector<std::uint8_t> swap_in_;  // one a row
  std::vector<std::int32_t> kept_;     // accumulators, but zero where a sum is handed over
  std::vector<std::int32_t> bottom_;   // the last row, voted
  std::vector<std::int32_t> leaving_;  // the row that leaves at the top, voted
  std::vector<std::int32_t> aligned_;  // ... below the last row
  std::vector<std::int32_t> zeros_;
  std::vector<std::int8_t> entering_;  // stationary operands at the columns' edge
};

}  // namespace sagitta
