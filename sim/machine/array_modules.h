// The array and its copies as SystemC modules, and what votes on the copies or compares them.
#pragma once

#include <cstddef>

#include <systemc>

#include "machine/block.h"
#include "machine/wire.h"

namespace sagitta {

class ArrayModule : public Block {
 public:
  InWire<BytesView> activations{"activations"};
  InWire<BytesView> weights{"weights"};
  InWire<ControlView> control{"control"};
  OutWire<SumsView> sums{"sums"};  // aligned below the last row; where an operand is stationary
  OutWire<SumVector> row{"row"};   // the row that leaves at the top, with its address
  ArrayModule(const sc_core::sc_module_name& name, ClockedState& state, Machine& machine,
              Array& core)
      : Block(name, state),
        core_(core),
        machine_(machine),
        sequencer_(machine.sequencer()),
        sums_(*this, [](ArrayModule& m) { return m.core_.aligned(m.machine_.state().now()); }),
        row_(*this, [](ArrayModule& m) { return m.leaving(); }) {
    sums(sums_);
    row(row_);
  }

 private:
  SumVector leaving() {
    const SequencerState& s = machine_.control();
    return {s.drain2 != 0, false, s.drain_address2, core_.top(machine_.state().now())};
  }
  void step(const Cycle& cycle) override {
    core_.step(cycle, activations->read(), weights->read(),
               sequencer_.array_control(*control->read()));
  }
  Array& core_;
  Machine& machine_;
  const Sequencer& sequencer_;  // how its registers are to be read
  Wire<SumsView, ArrayModule> sums_;
  Wire<SumVector, ArrayModule> row_;
};

// Ports for what copies of the array let out, one a copy.
struct ArrayCopyPorts {
  sc_core::sc_vector<InWire<SumsView>> sums;
  sc_core::sc_vector<InWire<SumVector>> row;
  bool folds, os;  // which of both the machine has layers for

  ArrayCopyPorts(std::size_t copies, const ArrayShape& shape)
      : sums("sums_of", copies),
        row("row_of", copies),
        folds(shape.folds()),
        os(shape.has(Dataflow::os)) {}
  void bind(std::size_t copy, ArrayModule& array) {
    sums[copy](array.sums);
    row[copy](array.row);
  }
  ArrayOutput of(std::size_t copy) {
    return {os ? row[copy]->read().value : nullptr, folds ? sums[copy]->read() : nullptr};
  }
};

// Between three copies of the array and what reads one; combinational.
class ArrayVoterModule : public sc_core::sc_module {
 public:
  ArrayCopyPorts copies;
  OutWire<SumsView> sums{"sums"};
  OutWire<SumVector> row{"row"};
  ArrayVoterModule(const sc_core::sc_module_name& name, Machine& machine)
      : sc_module(name),
        copies(3, machine.program().array),
        core_(*machine.array_copies()->voter()),
        sums_(*this, [](ArrayVoterModule& m) { return m.vote().aligned; }),
        row_(*this, [](ArrayVoterModule& m) { return m.voted_row(); }) {
    sums(sums_);
    row(row_);
  }

 private:
  ArrayOutput vote() { return core_.vote(copies.of(0), copies.of(1), copies.of(2)); }
  SumVector voted_row() {
    SumVector voted = copies.row[0]->read();
    voted.value = vote().top;
    return voted;
  }
  ArrayVoter& core_;
  Wire<SumsView, ArrayVoterModule> sums_;
  Wire<SumVector, ArrayVoterModule> row_;
};

class ArrayComparatorModule : public Block {
 public:
  ArrayCopyPorts copies;
  OutWire<bool> mismatch{"mismatch"};
  ArrayComparatorModule(const sc_core::sc_module_name& name, ClockedState& state, Machine& machine)
      : Block(name, state),
        copies(2, machine.program().array),
        core_(*machine.array_copies()->comparator()),
        machine_(machine),
        mismatch_(*this, [](ArrayComparatorModule& m) { return m.differ(); }) {
    mismatch(mismatch_);
  }

 private:
  bool differ() { return core_.mismatch(machine_.state().now(), copies.of(0), copies.of(1)); }
  void step(const Cycle& cycle) override { core_.step(cycle, differ()); }
  const ArrayComparator& core_;
  Machine& machine_;
  Wire<bool, ArrayComparatorModule> mismatch_;
};

}  // namespace sagitta
