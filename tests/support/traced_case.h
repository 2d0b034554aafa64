// Machines that are small enough to trace all of.
#pragma once

#include <cstdint>

#include "support/machine_cases.h"
#include "trace/trace.h"

namespace sagitta::test {

// One with a random program, and the cycles of its run.
struct TracedCase {
  MachineCase machine;
  std::int64_t cycles = 0;
  TracedCase(Random& random, Dataflow dataflow)
      : machine(random_case(
            random, {random.between(1, 4), random.between(1, 4), dataflow, random.chance(50)})),
        cycles(schedule_of(machine.program, machine.image.data()).cycles) {}
};

}  // namespace sagitta::test
