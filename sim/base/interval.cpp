#include "base/interval.h"

#include <algorithm>
#include <boost/math/special_functions/beta.hpp>
#include <boost/math/special_functions/erf.hpp>
#include <cmath>
#include <numbers>
#include <stdexcept>

namespace sagitta {
namespace {

// These are programming errors, not user input: counts come from our own tallies.
void check(std::int64_t count, std::int64_t n, double confidence) {
  if (count < 0 || n < count) throw std::invalid_argument("a count must lie in 0..n");
  if (!(confidence > 0 && confidence < 1)) throw std::invalid_argument("confidence not in (0, 1)");
}

// The z with P(|Z| <= z) = confidence.
double two_sided_quantile(double confidence) {
  return normal_quantile(0.5 + confidence / 2);
}

}  // namespace

double normal_quantile(double p) {
  if (!(p > 0 && p < 1)) throw std::invalid_argument("a quantile needs p in (0, 1)");
  return -std::numbers::sqrt2 * boost::math::erfc_inv(2 * p);
}

Proportion wilson(std::int64_t count, std::int64_t n, double confidence) {
  check(count, n, confidence);
  if (n == 0) return {};
  const double size = static_cast<double>(n);
  const double p = static_cast<double>(count) / size;
  const double z = two_sided_quantile(confidence);
  const double z2 = z * z;
  const double centre = p + z2 / (2 * size);
  const double spread = z * std::sqrt(p * (1 - p) / size + z2 / (4 * size * size));
  Proportion result{p, (centre - spread) / (1 + z2 / size), (centre + spread) / (1 + z2 / size),
                    count, n};
  // Exact at the ends, where rounding would leave -1e-18 or 1 - 1e-16.
  if (count == 0) result.low = 0;
  if (count == n) result.high = 1;
  return result;
}

Proportion clopper_pearson(std::int64_t count, std::int64_t n, double confidence) {
  check(count, n, confidence);
  if (n == 0) return {};
  const double x = static_cast<double>(count);
  const double size = static_cast<double>(n);
  const double tail = (1 - confidence) / 2;
  Proportion result{x / size, 0, 1, count, n};
  if (count > 0) result.low = boost::math::ibeta_inv(x, size - x + 1, tail);
  if (count < n) result.high = boost::math::ibetac_inv(x + 1, size - x, tail);
  return result;
}

double mcnemar_exact(std::int64_t only_first, std::int64_t only_second) {
  if (only_first < 0 || only_second < 0) throw std::invalid_argument("negative pair count");
  const double n = static_cast<double>(only_first + only_second);
  const double fewer = static_cast<double>(std::min(only_first, only_second));
  if (n == 0) return 1;
  // P(X <= fewer) for X ~ Binomial(n, 1/2), as a regularised incomplete beta function.
  return std::min(1.0, 2 * boost::math::ibeta(n - fewer, fewer + 1, 0.5));
}

std::int64_t sample_size(double population, double error, double confidence, double p) {
  if (!(population >= 1) || !(error > 0) || !(p > 0 && p < 1)) {
    throw std::invalid_argument("sample_size needs population >= 1, error > 0, p in (0, 1)");
  }
  const double t = two_sided_quantile(confidence);
  // Both sides of Leveugle's fraction are divided by N, so that an infinite population works too.
  const double inverse = 1 / population;
  return static_cast<std::int64_t>(
      std::ceil(1 / (inverse + error * error * (1 - inverse) / (t * t * p * (1 - p)))));
}

}  // namespace sagitta
