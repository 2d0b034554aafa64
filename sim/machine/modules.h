// The blocks as SystemC modules: a clock, ports, and one SC_METHOD that hands the ports to the
// block's plain core. Read this beside accelerator.cpp, which wires them.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include <systemc>

#include "machine/array_modules.h"
#include "machine/block.h"
#include "machine/wire.h"

namespace sagitta {

class SequencerModule : public Block {
 public:
  InWire<const DmaState*> dma{"dma"};
  // Activations wait for their banks. Unbound where every reader has a port.
  sc_core::sc_port<WireIf<bool>, 1, sc_core::SC_ZERO_OR_MORE_BOUND> reads_wait{"reads_wait"};
  // The tile that is judged runs again. Unbound where none ever does.
  sc_core::sc_port<WireIf<bool>, 1, sc_core::SC_ZERO_OR_MORE_BOUND> again{"again"};
  OutWire<ControlView> control{"control"};
  SequencerModule(const sc_core::sc_module_name& name, ClockedState& state, Machine& machine)
      : Block(name, state),
        core_(machine.sequencer()),
        control_(machine, [](Machine& m) { return &m.control(); }) {
    control(control_);
  }

 private:
  void step(const Cycle& cycle) override {
    core_.step(cycle, dma->read()->done, reads_wait.size() > 0 && reads_wait->read(),
               again.size() > 0 && again->read());
  }
  const Sequencer& core_;
  Wire<ControlView> control_;
};

class DmaModule : public Block {
 public:
  InWire<ControlView> control{"control"};
  OutWire<const DmaState*> status{"status"};
  OutWire<const Dma*> beats{"beats"};  // the data register, with its address and target
  DmaModule(const sc_core::sc_module_name& name, ClockedState& state, Machine& machine)
      : Block(name, state),
        core_(machine.dma()),
        status_(machine, [](Machine& m) { return &m.dma().state(m.state().now()); }),
        beats_(machine, [](Machine& m) -> const Dma* { return &m.dma(); }) {
    status(status_);
    beats(beats_);
  }

 private:
  void step(const Cycle& cycle) override { core_.step(cycle, *control->read()); }
  Dma& core_;
  Wire<const DmaState*> status_;
  Wire<const Dma*> beats_;
};

class BankArbiterModule : public Block {
 public:
  OutWire<const BankGrant*> grant{"grant"};
  OutWire<bool> reads_wait{"reads_wait"};
  BankArbiterModule(const sc_core::sc_module_name& name, ClockedState& state, Machine& machine)
      : Block(name, state),
        core_(*machine.arbiter()),
        grant_(machine, [](Machine& m) { return m.bank_grant(); }),
        reads_wait_(machine, [](Machine& m) { return m.reads_wait(); }) {
    grant(grant_);
    reads_wait(reads_wait_);
  }

 private:
  void step(const Cycle& cycle) override { core_.step(cycle); }
  BankArbiter& core_;
  Wire<const BankGrant*> grant_;
  Wire<bool> reads_wait_;
};

class ActivationScratchpadModule : public Block {
 public:
  InWire<const Dma*> dma{"dma"};
  InWire<WriteBack> write{"write"};
  // What the banks deliver. Unbound where every reader has a port.
  sc_core::sc_port<WireIf<const BankGrant*>, 1, sc_core::SC_ZERO_OR_MORE_BOUND> grant{"grant"};
  OutWire<BytesView> rows{"rows"};      // one element a row of the array
  OutWire<BytesView> vector{"vector"};  // `columns` consecutive elements
  ActivationScratchpadModule(const sc_core::sc_module_name& name, ClockedState& state,
                             Machine& machine)
      : Block(name, state),
        core_(machine.activations()),
        rows_(machine, [](Machine& m) { return m.activations().read(m.state().now()); }),
        vector_(machine, [](Machine& m) { return m.activations().vector(m.state().now()); }) {
    rows(rows_);
    vector(vector_);
  }

 private:
  void step(const Cycle& cycle) override {
    core_.step(cycle, *dma->read(), write->read(), grant.size() > 0 ? grant->read() : nullptr);
  }
  ActivationScratchpad& core_;
  Wire<BytesView> rows_;
  Wire<BytesView> vector_;
};

class WeightScratchpadModule : public Block {
 public:
  InWire<const Dma*> dma{"dma"};
  // The channel whose parameters are to be read. Unbound but where inputs are stationary.
  sc_core::sc_port<WireIf<std::int32_t>, 1, sc_core::SC_ZERO_OR_MORE_BOUND> channel{"channel"};
  sc_core::sc_port<WireIf<bool>, 1, sc_core::SC_ZERO_OR_MORE_BOUND> reads_wait{"reads_wait"};
  OutWire<BytesView> row{"row"};
  OutWire<const WeightScratchpad*> parameters{"parameters"};  // read registers of that port
  WeightScratchpadModule(const sc_core::sc_module_name& name, ClockedState& state, Machine& machine)
      : Block(name, state),
        core_(machine.weights()),
        row_(machine, [](Machine& m) { return m.weights().read(m.state().now()); }),
        parameters_(machine, [](Machine& m) -> const WeightScratchpad* { return &m.weights(); }) {
    row(row_);
    parameters(parameters_);
  }

