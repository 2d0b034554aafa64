// Which registers of a mixture only some of its dataflows use: the second registers of a PE, what
// adds up folds, and what goes with a channel of several pixels. All others serve every layer.
#pragma once

#include <string>

#include "schedule/program.h"

namespace sagitta {

// Whether layers of this dataflow put the register class of this path ("array.pe[][].drain") to
// use.
bool used_in(const std::string& path, Dataflow dataflow);

}  // namespace sagitta
