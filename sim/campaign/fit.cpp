#include "campaign/fit.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <queue>

#include "machine/resilience/checker_type.h"

namespace sagitta {
namespace {

// Exact integer moments: the same for any order of images, and stable.
struct Moments {
  std::int64_t n = 0;
  __extension__ __int128 sum = 0;
  __extension__ __int128 squares = 0;
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  std::int64_t largest = std::numeric_limits<std::int64_t>::min();

  void add(std::int64_t value) {
    ++n;
    sum += value;
    squares += static_cast<__int128>(value) * value;
  }
  // What is to be within bounds that hold all that was seen.
  void reach(std::int64_t low, std::int64_t high) {
    least = std::min(least, low);
    largest = std::max(largest, high);
  }
  double mean() const { return n == 0 ? 0 : static_cast<double>(sum) / static_cast<double>(n); }
  double deviation() const {
    if (n == 0) return 0;
    const auto scaled = static_cast<long double>(squares) * n - static_cast<long double>(sum) * sum;
    return static_cast<double>(std::sqrt(std::max(0.0L, scaled)) / n);
  }
};

std::int32_t saturate(double value) {
  return static_cast<std::int32_t>(
      std::clamp(value, static_cast<double>(INT32_MIN), static_cast<double>(INT32_MAX)));
}

Bounds around(double mean, double reach) {
  return {saturate(std::floor(mean - reach)), saturate(std::ceil(mean + reach))};
}

// A layer that sees its whole input at once, whatever operator the model writes it with.
bool is_dense(const Layer& layer) {
  return layer.input.height == 1 && layer.input.width == 1;
}

bool chosen(LayerChoice choice, const Layer& layer) {
  if (layer.kind != LayerKind::gemm) return false;
  return choice == LayerChoice::all || (choice == LayerChoice::dense) == is_dense(layer);
}

// The largest `most` values seen.
class Largest {
 public:
  explicit Largest(std::size_t most) : most_(most) {}
  void add(double value) {
    if (heap_.size() < most_) {
      heap_.push(value);
    } else if (value > heap_.top()) {
      heap_.pop();
      heap_.push(value);
    }
  }
  double least() const { return heap_.empty() ? 0 : heap_.top(); }

 private:
  std::size_t most_;
  std::priority_queue<double, std::vector<double>, std::greater<>> heap_;
};

// One request, layer by layer: moments first, then what needs them.
class Fitter {
 public:
  Fitter(const Network& network, const FitRequest& request)
      : network_(&network), request_(request) {
    for (const Layer& layer : network.layers) {
      const bool by_channel = request.key.checker.granularity == Granularity::channel;
      State& s = layers_.emplace_back();
      s.moments.resize(by_channel ? static_cast<std::size_t>(layer.columns()) : 1);
    }
  }

  const FitRequest& request() const { return request_; }

  void see_values(std::size_t l, const std::vector<std::int32_t>& sums) {
    for (const Judged& j : judged(l, sums)) {
      Moments& m = layers_[l].moments[entry(j.channel)];
      ++layers_[l].samples;
      if (!j.counted()) {
        m.add(j.first);
        m.reach(j.first, j.first);
        continue;
      }
      for (int i = 0; i < j.differences; ++i) m.add(j.difference[static_cast<std::size_t>(i)]);
      m.reach(j.second, j.first);
    }
  }

  void begin_scores() {
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      State& s = layers_[l];
      if (!chosen(request_.key.plan.layers, network_->layers[l])) continue;
      for (const Moments& m : s.moments) {
        s.mean.push_back(m.mean());
        s.deviation.push_back(m.deviation());
      }
      if (request_.key.plan.fit == BoundsFit::quantile) {
        const auto allowed = static_cast<std::size_t>(request_.key.plan.false_positives *
                                                      static_cast<double>(s.samples));
        s.scores = Largest(allowed + 1);
      }
      s.k = request_.key.plan.fit != BoundsFit::deviations ? 0
            : is_dense(network_->layers[l])                ? request_.key.plan.k_dense
                                                           : request_.key.plan.k_convolution;
      if (request_.key.plan.fit != BoundsFit::quantile) set_bounds(s);
    }
  }

  // Quantile: how far from the mean, in deviations, a neuron may be without blame.
  void see_scores(std::size_t l, const std::vector<std::int32_t>& sums) {
    State& s = layers_[l];
    for (const Judged& j : judged(l, sums)) s.scores.add(score(s, j));
  }

  void begin_counts() {
    if (request_.key.plan.fit != BoundsFit::quantile) return;
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      if (!chosen(request_.key.plan.layers, network_->layers[l])) continue;
      layers_[l].k = layers_[l].scores.least();
      set_bounds(layers_[l]);
    }
  }

  void count(std::size_t l, const std::vector<std::int32_t>& sums) {
    for (const Judged& j : judged(l, sums)) layers_[l].blamed += blames(layers_[l], j) ? 1 : 0;
  }

  bool wants_scores() const { return request_.key.plan.fit == BoundsFit::quantile; }
  bool sees(std::size_t l) const { return chosen(request_.key.plan.layers, network_->layers[l]); }

