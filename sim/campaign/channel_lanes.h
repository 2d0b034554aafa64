// Which neurons of a layer stand beside each other on their way out of an array, told without the
// machine: for checkers in software.
#pragma once

#include <cstdint>
#include <vector>

#include "network/channel_order.h"
#include "network/network.h"
#include "schedule/program.h"

namespace sagitta {

// A neuron and its neighbours: indices into the layer's result [pixels][channels], -1 where a
// checker has none. Channels are counted in the order in which the array has them.
struct Neighbours {
  std::int32_t self = 0, before = -1, after = -1;
  int channel = 0, after_channel = -1;
  int pixel = 0;  // of `self`
};

// One gemm layer on an array: vectors of as many lanes as the array has columns, of the channels of
// a pixel, or input stationary of the pixels of a channel.
class ChannelLanes {
 public:
  // `order`: which channel comes i-th; empty: as they are.
  ChannelLanes(const Layer& layer, const ArrayShape& array, const ChannelOrder& order);

  // The neurons that this checker judges, each with whom it is compared with: itself alone (range);
  // the lanes beside it in the ring of its vector, where that has three lanes; or the pixels beside
  // it in a line of the map, but for the first and last of the line.
  std::vector<Neighbours> neurons(const Checker& checker) const;

  // The row (a vector: GEMM row and column tile) that each element of the result belongs to. Rows
  // are numbered in the order in which they leave: column tile by column tile, in each pixel by
  // pixel; input stationary group by group, pixels by pixels, in each channel by channel.
  const std::vector<std::int32_t>& row_of() const { return row_of_; }
  int rows() const { return static_cast<int>(rows_.size()); }
  int channels() const { return layer_->columns(); }

 private:
  struct Lane {
    std::int32_t element;
    int channel;
  };
  std::int32_t element(int pixel, int channel) const;
  void add_row(std::vector<Lane> row);

  const Layer* layer_;
  ChannelOrder order_;
  std::vector<std::vector<Lane>> rows_;
  std::vector<std::int32_t> row_of_;
};

}  // namespace sagitta
