#include "statistics/allocation.h"

#include <algorithm>
#include <cmath>
#include <queue>
#include <stdexcept>

namespace sagitta {

double pilot_deviation(std::int64_t count, std::int64_t n) {
  if (count < 0 || n < count) throw std::invalid_argument("a count must lie in 0..n");
  const double p = (static_cast<double>(count) + 0.5) / (static_cast<double>(n) + 1);
  return std::sqrt(p * (1 - p));
}

std::vector<std::int64_t> neyman_allocation(const std::vector<StratumPlan>& strata, std::int64_t n,
                                            std::int64_t floor) {
  if (floor < 1) throw std::invalid_argument("every stratum needs at least one trial");
  struct Candidate {
    double gain;  // the root of what one more trial takes off the variance
    std::size_t stratum;
    bool operator<(const Candidate& other) const {  // the queue's top is the greatest
      return gain != other.gain ? gain < other.gain : stratum > other.stratum;
    }
  };
  std::vector<std::int64_t> trials;
  std::priority_queue<Candidate> queue;
  const auto offer = [&](std::size_t h) {
    const StratumPlan& s = strata[h];
    const auto k = static_cast<double>(trials[h]);
    // 1/k - 1/(k+1) = 1 / (k (k+1))
    if (trials[h] < s.population) {
      queue.push({s.weight * s.deviation / std::sqrt(k * (k + 1)), h});
    }
  };
  std::int64_t left = n;
  for (std::size_t h = 0; h < strata.size(); ++h) {
    const StratumPlan& s = strata[h];
    if (!(s.weight >= 0) || !(s.deviation >= 0) || s.population < 0) {
      throw std::invalid_argument("a stratum's weight, deviation or population is negative");
    }
    trials.push_back(std::min(floor, s.population));
    left -= trials[h];
    offer(h);
  }
  if (left < 0) throw std::invalid_argument("fewer trials than the strata's floors need");
  for (; left > 0; --left) {
    if (queue.empty()) throw std::invalid_argument("more trials than the population has points");
    const std::size_t h = queue.top().stratum;
    queue.pop();
    ++trials[h];
    offer(h);
  }
  return trials;
}

}  // namespace sagitta
