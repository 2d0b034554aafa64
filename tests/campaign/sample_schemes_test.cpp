// Samples of protected machines: of hardened cells, of copies, and of the population that all
// schemes have in common, in strata of layers too.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include <nlohmann/json.hpp>

#include "campaign/campaign.h"
#include "support/small_experiment.h"
#include "support/temporary_folder.h"
#include "support/trials.h"

namespace sagitta {
namespace {

using nlohmann::json;

// A bit of a sum, under copies the first of three, and one of a weight, which neither copies of
// registers nor hardened cells cover.
const std::string kSum = "array.pe[0][1].acc**:30";
const std::string kWeight = "memory.weight.bank[0].row[3].lane[0]:6";
const std::string kSites = kSum + "," + kWeight;

class SampledSchemes : public ::testing::Test {
 protected:
  std::unique_ptr<Campaign> run(const json& scheme, const json& fault) const {
    auto campaign = std::make_unique<Campaign>(test::small_experiment(folder_, scheme, fault, 1));
    campaign->run_trials(2, nullptr);
    return campaign;
  }
  static json plan(const std::string& population, const json& sample, const json& trials = nullptr,
                   const std::string& sites = kSites) {
    json f = {{"sites", sites}, {"seed", 3}, {"population", population}, {"sample", sample}};
    if (!trials.is_null()) f["trials"] = trials;
    return f;
  }
  static json stratified(const std::string& allocation) {
    json sample = {{"method", "stratified"},
                   {"by", {"register", "bits", "layer"}},
                   {"bits", 8},
                   {"allocation", allocation}};
    if (allocation == "neyman") sample["pilot"] = 20;
    return sample;
  }
  static json hardened(double factor) {
    return {{"name", "cells"},
            {"kind", "hardened"},
            {"hardened", {"array.**"}},
            {"hardened_factor", factor}};
  }
  static double share(const FaultResult& r, bool (*which)(Outcome)) {
    return r.rates.of(which).value;
  }
  test::TemporaryFolder folder_;
};

bool masked(Outcome o) {
  return is_masked(o) || o == Outcome::not_fired;
}

// What the unprotected machine's every fault comes to says what the schemes' do: three copies of
// PEs' registers hide all of their upsets, and cells that resist three of four leave the fourth.
TEST_F(SampledSchemes, EstimatesAreWhatRunningEverythingGives) {
  const auto every = run("none", {plan("own", {{"method", "exhaustive"}}, nullptr, kSum),
                                  plan("own", {{"method", "exhaustive"}}, nullptr, kWeight)});
  const double sum = 1 - share(every->faults(0), masked);
  const double weight = 1 - share(every->faults(1), masked);
  ASSERT_GT(sum, 0.05);
  ASSERT_GT(std::abs(sum - weight), 0.05) << "the test tells one from the other";
  // Of 2 bits, 1 is of the sum; of the copies' own 4, 3 are.
  const double common = (sum + weight) / 2;
  const json schemes = {"none", "tmr-reg", hardened(0.25)};
  const double expected[3][2] = {{common, common},
                                 {weight / 2, weight / 4},
                                 {(0.25 * sum + weight) / 2, (0.25 * sum + weight) / 2}};
  for (const std::string allocation : {"proportional", "neyman"}) {
    SCOPED_TRACE(allocation);
    const auto campaign = run(schemes, {plan("common", stratified(allocation), 400),
                                        plan("own", stratified(allocation), 400)});
    for (int scheme = 0; scheme < 3; ++scheme) {
      for (int own = 0; own < 2; ++own) {
        const FaultResult& r = campaign->faults(2 * scheme + own);
        EXPECT_EQ(r.trials, 400);
        EXPECT_STREQ(r.rates.interval(), "stratified score");
        const double truth = expected[scheme][own];
        EXPECT_NEAR(1 - share(r, masked), truth, 4 * std::sqrt(truth * (1 - truth) / 400) + 1e-9)
            << "scheme " << scheme << " own " << own;
      }
    }
  }
}

// Cells that resist every upset are no targets: the sample is of the others.
TEST_F(SampledSchemes, CellsThatResistEverythingLeaveTheOthers) {
  const auto all = run({"none", hardened(0)}, {plan("own", {{"method", "exhaustive"}}),
                                               plan("own", stratified("proportional"), 300)});
  const auto rest = run("none", {plan("own", {{"method", "exhaustive"}}, nullptr, kWeight)});
  EXPECT_EQ(all->faults(2).sites, 1);
  EXPECT_EQ(all->faults(2).outcomes, rest->faults(0).outcomes);
  EXPECT_NE(all->faults(0).outcomes, rest->faults(0).outcomes);
  const double truth = 1 - share(rest->faults(0), masked);
  EXPECT_NEAR(1 - share(all->faults(3), masked), truth,
              4 * std::sqrt(truth * (1 - truth) / 300) + 1e-9);
  EXPECT_EQ(all->faults(3).rates.strata() * 2, all->faults(1).rates.strata())
      << "of two registers one is left";
}

// Points of the common population: trial k is of the same one whatever the scheme, also where the
// machine's cycles are others, and it strikes the layer of its stratum.
TEST_F(SampledSchemes, StrataOfLayersAreThoseOfTheUnprotectedMachine) {
  const auto campaign =
      run({"none", "tmr-reg", "tmr-time", "checksum-recompute"},
          plan("common", stratified("proportional"), 200, "array.pe[0][*].acc,array.pe[0][*].a"));
  ASSERT_NE(campaign->result(2).cycles_per_pass, campaign->result(0).cycles_per_pass);
  const auto base = test::trials_of(*campaign, 0);
  ASSERT_EQ(base.size(), 200U);
  const int layers = static_cast<int>(campaign->network().layers.size());
  ASSERT_GT(layers, 1);
  std::map<int, int> of_layer;
  int later = 0;
  for (int scheme = 0; scheme < 4; ++scheme) {
    SCOPED_TRACE(scheme);
    const auto trials = test::trials_of(*campaign, scheme);
    ASSERT_EQ(trials.size(), base.size());
    for (std::size_t k = 0; k < trials.size(); ++k) {
      const TrialResult& t = trials[k];
      EXPECT_EQ(t.stratum, base[k].stratum);
      EXPECT_EQ(t.image, base[k].image);
      EXPECT_EQ(t.faults[0].site.bit, base[k].faults[0].site.bit);
      EXPECT_EQ(t.layer, base[k].layer);
      later += t.faults[0].cycle > base[k].faults[0].cycle ? 1 : 0;
      // Behind the last layer's work the machine is done with it.
      if (t.layer < layers) {
        EXPECT_EQ(t.layer, t.stratum % layers);
      }
      ++of_layer[t.layer];
    }
  }
  EXPECT_GT(later, 50) << "cycles are carried over";
  for (int layer = 0; layer < layers; ++layer) EXPECT_GT(of_layer[layer], 0);
}

}  // namespace
}  // namespace sagitta
