#include "base/permutation.h"

#include <bit>
#include <stdexcept>
#include <utility>

#include "base/philox.h"

namespace sagitta {
namespace {

constexpr std::uint64_t kMostPoints = std::uint64_t{1} << 62;
constexpr std::uint32_t kRounds = 8;  // four are enough where halves are wide; small ones take more

std::uint32_t low(std::uint64_t value) {
  return static_cast<std::uint32_t>(value);
}
std::uint32_t high(std::uint64_t value) {
  return static_cast<std::uint32_t>(value >> 32);
}

}  // namespace

std::uint64_t permuted(std::uint64_t index, std::uint64_t size, std::uint64_t seed,
                       std::uint64_t stream) {
  if (index >= size || size > kMostPoints) throw std::invalid_argument("permuted: index or size");
  if (size == 1) return 0;
  // Two halves of equal width, together the least that holds the size: at most 4 times as much.
  const int half = (std::bit_width(size - 1) + 1) / 2;
  const std::uint64_t mask = (std::uint64_t{1} << half) - 1;
  do {
    std::uint64_t left = index >> half;
    std::uint64_t right = index & mask;
    for (std::uint32_t round = 0; round < kRounds; ++round) {
      // A half has at most 31 bits; the order's purpose and the round share a word.
      const PhiloxCounter block =
          philox4x32({low(right), static_cast<std::uint32_t>(Purpose::order) << 8 | round,
                      low(stream), high(stream)},
                     {low(seed), high(seed)});
      left = std::exchange(right, (left ^ block[0]) & mask);
    }
    index = left << half | right;
  } while (index >= size);
  return index;
}

}  // namespace sagitta
