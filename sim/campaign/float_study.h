// Studies in real numbers as an experiment asks for them: fault plans of neurons with "values":
// "fp32", or with a list of such faults.
#pragma once

#include <string>

#include "campaign/experiment.h"

namespace sagitta {

// Why a scheme cannot be studied in real numbers; empty: it can. Only checkers can, and what stands
// in no hardware anyway (none, the oracle).
std::string no_float_study(const Scheme& scheme);

// Makes plans with a list of faults in real numbers plans of such, as the list brings its trials
// and seed. Throws InputError where such a plan meets a scheme that cannot be studied so.
void settle_float_plans(Experiment& experiment);

}  // namespace sagitta
