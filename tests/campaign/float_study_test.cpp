// Studies in real numbers as experiments ask for them: beside machines, on the same faults.
#include "campaign/float_study.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "base/error.h"
#include "report/results.h"
#include "report/table.h"
#include "support/trials.h"

namespace sagitta {
namespace {

const std::string kSource = SAGITTA_SOURCE_DIR;

Campaign study(const std::vector<std::string>& more = {}, int workers = 2) {
  std::vector<std::string> set = {
      "images=20", "calibration_images=30", "array={\"rows\": 8}",
      R"(fault={"level": "neuron", "values": "fp32", "rate": [0.001, 0.05], "trials": 40})"};
  set.insert(set.end(), more.begin(), more.end());
  Campaign campaign(load_experiment(kSource + "/configs/lenet5.json", set));
  campaign.run_trials(workers, nullptr);
  return campaign;
}

// In one experiment: the same trials strike the same images, in the same order.
TEST(FloatStudies, StandBesideMachines) {
  const Campaign campaign = study({R"(scheme=["none","range-zero","gradient"])",
                                   R"(fault.values=["int32","fp32"])", "fault.rate=0.01"});
  ASSERT_EQ(campaign.machines().size(), 3U);
  ASSERT_EQ(campaign.studies().size(), 3U);
  const auto results = sweep_results(campaign);
  for (int i = 0; i < 6; ++i) {
    const bool real =
        campaign.experiment().configurations[static_cast<std::size_t>(i)].fault.of_floats();
    EXPECT_EQ(real, i % 2 == 1);
    EXPECT_EQ(campaign.machine_of(i) < 0, real);
    EXPECT_EQ(campaign.study_of(i) < 0, !real);
    const auto& c = results.at("configurations")[static_cast<std::size_t>(i)];
    EXPECT_EQ(c.contains("study"), real);
    for (const char* key : {"cycles_per_image", "area_um2", "energy_pj_per_image", "state_bits"}) {
      EXPECT_EQ(c.at(key).is_null(), real) << key;
    }
    EXPECT_EQ(c.at("overhead").at("area").is_null(), real);
    EXPECT_EQ(c.at("fault").at("values"), real ? "fp32" : "int32");
    EXPECT_EQ(c.at("fault").at("elements"), neuron_count(campaign.network()));
    if (!real) continue;
    // The machine's configuration of the same scheme.
    const auto& machine = results.at("configurations")[static_cast<std::size_t>(i - 1)];
    EXPECT_EQ(c.at("threshold_bytes"), machine.at("threshold_bytes"));
    EXPECT_EQ(c.at("name"), machine.at("name"));
    EXPECT_EQ(c.at("faults_drawn"), machine.at("faults_drawn"));
    const auto a = test::trials_of(campaign, i);
    const auto b = test::trials_of(campaign, i - 1);
    for (std::size_t k = 0; k < a.size(); ++k) {
      EXPECT_EQ(a[k].image, b[k].image);
      EXPECT_EQ(a[k].faults_drawn, b[k].faults_drawn);
    }
  }
  // none with the other two, apart for each kind of values.
  ASSERT_EQ(results.at("pairs").size(), 4U);
  std::multiset<std::string> values;
  for (const auto& p : results.at("pairs")) values.insert(p.at("values").get<std::string>());
  EXPECT_EQ(values, (std::multiset<std::string>{"fp32", "fp32", "int32", "int32"}));
  const std::string table = fault_table(results, false);
  EXPECT_NE(table.find("fp32 neurons: a study in software"), std::string::npos) << table;
}

TEST(FloatStudies, FiguresAreThoseOfTheTrials) {
  const Campaign campaign = study({R"(scheme=["none","range-zero","gradient-tuned","median"])"});
  const auto results = fault_results(campaign);
  const FloatNetwork real(campaign.network());
  const auto filter = [&](std::size_t layer, std::vector<float>& sums) {
    const Checker median{.kind = CheckerKind::median};
    const ChannelLanes lanes(campaign.network().layers[layer], {8, 8}, {});
    for (const auto& [element, value] : FloatChecker(median, lanes, {}).replacements(sums, {})) {
      sums[static_cast<std::size_t>(element)] = value;
    }
  };
  ASSERT_EQ(results.at("configurations").size(), 8U);
  std::int64_t suppressed = 0, sdc = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    const auto& c = results.at("configurations")[i];
    SCOPED_TRACE(c.at("name").get<std::string>());
    std::int64_t correct = 0, reference = 0, right = 0, wrong = 0, outcomes = 0;
    for (const TrialResult& t : test::trials_of(campaign, static_cast<int>(i))) {
      const int label = campaign.images().labels[static_cast<std::size_t>(t.image)];
      EXPECT_EQ(t.correct, t.predicted_class == label);
      correct += t.predicted_class == label ? 1 : 0;
      reference += t.reference_class == label ? 1 : 0;
      right += t.suppressed_right;
      wrong += t.suppressed_wrong;
      sdc += is_sdc(t.outcome) ? 1 : 0;
    }
    for (const auto& [name, count] : c.at("outcomes").items())
      outcomes += count.get<std::int64_t>();
    EXPECT_EQ(outcomes, 40);
    EXPECT_EQ(c.at("accuracy_under_faults").at("count"), correct);
    EXPECT_EQ(c.at("accuracy_fault_free_same_draws").at("count"), reference);
    EXPECT_EQ(c.at("suppressions").at("right"), right);
    EXPECT_EQ(c.at("suppressions").at("wrong"), wrong);
    suppressed += right;
    const bool filtered = c.at("scheme") == "median";
    if (c.at("scheme") != "none" && !filtered) continue;
    std::int64_t clean = 0;
    for (int image = 0; image < campaign.images().count(); ++image) {
      const auto at = static_cast<std::size_t>(image);
      const auto values = real.run(campaign.images().image(image),
                                   filtered ? FloatNetwork::Change(filter) : nullptr);
      clean += top1(values.back().output) == campaign.images().labels[at] ? 1 : 0;
    }
    EXPECT_EQ(c.at("accuracy").at("count"), clean);
    EXPECT_EQ(c.at("threshold_bytes"), 0);
    EXPECT_EQ(c.at("false_alarms").at("images").at("count"), filtered ? 20 : 0);
    EXPECT_EQ(clean < 10, filtered) << clean;
  }
  EXPECT_GT(suppressed, 100);
  EXPECT_GT(sdc, 10);
}

TEST(FloatStudies, DoNotDependOnTheNumberOfWorkers) {
  const std::vector<std::string> schemes = {R"(scheme=["gradient-tuned","median"])"};
  EXPECT_EQ(sweep_results(study(schemes, 1)).dump(), sweep_results(study(schemes, 3)).dump());
}

// Bounds come from calibration images, and from those only.
TEST(FloatStudies, BoundsComeFromTheCalibrationSet) {
  const Campaign campaign = study({R"(scheme=["range-zero","gradient"])", "fault.trials=1"});
  const ImageSet calibration = campaign.folder().load_calibration(30);
  ASSERT_EQ(campaign.thresholds().fits.size(), 2U);
  for (const ThresholdFit& fit : campaign.thresholds().fits) {
    EXPECT_TRUE(fit.key.floats);
    const FitRequest request{fit.key, {1, fit.key.columns}};
    const auto of = [&](const ImageSet& images) {
      return fit_float_bounds(campaign.network(), images, {request}, {}).at(0);
    };
    const ThresholdFit again = of(calibration), test = of(campaign.images());
    for (std::size_t l = 0; l < fit.layers.size(); ++l) {
      EXPECT_EQ(fit.layers[l].float_bounds, again.layers[l].float_bounds);
      EXPECT_NE(fit.layers[l].float_bounds, test.layers[l].float_bounds);
    }
  }
  std::set<std::vector<std::int8_t>> seen;
  for (int i = 0; i < calibration.count(); ++i) seen.insert(calibration.image(i));
  for (int i = 0; i < campaign.images().count(); ++i) {
    EXPECT_EQ(seen.count(campaign.images().image(i)), 0U) << i;
  }
}

// The order of channels says who are neighbours: what looks at no neighbours does not see it.
TEST(FloatStudies, RangeDoesNotDependOnTheOrderOfChannels) {
  const Campaign campaign = study(
      {R"(scheme=["range-zero", {"kind": "chain", "order": "near", "checkers": [{"kind": "range"}]},)"
       R"("gradient", {"kind": "gradient", "name": "near", "order": "near"}])"});
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(campaign.faults(i).outcomes, campaign.faults(2 + i).outcomes);
    EXPECT_EQ(campaign.faults(i).suppressed_right, campaign.faults(2 + i).suppressed_right);
  }
  EXPECT_NE(campaign.faults(5).suppressed_right, campaign.faults(7).suppressed_right);
  const auto& orders = campaign.thresholds().orders;
  const auto near = layer_channels(campaign.network(), orders, 8);
  ASSERT_EQ(orders.size(), 1U);
  EXPECT_GT(std::count_if(near.begin(), near.end(), [](const auto& o) { return !o.empty(); }), 1);
  for (std::size_t i = 0; i < 4; ++i) {
    const auto& channels = campaign.studies()[i].channels;
    EXPECT_EQ(channels, i % 2 == 1 ? near : std::vector<ChannelOrder>(near.size())) << i;
  }
}

