// Results of timing a workload: JSON and tables. docs/formats.md has the keys.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "campaign/timing_run.h"

namespace sagitta {

nlohmann::ordered_json timing_results(const TimingRun& run);

// From that document: the machines, and the layers of each.
std::string timing_table(const nlohmann::ordered_json& results, bool colour);

}  // namespace sagitta
