// What loads each class of registers: tables for cost/storage.cpp, which counts the loads.
#pragma once

#include <cstdint>

namespace sagitta {

// What loads a class once. A load of valid rows or lanes only counts as that part of a load.
enum class Loads : std::uint8_t {
  rows,         // valid rows of a feed cycle
  lanes,        // valid lanes of a feed cycle
  sums,         // the PEs' accumulators: products, then the shift upwards
  handed_over,  // overlap, os: sums that leave accumulators, then the shift upwards
  column_sums,  // the checksum column's accumulators
  folded,       // valid lanes of a fold's sums
  vectors,      // valid lanes of a vector on the drain path
  leaving,      // rows of sums that leave the array, in whichever pass
  products,     // ... and of the taps that an accumulating layer adds up
  outputs,
  pool,
  feed,
  row_tile,  // a tile's row positions, and those of setup
  column_tile,
  setup_lane,
  layer,
  beat,
  wide_read,  // a pool tap or a beat of the store phase
  store_beat,
  channel,      // is: a vector's parameters
  differences,  // checksums of columns: products, then the rows that leave
  control,      // counters: an eighth of the bits takes new data in an active cycle
};

struct Rule {
  const char* prefix;  // of the plain path; the first match holds
  Loads loads;
  bool enable;
};

inline constexpr Rule kRules[] = {
    {"array.skew_a", Loads::rows, false},
    {"array.skew_b", Loads::lanes, false},
    {"array.skew_swap", Loads::control, false},
    {"array.pe.swap", Loads::control, false},
    {"array.pe.drain", Loads::handed_over, true},
    {"array.pe.next", Loads::lanes, true},
    {"array.pe.acc", Loads::sums, false},
    {"array.pe.a", Loads::rows, false},
    {"array.pe.b", Loads::lanes, false},
    {"array.load", Loads::control, false},
    {"array.deskew", Loads::folded, false},
    {"control.tag", Loads::control, false},
    {"control.sequencer.config", Loads::layer, true},
    {"control.sequencer", Loads::control, true},
    {"control.row", Loads::row_tile, true},
    {"control.position", Loads::row_tile, true},
    {"control.next_row", Loads::row_tile, true},
    {"memory.activation.pending", Loads::control, false},
    {"memory.activation.read", Loads::rows, false},
    {"memory.activation.vector", Loads::wide_read, true},
    {"memory.weight.read", Loads::lanes, false},
    {"memory.parameter.lane_read", Loads::setup_lane, true},
    {"memory.parameter.tile_read", Loads::column_tile, true},
    {"memory.accumulator.vector", Loads::store_beat, true},
    {"memory.partial.finished", Loads::vectors, true},
    {"memory.partial.read_row", Loads::control, true},
    {"memory.partial.read", Loads::folded, false},
    {"memory.partial", Loads::control, true},
    {"memory.vote.read", Loads::leaving, true},
    {"memory.vote", Loads::control, true},
    {"memory.dma.data", Loads::beat, true},
    {"memory.dma", Loads::control, true},
    {"vector.bias_add", Loads::vectors, true},
    {"vector.requantise.product", Loads::products, true},
    {"vector.requantise", Loads::outputs, true},
    {"vector.output", Loads::outputs, true},
    {"vector.pool", Loads::pool, true},
    {"vector.bias", Loads::column_tile, true},
    {"vector.scale", Loads::column_tile, true},
    {"vector.shift", Loads::column_tile, true},
    {"resilience.checksum.skew", Loads::rows, false},
    {"resilience.checksum.skew_swap", Loads::control, false},
    {"resilience.checksum.late_swap", Loads::control, false},
    {"resilience.checksum.pe.swap", Loads::control, false},
    {"resilience.checksum.pe.drain", Loads::column_sums, true},
    {"resilience.checksum.pe.next", Loads::lanes, true},
    {"resilience.checksum.pe.acc", Loads::column_sums, false},
    {"resilience.checksum.pe.a", Loads::rows, false},
    {"resilience.checksum.pe.b", Loads::feed, false},
    {"resilience.checksum.weight.read", Loads::feed, false},
    {"resilience.checksum.wait", Loads::feed, false},
    {"resilience.checksum.partial.read", Loads::feed, false},
    {"resilience.checksum.bias_sum", Loads::column_tile, true},
    {"resilience.checksum", Loads::vectors, true},
    {"resilience.columns.tree", Loads::rows, false},
    {"resilience.columns.weight", Loads::lanes, false},
    {"resilience.columns.bias", Loads::column_tile, true},
    {"resilience.columns.difference", Loads::differences, false},
    {"resilience.columns.total", Loads::differences, false},
    {"resilience.columns.flagged_rows", Loads::control, true},
    {"resilience.columns.flagged", Loads::differences, false},
    {"resilience.columns.row_total", Loads::leaving, true},
    {"resilience.columns.read", Loads::vectors, true},
    {"resilience.columns.output", Loads::vectors, true},
    {"resilience.columns.row", Loads::control, true},
    {"resilience.comparator", Loads::control, false},
    {"resilience.recompute", Loads::control, true},
};

// Input stationary: operands have changed places, and parameters come with every vector.
inline constexpr Rule kInputRules[] = {
    {"array.skew_a", Loads::lanes, false},
    {"array.skew_b", Loads::rows, false},
    {"array.pe.b", Loads::rows, false},
    {"control.column", Loads::row_tile, true},
    {"memory.activation.read", Loads::lanes, false},
    {"memory.weight.read", Loads::rows, false},
    {"memory.parameter.lane_read", Loads::channel, true},
    {"memory.parameter.wait", Loads::channel, false},
    {"vector.bias_add", Loads::vectors, true},
    {"vector.bias", Loads::channel, false},
    {"vector.scale", Loads::channel, false},
    {"vector.shift", Loads::channel, false},
    {"resilience.checksum.pe.b", Loads::rows, false},
    {"resilience.checksum.late_weight", Loads::rows, false},
    {"resilience.checksum.late_load", Loads::control, false},
    {"resilience.checksum.input_tree", Loads::lanes, false},
    {"resilience.checksum.bias_sum", Loads::channel, false},
};

}  // namespace sagitta
