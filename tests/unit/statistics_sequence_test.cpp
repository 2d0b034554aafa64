#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <functional>
#include <stdexcept>
#include <vector>

#include "base/interval.h"
#include "base/philox.h"
#include "statistics/confidence_sequence.h"

namespace sagitta {
namespace {

// r = planned / 7.932..: `planned` for r = 1 at 95 % and at 99 %.
const double kOne95 = 2 * std::log(20) + std::log(1 + 2 * std::log(20));
const double kOne99 = 2 * std::log(100) + std::log(1 + 2 * std::log(100));

// With r = 1 and p = 1/2 the mixture is Beta(1/2, 1/2), the arcsine law: B(k + 1/2, n - k + 1/2) /
// pi are 35/128 for 0 of 4, 231/1024 for 0 of 6, 429/2048 for 0 of 7.
TEST(ConfidenceSequence, ArcsineLaw) {
  EXPECT_TRUE(sequence_holds(0, 4, kOne95, 0.5));   // 35/128 x 16 = 4.4 < 20
  EXPECT_TRUE(sequence_holds(0, 6, kOne95, 0.5));   // 231/1024 x 64 = 14.4
  EXPECT_FALSE(sequence_holds(0, 7, kOne95, 0.5));  // 429/2048 x 128 = 26.8
  EXPECT_TRUE(sequence_holds(7, 7, kOne99, 0.5, 0.99));
}

// Without events and r = 1 after one trial: (1 - p) / (1 - p) = 1, nothing is excluded; after two,
// B(p, 3 - p) / B(p, 1 - p) = (2 - p) (1 - p) / 2, over (1 - p)^2: (2 - p) / (2 - 2p) = 20 at the
// end.
TEST(ConfidenceSequence, ClosedForms) {
  EXPECT_NEAR(confidence_sequence(0, 2, kOne95).high, 38.0 / 39, 1e-9);
  EXPECT_NEAR(confidence_sequence(2, 2, kOne95).low, 1.0 / 39, 1e-9);
  EXPECT_NEAR(confidence_sequence(0, 2, kOne99, 0.99).high, 198.0 / 199, 1e-9);
  EXPECT_EQ(confidence_sequence(0, 2, kOne95).low, 0);
  EXPECT_EQ(confidence_sequence(2, 2, kOne95).high, 1);
  // One event excludes no small p: the mixture gives it r / (r + n - 1) of its chance at most.
  EXPECT_EQ(confidence_sequence(1, 1000, 1000).low, 0);
  EXPECT_EQ(confidence_sequence(999, 1000, 1000).high, 1);
  EXPECT_GT(confidence_sequence(2, 1000, 1000).low, 0);
  EXPECT_EQ(confidence_sequence(0, 0, 100).high, 1);
}

TEST(ConfidenceSequence, HoldsWhatLiesBetweenItsEnds) {
  for (const std::int64_t n : {9, 400, 1'000'000}) {
    for (const std::int64_t count : {std::int64_t{0}, std::int64_t{2}, n / 5, n / 2, n}) {
      const Proportion e = confidence_sequence(count, n, 5000);
      for (int i = 1; i < 1000; ++i) {
        const double p = i / 1000.0;
        EXPECT_EQ(sequence_holds(count, n, 5000, p), e.low <= p && p <= e.high)
            << count << ' ' << n << ' ' << p;
      }
    }
  }
}

// The normal limit: at p = 1/2 and where it is planned for, the width is what sequence_size says.
TEST(ConfidenceSequence, IsAsWideAsPlanned) {
  for (const double confidence : {0.95, 0.99}) {
    const double planned = sequence_size(0.01, confidence);
    const auto n = static_cast<std::int64_t>(planned);
    const Proportion e = confidence_sequence(n / 2, n, planned, confidence);
    EXPECT_NEAR((e.high - e.low) / 2, 0.01, 2e-5);
    // A sequence that was planned for fewer or more is valid and hardly wider.
    for (const double factor : {0.25, 4.0}) {
      const Proportion other = confidence_sequence(n / 2, n, factor * planned, confidence);
      EXPECT_GT(other.high - other.low, e.high - e.low);
      EXPECT_LT(other.high - other.low, 1.15 * (e.high - e.low));
    }
    EXPECT_LT(planned, 2.6 * 0.25 * std::pow(normal_quantile(0.5 + confidence / 2) / 0.01, 2));
  }
  EXPECT_NEAR(sequence_size(0.01, 0.95, 0.1), 0.36 * sequence_size(0.01, 0.95), 1);
}

TEST(ConfidenceSequence, RefusesImpossibleCounts) {
  EXPECT_THROW(confidence_sequence(2, 1, 10), std::invalid_argument);
  EXPECT_THROW(confidence_sequence(1, 2, 10, 1), std::invalid_argument);
  EXPECT_THROW(confidence_sequence(1, 2, 0), std::invalid_argument);
  EXPECT_THROW(sequence_holds(-1, 2, 10, 0.5), std::invalid_argument);
  EXPECT_THROW(sequence_holds(1, 2, 10, 0), std::invalid_argument);
  EXPECT_THROW(sequence_size(0, 0.95), std::invalid_argument);
}

// An interval as a set: whether that of `count` in `n` holds the truth.
using Holds = std::function<bool(std::int64_t count, std::int64_t n)>;

// The counts whose interval holds the truth, after 1, 2, .. trials: a range, which moves upwards.
std::vector<std::pair<std::int64_t, std::int64_t>> held_counts(const Holds& holds, int peeks) {
  std::vector<std::pair<std::int64_t, std::int64_t>> held;
  std::int64_t first = 0;
  std::int64_t last = 0;
  for (std::int64_t n = 1; n <= peeks; ++n) {
    while (first <= n && !holds(first, n)) ++first;
    last = std::max(last, first - 1);
    while (last < n && holds(last + 1, n)) ++last;
    held.emplace_back(first, last);
  }
  return held;
}

// The probability that an interval that is looked at after every trial ever excludes the truth p:
// the probability that walks leave the held counts, added up over all walks, without simulation.
double ever_excludes(const Holds& holds, double p, int peeks) {
  std::vector<double> chance{1};  // of a walk that was never excluded, by count from `first` on
  std::int64_t first = 0;
  for (const auto& [from, to] : held_counts(holds, peeks)) {
    std::vector<double> next(static_cast<std::size_t>(std::max<std::int64_t>(0, to - from + 1)));
    const auto add = [&](std::int64_t count, double c) {
      if (from <= count && count <= to) next[static_cast<std::size_t>(count - from)] += c;
    };
    for (std::size_t i = 0; i < chance.size(); ++i) {
      const std::int64_t count = first + static_cast<std::int64_t>(i);
      add(count, (1 - p) * chance[i]);
      add(count + 1, p * chance[i]);
    }
    chance = std::move(next);
    first = from;
  }
  double never = 0;
  for (const double c : chance) never += c;
  return 1 - never;
}

constexpr int kPeeks = 100'000;
constexpr double kPlanned = 10'000;

Holds sequence(double p) {
  return [p](std::int64_t count, std::int64_t n) { return sequence_holds(count, n, kPlanned, p); };
}

Holds peeked_wilson(double p) {
  return [p](std::int64_t count, std::int64_t n) {
    const Proportion w = wilson(count, n);
    return w.low <= p && p <= w.high;
  };
}

TEST(EverExcludes, HandCounts) {
  // Held while the count is at most 1: of two trials only (1, 1) leaves.
  const Holds at_most_one = [](std::int64_t count, std::int64_t) { return count <= 1; };
  EXPECT_NEAR(ever_excludes(at_most_one, 0.3, 2), 0.09, 1e-15);
  EXPECT_NEAR(ever_excludes(at_most_one, 0.3, 3), 0.09 + 2 * 0.09 * 0.7, 1e-15);
}

TEST(ConfidenceSequence, NeverExcludesTheTruthWithItsConfidence) {
  for (const double p : {1e-4, 0.003, 0.05, 0.5}) {
    const double ever = ever_excludes(sequence(p), p, kPeeks);
    std::printf("p = %.4f: ever excluded %.4f\n", p, ever);
    EXPECT_LE(ever, 0.05) << p;
    EXPECT_GE(ever, p < 0.003 ? 0 : 0.02) << p;  // ... and not by being far too wide
  }
}

// Which shows what peeking does, and that the test above can fail.
TEST(ConfidenceSequence, PeekingAtWilsonExcludesTheTruth) {
  for (const double p : {0.003, 0.05, 0.5}) {
    const double ever = ever_excludes(peeked_wilson(p), p, kPeeks);
    std::printf("p = %.4f: Wilson ever excluded %.4f\n", p, ever);
    EXPECT_GT(ever, 0.5) << p;
  }
}

// The same by walks that are drawn, as a campaign would.
TEST(ConfidenceSequence, SimulatedWalksStayWithin) {
  constexpr double kP = 0.05;
  constexpr int kWalks = 300;
  const auto held = held_counts(sequence(kP), kPeeks);
  const auto held_by_wilson = held_counts(peeked_wilson(kP), kPeeks);
  int excluded = 0;
  int excluded_by_wilson = 0;
  for (std::uint64_t walk = 0; walk < kWalks; ++walk) {
    Stream stream(1, walk, Purpose::test);
    std::int64_t count = 0;
    bool out = false;
    bool out_of_wilson = false;
    for (std::size_t i = 0; i < kPeeks; ++i) {
      count += stream.unit() < kP ? 1 : 0;
      out = out || count < held[i].first || count > held[i].second;
      out_of_wilson =
          out_of_wilson || count < held_by_wilson[i].first || count > held_by_wilson[i].second;
    }
    excluded += out ? 1 : 0;
    excluded_by_wilson += out_of_wilson ? 1 : 0;
  }
  EXPECT_LE(excluded, 0.05 * kWalks);
  EXPECT_GT(excluded_by_wilson, 0.5 * kWalks);
}

}  // namespace
}  // namespace sagitta
