// SystemC connections between blocks: a port reads the registers that another block shows in the
// current cycle. Registers change only when the clocked state commits, in the update phase, so the
// order in which modules run within a clock edge does not matter, as with sc_signal; but nothing is
// copied and no process is woken.
#pragma once

#include <functional>
#include <utility>

#include <systemc>

#include "machine/machine.h"

namespace sagitta {

template <typename View>
class WireIf : public virtual sc_core::sc_interface {
 public:
  virtual View read() const = 0;
};

// The producer's end of a wire.
template <typename View>
class Wire : public WireIf<View> {
 public:
  explicit Wire(std::function<View()> source) : source_(std::move(source)) {}
  View read() const override { return source_(); }

 private:
  std::function<View()> source_;
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