  ThresholdFit finish() const {
    ThresholdFit fit;
    fit.key = request_.key;
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      const Layer& layer = network_->layers[l];
      if (layer.kind != LayerKind::gemm) continue;
      const State& s = layers_[l];
      LayerFit f;
      f.layer = layer.name;
      f.dataflow = request_.array.dataflow_of(layer.name);
      f.samples = s.samples;
      f.k = s.k;
      f.blamed = s.blamed;
      f.mean = s.mean;
      f.deviation = s.deviation;
      f.mean.resize(s.moments.size());
      f.deviation.resize(s.moments.size());
      f.bounds = s.bounds;
      f.bounds.resize(s.moments.size());  // of a layer that is not chosen: open
      fit.layers.push_back(std::move(f));
    }
    return fit;
  }

 private:
  struct State {
    std::vector<Moments> moments;
    std::int64_t samples = 0;
    std::vector<double> mean, deviation;  // of the moments, once all are in
    Largest scores{1};
    double k = 0;
    std::vector<Bounds> bounds;
    std::int64_t blamed = 0;
  };

  std::size_t entry(int channel) const {
    return request_.key.checker.granularity == Granularity::channel
               ? static_cast<std::size_t>(channel)
               : 0;
  }

  const std::vector<Judged>& judged(std::size_t l, const std::vector<std::int32_t>& sums) {
    judged_.clear();
    checker_type(request_.key.checker.kind)
        .judged(request_.key.checker, network_->layers[l], request_.array, sums, judged_);
    return judged_;
  }

  void set_bounds(State& s) const {
    s.bounds.clear();
    for (std::size_t i = 0; i < s.moments.size(); ++i) {
      const Moments& m = s.moments[i];
      if (m.n == 0) {
        s.bounds.emplace_back();
      } else if (request_.key.plan.fit != BoundsFit::extremes) {
        s.bounds.push_back(around(s.mean[i], s.k * s.deviation[i]));
      } else {
        s.bounds.push_back(
            {saturate(static_cast<double>(m.least)), saturate(static_cast<double>(m.largest))});
      }
    }
  }

  double score(const State& s, const Judged& j) const {
    const auto distance = [&](std::int64_t value, int channel) {
      const std::size_t i = entry(channel);
      return s.deviation[i] > 0 ? (static_cast<double>(value) - s.mean[i]) / s.deviation[i] : 0.0;
    };
    const double first = distance(j.first, j.channel);
    if (j.counted()) return std::max({first, -distance(j.second, j.channel), 0.0});
    if (j.second_channel < 0) return std::abs(first);
    const double second = distance(j.second, j.second_channel);
    if (request_.key.checker.spike && first * second >= 0) return 0;
    return std::min(std::abs(first), std::abs(second));
  }

  bool blames(const State& s, const Judged& j) const {
    const auto side = [&](std::int64_t value, int channel) {
      const Bounds& b = s.bounds[entry(channel)];
      return value < b.low ? -1 : value > b.high ? 1 : 0;
    };
    const int first = side(j.first, j.channel);
    if (j.counted()) return first > 0 || side(j.second, j.channel) < 0;
    if (j.second_channel < 0) return first != 0;
    const int second = side(j.second, j.second_channel);
    return request_.key.checker.spike ? first * second < 0 : first != 0 && second != 0;
  }

  const Network* network_;
  FitRequest request_;
  std::vector<State> layers_;
  std::vector<Judged> judged_;
};

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
         columns == other.columns;
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
  std::vector<Fitter> fitters;
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
  // `see` of each fitter that wants it, for every layer that it has bounds for.
  const auto pass = [&](auto wants, auto see) {
    if (std::none_of(fitters.begin(), fitters.end(), wants)) return;
    for_each_image(network, calibration, [&](const std::vector<LayerValues>& values) {
      for (std::size_t f = 0; f < fitters.size(); ++f) {
        if (!wants(fitters[f])) continue;
        for (std::size_t l = 0; l < network.layers.size(); ++l) {
          if (!fitters[f].sees(l)) continue;
          const bool moved = !order_of[f].empty() && !order_of[f][l].channels.empty();
          const auto seen = values_at(fitters[f].request().key.checker.position, values[l]);
          see(fitters[f], l, moved ? permuted(seen, order_of[f][l].channels) : seen);
        }
      }
    });
  };
  const auto all = [](const Fitter&) { return true; };
  pass(all, [](Fitter& f, std::size_t l, const auto& sums) { f.see_values(l, sums); });
  for (Fitter& f : fitters) f.begin_scores();
  pass([](const Fitter& f) { return f.wants_scores(); },
       [](Fitter& f, std::size_t l, const auto& sums) { f.see_scores(l, sums); });
  for (Fitter& f : fitters) f.begin_counts();
  pass(all, [](Fitter& f, std::size_t l, const auto& sums) { f.count(l, sums); });

  std::vector<ThresholdFit> fits;
  for (const Fitter& f : fitters) fits.push_back(f.finish());
  return fits;
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
