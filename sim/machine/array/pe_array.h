// The PE array as a textbook would draw it: one SystemC module a PE, one SC_METHOD each, and
// sc_signals between neighbours. Slow, and plain to read: tests prove that the flat core (array.h)
// equals it register by register, and benchmarks compare with it. Nothing else uses it.
//
// Every register of the array is here under the same name: pe[r][c].a, .b, .acc and the skew
// registers. A PE's registers are its output signals, so a neighbour reads the old value.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <systemc>

#include "machine/sequencer.h"
#include "schedule/program.h"

namespace sagitta {

class Pe : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clock{"clock"};
  sc_core::sc_in<std::uint8_t> mode{"mode"};  // ArrayMode
  sc_core::sc_in<std::int8_t> left{"left"};   // the neighbour's a, or what enters the row
  sc_core::sc_in<std::int8_t> above{"above"};  // the neighbour's b, or what enters the column
  sc_core::sc_in<std::int32_t> below{"below"};  // the neighbour's acc, or 0
  sc_core::sc_out<std::int8_t> a{"a"};
  sc_core::sc_out<std::int8_t> b{"b"};
  sc_core::sc_out<std::int32_t> acc{"acc"};

  SC_HAS_PROCESS(Pe);
  explicit Pe(const sc_core::sc_module_name& name);

 private:
  void on_clock();
};

// `stages` registers in a row; what enters leaves that many cycles later.
class DelayLine : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clock{"clock"};
  sc_core::sc_in<std::int8_t> input{"input"};
  sc_core::sc_out<std::int8_t> output{"output"};  // the last stage

  SC_HAS_PROCESS(DelayLine);
  DelayLine(const sc_core::sc_module_name& name, int stages);
  std::int8_t stage(int i) const;

 private:
  void on_clock();
  std::vector<std::int8_t> earlier_;  // every stage but the last, the first in front
};

// What enters the array in one cycle: the scratchpads' read registers and the mode.
struct ArrayOperands {
  std::vector<std::int8_t> activations;  // one a row
  std::vector<std::int8_t> weights;      // one a column
  ArrayMode mode = ArrayMode::accumulate;
};

class PeArray : public sc_core::sc_module {
 public:
  // Fills in the operands of the next cycle; called at every rising edge. Before the first edge all
  // operands are zero and the mode is accumulate.
  using Source = std::function<void(ArrayOperands&)>;

  SC_HAS_PROCESS(PeArray);
  PeArray(const sc_core::sc_module_name& name, const ArrayShape& shape, Source source);

  // Lets `cycles` rising edges pass.
  void run(std::int64_t cycles);

  std::int8_t a(int row, int column) const { return a_[pe(row, column)].read(); }
  std::int8_t b(int row, int column) const { return b_[pe(row, column)].read(); }
  std::int32_t acc(int row, int column) const { return acc_[pe(row, column)].read(); }
  std::int8_t skew_a(int lane, int stage) const { return skew_a_[index(lane - 1)].stage(stage); }
  std::int8_t skew_b(int lane, int stage) const { return skew_b_[index(lane - 1)].stage(stage); }
  const ArrayOperands& entering() const { return operands_; }  // what stands at the edge now

 private:
  static std::size_t index(int i) { return static_cast<std::size_t>(i); }
  std::size_t pe(int row, int column) const { return index(row * shape_.columns + column); }
  void on_clock();
  void wire_edges(sc_core::sc_vector<DelayLine>& lines,
                  sc_core::sc_vector<sc_core::sc_signal<std::int8_t>>& entering,
                  sc_core::sc_vector<sc_core::sc_signal<std::int8_t>>& delayed);

  ArrayShape shape_;
  Source source_;
  ArrayOperands operands_;

  sc_core::sc_clock clock_;
  sc_core::sc_signal<std::uint8_t> mode_{"mode"};
  sc_core::sc_signal<std::int32_t> zero_{"zero"};  // what the last row shifts in
  sc_core::sc_vector<sc_core::sc_signal<std::int8_t>> enter_a_, enter_b_;      // read registers
  sc_core::sc_vector<sc_core::sc_signal<std::int8_t>> delayed_a_, delayed_b_;  // lanes 1 and up
  sc_core::sc_vector<sc_core::sc_signal<std::int8_t>> a_, b_;
  sc_core::sc_vector<sc_core::sc_signal<std::int32_t>> acc_;
  sc_core::sc_vector<DelayLine> skew_a_, skew_b_;
  sc_core::sc_vector<Pe> pes_;
};

}  // namespace sagitta
