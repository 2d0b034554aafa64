// A run under faults that somebody else clocks, beside a fault-free one: where the two part, and a
// waveform of each.
#pragma once

#include <cstdint>
#include <exception>
#include <utility>
#include <vector>

#include "machine/machine.h"
#include "trace/trace.h"
#include "trace/waveform.h"

namespace sagitta {

class PairTrace {
 public:
  // The first cycle in which registers differ, and which: class and element, in the order of their
  // declarations. -1: none has differed.
  struct Parting {
    std::int64_t cycle = -1;
    std::vector<std::pair<int, std::int64_t>> registers;
  };

  // `program` and `image` are the fault-free run's, and must outlive this.
  PairTrace(const Program& program, const std::int8_t* image);

  // The cycles of `window` are written from now on; `golden` has the fault-free run.
  void write(Waveform& golden, Waveform& faulty, const CycleWindow& window);
  // To be called in every cycle from reset on, when its faults have struck, before the clock edge
  // (TrialEngine::watch). Does not throw: finish() does.
  void see(const Machine& faulty);
  // Behind the run. Throws what went wrong meanwhile; returns the last cycle that was written.
  std::int64_t finish();

  const Parting& parting() const { return parting_; }

 private:
  void follow(const Machine& faulty);
  void compare(const Machine& faulty);

  Machine fault_free_;
  std::int64_t cycle_ = 0;
  Parting parting_;
  Waveform* golden_ = nullptr;
  Waveform* faulty_ = nullptr;
  CycleWindow window_;
  std::int64_t last_ = -1;
  std::exception_ptr error_;
};

}  // namespace sagitta
