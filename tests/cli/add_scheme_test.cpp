// docs/add-a-scheme.md as written: the page's two files, and the tool that they are part of.
#include "cli/command_line.h"

namespace sagitta::test {
namespace {

class CliAddScheme : public CommandLine {
 protected:
  CliAddScheme() {
    auto experiment = small();
    experiment["scheme"] = {"none", SAGITTA_OUTLIER};
    experiment["fault"] = {{"upsets", 48}, {"trials", 60}, {"sites", "logic"}};
    write_json("experiment.json", experiment);
  }
};

TEST_F(CliAddScheme, ItsRegistersAreSites) {
  const auto sites = document({"sites", "experiment.json"});
  const auto& blocks = sites["configurations"][1]["blocks"];
  const auto has = [&blocks](const std::string& path) {
    for (const auto& block : blocks) {
      if (block["path"] == path) return true;
    }
    return false;
  };
  EXPECT_TRUE(has("resilience.outlier.latch.sum[]"));
  EXPECT_TRUE(has("resilience.outlier.latch.flag")) << "its gate is the row's";
  EXPECT_TRUE(has("resilience.outlier.result.valid"));
  EXPECT_FALSE(has("resilience.outlier.low")) << "it has no bounds";
}

TEST_F(CliAddScheme, ItSuppressesCostsAndIsCompared) {
  const auto results = document({"compare", "experiment.json", "-q"});
  const auto& outlier = results["configurations"][1];
  EXPECT_EQ(outlier["scheme"], "outlier");
  EXPECT_EQ(outlier["scheme_kind"], "chain");
  EXPECT_GT(outlier["suppressions"]["right"], 5);
  EXPECT_GT(outlier["overhead"]["area"], 0.01);
  EXPECT_GT(outlier["overhead"]["cycles"], 0);
  EXPECT_EQ(outlier["accuracy"]["count"], results["configurations"][0]["accuracy"]["count"]);
  EXPECT_EQ(results["pairs"].size(), 1U);
}

TEST_F(CliAddScheme, AKindThatThereIsNotNamesIt) {
  refuses({"check", "experiment.json", "--set",
           R"(scheme={"kind":"chain","checkers":[{"kind":"outlyer"}]})"},
          {"there is no checker \"outlyer\"", "did you mean \"outlier\"?"});
}

}  // namespace
}  // namespace sagitta::test
