// The gradient checker whose neighbours are the vectors before and after in a line of the output
// map. Four stages, the third until the neighbour after is there.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "machine/resilience/checker_type.h"

namespace sagitta {

std::unique_ptr<SumChecker> make_line_checker(const CheckerPlace& place);

// CheckerType::judged for such a one: every neuron of a layer but the first and last of a line.
void judge_lines(const Layer& layer, const std::vector<std::int32_t>& sums,
                 std::vector<Judged>& all);

}  // namespace sagitta
