// How the results of a worker process travel to its parent.
#pragma once

#include <functional>

#include "campaign/float_trial.h"
#include "campaign/trial.h"
#include "campaign/workers.h"

namespace sagitta {

// `machine`, `study` and `configuration` are indices into the campaign's lists.
void put_clean(Buffer& buffer, int machine, CleanResult clean);
void put_study(Buffer& buffer, int study, const FloatClean& clean);
void put_trial(Buffer& buffer, int configuration, TrialResult trial);

// Hands on all that was put, in its order.
void get_results(Buffer& buffer, const std::function<void(int machine, const CleanResult&)>& clean,
                 const std::function<void(int configuration, TrialResult)>& trial,
                 const std::function<void(int study, const FloatClean&)>& study);

}  // namespace sagitta
