// The common population: faults drawn over the unprotected machine's bits and cycles, carried over
// to a protected machine so that schemes can be compared on the same faults.
//
// A cycle is carried over by what the machine is doing: the n-th phase of the run (a layer's load,
// a column tile's wait, setup and flush, a row tile's feed, bubble and drain) and the cycle in it;
// where the protected machine's phase is shorter, its last cycle. A site keeps its path; under
// redundancy copy 0 is struck. A bit is stuck for as many cycles.
#pragma once

#include <cstdint>
#include <vector>

#include "fault/injector.h"
#include "fault/site.h"
#include "schedule/program.h"

namespace sagitta {

// A phase of a run: its first cycle, and the one behind its last.
struct PhaseSpan {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

// The phases of a fault-free run, but for those that only a protected machine has (verify). Of a
// tile that runs three times, those of its first run, with the flush of the last.
std::vector<PhaseSpan> phases_of(const Program& program);

class CommonPopulation {
 public:
  // `base` is the unprotected program of the same array, `target` the one to carry faults to.
  CommonPopulation(const Program& base, const SiteMap& base_sites, const Program& target,
                   const SiteMap& target_sites);
  Fault carry(const Fault& fault) const;
  const SiteMap& base_sites() const { return base_sites_; }

 private:
  SiteMap base_sites_;
  std::vector<PhaseSpan> base_phases_, target_phases_;
  struct Target {
    int register_class = -1;
    std::vector<int> base_extents, extents;
  };
  std::vector<Target> classes_;  // by base register class
};

}  // namespace sagitta
