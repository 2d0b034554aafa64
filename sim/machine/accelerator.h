// The accelerator: the top SystemC module. Its constructor is the block diagram.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <systemc>

#include "machine/clocked_machine.h"
#include "machine/machine.h"
#include "machine/modules.h"

namespace sagitta {

// SystemC elaborates once a process: make one Accelerator, then run it as often as needed.
class Accelerator : public sc_core::sc_module, public ClockedMachine {
 public:
  Accelerator(const sc_core::sc_module_name& name, const Program& program);

  Machine& machine() override { return machine_; }
  bool run(std::int64_t budget, InjectorModule::Strike strike = nullptr) override;

 private:
  void wire_further_arrays();

  Machine machine_;
  sc_core::sc_time period_;
  Clock clock_;
  ClockedState state_;

  SequencerModule sequencer_;
  DmaModule dma_;
  ActivationScratchpadModule activations_;
  WeightScratchpadModule weights_;
  ArrayModule array_;
  VectorUnitModule vector_;
  InjectorModule injector_;
  std::vector<std::unique_ptr<ArrayModule>> further_arrays_;
  std::unique_ptr<ArrayVoterModule> array_voter_;
  std::unique_ptr<ArrayComparatorModule> comparator_;
  std::unique_ptr<BankArbiterModule> arbiter_;
  std::unique_ptr<ChecksumModule> checksum_;
  std::unique_ptr<ColumnChecksumModule> columns_;
  std::vector<std::unique_ptr<CheckerModule>> checkers_;
  std::unique_ptr<RecomputeModule> recompute_;
  std::unique_ptr<VoteBufferModule> votes_;
  std::unique_ptr<PartialSumsModule> partial_sums_;
  std::unique_ptr<AccumulatorBufferModule> accumulators_;
};

}  // namespace sagitta
