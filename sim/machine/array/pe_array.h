// The PE array as a textbook would draw it: one SystemC module a PE, one SC_METHOD each, and
// sc_signals between neighbours. Slow, and plain to read: tests prove that the flat core (array.h)
// equals it register by register, and benchmarks compare with it. Nothing else uses it.
//
// Every register of the array is here under the same name: pe[r][c].a, .b, .acc, the skew registers
// and, where an operand is stationary, the load enables and the deskew registers. A PE shows its
// registers through one signal, so a neighbour reads the old values; one signal a PE and not three,
// since comparisons should not be won against a slow baseline. Each dataflow has a PE of its own,
// so that neither pays for the other; a mixture has UnionPe.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <systemc>

#include "machine/array/pe_registers.h"
#include "machine/array/union_pe.h"
#include "machine/control/sequencer.h"
#include "schedule/program.h"

namespace sagitta {

// Output stationary: acc stays.
class Pe : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clock{"clock"};
  sc_core::sc_in<std::uint8_t> mode{"mode"};   // ArrayMode
  sc_core::sc_in<PeRegisters> left{"left"};    // its a comes next, or what enters the row
  sc_core::sc_in<PeRegisters> above{"above"};  // its b comes next, or what enters the column
  sc_core::sc_in<PeRegisters> below{"below"};  // its acc comes next while sums leave, or 0
  sc_core::sc_out<PeRegisters> registers{"registers"};

  SC_HAS_PROCESS(Pe);
  explicit Pe(const sc_core::sc_module_name& name);

 private:
  void on_clock();
  PeRegisters now_;  // what `registers` shows
};

// Weight stationary: b stays, except while its column loads.
class WeightPe : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clock{"clock"};
  sc_core::sc_in<bool> load{"load"};           // its column's enable
  sc_core::sc_in<PeRegisters> left{"left"};    // its a comes next, or what enters the row
  sc_core::sc_in<PeRegisters> above{"above"};  // its acc is added to and its b sinks in, or what
                                               // enters the column, of which acc is 0
  sc_core::sc_out<PeRegisters> registers{"registers"};

  SC_HAS_PROCESS(WeightPe);
  explicit WeightPe(const sc_core::sc_module_name& name);

 private:
  void on_clock();
  PeRegisters now_;  // what `registers` shows
};

// Input stationary: a stays, except while its column loads.
class ActivationPe : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clock{"clock"};
  sc_core::sc_in<bool> load{"load"};           // its column's enable
  sc_core::sc_in<PeRegisters> left{"left"};    // its b comes next, or what enters the row
  sc_core::sc_in<PeRegisters> above{"above"};  // its acc is added to, or 0
  sc_core::sc_in<PeRegisters> below{"below"};  // its a rises, or what enters the column
  sc_core::sc_out<PeRegisters> registers{"registers"};

  SC_HAS_PROCESS(ActivationPe);
  explicit ActivationPe(const sc_core::sc_module_name& name);

 private:
  void on_clock();
  PeRegisters now_;  // what `registers` shows
};

// With overlap a PE has a second register, which it shows apart: `second` carries drain as acc, or
// next as b (ws) or a (is). Its swap bit is a LatchedBit of its own.
//
// Output stationary: where the bit stands, the sum is handed over and acc starts anew.
class DrainPe : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clock{"clock"};
  sc_core::sc_in<bool> swap{"swap"};
  sc_core::sc_in<bool> shift{"shift"};  // rows leave
  sc_core::sc_in<PeRegisters> left{"left"};
  sc_core::sc_in<PeRegisters> above{"above"};
  sc_core::sc_in<PeRegisters> below{"below"};  // its drain comes next while rows leave, or 0
  sc_core::sc_out<PeRegisters> registers{"registers"};
  sc_core::sc_out<PeRegisters> second{"second"};

  SC_HAS_PROCESS(DrainPe);
  explicit DrainPe(const sc_core::sc_module_name& name);

 private:
  void on_clock();
  PeRegisters now_, second_;
};

// Weight or input stationary: where the bit stands, next becomes the stationary operand.
class ShadowPe : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clock{"clock"};
  sc_core::sc_in<bool> swap{"swap"};
  sc_core::sc_in<bool> load{"load"};             // its column's enable
  sc_core::sc_in<PeRegisters> left{"left"};      // the moving operand
  sc_core::sc_in<PeRegisters> above{"above"};    // its acc is added to, or 0
  sc_core::sc_in<PeRegisters> before{"before"};  // the second register above (ws) or below (is), or
                                                 // what enters the column
  sc_core::sc_out<PeRegisters> registers{"registers"};
  sc_core::sc_out<PeRegisters> second{"second"};

  SC_HAS_PROCESS(ShadowPe);
  ShadowPe(const sc_core::sc_module_name& name, Dataflow dataflow);

 private:
  void on_clock();
  bool ws_;
  PeRegisters now_, second_;
};

// One bit that moves right: a column's load enable, or a swap bit.
class LatchedBit : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clock{"clock"};
  sc_core::sc_in<bool> left{"left"};
  sc_core::sc_out<bool> bit{"bit"};

  SC_HAS_PROCESS(LatchedBit);
  explicit LatchedBit(const sc_core::sc_module_name& name);

 private:
  void on_clock();
};

