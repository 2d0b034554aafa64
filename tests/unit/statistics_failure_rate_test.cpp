#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "statistics/failure_rate.h"

namespace sagitta {
namespace {

constexpr Proportion kAvf{0.1, 0.08, 0.125, 100, 1000};

TEST(FailureRate, FitIsRateTimesBitsTimesAvf) {
  // 1,000 FIT per megabit on 2 Mbit, a tenth of which do harm.
  const Figure f = fit(1e-3, 2e6, kAvf);
  EXPECT_NEAR(f.value, 200, 1e-9);
  EXPECT_NEAR(f.low, 160, 1e-9);
  EXPECT_NEAR(f.high, 250, 1e-9);
}

// 1,000 years are about 114 FIT (S. Mukherjee et al., MICRO 2003).
TEST(FailureRate, MeanTimeToFailure) {
  constexpr double kHoursPerYear = 24 * 365;
  const Figure years = mttf_hours({114.155, 100, 125});
  EXPECT_NEAR(years.value / kHoursPerYear, 1000, 0.01);
  EXPECT_DOUBLE_EQ(years.low, 8e6);
  EXPECT_DOUBLE_EQ(years.high, 1e7);
  EXPECT_TRUE(std::isinf(mttf_hours({0, 0, 1}).value));
}

// A machine with twice the bits and half the share fails as often.
TEST(FailureRate, AbsoluteFailuresRankMachines) {
  const Figure small = absolute_failures(1e6, 5e4, kAvf);
  EXPECT_NEAR(small.value, 5e9, 1);
  EXPECT_NEAR(small.low, 4e9, 1);
  EXPECT_NEAR(small.high, 6.25e9, 1);
  EXPECT_NEAR(absolute_failures(2e6, 5e4, {0.05, 0.04, 0.0625, 50, 1000}).value, small.value, 1);
}

TEST(FailureRate, RefusesNegativeSizes) {
  EXPECT_THROW(fit(-1, 1, kAvf), std::invalid_argument);
  EXPECT_THROW(fit(1, -1, kAvf), std::invalid_argument);
  EXPECT_THROW(absolute_failures(1, std::nan(""), kAvf), std::invalid_argument);
}

}  // namespace
}  // namespace sagitta
