#include "fault/sampling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "base/permutation.h"
#include "base/registers.h"

namespace sagitta {
namespace {

TEST(Permuted, IsABijection) {
  for (const std::uint64_t size : {1, 2, 3, 4, 5, 16, 17, 1000}) {
    for (const std::uint64_t seed : {1, 2}) {
      std::set<std::uint64_t> seen;
      for (std::uint64_t i = 0; i < size; ++i) {
        const std::uint64_t at = permuted(i, size, seed, 7);
        ASSERT_LT(at, size);
        seen.insert(at);
      }
      EXPECT_EQ(seen.size(), size);
    }
  }
  constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
  EXPECT_LT(permuted(kMost - 1, kMost, 1, 1), kMost);
  EXPECT_THROW(permuted(0, kMost + 1, 1, 1), std::invalid_argument);
  EXPECT_THROW(permuted(5, 5, 1, 1), std::invalid_argument);
}

// Chi-squared against its 99.9 % point, by E. Wilson and M. Hilferty (1931); the seeds are fixed.
void expect_uniform(const std::vector<int>& counts, const std::string& what) {
  double draws = 0;
  for (const int c : counts) draws += c;
  const double expected = draws / static_cast<double>(counts.size());
  double chi2 = 0;
  for (const int c : counts) chi2 += (c - expected) * (c - expected) / expected;
  const double freedom = static_cast<double>(counts.size()) - 1;
  const double step = 2 / (9 * freedom);
  EXPECT_LT(chi2, freedom * std::pow(1 - step + 3.0902 * std::sqrt(step), 3)) << what;
}

TEST(Permuted, DrawsUniformly) {
  constexpr std::uint64_t kSize = 11;
  std::vector<int> first(kSize);
  std::vector<int> pairs(kSize * (kSize - 1));
  for (std::uint64_t seed = 0; seed < 40'000; ++seed) {
    const std::uint64_t a = permuted(0, kSize, seed, 1);
    const std::uint64_t b = permuted(1, kSize, seed, 1);
    ++first[a];
    ++pairs[a * (kSize - 1) + b - (b > a ? 1 : 0)];
  }
  expect_uniform(first, "the first one");
  expect_uniform(pairs, "the first two");
  std::vector<int> streams(kSize);
  for (std::uint64_t stream = 0; stream < 40'000; ++stream) {
    ++streams[permuted(3, kSize, 1, stream)];
  }
  expect_uniform(streams, "over streams");
}

// 12 x 5 + 2 x 11 + 1 bits, of them in memory 2 x 11.
RegisterLayout layout() {
  RegisterLayout registers;
  registers.pipe<std::uint8_t>("array.pe[][].a", {3, 4}, 5);
  registers.held<std::uint16_t>("memory.bank[]", {2}, 11, Storage::sram);
  registers.pipe<std::uint8_t>("control.busy", {}, 1);
  return registers;
}

using Point = std::tuple<int, std::int64_t, int, std::int64_t, std::int64_t>;

Point point_of(const SampledPoint& p) {
  const Site& s = p.fault.site;
  return {s.register_class, s.element, s.bit, p.fault.cycle, p.image};
}

TEST(SamplingPlan, StrataPartitionThePopulation) {
  const SiteMap sites{layout()};
  const SiteSelection all = sites.select("all", "", "");
  const SampledRun run{9, {0, 4, 5}, 2};
  constexpr std::int64_t kPoints = 83 * 9 * 2;
  struct Cut {
    StratifyBy by;
    std::size_t strata;
  };
  for (const Cut& cut :
       {Cut{{}, 1}, Cut{{.block = true}, 3}, Cut{{.register_class = true, .layer = true}, 9},
        Cut{{.bit_group = 4}, 3}, Cut{{.block = true, .bit_group = 4, .layer = true}, 18}}) {
    const SamplingPlan plan(sites, all, run, cut.by);
    ASSERT_EQ(plan.strata().size(), cut.strata);
    std::set<Point> seen;
    double weights = 0;
    std::int64_t points = 0;
    for (std::size_t h = 0; h < plan.strata().size(); ++h) {
      const SampledStratum& s = plan.strata()[h];
      points += s.population;
      weights += s.weight;
      EXPECT_NEAR(s.weight, static_cast<double>(s.population) / kPoints, 1e-15);
      std::set<std::tuple<std::string, int, std::int64_t>> kinds;
      for (std::int64_t k = 0; k < s.population; ++k) {
        const SampledPoint p = plan.draw(3, h, k);
        EXPECT_TRUE(seen.insert(point_of(p)).second) << s.name;
        EXPECT_TRUE(all.contains(p.fault.site));
        const std::int64_t cycle = p.fault.cycle;
        kinds.insert(
            {cut.by.block || cut.by.register_class ? sites.path(p.fault.site).substr(0, 3) : "",
             cut.by.bit_group > 0 ? p.fault.site.bit / 4 : 0,
             cut.by.layer ? (cycle >= 5   ? 2
                             : cycle >= 4 ? 1
                                          : 0)
                          : 0});
      }
      EXPECT_EQ(kinds.size(), 1U) << s.name << " is not one kind";
    }
    EXPECT_EQ(points, kPoints);
    EXPECT_EQ(static_cast<std::int64_t>(seen.size()), kPoints);
    EXPECT_NEAR(weights, 1, 1e-12);
  }
}

TEST(SamplingPlan, NamesAndPopulationsByHand) {
  const SiteMap sites{layout()};
  const SamplingPlan plan(sites, sites.select("all", "", ""), {10, {0, 4}, 3},
                          {.register_class = true, .bit_group = 8, .layer = true});
  std::map<std::string, std::int64_t> populations;
  for (const SampledStratum& s : plan.strata()) populations[s.name] = s.population;
  const std::map<std::string, std::int64_t> expected{
      {"array.pe[][].a:0-7 layer 0", 60 * 4 * 3}, {"array.pe[][].a:0-7 layer 1", 60 * 6 * 3},
      {"memory.bank[]:0-7 layer 0", 16 * 4 * 3},  {"memory.bank[]:0-7 layer 1", 16 * 6 * 3},
      {"memory.bank[]:8-15 layer 0", 6 * 4 * 3},  {"memory.bank[]:8-15 layer 1", 6 * 6 * 3},
      {"control.busy:0-7 layer 0", 1 * 4 * 3},    {"control.busy:0-7 layer 1", 1 * 6 * 3}};
  EXPECT_EQ(populations, expected);
  // Only what was selected.
  const SamplingPlan some(sites, sites.select("array.pe[1][*].a:2", "", ""), {10, {0}, 1}, {});
  ASSERT_EQ(some.strata().size(), 1U);
  EXPECT_EQ(some.strata()[0].name, "all");
  EXPECT_EQ(some.strata()[0].population, 4 * 10);
}

TEST(SamplingPlan, DrawsUniformlyWithinAStratum) {
  const SiteMap sites{layout()};
  const SamplingPlan plan(sites, sites.select("all", "", ""), {9, {0, 6}, 2},
                          {.block = true, .layer = true});
  constexpr std::size_t kMemory = 3;  // 22 bits x 3 cycles x 2 images
  ASSERT_EQ(plan.strata()[kMemory].name, "memory layer 1");
  std::map<Point, int> seen;
  for (std::uint64_t seed = 0; seed < 30'000; ++seed) ++seen[point_of(plan.draw(seed, kMemory, 5))];
  std::vector<int> counts;
  for (const auto& [point, count] : seen) counts.push_back(count);
  EXPECT_EQ(counts.size(), 132U);
  expect_uniform(counts, "memory");
}

TEST(SamplingPlan, StrataOfOneSizeHaveOrdersOfTheirOwn) {
  const SiteMap sites{layout()};
  const SamplingPlan plan(sites, sites.select("all", "", ""), {6, {0, 3}, 1}, {.layer = true});
  int alike = 0;
  for (std::int64_t k = 0; k < 50; ++k) {
    alike += plan.draw(1, 0, k).fault.site == plan.draw(1, 1, k).fault.site ? 1 : 0;
  }
  EXPECT_LT(alike, 10);  // of 83 bits
}

TEST(SamplingPlan, RefusesWhatIsNoPopulation) {
  const SiteMap sites{layout()};
  const SiteSelection all = sites.select("all", "", "");
  EXPECT_THROW(SamplingPlan(sites, all, {0, {0}, 1}, {}), std::invalid_argument);
  EXPECT_THROW(SamplingPlan(sites, all, {9, {1}, 1}, {}), std::invalid_argument);
  EXPECT_THROW(SamplingPlan(sites, all, {9, {0, 5, 5}, 1}, {}), std::invalid_argument);
  EXPECT_THROW(SamplingPlan(sites, all, {9, {0, 9}, 1}, {}), std::invalid_argument);
  EXPECT_THROW(SamplingPlan(sites, all, {1LL << 60, {0}, 1}, {}), std::invalid_argument);
  EXPECT_THROW(SamplingPlan(sites, SiteSelection(), {9, {0}, 1}, {}), std::invalid_argument);
  const SamplingPlan plan(sites, all, {9, {0}, 1}, {});
  EXPECT_THROW(plan.draw(1, 1, 0), std::invalid_argument);
  EXPECT_THROW(plan.draw(1, 0, 83 * 9), std::invalid_argument);
}

}  // namespace
}  // namespace sagitta
