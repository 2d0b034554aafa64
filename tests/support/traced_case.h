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
  TracedCase(Random& random, const ArrayVariant& flow)
      : machine(random_case(random, shape(random, flow))),
        cycles(schedule_of(machine.program, machine.image.data()).cycles) {}
  TracedCase(Random& random, Dataflow dataflow)
      : TracedCase(random, ArrayVariant{dataflow, false}) {}

 private:
  static ArrayShape shape(Random& random, const ArrayVariant& flow) {
    const int rows = random.between(1, 4);
    const int columns = random.between(1, 4);
    const bool overlap = random.chance(50);
    return flow.with_overlap(overlap).shape(rows, columns, random.bits() % 1000);
  }
};

}  // namespace sagitta::test
