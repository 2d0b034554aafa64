#include "campaign/fit.h"

#include <functional>

#include "campaign/fitter.h"
#include "machine/resilience/checker_type.h"

namespace sagitta {
namespace {

// What checkers at a position look at.
std::vector<std::int32_t> values_at(Position position, const LayerValues& values) {
  if (position == Position::sum) return values.sums;
  return {values.output.begin(), values.output.end()};
}

using SeeImage = std::function<void(const std::vector<LayerValues>&)>;

void for_each_image(const Network& network, const ImageSet& calibration, const SeeImage& see) {
  for (int i = 0; i < calibration.count(); ++i) see(run_network(network, calibration.image(i)));
}

}  // namespace

bool is_dense(const Layer& layer) {
  return layer.input.height == 1 && layer.input.width == 1;
}

bool chosen(LayerChoice choice, const Layer& layer) {
  if (layer.kind != LayerKind::gemm) return false;
  return choice == LayerChoice::all || (choice == LayerChoice::dense) == is_dense(layer);
}

bool FitKey::same(const FitKey& other) const {
  const BoundsPlan& a = plan;
  const BoundsPlan& b = other.plan;
  const bool as_wide = a.fit != BoundsFit::deviations ||
                       (a.k_convolution == b.k_convolution && a.k_dense == b.k_dense);
  const bool as_strict = a.fit != BoundsFit::quantile || a.false_positives == b.false_positives;
  return checker.kind == other.checker.kind && checker.position == other.checker.position &&
         checker.granularity == other.checker.granularity && checker.axis == other.checker.axis &&
         (checker.spike == other.checker.spike || checker.axis == Axis::map) && a.fit == b.fit &&
         a.layers == b.layers && as_wide && as_strict && near_order == other.near_order &&
         columns == other.columns && floats == other.floats;
}

std::vector<std::int32_t> permuted(const std::vector<std::int32_t>& sums,
                                   const ChannelOrder& order) {
  std::vector<std::int32_t> result(sums.size());
  for (std::size_t first = 0; first < sums.size(); first += order.size()) {
    for (std::size_t c = 0; c < order.size(); ++c) {
      result[first + c] = sums[first + static_cast<std::size_t>(order[c])];
    }
  }
  return result;
}

std::vector<OrderFit> fit_orders(const Network& network, const ImageSet& calibration,
                                 const std::vector<int>& widths) {
  std::vector<OrderFit> orders;
  if (widths.empty()) return orders;
  ChannelDistances distances(network);
  for_each_image(network, calibration, [&](const auto& values) { distances.add(values); });
  const std::vector<ChannelGroup> groups = channel_groups(network);
  for (const int columns : widths) {
    OrderFit& fit = orders.emplace_back();
    fit.columns = columns;
    for (std::size_t g = 0; g < groups.size(); ++g) {
      fit.orders.push_back(near_order(distances.of(g), groups[g].channels, columns));
    }
  }
  return orders;
}

std::vector<ThresholdFit> fit_bounds(const Network& network, const ImageSet& calibration,
                                     const std::vector<FitRequest>& requests,
                                     const std::vector<OrderFit>& orders) {
  std::vector<Fitter<Judged>> fitters;
  std::vector<std::vector<LayerOrder>> order_of;  // of each fitter, by layer
  for (const FitRequest& r : requests) {
    fitters.emplace_back(network, r);
    order_of.emplace_back();
    for (const OrderFit& o : orders) {
      if (r.key.near_order && o.columns == r.key.columns) {
        order_of.back() = layer_orders(network, o.orders);
      }
    }
  }
  std::vector<Judged> judged;
  const auto images = [&](auto wants, auto see) {
    for_each_image(network, calibration, [&](const std::vector<LayerValues>& values) {
      for (std::size_t f = 0; f < fitters.size(); ++f) {
        if (!wants(fitters[f])) continue;
        const FitRequest& r = fitters[f].request();
        for (std::size_t l = 0; l < network.layers.size(); ++l) {
          if (!fitters[f].sees(l)) continue;
          const bool moved = !order_of[f].empty() && !order_of[f][l].channels.empty();
          const auto seen = values_at(r.key.checker.position, values[l]);
          judged.clear();
          checker_type(r.key.checker.kind)
              .judged(r.key.checker, network.layers[l], r.array,
                      moved ? permuted(seen, order_of[f][l].channels) : seen, judged);
          see(fitters[f], l, judged);
        }
      }
    });
  };
  return fit_in_passes(fitters, images);
}

NeighbourTable fit_neighbours(const Network& network, const ImageSet& calibration,
                              const ArrayShape& array, double false_positives,
                              const std::vector<OrderFit>& orders) {
  struct Choice {
    const char* neighbours;
    CheckerKind kind;
    Axis axis;
    bool spike, near;
  };
  const CheckerKind gradient = CheckerKind::gradient;
  const Choice choices[] = {{"none", CheckerKind::range, Axis::lanes, false, false},
                            {"lanes", gradient, Axis::lanes, false, false},
                            {"lanes", gradient, Axis::lanes, true, false},
                            {"lanes in near order", gradient, Axis::lanes, false, true},
                            {"lanes in near order", gradient, Axis::lanes, true, true},
                            {"line", gradient, Axis::line, false, false},
                            {"line", gradient, Axis::line, true, false},
                            {"map", gradient, Axis::map, false, false}};
  constexpr Position kPositions[] = {Position::sum, Position::output};
  std::vector<FitRequest> requests;
  const auto request = [&](Position position, const Choice& choice) {
    FitRequest& r = requests.emplace_back();
    r.array = array;
    r.key.checker.position = position;
    r.key.checker.kind = choice.kind;
    r.key.checker.axis = choice.axis;
    r.key.checker.spike = choice.spike;
    r.key.plan.fit = BoundsFit::quantile;
    r.key.plan.false_positives = false_positives;
    r.key.near_order = choice.near;
    r.key.columns = array.columns;
  };
  for (const Position position : kPositions) {
    for (const Choice& choice : choices) request(position, choice);
  }
  const std::vector<ThresholdFit> fits = fit_bounds(network, calibration, requests, orders);
  NeighbourTable table{array, false_positives, {}};
  for (std::size_t l = 0; l < fits.front().layers.size(); ++l) {
    for (std::size_t i = 0; i < fits.size(); ++i) {
      const Choice& choice = choices[i % std::size(choices)];
      const bool itself = choice.kind == CheckerKind::range;
      const LayerFit& value = fits[i - i % std::size(choices)].layers[l];
      const LayerFit& f = fits[i].layers[l];
      if (f.samples == 0 || value.deviation[0] <= 0) continue;
      const double ratio = f.deviation[0] / value.deviation[0];
      table.fits.push_back({f.layer, fits[i].key.checker.position, choice.neighbours,
                            itself                     ? "value"
                            : choice.axis == Axis::map ? "three"
                            : choice.spike             ? "spike"
                                                       : "both",
                            f.samples, ratio, f.k, f.k * ratio});
    }
  }
  return table;
}

}  // namespace sagitta
