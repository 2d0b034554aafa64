#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <vector>

#include "base/interval.h"
#include "base/philox.h"
#include "statistics/cluster_bootstrap.h"

namespace sagitta {
namespace {

// Images of `trials` trials each: of some all end in the event, of the others none.
std::vector<Cluster> all_or_nothing(int clusters, int with_events, std::int64_t trials) {
  std::vector<Cluster> all(static_cast<std::size_t>(clusters), {0, trials});
  for (int i = 0; i < with_events; ++i) all[static_cast<std::size_t>(i)].count = trials;
  return all;
}

TEST(ClusterBootstrap, DependsOnClustersAndSeedAlone) {
  std::vector<Cluster> clusters;
  for (std::int64_t i = 0; i < 60; ++i) clusters.push_back({i % 7 == 0 ? 3 : i % 2, 3 + i % 5});
  const ClusterEstimate e = cluster_bootstrap(clusters, 5, 1000);
  std::reverse(clusters.begin(), clusters.end());
  std::swap(clusters[3], clusters[31]);
  const ClusterEstimate shuffled = cluster_bootstrap(clusters, 5, 1000);
  EXPECT_EQ(e.low, shuffled.low);
  EXPECT_EQ(e.high, shuffled.high);
  EXPECT_EQ(e.design_effect, shuffled.design_effect);
  EXPECT_NE(e.design_effect, cluster_bootstrap(clusters, 6, 1000).design_effect);
}

// Efron's BCa where everything has a closed form: 40 of 400 clusters, so replicates are binomial
// and the skewness is that of 0 and 1: z0 = 0.02206, a = (1 - 2p) / (6 sqrt(C p q)) = 0.02222, ends
// the quantiles 0.03319 and 0.98193 of Binomial(400, 0.1) / 400. (The plain percentiles 0.025 and
// 0.975 are 29 and 52.)
TEST(ClusterBootstrap, IsTheBcaInterval) {
  const ClusterEstimate e = cluster_bootstrap(all_or_nothing(400, 40, 8), 1, 40'000);
  EXPECT_DOUBLE_EQ(e.value, 0.1);
  EXPECT_DOUBLE_EQ(e.low, 29 / 400.0);
  EXPECT_DOUBLE_EQ(e.high, 53 / 400.0);
  EXPECT_EQ(e.count, 320);
  EXPECT_EQ(e.n, 3200);
  EXPECT_EQ(e.clusters, 400);
  // Eight like trials are worth one.
  EXPECT_NEAR(e.design_effect, 8, 0.25);
  // 5 of 150 at 80 %: z0 = 0.06709, a = 0.07076, quantiles 0.14657 and 0.94038.
  const ClusterEstimate skewed = cluster_bootstrap(all_or_nothing(150, 5, 8), 1, 40'000, 0.8);
  EXPECT_DOUBLE_EQ(skewed.low, 3 / 150.0);
  EXPECT_DOUBLE_EQ(skewed.high, 9 / 150.0);
}

TEST(ClusterBootstrap, OfSingleTrialsHasNoDesignEffect) {
  const ClusterEstimate e = cluster_bootstrap(all_or_nothing(500, 100, 1), 2);
  EXPECT_NEAR(e.design_effect, 1, 0.06);
}

TEST(ClusterBootstrap, IsNeverNarrowerThanWilson) {
  // Every image has the same share, so that resampling sees no variation at all.
  const ClusterEstimate e = cluster_bootstrap(std::vector<Cluster>(50, {2, 10}), 1, 200);
  const Proportion independent = wilson(100, 500);
  EXPECT_EQ(e.low, independent.low);
  EXPECT_EQ(e.high, independent.high);
  EXPECT_NEAR(e.design_effect, 0, 1e-9);
  // Nor where the images have unlike numbers of trials: what is resampled are both totals.
  std::vector<Cluster> unlike(25, {2, 10});
  unlike.insert(unlike.end(), 25, {6, 30});
  EXPECT_NEAR(cluster_bootstrap(unlike, 1, 200).design_effect, 0, 1e-9);
}

TEST(ClusterBootstrap, WithoutEventsACaseIsACluster) {
  const ClusterEstimate none = cluster_bootstrap(all_or_nothing(100, 0, 20), 1);
  EXPECT_EQ(none.low, 0);
  EXPECT_EQ(none.high, wilson(0, 100).high);
  const ClusterEstimate all = cluster_bootstrap(all_or_nothing(100, 100, 20), 1);
  EXPECT_EQ(all.low, wilson(100, 100).low);
  EXPECT_EQ(all.high, 1);
}

TEST(ClusterBootstrap, EmptyClustersSayNothing) {
  std::vector<Cluster> clusters = all_or_nothing(40, 9, 5);
  const ClusterEstimate e = cluster_bootstrap(clusters, 3, 500);
  clusters.insert(clusters.begin() + 5, 30, Cluster{0, 0});
  const ClusterEstimate padded = cluster_bootstrap(clusters, 3, 500);
  EXPECT_EQ(padded.low, e.low);
  EXPECT_EQ(padded.high, e.high);
  EXPECT_EQ(padded.clusters, 40);
  EXPECT_EQ(cluster_bootstrap({{0, 0}}, 1).high, 1);
}

TEST(ClusterBootstrap, CostsByClustersNotByTrials) {
  const ClusterEstimate e = cluster_bootstrap(all_or_nothing(1000, 100, 1'000'000'000'000), 1);
  EXPECT_NEAR(e.low, 0.1 - 0.018, 0.002);
  EXPECT_NEAR(e.high, 0.1 + 0.02, 0.002);
}

TEST(ClusterBootstrap, RefusesImpossibleCounts) {
  EXPECT_THROW(cluster_bootstrap({{2, 1}}, 1), std::invalid_argument);
  EXPECT_THROW(cluster_bootstrap({{-1, 1}}, 1), std::invalid_argument);
  EXPECT_THROW(cluster_bootstrap({{1, 2}}, 1, 99), std::invalid_argument);
}

// A fifth of the images are sensitive; on those 40 % of the trials do harm.
TEST(ClusterBootstrap, CoversWhereWilsonDoesNot) {
  constexpr int kSamples = 500;
  constexpr int kClusters = 100;
  constexpr double kTruth = 0.2 * 0.4;
  int covered = 0;
  int wilson_covered = 0;
  for (std::uint64_t sample = 0; sample < kSamples; ++sample) {
    Stream stream(1, sample, Purpose::test);
    std::vector<Cluster> clusters(kClusters, {0, 10});
    std::int64_t events = 0;
    for (Cluster& c : clusters) {
      if (stream.unit() >= 0.2) continue;
      for (int i = 0; i < c.n; ++i) c.count += stream.unit() < 0.4 ? 1 : 0;
      events += c.count;
    }
    const ClusterEstimate e = cluster_bootstrap(clusters, sample, 1000);
    covered += e.low <= kTruth && kTruth <= e.high ? 1 : 0;
    const Proportion w = wilson(events, 10 * kClusters);
    wilson_covered += w.low <= kTruth && kTruth <= w.high ? 1 : 0;
  }
  std::printf("bootstrap %.3f, Wilson %.3f\n", covered / double{kSamples},
              wilson_covered / double{kSamples});
  EXPECT_GE(covered, 0.93 * kSamples);  // a standard error of 1 %
  EXPECT_LT(wilson_covered, 0.85 * kSamples);
}

}  // namespace
}  // namespace sagitta
