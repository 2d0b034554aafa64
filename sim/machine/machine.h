// The machine as plain clocked cores: the state, the blocks, and how they are wired. The SystemC
// top module (accelerator.h) clocks these same blocks through ports; campaigns call step().
//
// Order in a cycle: compute, commit, inject, observe (docs/faults.md). One step() computes the next
// cycle from the current one, observes the current one (faults included) and commits.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/counters.h"
#include "base/registers.h"
#include "machine/array/array.h"
#include "machine/array/array_copies.h"
#include "machine/control/sequencer.h"
#include "machine/memory/access.h"
#include "machine/memory/accumulator_buffer.h"
#include "machine/memory/activation_scratchpad.h"
#include "machine/memory/bank_arbiter.h"
#include "machine/memory/dma.h"
#include "machine/memory/partial_sums.h"
#include "machine/memory/vote_buffer.h"
#include "machine/memory/weight_scratchpad.h"
#include "machine/resilience/checker.h"
#include "machine/resilience/checksum.h"
#include "machine/resilience/column_checksum.h"
#include "machine/resilience/recompute.h"
#include "machine/vector/vector_unit.h"
#include "schedule/program.h"

namespace sagitta {

// A tile's first and last cycle in the array, both inclusive; see docs/machine.md.
struct TileRecord {
  int layer = 0;
  int row = 0;     // first output pixel
  int column = 0;  // first output channel
  int fold = 0;
  int pass = 0;  // of three
  std::int64_t start_cycle = 0;
  std::int64_t end_cycle = 0;
};

struct SuppressionRecord {
  int layer;
  int checker;           // its place in the chain
  std::int32_t address;  // element of the layer's result
  std::int32_t value;
  std::int32_t replacement;
};

// Called once a cycle with the state of that cycle, faults included. For measurement only.
class Machine;
class MachineObserver {
 public:
  virtual ~MachineObserver() = default;
  virtual void observe(const Machine& machine) = 0;
};

// Whether a machine has its data path, or only what decides when things happen.
//  - whole: every register.
//  - none: sequencer, DMA and the valid bits, tags and addresses of the drain path, stepped by the
//    same cores. Array, scratchpads and resilience unit stand still; the other registers of the
//    drain path are one lane wide and hold nothing of meaning. Cycles, tiles and counters equal the
//    whole machine's, but for what values decide: mismatches and suppressions are 0, and no result
//    reaches the host.
enum class DataPath : std::uint8_t { whole, none };

class Machine {
 public:
  explicit Machine(const Program& program, DataPath data_path = DataPath::whole);
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  // Reset, with a new image (program.input.elements() values, HWC) in DRAM. The image must outlive
  // the run; without one (nullptr) DRAM holds zeros.
  void reset(const std::int8_t* image);

  // One clock cycle without the SystemC kernel.
  void step();
  // Steps until done or until `budget` cycles have passed since reset; true when done.
  bool run(std::int64_t budget);

  bool done() const { return phase() == Phase::done; }
  Phase phase() const { return static_cast<Phase>(sequencer_.state(state_.now()).phase); }
  // Index of the layer at work: the number of layers before the first and after the last one.
  int layer() const;
  std::int64_t cycle() const { return cycle_; }

  const std::vector<std::int8_t>& logits() const { return logits_; }
  const std::vector<std::int32_t>& raw_output() const { return raw_output_; }

  const std::vector<LayerCounters>& counters() const { return counters_; }
  const std::vector<TileRecord>& tiles() const { return tiles_; }
  void record_tiles(bool on) { record_tiles_ = on; }
  const std::vector<SuppressionRecord>& suppressions() const { return suppressions_; }
  // Rows of sums or outputs that failed their check, or in which two arrays differed.
  std::int64_t mismatches() const;
  // What the host reads with the result: it may be wrong. Two arrays have differed, a tile that
  // runs again failed in its last try, or a word of a memory could not be corrected.
  bool uncorrected() const;
  void set_observer(MachineObserver* observer) { observer_ = observer; }

