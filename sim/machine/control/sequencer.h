// The sequencer: walks layers, column tiles and row tiles, and tells every other block what to do.
//
// A column tile is `wait` (its weights), `setup` (parameters to the lanes, pixel positions to the
// rows), then for each row tile `feed` (K cycles), `bubble` (the wavefront crosses the array) and
// `drain` (one output pixel a cycle), at last `flush` (the drain path empties). Addresses issued in
// cycle t reach pe[0][0] in cycle t + 2, and so do the array modes, through two registers.
//
// Weight stationary: a column tile is `wait`, then for each fold of `array rows` taps `preload`,
// `stream` and `settle`, at last `flush`. The rows' address registers then hold taps, and the
// walker moves over the output pixels: the same adders, the other way round. Where a tile has more
// pixels than the partial-sum memory has rows, the folds run once for each part.
//
// Input stationary: a column tile is `wait` and `setup` (pixel positions to the columns), then for
// each tile of pixels and each fold `preload` (its taps, shared by the columns), `stream` (one
// output channel a cycle) and `settle`, and after the last fold `flush`.
//
// In a mixture each layer goes through as in a machine of its dataflow, which every block asks for.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/registers.h"
#include "schedule/program.h"

namespace sagitta {

// With overlap the drain (os) or the next fold's preload (ws, is) goes on behind `feed` or
// `stream`, with a counter of its own; a swap bit, issued beside the operands, tells the PEs where
// the next tile or fold begins.

enum class Phase : std::uint8_t {
  load = 0,  // take the next layer descriptor, or go to `store` after the last
  wait = 1,  // until DMA has delivered what the layer needs
  setup = 2,
  feed = 3,
  bubble = 4,
  drain = 5,
  pool = 6,  // one tap of one output pixel a cycle, `columns` channels at a time; add: two taps
  flush = 7,
  store = 8,  // hand the result to the host
  done = 9,
  // Weight or input stationary.
  preload = 10,  // the stationary operands of a fold move into the array
  stream = 11,   // one output pixel (ws) or output channel (is) a cycle
  settle = 12,   // until the last of them has passed the stationary operands
  // Output stationary, where tiles may run again or wait for the checksums of their columns.
  verify = 13,  // until the detector has judged the tile's last row, and what waits has left
  // The others are not used by the hardware; a machine that a fault sends there stands still.
};

enum class ArrayMode : std::uint8_t {
  accumulate = 0,   // acc <= acc + a * b
  shift = 1,        // a row leaves at the top, acc[r] <= acc[r + 1]
  shift_clear = 2,  // the last row of a tile leaves, acc <= 0
  clear = 3,        // acc <= 0
};

// What the sequencer tells the array in a cycle.
struct ArrayControl {
  Dataflow dataflow = Dataflow::os;        // the layer's
  ArrayMode mode = ArrayMode::accumulate;  // outputs stationary, no overlap
  bool load = false;   // an operand is stationary: one is to enter column 0 (c: c cycles later)
  bool swap = false;   // overlap: the swap bit that enters row 0 (r: r cycles later)
  bool shift = false;  // outputs stationary, overlap: a row of drain registers leaves
};

struct LaneRange {
  std::size_t first, end;
};

struct SequencerState {
  LayerDescriptor config;
  std::uint8_t phase;
  std::uint8_t layer;  // the next descriptor to load
  std::uint8_t weight_bank;
  std::uint16_t column_tile;    // counted over the program: DMA runs at most one ahead
  std::int32_t first_column;    // n0
  std::int32_t group_column;    // n0 within its group
  std::int32_t group_address;   // the group's first input channel
  std::int32_t first_row;       // m0
  std::int32_t count;           // cycles spent in this phase
  std::int32_t output_address;  // of the next output pixel's first lane
  std::int32_t retry_address;   // os, where tiles may run again: of the row tile's first one
  std::int32_t tap_y, tap_x;    // kernel position times dilation
  std::int32_t kernel_y, kernel_x, channel;
  std::int32_t tap_address;
  std::int32_t weight_row;  // k
  std::int32_t walk_y, walk_x,
      walk_address;    // the next output pixel's window, for setup and pooling
  std::int32_t pixel;  // pooling and streaming: output pixel, or (is) channel of the column tile

  // Weight or input stationary; the part's position weight stationary only.
  std::int32_t first_depth;                   // k0 of the fold
  std::int32_t part_y, part_x, part_address;  // the walker at the part's first pixel
  std::uint8_t load1;                         // stationary operands enter column 0
  std::uint8_t tag1;                          // what was issued to the rows: kTag*

  // Overlap.
  std::uint8_t swap1;       // the swap bit enters row 0
  std::int32_t drain_wait;  // os: cycles until the tile that was handed over may leave
  std::int32_t drain_left;  // ... and its rows that have yet to
  std::int32_t ahead;       // ws, is: cycles since the stream began, at most 2 x rows - 1

