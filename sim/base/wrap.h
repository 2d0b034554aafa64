// Arithmetic of the sequencer's registers, which wrap.
#pragma once

#include <cstdint>

namespace sagitta {

// Modulo 2^32, whatever a fault leaves in the operands.
inline std::int32_t wrap_add(std::int32_t a, std::int32_t b) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b));
}
inline std::int32_t wrap_sub(std::int32_t a, std::int32_t b) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) - static_cast<std::uint32_t>(b));
}

}  // namespace sagitta
