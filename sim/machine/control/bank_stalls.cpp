// Which cycles are lost to the banks of activations. Counted as stalls are as many as ideal ports
// would save, so that busy and idle cycles are the same whatever the banks. A wait costs nothing as
// long as something else takes longer anyway; what is known of that stands in the registers.
#include <algorithm>
#include <cstdint>

#include "machine/control/sequencer.h"

namespace sagitta {

std::optional<Phase> Sequencer::spent_in(const SequencerState& s, bool reads_wait) const {
  const auto phase = static_cast<Phase>(s.phase);
  const Dataflow flow = dataflow(s);
  // is, overlap: the next fold's activations wait behind the products, and what they wait for
  // longer than those take is lost once the products have ended. Without waits as many loads have
  // gone by as channels.
  if (phase == Phase::settle && flow == Dataflow::is && overlap()) {
    if (reads_wait || s.ahead < stream_length(s)) return std::nullopt;
    return phase;
  }
  if (!reads_wait || issues_rows(s, true)) return phase;
  if (!overlap()) return std::nullopt;
  const std::int64_t rows = rows_;
  if (phase == Phase::feed && s.drain_left > 0) {
    // The next sums can be handed over after `drain` cycles, products are left for `feed`.
    const std::int64_t drain = std::int64_t{s.drain_wait} + s.drain_left - 1;
    const std::int64_t feed = std::int64_t{s.config.depth} - s.weight_row;
    const bool last = s.first_row + rows >= s.config.rows;
    if (drain > feed) return last ? Phase::drain : Phase::bubble;
  }
  if (phase == Phase::stream && !last_fold(s)) {  // ws: the next fold's weights move in meanwhile
    const std::int64_t load = std::max<std::int64_t>(1, 2 * rows - 2) - s.ahead;
    const std::int64_t stream = std::int64_t{stream_length(s)} - 1 - s.pixel;
    if (load > stream) return Phase::settle;
  }
  return std::nullopt;
}

}  // namespace sagitta
