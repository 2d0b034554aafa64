#include "machine/resilience/gradient_rule.h"

#include <algorithm>

namespace sagitta {
namespace {

constexpr std::uint8_t kBelow = 1, kAbove = 2;

}  // namespace

std::uint8_t GradientRule::out(std::int64_t difference, const Bounds& bounds) const {
  const int out = (difference < bounds.low ? kBelow : 0) | (difference > bounds.high ? kAbove : 0);
  return static_cast<std::uint8_t>(directed_ ? out : out != 0);
}

bool GradientRule::blamed(std::uint8_t out, std::uint8_t out_after) const {
  if (!spike_) return out != 0 && out_after != 0;
  return ((out & kAbove) != 0 && (out_after & kBelow) != 0) ||
         ((out & kBelow) != 0 && (out_after & kAbove) != 0);
}

std::int32_t GradientRule::replacement(std::int32_t before, std::int32_t after, std::uint8_t out,
                                       const Bounds& bounds) const {
  switch (suppress_) {
    case Suppress::clamp: {
      const std::int64_t bound = (out & kAbove) != 0 ? bounds.high : bounds.low;
      return static_cast<std::int32_t>(
          std::clamp<std::int64_t>(before + bound, INT32_MIN, INT32_MAX));
    }
    case Suppress::mean:
      return static_cast<std::int32_t>((std::int64_t{before} + after) >> 1);
    case Suppress::hold:
      return before;
    default:
      return 0;
  }
}

}  // namespace sagitta
