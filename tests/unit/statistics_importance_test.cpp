#include "statistics/importance.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <vector>

#include "base/philox.h"

namespace sagitta {
namespace {

std::vector<WeightedTrials> trials_of(int n, int events, double weight = 1) {
  std::vector<WeightedTrials> trials(static_cast<std::size_t>(n), {weight, 0});
  for (int i = 0; i < events; ++i) trials[static_cast<std::size_t>(i)].events = 1;
  return trials;
}

// Down syndrome among later children in Michigan, the example of M. Fay and E. Feuer (1997); to
// seven figures in the vignette of the R package dsrTest (method "gamma").
TEST(ImportanceEstimate, IsThePublishedGammaInterval) {
  const std::vector<int> cases{0, 8, 63, 112, 262, 295};
  const std::vector<double> births{327, 30'666, 123'419, 149'919, 104'088, 34'392};
  const std::vector<double> standard{319'933, 931'318, 786'511, 488'235, 237'863, 61'313};
  double population = 0;
  for (const double s : standard) population += s;
  constexpr double kCases = 740;  // a trial is a case here, so that the mean is the sum of weights
  std::vector<WeightedTrials> trials;
  double most = 0;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const double weight = kCases * standard[i] / (births[i] * population);
    most = std::max(most, weight);
    trials.insert(trials.end(), static_cast<std::size_t>(cases[i]), {weight, true});
  }
  const ImportanceEstimate e = importance_estimate(trials, most);
  EXPECT_NEAR(e.value, 75.52901e-5, 5e-11);
  EXPECT_NEAR(e.low, 67.70212e-5, 5e-11);
  EXPECT_NEAR(e.high, 188.30017e-5, 5e-11);
}

// With weights of 1 it is F. Garwood's interval (Biometrika 28, 1936): 4.795 to 18.390 for 10.
TEST(ImportanceEstimate, WithoutWeightsIsTheExactPoissonInterval) {
  const ImportanceEstimate e = importance_estimate(trials_of(1000, 10), 1);
  EXPECT_NEAR(e.low, 4.795389e-3, 1e-9);
  EXPECT_NEAR(e.high, 18.390356e-3, 1e-9);
  EXPECT_EQ(e.value, 0.01);
  EXPECT_EQ(e.count, 10);
  EXPECT_EQ(e.n, 1000);
}

TEST(ImportanceEstimate, WithoutEventsTheHeaviestMayHaveBeenMissed) {
  const ImportanceEstimate e = importance_estimate(trials_of(1000, 0, 0.1), 4);
  EXPECT_EQ(e.value, 0);
  EXPECT_EQ(e.low, 0);
  EXPECT_NEAR(e.high, -std::log(0.025) * 4 / 1000, 1e-12);
  EXPECT_EQ(importance_estimate({}, 1).high, 1);
}

TEST(ImportanceEstimate, BothEstimatesAndKishsSize) {
  const ImportanceEstimate e =
      importance_estimate({{3, true}, {1, false}, {0.5, true}, {0, false}, {0.5, false}}, 3);
  EXPECT_DOUBLE_EQ(e.value, 3.5 / 5);
  EXPECT_DOUBLE_EQ(e.self_normalised, 3.5 / 5);
  EXPECT_DOUBLE_EQ(e.mean_weight, 1);
  EXPECT_DOUBLE_EQ(e.effective_size, 25 / 10.5);
  const ImportanceEstimate doubled =
      importance_estimate({{6, true}, {2, false}, {1, true}, {0, false}, {1, false}}, 6);
  EXPECT_DOUBLE_EQ(doubled.value, 1.4);
  EXPECT_DOUBLE_EQ(doubled.self_normalised, 0.7);
  EXPECT_EQ(importance_estimate(trials_of(8, 1), 1).effective_size, 8);
}

TEST(ImportanceEstimate, RefusesImpossibleWeights) {
  EXPECT_THROW(importance_estimate({{2, false}}, 1), std::invalid_argument);
  EXPECT_THROW(importance_estimate({{-1, false}}, 1), std::invalid_argument);
  EXPECT_THROW(importance_estimate({}, 0), std::invalid_argument);
  EXPECT_THROW(importance_estimate({}, 1, 0), std::invalid_argument);
}

// Control registers are 8 % of the bits and do most of the harm: half of the trials strike them.
TEST(ImportanceEstimate, CoversAndIsUnbiased) {
  struct Design {
    double control_p, other_p;
  };
  for (const Design d : {Design{0.1, 1e-3}, Design{0.02, 1e-4}, Design{1e-3, 1e-2}}) {
    constexpr double kShare = 0.08;
    constexpr double kDrawn = 0.5;
    constexpr double kControl = kShare / kDrawn;
    constexpr double kOther = (1 - kShare) / (1 - kDrawn);
    const double truth = kShare * d.control_p + (1 - kShare) * d.other_p;
    constexpr int kSamples = 2000;
    constexpr int kTrials = 500;
    int covered = 0;
    double sum = 0;
    double squares = 0;
    std::vector<WeightedTrials> trials(kTrials);
    for (std::uint64_t sample = 0; sample < kSamples; ++sample) {
      Stream stream(1, sample, Purpose::test);
      for (WeightedTrials& t : trials) {
        const bool control = stream.unit() < kDrawn;
        t.weight = control ? kControl : kOther;
        t.events = stream.unit() < (control ? d.control_p : d.other_p) ? 1 : 0;
      }
      const ImportanceEstimate e = importance_estimate(trials, kOther);
      covered += e.low <= truth && truth <= e.high ? 1 : 0;
      sum += e.value;
      squares += e.value * e.value;
    }
    EXPECT_GE(covered, 0.94 * kSamples) << d.control_p;
    const double mean = sum / kSamples;
    EXPECT_NEAR(mean, truth, 4 * std::sqrt((squares / kSamples - mean * mean) / kSamples));
    std::printf("control %.0e, other %.0e: covered %.4f\n", d.control_p, d.other_p,
                static_cast<double>(covered) / kSamples);
  }
}

}  // namespace
}  // namespace sagitta
