// Intervals that may be looked at after every trial, for campaigns that stop when they know enough.
//
// A 95 % interval that is looked at again and again excludes the truth sooner or later (a random
// walk crosses every multiple of sqrt(n)), so stopping when Wilson's interval is narrow, or
// excludes a value, has no guarantee. A confidence sequence holds for all n at once: with
// probability `confidence` it never excludes the truth, whenever and for whatever reason one stops.
// It needs two to three times the trials of a plan that is fixed beforehand (sample_size, wilson),
// and is worth that where one stops early because p turns out to be far from 1/2.
#pragma once

#include <cstdint>

#include "base/interval.h"

namespace sagitta {

// The two-sided beta-binomial mixture of S. Howard, A. Ramdas, J. McAuliffe, J. Sekhon (Ann. Stat.
// 49, 2021; after H. Robbins, Ann. Math. Stat. 41, 1970): were the truth p, the likelihood of the
// outcomes with p drawn from Beta(r p, r (1 - p)) over that with p itself is a martingale of mean
// 1, which ever exceeds 1 / alpha with probability alpha at most (J. Ville 1939). The interval
// holds the p at which it does not. `planned`, more than 0, must be chosen before the first trial:
// the n at which the interval is narrowest, through r; it is valid at all others, and hardly wider
// within a factor of four. A function of the counts and `planned`; n == 0 gives [0, 1]. Throws
// std::invalid_argument: counts out of range, a confidence outside of (0, 1), planned <= 0.
Proportion confidence_sequence(std::int64_t count, std::int64_t n, double planned,
                               double confidence = 0.95);

// Whether the interval above holds p, without computing its ends; p in (0, 1).
bool sequence_holds(std::int64_t count, std::int64_t n, double planned, double p,
                    double confidence = 0.95);

// Trials after which a sequence that is planned for as many is about p -+ error, rounded up: what
// to plan for, and the most that stopping at that error takes. (Normal limit of the above.)
double sequence_size(double error, double confidence, double p = 0.5);

}  // namespace sagitta
