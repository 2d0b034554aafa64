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

// What a machine is called in every table, document and message: "16x16 os", "8x8 ws overlap",
// "16x16 os conv1=ws"; with its scheme "16x16 os gradient". From results: their key "array".
std::string array_name(const ArrayShape& array);
std::string array_name(const nlohmann::ordered_json& array);

// Without the layers that are named with the dataflow that they have anyway.
ArrayShape without_repetition(ArrayShape array);

// The dataflow of a layer as results name it; null for one without a product, which has none.
nlohmann::ordered_json dataflow_json(const ArrayShape& array, const Layer& layer);

// Gives every array of the experiment the one form, and name, that it has for this network: the
// dataflow that most layers have (the first of os, ws, is that most have), and the layers that
// differ. Throws InputError when an array names a layer that the network has not, or one without a
// product, and when two turn out to be one machine. `what`: "network lenet5", for the message.
void settle_dataflows(Experiment& experiment, const Network& network, const std::string& what);

}  // namespace sagitta
