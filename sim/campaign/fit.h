// Fits the bounds of checkers to a trained network on calibration images.
//
// A checker's type says what it compares with its bounds for each neuron (Judged); statistics run
// over exactly those values, so that a fit belongs to an array's width and dataflows.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "campaign/float_checker.h"
#include "campaign/scheme.h"
#include "network/channel_order.h"
#include "network/dataset.h"
#include "network/reference.h"

namespace sagitta {

// What decides a fit.
struct FitKey {
  Checker checker;  // without bounds; gate and replacement do not matter
  BoundsPlan plan;
  bool near_order = false;
  int columns = 0;
  bool floats = false;  // to real numbers, in software (float_checker.h)
  // Whether a fit for the one serves the other.
  bool same(const FitKey& other) const;
};

struct LayerFit {
  std::string layer;
  Dataflow dataflow = Dataflow::os;
  std::int64_t samples = 0;  // neurons judged, all images and channels
  // Of the values compared; one entry (granularity layer) or one a channel.
  std::vector<double> mean;
  std::vector<double> deviation;
  double k = 0;             // bounds are mean -+ k deviations; 0: they are not fitted so
  std::int64_t blamed = 0;  // of the samples: what the fitted checker would act on, its gate open
  std::vector<Bounds> bounds;
  std::vector<FloatBounds> float_bounds;  // in their place, of a fit to real numbers
};

struct ThresholdFit {
  FitKey key;
  std::vector<LayerFit> layers;  // with a product, in order
};

// Orders of channels for arrays of this width, by channel_groups(network).
struct OrderFit {
  int columns = 0;
  std::vector<ChannelOrder> orders;
};

// The sums, or outputs, of a layer with its channels in another order: what the reordered network
// computes.
std::vector<std::int32_t> permuted(const std::vector<std::int32_t>& sums,
                                   const ChannelOrder& order);
struct FitRequest {
  FitKey key;
  ArrayShape array;
};

// How tight thresholds are, by whose neighbours a gradient has: for every layer with a product and
// every choice, over whole layers.
struct NeighbourFit {
  std::string layer;
  Position position = Position::sum;
  // "none" (the value itself), "lanes", "lanes in near order", "line" or "map".
  std::string neighbours;
  std::string rule;  // "value", "both", "spike", or of a map "three" of four
  std::int64_t samples = 0;
  double sigma_ratio = 0;  // standard deviation of what is compared, over that of the values
  double k = 0;            // of the smallest threshold with no more false positives than asked for
  double threshold = 0;    // the same in standard deviations of the values: k * sigma_ratio
};
struct NeighbourTable {
  ArrayShape array;
  double false_positives = 0;
  std::vector<NeighbourFit> fits;  // layer by layer; none where a layer has no such neighbours
};
NeighbourTable fit_neighbours(const Network& network, const ImageSet& calibration,
                              const ArrayShape& array, double false_positives,
                              const std::vector<OrderFit>& orders);

// Near orders for arrays of these widths.
std::vector<OrderFit> fit_orders(const Network& network, const ImageSet& calibration,
                                 const std::vector<int>& widths);
// Fits everything requested with three inferences an image at most: sums and outputs come from the
// integer reference executor, which the machine equals bit for bit. `orders`: those that requests
// need.
std::vector<ThresholdFit> fit_bounds(const Network& network, const ImageSet& calibration,
                                     const std::vector<FitRequest>& requests,
                                     const std::vector<OrderFit>& orders);
// The same for checkers of real numbers, on the sums of the network in real numbers.
std::vector<ThresholdFit> fit_float_bounds(const Network& network, const ImageSet& calibration,
                                           const std::vector<FitRequest>& requests,
                                           const std::vector<OrderFit>& orders);
// The order of each layer's channels for arrays of this width, by layer; empty where they stay.
std::vector<ChannelOrder> layer_channels(const Network& network,
                                         const std::vector<OrderFit>& orders, int columns);

}  // namespace sagitta
