// Confidence intervals for proportions, and the finite-population sample size.
#pragma once

#include <cstdint>

namespace sagitta {

// A proportion with its interval; what every proportion in results looks like.
struct Proportion {
  double value = 0;
  double low = 0;
  double high = 1;
  std::int64_t count = 0;
  std::int64_t n = 0;
};

// Wilson score interval (E. B. Wilson, JASA 1927). n == 0 gives value 0 and [0, 1].
Proportion wilson(std::int64_t count, std::int64_t n, double confidence = 0.95);

// Clopper-Pearson exact interval (Biometrika 1934): guaranteed coverage.
Proportion clopper_pearson(std::int64_t count, std::int64_t n, double confidence = 0.95);

// Two-sided exact McNemar test over discordant pair counts: p-value in [0, 1].
double mcnemar_exact(std::int64_t only_first, std::int64_t only_second);

// Standard normal quantile; p in (0, 1).
double normal_quantile(double p);

// Injections needed for margin `error` in a population of N faults (Leveugle et al., DATE 2009),
// rounded up; p is the expected proportion.
std::int64_t sample_size(double population, double error, double confidence, double p = 0.5);

}  // namespace sagitta
