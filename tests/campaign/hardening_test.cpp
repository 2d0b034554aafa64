// Hardened flip-flops: which bits are targets, which upsets they resist, and what is told of it.
#include "campaign/hardening.h"

#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "campaign/campaign.h"
#include "campaign/trial.h"
#include "support/machine_cases.h"
#include "support/trials.h"

namespace sagitta {
namespace {

using test::Random;

Scheme hardened(std::vector<std::string> globs, double factor = 0) {
  Scheme s;
  s.kind = s.name = "hardened";
  s.hardened = std::move(globs);
  s.hardened_factor = factor;
  return s;
}

class Hardened : public testing::Test {
 protected:
  Hardened() : random_(3), network_(test::random_network(random_)) {
    program_ = compile(network_, {2, 3}, {}, {}, "test");
    engine_.emplace(program_, network_);
  }
  std::set<std::string> paths(const SiteSelection& selection) const {
    std::set<std::string> all;
    for (std::int64_t i = 0; i < selection.bits(); ++i) {
      all.insert(engine_->sites().path(selection.at(i)));
    }
    EXPECT_EQ(all.size(), static_cast<std::size_t>(selection.bits()));
    return all;
  }
  const SiteMap& sites() const { return engine_->sites(); }

  Random random_;
  Network network_;
  Program program_;
  std::optional<TrialEngine> engine_;
};

// Whole classes, some elements, some bits, in both selections.
TEST_F(Hardened, ASelectionWithoutAnotherIsTheDifferenceOfTheSets) {
  const std::vector<std::string> globs = {"array.**",
                                          "array.pe[*][1].acc",
                                          "array.pe[0][*].acc:1*,array.pe[1][1].a",
                                          "**.a:3,**.b",
                                          "control.**",
                                          "array.pe[1][0..1].*:0,array.pe[1][1].acc:31",
                                          "vector.bias[1]",
                                          "logic"};
  int differ = 0;
  for (const std::string& x : globs) {
    for (const std::string& y : globs) {
      const SiteSelection a = sites().select(x, "", ""), b = sites().select(y, "", "");
      const std::set<std::string> of_a = paths(a), of_b = paths(b);
      std::set<std::string> expected;
      for (const std::string& path : of_a) {
        if (!of_b.contains(path)) expected.insert(path);
      }
      EXPECT_EQ(paths(a.without(b)), expected) << x << " without " << y;
      differ += !expected.empty() && expected.size() < of_a.size() ? 1 : 0;
      for (std::int64_t i = 0; i < a.bits(); i += 7) {
        EXPECT_EQ(b.contains(a.at(i)), of_b.contains(sites().path(a.at(i))));
      }
    }
  }
  EXPECT_GT(differ, 10);
}

TEST_F(Hardened, BitsThatResistEveryUpsetAreNoTargets) {
  const Hardening all(hardened({"array.pe[*][*].acc", "array.pe[0][0].a:7"}), sites(), "", "");
  const SiteSelection array = sites().select("array.pe**", "", "");
  EXPECT_EQ(array.bits() - all.targets(array).bits(), 6 * 32 + 1);
  const auto bits = all.bits(sites());
  EXPECT_EQ(bits.size(), 2U);
  EXPECT_EQ(bits.at("array.pe[][].acc"), 6 * 32);
  EXPECT_EQ(bits.at("array.pe[][].a"), 1);
  // Where some upsets get through the bits remain targets, and the draws are thinned.
  const Hardening some(hardened({"array.pe[*][*].acc"}, 0.25), sites(), "", "");
  EXPECT_EQ(some.targets(array).bits(), array.bits());
  EXPECT_EQ(Hardening().targets(array).bits(), array.bits());
}

TEST_F(Hardened, DrawsAreThinnedByTheFactorAsAFunctionOfSeedAndTrial) {
  const SiteSelection array = sites().select("array.pe**", "", "");
  for (const double factor : {0.0, 0.25, 1.0}) {
    const Hardening some(hardened({"array.pe[*][*].acc"}, factor), sites(), "", "");
    int drawn = 0, resisted = 0;
    for (int k = 0; k < 4000; ++k) {
      auto faults = draw_faults(7, k, 3, array, 100);
      auto again = draw_faults(7, k, 5, array, 100);
      some.thin(7, k, faults);
      some.thin(7, k, again);
      for (std::size_t i = 0; i < faults.size(); ++i) {
        const bool accumulator = sites().path(faults[i].site).find(".acc:") != std::string::npos;
        EXPECT_TRUE(accumulator || !faults[i].resisted);
        EXPECT_EQ(faults[i].resisted, again[i].resisted) << "more upsets keep the first ones";
        drawn += accumulator ? 1 : 0;
        resisted += faults[i].resisted ? 1 : 0;
      }
    }
    const double expected = drawn * (1 - factor);
    EXPECT_NEAR(resisted, expected, 5 * std::sqrt(expected * factor) + 1e-9) << factor;
  }
}

TEST_F(Hardened, AResistedUpsetChangesNothing) {
  engine_->prepare(0, random_.int8s(network_.input.elements()), 0);
  const SiteSelection array = sites().select("array.pe**", "", "");
  int other = 0;
  for (int k = 0; k < 200; ++k) {
    auto faults = draw_faults(1, k, 2, array, engine_->clean_cycles());
    for (Fault& f : faults) f.resisted = true;
    TrialResult result = engine_->run(k, faults);
    EXPECT_EQ(result.outcome, Outcome::not_fired);
    EXPECT_FALSE(result.faults[0].fired || result.faults[1].fired);
    EXPECT_EQ(result.faults[0].before, result.faults[0].after);
    // The other one alone.
    faults[1].resisted = false;
    result = engine_->run(k, faults);
    EXPECT_EQ(result.outcome, engine_->run(k, {faults[1]}).outcome);
    other += result.outcome != Outcome::masked_idle ? 1 : 0;
  }
  EXPECT_GT(other, 10);
}

TEST_F(Hardened, GlobsThatMeanNoFlipFlopAreRefused) {
  const auto refused = [&](const std::string& glob, const std::string& part) {
    try {
      Hardening(hardened({"array.**", glob}), sites(), "e.json", "2x3 os hardened");
      FAIL() << glob;
    } catch (const InputError& e) {
      EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
      EXPECT_EQ(e.where(), "$.scheme.hardened");
    }
  };
  refused("array.pes**", "array.pes**");
  refused("memory.**", "is a memory, which has no flip-flops to harden");
}

// From the experiment to the figures: the same draws, on machines that differ in nothing else.
TEST(HardenedCampaign, ResistsWhatItNamesAndCostsWhatThePublishedCellDoes) {
  const std::string hard = R"({"kind": "hardened", "hardened": ["array.**"])";
  Campaign campaign(load_experiment(
      SAGITTA_SOURCE_DIR "/configs/lenet5.json",
      {"images=4", "array={\"rows\": 4}",
       "scheme=[\"none\", " + hard + "}, " + hard + R"(, "hardened_factor": 0.5, "name": "half"}])",
       R"(fault=[{"upsets": 1, "trials": 40, "sites": "array.**", "population": "common"},
                 {"upsets": 1, "trials": 40, "sites": "array.**,vector.**"}])"}));
  campaign.run_trials(2, nullptr);
  const auto count = [&](int configuration, Outcome outcome) {
    return campaign.faults(configuration).outcomes[static_cast<std::size_t>(outcome)];
  };
  EXPECT_EQ(count(0, Outcome::not_fired), 0);
  EXPECT_EQ(count(2, Outcome::not_fired), 40);
  EXPECT_GT(count(4, Outcome::not_fired), 8);
  EXPECT_LT(count(4, Outcome::not_fired), 32);
  // Of the own population the hardened bits are gone, or thinned.
  const std::int64_t array_bits = campaign.faults(0).sites;
  EXPECT_EQ(campaign.faults(1).sites - campaign.faults(3).sites, array_bits);
  EXPECT_EQ(campaign.faults(5).sites, campaign.faults(1).sites);
  EXPECT_EQ(count(3, Outcome::not_fired), 0);
  const auto unprotected = test::trials_of(campaign, 0);
  for (const TrialResult& t : test::trials_of(campaign, 4)) {
    EXPECT_EQ(t.outcome == Outcome::not_fired, !t.faults[0].fired);
    if (!t.faults[0].fired) continue;
    const TrialResult& same = unprotected[static_cast<std::size_t>(t.trial)];
    EXPECT_EQ(t.outcome, same.outcome);
  }
  // LEAP-DICE: twice the area of a flip-flop with reset, 1.8 times its energy.
  const AreaBill& plain = campaign.result(0).area;
  const AreaBill& twice = campaign.result(1).area;
  EXPECT_NEAR(twice.total_um2 - plain.total_um2, static_cast<double>(array_bits) * 5.32, 0.5);
  const auto flip_flops = [](const EnergyBill& bill) {
    double pj = 0;
    for (const EnergyItem& i : bill.items) {
      const bool stored =
          i.what.find("clock") != std::string::npos || i.what.find("toggle") != std::string::npos;
      if (i.block == "array" && stored) pj += i.pj;
    }
    return pj;
  };
  EXPECT_NEAR(flip_flops(campaign.result(1).energy), 1.8 * flip_flops(campaign.result(0).energy),
              1e-6 * flip_flops(campaign.result(1).energy));
  EXPECT_EQ(campaign.result(1).cycles_per_pass, campaign.result(0).cycles_per_pass);
}

}  // namespace
}  // namespace sagitta
