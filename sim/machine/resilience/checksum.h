// The error detector: one column of PEs whose weights are the row sums of the weight tile. For each
// GEMM row p the sum of the outputs must equal it modulo 2^32; the row's flag travels on with it.
//
// The column has skew registers of its own, so that a flip on the data path is not common to both.
// Its accumulators start from the sum of the biases. Where weights are stationary it has partial
// sums of its own, one a pixel, and delay registers as long as a row needs to cross the array. The
// row sum is a tree of ceil(log2 C) stages; the sums wait beside it in delay stages. Latency:
// ceil(log2 C) + 1.
//
// Input stationary the axes swap: a vector is one channel of up to C pixels, and the column's
// stationary operands are the sums of the pixels' activations. A second tree, of ceil(log2 C)
// stages, adds them up as they are loaded; weights and load enable wait as long, so that the column
// works as if it stood ceil(log2 C) columns into the array. The biases of a channel join at the
// end.
//
// In a mixture the column has what each of its dataflows needs. Its PEs keep two operand registers:
// `a`, 8 bits, moves down from PE to PE beside the array's rows, and `b` has the width of a sum of
// operands, also where those are activations.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/registers.h"
#include "machine/array/skew.h"
#include "machine/control/sequencer.h"
#include "machine/memory/check_bits.h"
#include "machine/memory/partial_sums.h"
#include "machine/memory/weight_scratchpad.h"
#include "machine/vector/sum_stage.h"
#include "schedule/program.h"

namespace sagitta {

class ChecksumDetector {
 public:
  // `partial_sums`: where a dataflow has a stationary operand.
  ChecksumDetector(RegisterLayout& layout, const Program& program, const Sequencer& sequencer,
                   const PartialSums* partial_sums);

  // `activations`: the scratchpad's read registers; `leaving`: the row of sums on its way to the
  // bias adder; `sums`: the vector unit's biased sums.
  void step(const Cycle& cycle, const std::int8_t* activations, const WeightScratchpad& weights,
            const SumVector& leaving, const SumVector& sums);

  SumVector output(const std::byte* now) const { return output_.view(now); }
  static int latency(int columns);
  // Where the columns have checksums: how much less the sums of output() are than they should be.
  std::int32_t difference(const std::byte* now) const { return *difference_.now(now); }
  void accesses(const std::byte* now, const std::byte* held, const MemoryVisitor& visit) const;
  void touch() { idle_.touch(); }
  const ReadStatus& status() const { return status_; }

 private:
  struct Level {
    Pipe<std::int32_t> tree;
    int entries;
    Pipe<std::int32_t> expected;
    SumStage delay;
  };

  void step_outputs(const Cycle& cycle, const ArrayControl& control, std::int16_t weight) const;
  void step_drain(const Cycle& cycle, bool shift) const;
  // Where an operand is stationary: `entering` and `load` are the column's own, at its edge.
  void step_stationary(const Cycle& cycle, bool load, std::int16_t entering) const;
  // What enters the column in a cycle.
  struct Edge {
    const std::int8_t* moves;  // one a row
    std::int16_t stays;
    bool load, swap;
  };
  Edge step_inputs(const Cycle& cycle, const std::int8_t* activations, const std::int8_t* weights,
                   const ArrayControl& control);
  void hold_second(const Cycle& cycle) const;
  void step_wait(const Cycle& cycle) const;
  // The sum below the column that belongs to the array's aligned ones.
  std::int32_t aligned(const std::byte* now) const;
  void step_swap(const Cycle& cycle, bool swap);
  void step_partial_sum(const Cycle& cycle);
  void step_tree(const Cycle& cycle, const SequencerState& s, bool leaving,
                 const SumVector& sums) const;

  const Sequencer* sequencer_;
  const PartialSums* partial_sums_;
  int rows_;
  int columns_;
  IdleSkip idle_;
  Dataflow dataflow_;  // not part of the hardware: of this cycle's layer
  bool inputs_;        // is
  Skew<std::int8_t> skew_;
  Pipe<std::int8_t> moves_;   // a; input stationary alone b
  Pipe<std::int16_t> stays_;  // b, which in os moves too; input stationary alone a
  Pipe<std::int32_t> acc_;
  // Overlap: the swap bits, and the second registers of the column's PEs.
  bool overlap_;
  std::optional<Skew<std::uint8_t>> skew_swap_;
  Pipe<std::uint8_t> swap_;
  Pipe<std::int32_t> drain_;           // os
  Pipe<std::int16_t> next_;            // ws, is
  std::vector<std::uint8_t> swap_in_;  // not part of the hardware: one a row
  Held<std::int32_t> bias_sum_;
  // Weight or input stationary: from the column's last PE to the finished sum.
  std::int64_t partial_rows_;
  Pipe<std::int32_t> wait_;
  std::size_t input_wait_ = 0;  // stages of it behind which is reads: the tree has taken the others
  Held<std::int32_t> partial_;
  CheckBits partial_check_;
  ReadStatus status_;
  Pipe<std::int32_t> partial_read_, finished_;
  // Input stationary: the sums of the activations that enter, by level, and what waits for them.
  std::vector<Pipe<std::int16_t>> input_tree_;
  Pipe<std::int8_t> late_weights_;
  Pipe<std::uint8_t> late_load_, late_swap_;
  Pipe<std::int32_t> expected_;  // beside the biased sums
  std::vector<Level> levels_;
  SumStage output_;
  Pipe<std::int32_t> difference_;
};

}  // namespace sagitta
