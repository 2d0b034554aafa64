// What the importer does not do, found before it starts, so that a user sees all of it at once.
#pragma once

#include "network/onnx_graph.h"

namespace sagitta {

// Throws one InputError that lists every unsupported operator by operator and node name.
void check_supported(const OnnxGraph& graph);

}  // namespace sagitta
