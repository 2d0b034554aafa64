// Estimates from trials that were drawn with other probabilities than those of interest.
#pragma once

#include <cstdint>
#include <vector>

namespace sagitta {

// Trials drawn with the same probability q where the population has p.
struct WeightedTrials {
  double weight = 1;        // likelihood ratio p / q, at least 0
  std::int64_t events = 0;  // what is counted
  std::int64_t n = 1;       // trials
};

struct ImportanceEstimate {
  double value = 0;            // sum w y / n, unbiased
  double self_normalised = 0;  // sum w y / sum w: biased as 1/n; for weights known up to a factor
  double low = 0;              // interval of `value`, within [0, 1]
  double high = 1;
  double effective_size =
      0;                   // Kish's (sum w)^2 / sum w^2: trials that an average over all is worth
  double mean_weight = 0;  // expected to be 1; a check of the weights
  std::int64_t count = 0;  // events
  std::int64_t n = 0;
};

// `most` is the largest weight that any point of the population has, seen or not: what an event
// that was not seen could have weighed. The estimate and its interval are the plain ones, since our
// weights are exact ratios of known probabilities; the self-normalised estimate stands beside it.
//
// The interval is the gamma interval of M. P. Fay and E. J. Feuer (Stat. Med. 16, 1997, equations
// 3.1 and 3.2) for a weighted sum of Poisson counts, the events by weight. It needs no variance
// estimate that is 0 without events (there its upper end is 3.69 most / n at 95 %), and it covers
// at least its confidence in every simulation published. Importance sampling is for rare events,
// where a binomial is a Poisson; for common ones the interval is too wide, by 1 / sqrt(1 - p).
//
// No trials give value 0 in [0, 1]. Throws std::invalid_argument for a weight that is negative or
// above `most`, for more events than trials, and unless `most` is positive and finite.
ImportanceEstimate importance_estimate(const std::vector<WeightedTrials>& trials, double most,
                                       double confidence = 0.95);

}  // namespace sagitta
