// The rule of the gradient checkers (Amarnath et al., IOLTS 2022), whichever axis their neighbours
// lie on.
#pragma once

#include <cstdint>

#include "schedule/protection.h"

namespace sagitta {

// What a gradient checker does with two differences.
class GradientRule {
 public:
  explicit GradientRule(const Checker& scheme)
      : spike_(scheme.spike),
        suppress_(scheme.suppress),
        directed_(scheme.spike || scheme.suppress == Suppress::clamp) {}
  // A difference is out of bounds: one bit, or below (bit 0) and above (bit 1).
  int out_bits() const { return directed_ ? 2 : 1; }
  std::uint8_t out(std::int64_t difference, const Bounds& bounds) const;
  // `out` of the difference to the neighbour before, and of that from it to the neighbour after.
  bool blamed(std::uint8_t out, std::uint8_t out_after) const;
  std::int32_t replacement(std::int32_t before, std::int32_t after, std::uint8_t out,
                           const Bounds& bounds) const;

 private:
  bool spike_;
  Suppress suppress_;
  bool directed_;
};

}  // namespace sagitta
