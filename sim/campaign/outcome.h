// How a trial ended. Exactly one class a trial; the first that matches, in this order.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace sagitta {

enum class Outcome : std::uint8_t {
  harness_error,         // the simulator failed, not the machine
  hang,                  // no result within the cycle budget
  not_fired,             // the machine had ended before any fault's cycle
  detected_uncorrected,  // the machine told the host that the result is wrong
  detected_corrected,    // logits equal, and a detector or checker acted
  masked_idle,           // logits equal; no struck register was in use
  masked_logical,        // ... no sum differed where the drain path begins
  masked_requantise,     // ... the difference vanished in rounding
  masked_activation,     // ... in ReLU or saturation
  masked_downstream,     // ... in a later layer
  tolerable,             // logits differ, the class does not
  critical,              // the class was right and is now wrong
  sdc5,                  // the class was wrong, is now another one, not among the former top 5
  sdc1,                  // the class was wrong and is now another one
};
inline constexpr int kOutcomes = 14;

const char* to_string(Outcome outcome);

using OutcomeCounts = std::array<std::int64_t, kOutcomes>;

// Silent data corruption as sdc_rate counts it: critical, sdc5 and sdc1.
bool is_sdc(Outcome outcome);
bool is_masked(Outcome outcome);
// What an architectural vulnerability factor counts: no right result. SDC, a hang, or a result that
// the host is told not to trust.
bool is_failure(Outcome outcome);

// The classes in which the logits differ. `label` is the true class.
Outcome compare_logits(const std::vector<std::int8_t>& reference,
                       const std::vector<std::int8_t>& logits, int label);
Outcome compare_logits(const std::vector<float>& reference, const std::vector<float>& logits,
                       int label);

}  // namespace sagitta
