// Flip-flops and SRAM, from the machine's register declarations: how often each is loaded, which
// flip-flops hold behind an enable, and which memory accesses a run made.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/registers.h"
#include "cost/activity.h"
#include "schedule/program.h"

namespace sagitta {

// "array" and "pe" of "array.pe[][].acc", and of the same register in a copy of the array.
std::string block_of(const RegisterClass& registers);
std::string unit_of(const RegisterClass& registers);

struct FlipFlopRule {
  bool known = false;  // false: no rule; loaded every cycle is then assumed, the upper bound
  bool enable = true;  // holds unless loaded: one 2-to-1 multiplexer a bit
  double loads = 0;    // of the whole class
};
FlipFlopRule flip_flop_rule(const RegisterClass& registers, const Program& program,
                            const Activity& activity);

// All accesses of one kind to a memory.
struct SramAccess {
  bool write = false;
  double bits = 0;
  int width = 1;  // bits of one access
};
// Throws std::logic_error for a memory without a rule.
std::vector<SramAccess> sram_accesses(const RegisterClass& registers, const Program& program,
                                      const Activity& activity);
// Banks that the memory needs for its ports: in each of the two halves of the activation memory
// those that it is said to have, or a read port an array row, conflicts left out; one wide port
// elsewhere.
int sram_banks(const RegisterClass& registers, const Program& program);

}  // namespace sagitta
