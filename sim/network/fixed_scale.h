// Requantisation: the exact product of a 32-bit sum with a float32 scale, rounded half to even.
#pragma once

#include <algorithm>
#include <cstdint>

namespace sagitta {

// A positive float32 taken apart exactly: value = mantissa * 2^-shift, mantissa < 2^24. This is
// what the requantiser's registers hold, so hardware needs one 32 x 24 bit multiplier and a
// shifter, and no floating point.
struct FixedScale {
  std::uint32_t mantissa = 0;  // 24 bits
  std::uint8_t shift = 0;      // 6 bits
  bool operator==(const FixedScale&) const = default;
};

inline constexpr int kMantissaBits = 24;
inline constexpr int kShiftBits = 6;

// Throws InputError naming `what` (a description of the place) unless 0 < scale < 2^24 and finite.
// A scale too small for a 6-bit shift loses low mantissa bits until it fits; it is then below
// 2^-40, so that every 32-bit sum still rounds to zero, as with the exact scale.
FixedScale to_fixed_scale(float scale, const char* what);

// The scales of an accumulating layer's taps over one shift: scale = mantissa * 2^-shift. The
// larger mantissa has its full 24 bits; the other is rounded to the same step, so that either is
// wrong by at most 2^-24 of the larger scale.
struct TapScale {
  std::uint32_t first = 0, second = 0;  // mantissas, 24 bits; of the window's first column, others
  std::uint8_t shift = 0;               // 6 bits
  bool operator==(const TapScale&) const = default;
};

// Throws InputError as above, for either scale. Scales below 2^-40 lose low bits as above.
TapScale to_tap_scale(double first, double second, const char* what);

// Rounds product * 2^-shift half to even; |product| < 2^56, shift <= 63.
inline std::int64_t round_half_even(std::int64_t product, int shift) {
  if (shift == 0) return product;
  const std::int64_t floor = product >> shift;
  const std::uint64_t mask = (std::uint64_t{1} << shift) - 1;
  const std::uint64_t rest = static_cast<std::uint64_t>(product) & mask;
  const std::uint64_t half = std::uint64_t{1} << (shift - 1);
  const bool up = rest > half || (rest == half && (floor & 1) != 0);
  return floor + (up ? 1 : 0);
}

// One requantised value: round(sum * scale) + zero_point, clamped to [low, high].
inline std::int8_t requantise(std::int32_t sum, FixedScale scale, int zero_point, int low,
                              int high) {
  const std::int64_t product = std::int64_t{sum} * std::int64_t{scale.mantissa};
  const std::int64_t q = round_half_even(product, scale.shift) + zero_point;
  return static_cast<std::int8_t>(
      std::clamp<std::int64_t>(q, std::int64_t{low}, std::int64_t{high}));
}

// What an accumulating layer makes of the sum of its taps' products.
inline std::int8_t round_taps(std::int64_t sum, int shift, int zero_point, int low, int high) {
  const std::int64_t q = round_half_even(sum, shift) + zero_point;
  return static_cast<std::int8_t>(
      std::clamp<std::int64_t>(q, std::int64_t{low}, std::int64_t{high}));
}

}  // namespace sagitta
