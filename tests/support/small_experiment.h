// The smallest experiment on a trained network: the perceptron on an array of 2 x 16.
#pragma once

#include <nlohmann/json.hpp>

#include "campaign/experiment.h"
#include "support/temporary_folder.h"

namespace sagitta::test {

inline Experiment small_experiment(const TemporaryFolder& folder, const nlohmann::json& scheme,
                                   const nlohmann::json& fault, int images) {
  const std::string source = SAGITTA_SOURCE_DIR;
  const nlohmann::json e = {{"network", source + "/models/mlp-mnist"},
                            {"images", images},
                            {"array", {{"rows", 2}, {"cols", 16}}},
                            {"scheme", scheme},
                            {"fault", fault},
                            {"calibration_images", 5},
                            {"technology", source + "/configs/tech/45nm.json"}};
  folder.write("experiment.json", e.dump());
  return load_experiment(folder / "experiment.json", {});
}

}  // namespace sagitta::test
