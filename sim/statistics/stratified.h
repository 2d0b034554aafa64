// A proportion of a population that was sampled stratum by stratum.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "base/interval.h"

namespace sagitta {

struct Stratum {
  // Its share of the population, at least 0. Shares that sum to one give a proportion; any other
  // weights give a sum with its interval, such as a FIT from bits x raw FIT per bit.
  double weight = 0;
  // Points in it, of which `n` different ones were drawn; infinite: drawn with replacement.
  double population = std::numeric_limits<double>::infinity();
  std::int64_t count = 0;  // events
  std::int64_t n = 0;      // trials, 0..population
};

// Estimates sum W_h p_h; `count` and `n` of the result are totals.
//
// The interval holds every sum W_h p_h whose p_h have sum z_h^2 <= z^2, where z_h is the score
// statistic of stratum h (E. B. Wilson, JASA 1927): its ends are sums of per-stratum Wilson bounds
// that share one budget z^2 in the worst way. That is the restricted minimum chi-squared test of
// one degree of freedom, inverted (J. Neyman, Berkeley Symposium 1949). Three things follow:
//  - one stratum gives Wilson's interval, and so do equal strata with equal rates;
//  - many events give the square-and-add interval (G. Y. Zou et al., CSDA 53, 2009), which would
//    sum the bounds of strata without events in quadrature: sqrt(H) times too wide for H of them;
//  - strata without events share z^2 W_h / n_h of the worst one, as a Poisson bound would.
// Corrections:
//  - half an event in the stratum in which an event weighs most (continuity; in one stratum method
//  4
//    of R. G. Newcombe, Stat. Med. 17, 1998, p. 857): without it rare events are covered with 84 %
//  - n_h (N_h - 1) / (N_h - n_h) for n_h (finite population; W. G. Cochran, Sampling Techniques,
//    1977, 3.2)
//  - n_h - 1 for n_h, but for a stratum's share of sum W_h^2 / n_h, in which nothing is estimated
//    (the n_h - 1 of the textbook's variance, Cochran 5.3); without it many small strata are
//    covered with 65 to 90 %
//  - strata of one trial are collapsed into one (Cochran 5A.12), each of whose trials counts as the
//    heaviest: alone they say nothing about variance
// A stratum with n = population is known; one with n = 0 may be anything, and counts in `value`
// with the proportion of the others.
//
// Throws std::invalid_argument: counts out of range, a negative or infinite weight.
Proportion stratified(const std::vector<Stratum>& strata, double confidence = 0.95);

}  // namespace sagitta
