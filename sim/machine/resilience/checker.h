// The checkers of the resilience unit: they look at a row of sums on the drain path and replace
// suspicious ones, by zero, the value that means zero before requantisation, or as their scheme
// says (schedule/protection.h).
//
//   RangeChecker     a sum outside its bounds                                       2 stages
//   GradientChecker  a sum whose two differences to its neighbouring lanes are both
//                    outside their bounds (Amarnath et al., IOLTS 2022)              4 stages
//   LineChecker      the same where the neighbours are the vectors before and after in a
//                    line of the output map                      4 stages, the third until
//                                                                the neighbour after is there
//   MedianFilter     every sum, by the median of itself and its neighbouring lanes   2 stages
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
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
  Bounds of(const Cycle& cycle, int lane) const {
    const int i = low_.count > 1 ? lane : 0;
    return {low_.at(cycle)[i], high_.at(cycle)[i]};
  }
  void load(const Cycle& cycle, const SequencerState& s, const WeightScratchpad& weights) const;

 private:
  const Sequencer* sequencer_;
  Granularity granularity_;
  int word_;
  Held<std::int32_t> low_, high_;
};

// Whether a checker may act. A gate of the layer has a register, which a flagged row sets and the
// next layer clears.
class CheckerGate {
 public:
  CheckerGate(RegisterLayout& layout, const std::string& path, Gate gate);
  bool open(const Cycle& cycle, const SumVector& sums) const {
    return gate_ == Gate::always || sums.flagged ||
           (gate_ == Gate::layer && *open_.now(cycle) != 0);
  }
  // `sums`: what the checker decides on in this cycle.
  void step(const Cycle& cycle, const SequencerState& s, const SumVector& sums) const;

 private:
  Gate gate_;
  Pipe<std::uint8_t> open_;
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
  // Notes that `lane` of `sums` is replaced.
  void suppress(const SumVector& sums, int lane, std::int32_t lane_step);

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
  bool clamps_;
  CheckerGate gate_;
  BoundsRegisters bounds_;
  SumStage latch_, result_;
};

// What a gradient checker does with two differences, whichever axis they lie on.
class GradientRule {
 public:
  explicit GradientRule(const Checker& scheme)
      : spike_(scheme.spike),
        suppress_(scheme.suppress),
        directed_(scheme.spike || scheme.suppress == Suppress::clamp) {}
  // A difference is out of bounds: one bit, or below (bit 0) and above (bit 1).
  int out_bits() const { return directed_ ? 2 : 1; }
  std::uint8_t out(std::int64_t difference, const Bounds& bounds) const;
  // `out` of the difference to the neighbour before, and of that from it to the neighbour after.
  bool blamed(std::uint8_t out, std::uint8_t out_after) const;
  std::int32_t replacement(std::int32_t before, std::int32_t after, std::uint8_t out,
                           const Bounds& bounds) const;

 private:
  bool spike_;
  Suppress suppress_;
  bool directed_;
};

class GradientChecker : public SumChecker {
 public:
  GradientChecker(RegisterLayout& layout, const Program& program, const Sequencer& sequencer,
                  std::size_t index, int word);
  void step(const Cycle& cycle, const SumVector& input, const WeightScratchpad& weights) override;
  SumVector output(const std::byte* now) const override { return result_.view(now); }

 private:
  void step_result(const Cycle& cycle, const SumVector& compared, int lanes,
                   std::int32_t lane_step);

  const Sequencer* sequencer_;
  int columns_;
  GradientRule rule_;
  CheckerGate gate_;
  BoundsRegisters bounds_;
  SumStage latch_;
  SumStage difference_;
  Pipe<std::int64_t> gradient_;  // 33 bits: lane minus the lane before, circular over valid lanes
  SumStage compare_;
  Pipe<std::uint8_t> out_of_bounds_;
  SumStage result_;
};

class LineChecker : public SumChecker {
 public:
  LineChecker(RegisterLayout& layout, const Program& program, const Sequencer& sequencer,
              std::size_t index, int word);
  void step(const Cycle& cycle, const SumVector& input, const WeightScratchpad& weights) override;
  SumVector output(const std::byte* now) const override { return result_.view(now); }

 private:
  void step_position(const Cycle& cycle, const SequencerState& s, bool enters) const;
  void step_stages(const Cycle& cycle, const SequencerState& s, const SumVector& input,
                   const SumVector& leaving);
  void step_result(const Cycle& cycle, const SumVector& leaving, int lanes, std::int32_t lane_step);

  const Sequencer* sequencer_;
  GradientRule rule_;
  CheckerGate gate_;
  BoundsRegisters bounds_;
  Pipe<std::uint32_t> position_;  // in its line, of the next vector
  // Each with: is it the line's first (bit 0), its last (bit 1).
  SumStage latch_;
  Pipe<std::uint8_t> latch_edge_;
  SumStage difference_;
  Pipe<std::int64_t> gradient_;  // 33 bits: to the vector before, which stands here until then
  Pipe<std::uint8_t> difference_edge_;
  SumStage compare_;
  Pipe<std::uint8_t> out_of_bounds_;  // of a line's first: 0
  Pipe<std::uint8_t> compare_last_;
  Pipe<std::int32_t> previous_;  // the vector before; where it may take the place of this one
  SumStage result_;
};

class MedianFilter : public SumChecker {
 public:
  MedianFilter(RegisterLayout& layout, const Program& program, const Sequencer& sequencer,
               std::size_t index);
  void step(const Cycle& cycle, const SumVector& input, const WeightScratchpad& weights) override;
  SumVector output(const std::byte* now) const override { return result_.view(now); }

 private:
  const Sequencer* sequencer_;
  CheckerGate gate_;
  SumStage latch_, result_;
};

}  // namespace sagitta
