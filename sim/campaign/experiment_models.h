// Which keys of a fault plan belong to which fault model.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "campaign/experiment_source.h"

namespace sagitta {

// Whether a fault model of registers has this option: rate, upsets, cluster_size, cluster_along,
// onset or duration.
bool model_has(const std::string& model, const std::string& option);

// Refuses models at levels that have one only, options without a model that has them, and a model
// without an option that it needs; `place` is where the plan stands. Throws InputError.
void check_models(const nlohmann::json& fault, const std::string& place,
                  const ExperimentSource& source);

}  // namespace sagitta
