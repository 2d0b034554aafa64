// Fault models of registers in experiment files: which keys each has, and what lists of them give.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "campaign/experiment.h"
#include "support/experiment_folder.h"

namespace sagitta {
namespace {

class ExperimentModels : public ::testing::Test {
 protected:
  Experiment load(const std::string& fault) const {
    return folder_.load(R"({"network": "net", "fault": )" + fault + "}");
  }
  // "model upsets rate cluster_size cluster_along onset duration" of each configuration.
  std::vector<std::string> plans(const std::string& fault) const {
    std::vector<std::string> all;
    const Experiment experiment = load(fault);
    for (const Configuration& c : experiment.configurations) {
      const FaultPlan& f = c.fault;
      all.push_back(f.model + " " + std::to_string(f.upsets) + " " + std::to_string(f.rate * 1e9) +
                    " " + std::to_string(f.cluster_size) + " " + f.cluster_along + " " + f.onset +
                    " " + std::to_string(f.duration));
    }
    // What it resolves to gives the same.
    const Experiment again =
        folder_.load(R"({"network": "net", "fault": )" + experiment.resolved["fault"].dump() + "}");
    EXPECT_EQ(again.resolved["fault"].dump(), experiment.resolved["fault"].dump());
    EXPECT_EQ(again.configurations.size(), experiment.configurations.size());
    for (std::size_t i = 0; i < again.configurations.size(); ++i) {
      EXPECT_EQ(again.configurations[i].fault, experiment.configurations[i].fault);
    }
    return all;
  }
  void refused(const std::string& fault, const std::string& where,
               const std::vector<std::string>& parts) const {
    try {
      load(fault);
      ADD_FAILURE() << "no error for " << fault;
    } catch (const InputError& error) {
      EXPECT_EQ(error.where(), where) << error.what();
      for (const std::string& part : parts) {
        EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
            << "no \"" << part << "\" in: " << error.what();
      }
    }
  }
  test::ExperimentFolder folder_;
};

using Plans = std::vector<std::string>;

TEST_F(ExperimentModels, DefaultsOfEach) {
  const std::string rest = " 1 0.000000 2 bits drawn 100";
  for (const std::string model : {"seu", "mbu", "stuck-at-0", "stuck-at-1", "intermittent"}) {
    EXPECT_EQ(plans(R"({"model": ")" + model + R"("})"), (Plans{model + rest}));
  }
  EXPECT_EQ(plans(R"({"model": "rate", "rate": 1e-9})"),
            (Plans{"rate 1 1.000000 2 bits drawn 100"}));
}

TEST_F(ExperimentModels, KeysAreResolvedWhereTheModelHasThem) {
  const auto keys = [&](const std::string& fault) {
    const Experiment experiment = load(fault);
    std::string all;
    for (const auto& [key, value] : experiment.resolved["fault"].items()) all += key + " ";
    return all;
  };
  const std::string tail = "trials seed sites population list ";
  EXPECT_EQ(keys("{}"), "level model upsets " + tail);
  EXPECT_EQ(keys(R"({"model": "mbu"})"), "level model cluster_size cluster_along upsets " + tail);
  EXPECT_EQ(keys(R"({"model": "stuck-at-0"})"), "level model onset upsets " + tail);
  EXPECT_EQ(keys(R"({"model": "intermittent"})"), "level model duration upsets " + tail);
  EXPECT_EQ(keys(R"({"model": "rate", "rate": 1e-9})"), "level model rate " + tail);
  EXPECT_EQ(keys(R"({"model": ["seu", "stuck-at-1"]})"), "level model onset upsets " + tail);
}

TEST_F(ExperimentModels, ListsMultiplyOnlyTheModelsThatHaveThem) {
  EXPECT_EQ(plans(R"({"model": ["seu", "mbu"], "cluster_size": [2, 4]})"),
            (Plans{"seu 1 0.000000 2 bits drawn 100", "mbu 1 0.000000 2 bits drawn 100",
                   "mbu 1 0.000000 4 bits drawn 100"}));
  EXPECT_EQ(plans(R"({"model": ["seu", "rate"], "upsets": [3, 5], "rate": [1e-9, 2e-9]})"),
            (Plans{"seu 3 0.000000 2 bits drawn 100", "rate 1 1.000000 2 bits drawn 100",
                   "seu 5 0.000000 2 bits drawn 100", "rate 1 2.000000 2 bits drawn 100"}));
  EXPECT_EQ(plans(R"({"model": ["stuck-at-0", "stuck-at-1"], "onset": ["start", "drawn"],
                      "upsets": [1, 4]})")
                .size(),
            8U);
  EXPECT_EQ(plans(R"({"model": ["intermittent", "mbu"], "duration": [1, 10],
                      "cluster_along": ["row", "column", "bits"]})")
                .size(),
            5U);
}

