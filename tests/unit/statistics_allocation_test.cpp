#include "statistics/allocation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <stdexcept>
#include <vector>

namespace sagitta {
namespace {

using Trials = std::vector<std::int64_t>;

double variance(const std::vector<StratumPlan>& strata, const Trials& trials) {
  double sum = 0;
  for (std::size_t h = 0; h < strata.size(); ++h) {
    sum += std::pow(strata[h].weight * strata[h].deviation, 2) / static_cast<double>(trials[h]);
  }
  return sum;
}

TEST(PilotDeviation, IsThatOfJeffreysMean) {
  EXPECT_NEAR(pilot_deviation(0, 0), 0.5, 1e-15);  // nothing known: the worst case
  EXPECT_NEAR(pilot_deviation(0, 9), std::sqrt(0.05 * 0.95), 1e-15);
  EXPECT_NEAR(pilot_deviation(9, 9), std::sqrt(0.95 * 0.05), 1e-15);
  EXPECT_NEAR(pilot_deviation(2, 4), 0.5, 1e-15);
  EXPECT_THROW(pilot_deviation(2, 1), std::invalid_argument);
}

TEST(NeymanAllocation, IsProportionalToWeightTimesDeviation) {
  // 0.05 : 0.06 : 0.08 of 190.
  EXPECT_EQ(neyman_allocation({{0.5, 1000, 0.1}, {0.3, 1000, 0.2}, {0.2, 1000, 0.4}}, 190, 1),
            (Trials{50, 60, 80}));
}

TEST(NeymanAllocation, FloorsAndPopulationsBound) {
  // The small stratum is taken whole, the harmless one has its floor, the rest goes 1 : 3.
  EXPECT_EQ(neyman_allocation({{0.1, 4, 0.5}, {0.1, 1000, 0}, {0.2, 1000, 0.5}, {0.6, 1000, 0.5}},
                              414, 10),
            (Trials{4, 10, 100, 300}));
  EXPECT_EQ(neyman_allocation({{0.5, 3, 0.1}, {0.5, 7, 0.4}}, 10, 2), (Trials{3, 7}));
  EXPECT_EQ(neyman_allocation({{0.5, 0, 0.1}, {0.5, 7, 0.4}}, 5, 2), (Trials{0, 5}));
  EXPECT_EQ(neyman_allocation({{0, 100, 0.1}, {0, 100, 0.4}}, 5, 1), (Trials{4, 1}));
}

TEST(NeymanAllocation, TiesGoToTheFirst) {
  EXPECT_EQ(neyman_allocation(std::vector<StratumPlan>(3, {1.0 / 3, 100, 0.5}), 8, 1),
            (Trials{3, 3, 2}));
}

TEST(NeymanAllocation, NoOtherWholeNumbersAreBetter) {
  const std::vector<StratumPlan> strata{
      {0.5, 9, 0.11}, {0.3, 30, 0.23}, {0.15, 5, 0.5}, {0.05, 30, 0.4}};
  for (std::int64_t n = 8; n <= 30; ++n) {
    const Trials trials = neyman_allocation(strata, n, 2);
    ASSERT_EQ(std::accumulate(trials.begin(), trials.end(), std::int64_t{0}), n);
    double least = 1e300;
    for (std::int64_t a = 2; a <= 9; ++a) {
      for (std::int64_t b = 2; b <= 30; ++b) {
        for (std::int64_t c = 2; c <= 5; ++c) {
          const std::int64_t d = n - a - b - c;
          if (d >= 2 && d <= 30) least = std::min(least, variance(strata, {a, b, c, d}));
        }
      }
    }
    EXPECT_NEAR(variance(strata, trials), least, 1e-15) << n;
  }
}

TEST(NeymanAllocation, APilotWithoutEventsKeepsItsStratum) {
  const Trials trials = neyman_allocation(
      {{0.9, 1'000'000, pilot_deviation(0, 50)}, {0.1, 1'000'000, pilot_deviation(25, 50)}}, 1000,
      1);
  // sqrt(0.5 x 50.5) / 51 = 0.0985 against 1/2: 0.0887 : 0.05.
  EXPECT_EQ(trials, (Trials{639, 361}));
}

TEST(NeymanAllocation, RefusesWhatCannotBe) {
  const std::vector<StratumPlan> strata{{0.5, 10, 0.1}, {0.5, 3, 0.4}};
  EXPECT_THROW(neyman_allocation(strata, 7, 5), std::invalid_argument);
  EXPECT_THROW(neyman_allocation(strata, 14, 1), std::invalid_argument);
  EXPECT_THROW(neyman_allocation(strata, 5, 0), std::invalid_argument);
  EXPECT_THROW(neyman_allocation({{-0.5, 10, 0.1}}, 5, 1), std::invalid_argument);
}

}  // namespace
}  // namespace sagitta
