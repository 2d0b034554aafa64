// A campaign's figures, counted again from its trials; and what the report says about them.
#include "campaign/campaign.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "report/results.h"
#include "report/table.h"
#include "support/machine_cases.h"
#include "support/random_network.h"
#include "support/trials.h"

namespace sagitta {
namespace {

const std::string kSource = SAGITTA_SOURCE_DIR;

Campaign small_campaign(const std::vector<std::string>& more = {}) {
  std::vector<std::string> set = {
      "images=25", "calibration_images=30", "array={\"rows\": 8}",
      "fault={\"upsets\": [1, 24], \"trials\": 60, \"sites\": \"logic\"}"};
  set.insert(set.end(), more.begin(), more.end());
  Campaign campaign(load_experiment(kSource + "/configs/lenet5.json", set));
  campaign.run_trials(2, nullptr);
  return campaign;
}

TEST(Campaign, RatesAreThoseOfTheTrials) {
  const Campaign campaign = small_campaign(
      {R"(scheme=["none","range-zero","gradient","tmr-array","dmr","dmr-recompute"])"});
  const auto results = fault_results(campaign);
  ASSERT_EQ(results.at("configurations").size(), 12U);
  int hangs = 0;
  std::map<std::string, std::int64_t> told_by;
  for (std::size_t i = 0; i < 12; ++i) {
    const auto& c = results.at("configurations")[i];
    SCOPED_TRACE(c.at("name").get<std::string>());
    std::int64_t correct = 0, reference = 0, sdc = 0, masked = 0, detected = 0, hang = 0, right = 0,
                 wrong = 0, uncorrected = 0;
    for (const TrialResult& t : test::trials_of(campaign, static_cast<int>(i))) {
      const std::string name = to_string(t.outcome);
      const int label = campaign.images().labels[static_cast<std::size_t>(t.image)];
      const bool told = name == "detected_uncorrected";
      correct += t.predicted_class == label && !told ? 1 : 0;
      uncorrected += told ? 1 : 0;
      reference += t.reference_class == label ? 1 : 0;
      sdc += name == "critical" || name == "sdc5" || name == "sdc1" ? 1 : 0;
      masked += name.starts_with("masked_") ? 1 : 0;
      detected += name.starts_with("detected_") ? 1 : 0;
      hang += name == "hang" ? 1 : 0;
      right += t.suppressed_right;
      wrong += t.suppressed_wrong;
      if (name == "hang" || told) {
        EXPECT_FALSE(t.correct);
        EXPECT_EQ(t.predicted_class, -1);
      }
    }
    hangs += static_cast<int>(hang);
    const auto count = [&c](const char* key) { return c.at(key).at("count").get<std::int64_t>(); };
    EXPECT_EQ(count("accuracy_under_faults"), correct);
    EXPECT_EQ(count("accuracy_fault_free_same_draws"), reference);
    EXPECT_EQ(count("sdc_rate"), sdc);
    EXPECT_EQ(count("masked_rate"), masked);
    EXPECT_EQ(count("detected_rate"), detected);
    EXPECT_EQ(count("hang_rate"), hang);
    EXPECT_EQ(count("uncorrected_rate"), uncorrected);
    told_by[c.at("scheme")] += uncorrected;
    EXPECT_EQ(c.at("suppressions").at("right"), right);
    EXPECT_EQ(c.at("suppressions").at("wrong"), wrong);
    EXPECT_EQ(c.at("sdc_rate").at("n"), 60);
  }
  EXPECT_GT(hangs, 0);
  EXPECT_GT(told_by.at("dmr"), 0);
  EXPECT_LT(told_by.at("dmr-recompute"), told_by.at("dmr"));
  EXPECT_EQ(told_by.at("none") + told_by.at("gradient") + told_by.at("tmr-array"), 0);
}

// Bounds fitted on two images only, so that many clean images fall outside them.
TEST(Campaign, FalseAlarmsAreThoseOfTheFaultFreeRuns) {
  const Campaign campaign = small_campaign({"calibration_images=2", "fault.trials=1"});
  const auto results = fault_results(campaign);
  std::map<std::string, std::int64_t> alarmed;
  for (const auto& c : results.at("configurations")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const auto same = [&c](const MachinePlan& m) { return m.scheme.name == c.at("scheme"); };
    const auto& plans = campaign.machines();
    Machine machine(std::find_if(plans.begin(), plans.end(), same)->program);
    std::int64_t images = 0, rows = 0, values = 0;
    for (int i = 0; i < campaign.images().count(); ++i) {
      const auto image = campaign.images().image(i);
      machine.reset(image.data());
      while (!machine.done()) machine.step();
      images += machine.mismatches() > 0 || !machine.suppressions().empty() ? 1 : 0;
      rows += machine.mismatches();
      values += static_cast<std::int64_t>(machine.suppressions().size());
    }
    const auto& alarms = c.at("false_alarms");
    EXPECT_EQ(alarms.at("images").at("count"), images);
    EXPECT_EQ(alarms.at("images").at("n"), 25);
    EXPECT_EQ(alarms.at("rows"), rows);
    EXPECT_EQ(alarms.at("suppressed_values").at("count"), values);
    alarmed[c.at("scheme")] = images;
  }
  EXPECT_EQ(alarmed.at("none"), 0);
  EXPECT_EQ(alarmed.at("tmr-pe"), 0);
  EXPECT_GT(alarmed.at("range-zero"), 0);
  EXPECT_LT(alarmed.at("range-zero"), 25);
}

TEST(Campaign, ThresholdsComeFromTheCalibrationSet) {
  const Campaign campaign = small_campaign({"fault.trials=1"});
  const ImageSet calibration = campaign.folder().load_calibration(30);
  for (const ThresholdFit& fit : campaign.thresholds().fits) {
    const FitRequest request{fit.key, {1, fit.key.columns}};
    const ThresholdFit again = fit_bounds(campaign.network(), calibration, {request}, {}).at(0);
    const ThresholdFit test =
        fit_bounds(campaign.network(), campaign.images(), {request}, {}).at(0);
    ASSERT_EQ(fit.layers.size(), again.layers.size());
    for (std::size_t l = 0; l < fit.layers.size(); ++l) {
      EXPECT_EQ(fit.layers[l].bounds, again.layers[l].bounds);
      EXPECT_NE(fit.layers[l].bounds, test.layers[l].bounds);
    }
  }
  EXPECT_EQ(campaign.thresholds().fits.size(), 2U);
}

// A value outside its bounds on clean data is suppressed wrongly, a struck one rightly.
TEST(Campaign, SuppressionsAreJudged) {
  test::Random random(5);
  Network network;
  network.input = {1, 1, 8};
  network.layers.push_back(test::random_gemm(random, network.input, true));
  Protection p;
  p.checkers.emplace_back().layers = {{"", {{INT32_MIN / 2, INT32_MAX / 2}}}};
  const Program program = compile(network, {2, 16}, {}, p, "test");
  TrialEngine engine(program, network);
  engine.prepare(0, random.int8s(8), 0);
  // The sign bit of a biased sum, in the one cycle in which the sum is valid.
  const Site site = engine.sites().parse("vector.bias_add.sum[0]:31", "test", "");
  int judged = 0;
  for (std::int64_t cycle = 0; cycle < engine.clean_cycles(); ++cycle) {
    const TrialResult t = engine.run(0, {{site, cycle}});
    EXPECT_EQ(t.suppressed_wrong, 0);
    judged += static_cast<int>(t.suppressed_right);
  }
  EXPECT_EQ(judged, 1);

  p.checkers[0].layers = {{"", {{1, 0}}}};  // nothing is inside
  const Program closed = compile(network, {2, 16}, {}, p, "test");
  TrialEngine clean(closed, network);
  clean.prepare(0, random.int8s(8), 0);
  const TrialResult t = clean.run(0, {});
  EXPECT_EQ(t.suppressed_right, 0);
  EXPECT_EQ(t.suppressed_wrong, network.layers[0].columns());
}

// A network whose channels stand in another order is the same network: the same neurons and weights
// are hit, and the same becomes of them.
TEST(Campaign, FaultsOfNeuronsAndWeightsDoNotDependOnTheOrderOfChannels) {
  for (const char* level : {R"({"level": "neuron", "values": "int32", "rate": 0.01, "trials": 30})",
                            R"({"level": "neuron", "values": "int8", "rate": 0.05, "trials": 30})",
                            R"({"level": "weight", "rate": 0.003, "trials": 30})"}) {
    const Campaign campaign = small_campaign(
        {R"(scheme=["range-zero", {"kind": "chain", "order": "near", "checkers": [{"kind": "range"}]}])",
         "fault=" + std::string(level)});
    ASSERT_EQ(campaign.machines().size(), 2U);
    EXPECT_TRUE(campaign.machines()[0].orders.empty());
    EXPECT_FALSE(campaign.machines()[1].orders.empty());
    const FaultResult& natural = campaign.faults(0);
    const FaultResult& near = campaign.faults(1);
    EXPECT_EQ(natural.outcomes, near.outcomes) << level;
    EXPECT_EQ(natural.suppressed_right, near.suppressed_right);
    EXPECT_EQ(natural.suppressed_wrong, near.suppressed_wrong);
    const auto of_natural = test::trials_of(campaign, 0);
    const auto of_near = test::trials_of(campaign, 1);
    ASSERT_EQ(of_natural.size(), 30U);
    ASSERT_EQ(of_near.size(), 30U);
    for (std::size_t k = 0; k < of_natural.size(); ++k) {
      EXPECT_EQ(of_natural[k].outcome, of_near[k].outcome) << level << k;
      EXPECT_EQ(of_natural[k].predicted_class, of_near[k].predicted_class);
      EXPECT_EQ(of_natural[k].faults_drawn, of_near[k].faults_drawn);
    }
    EXPECT_GT(natural.drawn, 100) << level;
  }
}

// Without faults nothing that a chain suppresses differs from the fault-free run, whatever the
// checkers before made of it.
TEST(Campaign, LaterSuppressionsOfAChainAreJudgedByWhatReachesThem) {
  std::int64_t suppressed = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    test::Random random(900 + seed);
    const Network network = test::random_network(random);
    Protection p;
    p.checksum = true;
    for (int i = 0; i < 3; ++i) {
      const CheckerKind kinds[] = {CheckerKind::range, CheckerKind::gradient, CheckerKind::median};
      p.checkers.push_back(
          test::random_checker(random, network, kinds[random.between(0, 2)], false));
    }
    const Program program = compile(network, {2, 5}, {}, p, "test");
    TrialEngine engine(program, network);
    engine.prepare(0, random.int8s(network.input.elements()), 0);
    const TrialResult t = engine.run(0, {});
    EXPECT_EQ(t.suppressed_right, 0) << seed;
    suppressed += t.suppressed_wrong;
  }
  EXPECT_GT(suppressed, 1000);
}

TEST(Outcomes, GroupsHoldTheClassesThatTheContractNames) {
  for (int i = 0; i < kOutcomes; ++i) {
    const auto outcome = static_cast<Outcome>(i);
    const std::string name = to_string(outcome);
    EXPECT_EQ(is_sdc(outcome), name == "critical" || name == "sdc5" || name == "sdc1") << name;
    EXPECT_EQ(is_masked(outcome), name.starts_with("masked_")) << name;
  }
}

nlohmann::ordered_json row(const std::string& scheme, const std::string& kind, int upsets,
                           double clean, double faulty, const std::string& population = "own") {
  const auto p = [](double v) {
    return nlohmann::ordered_json{
        {"value", v}, {"low", v - 0.01}, {"high", v + 0.01}, {"count", 1}, {"n", 1}};
  };
  return {{"array", {{"rows", 8}, {"cols", 8}}},
          {"scheme", scheme},
          {"scheme_kind", kind},
          {"trials", 100},
          {"fault",
           {{"level", "register"},
            {"model", "seu"},
            {"sites", "logic"},
            {"upsets", upsets},
            {"bits_x_cycles", kind == "none" ? 4e6 : 9e6},
            {"population", population},
            {"seed", 1},
            {"list", ""}}},
          {"accuracy_fault_free_same_draws", p(clean)},
          {"accuracy_under_faults", p(faulty)},
          {"overhead", {{"area", 0.5}, {"energy", 0.25}, {"cycles", 0.0}}}};
}

std::string finding_of(const std::vector<nlohmann::ordered_json>& rows) {
  nlohmann::ordered_json results;
  results["configurations"] = rows;
  return finding(results);
}

TEST(Finding, ComparesWithTheUnprotectedMachineWhereItLosesMost) {
  const std::string text =
      finding_of({row("none", "none", 1, 1, 0.99), row("tmr", "tmr-pe", 1, 1, 1),
                  row("none", "none", 9, 1, 0.5), row("tmr", "tmr-pe", 9, 1, 0.8)});
  EXPECT_EQ(
      text,
      "With 9 upsets an inference in logic sites of the 8x8 os machine, accuracy falls unprotected "
      "from 100.0 % to 50.0 %; tmr reaches 80.0 % for +50 % area and +25 % energy. The upsets are "
      "as "
      "many for each, the targets are not: in bits x cycles, relative to the unprotected one, tmr "
      "2.25. The same faults for all: sagitta compare.");
  EXPECT_EQ(finding_of({row("none", "none", 9, 1, 0.5, "common"),
                        row("tmr", "tmr-pe", 9, 1, 0.8, "common")})
                .find("targets"),
            std::string::npos);
}

TEST(Finding, KnowsTheUnprotectedMachineByKindAndNotByName) {
  EXPECT_NE(finding_of({row("baseline", "none", 1, 1, 0.5)}).find("falls unprotected from"),
            std::string::npos);
  EXPECT_EQ(finding_of({row("x", "tmr-pe", 1, 1, 0.5)}),
            "No unprotected configuration to compare with.");
}

// Intervals are 0.01 wide on either side. The difference counts only where they are wholly apart:
// on either side of the unprotected machine's, and not yet where they touch.
TEST(Finding, SaysWhereTheIntervalsLeaveItOpen) {
  const auto within = [](double accuracy) {
    return finding_of({row("none", "none", 9, 1, 0.5), row("x", "tmr-pe", 9, 1, accuracy)})
               .find("energy (its interval overlaps none's).") != std::string::npos;
  };
  EXPECT_TRUE(within(0.5));
  EXPECT_TRUE(within(0.515));
  EXPECT_TRUE(within(0.485));
  EXPECT_FALSE(within(0.525));
  EXPECT_FALSE(within(0.475));
}

TEST(Finding, DoesNotMixFaultPlansOrInventALoss) {
  const std::string text =
      finding_of({row("none", "none", 9, 1, 0.5), row("none", "none", 9, 1, 0.7, "common"),
                  row("tmr", "tmr-pe", 9, 1, 0.8, "common")});
  EXPECT_EQ(text.find("tmr"), std::string::npos);
  EXPECT_EQ(text.find("none"), std::string::npos);
  EXPECT_EQ(finding_of({row("none", "none", 1, 1, 1)}),
            "None of these faults cost the unprotected machine any accuracy.");
}

}  // namespace
}  // namespace sagitta
