// Whether a register was in use when it was struck: its block was at work and its index lies within
// the rows, lanes or elements that the work covers. Tells masked_idle from masked_logical.
#pragma once

#include <array>
#include <vector>

#include "fault/site.h"
#include "machine/machine.h"

namespace sagitta {

class Activity {
 public:
  Activity(const SiteMap& sites, const Program& program);
  bool in_use(const Machine& machine, const Site& site) const;

  // What decides whether a word of the activation, weight and parameter memories is in use. It is
  // the same in every fault-free run, so that it can be asked for without a machine.
  struct Moment {
    std::int64_t arrived = 0;  // bytes of the transfer that is arriving
    std::int32_t arriving = -1;
    std::int32_t transfers = 0;  // completed
    std::int32_t column_tile = 0;
    std::int32_t first_row = 0;  // of the tile at work
    std::uint8_t layer = 0;      // SequencerState::layer
    std::uint8_t phase = 0;
    std::uint8_t weight_bank = 0;
    std::uint8_t dataflow = 0;
  };
  static Moment moment(const Machine& machine);
  bool of_moment(int register_class) const;
  // Only of such a class.
  bool in_use(const Moment& moment, const Site& site) const;

 private:
  enum class Kind : unsigned char {
    control,
    array_pe,
    array_row,
    array_lane,
    lane_read,
    // Of the activations: one a row, or (is) a lane; and of the weights, the other way round.
    activation_skew,
    weight_skew,
    activation_read,
    weight_read,
    activation_map,
    weight_bank,
    checksum_bank,
    parameter_bank,
    accumulator,
    partial_row,
    vote_row,
    vote_read,
    column_sum,  // of checksums of columns: until their tile has been judged
    column_row,  // ... of the buffer in which its rows wait
    line_word,
    array_any,
    channel_parameter,
    dma,
    lane_parameter,
    stage_lane,  // a stage of the drain path: at work while its valid bit is set
    stage,
    product_lane,  // ... or while the layer adds up taps
    maximum_lane,
    pool_lane,
    detector_row
  };
  struct Place {
    Kind kind = Kind::control;
    int lane = -1;     // the index that the path fixes ("array.skew_a[3][]")
    bool sum = false;  // of a PE: passes all rows where an operand is stationary
    const RegisterClass* valid = nullptr;        // of the stage
    std::array<bool, 3> used{true, true, true};  // by the layer's dataflow
  };
  // The weights of a column tile, counted over the program. Input stationary a row is one channel's
  // in one fold, and the last fold's rows may be filled up with zeros.
  struct WeightTile {
    bool is;
    std::int64_t rows;  // in the scratchpad
    int lanes;          // of a row
    std::int64_t depth;
    int channels;
  };

  static Place place_of(const RegisterClass& registers);
  void find_live_maps();
  bool feeding(const Machine& machine, const SequencerState& s) const;
  int rows_at_work(const Machine& machine, const SequencerState& s) const;
  const RegisterClass* valid_of(const std::string& path) const;
  bool activation_in_use(const Moment& moment, const std::vector<int>& index) const;
  bool weight_in_use(const Moment& moment, const std::vector<int>& index) const;

  const SiteMap* sites_;
  const Program* program_;
  std::vector<Place> places_;                // by register class
  std::vector<const RegisterClass*> loads_;  // the columns' load enables
  std::vector<WeightTile> tiles_;
  // Elements of each activation map that are still needed: [layer] before it starts, the last
  // entry after the last layer; and while it runs.
  std::vector<std::vector<std::int64_t>> live_before_, live_during_;
};

}  // namespace sagitta
