// What a PE of pe_array.h shows to its neighbours.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>

#include <systemc>

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

}  // namespace sagitta
