// Faults and their delivery. A flip, SITE@CYCLE, inverts the stored bit after the clock edge that
// starts that cycle, so that the logic of that cycle sees it; it lasts until the element is
// written. A stuck bit, SITE=0@FIRST..LAST, is forced after the clock edge that starts each of its
// cycles.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "base/registers.h"
#include "fault/site.h"

namespace sagitta {

enum class FaultKind : std::uint8_t { flip, stuck0, stuck1 };
const char* to_string(FaultKind kind);

// `last` of a bit that is stuck to the end of the run.
inline constexpr std::int64_t kToTheEnd = std::numeric_limits<std::int64_t>::max();

struct Fault {
  Site site;
  std::int64_t cycle = 0;
  bool resisted = false;  // a hardened flip-flop, which this fault does not change
  FaultKind kind = FaultKind::flip;
  std::int64_t last = -1;  // of a stuck bit: its last cycle, inclusive
};

// What became of a fault.
struct FaultRecord {
  Site site;
  std::int64_t cycle = 0;
  bool fired = false;  // the machine was still running, and the stored bit changed (once at least)
  // Value of the whole register, signed where the register is, in the first cycle in which the bit
  // changed; of a stuck bit that never changed it twice the one of its first cycle.
  std::int64_t before = 0;
  std::int64_t after = 0;
  bool resisted = false;
  FaultKind kind = FaultKind::flip;
  std::int64_t last = -1;

  Fault fault() const { return {site, cycle, resisted, kind, last}; }
};

// Value of a register element whose bytes are `raw`, little endian: signed where the register is.
std::int64_t register_value(std::uint64_t raw, const RegisterClass& registers);
// Value of a register element, and the flip of one of its bits.
std::int64_t read_register(MachineState& state, const RegisterClass& registers,
                           std::int64_t element);
void flip_bit(MachineState& state, const RegisterClass& registers, std::int64_t element, int bit);

// Delivers a list of faults to one run, cycle by cycle. Those of a cycle act one after the other,
// in the order given: two flips of the same bit cancel, as two particles would.
class Injector {
 public:
  Injector(const SiteMap& sites, std::vector<Fault> faults);

  // The next cycle in which strike() has something to do; -1: none is left. While a bit is stuck
  // that is every cycle, and strike() must have been called in all of them.
  std::int64_t next_cycle() const;
  // Delivers the faults of `cycle`, the next one. True when it changed the state, of which the
  // caller then tells the machine. `about_to_change` is called first for each fault that changes
  // its bit as it then stands.
  bool strike(MachineState& state, std::int64_t cycle,
              const std::function<void(const Site&)>& about_to_change = nullptr);
  // From now on every strike is the same for ever: all that is left are bits stuck to the end.
  bool settled() const { return next_ == order_.size() && ends_ == 0; }

  // Takes note of a single flip that was delivered elsewhere; there is nothing left to do.
  void delivered(const FaultRecord& record);

  // In the order in which the faults were given.
  const std::vector<FaultRecord>& records() const { return records_; }

 private:
  bool changes(MachineState& state, const FaultRecord& r) const;

  const SiteMap* sites_;
  std::vector<FaultRecord> records_;
  std::vector<std::size_t> order_;   // by first cycle, stable
  std::size_t next_ = 0;             // in order_
  std::vector<std::size_t> active_;  // stuck bits in force, in the order given
  std::size_t ends_ = 0;             // ... of these, those whose last cycle is to come
  std::int64_t cycle_ = -1;          // of the last strike
};

// "array.pe[3][4].a:5@17", "array.pe[3][4].a:5=0@17" (to the end of the run) or
// "array.pe[3][4].a:5=1@17..40". Throws InputError.
Fault parse_fault(const SiteMap& sites, const std::string& text, const std::string& file,
                  const std::string& where);
// The same text.
std::string fault_text(const SiteMap& sites, const Fault& fault);

}  // namespace sagitta
