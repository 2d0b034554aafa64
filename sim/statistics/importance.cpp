#include "statistics/importance.h"

#include <algorithm>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>
#include <stdexcept>

namespace sagitta {

ImportanceEstimate importance_estimate(const std::vector<WeightedTrials>& trials, double most,
                                       double confidence) {
  if (!(confidence > 0 && confidence < 1)) throw std::invalid_argument("confidence not in (0, 1)");
  if (!(most > 0) || std::isinf(most)) throw std::invalid_argument("the largest weight");
  ImportanceEstimate e;
  double weights = 0;
  double squares = 0;
  double events = 0;    // sum of the events' weights
  double variance = 0;  // ... of their squares: what a sum of Poisson counts varies
  for (const WeightedTrials& t : trials) {
    if (!(t.weight >= 0 && t.weight <= most)) {
      throw std::invalid_argument("a weight must lie in 0..most");
    }
    if (t.events < 0 || t.n < t.events) throw std::invalid_argument("events must lie in 0..n");
    const auto size = static_cast<double>(t.n);
    const auto hits = static_cast<double>(t.events);
    weights += t.weight * size;
    squares += t.weight * t.weight * size;
    events += t.weight * hits;
    variance += t.weight * t.weight * hits;
    e.n += t.n;
    e.count += t.events;
  }
  if (e.n == 0) return e;
  const auto n = static_cast<double>(e.n);
  e.value = events / n;
  e.mean_weight = weights / n;
  if (weights > 0) {
    e.self_normalised = events / weights;
    e.effective_size = weights * weights / squares;
  }
  // A gamma variable with the given mean and variance.
  const double tail = (1 - confidence) / 2;
  if (events > 0) {
    e.low = variance / events * boost::math::gamma_p_inv(events * events / variance, tail) / n;
  }
  const double above = events + most;
  const double spread = variance + most * most;
  e.high = spread / above * boost::math::gamma_q_inv(above * above / spread, tail) / n;
  e.low = std::min(e.low, 1.0);
  e.high = std::min(e.high, 1.0);
  return e;
}

}  // namespace sagitta
