#include "network/fixed_scale.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.h"

namespace sagitta {
namespace {

void check_range(double scale, const char* what) {
  if (scale > 0 && scale < 0x1p24) return;
  throw InputError("", what, "the requantisation scale is " + std::to_string(scale),
                   "scales must be finite, above 0 and below 2^24: calibrate the model again");
}

}  // namespace

FixedScale to_fixed_scale(float scale, const char* what) {
  check_range(scale, what);
  int exponent = 0;
  const float fraction = std::frexp(scale, &exponent);  // in [0.5, 1)
  auto mantissa = static_cast<std::uint32_t>(std::ldexp(fraction, kMantissaBits));
  int shift = kMantissaBits - exponent;
  constexpr int kLargestShift = (1 << kShiftBits) - 1;
  if (shift > kLargestShift) {
    const int lost = shift - kLargestShift;
    mantissa = lost < kMantissaBits ? mantissa >> lost : 0;
    shift = kLargestShift;
  }
  return {mantissa, static_cast<std::uint8_t>(shift)};
}

TapScale to_tap_scale(double first, double second, const char* what) {
  check_range(first, what);
  check_range(second, what);
  int exponent = 0;
  std::frexp(std::max(first, second),
             &exponent);  // the larger is in [2^(exponent - 1), 2^exponent)
  constexpr int kLargestShift = (1 << kShiftBits) - 1;
  const int shift = std::min(kMantissaBits - exponent, kLargestShift);
  constexpr double kLargestMantissa = (1 << kMantissaBits) - 1;
  const auto mantissa = [&](double scale) {
    const double exact = std::nearbyint(std::ldexp(scale, shift));
    return static_cast<std::uint32_t>(std::min(exact, kLargestMantissa));
  };
  return {mantissa(first), mantissa(second), static_cast<std::uint8_t>(shift)};
}

}  // namespace sagitta
