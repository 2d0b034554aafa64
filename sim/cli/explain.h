// What a fault acts on, told from the schedule alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fault/injector.h"
#include "fault/site.h"
#include "machine/machine.h"

namespace sagitta::cli {

struct GemmShape {
  int m, k, n;
};

// One sentence on a product; `tiles` are those of a fault-free run.
std::string explain(const SiteMap& sites, const Fault& fault, const std::vector<TileRecord>& tiles,
                    const GemmShape& shape, const ArrayShape& array);

// For the registers of a weight-stationary array: `index` are the indices in `path`.
std::string explain_folds(const std::string& path, const std::vector<int>& index,
                          std::int64_t cycle, const std::vector<TileRecord>& tiles,
                          const GemmShape& shape, const ArrayShape& array);

// Where a cycle lies that many cycles after a tile's start, which may be before it: "its cycle 6",
// "2 cycles before them" (operands that rest in the array move in before the tile's own cycles).
std::string cycle_of_tile(std::int64_t offset);

// A range of outputs, both ends inclusive: "C[3][0..7]".
std::string outputs(int row0, int row1, int column0, int column1);

}  // namespace sagitta::cli
