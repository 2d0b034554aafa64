// Faults and their delivery: SITE@CYCLE inverts the stored bit after the clock edge that starts
// that cycle, so that the logic of that cycle sees it; it lasts until the element is written.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/registers.h"
#include "fault/site.h"

namespace sagitta {

struct Fault {
  Site site;
  std::int64_t cycle = 0;
  bool resisted = false;  // a hardened flip-flop, which this upset does not change
};

// What became of a fault.
struct FaultRecord {
  Site site;
  std::int64_t cycle = 0;
  bool fired = false;       // the machine was still running in that cycle, and the bit changed
  std::int64_t before = 0;  // value of the whole register, signed where the register is
  std::int64_t after = 0;
  bool resisted = false;
};

// Value of a register element, and the flip of one of its bits.
std::int64_t read_register(MachineState& state, const RegisterClass& registers,
                           std::int64_t element);
void flip_bit(MachineState& state, const RegisterClass& registers, std::int64_t element, int bit);

// Delivers a list of faults to one run, in order of cycle. Two faults on the same bit in the same
// cycle cancel, as two particles would.
class Injector {
 public:
  Injector(const SiteMap& sites, std::vector<Fault> faults);

  // First cycle that still has a fault to deliver; -1 when none is left.
  std::int64_t next_cycle() const;
  // Delivers every fault of `cycle`. The caller tells the machine that its state was touched.
  void strike(MachineState& state, std::int64_t cycle);

  // In the order in which the faults were given.
  const std::vector<FaultRecord>& records() const { return records_; }

 private:
  const SiteMap* sites_;
  std::vector<FaultRecord> records_;
  std::vector<std::size_t> order_;  // by cycle, stable
  std::size_t next_ = 0;
};

// "array.pe[3][4].a:5@17". Throws InputError.
Fault parse_fault(const SiteMap& sites, const std::string& text, const std::string& file,
                  const std::string& where);

}  // namespace sagitta
