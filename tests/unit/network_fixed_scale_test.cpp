#include "network/fixed_scale.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/philox.h"

namespace sagitta {
namespace {

double value_of(FixedScale scale) {
  return std::ldexp(scale.mantissa, -scale.shift);
}

TEST(FixedScale, IsExactDownToTheSmallestShift) {
  Stream stream(1, 0, Purpose::test);
  for (int i = 0; i < 10'000; ++i) {
    // Exponents -40..23: everything that a 6-bit shift holds without loss.
    const auto exponent = static_cast<std::uint32_t>(127 - 40 + stream.below(64));
    const auto bits = exponent << 23 | static_cast<std::uint32_t>(stream.below(1U << 23));
    const auto scale = std::bit_cast<float>(bits);
    const FixedScale fixed = to_fixed_scale(scale, "test");
    ASSERT_EQ(value_of(fixed), static_cast<double>(scale));
    ASSERT_LT(fixed.mantissa, 1U << kMantissaBits);
    ASSERT_LT(fixed.shift, 1 << kShiftBits);
  }
}

TEST(FixedScale, ScalesThatAreTooSmallStillRoundEverythingToZero) {
  for (const float scale : {0x1.fffffep-41F, 0x1p-41F, 0x1p-63F, 0x1p-64F, 0x1p-100F,
                            std::numeric_limits<float>::denorm_min()}) {
    const FixedScale fixed = to_fixed_scale(scale, "test");
    EXPECT_EQ(fixed.shift, 63);
    EXPECT_EQ(requantise(std::numeric_limits<std::int32_t>::min(), fixed, 5, -128, 127), 5);
    EXPECT_EQ(requantise(std::numeric_limits<std::int32_t>::max(), fixed, 5, -128, 127), 5);
  }
}

TEST(FixedScale, RefusesWhatIsNotAScale) {
  for (const float scale : {0.0F, -1.0F, 0x1p24F, std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()}) {
    try {
      to_fixed_scale(scale, "channel 3");
      FAIL() << scale;
    } catch (const InputError& error) {
      EXPECT_NE(std::string(error.what()).find("channel 3"), std::string::npos);
    }
  }
}

TEST(Requantise, HalvesGoToTheEvenNeighbour) {
  const FixedScale half = to_fixed_scale(0.5F, "test");
  const int expected[][2] = {{-5, -2}, {-3, -2}, {-1, 0}, {0, 0}, {1, 0}, {3, 2}, {5, 2}, {7, 4}};
  for (const auto& [sum, code] : expected) EXPECT_EQ(requantise(sum, half, 0, -128, 127), code);
  EXPECT_EQ(requantise(5, half, 1, -128, 127), 3);  // the zero point is added after rounding
}

TEST(Requantise, Saturates) {
  const FixedScale largest = to_fixed_scale(0x1.fffffep23F, "test");
  EXPECT_EQ(requantise(std::numeric_limits<std::int32_t>::max(), largest, 127, -128, 127), 127);
  EXPECT_EQ(requantise(std::numeric_limits<std::int32_t>::min(), largest, -128, -128, 127), -128);
  EXPECT_EQ(requantise(-10, to_fixed_scale(1.0F, "test"), 3, 3, 127), 3);  // a fused ReLU
}

// long double holds 64 bits, so the product of 32 by 24 bits is exact there.
TEST(Requantise, EqualsExactArithmetic) {
  Stream stream(2, 0, Purpose::test);
  for (int i = 0; i < 100'000; ++i) {
    const auto sum = static_cast<std::int32_t>(stream.next());
    const auto scale = static_cast<float>(std::ldexp(0.5 + stream.unit() / 2, -20 - i % 12));
    const long double exact = std::nearbyint(static_cast<long double>(sum) * scale) - 7;
    const auto expected = std::min<long double>(std::max<long double>(exact, -128), 127);
    ASSERT_EQ(requantise(sum, to_fixed_scale(scale, "test"), -7, -128, 127), expected);
  }
}

}  // namespace
}  // namespace sagitta
