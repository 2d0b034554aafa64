// The order of a layer's output channels, chosen offline: a network whose filters are permuted, and
// whose later layers read them accordingly, computes the same values in other places. Neighbouring
// lanes then hold channels that resemble each other, which makes gradient thresholds tighter
// without any hardware.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "network/network.h"
#include "network/reference.h"

namespace sagitta {

// order[i]: which of the original channels comes i-th.
using ChannelOrder = std::vector<int>;

// Layers whose outputs have to share an order: both operands of an add and its result, a pool and
// what it pools, a depthwise convolution and its input. `members` are indices of layers; an order
// that cannot be chosen (the image's, the logits', and those of grouped convolutions that are not
// depthwise) has no group.
struct ChannelGroup {
  int channels = 0;
  std::vector<int> members;
};
std::vector<ChannelGroup> channel_groups(const Network& network);

// The same network with the channels of each group in the order given, by group; an empty order
// leaves the group as it is. Every layer's output is the original's, permuted; logits are equal.
// Throws std::invalid_argument for an order that is no permutation of its group's channels.
Network reordered(const Network& network, const std::vector<ChannelOrder>& orders);

// Which of the original's output channels and rows of weights stand where in a layer of the
// reordered network: original[new place]. Empty: all are where they were.
struct LayerOrder {
  ChannelOrder channels;    // [N]
  std::vector<int> depths;  // [K]; of layers with a product
  // The new places of the original's.
  int channel_place(int channel) const;
  int depth_place(int k) const;
};
std::vector<LayerOrder> layer_orders(const Network& network,
                                     const std::vector<ChannelOrder>& orders);

// How little the channels of each group resemble each other: for channels i and j, the variance of
// y_i - y_j over all pixels and images, in units of the mean variance of a channel, summed over the
// group's layers with a product. Sums before requantisation are what the checkers see.
class ChannelDistances {
 public:
  explicit ChannelDistances(const Network& network);
  // `values`: of one image, as run_network gives them.
  void add(const std::vector<LayerValues>& values);
  // [channels][channels] of group `group`, row-major.
  std::vector<double> of(std::size_t group) const;

 private:
  struct Moments {  // of one layer
    std::int64_t n = 0;
    std::vector<double> sum, product;  // [channels], [channels][channels]
  };
  const Network* network_;
  std::vector<ChannelGroup> groups_;
  std::map<int, Moments> moments_;
};

// An order in which neighbours are near: the sum of distance(i, j) over neighbours, in rings of
// `lanes` channels (a column tile; the last ring may be shorter). Nearest neighbours, then
// exchanges and reversals as long as one helps. The same input gives the same order.
ChannelOrder near_order(const std::vector<double>& distance, int channels, int lanes);
// What it minimises.
double ring_length(const std::vector<double>& distance, const ChannelOrder& order, int lanes);

}  // namespace sagitta
