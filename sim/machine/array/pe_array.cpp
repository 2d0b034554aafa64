#include "machine/array/pe_array.h"

#include <algorithm>
#include <utility>

namespace sagitta {

std::ostream& operator<<(std::ostream& out, const PeRegisters& registers) {
  return out << "a " << int{registers.a} << " b " << int{registers.b} << " acc " << registers.acc;
}

void sc_trace(sc_core::sc_trace_file* file, const PeRegisters& registers, const std::string& name) {
  sc_core::sc_trace(file, registers.a, name + ".a");
  sc_core::sc_trace(file, registers.b, name + ".b");
  sc_core::sc_trace(file, registers.acc, name + ".acc");
}

Pe::Pe(const sc_core::sc_module_name& name) : sc_module(name) {
  SC_METHOD(on_clock);
  sensitive << clock.pos();
  dont_initialize();
}

void Pe::on_clock() {
  switch (static_cast<ArrayMode>(mode.read())) {
    case ArrayMode::accumulate:
      now_.acc = static_cast<std::int32_t>(static_cast<std::uint32_t>(now_.acc) +
                                           static_cast<std::uint32_t>(now_.a * now_.b));
      break;
    case ArrayMode::shift:
      now_.acc = below.read().acc;
      break;
    case ArrayMode::shift_clear:
    case ArrayMode::clear:
      now_.acc = 0;
      break;
  }
  now_.a = left.read().a;
  now_.b = above.read().b;
  registers.write(now_);
}

DelayLine::DelayLine(const sc_core::sc_module_name& name, int stages)
    : sc_module(name), stages_(static_cast<std::size_t>(stages)) {
  SC_METHOD(on_clock);
  sensitive << clock.pos();
  dont_initialize();
}

void DelayLine::on_clock() {
  std::copy_backward(stages_.begin(), stages_.end() - 1, stages_.end());
  stages_.front() = input.read();
  output.write(stages_.back());
}

PeArray::PeArray(const sc_core::sc_module_name& name, const ArrayShape& shape, Source source)
    : sc_module(name),
      shape_(shape),
      source_(std::move(source)),
      clock_("clock", 1, sc_core::SC_NS),
      enter_a_("enter_a", index(shape.rows)),
      enter_b_("enter_b", index(shape.columns)),
      delayed_a_("delayed_a", index(shape.rows - 1)),
      delayed_b_("delayed_b", index(shape.columns - 1)),
      pe_("pe", index(shape.rows * shape.columns)) {
  operands_.activations.resize(index(shape.rows));
  operands_.weights.resize(index(shape.columns));
  const auto line = [](const char* line_name, std::size_t i) {
    return new DelayLine(line_name, static_cast<int>(i) + 1);
  };
  skew_a_.init(index(shape.rows - 1), line);
  skew_b_.init(index(shape.columns - 1), line);
  wire_edge(skew_a_, enter_a_, delayed_a_);
  wire_edge(skew_b_, enter_b_, delayed_b_);

  pes_.init(index(shape.rows * shape.columns));
  for (int r = 0; r < shape.rows; ++r) {
    for (int c = 0; c < shape.columns; ++c) {
      Pe& p = pes_[pe(r, c)];
      p.clock(clock_);
      p.mode(mode_);
      p.left(c > 0 ? pe_[pe(r, c - 1)] : r > 0 ? delayed_a_[index(r - 1)] : enter_a_[0]);
      p.above(r > 0 ? pe_[pe(r - 1, c)] : c > 0 ? delayed_b_[index(c - 1)] : enter_b_[0]);
      p.below(r + 1 < shape.rows ? pe_[pe(r + 1, c)] : zero_);
      p.registers(pe_[pe(r, c)]);
    }
  }

  SC_METHOD(on_clock);
  sensitive << clock_.posedge_event();
  dont_initialize();
}

// Lane 0 enters as it is; lane i passes i delay registers.
void PeArray::wire_edge(sc_core::sc_vector<DelayLine>& lines, Signals& entering, Signals& delayed) {
  for (std::size_t i = 0; i < lines.size(); ++i) {
    lines[i].clock(clock_);
    lines[i].input(entering[i + 1]);
    lines[i].output(delayed[i]);
  }
}

void PeArray::on_clock() {
  source_(operands_);
  for (std::size_t i = 0; i < enter_a_.size(); ++i) {
    enter_a_[i].write({.a = operands_.activations[i]});
  }
  for (std::size_t i = 0; i < enter_b_.size(); ++i) enter_b_[i].write({.b = operands_.weights[i]});
  mode_ = static_cast<std::uint8_t>(operands_.mode);
}

void PeArray::run(std::int64_t cycles) {
  // Rising edges fall on whole nanoseconds. sc_start() leaves the last instant's activity to the
  // next call, so it has to go past it by less than a period.
  const sc_core::sc_time half(0.5, sc_core::SC_NS);
  const sc_core::sc_time period(1, sc_core::SC_NS);
  const sc_core::sc_time past = sc_core::sc_time_stamp() == sc_core::SC_ZERO_TIME ? half : period;
  if (cycles > 0) sc_core::sc_start(past + period * static_cast<double>(cycles - 1));
}

}  // namespace sagitta