  // Everything that a later continuation needs, the host's side included.
  struct Snapshot {
    std::vector<std::byte> state;
    std::int64_t cycle = 0;
    std::vector<LayerCounters> counters;
    std::vector<SuppressionRecord> suppressions;
    std::vector<std::int8_t> logits;
    std::vector<std::int32_t> raw_output;
    std::size_t host_beats = 0;
    std::int64_t tile_began = 0;
  };
  void save(Snapshot& snapshot);
  // ... but for the held state, of which Snapshot::state then has nothing.
  void save_pipeline(Snapshot& snapshot);
  void restore(const Snapshot& snapshot);
  // Whether everything that decides the rest of the run is as in the snapshot: the state, and what
  // the host has received. Counts of past events may differ.
  bool equals(const Snapshot& snapshot) const;
  // Of these, what the host has received.
  bool host_equals(const Snapshot& snapshot) const;

  const Program& program() const { return *program_; }
  const RegisterLayout& layout() const { return layout_; }
  MachineState& state() { return state_; }
  const MachineState& state() const { return state_; }
  // To be called after the state was changed from outside.
  void touch();

  // The blocks, for the SystemC shells and for observers. One clock is: every step_* once, in any
  // order, then commit().
  const Sequencer& sequencer() const { return sequencer_; }
  const SequencerState& control() const { return sequencer_.state(state_.now()); }
  Dma& dma() { return dma_; }
  const Dma& dma() const { return dma_; }
  BankArbiter* arbiter() { return arbiter_ ? &*arbiter_ : nullptr; }
  // What the activation banks do in this cycle, or nullptr where every reader has a port.
  const BankGrant* bank_grant() const {
    return arbiter_ ? &arbiter_->grant(state_.now()) : nullptr;
  }
  bool reads_wait() const { return arbiter_ && arbiter_->grant(state_.now()).waits; }
  ActivationScratchpad& activations() { return activations_; }
  const ActivationScratchpad& activations() const { return activations_; }
  WeightScratchpad& weights() { return weights_; }
  VoteBuffer* votes() { return votes_ ? &*votes_ : nullptr; }
  const VoteBuffer* votes() const { return votes_ ? &*votes_ : nullptr; }
  PartialSums* partial_sums() { return partial_sums_ ? &*partial_sums_ : nullptr; }
  AccumulatorBuffer* accumulators() { return accumulators_ ? &*accumulators_ : nullptr; }
  Array& array() { return array_; }
  ArrayCopies* array_copies() { return array_copies_ ? &*array_copies_ : nullptr; }
  VectorUnit& vector() { return vector_; }
  const VectorUnit& vector() const { return vector_; }
  ChecksumDetector* checksum() { return checksum_ ? &*checksum_ : nullptr; }
  const ChecksumDetector* checksum() const { return checksum_ ? &*checksum_ : nullptr; }
  ColumnChecksum* columns() { return columns_ ? &*columns_ : nullptr; }
  const ColumnChecksum* columns() const { return columns_ ? &*columns_ : nullptr; }
  // Of sums and, behind them, of outputs.
  std::vector<std::unique_ptr<SumChecker>>& checkers() { return checkers_; }
  Recompute* recompute() { return recompute_ ? &*recompute_ : nullptr; }
  // A detector flags a row in this cycle, or finds the tile that is judged in it to be wrong; a
  // tile's run ends, and it is to run again.
  bool mismatch() {
    const bool wrong = columns_ ? judges() && columns_->wrong(state_.now()) : flagged();
    return wrong || copies_differ();
  }
  bool judges() const { return recompute_ && sequencer_.judges(control()); }
  bool again() { return recompute_ && recompute_->again(state_.now(), judges(), mismatch()); }
  // A row of sums that leaves at the top of the array (os), and a row of finished sums on its way
  // to the bias adder: that one, or in a layer with a stationary operand the partial-sum memory's;
  // and, with redundancy in time, what becomes of it there.
  SumVector leaving();
  SumVector finished();
  SumVector drained();
  // With redundancy in time: which of a tile's runs is at work, and a row of it that goes on.
  int pass() const { return recompute_ ? recompute_->pass(state_.now()) : 0; }
  bool goes_on() const { return !recompute_ || recompute_->last_pass(state_.now()); }
  // Input stationary: the channel whose parameters are being read, or -1.
  std::int32_t parameter_channel() const;
  // What leaves the resilience unit (or the bias adder, where there is none).
  // What the checker at this place of the chain looks at.
  SumVector checker_input(std::size_t index) const;
  SumVector checked() const;
  // What is written to the activation scratchpad: the vector unit's outputs, or what leaves the
  // checkers of outputs. Valid until the next call.
  WriteBack written() const;
  // For traces: what the memories and DRAM do in this cycle. To be asked before the step.
  void visit_memories(const MemoryVisitor& visit);
  std::vector<DramAccess> dram_accesses() const;

