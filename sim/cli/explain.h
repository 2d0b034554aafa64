// What a fault acts on, told from the schedule alone.
#pragma once

#include <string>
#include <vector>

#include "fault/injector.h"
#include "fault/site.h"
#include "machine/machine.h"

namespace sagitta::cli {

struct GemmShape {
  int m, k, n;
};

// One sentence on an output-stationary product; `tiles` are those of a fault-free run.
std::string explain(const SiteMap& sites, const Fault& fault, const std::vector<TileRecord>& tiles,
                    const GemmShape& shape, const ArrayShape& array);

}  // namespace sagitta::cli
