// Arithmetic, gates and memories of a technology: area of one, energy of one evaluation. The rules
// are those of docs/cost.md, "Composition".
#pragma once

#include <string>

#include "cost/cost.h"

namespace sagitta {

// One hardware operator.
struct Operator {
  std::string name;  // "32-bit adder"
  double um2 = 0;
  double pj = 0;  // one evaluation: its inputs change once
};

class OperatorLibrary {
 public:
  explicit OperatorLibrary(const Technology& technology) : technology_(&technology) {}

  Operator adder(int bits) const;  // also a subtractor or an incrementer
  Operator multiplier(int a_bits, int b_bits) const;
  Operator comparator(int bits) const;  // less than
  Operator equality(int bits) const;
  Operator mux2(int bits) const;
  Operator and_mask(int bits) const;  // passes a word or zero
  Operator voter(int bits) const;     // majority of three
  Operator xors(int gates) const;     // of two inputs each; 0: wires

  // Area of a bit in a memory of `bytes` in `banks` (periphery included), um2.
  double sram_bit_um2(double bytes, int banks) const;
  // Energy of a bit of one access of `width` bits to a memory of `bytes`, pJ.
  double sram_read_bit_pj(int width, double bytes) const { return access("read", width, bytes); }
  double sram_write_bit_pj(int width, double bytes) const { return access("write", width, bytes); }

 private:
  double access(const std::string& direction, int width, double bytes) const;

  const Technology* technology_;
};

}  // namespace sagitta
