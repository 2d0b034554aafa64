#include "statistics/cluster_bootstrap.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>
#include <tuple>

#include "base/interval.h"
#include "base/philox.h"

namespace sagitta {
namespace {

double ratio(std::int64_t count, std::int64_t n) {
  return static_cast<double>(count) / static_cast<double>(n);
}

double normal_probability(double z) {
  return std::erfc(-z / std::numbers::sqrt2) / 2;
}

// Ratios of the totals of as many clusters drawn with replacement, ascending.
std::vector<double> replicate_ratios(const std::vector<Cluster>& clusters, std::uint64_t seed,
                                     int replicates) {
  std::vector<double> ratios;
  for (int r = 0; r < replicates; ++r) {
    Stream stream(seed, static_cast<std::uint64_t>(r), Purpose::bootstrap);
    Cluster total;
    for (std::size_t i = 0; i < clusters.size(); ++i) {
      const Cluster& drawn = clusters[stream.below(clusters.size())];
      total.count += drawn.count;
      total.n += drawn.n;
    }
    ratios.push_back(ratio(total.count, total.n));
  }
  std::sort(ratios.begin(), ratios.end());
  return ratios;
}

// Efron's a, a sixth of the skewness of the jackknife's values; 0 when they do not vary.
double acceleration(const std::vector<Cluster>& clusters, const ClusterEstimate& all) {
  if (clusters.size() < 2) return 0;
  double mean = 0;
  std::vector<double> without;
  for (const Cluster& c : clusters) {
    without.push_back(ratio(all.count - c.count, all.n - c.n));
    mean += without.back() / static_cast<double>(clusters.size());
  }
  double squares = 0;
  double cubes = 0;
  for (const double value : without) {
    squares += (mean - value) * (mean - value);
    cubes += (mean - value) * (mean - value) * (mean - value);
  }
  return squares > 0 ? cubes / (6 * std::pow(squares, 1.5)) : 0;
}

// The quantiles of `ratios` that BCa takes as ends.
void bias_corrected_ends(const std::vector<double>& ratios, double a, double confidence,
                         ClusterEstimate& e) {
  const auto size = static_cast<double>(ratios.size());
  const auto [from, to] = std::equal_range(ratios.begin(), ratios.end(), e.value);
  const double below = static_cast<double>(from - ratios.begin()) +
                       static_cast<double>(to - from) / 2;  // those that are equal: by halves
  const double bias = normal_quantile(std::clamp(below, 0.5, size - 0.5) / size);
  const auto end = [&](double p) {
    const double z = bias + normal_quantile(p);
    const double stretch = 1 - a * z;
    const double q = stretch > 0 ? normal_probability(bias + z / stretch) : (z > 0 ? 1 : 0);
    const double index = std::clamp(std::floor(q * (size + 1)) - 1, 0.0, size - 1);
    return ratios[static_cast<std::size_t>(index)];
  };
  e.low = end((1 - confidence) / 2);
  e.high = end((1 + confidence) / 2);
}

double variance_of(const std::vector<double>& values) {
  const auto size = static_cast<double>(values.size());
  double mean = 0;
  for (const double v : values) mean += v / size;
  double squares = 0;
  for (const double v : values) squares += (v - mean) * (v - mean);
  return squares / (size - 1);
}

}  // namespace

ClusterEstimate cluster_bootstrap(std::vector<Cluster> clusters, std::uint64_t seed, int replicates,
                                  double confidence) {
  if (replicates < 100) throw std::invalid_argument("a bootstrap needs at least 100 replicates");
  ClusterEstimate e;
  for (const Cluster& c : clusters) {
    if (c.count < 0 || c.n < c.count) throw std::invalid_argument("a count must lie in 0..n");
    e.count += c.count;
    e.n += c.n;
  }
  std::erase_if(clusters, [](const Cluster& c) { return c.n == 0; });
  e.clusters = static_cast<std::int64_t>(clusters.size());
  if (e.n == 0) return e;
  e.value = ratio(e.count, e.n);
  if (e.count == 0 || e.count == e.n) {
    const Proportion p = wilson(e.count == 0 ? 0 : e.clusters, e.clusters, confidence);
    e.low = p.low;
    e.high = p.high;
    return e;
  }
  std::sort(clusters.begin(), clusters.end(), [](const Cluster& a, const Cluster& b) {
    return std::tie(a.n, a.count) < std::tie(b.n, b.count);
  });
  const std::vector<double> ratios = replicate_ratios(clusters, seed, replicates);
  bias_corrected_ends(ratios, acceleration(clusters, e), confidence, e);
  e.design_effect = variance_of(ratios) / (e.value * (1 - e.value) / static_cast<double>(e.n));
  const Proportion independent = wilson(e.count, e.n, confidence);
  e.low = std::min(e.low, independent.low);
  e.high = std::max(e.high, independent.high);
  return e;
}

}  // namespace sagitta
