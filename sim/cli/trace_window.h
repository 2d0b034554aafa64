// What the commands share that leave waveforms.
#pragma once

#include <cstdint>
#include <string>

#include "trace/trace.h"

namespace sagitta::cli {

// --cycles "100..200" or "150". They must lie before `end`, where the longest run ends; messages
// name the fault-free run's `cycles`. Throws InputError.
CycleWindow parse_window(const std::string& text, std::int64_t end, std::int64_t cycles);

// A slip must not fill the disk: throws InputError about `option` for more than --limit-mb.
void check_size(double limit_mb, const char* option, double bytes, const CycleWindow& window);

}  // namespace sagitta::cli
