// --engine: the fast engine and the whole SystemC machine leave the same results.
#include <gtest/gtest.h>

#include "cli/command_line.h"

namespace sagitta::test {
namespace {

class CliEngine : public CommandLine {
 protected:
  CliEngine() { write_json("experiment.json", small()); }
  std::string results(const std::string& folder) const {
    return without_roads(contents(path(folder + "/results.json")));
  }
  static std::string without_roads(const std::string& text) {
    nlohmann::ordered_json document = nlohmann::ordered_json::parse(text);
    for (auto& configuration : document.at("configurations")) configuration.erase("roads");
    return document.dump(1);
  }
  nlohmann::json roads(const std::string& folder) const {
    return nlohmann::json::parse(contents(path(folder + "/results.json")))
        .at("configurations")
        .at(0)
        .at("roads");
  }
};

// Several schemes, so that several machines are elaborated.
TEST_F(CliEngine, BothLeaveTheSameResults) {
  const Arguments inject = {"inject", "experiment.json", "-q", "--set",
                            R"(scheme=["none","tmr-pe"])"};
  done(inject + Arguments{"-o", "fast"});
  done(inject + Arguments{"-o", "machine", "--engine", "machine", "-j", "2"});
  EXPECT_EQ(results("fast"), results("machine"));
  EXPECT_EQ(contents(path("fast/faults.csv")), contents(path("machine/faults.csv")));
  const auto of_machine = roads("machine");
  EXPECT_EQ(of_machine.size(), 1U) << of_machine;
  EXPECT_EQ(of_machine.at("machine"), 8);
  EXPECT_GT(roads("fast").value("core", 0), 0);
}

TEST_F(CliEngine, PartsOfTheMachineAreMerged) {
  const Arguments inject = {"inject", "experiment.json", "-q", "--engine", "machine"};
  done(inject + Arguments{"-o", "whole"});
  done(inject + Arguments{"-o", "a", "--shard", "1/2"});
  done(inject + Arguments{"-o", "b", "--shard", "2/2"});
  done({"merge", "merged", "a", "b", "-q"});
  EXPECT_EQ(contents(path("merged/results.json")), contents(path("whole/results.json")));
  EXPECT_EQ(done({"export", "merged"}), done({"export", "whole"}));
}

TEST_F(CliEngine, IsPartOfWhatAFolderHolds) {
  done({"inject", "experiment.json", "-q", "-o", "out"});
  refuses({"inject", "experiment.json", "-q", "-o", "out", "--engine", "machine"},
          {"engine is \"fast\" there and \"machine\" here", "--fresh"});
  refuses({"inject", "experiment.json", "--engine", "slow"}, {"--engine"});
}

}  // namespace
}  // namespace sagitta::test
