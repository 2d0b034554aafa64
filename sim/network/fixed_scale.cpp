#include "network/fixed_scale.h"

#include <cmath>
#include <string>

#include "base/error.h"

namespace sagitta {

FixedScale to_fixed_scale(float scale, const char* what) {
  if (!(scale > 0) || !(scale < 0x1p24F)) {
    throw InputError("", what, "the requantisation scale is " + std::to_string(scale),
                     "scales must be finite, above 0 and below 2^24: calibrate the model again");
  }
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

}  // namespace sagitta
