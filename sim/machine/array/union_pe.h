// A mixture's PE, one module a PE as in pe_array.h: it has the registers of every dataflow, and the
// layer's dataflow says how they move.
#pragma once

#include <cstdint>

#include <systemc>

#include "machine/array/pe_registers.h"
#include "schedule/program.h"

namespace sagitta {

class UnionPe : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clock{"clock"};
  sc_core::sc_in<std::uint8_t> dataflow{"dataflow"};  // Dataflow, the layer's
  sc_core::sc_in<std::uint8_t> mode{"mode"};          // ArrayMode; os without overlap
  sc_core::sc_in<bool> load{"load"};                  // its column's enable
  sc_core::sc_in<bool> swap{"swap"};                  // overlap
  sc_core::sc_in<bool> shift{"shift"};                // overlap, os: rows leave
  // Its neighbours, or what enters at the edge: `left_a` has the a that comes next where
  // activations move right, `left_b` the b where weights do.
  sc_core::sc_in<PeRegisters> left_a{"left_a"}, left_b{"left_b"}, above{"above"}, below{"below"};
  // Overlap: their second registers, or what enters at the edge.
  sc_core::sc_in<PeRegisters> second_above{"second_above"}, second_below{"second_below"};
  sc_core::sc_out<PeRegisters> registers{"registers"};
  sc_core::sc_out<PeRegisters> second{"second"};  // drain as acc; next as both a and b

  SC_HAS_PROCESS(UnionPe);
  UnionPe(const sc_core::sc_module_name& name, bool overlap);

 private:
  void on_clock();
  void step_outputs();
  void step_stationary();
  bool overlap_;
  PeRegisters now_, second_;
};

}  // namespace sagitta
