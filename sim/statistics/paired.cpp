#include "statistics/paired.h"

#include <algorithm>
#include <boost/math/tools/roots.hpp>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "base/interval.h"

namespace sagitta {
namespace {

// Tango's statistic is (b - c - n d) / sqrt(n (2 q + d (1 - d))), with q the likelihood's best
// share of pairs with only the second event where the difference is d: the larger root of
// 2n q^2 + e q - c d (1 - d) = 0, e = (2n - b + c) d - b - c. This is the difference between its
// numerator and z times its root: free of poles, and of the same sign as statistic - z.
double excess(double b, double c, double n, double d, double z) {
  const double e = (2 * n - b + c) * d - b - c;
  const double q = (std::sqrt(std::max(0.0, e * e + 8 * n * c * d * (1 - d))) - e) / (4 * n);
  return b - c - n * d - z * std::sqrt(std::max(0.0, n * (2 * q + d * (1 - d))));
}

}  // namespace

PairedDifference paired_difference(std::int64_t only_first, std::int64_t only_second,
                                   std::int64_t n, double confidence) {
  if (only_first < 0 || only_second < 0 || n < only_first + only_second) {
    throw std::invalid_argument("a pair count is negative, or there are more of them than pairs");
  }
  const double z = normal_quantile(0.5 + confidence / 2);
  PairedDifference result{0, -1, 1, only_first, only_second, n};
  if (n == 0) return result;
  const auto size = static_cast<double>(n);
  result.value = static_cast<double>(only_first - only_second) / size;
  // The upper end; the lower one is that of the exchanged pair.
  const auto high = [&](double b, double c, double value) {
    if (value == 1) return 1.0;
    const auto beyond = [&](double d) { return excess(c, b, size, -d, z); };
    // At the estimate itself the variance may be 0: without discordant pairs, or with no others.
    const double start = value + 1e-6 / size;
    std::uintmax_t iterations = 200;
    const auto found = boost::math::tools::toms748_solve(
        beyond, start, 1.0, boost::math::tools::eps_tolerance<double>(45), iterations);
    return (found.first + found.second) / 2;
  };
  const auto first = static_cast<double>(only_first);
  const auto second = static_cast<double>(only_second);
  result.high = high(first, second, result.value);
  result.low = -high(second, first, -result.value);
  return result;
}

std::vector<double> holm(const std::vector<double>& p_values) {
  for (const double p : p_values) {
    if (!(p >= 0 && p <= 1)) throw std::invalid_argument("p not in [0, 1]");
  }
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> adjusted(p_values.size());
  double least = 0;
  auto tests = static_cast<double>(p_values.size());
  for (const std::size_t i : order) {
    least = std::max(least, std::min(1.0, tests * p_values[i]));
    adjusted[i] = least;
    --tests;
  }
  return adjusted;
}

}  // namespace sagitta
