#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <vector>

#include "base/interval.h"
#include "statistics/paired.h"

namespace sagitta {
namespace {

TEST(PairedDifference, PublishedIntervals) {
  // T. Tango, Stat. Med. 17 (1998): 44 crossover pairs with soft contact lenses, at 90 %.
  const PairedDifference lenses = paired_difference(0, 1, 44, 0.9);
  EXPECT_NEAR(lenses.low, -0.096, 5e-4);
  EXPECT_NEAR(lenses.high, 0.037, 5e-4);
  // M. Fagerland, S. Lydersen, P. Laake, Stat. Med. 33 (2014), tables II and V.
  const PairedDifference airways = paired_difference(1, 7, 21);
  EXPECT_NEAR(airways.value, -6.0 / 21, 1e-15);
  EXPECT_NEAR(airways.low, -0.517, 5e-4);
  EXPECT_NEAR(airways.high, -0.026, 5e-4);
  // The same authors' Statistical Analysis of Contingency Tables (2017), chapter 8, second example.
  const PairedDifference therapy = paired_difference(6, 16, 161);
  EXPECT_NEAR(therapy.value, -0.0621, 5e-5);
  EXPECT_NEAR(therapy.low, -0.1240, 5e-5);
  EXPECT_NEAR(therapy.high, -0.0054, 5e-5);
}

TEST(PairedDifference, HasWidthWithoutDiscordantPairs) {
  const double z2 = std::pow(normal_quantile(0.975), 2);
  const PairedDifference none = paired_difference(0, 0, 100);
  EXPECT_EQ(none.value, 0);
  EXPECT_NEAR(none.high, z2 / (100 + z2), 1e-12);
  EXPECT_NEAR(none.low, -z2 / (100 + z2), 1e-12);
  EXPECT_EQ(paired_difference(0, 0, 0).high, 1);
}

TEST(PairedDifference, Ends) {
  const PairedDifference all = paired_difference(20, 0, 20);
  EXPECT_EQ(all.high, 1);
  EXPECT_GT(all.low, 0.5);
  EXPECT_LT(all.low, 1);
  const PairedDifference a = paired_difference(12, 5, 60);
  const PairedDifference b = paired_difference(5, 12, 60);
  EXPECT_NEAR(a.low, -b.high, 1e-12);
  EXPECT_NEAR(a.high, -b.low, 1e-12);
}

// It excludes 0 where McNemar's asymptotic test, (b - c)^2 / (b + c) > z^2, rejects.
TEST(PairedDifference, AgreesWithMcNemar) {
  const double z2 = std::pow(normal_quantile(0.975), 2);
  for (int b = 0; b <= 30; ++b) {
    for (int c = 0; c <= 30; ++c) {
      if (b + c == 0) continue;
      const PairedDifference d = paired_difference(b, c, 100);
      EXPECT_EQ(d.low > 0 || d.high<0, (b - c) * (b - c)> z2 * (b + c)) << b << ' ' << c;
      EXPECT_LE(d.low, d.value);
      EXPECT_GE(d.high, d.value);
    }
  }
}

// Exactly: all outcomes of n pairs, by their probability.
TEST(PairedDifference, Covers) {
  constexpr int kPairs = 80;
  struct Truth {
    double first, second;  // chance of a pair with only the one event
  };
  std::vector<std::vector<PairedDifference>> intervals(kPairs + 1);
  for (int b = 0; b <= kPairs; ++b) {
    for (int c = 0; b + c <= kPairs; ++c) {
      intervals[static_cast<std::size_t>(b)].push_back(paired_difference(b, c, kPairs));
    }
  }
  for (const Truth t : {Truth{0.001, 0.001}, Truth{0.01, 0.01}, Truth{0.03, 0.01}, Truth{0.1, 0.02},
                        Truth{0.2, 0.1}, Truth{0.3, 0.3}}) {
    double covered = 0;
    for (int b = 0; b <= kPairs; ++b) {
      for (int c = 0; b + c <= kPairs; ++c) {
        const int rest = kPairs - b - c;
        const double chance =
            std::exp(std::lgamma(kPairs + 1.0) - std::lgamma(b + 1.0) - std::lgamma(c + 1.0) -
                     std::lgamma(rest + 1.0) + b * std::log(t.first) + c * std::log(t.second) +
                     rest * std::log(1 - t.first - t.second));
        const PairedDifference& d =
            intervals[static_cast<std::size_t>(b)][static_cast<std::size_t>(c)];
        const double truth = t.first - t.second;
        if (d.low <= truth && truth <= d.high) covered += chance;
      }
    }
    std::printf("%.3f %.3f: covered %.4f\n", t.first, t.second, covered);
    EXPECT_GE(covered, 0.94) << t.first << ' ' << t.second;
  }
}

TEST(PairedDifference, RefusesImpossibleCounts) {
  EXPECT_THROW(paired_difference(-1, 0, 5), std::invalid_argument);
  EXPECT_THROW(paired_difference(3, 3, 5), std::invalid_argument);
}

TEST(Holm, HandCount) {
  // Ascending: 4 x 0.005, 3 x 0.01, 2 x 0.03, then 0.04, which may not be less than those before.
  const std::vector<double> adjusted = holm({0.01, 0.04, 0.03, 0.005});
  const std::vector<double> expected{0.03, 0.06, 0.06, 0.02};
  ASSERT_EQ(adjusted.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(adjusted[i], expected[i], 1e-15) << i;
  EXPECT_EQ(holm({0.6, 0.7}), (std::vector<double>{1, 1}));
  EXPECT_EQ(holm({0.02}), (std::vector<double>{0.02}));
  EXPECT_TRUE(holm({}).empty());
  EXPECT_THROW(holm({0.5, 1.5}), std::invalid_argument);
}

}  // namespace
}  // namespace sagitta
