#include "network/channel_order.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <utility>

namespace sagitta {
namespace {

bool is_depthwise(const Layer& layer) {
  return layer.kind == LayerKind::gemm && layer.groups > 1 &&
         layer.groups == layer.input.channels && layer.columns() == layer.groups;
}

// Sets of places, joined one by one. Place 0 is the image, place l + 1 the output of layer l.
class Places {
 public:
  explicit Places(std::size_t count) : parent_(count), fixed_(count, false) {
    std::iota(parent_.begin(), parent_.end(), 0);
  }
  int find(int place) const {
    while (parent_[at(place)] != place) place = parent_[at(place)];
    return place;
  }
  void join(int a, int b) {
    a = find(a);
    b = find(b);
    parent_[at(std::max(a, b))] = std::min(a, b);
    fixed_[at(std::min(a, b))] = fixed_[at(a)] || fixed_[at(b)];
  }
  void fix(int place) { fixed_[at(find(place))] = true; }
  bool fixed(int place) const { return fixed_[at(find(place))]; }

 private:
  static std::size_t at(int place) { return static_cast<std::size_t>(place); }
  std::vector<int> parent_;
  std::vector<bool> fixed_;
};

FeatureShape shape_of(const Network& network, int layer) {
  return layer < 0 ? network.input : network.layers[static_cast<std::size_t>(layer)].output;
}

// The order in which a layer finds its input's channels; of a flattened map those of every pixel.
ChannelOrder input_order(const Network& network, std::size_t layer,
                         const std::vector<ChannelOrder>& by_layer) {
  const Layer& l = network.layers[layer];
  const int source = network.source(layer);
  ChannelOrder all(static_cast<std::size_t>(l.input.channels));
  std::iota(all.begin(), all.end(), 0);
  if (source < 0 || by_layer[static_cast<std::size_t>(source)].empty()) return all;
  const ChannelOrder& order = by_layer[static_cast<std::size_t>(source)];
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::size_t pixel = i / order.size() * order.size();
    all[i] = static_cast<int>(pixel) + order[i % order.size()];
  }
  return all;
}

// Where each row of weights of the reordered layer comes from.
std::vector<int> depth_order(const Layer& layer, const ChannelOrder& input) {
  // Depthwise a column has one input channel, its own, and follows the output alone.
  const std::size_t channels = is_depthwise(layer) || layer.groups > 1 ? 1 : input.size();
  std::vector<int> order(static_cast<std::size_t>(layer.depth()));
  for (std::size_t k = 0; k < order.size(); ++k) {
    const std::size_t from =
        channels == 1 ? k : k / channels * channels + static_cast<std::size_t>(input[k % channels]);
    order[k] = static_cast<int>(from);
  }
  return order;
}

void permute_weights(Layer& layer, const std::vector<int>& depths, const ChannelOrder& output) {
  const Layer old = layer;
  const auto columns = static_cast<std::size_t>(layer.columns());
  for (std::size_t k = 0; k < depths.size(); ++k) {
    const auto from = static_cast<std::size_t>(depths[k]);
    for (std::size_t n = 0; n < columns; ++n) {
      layer.weights[k * columns + n] =
          old.weights[from * columns + static_cast<std::size_t>(output[n])];
    }
  }
  for (std::size_t n = 0; n < columns; ++n) {
    layer.bias[n] = old.bias[static_cast<std::size_t>(output[n])];
    layer.scale[n] = old.scale[static_cast<std::size_t>(output[n])];
  }
}

int place_of(const std::vector<int>& order, int original) {
  if (order.empty()) return original;
  return static_cast<int>(std::find(order.begin(), order.end(), original) - order.begin());
}

bool is_permutation(const ChannelOrder& order, int channels) {
  ChannelOrder sorted = order;
  std::sort(sorted.begin(), sorted.end());
  for (int i = 0; i < static_cast<int>(sorted.size()); ++i) {
    if (sorted[static_cast<std::size_t>(i)] != i) return false;
  }
  return static_cast<int>(order.size()) == channels;
}

}  // namespace

std::vector<ChannelGroup> channel_groups(const Network& network) {
  const int count = static_cast<int>(network.layers.size());
  Places places(static_cast<std::size_t>(count) + 1);
  places.fix(0);
  for (int l = 0; l < count; ++l) {
    const Layer& layer = network.layers[static_cast<std::size_t>(l)];
    const std::size_t operands = layer.kind == LayerKind::add ? 2 : 1;
    for (std::size_t o = 0; o < operands; ++o) {
      const int source = network.source(static_cast<std::size_t>(l), o);
      const bool same_shape = shape_of(network, source) == layer.input;
      if (layer.kind == LayerKind::gemm && layer.groups == 1) continue;
      if (layer.kind != LayerKind::gemm || is_depthwise(layer)) {
        if (!same_shape) places.fix(source + 1);
        places.join(source + 1, l + 1);
      } else {
        places.fix(source + 1);
        places.fix(l + 1);
      }
    }
  }
  places.fix(count);  // the logits
  std::map<int, ChannelGroup> groups;
  for (int l = 0; l < count; ++l) {
    if (places.fixed(l + 1)) continue;
    ChannelGroup& group = groups[places.find(l + 1)];
    group.channels = shape_of(network, l).channels;
    group.members.push_back(l);
  }
  std::vector<ChannelGroup> list;
  list.reserve(groups.size());
  for (auto& [place, group] : groups) list.push_back(std::move(group));
  return list;
}

int LayerOrder::channel_place(int channel) const {
  return place_of(channels, channel);
}
int LayerOrder::depth_place(int k) const {
  return place_of(depths, k);
}

