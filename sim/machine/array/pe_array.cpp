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
  now_.acc = next_sum(static_cast<ArrayMode>(mode.read()), now_, below);
  now_.a = left.read().a;
  now_.b = above.read().b;
  registers.write(now_);
}

WeightPe::WeightPe(const sc_core::sc_module_name& name) : sc_module(name) {
  SC_METHOD(on_clock);
  sensitive << clock.pos();
  dont_initialize();
}

void WeightPe::on_clock() {
  now_.acc = add_product(above.read().acc, now_);
  now_.a = left.read().a;
  if (load.read()) now_.b = above.read().b;
  registers.write(now_);
}

ActivationPe::ActivationPe(const sc_core::sc_module_name& name) : sc_module(name) {
  SC_METHOD(on_clock);
  sensitive << clock.pos();
  dont_initialize();
}

void ActivationPe::on_clock() {
  now_.acc = add_product(above.read().acc, now_);
  now_.b = left.read().b;
  if (load.read()) now_.a = below.read().a;
  registers.write(now_);
}

DrainPe::DrainPe(const sc_core::sc_module_name& name) : sc_module(name) {
  SC_METHOD(on_clock);
  sensitive << clock.pos();
  dont_initialize();
}

void DrainPe::on_clock() {
  if (swap.read()) {
    second_.acc = now_.acc;
    now_.acc = 0;
  } else if (shift.read()) {
    second_.acc = below.read().acc;
  }
  now_.acc = add_product(now_.acc, now_);
  now_.a = left.read().a;
  now_.b = above.read().b;
  registers.write(now_);
  second.write(second_);
}

ShadowPe::ShadowPe(const sc_core::sc_module_name& name, Dataflow dataflow)
    : sc_module(name), ws_(dataflow == Dataflow::ws) {
  SC_METHOD(on_clock);
  sensitive << clock.pos();
  dont_initialize();
}

void ShadowPe::on_clock() {
  now_.acc = add_product(above.read().acc, now_);
  if (ws_) {
    now_.a = left.read().a;
    if (swap.read()) now_.b = second_.b;
    if (load.read()) second_.b = before.read().b;
  } else {
    now_.b = left.read().b;
    if (swap.read()) now_.a = second_.a;
    if (load.read()) second_.a = before.read().a;
  }
  registers.write(now_);
  second.write(second_);
}

LatchedBit::LatchedBit(const sc_core::sc_module_name& name) : sc_module(name) {
  SC_METHOD(on_clock);
  sensitive << clock.pos();
  dont_initialize();
}

