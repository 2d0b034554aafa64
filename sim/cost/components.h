// The combinational hardware of a configuration: every adder, multiplier, comparator, multiplexer
// and voter of the blocks in sim/machine, with what makes it work. Area and energy are two
// readings of this one list.
#pragma once

#include <string>
#include <vector>

#include "base/registers.h"
#include "cost/activity.h"
#include "cost/operators.h"
#include "schedule/program.h"

namespace sagitta {

struct Component {
  std::string block;
  std::string unit;
  std::string purpose;  // "product", "row sum", ...
  Operator op;
  double instances = 0;
  Event event = Event::cycle;
  double per_event = 1;            // evaluations of the operator in one event
  Dataflow member = Dataflow::os;  // in whose layers the event counts
};

// A mixture has the operators of each of its dataflows, once where several use the same, and the
// multiplexers that share them.

std::vector<Component> components_of(const Program& program,
                                     const std::vector<RegisterClass>& registers,
                                     const Technology& technology);

}  // namespace sagitta
