// The vector kernels against plain arithmetic, for every length up to several vector registers.
#include "machine/array/kernels.h"

#include <vector>

#include <gtest/gtest.h>

#include "support/random_network.h"

namespace sagitta {
namespace {

TEST(Kernels, MultiplyAccumulateEqualsPlainArithmeticModulo2To32) {
  test::Random random(1);
  constexpr std::int32_t kUntouched = 0x5A5A5A5A;
  for (std::size_t n = 0; n <= 200; ++n) {
    for (int repeat = 0; repeat < 20; ++repeat) {
      std::vector<std::int8_t> a(n), b(n);
      std::vector<std::int32_t> acc(n), out(n + 1, kUntouched);
      for (std::size_t i = 0; i < n; ++i) {
        // The corners -128 and 127 as often as everything else, and sums near both ends, so that
        // the addition wraps.
        a[i] = random.chance(50) ? random.int8()
                                 : static_cast<std::int8_t>(random.chance(50) ? -128 : 127);
        b[i] = random.chance(50) ? random.int8()
                                 : static_cast<std::int8_t>(random.chance(50) ? -128 : 127);
        const auto any = static_cast<std::int32_t>(random.bits());
        acc[i] = random.chance(50) ? any
                 : any > 0         ? INT32_MAX - any % 20'000
                                   : INT32_MIN - any % 20'000;
      }
      multiply_accumulate(a.data(), b.data(), acc.data(), out.data(), n);
      for (std::size_t i = 0; i < n; ++i) {
        const std::int64_t exact = std::int64_t{acc[i]} + std::int64_t{a[i]} * b[i];
        ASSERT_EQ(out[i], static_cast<std::int32_t>(static_cast<std::uint64_t>(exact)))
            << "n " << n << " element " << i;
      }
      ASSERT_EQ(out[n], kUntouched) << "wrote past the end, n " << n;
    }
  }
}

}  // namespace
}  // namespace sagitta
