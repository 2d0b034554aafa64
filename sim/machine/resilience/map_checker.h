// The gradient checker whose neighbours are those left, right, above and below in the output map.
// Five stages, between whose last two a line of the map waits in a memory for the line below it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "machine/resilience/checker_type.h"

namespace sagitta {

std::unique_ptr<SumChecker> make_map_checker(const CheckerPlace& place);

// CheckerType::operators of such a one.
std::vector<OperatorUse> map_operators(const Checker& checker, int lanes);

// CheckerType::judged of such a one: every neuron of a layer with at least three neighbours.
void judge_maps(const Layer& layer, const std::vector<std::int32_t>& sums,
                std::vector<Judged>& all);

}  // namespace sagitta
