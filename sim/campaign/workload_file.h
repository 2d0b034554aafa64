// Workload files: our own JSON (docs/formats.md), or a SCALE-Sim topology.
#pragma once

#include <string>
#include <vector>

#include "workload/topology.h"
#include "workload/workload.h"

namespace sagitta {

extern const char* const workload_schema_text;  // configs/schema/workload.schema.json

struct WorkloadFile {
  Workload workload;
  std::vector<TopologyLayer> products;  // its layers that multiply, as SCALE-Sim sees them
};

// Reads `path`: a topology when it ends in .csv, whose header tells convolutions from products.
// Throws InputError with file, place, value and remedy.
WorkloadFile read_workload(const std::string& path);

}  // namespace sagitta
