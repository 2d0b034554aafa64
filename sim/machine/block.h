// What every SystemC module around a clocked core is.
#pragma once

#include <cstdint>

#include <systemc>

#include "machine/wire.h"

namespace sagitta {

// What every clocked block has: the clock, and an SC_METHOD on its edge.
class Block : public sc_core::sc_module {
 public:
  ClockIn clock{"clock"};

 protected:
  SC_HAS_PROCESS(Block);
  Block(const sc_core::sc_module_name& name, ClockedState& state) : sc_module(name), state_(state) {
    SC_METHOD(on_clock);
    sensitive << clock;
    dont_initialize();
  }
  virtual void step(const Cycle& cycle) = 0;

 private:
  void on_clock() {
    step(state_.cycle());
    state_.request_commit();
  }
  ClockedState& state_;
};

using ControlView = const SequencerState*;
using BytesView = const std::int8_t*;
using SumsView = const std::int32_t*;

}  // namespace sagitta
