#include "campaign/outcome.h"

#include <algorithm>

#include "network/float_reference.h"
#include "network/reference.h"

namespace sagitta {

const char* to_string(Outcome outcome) {
  static constexpr std::array<const char*, kOutcomes> kNames = {"harness_error",
                                                                "hang",
                                                                "not_fired",
                                                                "detected_uncorrected",
                                                                "detected_corrected",
                                                                "masked_idle",
                                                                "masked_logical",
                                                                "masked_requantise",
                                                                "masked_activation",
                                                                "masked_downstream",
                                                                "tolerable",
                                                                "critical",
                                                                "sdc5",
                                                                "sdc1"};
  return kNames[static_cast<std::size_t>(outcome)];
}

bool is_sdc(Outcome outcome) {
  return outcome == Outcome::critical || outcome == Outcome::sdc5 || outcome == Outcome::sdc1;
}

bool is_failure(Outcome outcome) {
  return is_sdc(outcome) || outcome == Outcome::hang || outcome == Outcome::detected_uncorrected;
}

bool is_masked(Outcome outcome) {
  return outcome >= Outcome::masked_idle && outcome <= Outcome::masked_downstream;
}

namespace {

template <typename Logit>
Outcome compare(const std::vector<Logit>& reference, const std::vector<Logit>& logits, int label) {
  const int before = top1(reference);
  const int after = top1(logits);
  if (before == after) return Outcome::tolerable;
  if (before == label) return Outcome::critical;
  // Rank of the new class among the fault-free logits; ties go to the lower index, as in top1.
  const auto value = reference[static_cast<std::size_t>(after)];
  int better = 0;
  for (int i = 0; i < static_cast<int>(reference.size()); ++i) {
    const auto other = reference[static_cast<std::size_t>(i)];
    if (other > value || (other == value && i < after)) ++better;
  }
  return better >= 5 ? Outcome::sdc5 : Outcome::sdc1;
}

}  // namespace

Outcome compare_logits(const std::vector<std::int8_t>& reference,
                       const std::vector<std::int8_t>& logits, int label) {
  return compare(reference, logits, label);
}

Outcome compare_logits(const std::vector<float>& reference, const std::vector<float>& logits,
                       int label) {
  return compare(reference, logits, label);
}

}  // namespace sagitta
