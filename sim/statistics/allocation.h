// How many trials each stratum gets, so that the estimate is as precise as n trials can make it.
#pragma once

#include <cstdint>
#include <vector>

namespace sagitta {

struct StratumPlan {
  double weight = 0;            // its share of the population
  std::int64_t population = 0;  // points in it
  double deviation = 0;         // of one trial's outcome; see pilot_deviation
};

// sqrt(p (1 - p)) after `count` events in `n` pilot trials, with p = (count + 1/2) / (n + 1), the
// mean under Jeffreys' prior: never 0, so that a pilot without events does not end a stratum.
// Throws std::invalid_argument unless 0 <= count <= n.
double pilot_deviation(std::int64_t count, std::int64_t n);

// Neyman allocation (JRSS 97, 1934), n_h ~ weight * deviation, in whole trials that sum to exactly
// `n`, with floor <= n_h <= population (a stratum of fewer than `floor` points is taken whole).
// Above the floors, trials go one at a time to where they lower sum W_h^2 S_h^2 / n_h most, which
// is the exact optimum (T. Wright, Stat. Probab. Lett. 129, 2017); ties to the stratum named first.
// Takes O(n log H). Throws std::invalid_argument when the floors need more than n or the population
// has less, and when floor < 1.
std::vector<std::int64_t> neyman_allocation(const std::vector<StratumPlan>& strata, std::int64_t n,
                                            std::int64_t floor);

}  // namespace sagitta
