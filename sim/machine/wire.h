// The clock, and the connections between blocks: a port reads the registers that another block
// shows in the current cycle. Registers change only when the clocked state commits, in the update
// phase, so the order in which modules run within a clock edge does not matter, as with sc_signal;
// but nothing is copied and no process is woken.
#pragma once

#include <systemc>

#include "machine/machine.h"

namespace sagitta {

// What clocked modules are sensitive to: its event starts every step.
class ClockIf : public virtual sc_core::sc_interface {
 public:
  const sc_core::sc_event& default_event() const override = 0;
};
using ClockIn = sc_core::sc_port<ClockIf>;

// What happens between two clock edges, outside of the machine's own logic.
class BetweenEdgesIf : public virtual sc_core::sc_interface {
 public:
  virtual void between_edges() = 0;
};

// A self-timed clock: one activation a cycle. An sc_clock takes four (two edges of a bool signal),
// which at 16x16 is as much time as the whole machine needs.
class Clock : public sc_core::sc_module, public ClockIf {
 public:
  sc_core::sc_port<BetweenEdgesIf> injector{"injector"};

  SC_HAS_PROCESS(Clock);
  Clock(const sc_core::sc_module_name& name, const sc_core::sc_time& period)
      : sc_module(name), period_(period) {
    SC_METHOD(tick);
  }
  const sc_core::sc_event& default_event() const override { return edge_; }

 private:
  // Edges fall on whole periods; the process first runs at time zero, which is none. The modules
  // become runnable by the immediate notification, so nothing of this edge precedes the injector.
  void tick() {
    next_trigger(period_);
    if (sc_core::sc_time_stamp() == sc_core::SC_ZERO_TIME) return;
    injector->between_edges();
    edge_.notify();
  }

  sc_core::sc_time period_;
  sc_core::sc_event edge_;
};

template <typename View>
class WireIf : public virtual sc_core::sc_interface {
 public:
  virtual View read() const = 0;
};

// The producer's end of a wire: how to read the registers that it shows from their owner. A plain
// function, since every block reads its wires in every cycle.
template <typename View, typename Owner = Machine>
class Wire : public WireIf<View> {
 public:
  using Source = View (*)(Owner&);
  Wire(Owner& owner, Source source) : owner_(owner), source_(source) {}
  View read() const override { return source_(owner_); }

 private:
  Owner& owner_;
  Source source_;
};

template <typename View>
using InWire = sc_core::sc_port<WireIf<View>>;
template <typename View>
using OutWire = sc_core::sc_export<WireIf<View>>;

// The machine's registers as a primitive channel: modules write the next cycle during evaluation
// and ask for a commit; the update phase commits once, whoever asked.
class ClockedState : public sc_core::sc_prim_channel {
 public:
  ClockedState(const char* name, Machine& machine) : sc_prim_channel(name), machine_(machine) {}
  void request_commit() { request_update(); }
  Cycle cycle() { return machine_.cycle_view(); }

 private:
  void update() override {
    machine_.commit();
    if (machine_.done()) sc_core::sc_pause();
  }

  Machine& machine_;
};

}  // namespace sagitta
