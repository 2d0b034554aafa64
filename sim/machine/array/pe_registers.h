// What a PE of pe_array.h shows to its neighbours, and the sums that all kinds of them form.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>

#include <systemc>

#include "machine/control/sequencer.h"

namespace sagitta {

// The registers of a PE, as its neighbours see them. Fits one word.
struct PeRegisters {
  std::int32_t acc = 0;
  std::int8_t a = 0;
  std::int8_t b = 0;
  bool operator==(const PeRegisters&) const = default;
};
// What sc_signal asks of a type.
std::ostream& operator<<(std::ostream& out, const PeRegisters& registers);
void sc_trace(sc_core::sc_trace_file* file, const PeRegisters& registers, const std::string& name);

// Signals have one writer each by construction; checking that at every write costs time.
template <typename T>
using PeSignal = sc_core::sc_signal<T, sc_core::SC_UNCHECKED_WRITERS>;

// Wraps, as the register does.
inline std::int32_t add_product(std::int32_t sum, const PeRegisters& pe) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(sum) +
                                   static_cast<std::uint32_t>(pe.a * pe.b));
}

// Outputs stationary, without overlap: the sum that a PE has next. `below`: the port, which is read
// only while sums shift.
template <typename Port>
std::int32_t next_sum(ArrayMode mode, const PeRegisters& pe, const Port& below) {
  switch (mode) {
    case ArrayMode::accumulate:
      return add_product(pe.acc, pe);
    case ArrayMode::shift:
      return below.read().acc;
    case ArrayMode::shift_clear:
    case ArrayMode::clear:
      break;
  }
  return 0;
}

}  // namespace sagitta
