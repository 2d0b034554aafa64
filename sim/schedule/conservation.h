// What the counts of a fault-free run must balance to, whatever the network and the machine.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "base/counters.h"
#include "schedule/program.h"

namespace sagitta {

// The simulator, not its user, is wrong.
class ConservationError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

// `counters`: of one whole fault-free run of `cycles` cycles, one entry a layer and one for what is
// outside of layers. Throws ConservationError naming the first law that does not hold, where, and
// both figures:
//   each layer   busy + stalls + idle = cycles; the four states of DMA = cycles;
//                bank stalls <= words read from banks <= banks x cycles;
//                MACs = passes M N K; elements written = M N;
//                partial sums written = read = passes M N (folds - 1)
//   the run      cycles of all entries = cycles; bytes read from DRAM = sent by DMA = taken by the
//                scratchpads = sizes of all transfers; beats to the host = ceil(results / columns)
// Under faults a run need not keep them.
void check_conservation(const Program& program, const std::vector<LayerCounters>& counters,
                        std::int64_t cycles);

}  // namespace sagitta