void LatchedBit::on_clock() {
  bit.write(left.read());
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
      enter_a_("enter_a", index(shape.activation_lanes())),
      enter_b_("enter_b", index(shape.weight_lanes())),
      delayed_a_("delayed_a", index(shape.activation_lanes() - 1)),
      delayed_b_("delayed_b", index(shape.weight_lanes() - 1)),
      pe_("pe", index(shape.rows * shape.columns)) {
  operands_.activations.resize(enter_a_.size());
  operands_.weights.resize(enter_b_.size());
  const auto line = [](const char* line_name, std::size_t i) {
    return new DelayLine(line_name, static_cast<int>(i) + 1);
  };
  skew_a_.init(delayed_a_.size(), line);
  skew_b_.init(delayed_b_.size(), line);
  wire_edge(skew_a_, enter_a_, delayed_a_);
  wire_edge(skew_b_, enter_b_, delayed_b_);

  if (shape.folds()) wire_loads_and_deskew();
  if (shape.overlap) wire_swaps();
  if (shape.mixed()) {
    wire_union_pes();
  } else if (shape.overlap) {
    shape.dataflow == Dataflow::os ? wire_drain_pes() : wire_shadow_pes();
  } else if (shape.dataflow == Dataflow::os) {
    wire_output_pes();
  } else {
    is() ? wire_activation_pes() : wire_weight_pes();
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

PeSignal<PeRegisters>& PeArray::left(int row, int column) {
  if (column > 0) return pe_[pe(row, column - 1)];
  if (is()) return row > 0 ? delayed_b_[index(row - 1)] : enter_b_[0];
  return row > 0 ? delayed_a_[index(row - 1)] : enter_a_[0];
}

PeSignal<PeRegisters>& PeArray::above(int row, int column) {
  if (row > 0) return pe_[pe(row - 1, column)];
  if (is()) return zero_;
  return column > 0 ? delayed_b_[index(column - 1)] : enter_b_[0];
}

PeSignal<PeRegisters>& PeArray::below(int row, int column) {
  if (row + 1 < shape_.rows) return pe_[pe(row + 1, column)];
  if (!is()) return zero_;
  return column > 0 ? delayed_a_[index(column - 1)] : enter_a_[0];
}

void PeArray::wire_output_pes() {
  pes_.init(pe_.size());
  for (int r = 0; r < shape_.rows; ++r) {
    for (int c = 0; c < shape_.columns; ++c) {
      Pe& p = pes_[pe(r, c)];
      p.clock(clock_);
      p.mode(mode_);
      p.left(left(r, c));
      p.above(above(r, c));
      p.below(below(r, c));
      p.registers(pe_[pe(r, c)]);
    }
  }
}

void PeArray::wire_loads_and_deskew() {
  const auto columns = index(shape_.columns);
  load_.init(columns);
  load_enables_.init(columns - 1);
  for (std::size_t c = 1; c < columns; ++c) {
    load_enables_[c - 1].clock(clock_);
    load_enables_[c - 1].left(load_[c - 1]);
    load_enables_[c - 1].bit(load_[c]);
  }

  // Column c finishes c cycles after column 0, so it waits that much less for the last one.
  aligned_.init(columns - 1);
  deskew_.init(columns - 1, [columns](const char* line_name, std::size_t c) {
    return new DelayLine(line_name, static_cast<int>(columns - 1 - c));
  });
  for (std::size_t c = 0; c + 1 < columns; ++c) {
    deskew_[c].clock(clock_);
    deskew_[c].input(pe_[pe(shape_.rows - 1, static_cast<int>(c))]);
    deskew_[c].output(aligned_[c]);
  }
}

void PeArray::wire_weight_pes() {
  weight_pes_.init(pe_.size());
  for (int r = 0; r < shape_.rows; ++r) {
    for (int c = 0; c < shape_.columns; ++c) {
      WeightPe& p = weight_pes_[pe(r, c)];
      p.clock(clock_);
      p.load(load_[index(c)]);
      p.left(left(r, c));
      p.above(above(r, c));
      p.registers(pe_[pe(r, c)]);
    }
  }
}

void PeArray::wire_activation_pes() {
  activation_pes_.init(pe_.size());
  for (int r = 0; r < shape_.rows; ++r) {
    for (int c = 0; c < shape_.columns; ++c) {
      ActivationPe& p = activation_pes_[pe(r, c)];
      p.clock(clock_);
      p.load(load_[index(c)]);
      p.left(left(r, c));
      p.above(above(r, c));
      p.below(below(r, c));
      p.registers(pe_[pe(r, c)]);
    }
  }
}

// Row r's swap bit waits r cycles, then goes from PE to PE.
void PeArray::wire_swaps() {
  swap_.init(pe_.size());
  second_.init(pe_.size());
  swap_bits_.init(pe_.size());
  const auto delays = index(shape_.rows * (shape_.rows - 1) / 2);
  swap_delay_.init(delays);
  swap_delays_.init(delays);
  std::size_t d = 0;
  for (int r = 0; r < shape_.rows; ++r) {
    PeSignal<bool>* enters = &swap_in_;
    for (int stage = 0; stage < r; ++stage, ++d) {
      swap_delays_[d].clock(clock_);
      swap_delays_[d].left(*enters);
      swap_delays_[d].bit(swap_delay_[d]);
      enters = &swap_delay_[d];
    }
    for (int c = 0; c < shape_.columns; ++c) {
      LatchedBit& bit = swap_bits_[pe(r, c)];
      bit.clock(clock_);
      bit.left(c > 0 ? swap_[pe(r, c - 1)] : *enters);
      bit.bit(swap_[pe(r, c)]);
    }
  }
}

void PeArray::wire_drain_pes() {
  drain_pes_.init(pe_.size());
  for (int r = 0; r < shape_.rows; ++r) {
    for (int c = 0; c < shape_.columns; ++c) {
      DrainPe& p = drain_pes_[pe(r, c)];
      p.clock(clock_);
      p.swap(swap_[pe(r, c)]);
      p.shift(shift_);
      p.left(left(r, c));
      p.above(above(r, c));
      p.below(r + 1 < shape_.rows ? second_[pe(r + 1, c)] : zero_);
      p.registers(pe_[pe(r, c)]);
      p.second(second_[pe(r, c)]);
    }
  }
}

void PeArray::wire_shadow_pes() {
  shadow_pes_.init(pe_.size(), [this](const char* pe_name, std::size_t) {
    return new ShadowPe(pe_name, shape_.dataflow);
  });
  for (int r = 0; r < shape_.rows; ++r) {
    for (int c = 0; c < shape_.columns; ++c) {
      ShadowPe& p = shadow_pes_[pe(r, c)];
      p.clock(clock_);
      p.swap(swap_[pe(r, c)]);
      p.load(load_[index(c)]);
      p.left(left(r, c));
      p.above(r > 0 ? pe_[pe(r - 1, c)] : zero_);
      const int before = is() ? r + 1 : r - 1;
      const bool edge = before < 0 || before == shape_.rows;
      p.before(!edge ? second_[pe(before, c)] : is() ? below(r, c) : above(r, c));
      p.registers(pe_[pe(r, c)]);
      p.second(second_[pe(r, c)]);
    }
  }
}

// A PE at the edge reads what enters there in every dataflow: its sum is zero.
void PeArray::wire_union_pes() {
  union_pes_.init(pe_.size(), [this](const char* pe_name, std::size_t) {
    return new UnionPe(pe_name, shape_.overlap);
  });
  if (second_.size() == 0) second_.init(pe_.size());  // unused without overlap, but bound
  const auto enters = [this](Signals& entering, Signals& delayed,
                             int lane) -> PeSignal<PeRegisters>& {
    if (index(lane) >= entering.size()) return zero_;  // no dataflow has anything enter here
    return lane > 0 ? delayed[index(lane - 1)] : entering[0];
  };
  for (int r = 0; r < shape_.rows; ++r) {
    for (int c = 0; c < shape_.columns; ++c) {
      UnionPe& p = union_pes_[pe(r, c)];
      const bool first = r == 0;
      const bool last = r + 1 == shape_.rows;
      p.clock(clock_);
      p.dataflow(dataflow_);
      p.mode(mode_);
      p.load(load_[index(c)]);
      p.swap(shape_.overlap ? swap_[pe(r, c)] : swap_in_);
      p.shift(shift_);
      p.left_a(c > 0 ? pe_[pe(r, c - 1)] : enters(enter_a_, delayed_a_, r));
      p.left_b(c > 0 ? pe_[pe(r, c - 1)] : enters(enter_b_, delayed_b_, r));
      p.above(first ? enters(enter_b_, delayed_b_, c) : pe_[pe(r - 1, c)]);
      p.below(last ? enters(enter_a_, delayed_a_, c) : pe_[pe(r + 1, c)]);
      p.second_above(first ? enters(enter_b_, delayed_b_, c) : second_[pe(r - 1, c)]);
      p.second_below(last ? enters(enter_a_, delayed_a_, c) : second_[pe(r + 1, c)]);
      p.registers(pe_[pe(r, c)]);
      p.second(second_[pe(r, c)]);
    }
  }
}

std::int32_t PeArray::aligned(int column) const {
  if (column + 1 < shape_.columns) return aligned_[index(column)].read().acc;
  return acc(shape_.rows - 1, column);
}

void PeArray::on_clock() {
  source_(operands_);
  for (std::size_t i = 0; i < enter_a_.size(); ++i) {
    enter_a_[i].write({.a = operands_.activations[i]});
  }
  for (std::size_t i = 0; i < enter_b_.size(); ++i) enter_b_[i].write({.b = operands_.weights[i]});
  mode_ = static_cast<std::uint8_t>(operands_.mode);
  if (union_pes_.size() > 0) dataflow_ = static_cast<std::uint8_t>(operands_.dataflow);
  if (shape_.folds()) load_[0].write(operands_.load);
  if (!shape_.overlap) return;
  swap_in_.write(operands_.swap);
  shift_.write(operands_.shift);
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
