// Results as JSON, CSV and a table for the terminal. The forms are documented in docs/formats.md.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "campaign/campaign.h"

namespace sagitta {

// `run`: one entry a machine, fault-free.
nlohmann::ordered_json clean_results(const Campaign& campaign);
// `inject`: one entry a configuration, with its faults.
nlohmann::ordered_json fault_results(const Campaign& campaign);
// `sweep`: the same, and `pairs` with the unprotected and the triplicated machines, where they
// met the same faults.
nlohmann::ordered_json sweep_results(const Campaign& campaign);
// One row a configuration; the same numbers, flattened.
std::string results_csv(const nlohmann::ordered_json& results);

// Paired comparison of the schemes of an experiment on the same faults.
nlohmann::ordered_json compare_results(const Campaign& campaign);

}  // namespace sagitta
