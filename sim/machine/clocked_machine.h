// A machine that is clocked by somebody else: what those use who must not see SystemC.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "machine/machine.h"

namespace sagitta {

class ClockedMachine {
 public:
  virtual ~ClockedMachine() = default;
  // The registers, for reset, counters and results. Change them between runs only.
  virtual Machine& machine() = 0;
  // Clocks the machine from where it is until it is done or `budget` cycles have passed since
  // reset; true when done. `strike`, if any, is called once between the clock edges of every cycle
  // until it returns false or the run ends.
  virtual bool run(std::int64_t budget, std::function<bool()> strike = nullptr) = 0;
};

// The SystemC accelerator (accelerator.h), of which a process can have one.
std::unique_ptr<ClockedMachine> make_accelerator(const Program& program);

}  // namespace sagitta