  Cycle cycle_view() { return state_.cycle(); }
  void commit();

  // Cycles that the checksum and the checkers add to the drain path: in all, and before
  // requantisation.
  static int unit_latency(const Program& program);
  static int sum_latency(const Program& program);
  // From a biased sum to its row's flag.
  static int detector_latency(const Program& program);
  // Input stationary: for each lane word the cycles from the bias register's load to that of the
  // register that takes it, further down the drain path. Otherwise empty.
  static std::vector<int> parameter_waits(const Program& program);

 private:
  bool folding() const;  // the layer at work has a stationary operand
  const Program& built_for() const { return narrow_ ? *narrow_ : *program_; }
  bool flagged() const;  // by the checksum
  // Two arrays differ in a row that leaves them.
  bool copies_differ() { return array_copies_ && array_copies_->differ(state_.now(), array_); }
  void save_host(Snapshot& snapshot) const;
  void step_drain_path(const Cycle& cycle);
  void count();
  void count_phase(const SequencerState& s, LayerCounters& c) const;
  void count_dma(const SequencerState& s, LayerCounters& c) const;
  std::int64_t corrected_now() const;
  void count_recompute(const SequencerState& s, LayerCounters& c);
  void capture_store(const SequencerState& s);
  void record_tile(const SequencerState& s);

  const Program* program_;
  std::optional<Program> narrow_;  // what the drain path is elaborated for, without a data path
  RegisterLayout layout_;
  Sequencer sequencer_;
  Dma dma_;
  ActivationScratchpad activations_;
  std::optional<BankArbiter> arbiter_;
  WeightScratchpad weights_;
  std::optional<AccumulatorBuffer> accumulators_;
  Array array_;
  std::optional<ArrayCopies> array_copies_;
  std::optional<PartialSums> partial_sums_;
  VectorUnit vector_;
  std::optional<ChecksumDetector> checksum_;
  std::optional<ColumnChecksum> columns_;
  std::vector<std::unique_ptr<SumChecker>> checkers_;
  std::size_t sum_checkers_;  // how many of them look at sums
  std::optional<Recompute> recompute_;
  std::optional<VoteBuffer> votes_;
  // Without a data path: in place of the resilience unit, and of its checkers of outputs.
  std::vector<SumStage> unit_delay_, output_delay_;
  MachineState state_;

  std::int64_t cycle_ = 0;
  std::vector<LayerCounters> counters_;
  std::vector<SuppressionRecord> suppressions_;
  std::vector<TileRecord> tiles_;
  bool record_tiles_ = false;
  MachineObserver* observer_ = nullptr;
  std::vector<std::int8_t> logits_;
  std::vector<std::int32_t> raw_output_;
  std::size_t host_beats_ = 0;
  mutable std::vector<std::int8_t> written_;  // by a checker of outputs, a byte each
  std::int64_t tile_began_ = 0;               // its present try: the first cycle
};

}  // namespace sagitta