  // What was issued one and two cycles ago.
  std::uint8_t mode1, mode2;    // ArrayMode
  std::uint8_t drain1, drain2;  // a row leaves the array
  std::int32_t drain_address1, drain_address2;
  std::uint8_t param1, param2;  // a lane's parameters are under way
  std::uint16_t param_lane1;
  std::uint8_t pool1, pool2;  // kPool*
  std::int32_t pool_address1, pool_address2;
  std::uint8_t store1;  // a beat for the host is under way
};

// A position in the input map, and the address that goes with it.
struct SharedPosition {
  std::uint32_t y, x, address;
};

// Bits of pool1, pool2: a tap is under way, it is the first or the last of its pixel, it lies in
// the padding, it does not lie in the window's first column (pool1 only).
inline constexpr std::uint8_t kPoolTap = 1, kPoolFirst = 2, kPoolLast = 4, kPoolPadded = 8;
inline constexpr std::uint8_t kPoolSecond = 16;

// Bits of tag1 and of the tags that accompany a pixel (ws) or a channel (is) through the array.
inline constexpr std::uint8_t kTagValid = 1;
inline constexpr std::uint8_t kTagFirstFold = 2, kTagLastFold = 4;
inline constexpr std::uint8_t kTagEnd = 8;  // the last of the part (ws) or column tile (is)

class Sequencer {
 public:
  // `unit_latency`: cycles of the resilience unit; `detector_latency`: those from a biased sum to
  // its row's flag; `column_latency`: from there to the verdict of the columns' checksums.
  Sequencer(RegisterLayout& layout, const Program& program, int unit_latency, int detector_latency,
            int column_latency);

  // `transfers_done`: how many transfers DMA has completed. `reads_wait`: banks are still to
  // deliver activations that this cycle asks for; what takes them waits, and nothing else.
  // `again`: the tile that is judged in this cycle is to run again.
  void step(const Cycle& cycle, std::uint32_t transfers_done, bool reads_wait, bool again) const;

  const SequencerState& state(const std::byte* now) const { return *state_.now(now); }
  // Window origin of the output pixel that each array row (is: column) works on, or (ws) position
  // of the row's tap: position and element address.
  const std::int32_t* row_y(const std::byte* now) const { return row_y_.now(now); }
  const std::int32_t* row_x(const std::byte* now) const { return row_x_.now(now); }
  const std::int32_t* row_address(const std::byte* now) const { return row_address_.now(now); }

  // Lanes and rows in use by the current tile.
  int lanes(const SequencerState& s) const;
  int rows(const SequencerState& s) const;
  // The dataflow of the layer at work. One that the machine has not, which only a fault leaves in
  // the register, acts as its first one.
  Dataflow dataflow(const SequencerState& s) const {
    const bool known = s.config.dataflow < members_.size() && members_[s.config.dataflow];
    return mixed_ && known ? static_cast<Dataflow>(s.config.dataflow) : first_;
  }
  bool overlap() const { return overlap_; }
  // How far apart the lanes of a vector lie in the result: a lane is a channel, or (is) a pixel.
  std::int32_t lane_step(const SequencerState& s) const {
    return pixels_in_lanes(s) ? s.config.columns : 1;
  }

  // What the array is to do in this cycle.
  ArrayControl array_control(const SequencerState& s) const;
  // Where an operand is stationary: which of a fold's R taps or weight rows is being read for the
  // array in this cycle, in the order of reading, or -1; and the fold's k0.
  int loading(const SequencerState& s) const;
  std::int32_t loading_depth(const SequencerState& s) const;

