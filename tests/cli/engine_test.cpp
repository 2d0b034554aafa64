// --engine: the fast engine and the whole SystemC machine leave the same results.
#include <gtest/gtest.h>

#include <sstream>

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

// Trials of samples, column by column: those that a class of faults stands for, and those that the
// outcomes of others have decided.
TEST_F(CliEngine, BothLeaveTheSameTrialsOfSamples) {
  nlohmann::json experiment = small();
  experiment["images"] = 1;
  experiment["fault"] = {
      {{"sites", "memory.activation.map[0].element[40]:6"},
       {"seed", 1},
       {"sample", {{"method", "exhaustive"}}}},
      {{"sites", "array.pe[0][*].acc"},
       {"seed", 1},
       {"trials", 12},
       {"sample",
        {{"method", "stratified"}, {"by", {"bits"}}, {"bits", 16}, {"pilot", 4}, {"floor", 2}}}}};
  write_json("experiment.json", experiment);
  done({"inject", "experiment.json", "-q", "-o", "fast"});
  done({"inject", "experiment.json", "-q", "-o", "machine", "--engine", "machine", "-j", "2"});
  const auto rows = [this](const std::string& folder) {
    std::vector<nlohmann::ordered_json> all;
    std::istringstream lines(done({"export", folder, "--format", "jsonl"}));
    std::string line;
    while (std::getline(lines, line)) all.push_back(nlohmann::ordered_json::parse(line));
    return all;
  };
  const auto fast = rows("fast"), machine = rows("machine");
  ASSERT_EQ(fast.size(), machine.size());
  ASSERT_GT(fast.size(), 5U + 20U);
  bool stands_for_many = false, other_road = false;
  for (std::size_t i = 0; i < fast.size(); ++i) {
    for (const auto& [column, value] : fast[i].items()) {
      if (column == "road") continue;
      EXPECT_EQ(value, machine[i].at(column)) << column << " of row " << i;
    }
    EXPECT_EQ(fast[i].size(), machine[i].size());
    EXPECT_EQ(machine[i].at("road"), "machine");
    stands_for_many = stands_for_many || fast[i].at("weight") > 1;
    other_road = other_road || fast[i].at("road") != "machine";
  }
  EXPECT_TRUE(stands_for_many);
  EXPECT_TRUE(other_road);
  EXPECT_EQ(results("fast"), results("machine"));
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
