#include "trace/pair_trace.h"

#include <cstring>
#include <stdexcept>

namespace sagitta {

PairTrace::PairTrace(const Program& program, const std::int8_t* image) : fault_free_(program) {
  fault_free_.reset(image);
}

void PairTrace::write(Waveform& golden, Waveform& faulty, const CycleWindow& window) {
  golden_ = &golden;
  faulty_ = &faulty;
  window_ = window;
}

void PairTrace::see(const Machine& faulty) {
  if (error_) return;
  try {  // the caller is SystemC's kernel, which would make a report of its own of it
    follow(faulty);
  } catch (...) {
    error_ = std::current_exception();
  }
}

void PairTrace::follow(const Machine& faulty) {
  if (faulty.cycle() != cycle_) throw std::logic_error("a cycle of the run was not shown");
  if (parting_.cycle < 0) compare(faulty);
  if (golden_ != nullptr && cycle_ >= window_.first && cycle_ <= window_.last) {
    golden_->sample(0, cycle_, fault_free_);
    faulty_->sample(0, cycle_, faulty);
    last_ = cycle_;
  }
  if (!fault_free_.done()) fault_free_.step();  // a run that has ended keeps its state
  ++cycle_;
}

void PairTrace::compare(const Machine& faulty) {
  const MachineState& a = std::as_const(fault_free_).state();
  const MachineState& b = faulty.state();
  const RegisterLayout& layout = faulty.layout();
  if (std::memcmp(a.now(), b.now(), layout.pipeline_bytes()) == 0 &&
      std::memcmp(a.held(), b.held(), layout.held_bytes()) == 0) {
    return;
  }
  for (std::size_t i = 0; i < layout.classes().size(); ++i) {
    const RegisterClass& c = layout.classes()[i];
    const bool held = c.region == Region::held;
    const std::byte* there = (held ? a.held() : a.now()) + c.offset;
    const std::byte* here = (held ? b.held() : b.now()) + c.offset;
    const auto bytes = static_cast<std::size_t>(c.element_bytes);
    for (std::int64_t e = 0; e < c.elements(); ++e) {
      const std::size_t at = static_cast<std::size_t>(c.place(e)) * bytes;
      if (std::memcmp(there + at, here + at, bytes) == 0) continue;
      parting_.registers.emplace_back(static_cast<int>(i), e);
    }
  }
  if (!parting_.registers.empty()) parting_.cycle = cycle_;
}

std::int64_t PairTrace::finish() {
  if (error_) std::rethrow_exception(error_);
  if (golden_ != nullptr && last_ >= 0) {
    golden_->end(last_ + 1);
    faulty_->end(last_ + 1);
  }
  return last_;
}

}  // namespace sagitta
