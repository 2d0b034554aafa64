// Bounds for checkers of real numbers.
#include "campaign/fit.h"
#include "campaign/fitter.h"
#include "network/float_reference.h"

namespace sagitta {

std::vector<ChannelOrder> layer_channels(const Network& network,
                                         const std::vector<OrderFit>& orders, int columns) {
  std::vector<ChannelOrder> channels(network.layers.size());
  for (const OrderFit& o : orders) {
    if (o.columns != columns) continue;
    const std::vector<LayerOrder> by_layer = layer_orders(network, o.orders);
    for (std::size_t l = 0; l < channels.size(); ++l) channels[l] = by_layer[l].channels;
  }
  return channels;
}

std::vector<ThresholdFit> fit_float_bounds(const Network& network, const ImageSet& calibration,
                                           const std::vector<FitRequest>& requests,
                                           const std::vector<OrderFit>& orders) {
  const FloatNetwork real(network);
  std::vector<Fitter<FloatJudged>> fitters;
  std::vector<std::vector<std::vector<Neighbours>>> neurons;  // of each fitter, by layer
  for (const FitRequest& r : requests) {
    fitters.emplace_back(network, r);
    const auto channels =
        layer_channels(network, r.key.near_order ? orders : std::vector<OrderFit>{}, r.key.columns);
    auto& by_layer = neurons.emplace_back(network.layers.size());
    for (std::size_t l = 0; l < network.layers.size(); ++l) {
      if (!fitters.back().sees(l)) continue;
      by_layer[l] = ChannelLanes(network.layers[l], r.array, channels[l]).neurons(r.key.checker);
    }
  }
  std::vector<FloatJudged> judged;
  const auto images = [&](auto wants, auto see) {
    for (int i = 0; i < calibration.count(); ++i) {
      const std::vector<FloatValues> values = real.run(calibration.image(i));
      for (std::size_t f = 0; f < fitters.size(); ++f) {
        if (!wants(fitters[f])) continue;
        for (std::size_t l = 0; l < network.layers.size(); ++l) {
          if (!fitters[f].sees(l)) continue;
          judged.clear();
          judge(fitters[f].request().key.checker, neurons[f][l], values[l].sums, judged);
          see(fitters[f], l, judged);
        }
      }
    }
  };
  return fit_in_passes(fitters, images);
}

}  // namespace sagitta
