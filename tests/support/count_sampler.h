// Draws counts from a distribution given by its probabilities, from our own stream, so that
// simulations in tests give the same figures with every standard library.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "base/philox.h"

namespace sagitta {

class CountSampler {
 public:
  static CountSampler binomial(int n, double p) {
    std::vector<double> chance(static_cast<std::size_t>(n) + 1);
    for (int k = 0; k <= n; ++k) {
      const double power = (k == 0 ? 0 : k * std::log(p)) + (k == n ? 0 : (n - k) * std::log1p(-p));
      chance[static_cast<std::size_t>(k)] = std::exp(log_choose(n, k) + power);
    }
    return CountSampler(chance);
  }

  // Marked ones among n drawn without replacement from `population`, of which `marked` are.
  static CountSampler hypergeometric(int population, int marked, int n) {
    std::vector<double> chance(static_cast<std::size_t>(n) + 1);
    for (int k = std::max(0, n + marked - population); k <= std::min(n, marked); ++k) {
      chance[static_cast<std::size_t>(k)] =
          std::exp(log_choose(marked, k) + log_choose(population - marked, n - k) -
                   log_choose(population, n));
    }
    return CountSampler(chance);
  }

  std::int64_t draw(Stream& stream) const {
    const auto at = std::upper_bound(cumulative_.begin(), cumulative_.end() - 1, stream.unit());
    return at - cumulative_.begin();
  }

 private:
  explicit CountSampler(const std::vector<double>& chance) {
    double sum = 0;
    for (const double c : chance) cumulative_.push_back(sum += c);
  }
  static double log_choose(int n, int k) {
    return std::lgamma(n + 1.0) - std::lgamma(k + 1.0) - std::lgamma(n - k + 1.0);
  }
  std::vector<double> cumulative_;
};

}  // namespace sagitta
