// SCALE-Sim's schedule of a layer, walked cycle by cycle: folds one after the other without
// overlap, each charged in full however few rows and columns it uses.
//
// A fold is Sr x Sc elements of the operand that stays, R x C at a time, and T elements that stream
// past each. Column folds are the outer loop. Where weights or inputs stay:
//   cycles 0 .. R - 1           rows of the stationary operand, the last one first, C ports
//   cycles R .. 2 R + T - 2     the moving operand, port r one cycle behind port r - 1
//   cycles 2 R - 1 .. 2 R + C + T - 3   sums, port c one cycle behind port c - 1
// Where outputs stay:
//   cycles 0 .. T + R - 2 and 0 .. T + C - 2   both operands, skewed the same way
//   cycles T + R + C - 2 .. T + 2 R + C - 3    one row of sums a cycle, the last row first; the
//                                              PE in the corner has just finished its own
// So every fold takes 2 R + C + T - 2 cycles.
#pragma once

#include <cstdint>
#include <vector>

#include "workload/scale_sim_config.h"
#include "workload/topology.h"

namespace sagitta {

// The requests of one cycle at one buffer: a word address, from 0 on, for each port.
struct PortRequests {
  static constexpr std::int64_t kNone = -1;
  static constexpr std::int64_t kOutside = -2;  // an input beyond the map: asked for, but no word
  std::vector<std::int64_t> address;
  int count = 0;            // requests, those outside included
  int first = 0, last = 0;  // the ports [first, last) may hold some, the others hold none
};

class FoldWalker {
 public:
  FoldWalker(const TopologyLayer& layer, Stationary dataflow, int rows, int columns);

  // Moves on to the next cycle; false after the layer's last.
  bool step();

  // What is asked for in this cycle. Before the first step() nothing is.
  const PortRequests& ifmap() const { return ifmap_; }
  const PortRequests& filter() const { return filter_; }
  const PortRequests& ofmap() const { return ofmap_; }
  std::int64_t cycle() const { return cycle_; }  // -1 before the first step()
  // How many cycles there will be at most, for estimates of what a trace takes.
  std::int64_t schedule_cycles() const;
  std::int64_t folds() const { return folds_; }  // begun so far
  // PEs that the fold at work uses.
  int used_rows() const { return used_rows_; }
  int used_columns() const { return used_columns_; }

  std::int64_t ifmap_words() const;
  std::int64_t filter_words() const { return k_ * n_; }
  std::int64_t ofmap_words() const { return m_ * n_; }

 private:
  bool next_fold();
  void ask_stationary();
  void ask_outputs();
  std::int64_t ifmap_address(std::int64_t m, std::int64_t k) const;
  std::int64_t filter_address(std::int64_t k, std::int64_t n) const { return n * k_ + k; }
  std::int64_t ofmap_address(std::int64_t m, std::int64_t n) const { return m * n_ + n; }
  std::int64_t stationary_address(std::int64_t row, std::int64_t column) const;
  std::int64_t moving_address(std::int64_t row, std::int64_t time) const;
  // Requests of the ports 0 .. lanes - 1, of which port i asks for element `time - i`.
  template <typename Address>
  void ask_skewed(PortRequests& requests, std::int64_t time, int lanes, Address address) const;

  struct Position {
    std::int32_t y, x;
    std::int64_t base;  // address of the image, or of the channel
  };
  Stationary dataflow_;
  std::int64_t m_, k_, n_;
  std::int64_t height_, width_, channels_, images_;
  std::vector<Position> pixels_;  // of each output pixel, its window's place
  std::vector<Position> taps_;    // of each k, its place in the window
  int rows_, columns_;
  std::int64_t stationary_rows_, stationary_columns_, time_;  // Sr, Sc, T

  // The walk's registers.
  std::int64_t cycle_ = -1;
  std::int64_t folds_ = 0;
  std::int64_t first_row_ = 0, first_column_ = 0;  // of the fold at work
  std::int64_t fold_cycle_ = -1;
  int used_rows_ = 0, used_columns_ = 0;
  PortRequests ifmap_, filter_, ofmap_;
};

}  // namespace sagitta
