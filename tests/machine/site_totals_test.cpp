// The number of stored bits of a 2x2 machine, counted by hand, block by block.
#include <map>
#include <tuple>

#include <gtest/gtest.h>

#include "fault/site.h"
#include "support/machine_cases.h"

namespace sagitta {
namespace {

using Totals = std::map<std::string, std::int64_t>;

constexpr int kActivationBytes = 16, kWeightRows = 4, kBeat = 4, kLogits = 2;

Network tiny_network() {
  Network network;
  network.input = {1, 1, 3};
  Layer layer;
  layer.input = network.input;
  layer.output = {1, 1, kLogits};
  layer.weights.resize(6);
  layer.bias.resize(2);
  layer.scale.resize(2);
  network.layers.push_back(layer);
  return network;
}

MemoryShape memory() {
  MemoryShape m;
  m.activation_bytes = kActivationBytes;
  m.weight_rows = kWeightRows;
  m.dram_bytes_per_cycle = kBeat;
  return m;
}

// Bits by the first two components of their path, and by storage class.
Totals count(const Program& program) {
  const Machine machine(program);
  Totals totals;
  for (const RegisterClass& c : machine.layout().classes()) {
    std::size_t end = c.path.find('.');
    end = c.path.find_first_of(".[", end + 1);
    totals[c.path.substr(0, end)] += c.bits();
    totals[c.storage == Storage::sram ? "sram" : "flip_flop"] += c.bits();
  }
  EXPECT_EQ(totals["sram"] + totals["flip_flop"], SiteMap(machine.layout()).total_bits());
  return totals;
}
Totals count(const Protection& p) {
  return count(compile(tiny_network(), {2, 2}, memory(), p, "test"));
}

// The unprotected machine.
Totals by_hand() {
  Totals t;
  t["array.pe"] = 2 * 2 * (8 + 8 + 32);  // a, b, acc
  t["array.skew_a"] = 1 * 8;             // row 1 waits one cycle, row 0 none
  t["array.skew_b"] = 1 * 8;
  const int config = 16 + 24 + 24 + 24 + 24  // height, width, rows, columns, group_columns
                     + 16 + 16 + 16 + 16     // origin_y, _x, stride_y, _x
                     + 24 + 24 + 16 + 16     // span_x, _y, dilation_y, _x
                     + 8 + 8 + 24            // kernel_h, _w, tap_channels
                     + 6 * 32        // tap_step_x, _y, origin_address, pixel_, line_, image_step
                     + 24 + 24 + 32  // tile_y, _x, _address
                     + 4 * 8         // zero points, output_min, _max
                     + 2 + 1         // operation, raw
                     + 3 * 1         // input_, second_, output_map: one of two
                     + 24 + 24 + 6 + 8;    // tap_scale, second_scale, tap_shift, second_zero_point
  const int walking = 4 + 8 + 1 + 16       // phase, layer, weight_bank, column_tile
                      + 24 + 24 + 24 + 32  // first_column, first_row, count, output_address
                      + 24 + 32            // group_column, group_address
                      + 24 + 24 + 8 + 8 + 24  // tap_y, _x, kernel_y, _x, channel
                      + 32 + 24 + 3 * 32 +
                      24;  // tap_address, weight_row, walk_y, _x, _address, pixel
  const int delayed = 2 * 2 + 2 * 1 + 2 * 32  // mode, drain, drain_address, one and two cycles old
                      + 1 + 9                 // param, param_lane
                      + 5 + 4 + 2 * 32 + 1;   // pool1, pool2, pool_address, store
  t["control.sequencer"] = config + walking + delayed;
  t["control.row"] = 2 * 3 * 32;                          // y, x, address
  t["memory.dma"] = 16 + 16 + 2 * (1 + 16 + 16) + 32 + 1  // transfer, done, queue, position, bank
                    + 1 + 1 + 1 + 32 + 16  // data_valid, _image, _bank, _address, _count
                    + kBeat * 8;
  t["memory.activation"] = 2 * kActivationBytes * 8 + 2 * 8 + 2 * 8;  // banks, read, vector
  t["memory.weight"] = 2 * kWeightRows * 2 * 8 + 2 * 8;               // banks, read
  t["memory.parameter"] = 2 * (2 * 2) * 32 + 2 * 32;  // banks of 2 lanes x (bias, scale), lane_read
  t["vector.bias"] = 2 * 32;
  t["vector.scale"] = 2 * 24;
  t["vector.shift"] = 2 * 6;
  t["vector.bias_add"] = 2 * 32 + 32 + 1;    // sums, address, valid
  t["vector.requantise"] = 2 * 56 + 32 + 1;  // products of 32 x 24 bits
  t["vector.output"] = 2 * 8 + 32 + 1;
  t["vector.pool"] = 2 * 8;
  t["sram"] = 2 * kActivationBytes * 8 + 2 * kWeightRows * 2 * 8 + 2 * (2 * 2) * 32;
  return t;
}

// A stage of the drain path: two sums, an address, a valid bit.
constexpr int kStage = 2 * 32 + 32 + 1;

void compare(Totals expected, const Totals& counted) {
  std::int64_t all = 0;
  for (const auto& [path, bits] : expected) all += path == "sram" ? 0 : bits;
  expected["flip_flop"] = all - expected["sram"];
  EXPECT_EQ(counted, expected);
}

Checker checker(CheckerKind kind) {
  return {.kind = kind};
}

TEST(SiteTotals, Unprotected) {
  compare(by_hand(), count(Protection{}));
  // The sum of it all, so that a change shows in one number.
  EXPECT_EQ(count(Protection{})["flip_flop"] + count(Protection{})["sram"], 3072);
}

constexpr int kPartialRows = 4;

Totals count_stationary(Dataflow dataflow, const Protection& p, bool overlap = false) {
  MemoryShape m = memory();
  m.partial_rows = dataflow == Dataflow::os ? 0 : kPartialRows;
  return count(compile(tiny_network(), {2, 2, dataflow, overlap}, m, p, "test"));
}
Totals count_weight_stationary(const Protection& p) {
  return count_stationary(Dataflow::ws, p);
}
Totals count_input_stationary(const Protection& p) {
  return count_stationary(Dataflow::is, p);
}

Totals weight_stationary_by_hand() {
  Totals t = by_hand();
  t["array.load"] = 1;                          // column 0's is the sequencer's load1
  t["array.deskew"] = 1 * 32;                   // column 0 waits for column 1
  t["control.sequencer"] += 24                  // depth in place of tile_y, _x, _address
                            - (24 + 24 + 32)    //
                            - 24                // weight_row
                            - 2 * (2 + 1 + 32)  // mode, drain, drain_address
                            + 24 + 3 * 32       // first_depth, part_y, _x, _address
                            + 1 + 4;            // load1, tag1
  t["control.tag"] = (2 + 2) * 4;
  t["memory.partial"] = kPartialRows * 2 * 32  // words
                        + 2 * 32               // read
                        + 24 + 24 + 32         // read_row, write_row, address
                        + 2 * 32 + 32 + 1;     // finished
  t["sram"] += kPartialRows * 2 * 32;
  return t;
}

TEST(SiteTotals, WeightStationary) {
  compare(weight_stationary_by_hand(), count_weight_stationary({}));
}

TEST(SiteTotals, WeightStationaryChecksum) {
  Protection p;
  p.checksum = true;
  const Totals plain = count(Protection{});
  const Totals os = count(p);
  Totals t = weight_stationary_by_hand();
  // What the output-stationary machine gains, and: wait (one column), partial sums, read, finished.
  for (const auto& [path, bits] : os) {
    if (path == "flip_flop") continue;
    const auto before = plain.find(path);
    t[path] += bits - (before == plain.end() ? 0 : before->second);
  }
  t["resilience.checksum"] += 32 + kPartialRows * 32 + 32 + 32;
  t["sram"] += kPartialRows * 32;
  compare(t, count_weight_stationary(p));
}

// What output stationary has not, or has of another size.
Totals input_stationary_by_hand() {
  Totals t = by_hand();
  t["array.load"] = 1;
  t["array.deskew"] = 1 * 32;
  t["control.sequencer"] += 24 + 24 + 32        // depth, tile_channels, tile_output
                            - 2 * (2 + 1 + 32)  // mode, drain, drain_address
                            + 24 + 1 + 4        // first_depth, load1, tag1
                            - (1 + 9);          // param, param_lane: only with words of the tile
  t["control.column"] = t["control.row"];       // two columns in place of two rows
  t.erase("control.row");
  t["control.tag"] = (2 + 2) * 4;
  t["memory.dma"] += 32;                               // data_header
  t["memory.parameter"] = 2 * (kPartialRows * 2) * 32  // banks of 4 channels x (bias, scale)
                          + 2 * 32                     // lane_read
                          + 30;                        // scale and shift wait one cycle
  t["vector.bias"] = 32;                               // one set for all lanes
  t["vector.scale"] = 24;
  t["vector.shift"] = 6;
  t["vector.requantise"] += 6;  // the shift goes along with the products
  t["memory.partial"] = kPartialRows * 2 * 32 + 2 * 32 + 24 + 24 + 32 + 2 * 32 + 32 + 1;
  t["sram"] += kPartialRows * 2 * 32                              // partial sums
               + 2 * (kPartialRows * 2) * 32 - 2 * (2 * 2) * 32;  // parameters
  return t;
}

TEST(SiteTotals, InputStationary) {
  compare(input_stationary_by_hand(), count_input_stationary({}));
}

TEST(SiteTotals, InputStationaryChecksum) {
  Protection p;
  p.checksum = true;
  Totals t = input_stationary_by_hand();
  t["resilience.checksum"] = 1 * 8                   // skew
                             + 2 * (8 + 8 + 1 + 32)  // the column: b, a (two inputs' sum), acc
                             + 32                    // bias_sum
                             + 2 * 32 + 32 + kStage  // expected; tree of one level, its delay
                             + kStage + 1            // output, with the flag
                             + 9 + 2 * 8 + 1         // sums of inputs; weights and enable wait
                             + kPartialRows * 32 + 32 + 32;  // partial sums, read, finished
  // Two more words a channel; the scale waits two cycles longer.
  t["memory.parameter"] += 2 * (kPartialRows * 2) * 32 + 2 * 32 + 2 * 30;
  t["sram"] += 2 * (kPartialRows * 2) * 32 + kPartialRows * 32;
  compare(t, count_input_stationary(p));
}

// Bounds a channel wait until their channel's vector is behind bias adder and `latch` (range), and
// behind the range checker and `difference` (gradient).
TEST(SiteTotals, InputStationaryBoundsAChannel) {
  Protection p;
  p.checkers = {checker(CheckerKind::range), checker(CheckerKind::gradient)};
  for (Checker& c : p.checkers) c.granularity = Granularity::channel;
  Totals t = input_stationary_by_hand();
  t["resilience.range"] = 2 * 32 + 2 * kStage;
  t["resilience.gradient"] = 2 * 32 + 4 * kStage + 2 * 33 + 2 * 1;
  t["memory.parameter"] += 2 * (kPartialRows * 4) * 32 + 4 * 32  // four words a channel, lane_read
                           + 2 * 2 * 32                          // range: 2 cycles
                           + 2 * (2 + 3) * 32                    // gradient: 2 + 3
                           + 6 * 30;                             // scale: 6 cycles longer
  t["sram"] += 2 * (kPartialRows * 4) * 32;
  compare(t, count_input_stationary(p));
}

// What overlap adds; the checksum column has the same for its two PEs.
Totals output_overlap(Totals t) {
  t["array.pe"] += 2 * 2 * (32 + 1);   // drain, swap
  t["array.skew_swap"] = 1;            // row 1 waits one cycle
  t["control.sequencer"] += 1 + 9 + 9  // swap1, drain_wait, drain_left
                            - 2 * 2;   // mode
  return t;
}
Totals stationary_overlap(Totals t) {
  t["array.pe"] += 2 * 2 * (8 + 1);  // next, swap
  t["array.skew_swap"] = 1;
  t["control.sequencer"] += 1 + 9;  // swap1, ahead
  return t;
}
Totals weight_stationary_overlap() {
  Totals t = stationary_overlap(weight_stationary_by_hand());
  t["control.next_row"] = t["control.row"];
  return t;
}

TEST(SiteTotals, Overlap) {
  compare(output_overlap(by_hand()), count_stationary(Dataflow::os, {}, true));
  compare(weight_stationary_overlap(), count_stationary(Dataflow::ws, {}, true));
  compare(stationary_overlap(input_stationary_by_hand()), count_stationary(Dataflow::is, {}, true));
}

TEST(SiteTotals, OverlapTmr) {
  Protection p;
  p.pe_copies = PeCopies::all;
  for (const auto& [dataflow, totals] :
       {std::pair{Dataflow::os, output_overlap(by_hand())},
        {Dataflow::ws, weight_stationary_overlap()},
        {Dataflow::is, stationary_overlap(input_stationary_by_hand())}}) {
    Totals t = totals;
    t["array.pe"] *= 3;
    compare(t, count_stationary(dataflow, p, true));
  }
}

TEST(SiteTotals, OverlapChecksum) {
  Protection p;
  p.checksum = true;
  for (const Dataflow dataflow : {Dataflow::os, Dataflow::ws, Dataflow::is}) {
    const Totals single = count_stationary(dataflow, p);
    Totals t = count_stationary(dataflow, {}, true);
    const std::int64_t second = dataflow == Dataflow::os ? 32 : 9;
    t.erase("flip_flop");
    t["resilience.checksum"] = single.at("resilience.checksum") + 1   // skew_swap
                               + 2 * (second + 1)                     // drain or next, swap
                               + (dataflow == Dataflow::is ? 1 : 0);  // late_swap
    t["memory.parameter"] = single.at("memory.parameter");
    t["sram"] = single.at("sram");
    compare(t, count_stationary(dataflow, p, true));
  }
}

TEST(SiteTotals, TmrTriplesThePeRegistersOnly) {
  Protection p;
  p.pe_copies = PeCopies::all;
  Totals t = by_hand();
  t["array.pe"] *= 3;
  compare(t, count(p));
}

TEST(SiteTotals, RegistersOfPesAloneAreAsMany) {
  Protection p;
  p.pe_copies = PeCopies::registers;
  Totals t = by_hand();
  t["array.pe"] *= 3;
  compare(t, count(p));
}

TEST(SiteTotals, CopiesOfTheArrayHaveAllOfIt) {
  for (const Dataflow dataflow : {Dataflow::os, Dataflow::ws, Dataflow::is}) {
    for (const bool overlap : {false, true}) {
      const Totals one = count_stationary(dataflow, {}, overlap);
      for (const int arrays : {2, 3}) {
        Protection p;
        p.arrays = arrays;
        Totals t = one;
        t.erase("flip_flop");
        for (const auto& [path, bits] : one) {
          if (!path.starts_with("array.")) continue;
          for (int copy = 1; copy < arrays; ++copy) t[array_block(copy) + path.substr(5)] = bits;
        }
        if (arrays == 2) t["resilience.comparator"] = 1;  // the status
        compare(t, count_stationary(dataflow, p, overlap));
      }
    }
  }
}

TEST(SiteTotals, RangeChecker) {
  Protection p;
  p.checkers = {checker(CheckerKind::range)};
  Totals t = by_hand();
  t["resilience.range"] = 2 * 32 + 2 * kStage;   // bounds; latch, result
  t["memory.parameter"] += 2 * 2 * 32 + 2 * 32;  // two words for the tile in each bank; tile_read
  t["sram"] += 2 * 2 * 32;
  compare(t, count(p));
}

TEST(SiteTotals, RangeCheckerWithBoundsAChannel) {
  Protection p;
  p.checkers = {checker(CheckerKind::range)};
  p.checkers[0].granularity = Granularity::channel;
  Totals t = by_hand();
  t["resilience.range"] = 2 * 2 * 32 + 2 * kStage;
  t["memory.parameter"] += 2 * (2 * 2) * 32 + 2 * 32;  // two words a lane; lane_read grows by two
  t["sram"] += 2 * (2 * 2) * 32;
  compare(t, count(p));
}

TEST(SiteTotals, GradientChecker) {
  Protection p;
  p.checkers = {checker(CheckerKind::gradient)};
  Totals t = by_hand();
  t["resilience.gradient"] =
      2 * 32 + 4 * kStage + 2 * 33 + 2 * 1;  // bounds, stages, gradients, out
  t["memory.parameter"] += 2 * 2 * 32 + 2 * 32;
  t["sram"] += 2 * 2 * 32;
  compare(t, count(p));
}

constexpr int kChecksumWidth = 8 + 1;  // the sum of two int8 weights

Totals with_checksum(Totals t) {
  t["resilience.checksum"] = 1 * 8                            // skew
                             + 2 * (8 + kChecksumWidth + 32)  // the column: a, b, acc
                             + 32                             // bias_sum
                             + 2 * 32                         // expected, beside two stages
                             + 32 + kStage                    // tree of one level, its delay
                             + kStage + 1                     // output, with the flag
                             + (2 * kWeightRows + 1) * kChecksumWidth;  // weights, read
  t["memory.parameter"] += 2 * 32 + 32;  // the bias sum in each bank; tile_read
  t["sram"] += 2 * kWeightRows * kChecksumWidth + 2 * 32;
  return t;
}

TEST(SiteTotals, Checksum) {
  Protection p;
  p.checksum = true;
  compare(with_checksum(by_hand()), count(p));
}

// Where to go back to, the tries, a flag of the tile and the host's status bit.
TEST(SiteTotals, TilesThatRunAgain) {
  Protection p;
  p.checksum = true;
  for (const auto& [retries, bits] : {std::pair{1, 1}, {3, 2}, {7, 3}}) {
    p.retries = retries;
    Protection detector = p;
    detector.retries = 0;
    for (const Dataflow dataflow : {Dataflow::os, Dataflow::ws, Dataflow::is}) {
      Totals t = count_stationary(dataflow, detector);
      t.erase("flip_flop");
      t["resilience.recompute"] = 1 + bits + 1;
      if (dataflow == Dataflow::os) t["control.sequencer"] += 32;
      if (dataflow == Dataflow::ws) t["memory.partial"] += 32;
      compare(t, count_stationary(dataflow, p));
    }
  }
}

// Trees of two activations and two columns, a tile's two rows with an address and a difference
// each.
TEST(SiteTotals, ChecksumsOfColumns) {
  Protection p;
  p.checksum = true;
  Totals t = with_checksum(by_hand());
  t["resilience.checksum"] += 32;                    // difference
  t["resilience.columns"] = 9 + 2 * 8                // tree of two rows, weights that wait for it
                            + 2 * 32 + 2 * 32        // bias, difference
                            + 2                      // row
                            + 2 * (2 + 2) * 32       // buffer
                            + kStage + 32 + kStage;  // read with what it lacks, output
  t["sram"] += 2 * (2 + 2) * 32;
  p.column_checksum = true;
  compare(t, count(p));
  p.correct = true;
  // total, flagged, flagged_rows, row_total, uncorrected
  t["resilience.columns"] += 32 + 2 + 2 + 32 + 1;
  compare(t, count(p));
  p.retries = 1;
  t["resilience.columns"] -= 1;
  t["resilience.recompute"] = 1 + 1 + 1;
  t["control.sequencer"] += 32;  // retry_address
  compare(t, count(p));
  p.correct = false;
  t["resilience.columns"] -= 32 + 32;
  compare(t, count(p));
  // The flag and the cells travel as far as the last checker that asks for them.
  p.checkers = {{.gate = Gate::row}, {.kind = CheckerKind::median, .gate = Gate::cell}};
  t["resilience.columns"] += 1 + 2;
  t["resilience.range"] = 2 * 32 + 2 * kStage + 1 + 2 * 2;
  t["resilience.median"] = 2 * kStage + 2;
  t["memory.parameter"] += 2 * 2 * 32 + 2 * 32;
  t["sram"] += 2 * 2 * 32;
  compare(t, count(p));
}

// Two passes' sums of as many rows as a tile has, what is read of them, which row; and the pass.
TEST(SiteTotals, ThreePasses) {
  Protection p;
  p.passes = 3;
  for (const Dataflow dataflow : {Dataflow::os, Dataflow::ws, Dataflow::is}) {
    Totals t = count_stationary(dataflow, {});
    t.erase("flip_flop");
    const int rows = dataflow == Dataflow::os ? 2 : kPartialRows;
    t["memory.vote"] = 2 * rows * 2 * 32 + 2 * 2 * 32 + 24;
    t["sram"] += 2 * rows * 2 * 32;
    t["resilience.recompute"] = 2;
    if (dataflow == Dataflow::os) t["control.sequencer"] += 32;
    if (dataflow == Dataflow::ws) t["memory.partial"] += 32;
    compare(t, count_stationary(dataflow, p));
  }
}

TEST(SiteTotals, GradientCheckerWithRowGate) {
  Protection p;
  p.checksum = true;
  p.checkers = {checker(CheckerKind::gradient)};
  p.checkers[0].gate = Gate::row;
  Totals t = with_checksum(by_hand());
  t["resilience.gradient"] = 2 * 32 + 4 * kStage + 2 * 33 + 2 * 1 +
                             3 * 1;  // the flag goes as far as the stage that is gated by it
  t["memory.parameter"] += 2 * 2 * 32 + 2 * 32;
  t["sram"] += 2 * 2 * 32;
  compare(t, count(p));
}

// The range checker hands the flag on to a gated gradient checker behind it, whatever its own gate.
TEST(SiteTotals, RangeCheckerBeforeAGatedGradientChecker) {
  Protection p;
  p.checksum = true;
  p.checkers = {checker(CheckerKind::range), checker(CheckerKind::gradient)};
  p.checkers[1].gate = Gate::row;
  Totals t = with_checksum(by_hand());
  t["resilience.range"] = 2 * 32 + 2 * kStage + 2 * 1;
  t["resilience.gradient"] = 2 * 32 + 4 * kStage + 2 * 33 + 2 * 1 + 3 * 1;
  t["memory.parameter"] += 2 * 4 * 32 + 4 * 32;
  t["sram"] += 2 * 4 * 32;
  compare(t, count(p));
}

// Along lines, with a neighbour in a sum's place, and a median filter behind a gate of the layer.
TEST(SiteTotals, GradientCheckerAlongLinesThenMedianFilter) {
  Protection p;
  p.checksum = true;
  p.checkers = {checker(CheckerKind::gradient), checker(CheckerKind::median)};
  p.checkers[0].axis = Axis::line;
  p.checkers[0].suppress = Suppress::clamp;
  p.checkers[1].gate = Gate::layer;
  Totals t = with_checksum(by_hand());
  t["control.sequencer"] += 24;                                            // config.line
  t["resilience.gradient"] = 2 * 32 + 4 * kStage + 4 * 1 + 2 * 33 + 2 * 2  // out: below and above
                             + 24 + 2 + 2 + 1   // position, two edges, last
                             + 2 * 32;          // previous
  t["resilience.median"] = 2 * kStage + 1 + 1;  // the flag in `latch`; open
  t["memory.parameter"] += 2 * 2 * 32 + 2 * 32;
  t["sram"] += 2 * 2 * 32;
  compare(t, count(p));
}

// In maps, of which the gemm by hand has one line: the line memory has a word, for the flag too.
TEST(SiteTotals, GradientCheckerInMaps) {
  Protection p;
  p.checksum = true;
  p.checkers = {checker(CheckerKind::gradient)};
  p.checkers[0].axis = Axis::map;
  p.checkers[0].gate = Gate::row;
  Totals t = with_checksum(by_hand());
  t["control.sequencer"] += 2 * 24;  // config.line, .map_lines
  const int line = 2 * 32 + 2 * 4 + 32 + 1;
  t["resilience.gradient"] = 2 * 32 + 6 * kStage + 5 * 1  // the last stage has no flag
                             + 2 * 33 + 2 * 2             // gradient, out: to the left
                             + 3 * 24 + 3                 // position, row, pixel, edge
                             + 24 + 2                     // slot, full, pushing
                             + 2 * 4 + 1 + 24 + 2 * 4     // below: out, top, place; above: out
                             + line;
  t["memory.parameter"] += 2 * 2 * 32 + 2 * 32;
  t["sram"] += 2 * 2 * 32 + line;
  compare(t, count(p));
  p.checkers[0].suppress = Suppress::hold;
  t["resilience.gradient"] += 2 * 32 + 1;  // above: previous, first
  compare(t, count(p));
}

// Bounds a neuron: of the gemm by hand in two banks, as many rows as it has pixels, of two lanes.
TEST(SiteTotals, BoundsANeuron) {
  Protection p;
  p.checkers = {checker(CheckerKind::range), checker(CheckerKind::gradient)};
  for (Checker& c : p.checkers) c.granularity = Granularity::neuron;
  p.checkers[1].suppress = Suppress::clamp;
  const int memory = 2 * 1 * 2 * 2 * 32;
  Totals t = by_hand();
  t["control.sequencer"] += 24;  // config.image_rows
  t["memory.dma"] += 32;         // data_header
  t["resilience.range"] = 2 * 2 * 32 + 2 * kStage + 24 + memory;
  t["resilience.gradient"] = 2 * 2 * 32 + 4 * kStage + 2 * 33 + 2 * 2 + 24 + memory  // out: 2 bits
                             + 2 * 2 * 32;  // compare.low, .high
  t["sram"] += 2 * memory;
  compare(t, count(p));
}

// Check bits beside each byte (activations, weights, parameters, checksum weights: 9 bits are a
// byte and one of a bit) or each word of 32 bits, and a sticky bit of each block of memories.
TEST(SiteTotals, MemoryCodes) {
  for (const auto& [code, byte, word] :
       {std::tuple{MemoryCode::parity, 1, 1}, {MemoryCode::secded, 5, 7}}) {
    Protection p;
    p.checksum = true;
    p.memory_code = code;
    Totals t = with_checksum(by_hand());
    const int activations = 2 * kActivationBytes * byte;
    const int weights = 2 * kWeightRows * 2 * byte;
    const int parameters = 2 * (2 * 2 + 1) * 4 * byte;  // and the sum of the biases
    const int checksums = 2 * kWeightRows * 2 * byte;
    t["memory.activation"] += activations + 1;
    t["memory.weight"] += weights + 1;
    t["memory.parameter"] += parameters;
    t["resilience.checksum"] += checksums;
    t["sram"] += activations + weights + parameters + checksums;
    compare(t, count(p));

    p.checksum = false;
    t = weight_stationary_by_hand();
    const int sums = kPartialRows * 2 * word;
    t["memory.activation"] += activations + 1;
    t["memory.weight"] += weights + 1;
    t["memory.parameter"] += 2 * 2 * 2 * 4 * byte;
    t["memory.partial"] += sums + 1;
    t["sram"] += activations + weights + 2 * 2 * 2 * 4 * byte + sums;
    compare(t, count_weight_stationary(p));

    p.checksum = true;
    Totals gained = count_weight_stationary(p);
    p.memory_code = MemoryCode::none;
    const Totals plain = count_weight_stationary(p);
    EXPECT_EQ(gained["resilience.checksum"] - plain.at("resilience.checksum"),
              checksums + kPartialRows * word + 1);
  }
}

// A stage of outputs: two of eight bits, an address, a valid bit. Bounds share a word.
constexpr int kOutputStage = 2 * 8 + 32 + 1;

TEST(SiteTotals, RangeCheckerOfOutputs) {
  Protection p;
  p.checkers = {checker(CheckerKind::range)};
  p.checkers[0].position = Position::output;
  Totals t = by_hand();
  t["resilience.range"] = 2 * 9 + 2 * kOutputStage;
  t["memory.parameter"] += 2 * 32 + 32;  // one word for the tile in each bank; tile_read
  t["sram"] += 2 * 32;
  compare(t, count(p));
}

// Behind a checker of sums with a gate of its own: the checksum's flag ends there, the check's
// begins beside the output registers.
TEST(SiteTotals, GatedCheckersOfOutputsBehindOneOfSums) {
  Protection p;
  p.checksum = true;
  p.checkers = {checker(CheckerKind::range), checker(CheckerKind::gradient),
                checker(CheckerKind::range)};
  for (Checker& c : p.checkers) c.gate = Gate::row;
  p.checkers[2].gate = Gate::layer;
  p.checkers[2].granularity = Granularity::channel;
  p.checkers[1].position = p.checkers[2].position = Position::output;
  Totals t = with_checksum(by_hand());
  t["resilience.range"] = 2 * 32 + 2 * kStage + 1;  // the flag in `latch`
  t["resilience.gradient"] = 2 * 9 + 4 * kOutputStage + 2 * 9 + 2 * 1 + 4 * 1;
  t["resilience.range_2"] = 2 * 2 * 9 + 2 * kOutputStage + 1 + 1;  // flag; open
  t["vector.output"] += 8;                                         // check
  const int tile = 2 + 1, lane = 1;                                // words
  t["memory.parameter"] += 2 * tile * 32 + tile * 32 + 2 * 2 * lane * 32 + lane * 32;
  t["sram"] += 2 * tile * 32 + 2 * 2 * lane * 32;
  compare(t, count(p));
}

TEST(SiteTotals, AMatrixProductHasAnAccumulatorBuffer) {
  const std::vector<std::int8_t> b(6);
  Totals t = by_hand();
  t["memory.accumulator"] = kLogits * 32 + 2 * 32;  // words, vector
  t["sram"] += kLogits * 32;
  compare(t, count(compile_gemm(1, 3, 2, b, {2, 2}, memory(), {})));
}

}  // namespace
}  // namespace sagitta