 private:
  void step(const Cycle& cycle) override {
    core_.step(cycle, *dma->read(), channel.size() > 0 ? channel->read() : -1,
               reads_wait.size() > 0 && reads_wait->read());
  }
  WeightScratchpad& core_;
  Wire<BytesView> row_;
  Wire<const WeightScratchpad*> parameters_;
};

class PartialSumsModule : public Block {
 public:
  InWire<SumsView> aligned{"aligned"};
  InWire<ControlView> control{"control"};
  sc_core::sc_port<WireIf<bool>, 1, sc_core::SC_ZERO_OR_MORE_BOUND> again{"again"};
  // Finished sums; of a mixture's output-stationary layers the row that leaves the array.
  OutWire<SumVector> finished{"finished"};
  OutWire<std::int32_t> channel{"channel"};  // input stationary: whose sums come next
  PartialSumsModule(const sc_core::sc_module_name& name, ClockedState& state, Machine& machine)
      : Block(name, state),
        core_(*machine.partial_sums()),
        sequencer_(machine.sequencer()),
        finished_(machine, [](Machine& m) { return m.finished(); }),
        channel_(machine, [](Machine& m) { return m.parameter_channel(); }) {
    finished(finished_);
    channel(channel_);
  }

 private:
  void step(const Cycle& cycle) override {
    core_.step(cycle, aligned->read(), sequencer_.judges(*control->read()),
               again.size() > 0 && again->read());
  }
  PartialSums& core_;
  const Sequencer& sequencer_;
  Wire<SumVector> finished_;
  Wire<std::int32_t> channel_;
};

// Redundancy in time: between the array or the partial sums and the bias adder.
class VoteBufferModule : public Block {
 public:
  InWire<SumVector> row{"row"};
  InWire<ControlView> control{"control"};
  InWire<int> pass{"pass"};
  OutWire<SumVector> voted{"voted"};
  VoteBufferModule(const sc_core::sc_module_name& name, ClockedState& state, Machine& machine)
      : Block(name, state),
        core_(*machine.votes()),
        sequencer_(machine.sequencer()),
        voted_(machine, [](Machine& m) { return m.drained(); }) {
    voted(voted_);
  }

 private:
  void step(const Cycle& cycle) override {
    core_.step(cycle, row->read(), pass->read(), sequencer_.judges(*control->read()));
  }
  VoteBuffer& core_;
  const Sequencer& sequencer_;
  Wire<SumVector> voted_;
};

class VectorUnitModule : public Block {
 public:
  InWire<SumVector> row{"row"};
  InWire<SumVector> checked{"checked"};
  InWire<BytesView> pool{"pool"};
  InWire<const WeightScratchpad*> parameters{"parameters"};
  OutWire<SumVector> sums{"sums"};
  OutWire<WriteBack> output{"output"};
  OutWire<SumVector> outputs{"outputs"};  // the same towards a checker, with the flag of its check
  VectorUnitModule(const sc_core::sc_module_name& name, ClockedState& state, Machine& machine)
      : Block(name, state),
        core_(machine.vector()),
        sums_(machine, [](Machine& m) { return m.vector().sums(m.state().now()); }),
        output_(machine, [](Machine& m) { return m.vector().output(m.state().now()); }),
        outputs_(machine, [](Machine& m) { return m.vector().outputs(m.state().now()); }) {
    sums(sums_);
    output(output_);
    outputs(outputs_);
  }

 private:
  void step(const Cycle& cycle) override {
    core_.step(cycle, row->read(), checked->read(), pool->read(), *parameters->read());
  }
  VectorUnit& core_;
  Wire<SumVector> sums_;
  Wire<WriteBack> output_;
  Wire<SumVector> outputs_;
};

class ChecksumModule : public Block {
 public:
  InWire<BytesView> activations{"activations"};
  InWire<const WeightScratchpad*> weights{"weights"};
  InWire<SumVector> leaving{"leaving"};  // the row on its way to the bias adder
  InWire<SumVector> input{"input"};
  OutWire<SumVector> output{"output"};
  OutWire<std::int32_t> difference{"difference"};  // of columns with checksums
  ChecksumModule(const sc_core::sc_module_name& name, ClockedState& state, Machine& machine)
      : Block(name, state),
        core_(*machine.checksum()),
        output_(machine, [](Machine& m) { return m.checksum()->output(m.state().now()); }),
        difference_(machine, [](Machine& m) { return m.checksum()->difference(m.state().now()); }) {
    output(output_);
    difference(difference_);
  }

