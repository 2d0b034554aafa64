// The array's arithmetic over many PEs at once, compiled for several instruction sets and chosen
// at run time. All arithmetic wraps modulo 2^32, as the registers do.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sagitta {

// out[i] = acc[i] + a[i] * b[i] for n PEs.
void multiply_accumulate(const std::int8_t* a, const std::int8_t* b, const std::int32_t* acc,
                         std::int32_t* out, std::size_t n);

}  // namespace sagitta