// `stages` registers in a row; what enters leaves that many cycles later.
class DelayLine : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clock{"clock"};
  sc_core::sc_in<PeRegisters> input{"input"};
  sc_core::sc_out<PeRegisters> output{"output"};  // the last stage

  SC_HAS_PROCESS(DelayLine);
  DelayLine(const sc_core::sc_module_name& name, int stages);
  const PeRegisters& stage(int i) const { return stages_[static_cast<std::size_t>(i)]; }

 private:
  void on_clock();
  std::vector<PeRegisters> stages_;  // of which a lane uses only a, only b or only acc
};

// What enters the array in one cycle: the scratchpads' read registers and what the array is to do,
// the mode where outputs are stationary and the load enable of column 0 where an operand is.
struct ArrayOperands {
  std::vector<std::int8_t> activations;  // one a row (is: a column)
  std::vector<std::int8_t> weights;      // one a column (is: a row)
  Dataflow dataflow = Dataflow::os;      // the layer's
  ArrayMode mode = ArrayMode::accumulate;
  bool load = false;
  bool swap = false;  // overlap
  bool shift = false;
};

class PeArray : public sc_core::sc_module {
 public:
  // Fills in the operands of the next cycle; called at every rising edge. Before the first edge all
  // operands are zero, the mode is accumulate and nothing loads.
  using Source = std::function<void(ArrayOperands&)>;

  SC_HAS_PROCESS(PeArray);
  PeArray(const sc_core::sc_module_name& name, const ArrayShape& shape, Source source);

  // Lets `cycles` rising edges pass.
  void run(std::int64_t cycles);

  std::int8_t a(int row, int column) const { return pe_[pe(row, column)].read().a; }
  std::int8_t b(int row, int column) const { return pe_[pe(row, column)].read().b; }
  std::int32_t acc(int row, int column) const { return pe_[pe(row, column)].read().acc; }
  std::int8_t skew_a(int lane, int stage) const { return skew_a_[index(lane - 1)].stage(stage).a; }
  std::int8_t skew_b(int lane, int stage) const { return skew_b_[index(lane - 1)].stage(stage).b; }
  // An operand is stationary. Columns 1 and up have a load enable; all but the last have deskew
  // stages.
  bool load(int column) const { return load_[index(column)].read(); }
  std::int32_t deskew(int column, int stage) const {
    return deskew_[index(column)].stage(stage).acc;
  }
  // Overlap.
  bool swap(int row, int column) const { return swap_[pe(row, column)].read(); }
  std::int32_t drain(int row, int column) const { return second_[pe(row, column)].read().acc; }
  std::int8_t next(int row, int column) const {
    const PeRegisters& second = second_[pe(row, column)].read();
    return is() ? second.a : second.b;  // in a mixture both
  }
  bool skew_swap(int lane, int stage) const {
    return swap_delay_[index(lane * (lane - 1) / 2 + stage)].read();
  }
  // The sum that leaves the column in this cycle: at the top (os), and aligned below the last row.
  std::int32_t top(int column) const { return shape_.overlap ? drain(0, column) : acc(0, column); }
  std::int32_t aligned(int column) const;
  const ArrayOperands& entering() const { return operands_; }  // what stands at the edge now

 private:
  static std::size_t index(int i) { return static_cast<std::size_t>(i); }
  std::size_t pe(int row, int column) const { return index(row * shape_.columns + column); }
  void on_clock();
  using Signals = sc_core::sc_vector<PeSignal<PeRegisters>>;
  void wire_edge(sc_core::sc_vector<DelayLine>& lines, Signals& entering, Signals& delayed);
  void wire_output_pes();
  void wire_weight_pes();
  void wire_activation_pes();
  void wire_loads_and_deskew();
  void wire_swaps();
  void wire_drain_pes();
  void wire_shadow_pes();
  void wire_union_pes();
  // What a PE's ports of these names read.
  PeSignal<PeRegisters>& left(int row, int column);
  PeSignal<PeRegisters>& above(int row, int column);
  PeSignal<PeRegisters>& below(int row, int column);
  bool is() const { return shape_.only(Dataflow::is); }

  ArrayShape shape_;
  Source source_;
  ArrayOperands operands_;

  sc_core::sc_clock clock_;
  PeSignal<std::uint8_t> mode_{"mode"}, dataflow_{"dataflow"};
  PeSignal<PeRegisters> zero_{"zero"};  // beyond the last row (os) or the first one (is)
  Signals enter_a_, enter_b_;           // the scratchpads' read registers
  Signals delayed_a_, delayed_b_;       // lanes 1 and up
  Signals pe_;
  sc_core::sc_vector<DelayLine> skew_a_, skew_b_;
  sc_core::sc_vector<Pe> pes_;
  // An operand is stationary.
  sc_core::sc_vector<PeSignal<bool>> load_;  // column 0's stands beside the read registers
  Signals aligned_;                          // sums of all columns but the last
  sc_core::sc_vector<LatchedBit> load_enables_;
  sc_core::sc_vector<DelayLine> deskew_;
  sc_core::sc_vector<WeightPe> weight_pes_;
  sc_core::sc_vector<ActivationPe> activation_pes_;
  // Overlap.
  PeSignal<bool> swap_in_{"swap_in"}, shift_{"shift"};
  sc_core::sc_vector<PeSignal<bool>> swap_, swap_delay_;  // of the PEs; in front of rows 1 and up
  Signals second_;
  sc_core::sc_vector<LatchedBit> swap_bits_, swap_delays_;
  sc_core::sc_vector<DrainPe> drain_pes_;
  sc_core::sc_vector<ShadowPe> shadow_pes_;
  // A mixture.
  sc_core::sc_vector<UnionPe> union_pes_;
};

}  // namespace sagitta
