// What the fault models of registers draw.
#include "campaign/fault_models.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <gtest/gtest.h>

#include "base/error.h"
#include "campaign/experiment_models.h"
#include "campaign/population.h"
#include "campaign/trial.h"
#include "support/machine_cases.h"

namespace sagitta {
namespace {

FaultPlan plan_of(const std::string& model, int upsets = 1) {
  FaultPlan plan;
  plan.model = model;
  plan.upsets = upsets;
  plan.seed = 7;
  return plan;
}

// A machine with three copies of each PE's registers, and one with single ones.
class FaultModels : public testing::Test {
 protected:
  FaultModels() : network_(test::random_network(random_, 2)) {}
  Program program(PeCopies copies) const {
    Protection p;
    p.pe_copies = copies;
    return compile(network_, {3, 5}, {}, p, "test");
  }
  test::Random random_{3};
  Network network_;
  Program plain_ = program(PeCopies::none);
  Program tripled_ = program(PeCopies::all);
  Machine plain_machine_{plain_}, tripled_machine_{tripled_};
  SiteMap plain_sites_{plain_machine_.layout()}, tripled_sites_{tripled_machine_.layout()};
};

TEST_F(FaultModels, ASeuIsWhatItWas) {
  const SiteSelection all = plain_sites_.select("all", "", "");
  for (int k = 0; k < 50; ++k) {
    const auto drawn = draw_register_faults(plan_of("seu", 3), k, plain_sites_, all, 900);
    const auto expected = draw_faults(7, k, 3, all, 900);
    ASSERT_EQ(drawn.size(), 3U);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(drawn[i].site, expected[i].site);
      EXPECT_EQ(drawn[i].cycle, expected[i].cycle);
      EXPECT_EQ(drawn[i].kind, FaultKind::flip);
    }
  }
}

// Every site, size and direction.
TEST_F(FaultModels, ClustersAreDistinctNeighboursThatHoldTheDrawnBit) {
  for (const SiteMap* map : {&plain_sites_, &tripled_sites_}) {
    std::int64_t moved = 0;
    for (std::size_t i = 0; i < map->classes().size(); ++i) {
      const RegisterClass& c = map->classes()[i];
      const bool in_pe = c.path.starts_with("array.pe[][]");
      for (std::int64_t e = 0; e < std::min<std::int64_t>(c.elements(), 60); ++e) {
        for (int bit = 0; bit < c.width; ++bit) {
          const Site drawn{static_cast<int>(i), e, bit};
          for (int size = 2; size <= 8; ++size) {
            for (const std::string along : {"bits", "row", "column"}) {
              if (along != "bits" && !in_pe) continue;
              const auto sites = cluster_of(drawn, size, along, *map);
              const int extent = along == "bits"  ? c.width
                                 : along == "row" ? c.extents[1]
                                                  : c.extents[0];
              ASSERT_EQ(sites.size(), static_cast<std::size_t>(std::min(size, extent)));
              ASSERT_NE(std::find(sites.begin(), sites.end(), drawn), sites.end());
              moved += sites[0] == drawn ? 0 : 1;
              for (std::size_t n = 0; n < sites.size(); ++n) {
                const Site& s = sites[n];
                ASSERT_EQ(s.register_class, drawn.register_class);
                ASSERT_LT(s.bit, c.width);
                if (along == "bits") {
                  ASSERT_EQ(s.element, e);
                  ASSERT_EQ(s.bit, sites[0].bit + static_cast<int>(n));
                  continue;
                }
                ASSERT_EQ(s.bit, bit);
                std::vector<int> expected = map->indices(drawn);
                const std::size_t axis = along == "row" ? 1 : 0;
                expected[axis] = map->indices(sites[0])[axis] + static_cast<int>(n);
                ASSERT_EQ(map->indices(s), expected) << "copies and the other index stay";
              }
            }
          }
        }
      }
    }
    EXPECT_GT(moved, 100);
  }
}

TEST_F(FaultModels, AClusterBeginsAtTheDrawnBitUnlessItWouldLeaveTheWord) {
  const Site at = plain_sites_.parse("array.pe[1][3].acc:30", "", "");
  const auto names = [&](int size, const std::string& along) {
    std::string text;
    for (const Site& s : cluster_of(at, size, along, plain_sites_)) {
      text += (text.empty() ? "" : " ") + plain_sites_.path(s).substr(8);
    }
    return text;
  };
  EXPECT_EQ(names(2, "bits"), "[1][3].acc:30 [1][3].acc:31");
  EXPECT_EQ(names(4, "bits"), "[1][3].acc:28 [1][3].acc:29 [1][3].acc:30 [1][3].acc:31");
  EXPECT_EQ(names(2, "row"), "[1][3].acc:30 [1][4].acc:30");
  EXPECT_EQ(names(3, "row"), "[1][2].acc:30 [1][3].acc:30 [1][4].acc:30");
  EXPECT_EQ(names(2, "column"), "[1][3].acc:30 [2][3].acc:30");
  EXPECT_EQ(names(8, "column"), "[0][3].acc:30 [1][3].acc:30 [2][3].acc:30");
}

TEST_F(FaultModels, EachEventOfAnMbuIsAClusterInOneCycle) {
  const SiteSelection all = plain_sites_.select("array.pe**", "", "");
  FaultPlan plan = plan_of("mbu", 3);
  plan.cluster_size = 4;
  for (int k = 0; k < 50; ++k) {
    const auto flips = draw_register_faults(plan, k, plain_sites_, all, 900);
    const auto events = draw_faults(7, k, 3, all, 900);
    std::size_t i = 0;
    for (const Fault& event : events) {
      for (const Site& s : cluster_of(event.site, 4, "bits", plain_sites_)) {
        ASSERT_LT(i, flips.size());
        EXPECT_EQ(flips[i].site, s);
        EXPECT_EQ(flips[i].cycle, event.cycle);
        EXPECT_EQ(flips[i].kind, FaultKind::flip);
        ++i;
      }
    }
    EXPECT_EQ(i, flips.size());
  }
}

TEST_F(FaultModels, StuckBitsLastAsThePlanSays) {
  const SiteSelection all = plain_sites_.select("all", "", "");
  const auto drawn = [&](const FaultPlan& plan, int k) {
    return draw_register_faults(plan, k, plain_sites_, all, 900);
  };
  FaultPlan permanent = plan_of("stuck-at-0", 2);
  permanent.onset = "start";
  FaultPlan intermittent = plan_of("intermittent", 2);
  intermittent.duration = 12;
  int ones = 0;
  for (int k = 0; k < 1000; ++k) {
    const auto events = draw_faults(7, k, 2, all, 900);
    const auto zeros = drawn(plan_of("stuck-at-0", 2), k);
    const auto high = drawn(plan_of("stuck-at-1", 2), k);
    const auto from_reset = drawn(permanent, k);
    const auto interval = drawn(intermittent, k);
    for (std::size_t i = 0; i < 2; ++i) {
      for (const auto* faults : {&zeros, &high, &from_reset, &interval}) {
        ASSERT_EQ((*faults)[i].site, events[i].site);
      }
      EXPECT_EQ(zeros[i].cycle, events[i].cycle);
      EXPECT_EQ(zeros[i].kind, FaultKind::stuck0);
      EXPECT_EQ(zeros[i].last, kToTheEnd);
      EXPECT_EQ(high[i].kind, FaultKind::stuck1);
      EXPECT_EQ(from_reset[i].cycle, 0);
      EXPECT_EQ(from_reset[i].last, kToTheEnd);
      EXPECT_EQ(interval[i].cycle, events[i].cycle);
      EXPECT_EQ(interval[i].last, events[i].cycle + 11);
      EXPECT_NE(interval[i].kind, FaultKind::flip);
      ones += interval[i].kind == FaultKind::stuck1 ? 1 : 0;
    }
  }
  EXPECT_NEAR(ones, 1000, 5 * std::sqrt(500.0));  // of 2000
}

// The number of upsets is that of a binomial, and they are uniform over bits and cycles.
TEST_F(FaultModels, ARateUpsetsEachBitInEachCycleWithItsProbability) {
  const SiteSelection sites = plain_sites_.select("array.pe[*][*].a", "", "");
  constexpr std::int64_t kCycles = 50;
  constexpr int kTrials = 20000;
  const std::int64_t targets = sites.bits() * kCycles;
  ASSERT_EQ(sites.bits(), 3 * 5 * 8);
  for (const double expected : {0.2, 3.0, 40.0}) {
    FaultPlan plan = plan_of("rate");
    plan.rate = expected / static_cast<double>(targets);
    double sum = 0, squares = 0;
    std::map<std::int64_t, int> by_cycle, by_bit;
    for (int k = 0; k < kTrials; ++k) {
      const auto faults = draw_register_faults(plan, k, plain_sites_, sites, kCycles);
      const auto n = static_cast<double>(faults.size());
      sum += n;
      squares += n * n;
      for (std::size_t i = 0; i < faults.size(); ++i) {
        ASSERT_TRUE(sites.contains(faults[i].site));
        ASSERT_LE(faults[i == 0 ? 0 : i - 1].cycle, faults[i].cycle);
        ++by_cycle[faults[i].cycle];
        ++by_bit[faults[i].site.element * 8 + faults[i].site.bit];
      }
    }
    const double mean = sum / kTrials;
    const double variance = squares / kTrials - mean * mean;
    const double of_binomial = expected * (1 - plan.rate);
    EXPECT_NEAR(mean, expected, 5 * std::sqrt(of_binomial / kTrials));
    // Of a sample's variance: about (mu4 - s^4) / n, and mu4 = 3 s^4 + s^2 nearly.
    EXPECT_NEAR(variance, of_binomial,
                5 * std::sqrt((2 * of_binomial * of_binomial + of_binomial) / kTrials));
    for (const auto& [count, groups] : {std::pair{&by_cycle, kCycles}, {&by_bit, sites.bits()}}) {
      const double each = sum / static_cast<double>(groups);
      double chi = 0;
      for (std::int64_t g = 0; g < groups; ++g) chi += std::pow((*count)[g] - each, 2) / each;
      const auto freedom = static_cast<double>(groups - 1);
      EXPECT_NEAR(chi, freedom, 5 * std::sqrt(2 * freedom));
    }
  }
}

// As many bits and cycles as a large machine has, at rates that strike it seldom: no overflow, and
// no rate that rounds away.
TEST_F(FaultModels, LowRatesAreDrawnRightOverManyCycles) {
  const SiteSelection sites = plain_sites_.select("array.pe[*][*].a", "", "");
  constexpr std::int64_t kCycles = std::int64_t{1} << 46;
  const double targets = static_cast<double>(sites.bits()) * static_cast<double>(kCycles);
  for (const double expected : {0.85, 6.0}) {
    FaultPlan plan = plan_of("rate");
    plan.rate = expected / targets;  // 1e-16 and more
    ASSERT_GE(plan.rate, 1e-16);
    std::int64_t upsets = 0, late = 0;
    for (int k = 0; k < 20000; ++k) {
      for (const Fault& f : draw_register_faults(plan, k, plain_sites_, sites, kCycles)) {
        ASSERT_LT(f.cycle, kCycles);
        ++upsets;
        late += f.cycle >= kCycles / 2 ? 1 : 0;
      }
    }
    const double all = expected * 20000;
    EXPECT_NEAR(static_cast<double>(upsets), all, 5 * std::sqrt(all));
    EXPECT_NEAR(static_cast<double>(late), all / 2, 5 * std::sqrt(all / 4));
  }
  FaultPlan always = plan_of("rate");
  always.rate = 1;
  EXPECT_EQ(draw_register_faults(always, 0, plain_sites_, sites, 3).size(), 3U * 120U);
}

// Draws are part of what must never change. These were computed apart, with a Philox of their own
// and the gaps of the rate as floor(log u / log1p(-rate)).
TEST_F(FaultModels, KnownAnswers) {
  const SiteSelection sites = plain_sites_.select("array.pe[*][*].a", "", "");
  const auto text = [&](FaultPlan plan, int k) {
    plan.cluster_size = 3;
    plan.rate = 2e-4;
    std::string all;
    for (const Fault& f : draw_register_faults(plan, k, plain_sites_, sites, 100)) {
      all += (all.empty() ? "" : " ") + fault_text(plain_sites_, f).substr(8);
    }
    return all;
  };
  EXPECT_EQ(text(plan_of("mbu"), 0), "[0][0].a:5@0 [0][0].a:6@0 [0][0].a:7@0");
  EXPECT_EQ(text(plan_of("stuck-at-1"), 1), "[0][1].a:5=1@22");
  EXPECT_EQ(text(plan_of("intermittent", 2), 2), "[1][1].a:0=0@5..104 [1][1].a:2=1@5..104");
  EXPECT_EQ(text(plan_of("rate"), 3), "[2][0].a:4@89");
  EXPECT_EQ(text(plan_of("rate"), 4), "[0][2].a:6@17 [1][0].a:6@19 [0][2].a:2@52");
}

// A cluster strikes copy 0 of neighbouring PEs; an interval keeps its length.
TEST_F(FaultModels, AreCarriedOverToAProtectedMachine) {
  const CommonPopulation common(plain_, plain_sites_, tripled_, tripled_sites_);
  EXPECT_EQ(common.base_sites().classes().size(), plain_sites_.classes().size());
  const Site at = plain_sites_.parse("array.pe[1][3].acc:30", "", "");
  std::string text;
  for (const Site& s : cluster_of(at, 2, "row", plain_sites_)) {
    text += fault_text(tripled_sites_, common.carry({s, 0})) + " ";
  }
  EXPECT_EQ(text, "array.pe[1][3].acc.copy[0]:30@0 array.pe[1][4].acc.copy[0]:30@0 ");
  // A machine with a checksum is elsewhere in its cycles.
  Protection p;
  p.checksum = true;
  const Program checked = compile(network_, {3, 5}, {}, p, "test");
  const Machine machine(checked);
  const CommonPopulation later(plain_, plain_sites_, checked, SiteMap(machine.layout()));
  bool moved = false;
  for (std::int64_t cycle = 0; cycle < 2000; cycle += 7) {
    const Fault carried = later.carry({at, cycle, false, FaultKind::stuck1, cycle + 9});
    EXPECT_EQ(carried.kind, FaultKind::stuck1);
    EXPECT_EQ(carried.last - carried.cycle, 9);
    moved = moved || carried.cycle != cycle;
  }
  EXPECT_TRUE(moved);
  EXPECT_EQ(common.carry({at, 0, false, FaultKind::stuck0, kToTheEnd}).last, kToTheEnd);
  EXPECT_EQ(common.carry({at, 0, false, FaultKind::stuck0, kToTheEnd}).cycle, 0);
}

TEST_F(FaultModels, RowsAndColumnsAreOfPes) {
  FaultPlan plan = plan_of("mbu");
  const auto check = [&](const std::string& sites) {
    plan.sites = sites;
    check_cluster_sites(plan, plain_sites_, plain_sites_.select(sites, "", ""), "e.json", "$.x");
  };
  check("all");
  plan.cluster_along = "row";
  check("array.pe[*][*].acc,array.pe[0][1].b");
  try {
    check("array.**");
    FAIL();
  } catch (const InputError& e) {
    EXPECT_NE(std::string(e.what()).find("which is in no PE"), std::string::npos) << e.what();
  }
  plan.model = "seu";
  check("array.**");
}

TEST(FaultModelNames, EachHasItsOptions) {
  EXPECT_TRUE(model_has("mbu", "cluster_size"));
  EXPECT_FALSE(model_has("seu", "cluster_size"));
  EXPECT_FALSE(model_has("rate", "upsets"));
  for (const char* model : {"seu", "mbu", "stuck-at-0", "stuck-at-1", "intermittent", "rate"}) {
    EXPECT_TRUE(is_fault_model(model));
  }
  EXPECT_FALSE(is_fault_model("sue"));
}

}  // namespace
}  // namespace sagitta
