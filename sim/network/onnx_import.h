// ONNX import: QDQ and QLinear operators to a Network.
#pragma once

#include <string>

#include "network/network.h"

namespace sagitta {

// Reads a quantised ONNX model of one float (or int8/uint8) input and one output.
// Throws InputError naming file and node; all unsupported operators are listed in one error.
Network import_onnx(const std::string& path);

}  // namespace sagitta
