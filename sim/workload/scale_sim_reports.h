// SCALE-Sim's report files, as text.
#pragma once

#include <string>
#include <vector>

#include "workload/scale_sim.h"

namespace sagitta {

std::string compute_report(const std::vector<ScaleSimLayer>& layers, int pes);
std::string bandwidth_report(const std::vector<ScaleSimLayer>& layers);
std::string detailed_access_report(const std::vector<ScaleSimLayer>& layers);

}  // namespace sagitta
