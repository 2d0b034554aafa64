// How the results of a worker process travel to its parent.
#pragma once

#include <functional>

#include "campaign/trial.h"
#include "campaign/workers.h"

namespace sagitta {

// `plan` and `configuration` are numbers of the campaign's (campaign.h).
void put_clean(Buffer& buffer, int plan, const CleanResult& clean);
void put_trial(Buffer& buffer, int configuration, const TrialResult& trial);

// Hands on all that was put, in its order.
void get_results(Buffer& buffer, const std::function<void(int plan, const CleanResult&)>& clean,
                 const std::function<void(int configuration, const TrialResult&)>& trial);

}  // namespace sagitta