std::vector<LayerOrder> layer_orders(const Network& network,
                                     const std::vector<ChannelOrder>& orders) {
  const std::vector<ChannelGroup> groups = channel_groups(network);
  if (orders.size() != groups.size()) {
    throw std::invalid_argument("as many orders are needed as there are channel groups");
  }
  std::vector<ChannelOrder> by_layer(network.layers.size());
  for (std::size_t g = 0; g < groups.size(); ++g) {
    if (orders[g].empty()) continue;
    if (!is_permutation(orders[g], groups[g].channels)) {
      throw std::invalid_argument("an order is no permutation of its channels");
    }
    for (const int layer : groups[g].members) by_layer[static_cast<std::size_t>(layer)] = orders[g];
  }
  std::vector<LayerOrder> result;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer& layer = network.layers[l];
    LayerOrder& order = result.emplace_back();
    order.channels = by_layer[l];
    if (layer.kind == LayerKind::gemm) {
      order.depths = depth_order(layer, input_order(network, l, by_layer));
    }
  }
  return result;
}

Network reordered(const Network& network, const std::vector<ChannelOrder>& orders) {
  const std::vector<LayerOrder> order_of = layer_orders(network, orders);
  Network result = network;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    Layer& layer = result.layers[l];
    if (layer.kind != LayerKind::gemm || !layer.has_values()) continue;
    ChannelOrder output = order_of[l].channels;
    if (output.empty()) {
      output.resize(static_cast<std::size_t>(layer.columns()));
      std::iota(output.begin(), output.end(), 0);
    }
    permute_weights(layer, order_of[l].depths, output);
  }
  return result;
}

ChannelDistances::ChannelDistances(const Network& network)
    : network_(&network), groups_(channel_groups(network)) {
  for (const ChannelGroup& group : groups_) {
    for (const int layer : group.members) {
      if (network.layers[static_cast<std::size_t>(layer)].kind != LayerKind::gemm) continue;
      const auto n = static_cast<std::size_t>(group.channels);
      moments_[layer] = {0, std::vector<double>(n), std::vector<double>(n * n)};
    }
  }
}

void ChannelDistances::add(const std::vector<LayerValues>& values) {
  for (auto& [layer, moments] : moments_) {
    const std::vector<std::int32_t>& sums = values[static_cast<std::size_t>(layer)].sums;
    const std::size_t n = moments.sum.size();
    for (std::size_t row = 0; row + n <= sums.size(); row += n) {
      ++moments.n;
      for (std::size_t i = 0; i < n; ++i) {
        const double y = sums[row + i];
        moments.sum[i] += y;
        double* products = moments.product.data() + i * n;
        for (std::size_t j = i; j < n; ++j) products[j] += y * sums[row + j];
      }
    }
  }
}

std::vector<double> ChannelDistances::of(std::size_t group) const {
  const auto n = static_cast<std::size_t>(groups_[group].channels);
  std::vector<double> distance(n * n);
  for (const int layer : groups_[group].members) {
    const auto found = moments_.find(layer);
    if (found == moments_.end() || found->second.n == 0) continue;
    const Moments& m = found->second;
    const auto count = static_cast<double>(m.n);
    const auto covariance = [&](std::size_t i, std::size_t j) {
      return m.product[std::min(i, j) * n + std::max(i, j)] / count -
             m.sum[i] / count * (m.sum[j] / count);
    };
    double mean = 0;
    for (std::size_t i = 0; i < n; ++i) mean += covariance(i, i) / static_cast<double>(n);
    if (mean <= 0) continue;
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        const double variance = covariance(i, i) + covariance(j, j) - 2 * covariance(i, j);
        if (i != j) distance[i * n + j] += std::max(0.0, variance) / mean;
      }
    }
  }
  return distance;
}

double ring_length(const std::vector<double>& distance, const ChannelOrder& order, int lanes) {
  const std::size_t n = order.size();
  const auto ring = static_cast<std::size_t>(lanes);
  double length = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t first = i / ring * ring;
    const std::size_t end = std::min(n, first + ring);
    const std::size_t before = i > first ? i - 1 : end - 1;
    length +=
        distance[static_cast<std::size_t>(order[before]) * n + static_cast<std::size_t>(order[i])];
  }
  return length;
}

ChannelOrder near_order(const std::vector<double>& distance, int channels, int lanes) {
  const auto n = static_cast<std::size_t>(channels);
  ChannelOrder order(n);
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = 1; i < n; ++i) {
    const double* from = distance.data() + static_cast<std::size_t>(order[i - 1]) * n;
    const auto nearest = std::min_element(
        order.begin() + static_cast<std::ptrdiff_t>(i), order.end(),
        [&](int a, int b) { return std::pair(from[a], a) < std::pair(from[b], b); });
    std::iter_swap(order.begin() + static_cast<std::ptrdiff_t>(i), nearest);
  }
  double length = ring_length(distance, order, lanes);
  const auto helps = [&](const ChannelOrder& other) {
    constexpr double kWorthwhile = 1e-9;  // below it, rounding could go round in circles
    const double shorter = ring_length(distance, other, lanes);
    if (shorter >= length * (1 - kWorthwhile)) return false;
    length = shorter;
    return true;
  };
  for (bool improved = true; improved;) {
    improved = false;
    for (std::size_t i = 0; i + 1 < n; ++i) {
      for (std::size_t j = i + 1; j < n; ++j) {
        ChannelOrder other = order;
        std::reverse(other.begin() + static_cast<std::ptrdiff_t>(i),
                     other.begin() + static_cast<std::ptrdiff_t>(j) + 1);
        if (!helps(other)) {
          other = order;
          std::swap(other[i], other[j]);
          if (!helps(other)) continue;
        }
        order = std::move(other);
        improved = true;
      }
    }
  }
  return order;
}

}  // namespace sagitta
