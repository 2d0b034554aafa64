// How far towards the network's output a difference from the fault-free values came: tells the
// classes of masked faults apart.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "machine/machine.h"
#include "network/network.h"
#include "network/reference.h"

namespace sagitta {

enum class Reach : std::uint8_t { none, requantise, activation, output };

// The values of a fault-free run on the machine, by layer: sums before the checkers of sums,
// outputs before those of outputs, and what is written to the activation scratchpad.
struct CleanValues {
  explicit CleanValues(const Network& network);
  std::vector<LayerValues> layers;
  std::vector<std::vector<std::int8_t>> written;
};

// Follows a run and notes how far a difference has come. Differences that are found elsewhere are
// told of through sum() and raise().
class Differences : public MachineObserver {
 public:
  Differences(const Network& network, const CleanValues& clean)
      : network_(&network), clean_(&clean) {}

  void observe(const Machine& machine) override;

  // A sum of a layer, `at` its element, that differs from the fault-free one.
  void sum(std::size_t layer, std::int64_t at, std::int32_t value);
  void raise(Reach reach) { reach_ = std::max(reach_, reach); }
  Reach reach() const { return reach_; }

 private:
  void compare_sums(std::size_t layer, const SumVector& sums, int lanes, std::int64_t step);
  void compare_output(const std::vector<std::int8_t>& expected, const WriteBack& write, int lanes,
                      std::int64_t step);

  const Network* network_;
  const CleanValues* clean_;
  Reach reach_ = Reach::none;
};

}  // namespace sagitta
