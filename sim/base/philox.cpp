#include "base/philox.h"

#include <stdexcept>

namespace sagitta {
namespace {

// Constants of Philox4x32 (Salmon et al., SC 2011, section 3.3); the Weyl steps are the golden
// ratio and sqrt(3) - 1.
constexpr std::uint32_t kMultiplier0 = 0xD2511F53;
constexpr std::uint32_t kMultiplier1 = 0xCD9E8D57;
constexpr std::uint32_t kWeyl0 = 0x9E3779B9;
constexpr std::uint32_t kWeyl1 = 0xBB67AE85;
constexpr int kRounds = 10;

std::uint32_t low(std::uint64_t value) {
  return static_cast<std::uint32_t>(value);
}
std::uint32_t high(std::uint64_t value) {
  return static_cast<std::uint32_t>(value >> 32);
}

__extension__ using Uint128 = unsigned __int128;

}  // namespace

PhiloxCounter philox4x32(PhiloxCounter counter, PhiloxKey key) {
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t product0 = std::uint64_t{kMultiplier0} * counter[0];
    const std::uint64_t product1 = std::uint64_t{kMultiplier1} * counter[2];
    counter = {high(product1) ^ counter[1] ^ key[0], low(product1),
               high(product0) ^ counter[3] ^ key[1], low(product0)};
    key = {key[0] + kWeyl0, key[1] + kWeyl1};
  }
  return counter;
}

std::uint64_t Stream::next() {
  const PhiloxCounter block =
      philox4x32({index_, static_cast<std::uint32_t>(purpose_), low(trial_), high(trial_)},
                 {low(seed_), high(seed_)});
  if (++index_ == 0) throw std::logic_error("a random stream gave all of its 2^32 draws");
  return (std::uint64_t{block[1]} << 32) | block[0];
}

std::uint64_t Stream::below(std::uint64_t bound) {
  if (bound == 0) throw std::invalid_argument("Stream::below(0)");
  // The high half of draw * bound is uniform once the draws whose low half falls below
  // 2^64 mod bound are thrown away (D. Lemire, ACM TOMACS 2019).
  const std::uint64_t reject_below = (0 - bound) % bound;
  for (;;) {
    const Uint128 product = Uint128{next()} * bound;
    if (static_cast<std::uint64_t>(product) >= reject_below) {
      return static_cast<std::uint64_t>(product >> 64);
    }
  }
}

double Stream::unit() {
  return static_cast<double>(next() >> 11) * 0x1p-53;
}

}  // namespace sagitta
