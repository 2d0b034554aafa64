// The RTL machine under Verilator, built for speed: one thread, no public signals. Its ports are
// answered as a testbench would, from a compiled program.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "schedule/program.h"

namespace sagitta::bench {

class RtlMachine {
 public:
  virtual ~RtlMachine() = default;
  // From reset to done: the cycles that it took. `results`: as the host received them.
  virtual std::int64_t run(const std::int8_t* image, std::vector<std::int32_t>& results) = 0;
};

// nullptr: no model was built for this program's array and memories.
std::unique_ptr<RtlMachine> make_rtl_machine(const Program& program);

}  // namespace sagitta::bench
