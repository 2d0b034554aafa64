// Counter-based random numbers: a draw is a pure function of (seed, trial, purpose, index), so that
// results never depend on order, workers or platform. Philox4x32-10 after J. Salmon, M. Moraes,
// R. Dror, D. Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011; known-answer tested.
#pragma once

#include <array>
#include <cstdint>

namespace sagitta {

using PhiloxCounter = std::array<std::uint32_t, 4>;
using PhiloxKey = std::array<std::uint32_t, 2>;

PhiloxCounter philox4x32(PhiloxCounter counter, PhiloxKey key);

// What a draw is for. Values are part of the reproducibility contract: never renumber.
enum class Purpose : std::uint32_t {
  image = 1,
  fault_site = 2,
  fault_cycle = 3,
  neuron = 4,
  neuron_bit = 5,
  weight = 6,
  weight_bit = 7,
  hardening = 8,
  upset_gap = 9,
  stuck_value = 10,
  bootstrap = 16,
  order = 17,
  test = 100
};

// The stream of draws of one trial for one purpose.
class Stream {
 public:
  Stream(std::uint64_t seed, std::uint64_t trial, Purpose purpose)
      : seed_(seed), trial_(trial), purpose_(purpose) {}

  std::uint64_t next();                      // 64 uniform bits
  std::uint64_t below(std::uint64_t bound);  // uniform in [0, bound), unbiased; bound > 0
  double unit();                             // uniform in [0, 1), 53 bits

 private:
  std::uint64_t seed_;
  std::uint64_t trial_;
  Purpose purpose_;
  std::uint32_t index_ = 0;
};

}  // namespace sagitta
