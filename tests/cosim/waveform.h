// Two waveforms of the cycles around a mismatch, with the same signals: one of each machine.
#pragma once

#include <cstdint>
#include <string>

#include "cosim/register_map.h"

namespace sagitta::cosim {

// Value change dumps of every flip-flop, one time unit a cycle. `sample` once a cycle; write()
// makes PREFIX.simulator.vcd and PREFIX.rtl.vcd.
class Waveforms {
 public:
  explicit Waveforms(const RegisterMap& map) : map_(&map) {}
  void sample(const Machine& machine, std::int64_t cycle);
  void write(const std::string& prefix) const;

 private:
  struct Trace {
    std::vector<std::uint64_t> last;
    std::string changes;
  };
  void sample(Trace& trace, std::int64_t cycle, std::size_t index, std::uint64_t value, int width,
              bool& stamped);
  std::string header() const;

  const RegisterMap* map_;
  Trace simulator_, rtl_;
};

}  // namespace sagitta::cosim
