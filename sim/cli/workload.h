// What a command does with an experiment that names a workload.
#pragma once

#include "cli/command.h"

namespace sagitta::cli {

// run: times it, prints and writes the results.
void run_workload(const ExperimentOptions& options, Experiment experiment);
// check: reads and compiles it.
void check_workload(const ExperimentOptions& options, Experiment experiment);

}  // namespace sagitta::cli
