// The vector unit: bias at the head of the drain path, requantisation and activation behind the
// resilience unit; max pooling; average pooling and residual add, whose taps the requantiser's
// multipliers add up. One vector of `columns` lanes a cycle, no stalls. A lane has its own
// parameters; input stationary, where a vector is one channel, all lanes share one set, or in a
// mixture all sets take the same.
//
//   array row -> sum (bias added) -> [resilience unit] -> product -> output -> [...] -> scratchpad
//   scratchpad -> product (accumulates a pixel's taps) -> output -> [...] -> scratchpad
//   scratchpad -> pool -> output -> [...] -> scratchpad
//
// [...]: checkers at the output position, where there are any. If one of them has a gate, a check
// register of 8 bits beside the output registers takes the XOR over the valid lanes as they are
// computed; in the next cycle it is compared with the XOR over what the registers hold. Any flip of
// one output register fails, two flips of the same bit in two lanes pass.
#pragma once

#include <cstdint>
#include <vector>

#include "base/registers.h"
#include "machine/control/sequencer.h"
#include "machine/memory/activation_scratchpad.h"
#include "machine/memory/weight_scratchpad.h"
#include "machine/vector/sum_stage.h"
#include "schedule/program.h"

namespace sagitta {

class VectorUnit {
 public:
  VectorUnit(RegisterLayout& layout, const Program& program, const Sequencer& sequencer);

  // `row`: the sums that leave the array, or, where folds add up, the partial-sum memory;
  // `checked`: what leaves the resilience unit, or sums() where there is none;
  // `pool_operand`: the activation scratchpad's wide read register, a tap of each lane.
  void step(const Cycle& cycle, const SumVector& row, const SumVector& checked,
            const std::int8_t* pool_operand, const WeightScratchpad& weights);

  SumVector sums(const std::byte* now) const { return sum_.view(now); }
  WriteBack output(const std::byte* now) const {
    return {*output_valid_.now(now) != 0, *output_address_.now(now), output_.now(now)};
  }
  // The same towards a checker, with the flag of its check; in layers without a product there is
  // none. Valid until the next call.
  SumVector outputs(const std::byte* now) const;
  void touch() { idle_.touch(); }

  static constexpr int kProductBits = 56;

 private:
  void step_sum(const Cycle& cycle, const SumVector& row) const;
  void step_product(const Cycle& cycle, const SequencerState& s, const SumVector& checked,
                    const std::int8_t* operand) const;
  void step_output(const Cycle& cycle, const SequencerState& s) const;
  std::uint8_t check_of(const SequencerState& s, const std::int8_t* values) const;
  void step_pool(const Cycle& cycle, const SequencerState& s, const std::int8_t* operand) const;
  void load_parameters(const Cycle& cycle, const SequencerState& s,
                       const WeightScratchpad& weights) const;

  const Sequencer* sequencer_;
  int columns_;
  IdleSkip idle_;
  Held<std::int32_t> bias_;
  Held<std::uint32_t> mantissa_;
  Held<std::uint8_t> shift_;
  SumStage sum_;
  Pipe<std::int64_t> product_;
  Pipe<std::uint8_t> product_shift_;  // input stationary: of the channel whose products these are
  Pipe<std::uint8_t> product_valid_;
  Pipe<std::int32_t> product_address_;
  Pipe<std::int8_t> output_;
  Pipe<std::uint8_t> output_valid_;
  Pipe<std::int32_t> output_address_;
  Pipe<std::uint8_t> check_;                   // where a checker of outputs has a gate
  mutable std::vector<std::int32_t> widened_;  // not part of the hardware
  Pipe<std::int8_t> pool_;
};

}  // namespace sagitta
