// An array's dataflows as users write them and read them: "os", or for a mixture
// {"default": "os", "layers": {"conv1": "ws"}}.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "campaign/experiment.h"
#include "network/network.h"
#include "schedule/program.h"

namespace sagitta {

// `value` is valid against the schema.
void read_dataflows(const nlohmann::json& value, ArrayShape& array);
nlohmann::ordered_json dataflows_json(const ArrayShape& array);
// "os", "os conv1=ws fc1=is".
std::string dataflows_name(const ArrayShape& array);

// The dataflow of a layer as results name it; null for one without a product, which has none.
nlohmann::ordered_json dataflow_json(const ArrayShape& array, const Layer& layer);

// Throws InputError when an array of the experiment names a layer that the network has not, or one
// without a product. `what`: "network lenet5", for the message.
void check_dataflows(const Experiment& experiment, const Network& network, const std::string& what);

}  // namespace sagitta
