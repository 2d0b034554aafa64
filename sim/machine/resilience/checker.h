// The checkers of the resilience unit: they look at a row of sums on the drain path and replace
// suspicious ones by zero, the value that means zero before requantisation.
//
//   RangeChecker     a sum outside its bounds                                       2 stages
//   GradientChecker  a sum whose two differences to its neighbouring lanes are both
//                    outside their bounds (Amarnath et al., IOLTS 2022)              4 stages
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/registers.h"
#include "machine/control/sequencer.h"
#include "machine/memory/weight_scratchpad.h"
#include "machine/vector/sum_stage.h"
#include "schedule/program.h"

namespace sagitta {

// One suppressed value, for telemetry: not part of the hardware.
struct Suppression {
  std::int32_t address;  // element of the layer's result
  std::int32_t value;    // what was suppressed
};

// The bounds registers of a checker: one pair, or one a lane (only is: one for the channel at
// hand). Only their own checker reads them.
class BoundsRegisters {
 public:
  // `word`: index of `low` within the lane's or the tile's parameter words.
  BoundsRegisters(RegisterLayout& layout, const std::string& path, const Program& program,
                  const Sequencer& sequencer, Granularity granularity, int word);
  bool outside(const Cycle& cycle, int lane, std::int64_t value) const {
    const int i = low_.count > 1 ? lane : 0;
    return value < low_.at(cycle)[i] || value > high_.at(cycle)[i];
  }
  void load(const Cycle& cycle, const SequencerState& s, const WeightScratchpad& weights) const;

 private:
  const Sequencer* sequencer_;
  Granularity granularity_;
  int word_;
  Held<std::int32_t> low_, high_;
};

// Cycles from a sum at a checker's input to its output, and the stage, counted from 1, in which it
// meets its bounds.
int latency(const Checker& checker);
int bounds_stage(const Checker& checker);

class SumChecker {
 public:
  virtual ~SumChecker() = default;
  virtual void step(const Cycle& cycle, const SumVector& input,
                    const WeightScratchpad& weights) = 0;
  virtual SumVector output(const std::byte* now) const = 0;
  const std::string& name() const { return name_; }  // of the block: "gradient"

  void touch() { idle_.touch(); }
  // What the last step suppressed; cleared by every step.
  const std::vector<Suppression>& suppressed() const { return suppressed_; }

 protected:
  explicit SumChecker(std::string name) : name_(std::move(name)) {}

  IdleSkip idle_;
  std::vector<Suppression> suppressed_;

 private:
  std::string name_;
};

// Checker `index` of the program's scheme. `word`: see BoundsRegisters.
std::unique_ptr<SumChecker> make_checker(RegisterLayout& layout, const Program& program,
                                         const Sequencer& sequencer, std::size_t index, int word);

class RangeChecker : public SumChecker {
 public:
  RangeChecker(RegisterLayout& layout, const Program& program, const Sequencer& sequencer,
               std::size_t index, int word);
  void step(const Cycle& cycle, const SumVector& input, const WeightScratchpad& weights) override;
  SumVector output(const std::byte* now) const override { return result_.view(now); }

 private:
  const Sequencer* sequencer_;
  Gate gate_;
  BoundsRegisters bounds_;
  SumStage latch_, result_;
};

class GradientChecker : public SumChecker {
 public:
  GradientChecker(RegisterLayout& layout, const Program& program, const Sequencer& sequencer,
                  std::size_t index, int word);
  void step(const Cycle& cycle, const SumVector& input, const WeightScratchpad& weights) override;
  SumVector output(const std::byte* now) const override { return result_.view(now); }

 private:
  const Sequencer* sequencer_;
  int columns_;
  Gate gate_;
  BoundsRegisters bounds_;
  SumStage latch_;
  SumStage difference_;
  Pipe<std::int64_t> gradient_;  // 33 bits: lane minus the lane before, circular over valid lanes
  SumStage compare_;
  Pipe<std::uint8_t> out_of_bounds_;
  SumStage result_;
};

}  // namespace sagitta