  // Output stationary: the last row of a tile leaves the array: now, or with overlap two cycles
  // from now.
  bool ends_tile(const SequencerState& s) const {
    return overlap() ? s.drain_left == 1 && s.drain_wait == 0
                     : static_cast<ArrayMode>(s.mode2) == ArrayMode::shift_clear;
  }
  // Where tiles may run again: whatever the detector has to say of the tile it has said by this
  // cycle, in which the sequencer goes on or goes back.
  bool judges(const SequencerState& s) const;
  // Columns' checksums: the row of the tile that leaves its buffer in this cycle, from the verdict
  // on; or -1.
  std::int32_t verified(const SequencerState& s) const {
    const bool waits = columns_wait_ && s.phase == static_cast<std::uint8_t>(Phase::verify) &&
                       dataflow(s) == Dataflow::os;
    return waits && s.count + 1 >= verify_ ? s.count + 1 - verify_ : -1;
  }
  // ... the last one has left, or the tile runs again, or nothing has come yet: the next tile's
  // checksums begin.
  bool ends_verified(const SequencerState& s, bool again) const {
    return s.phase == static_cast<std::uint8_t>(Phase::setup) || again || verified(s) >= rows(s);
  }
  // The moving operand is being issued to the array: the cycles in which it multiplies. Input
  // stationary it is the weights, which wait for nothing.
  bool issues_rows(const SequencerState& s, bool reads_wait) const {
    const Phase issuing = dataflow(s) == Dataflow::os ? Phase::feed : Phase::stream;
    return s.phase == static_cast<std::uint8_t>(issuing) &&
           !(reads_wait && dataflow(s) != Dataflow::is);
  }
  // Where a cycle of a machine with banks goes: the phase to which it counts, or nothing when it is
  // lost to the banks, as it would not be with ideal ports (control/bank_stalls.cpp).
  std::optional<Phase> spent_in(const SequencerState& s, bool reads_wait) const;
  // The position registers, and how many of them read an activation in this cycle.
  int positions() const { return positions_; }
  int activations_read(const SequencerState& s) const;
  // What is added to each of these registers: the tap, or (ws) the output pixel's window.
  SharedPosition shared_position(const SequencerState& s) const {
    const auto position = [](std::int32_t y, std::int32_t x, std::int32_t address) {
      return SharedPosition{static_cast<std::uint32_t>(y), static_cast<std::uint32_t>(x),
                            static_cast<std::uint32_t>(address)};
    };
    return dataflow(s) == Dataflow::ws ? position(s.walk_y, s.walk_x, s.walk_address)
                                       : position(s.tap_y, s.tap_x, s.tap_address);
  }
  // Unsigned, so that a negative position is a large one. Outside is the padding.
  static bool in_map(const SequencerState& s, std::uint32_t y, std::uint32_t x) {
    return y < static_cast<std::uint32_t>(s.config.height) &&
           x < static_cast<std::uint32_t>(s.config.width);
  }
  // Pooling and adding: the tap lies in the map.
  static bool tap_in_map(const SequencerState& s) {
    const auto walk = [](std::int32_t a, std::int32_t b) {
      return static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b);
    };
    return in_map(s, walk(s.walk_y, s.tap_y), walk(s.walk_x, s.tap_x));
  }
  // Where the wide port reads for pooling and adding, or for the host.
  static int vector_map(const SequencerState& s) {
    if (s.phase != static_cast<std::uint8_t>(Phase::pool)) return s.config.output_map;
    return s.kernel_x == 0 ? s.config.input_map : s.config.second_map;
  }
  static std::uint32_t vector_address(const SequencerState& s) {
    return s.phase == static_cast<std::uint8_t>(Phase::pool)
               ? static_cast<std::uint32_t>(s.walk_address) +
                     static_cast<std::uint32_t>(s.tap_address)
               : static_cast<std::uint32_t>(s.output_address);
  }
  // Transfer 0 is the image, transfer t + 1 the weights of column tile t.
  static bool data_ready(const SequencerState& s, std::uint32_t transfers_done) {
    const bool gemm = s.config.operation == static_cast<std::uint8_t>(LayerOperation::gemm);
    return transfers_done >= std::uint32_t{s.column_tile} + (gemm ? 2 : 1);
  }
  // The row of the weight scratchpad being read for the array, or -1.
  std::int32_t weight_row(const SequencerState& s, bool reads_wait) const;
  // The lane whose parameters are being read, or -1. Input stationary, where parameters accompany
  // their channel, lane 0 stands for the words of the whole column tile.
  int parameter_lane(const SequencerState& s) const;
  // The lanes, of `sets` that have parameters of their own, which take them in this cycle. Input
  // stationary those of a new channel in every cycle go to all sets.
  LaneRange parameter_target(const SequencerState& s, std::size_t sets) const {
    if (dataflow(s) == Dataflow::is) return {0, sets};
    const bool taken = s.param1 != 0 && s.param_lane1 < sets;
    return taken ? LaneRange{s.param_lane1, std::size_t{s.param_lane1} + 1} : LaneRange{0, 0};
  }
  // The words of the whole column tile are being taken; input stationary there are no others.
  static bool takes_tile_words(const SequencerState& s) {
    return s.param1 != 0 && s.param_lane1 == 0;
  }
  // Weight or input stationary: the tag of the pixel or channel whose sums stand aligned below the
  // array, and of the one that will in the next cycle.
  std::uint8_t tag(const std::byte* now) const { return tags_.now(now)[tags_.count - 1]; }
  std::uint8_t next_tag(const std::byte* now) const {
    return tags_.count > 1 ? tags_.now(now)[tags_.count - 2] : state(now).tag1;
  }

  // Whether one of the tags on their way through the array, or just issued, is such a one.
  template <typename Predicate>
  bool any_tag(const std::byte* now, Predicate such) const {
    return such(state(now).tag1) || std::any_of(tags_.now(now), tags_.now(now) + tags_.count, such);
  }

