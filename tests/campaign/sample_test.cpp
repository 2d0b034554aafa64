// Samples of an experiment's trials: what each kind draws, how many, and that what they estimate is
// what running everything gives.
#include "campaign/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/interval.h"
#include "campaign/campaign.h"
#include "report/results.h"
#include "support/small_experiment.h"
#include "support/temporary_folder.h"
#include "support/trials.h"

namespace sagitta {
namespace {

using nlohmann::json;

const std::string kSource = SAGITTA_SOURCE_DIR;

class Sample : public ::testing::Test {
 protected:
  static json fault(const std::string& sites, const json& sample, const json& trials = nullptr) {
    json f = {{"sites", sites}, {"seed", 3}, {"sample", sample}};
    if (!trials.is_null()) f["trials"] = trials;
    return f;
  }
  Experiment experiment(const json& fault, int images = 2, const json& scheme = "none") const {
    return test::small_experiment(folder_, scheme, fault, images);
  }
  std::unique_ptr<Campaign> run(const json& fault, int images = 2, int workers = 2) const {
    auto campaign = std::make_unique<Campaign>(experiment(fault, images));
    campaign->run_trials(workers, nullptr);
    return campaign;
  }
  // The refusal's text.
  std::string refusal(const json& fault, int images) const {
    try {
      Campaign campaign(experiment(fault, images));
      campaign.run_trials(1, nullptr);
    } catch (const InputError& e) {
      return e.what();
    }
    ADD_FAILURE() << "not refused";
    return "";
  }
  test::TemporaryFolder folder_;
};

// n from the margin of error: Leveugle's formula over bits x cycles x images.
TEST_F(Sample, AsManyAsTheMarginOfErrorNeeds) {
  const auto campaign = run(fault("all", {{"error", 0.05}, {"confidence", 0.95}}), 20);
  const FaultResult& r = campaign->faults(0);
  EXPECT_EQ(r.trials, 385) << "the formula's value for a large population (DATE 2009)";
  const json e = fault_results(*campaign)["configurations"][0];
  EXPECT_EQ(e["sample"]["plan"], "fixed");
  EXPECT_EQ(e["sample"]["error"], 0.05);
  EXPECT_EQ(e["sample"]["population"],
            static_cast<double>(r.sites) * static_cast<double>(r.cycles) * 20);
  EXPECT_EQ(e["fault"]["sample"]["error"], 0.05);
  // A population that is not large: a bit.
  const auto small =
      run(fault("array.pe[0][0].acc:30", {{"error", 0.02}, {"confidence", 0.99}}), 1);
  const double population = static_cast<double>(small->faults(0).cycles);
  EXPECT_EQ(small->faults(0).trials, sample_size(population, 0.02, 0.99));
  EXPECT_LT(small->faults(0).trials, 4147) << "what an infinite one would need";
}

// Of a population that is not large, trials are different points, and the interval is as narrow as
// was asked.
TEST_F(Sample, AFinitePopulationIsKnownAsWellAsWasAsked) {
  const auto campaign = run(fault("array.pe[0][1].acc:30", {{"error", 0.01}}), 1);
  const FaultResult& r = campaign->faults(0);
  double widest = 0;
  for (bool (*const which)(Outcome) :
       {is_sdc, is_failure, +[](Outcome o) { return o == Outcome::tolerable; }}) {
    const Proportion p = r.rates.of(which);
    widest = std::max(widest, (p.high - p.low) / 2);
  }
  EXPECT_GT(widest, 0.007) << "an outcome that is neither rare nor common";
  EXPECT_LE(widest, 0.0102);
  std::set<std::int64_t> cycles;
  for (const TrialResult& t : test::trials_of(*campaign, 0)) cycles.insert(t.faults[0].cycle);
  EXPECT_EQ(static_cast<std::int64_t>(cycles.size()), r.trials);
  EXPECT_STREQ(r.rates.interval(), "score, finite population");
}

// Nearly all draws are of one bit, and most of them fail: the estimate is what the bit's share of
// the fault space makes of it. Of what was never drawn nothing is known.
TEST_F(Sample, ImportanceWeighsWhatItDraws) {
  const auto plan = [](double factor) {
    return fault(
        "control.sequencer.config.rows:10,array.pe[*][*].acc",
        {{"method", "importance"},
         {"emphasis", {{{"sites", "control.sequencer.config.rows:10"}, {"factor", factor}}}}},
        400);
  };
  const auto campaign = run(plan(5000), 1);
  const Rates& rates = campaign->faults(0).rates;
  const std::vector<OutcomeSums>& sums = rates.sums();
  ASSERT_EQ(sums.size(), 2U);
  const std::int64_t failed = sums[0].count(is_failure);
  EXPECT_GT(2 * failed, 400);
  ASSERT_GT(sums[1].trials, 0);
  const double bits = 32 * 32 + 1;
  const double expected = static_cast<double>(failed) / static_cast<double>(sums[0].trials) / bits +
                          static_cast<double>(sums[1].count(is_failure)) /
                              static_cast<double>(sums[1].trials) * (bits - 1) / bits;
  const Proportion p = rates.of(is_failure);
  EXPECT_NEAR(p.value, expected, 1e-9);
  EXPECT_LT(p.low, p.value);
  const json e = fault_results(*campaign)["configurations"][0];
  EXPECT_NEAR(e["avf"]["any"]["value"].get<double>(), expected, 1e-9);
  const auto blind = run(plan(1e6), 1);
  ASSERT_EQ(blind->faults(0).rates.sums()[1].trials, 0) << "the test is of such a draw";
  const json b = fault_results(*blind)["configurations"][0];
  EXPECT_GT(b["avf"]["any"]["high"], 0.9);
  EXPECT_GT(b["avf"]["active"]["high"], 0.9);
}

// Nothing is estimated where all is run, unlike raw rates or not; draws of hardened cells would be.
TEST_F(Sample, ExhaustiveFiguresHaveNoInterval) {
  const json plan = fault("array.pe[0][1].acc:30,memory.weight.bank[0].row[3].lane[0]",
                          {{"method", "exhaustive"}});
  Experiment e = experiment(plan, 1);
  json tech = json::parse(read_file(kSource + "/configs/tech/45nm.json"));
  tech["soft_error"]["sram"]["value"] = 500;
  e.technology_path = folder_.write("tech.json", tech.dump());
  Campaign campaign(std::move(e));
  campaign.run_trials(2, nullptr);
  const json c = fault_results(campaign)["configurations"][0];
  EXPECT_GT(c["fit"]["value"], 0);
  EXPECT_EQ(c["fit"]["low"], c["fit"]["high"]);
  EXPECT_EQ(c["avf"]["active"]["low"], c["avf"]["active"]["high"]);
  Experiment hardened = experiment(
      plan, 1,
      {{"name", "h"}, {"kind", "hardened"}, {"hardened", {"array.**"}}, {"hardened_factor", 0.5}});
  Campaign thinned(std::move(hardened));
  EXPECT_THROW(thinned.run_trials(1, nullptr), InputError);
}

// The sequence stops by itself, at the same trial for any number of workers, with an interval that
// is as narrow as was asked; and not at the first look where that is not narrow enough.
TEST_F(Sample, ASequenceStopsWhenItKnowsEnough) {
  const json plan =
      fault("array.pe[0][*].acc", {{"error", 0.004}, {"confidence", 0.95}, {"stop", "sequence"}});
  const auto one = run(plan, 10, 1);
  const auto two = run(plan, 10, 3);
  EXPECT_EQ(one->faults(0).trials, two->faults(0).trials);
  EXPECT_EQ(one->faults(0).outcomes, two->faults(0).outcomes);
  const json e = fault_results(*one)["configurations"][0];
  const double width = e["sdc_rate"]["high"].get<double>() - e["sdc_rate"]["low"].get<double>();
  EXPECT_LE(width, 0.008);
  EXPECT_GT(one->faults(0).trials, 1000);
  EXPECT_LT(one->faults(0).trials, 10'000);
  EXPECT_EQ(e["sample"]["plan"], "anytime-valid sequence");
  EXPECT_GT(width, wilson(e["sdc_rate"]["count"], e["sdc_rate"]["n"]).high -
                       wilson(e["sdc_rate"]["count"], e["sdc_rate"]["n"]).low)
      << "it holds at all looks at once, which costs width";
}

// Everything is run: the shares are exact, whatever fell into one class; and all samples of the
// same faults come to it.
TEST_F(Sample, EstimatesAreWhatRunningEverythingGives) {
  const std::string sites =
      "array.pe[0][1].acc:12,array.pe[0][1].acc:30,memory.weight.bank[0].row[3].lane[*]";
  const auto all = run(fault(sites, {{"method", "exhaustive"}}));
  const FaultResult& truth = all->faults(0);
  EXPECT_EQ(static_cast<double>(truth.trials),
            static_cast<double>(truth.sites) * static_cast<double>(truth.cycles) * 2)
      << "each point of the fault space counts once";
  EXPECT_LT(truth.runs, truth.trials) << "words of memories stand for many cycles";
  const Proportion exact = truth.rates.of(is_sdc);
  EXPECT_EQ(exact.low, exact.high);
  EXPECT_GT(exact.count, 0);
  const json e = fault_results(*all)["configurations"][0];
  EXPECT_EQ(e["sdc_rate"]["n"], truth.trials);
  EXPECT_EQ(e["sample"]["runs"], truth.runs);

  int covered = 0;
  int estimates = 0;
  const auto check = [&](json plan, const char* interval) {
    for (const int seed : {1, 2, 3, 4}) {
      plan["seed"] = seed;
      const auto sampled = run(plan);
      const Proportion p = sampled->faults(0).rates.of(is_sdc);
      EXPECT_STREQ(sampled->faults(0).rates.interval(), interval);
      covered += p.low <= exact.value && exact.value <= p.high ? 1 : 0;
      ++estimates;
      EXPECT_NEAR(p.value, exact.value, 0.6 * exact.value + 0.004) << plan.dump() << seed;
      // Of outcomes that are common, and that the array's few bits have far more of, or less.
      for (bool (*const which)(Outcome) : {+[](Outcome o) { return o == Outcome::tolerable; },
                                           +[](Outcome o) { return o == Outcome::masked_idle; }}) {
        const double share = truth.rates.of(which).value;
        EXPECT_NEAR(sampled->faults(0).rates.of(which).value, share,
                    5 * std::sqrt(share * (1 - share) / 1500))
            << plan.dump() << seed;
      }
      EXPECT_EQ(p.n, 1500);
    }
  };
  const json neyman = {{"method", "stratified"}, {"by", {"register", "bits"}}, {"bits", 4}};
  check(fault(sites, neyman, 1500), "stratified score");
  json proportional = neyman;
  proportional["allocation"] = "proportional";
  check(fault(sites, proportional, 1500), "stratified score");
  check(fault(sites,
              {{"method", "importance"}, {"emphasis", {{{"sites", "array.**"}, {"factor", 10}}}}},
              1500),
        "stratified score, given each stratum's draws");
  check(fault(sites, nullptr, 1500), "Wilson score");
  EXPECT_GE(covered, estimates - 2) << "of " << estimates << " intervals at 95 %";
}

// The pilot decides the allocation, and is in no figure.
TEST_F(Sample, NeymanGoesWhereOutcomesVary) {
  const json sample = {
      {"method", "stratified"}, {"by", {"register", "bits"}}, {"bits", 8}, {"pilot", 1000}};
  const auto campaign = run(fault("array.pe[0][*].acc", sample, 1000), 3);
  const FaultResult& r = campaign->faults(0);
  EXPECT_EQ(r.pilots, 4 * 1000) << "four groups of bits";
  EXPECT_EQ(r.trials, 1000);
  const auto trials = test::trials_of(*campaign, 0);
  EXPECT_EQ(trials.size(), 5000U);
  std::map<int, int> pilot, rest;
  for (const TrialResult& t : trials) ++(t.trial < r.pilots ? pilot : rest)[t.stratum];
  for (const auto& [stratum, n] : pilot) EXPECT_EQ(n, 1000);
  ASSERT_EQ(rest.size(), 4U);
  // High bits of sums make most of the SDC.
  EXPECT_GT(rest[3], 2 * rest[0]) << "acc:24-31 against acc:0-7";
  for (const auto& [stratum, n] : rest) EXPECT_GE(n, 5);
  const json e = fault_results(*campaign)["configurations"][0];
  EXPECT_EQ(e["sample"]["pilot_trials"], 4000);
  std::int64_t counted = 0;
  for (const auto& [name, n] : e["outcomes"].items()) counted += n.get<std::int64_t>();
  EXPECT_EQ(counted, 1000);
  std::int64_t of_registers = 0;
  for (const json& b : e["breakdown"]["registers"]) of_registers += b["trials"].get<std::int64_t>();
  EXPECT_EQ(of_registers, 1000);
}

TEST_F(Sample, ImportanceDrawsWhatIsEmphasised) {
  const json sample = {{"method", "importance"},
                       {"emphasis",
                        {{{"sites", "array.pe[*][*].acc:30,array.pe[*][*].acc:31"}, {"factor", 40}},
                         {{"sites", "array.**"}, {"factor", 4}}}}};
  const auto campaign = run(fault("logic", sample, 3000), 3);
  const auto trials = test::trials_of(*campaign, 0);
  std::map<int, int> n;
  for (const TrialResult& t : trials) ++n[t.stratum];
  const FaultResult& r = campaign->faults(0);
  ASSERT_EQ(r.rates.strata(), 3U);
  const auto sites = static_cast<double>(r.sites);
  const double first = 40 * 32 * 2;
  double array = 0;
  for (const RegisterClass& c : campaign->machines()[0].registers) {
    if (c.path.starts_with("array.")) array += static_cast<double>(c.bits());
  }
  array -= 64;
  const double drawn = first + 4 * array + (sites - 64 - array);
  EXPECT_NEAR(n[0], 3000 * first / drawn, 6 * std::sqrt(3000 * first / drawn));
  EXPECT_NEAR(n[1], 3000 * 4 * array / drawn, 6 * std::sqrt(3000 * 4 * array / drawn));
  const json e = fault_results(*campaign)["configurations"][0];
  EXPECT_LT(e["sample"]["effective_size"], 3000);
  EXPECT_GT(e["sample"]["effective_size"], 300);
}

TEST_F(Sample, StrataOfLayersHoldTheirCycles) {
  const json sample = {
      {"method", "stratified"}, {"by", {"block", "layer"}}, {"allocation", "proportional"}};
  const auto campaign = run(fault("logic", sample, 400), 3);
  std::map<int, std::map<int, int>> layers;
  for (const TrialResult& t : test::trials_of(*campaign, 0)) ++layers[t.stratum][t.layer];
  const int count = static_cast<int>(campaign->network().layers.size());
  for (const auto& [stratum, of] : layers) {
    for (const auto& [layer, n] : of) {
      // Behind the last layer's work the machine is done with it, and before the first one's it
      // loads.
      if (layer < count) {
        EXPECT_EQ(layer, stratum % count);
      }
    }
  }
}

TEST_F(Sample, WhatMakesNoSenseIsRefused) {
  const auto has = [&](const json& plan, const std::vector<std::string>& texts, int images = 2) {
    const std::string message = refusal(plan, images);
    for (const std::string& text : texts) {
      EXPECT_NE(message.find(text), std::string::npos) << message << " lacks " << text;
    }
  };
  has(fault("all", {{"error", 0.01}}, 100), {"$.fault.trials", "the sample says how many"});
  has(fault("all", {{"confidence", 0.9}}, 100), {"$.fault.sample.confidence", "\"error\""});
  has(fault("all", {{"stop", "sequence"}}, 100), {"$.fault.sample.stop"});
  has(fault("all", {{"by", {"layer"}}}, 100), {"$.fault.sample.by", "stratified"});
  has(fault("all", {{"method", "stratified"}, {"by", {"block", "register"}}}, 100),
      {"leave \"block\" out"});
  has(fault("all", {{"method", "stratified"}, {"bits", 4}}, 100), {"$.fault.sample.bits"});
  has(fault("all", {{"method", "stratified"}, {"allocation", "proportional"}, {"pilot", 4}}, 100),
      {"$.fault.sample.pilot"});
  has(fault("all", {{"method", "stratified"}}, 100), {"$.fault.sample.floor", "strata"});
  has(fault("all", {{"method", "importance"}}, 100), {"$.fault.sample.emphasis", "missing"});
  has(fault("logic",
            {{"method", "importance"},
             {"emphasis", {{{"sites", "memory.weight.**"}, {"factor", 2}}}}},
            100),
      {"$.fault.sample.emphasis[0].sites", "memory.weight.**"});
  has(fault("all", {{"method", "exhaustive"}}), {"$.fault.sample.method", "faults"}, 500);
  has(fault("array.pe[0][0].acc:3", {{"method", "stratified"}}, 1'000'000),
      {"$.fault.sample.method", "exhaustive"});
  json plan = fault("logic", {{"method", "stratified"}}, 100);
  plan["upsets"] = 2;
  has(plan, {"$.fault.upsets", "single"});
  plan = fault("logic", {{"method", "exhaustive"}});
  plan["population"] = "common";
  has(plan, {"$.fault.population"});
  has({{"level", "weight"}, {"rate", 1e-3}, {"sample", {{"method", "stratified"}}}},
      {"$.fault.sample.method", "weight"});
  has(fault("all", {{"error", 1e-6}}), {"$.fault.sample.error", "most"});
  has(fault("all", {{"error", 1e-9}, {"stop", "sequence"}}), {"$.fault.sample.error", "most"});
  has(fault("all", {{"error", 1.5}}), {"$.fault.sample.error", "not below 0.5", "and below 0.5"});
}

// AVF, N x p and FIT are the outcomes' shares, in all and in each group.
TEST_F(Sample, VulnerabilityFollowsFromTheOutcomes) {
  json f = fault("all", nullptr, 3000);
  for (const bool alike : {true, false}) {
    Experiment e = experiment(f, 20);
    if (!alike) {
      json tech = json::parse(read_file(kSource + "/configs/tech/45nm.json"));
      tech["soft_error"]["sram"]["value"] = 500;
      tech["soft_error"]["flip_flop"]["value"] = 40'000;
      e.technology_path = folder_.write("tech.json", tech.dump());
    }
    Campaign campaign(std::move(e));
    campaign.run_trials(2, nullptr);
    const json c = fault_results(campaign)["configurations"][0];
    const auto outcome = [&](const char* name) { return c["outcomes"][name].get<int>(); };
    const int failures =
        c["sdc_rate"]["count"].get<int>() + outcome("hang") + outcome("detected_uncorrected");
    ASSERT_GT(failures, 0);
    const json& avf = c["avf"];
    EXPECT_EQ(avf["any"]["count"], failures);
    EXPECT_EQ(avf["any"]["n"], 3000);
    EXPECT_EQ(avf["active"]["count"], failures);
    EXPECT_EQ(avf["active"]["n"], 3000 - outcome("masked_idle") - outcome("not_fired"));
    EXPECT_EQ(avf["in_use"]["count"], avf["active"]["n"]);
    EXPECT_LT(avf["any_exact"]["low"], avf["any"]["value"]);
    EXPECT_EQ(avf["any_exact"]["count"], failures);
    EXPECT_EQ(avf["sdc_by_image"]["count"], c["sdc_rate"]["count"]);
    EXPECT_EQ(avf["sdc_by_image"]["images"], 20);
    const double share = failures / 3000.0;
    const double bits = c["fault"]["bits"].get<double>();
    EXPECT_NEAR(c["absolute_failures"]["any"]["value"].get<double>(),
                c["fault"]["bits_x_cycles"].get<double>() * share, 1);
    double fit = 950.0 / (1 << 20) * bits * share;
    if (!alike) {
      fit = 0;
      std::map<std::string, Storage> storage;
      for (const RegisterClass& r : campaign.machines()[0].registers) storage[r.path] = r.storage;
      for (const json& r : c["breakdown"]["registers"]) {
        const double rate = storage.at(r["register"]) == Storage::sram ? 500 : 40'000;
        fit += rate / (1 << 20) * bits * r["avf"]["count"].get<double>() / 3000;
      }
    }
    EXPECT_NEAR(c["fit"]["value"].get<double>(), fit, 1e-9 * fit);
    EXPECT_LT(c["fit"]["low"], c["fit"]["value"]);
    for (const char* list : {"blocks", "registers", "bits", "layers"}) {
      int trials = 0;
      for (const json& g : c["breakdown"][list]) {
        trials += g["trials"].get<int>();
        EXPECT_EQ(g["avf"]["n"], g["trials"]);
        EXPECT_EQ(g["avf"]["count"].get<int>(),
                  g["sdc"].get<int>() + g["hang"].get<int>() + g["uncorrected"].get<int>());
        EXPECT_EQ(g["avf_active"]["n"].get<int>(), g["trials"].get<int>() - g["idle"].get<int>());
      }
      EXPECT_EQ(trials, 3000 - outcome("not_fired")) << list;
    }
  }
}

// Elements are a population without end: the formula's other limit.
TEST_F(Sample, OfWeightsItsErrorGivesTheNumber) {
  const auto campaign = run({{"level", "weight"}, {"rate", 1e-3}, {"sample", {{"error", 0.1}}}});
  EXPECT_EQ(campaign->faults(0).trials, 97);
}

TEST_F(Sample, ResolvesToItself) {
  const json sample = {
      {"method", "stratified"}, {"by", {"register", "bits", "layer"}}, {"bits", 4}};
  const Experiment e = experiment(fault("logic", sample, 500));
  folder_.write("again.json", e.resolved.dump());
  const Experiment again = load_experiment(folder_ / "again.json", {});
  EXPECT_EQ(again.resolved, e.resolved);
  EXPECT_EQ(again.configurations[0].fault, e.configurations[0].fault);
  EXPECT_EQ(e.resolved["fault"]["sample"]["pilot"], 10);
}

}  // namespace
}  // namespace sagitta
