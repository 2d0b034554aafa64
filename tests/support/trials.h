// The trials of a campaign's configuration, all at once.
#pragma once

#include <vector>

#include "campaign/campaign.h"

namespace sagitta::test {

inline std::vector<TrialResult> trials_of(const Campaign& campaign, int configuration) {
  std::vector<TrialResult> trials;
  campaign.store().each_trial(configuration,
                              [&trials](const TrialResult& t) { trials.push_back(t); });
  return trials;
}

}  // namespace sagitta::test
