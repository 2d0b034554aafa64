// An interval for a proportion whose trials come in clusters: all trials on one image share what
// that image is sensitive to, and count for less than as many independent ones.
#pragma once

#include <cstdint>
#include <vector>

namespace sagitta {

struct Cluster {
  std::int64_t count = 0;  // events among its trials
  std::int64_t n = 0;      // trials; a cluster without any says nothing
};

struct ClusterEstimate {
  double value = 0;  // events over trials, of all clusters
  double low = 0;
  double high = 1;
  std::int64_t count = 0;
  std::int64_t n = 0;
  std::int64_t clusters = 0;  // that have trials
  // Variance of `value` over that of n independent trials; 1 when nothing varies.
  double design_effect = 1;
};

// Resamples whole clusters (A. Davison and D. Hinkley, Bootstrap Methods, 1997, 3.8), by their
// totals, and takes the bias-corrected and accelerated interval (BCa; B. Efron, JASA 82, 1987) of
// the ratio of totals. Replicate r draws from the Philox stream (seed, r, bootstrap), so the result
// depends on the clusters, seed and number of replicates alone, not on the order of the clusters.
//
// Resampling cannot show what was not seen, hence two guards: the interval is never narrower than
// Wilson's over the trials, since trials on one image don't avoid each other's outcomes; and
// without events, or with nothing else, it is Wilson's with each cluster as one trial. It takes 30
// clusters and 20 events or so to be trusted.
//
// Throws std::invalid_argument: a count out of 0..n, fewer than 100 replicates.
ClusterEstimate cluster_bootstrap(std::vector<Cluster> clusters, std::uint64_t seed,
                                  int replicates = 10'000, double confidence = 0.95);

}  // namespace sagitta