TEST(FloatStudies, TakeSchemesOfCheckersOnly) {
  const auto refusal = [](const std::string& scheme) -> std::string {
    try {
      Campaign(load_experiment(kSource + "/configs/lenet5.json",
                               {"calibration_images=3", "scheme=" + scheme,
                                R"(fault=[{}, {"level": "neuron", "values": ["int32", "fp32"],)"
                                R"( "rate": 0.1}])"}));
    } catch (const InputError& e) {
      return e.where() + ": " + e.what();
    }
    return "";
  };
  for (const char* kind : {"checksum-recompute", "tmr-pe", "tmr-reg", "tmr-array", "tmr-time",
                           "dmr", "dmr-recompute", "parity", "secded"}) {
    const std::string text = refusal(std::string("[\"none\", \"") + kind + "\"]");
    EXPECT_NE(text.find("values: fp32 is a study in software, in which scheme " +
                        std::string(kind) + " has no place: it is registers or copies"),
              std::string::npos)
        << text;
  }
  const std::string hardened = refusal(R"({"kind": "hardened", "hardened": ["array.**"]})");
  EXPECT_NE(hardened.find("scheme hardened has no place"), std::string::npos) << hardened;
  const std::string joined = refusal(R"({"kind": "gradient", "with": ["tmr-pe"]})");
  EXPECT_NE(joined.find("scheme gradient+tmr-pe has no place"), std::string::npos) << joined;
  const std::string outputs = refusal(R"({"kind": "range-zero", "position": "output"})");
  EXPECT_NE(outputs.find("its range checker looks at int8 outputs"), std::string::npos) << outputs;
  for (const char* kind :
       {"none", "range-zero", "range-clamp", "gradient", "gradient-tuned", "median"}) {
    Scheme scheme = scheme_from({{"kind", kind}}, nullptr);
    EXPECT_EQ(no_float_study(scheme), "") << kind;
  }
  EXPECT_EQ(no_float_study(scheme_from({{"kind", "oracle"}}, nullptr)), "");
}

}  // namespace
}  // namespace sagitta
