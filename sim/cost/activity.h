// How often things happened in a run, in the terms in which hardware spends energy: derived from
// the machine's counters.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/counters.h"
#include "schedule/program.h"

namespace sagitta {

enum class Event : std::uint8_t {
  cycle,         // a clock cycle
  active_cycle,  // a cycle that is not a stall
  layer,
  feed,       // a feed cycle
  row_feed,   // a valid row in a feed cycle: an activation (is: a weight) enters at the left
  lane_feed,  // a weight (is: an activation) of a valid lane enters the array
  mac,        // a valid row x valid lane in a feed cycle
  shift,      // a valid sum moves up one PE while its tile drains
  row_shift,  // ... and the checksum column's sum of that row
  row_tile,   // positions are taken anew: a tile (os, is) or a fold (ws)
  fold,       // ws, is
  column_tile,
  setup_lane,     // a lane takes its parameters
  folded,         // a valid lane of a fold's sums below the array (ws, is)
  partial_read,   // ... that is added to an earlier fold's
  partial_write,  // ... that waits for the next fold
  leaving,        // a row of sums leaves the array or the partial sums, in whichever pass
  vector,         // a row of sums on the drain path
  map_vector,     // ... in a layer whose map lines checkers of maps hold back
  lane,           // a valid lane of such a row
  requantised,    // ... that is multiplied by its scale
  raw,            // ... that goes to the accumulator buffer
  pool_tap,
  pool_lane,   // a valid lane of a tap of max pooling
  tap_lane,    // ... of average pooling or an add, multiplied and added up
  rounded,     // a product, or a sum of taps, that becomes int8
  output,      // an element written back
  word,        // a word read from a bank of the activation memory
  beat,        // a DMA beat
  store_beat,  // a row of results on its way to the host
};
inline constexpr int kEvents = static_cast<int>(Event::store_beat) + 1;

class Activity {
 public:
  // `counters`: one entry a layer and one for what is outside of layers.
  Activity(const Program& program, const std::vector<LayerCounters>& counters, std::int64_t cycles);

  double of(Event event) const;
  // In layers of one dataflow. What belongs to no layer goes with the machine's first dataflow, so
  // that the members of a mixture add up to the whole.
  double of(Event event, Dataflow member) const;
  double dma_bytes() const { return dma_bytes_; }
  // Bytes moved by DMA in units of one whole inference: what depends on the program's transfers
  // alone (parameters, results) scales with it.
  double inferences() const { return inferences_; }

 private:
  double& at(Event event, Dataflow member) {
    return counts_[static_cast<std::size_t>(member)][static_cast<std::size_t>(event)];
  }
  // `layer`: null for what is outside of layers. `lanes`: input stationary, the mean over the
  // layer's tiles of the columns in use.
  void add_layer(const LayerCounters& c, Dataflow dataflow, const LayerDescriptor* layer,
                 double lanes);

  std::array<std::array<double, kEvents>, 3> counts_{};  // by dataflow
  double passes_ = 1;                                    // of each tile
  double dma_bytes_ = 0;
  double inferences_ = 0;
};

}  // namespace sagitta
