#include "statistics/failure_rate.h"

#include <stdexcept>

namespace sagitta {
namespace {

constexpr double kFitHours = 1e9;

Figure scaled(double a, double b, const Proportion& p) {
  if (!(a >= 0) || !(b >= 0)) throw std::invalid_argument("a rate or size is negative");
  return {a * b * p.value, a * b * p.low, a * b * p.high};
}

}  // namespace

Figure fit(double raw_fit_per_bit, double bits, const Proportion& avf) {
  return scaled(raw_fit_per_bit, bits, avf);
}

Figure mttf_hours(const Figure& fit) {
  return {kFitHours / fit.value, kFitHours / fit.high, kFitHours / fit.low};
}

Figure absolute_failures(double bits, double cycles, const Proportion& share) {
  return scaled(bits, cycles, share);
}

}  // namespace sagitta