  // From the last row that leaves the array (os) or is issued to it (ws, is) to the scratchpad.
  int flush_cycles(const SequencerState& s) const {
    const bool gemm = s.config.operation == static_cast<std::uint8_t>(LayerOperation::gemm);
    if (columns_wait_ && gemm) return drain_path_ - before_buffer_ + held_back(s);
    return drain_path_ + (dataflow(s) != Dataflow::os ? rows_ + columns_ : 0) + held_back(s);
  }
  // Of these, the ones in which checkers of maps let their last lines go.
  int held_back(const SequencerState& s) const;
  int store_beat_cycles() const { return store_beat_cycles_; }
  int columns() const { return columns_; }

  // True in a cycle in which a vector for the host is being read at `output_address`.
  static bool store_issue(const SequencerState& s, int logits) {
    return s.phase == static_cast<std::uint8_t>(Phase::store) && s.channel == 0 &&
           s.output_address < logits;
  }

  static constexpr int kAddressBits = 32;

 private:
  void declare(RegisterLayout& layout);
  void start_column_tile(SequencerState& s) const;
  void start_taps(SequencerState& s) const;
  void start_part(SequencerState& s) const;
  void advance_positions(const Cycle& cycle, const LayerDescriptor& c) const;
  bool next_tap(SequencerState& s) const;
  static void wrap_position(const LayerDescriptor& c, std::int32_t& y, std::int32_t& x,
                            std::int32_t& address);
  void walk(SequencerState& s) const;
  void step_setup(const SequencerState& now, SequencerState& s, const Cycle& cycle) const;
  void step_pool(const SequencerState& now, SequencerState& s) const;
  void step_store(const SequencerState& now, SequencerState& s) const;
  void step_drain(const SequencerState& now, SequencerState& s, const Cycle& cycle) const;
  void next_row_tile(const SequencerState& now, SequencerState& s, const Cycle& cycle) const;
  void step_verify(const SequencerState& now, SequencerState& s, const Cycle& cycle,
                   bool again) const;
  void run_again(const SequencerState& now, SequencerState& s) const;
  void step_feed(const SequencerState& now, SequencerState& s, const Cycle& cycle) const;
  void step_drain_behind(const SequencerState& now, SequencerState& s) const;
  void step_last_drain(const SequencerState& now, SequencerState& s) const;
  void hand_over(const SequencerState& now, SequencerState& s, int rows) const;
  void load_stationary(const SequencerState& now, SequencerState& s, const Cycle& cycle) const;
  void start_stream(const SequencerState& now, SequencerState& s, const Cycle& cycle) const;
  bool last_fold(const SequencerState& s) const;
  // Overlap, os: the drain registers are empty, or their last row leaves in this cycle.
  static bool drain_ends(const SequencerState& s) {
    return s.drain_left == 0 || (s.drain_left == 1 && s.drain_wait == 0);
  }
  void step_preload(const SequencerState& now, SequencerState& s, const Cycle& cycle) const;
  void step_stream(const SequencerState& now, SequencerState& s, const Cycle& cycle,
                   bool reads_wait) const;
  void step_settle(const SequencerState& now, SequencerState& s, const Cycle& cycle,
                   bool reads_wait) const;
  void load_behind(const SequencerState& now, SequencerState& s, const Cycle& cycle,
                   bool reads_wait) const;
  void end_settle(const SequencerState& now, SequencerState& s, const Cycle& cycle,
                  bool reads_wait) const;
  void end_tile(const SequencerState& now, SequencerState& s, const Cycle& cycle, bool again) const;
  bool next_part(const SequencerState& now, SequencerState& s, const Cycle& cycle) const;
  int stream_length(const SequencerState& s) const;
  bool pixels_in_lanes(const SequencerState& s) const {
    return dataflow(s) == Dataflow::is &&
           s.config.operation == static_cast<std::uint8_t>(LayerOperation::gemm);
  }

  const Program* program_;
  bool mixed_, overlap_;
  bool reruns_;        // tiles may run again
  bool columns_wait_;  // for their checksums: the rows of each tile, with them
  Dataflow first_;
  std::array<bool, 3> members_;  // by dataflow
  int rows_;
  int columns_;
  int positions_;
  int drain_path_;     // cycles from the array to the scratchpad
  int verify_;         // ... to the row's flag, or to the verdict on the tile
  int before_buffer_;  // of drain_path_, where rows wait for that
  int store_beat_cycles_;
  Pipe<SequencerState> state_;
  Pipe<std::int32_t> row_y_, row_x_, row_address_;
  Pipe<std::int32_t> next_y_, next_x_, next_address_;  // ws, overlap: of the fold that loads
  Pipe<std::uint8_t> tags_;                            // ws, is
};

}  // namespace sagitta