 private:
  void step(const Cycle& cycle) override {
    core_.step(cycle, activations->read(), *weights->read(), leaving->read(), input->read());
  }
  ChecksumDetector& core_;
  Wire<SumVector> output_;
  Wire<std::int32_t> difference_;
};

// Rows of sums wait for the checksums of their columns.
class ColumnChecksumModule : public Block {
 public:
  InWire<BytesView> activations{"activations"};
  InWire<const WeightScratchpad*> weights{"weights"};
  InWire<SumVector> input{"input"};
  InWire<std::int32_t> difference{"difference"};
  // Unbound where tiles do not run again.
  sc_core::sc_port<WireIf<bool>, 1, sc_core::SC_ZERO_OR_MORE_BOUND> again{"again"};
  OutWire<SumVector> output{"output"};
  OutWire<bool> wrong{"wrong"};  // the tile that is judged in this cycle
  ColumnChecksumModule(const sc_core::sc_module_name& name, ClockedState& state, Machine& machine)
      : Block(name, state),
        core_(*machine.columns()),
        output_(machine, [](Machine& m) { return m.columns()->output(m.state().now()); }),
        wrong_(machine, [](Machine& m) { return m.columns()->wrong(m.state().now()); }) {
    output(output_);
    wrong(wrong_);
  }

 private:
  void step(const Cycle& cycle) override {
    core_.step(cycle, activations->read(), *weights->read(), input->read(), difference->read(),
               again.size() > 0 && again->read());
  }
  ColumnChecksum& core_;
  Wire<SumVector> output_;
  Wire<bool> wrong_;
};

// A checker, of sums or of outputs.
class CheckerModule : public Block {
 public:
  InWire<const WeightScratchpad*> parameters{"parameters"};
  InWire<SumVector> input{"input"};
  OutWire<SumVector> output{"output"};
  OutWire<WriteBack> written{"written"};  // of the last checker of outputs: what is written
  CheckerModule(const sc_core::sc_module_name& name, ClockedState& state, Machine& machine,
                SumChecker& core)
      : Block(name, state),
        core_(core),
        machine_(machine),
        output_(*this, [](CheckerModule& m) { return m.core_.output(m.machine_.state().now()); }),
        written_(machine, [](Machine& m) { return m.written(); }) {
    output(output_);
    written(written_);
  }

 private:
  void step(const Cycle& cycle) override { core_.step(cycle, input->read(), *parameters->read()); }
  SumChecker& core_;
  Machine& machine_;
  Wire<SumVector, CheckerModule> output_;
  Wire<WriteBack> written_;
};

// Judges tiles by the rows that the detector has flagged.
class RecomputeModule : public Block {
 public:
  InWire<ControlView> control{"control"};
  InWire<SumVector> checked{"checked"};  // a row with its flag
  // Unbound where there is one array, or are three.
  sc_core::sc_port<WireIf<bool>, 1, sc_core::SC_ZERO_OR_MORE_BOUND> copies_differ{"copies_differ"};
  // Of the checksums of columns, which then judge the tile; else unbound.
  sc_core::sc_port<WireIf<bool>, 1, sc_core::SC_ZERO_OR_MORE_BOUND> wrong{"wrong"};
  OutWire<bool> again{"again"};
  OutWire<int> pass{"pass"};
  RecomputeModule(const sc_core::sc_module_name& name, ClockedState& state, Machine& machine)
      : Block(name, state),
        core_(*machine.recompute()),
        sequencer_(machine.sequencer()),
        again_(machine, [](Machine& m) { return m.again(); }),
        pass_(machine, [](Machine& m) { return m.pass(); }) {
    again(again_);
    pass(pass_);
  }

 private:
  void step(const Cycle& cycle) override {
    const SumVector row = checked->read();
    const bool differ = copies_differ.size() > 0 && copies_differ->read();
    const bool judges = sequencer_.judges(*control->read());
    const bool flagged = wrong.size() > 0 ? judges && wrong->read() : row.valid && row.flagged;
    core_.step(cycle, judges, flagged || differ);
  }
  Recompute& core_;
  const Sequencer& sequencer_;
  Wire<bool> again_;
  Wire<int> pass_;
};

class AccumulatorBufferModule : public Block {
 public:
  InWire<SumVector> input{"input"};
  AccumulatorBufferModule(const sc_core::sc_module_name& name, ClockedState& state,
                          Machine& machine)
      : Block(name, state), core_(*machine.accumulators()) {}

 private:
  void step(const Cycle& cycle) override { core_.step(cycle, input->read()); }
  AccumulatorBuffer& core_;
};

// Flips bits between two clock edges: after the edge that starts the cycle, before the next.
class InjectorModule : public sc_core::sc_module, public BetweenEdgesIf {
 public:
  // Called in every cycle until it returns false; it does the flips of that cycle.
  using Strike = std::function<bool()>;

  explicit InjectorModule(const sc_core::sc_module_name& name) : sc_module(name) {}

  // Replaces what was armed before; an empty one disarms.
  void arm(Strike strike) { strike_ = std::move(strike); }

 private:
  void between_edges() override {
    if (strike_ && !strike_()) strike_ = nullptr;
  }

  Strike strike_;
};

}  // namespace sagitta
