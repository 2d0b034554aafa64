#include "base/interval.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

namespace sagitta {
namespace {

double binomial(int n, int k, double p) {
  return std::exp(std::lgamma(n + 1.0) - std::lgamma(k + 1.0) - std::lgamma(n - k + 1.0) +
                  k * std::log(p) + (n - k) * std::log1p(-p));
}

TEST(NormalQuantile, TableValues) {
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-14);
  EXPECT_NEAR(normal_quantile(0.995), 2.575829303548901, 1e-14);
  EXPECT_NEAR(normal_quantile(0.5), 0, 1e-15);
  EXPECT_NEAR(normal_quantile(1e-9), -5.997807015008182, 1e-9);
  EXPECT_THROW(normal_quantile(0), std::invalid_argument);
  EXPECT_THROW(normal_quantile(1), std::invalid_argument);
}

TEST(Wilson, KnownValues) {
  const Proportion half = wilson(5, 10);
  EXPECT_DOUBLE_EQ(half.value, 0.5);
  EXPECT_NEAR(half.low, 0.236593, 1e-6);
  EXPECT_NEAR(half.high, 0.763407, 1e-6);
  EXPECT_EQ(half.count, 5);
  EXPECT_EQ(half.n, 10);
  // Solves (p - 81/263)^2 = z^2 p (1 - p) / 263 at both ends (Newcombe, Stat. Med. 1998, table I).
  const Proportion newcombe = wilson(81, 263);
  EXPECT_NEAR(newcombe.low, 0.2553, 5e-5);
  EXPECT_NEAR(newcombe.high, 0.3662, 5e-5);
}

TEST(Wilson, EndsAreExactAndNeverOfZeroWidth) {
  const Proportion none = wilson(0, 10);
  const double z2 = std::pow(normal_quantile(0.975), 2);
  EXPECT_EQ(none.low, 0);
  EXPECT_NEAR(none.high, z2 / (10 + z2), 1e-15);
  const Proportion all = wilson(10, 10);
  EXPECT_EQ(all.high, 1);
  EXPECT_NEAR(all.low, 10 / (10 + z2), 1e-15);
}

TEST(Intervals, NoTrialsKnowNothing) {
  for (const Proportion& p : {wilson(0, 0), clopper_pearson(0, 0)}) {
    EXPECT_EQ(p.value, 0);
    EXPECT_EQ(p.low, 0);
    EXPECT_EQ(p.high, 1);
  }
}

TEST(ClopperPearson, KnownValues) {
  const Proportion half = clopper_pearson(5, 10);
  EXPECT_NEAR(half.low, 0.187086, 1e-6);
  EXPECT_NEAR(half.high, 0.812914, 1e-6);
  const Proportion none = clopper_pearson(0, 1000);
  EXPECT_EQ(none.low, 0);
  EXPECT_NEAR(none.high, 1 - std::pow(0.025, 1.0 / 1000), 1e-12);
  EXPECT_EQ(clopper_pearson(1000, 1000).high, 1);
}

TEST(ClopperPearson, TailsHoldHalfOfAlpha) {
  for (int count = 1; count < 30; ++count) {
    const Proportion p = clopper_pearson(count, 30, 0.99);
    double above = 0;
    double below = 0;
    for (int k = count; k <= 30; ++k) above += binomial(30, k, p.low);
    for (int k = 0; k <= count; ++k) below += binomial(30, k, p.high);
    EXPECT_NEAR(above, 0.005, 1e-9);
    EXPECT_NEAR(below, 0.005, 1e-9);
  }
}

TEST(ClopperPearson, CoversAtLeastItsConfidence) {
  for (const double truth : {0.001, 0.03, 0.2, 0.5, 0.9}) {
    double covered = 0;
    for (int count = 0; count <= 200; ++count) {
      const Proportion p = clopper_pearson(count, 200);
      if (p.low <= truth && truth <= p.high) covered += binomial(200, count, truth);
    }
    EXPECT_GE(covered, 0.95) << truth;
  }
}

TEST(Intervals, RefuseImpossibleCounts) {
  EXPECT_THROW(wilson(-1, 10), std::invalid_argument);
  EXPECT_THROW(wilson(11, 10), std::invalid_argument);
  EXPECT_THROW(clopper_pearson(1, 10, 1.0), std::invalid_argument);
}

TEST(McNemar, ExactBinomialTails) {
  EXPECT_EQ(mcnemar_exact(0, 0), 1);
  EXPECT_EQ(mcnemar_exact(4, 4), 1);
  EXPECT_NEAR(mcnemar_exact(1, 9), 2 * 11 / 1024.0, 1e-15);
  EXPECT_NEAR(mcnemar_exact(0, 6), 2 / 64.0, 1e-15);
  EXPECT_EQ(mcnemar_exact(3, 12), mcnemar_exact(12, 3));
  EXPECT_NEAR(mcnemar_exact(900, 1100), 8.4e-6, 0.5e-6);  // large counts do not underflow
}

// Leveugle et al., DATE 2009.
TEST(SampleSize, PublishedSizes) {
  const double infinite = std::numeric_limits<double>::infinity();
  EXPECT_EQ(sample_size(infinite, 0.05, 0.95), 385);
  EXPECT_EQ(sample_size(infinite, 0.01, 0.95), 9604);
  EXPECT_EQ(sample_size(infinite, 0.01, 0.99), 16588);
  EXPECT_EQ(sample_size(1e12, 0.01, 0.95), 9604);
}

TEST(SampleSize, FinitePopulations) {
  EXPECT_EQ(sample_size(100, 0.05, 0.95), 80);
  EXPECT_EQ(sample_size(1, 0.05, 0.95), 1);
  EXPECT_LE(sample_size(1000, 1e-6, 0.999), 1000);
  EXPECT_LT(sample_size(1e9, 0.01, 0.95, 0.1), sample_size(1e9, 0.01, 0.95, 0.5));
  EXPECT_THROW(sample_size(100, 0, 0.95), std::invalid_argument);
}

}  // namespace
}  // namespace sagitta
