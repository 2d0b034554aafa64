#include "base/philox.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <stdexcept>
#include <vector>

namespace sagitta {
namespace {

// Known-answer vectors of Random123 (tests/kat_vectors, philox4x32 with 10 rounds).
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (PhiloxCounter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr std::uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (PhiloxCounter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxCounter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// C++26, [rand.predef]: the 10,000th invocation of a default-constructed std::philox4x32 (key
// 20111115, counters from 0, four words each) produces 1955073260.
TEST(Philox, StandardsTenThousandthInvocation) {
  EXPECT_EQ(philox4x32({9999 / 4, 0, 0, 0}, {20111115, 0})[9999 % 4], 1955073260U);
}

// The reproducibility contract: these values may never change.
TEST(Stream, FirstDrawsAreFixed) {
  Stream zero(0, 0, static_cast<Purpose>(0));
  EXPECT_EQ(zero.next(), 0xe169c58d6627e8d5U);  // words 1 and 0 of the first vector above
  const PhiloxCounter second = philox4x32({1, 2, 0x89abcdef, 0x01234567}, {0x76543210, 0xfedcba98});
  Stream stream(0xfedcba9876543210, 0x0123456789abcdef, Purpose::fault_site);
  stream.next();
  EXPECT_EQ(stream.next(), std::uint64_t{second[1]} << 32 | second[0]);
}

TEST(Stream, DependsOnSeedTrialAndPurposeOnly) {
  Stream a(7, 8, Purpose::image);
  Stream b(7, 8, Purpose::image);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a.next(), b.next());
  std::set<std::uint64_t> first;
  for (std::uint64_t seed : {1, 2}) {
    for (std::uint64_t trial : {1, 2}) {
      for (Purpose purpose : {Purpose::image, Purpose::fault_site}) {
        first.insert(Stream(seed, trial, purpose).next());
      }
    }
  }
  EXPECT_EQ(first.size(), 8U);
}

TEST(Stream, BelowIsUniform) {
  // Chi-squared with 9 degrees of freedom; 27.9 has probability 0.001, and the seed is fixed.
  Stream stream(1, 0, Purpose::test);
  std::vector<int> counts(10);
  constexpr int kDraws = 100'000;
  for (int i = 0; i < kDraws; ++i) ++counts.at(stream.below(10));
  double chi2 = 0;
  for (int count : counts) chi2 += std::pow(count - kDraws / 10.0, 2) / (kDraws / 10.0);
  EXPECT_LT(chi2, 27.9);
}

TEST(Stream, BelowRejectsInsteadOfFolding) {
  // With bound 3 * 2^62 both plain methods are wrong by a factor of two: the remainder gives the
  // lowest third, and multiplying without rejection every third value, twice the weight.
  Stream stream(2, 0, Purpose::test);
  constexpr std::uint64_t kBound = 3ULL << 62;
  constexpr int kDraws = 30'000;
  int lowest_third = 0;
  int divisible = 0;
  for (int i = 0; i < kDraws; ++i) {
    const std::uint64_t value = stream.below(kBound);
    ASSERT_LT(value, kBound);
    lowest_third += value < kBound / 3 ? 1 : 0;
    divisible += value % 3 == 0 ? 1 : 0;
  }
  EXPECT_NEAR(lowest_third, kDraws / 3, 400);  // five standard deviations
  EXPECT_NEAR(divisible, kDraws / 3, 400);
}

TEST(Stream, BelowAtTheEnds) {
  Stream stream(3, 0, Purpose::test);
  EXPECT_EQ(stream.below(1), 0U);
  EXPECT_THROW(stream.below(0), std::invalid_argument);
}

TEST(Stream, UnitIsInTheHalfOpenInterval) {
  Stream stream(4, 0, Purpose::test);
  double sum = 0;
  constexpr int kDraws = 100'000;
  for (int i = 0; i < kDraws; ++i) {
    const double value = stream.unit();
    ASSERT_GE(value, 0);
    ASSERT_LT(value, 1);
    sum += value;
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 5 / std::sqrt(12.0 * kDraws));
}

}  // namespace
}  // namespace sagitta
