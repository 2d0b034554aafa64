// The checkers of the resilience unit: they look at a row of sums on the drain path, or behind the
// vector unit at a row of outputs, and replace suspicious ones, by the value that means zero or as
// their scheme says (schedule/protection.h). What is said of sums holds for outputs, too. In a
// layer without a product the checkers of outputs pass everything. Here is what they have in
// common; each kind is a file in checkers/, which tells the others about it through its CheckerType
// (checker_type.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/registers.h"
#include "machine/control/sequencer.h"
#include "machine/memory/access.h"
#include "machine/memory/dma.h"
#include "machine/memory/weight_scratchpad.h"
#include "machine/vector/sum_stage.h"
#include "schedule/program.h"

namespace sagitta {

// One suppressed value, for telemetry: not part of the hardware.
struct Suppression {
  std::int32_t address;  // of the vector's first lane in the result
  int lane;
  std::int32_t value;        // what was suppressed
  std::int32_t replacement;  // what took its place
};

// Where a checker is built into a machine: it is number `index` of the program's chain.
struct CheckerPlace {
  RegisterLayout& layout;
  const Program& program;
  const Sequencer& sequencer;
  const Dma& dma;
  std::size_t index;
  int word;  // index of its first bound within the lane's or the tile's parameter words, or a
             // neuron's

  const Checker& checker() const { return program.protection.checkers[index]; }
  std::string name() const { return checker_name(program.protection, index); }
  std::string path() const { return "resilience." + name(); }
  int lanes() const { return program.array.columns; }
  // What comes with the sums, and what of it a later checker reads.
  Beside flag() const { return beside(index); }
  Beside flag_behind() const { return beside(index + 1); }
  Beside beside(std::size_t first) const {
    const Protection& p = program.protection;
    const bool sums = checker().position == Position::sum;
    return {p.gated_from(first, checker().position), sums && p.cells_from(first)};
  }
  // One of its stages: a row of what it looks at.
  SumStage stage(const std::string& stage, Beside beside) const {
    return {layout, path() + "." + stage, lanes(), beside, checker().value_bits()};
  }
};

inline bool has_product(const SequencerState& s) {
  return s.config.operation == static_cast<std::uint8_t>(LayerOperation::gemm);
}

// Whether a checker may act. A gate of the layer has a register, which a flagged row sets and the
// next layer clears.
class CheckerGate {
 public:
  explicit CheckerGate(const CheckerPlace& place);
  bool open(const Cycle& cycle, const SequencerState& s, const SumVector& sums) const {
    if (outputs_ && !has_product(s)) return false;
    // Of cells it is open, and closed lane by lane (SumChecker::replace).
    return gate_ == Gate::always || gate_ == Gate::cell || sums.flagged ||
           (gate_ == Gate::layer && *open_.now(cycle) != 0);
  }
  // `sums`: what the checker decides on in this cycle.
  void step(const Cycle& cycle, const SequencerState& s, const SumVector& sums) const;

 private:
  Gate gate_;
  bool outputs_;
  Pipe<std::uint8_t> open_;
};

class SumChecker {
 public:
  virtual ~SumChecker() = default;
  virtual void step(const Cycle& cycle, const SumVector& input,
                    const WeightScratchpad& weights) = 0;
  virtual SumVector output(const std::byte* now) const = 0;
  // What a memory of its own does in this cycle, of which `s` is the state and `input` what comes.
  virtual void accesses(const std::byte* /*now*/, const std::byte* /*held*/,
                        const SequencerState& /*s*/, const SumVector& /*input*/,
                        const MemoryVisitor& /*visit*/) const {}
  const std::string& name() const { return name_; }  // of the block: "gradient"

  void touch() { idle_.touch(); }
  // What the last step suppressed; cleared by every step.
  const std::vector<Suppression>& suppressed() const { return suppressed_; }

 protected:
  explicit SumChecker(const CheckerPlace& place)
      : sequencer_(&place.sequencer),
        name_(place.name()),
        position_(place.checker().position),
        of_cells_(place.checker().gate == Gate::cell) {}
  // What means zero: of an output the layer's zero point.
  std::int32_t zero(const SequencerState& s) const {
    return position_ == Position::output ? s.config.output_zero_point : 0;
  }
  // Puts `value` into `lane` of `result` and notes that this one of `sums` is replaced; behind the
  // gate of a cell only in lanes that are such.
  void replace(std::int32_t* result, const SumVector& sums, int lane, std::int32_t value);

  const Sequencer* sequencer_;
  IdleSkip idle_;
  std::vector<Suppression> suppressed_;

 private:
  std::string name_;
  Position position_;
  bool of_cells_;
};

// The neighbours of a lane in the ring of the valid ones.
inline int lane_before(int lane, int lanes) {
  return lane > 0 ? lane - 1 : lanes - 1;
}
inline int lane_after(int lane, int lanes) {
  return lane + 1 < lanes ? lane + 1 : 0;
}
// Two lanes are each other's neighbours on both sides, and one its own.
inline constexpr int kFewestLanes = 3;

}  // namespace sagitta