TEST_F(ExperimentModels, OptionsOfOtherModelsAreRefused) {
  refused(R"({"cluster_size": 3})", "$.fault.cluster_size",
          {"does not apply here: it belongs to the model mbu"});
  refused(R"({"model": "seu", "cluster_along": "row"})", "$.fault.cluster_along", {"mbu"});
  refused(R"([{"model": "mbu"}, {"model": "mbu", "onset": "start"}])", "$.fault[1].onset",
          {"stuck-at-0 and stuck-at-1"});
  refused(R"({"model": ["mbu", "stuck-at-0"], "duration": 5})", "$.fault.duration",
          {"the model intermittent"});
  refused(R"({"model": "rate", "rate": 1e-9, "upsets": 3})", "$.fault.upsets",
          {"does not apply here", "rate draws how many there are"});
  refused(R"({"model": "mbu", "rate": 1e-9})", "$.fault.rate", {"does not apply here"});
}

TEST_F(ExperimentModels, ValuesOutOfRangeAreRefused) {
  refused(R"({"model": "mbu", "cluster_size": 1})", "$.fault.cluster_size",
          {"below the minimum 2"});
  refused(R"({"model": "mbu", "cluster_size": [2, 9]})", "$.fault.cluster_size[1]",
          {"above the maximum 8"});
  refused(R"({"model": "mbu", "cluster_along": "diagonal"})", "$.fault.cluster_along",
          {"\"row\"", "\"column\""});
  refused(R"({"model": "stuck-at-0", "onset": "begin"})", "$.fault.onset", {"\"start\""});
  refused(R"({"model": "intermittent", "duration": 0})", "$.fault.duration",
          {"below the minimum 1"});
  refused(R"({"model": "rate"})", "$.fault.rate", {"this key is missing", "1e-9"});
  refused(R"({"model": "rate", "rate": 0})", "$.fault.rate", {"0 is not above 0"});
  refused(R"({"model": "rate", "rate": [1e-9, 1e-17]})", "$.fault.rate",
          {"1e-17 is below 1e-16", "\"model\": \"seu\""});
}

TEST_F(ExperimentModels, OtherLevelsHaveOneModel) {
  for (const std::string level : {"neuron", "weight"}) {
    const std::string start = R"({"level": ")" + level + R"(", "rate": 0.1, )";
    refused(start + R"("model": "stuck-at-0"})", "$.fault.model",
            {"\"stuck-at-0\" does not apply here: a " + level + " is hit once", "register"});
    refused(start + R"("model": ["seu", "mbu"]})", "$.fault.model", {"\"mbu\" does not apply"});
    for (const std::string key : {"cluster_size", "duration"}) {
      refused(start + "\"" + key + "\": 3}", "$.fault." + key, {"does not apply here"});
    }
    refused(start + R"("onset": "start"})", "$.fault.onset", {"does not apply here"});
    EXPECT_EQ(load(start + R"("model": "seu"})").configurations[0].fault.model, "seu");
  }
}

}  // namespace
}  // namespace sagitta
