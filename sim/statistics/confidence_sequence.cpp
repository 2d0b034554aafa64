#include "statistics/confidence_sequence.h"

#include <boost/math/special_functions/gamma.hpp>
#include <boost/math/tools/roots.hpp>
#include <cmath>
#include <stdexcept>

namespace sagitta {
namespace {

void check(std::int64_t count, std::int64_t n, double planned, double confidence) {
  if (count < 0 || n < count) throw std::invalid_argument("a count must lie in 0..n");
  if (!(confidence > 0 && confidence < 1)) throw std::invalid_argument("confidence not in (0, 1)");
  if (!(planned > 0) || std::isinf(planned)) throw std::invalid_argument("planned trials");
}

// n / r at which the interval is narrowest, approximately (Howard et al. 2021, for the normal
// mixture that this one becomes): 7.9 at 95 %.
double best_ratio(double confidence) {
  const double twice = -2 * std::log(1 - confidence);
  return twice + std::log(1 + twice);
}

// log of Gamma(a + k) / Gamma(a) / p^k, where a = r p; std::lgamma would write a global.
double log_rise(double r, double p, double k) {
  if (k == 0) return 0;
  return boost::math::lgamma(r * p + k) - boost::math::lgamma(r * p) - k * std::log(p);
}

// log of the mixture's likelihood over that of p.
double log_ratio(double k, double n, double r, double p) {
  return log_rise(r, p, k) + log_rise(r, 1 - p, n - k) - log_rise(r, 1, n);
}

// The least p that k events in n trials allow.
double low_end(double k, double n, double r, double confidence) {
  // With one event or none the ratio stays below 1 as p goes to 0.
  if (k < 2) return 0;
  const double limit = -std::log(1 - confidence);
  const auto excess = [&](double log_p) { return log_ratio(k, n, r, std::exp(log_p)) - limit; };
  constexpr double kLeast = -600;  // p = 1e-260 has a ratio of more than 1e200
  std::uintmax_t iterations = 200;
  const auto found = boost::math::tools::toms748_solve(
      excess, kLeast, std::log(k / n), boost::math::tools::eps_tolerance<double>(45), iterations);
  return std::exp((found.first + found.second) / 2);
}

}  // namespace

bool sequence_holds(std::int64_t count, std::int64_t n, double planned, double p,
                    double confidence) {
  check(count, n, planned, confidence);
  if (!(p > 0 && p < 1)) throw std::invalid_argument("p not in (0, 1)");
  const double r = planned / best_ratio(confidence);
  return log_ratio(static_cast<double>(count), static_cast<double>(n), r, p) <
         -std::log(1 - confidence);
}

Proportion confidence_sequence(std::int64_t count, std::int64_t n, double planned,
                               double confidence) {
  check(count, n, planned, confidence);
  if (n == 0) return {};
  const double r = planned / best_ratio(confidence);
  const auto k = static_cast<double>(count);
  const auto size = static_cast<double>(n);
  return {k / size, low_end(k, size, r, confidence), 1 - low_end(size - k, size, r, confidence),
          count, n};
}

double sequence_size(double error, double confidence, double p) {
  if (!(error > 0) || !(p > 0 && p < 1) || !(confidence > 0 && confidence < 1)) {
    throw std::invalid_argument("sequence_size needs error > 0, confidence and p in (0, 1)");
  }
  // The normal mixture's bound on the sum, sqrt((v + s) log((v + s) / (s alpha^2))) with a variance
  // of v = n p (1 - p) = u s, equals n times the error.
  const double u = best_ratio(confidence);
  const double square = (1 + 1 / u) * (std::log1p(u) - 2 * std::log(1 - confidence));
  return std::ceil(p * (1 - p) * square / (error * error));
}

}  // namespace sagitta
