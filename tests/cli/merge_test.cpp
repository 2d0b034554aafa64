// Parts of a run, joined: the bytes of one run, or an error that says what is wrong with them.
#include "cli/command_line.h"

namespace sagitta::test {
namespace {

class CliMerge : public CommandLine {
 protected:
  CliMerge() {
    nlohmann::json experiment = small();
    experiment["images"] = 6;
    experiment["scheme"] = {"none", "range-zero"};
    experiment["fault"] = {
        {{"sites", "logic"}, {"upsets", 2}, {"trials", 25}, {"seed", 1}},
        {{"level", "neuron"}, {"values", "fp32"}, {"rate", 1e-3}, {"trials", 10}, {"seed", 1}}};
    write_json("experiment.json", experiment);
  }
  std::string part(const std::string& command, const std::string& shard, const std::string& folder,
                   const Arguments& more = {}) const {
    return done(Arguments{command, "experiment.json", "-q", "--shard", shard, "-o", folder} + more);
  }
  std::map<std::string, std::string> files(const std::string& folder) const {
    std::map<std::string, std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(path(folder))) {
      all[entry.path().filename().string()] = contents(entry.path().string());
    }
    EXPECT_EQ(all.erase("trials.sqlite"), 1U);
    all["csv"] = done({"export", folder});
    all["jsonl"] = done({"export", folder, "--format", "jsonl"});
    return all;
  }
};

TEST_F(CliMerge, GivesTheBytesOfOneRun) {
  for (const std::string command : {"sweep", "inject", "compare"}) {
    SCOPED_TRACE(command);
    const std::string whole = done({command, "experiment.json", "-q", "-o", command});
    Arguments merge{"merge", command + "-merged", "-q"};
    for (const std::string i : {"3", "1", "2"}) {
      const std::string folder = command + i;
      const std::string text = part(command, i + "/3", folder, {"-j", i});
      EXPECT_NE(text.find("Part " + i + "/3 is done: "), std::string::npos) << text;
      EXPECT_FALSE(std::filesystem::exists(path(folder + "/results.json")));
      merge.push_back(folder);
    }
    EXPECT_EQ(done(merge), whole);
    EXPECT_EQ(files(command + "-merged"), files(command));
    EXPECT_EQ(done(merge), whole) << "once more";
  }
}

// Samples that are fixed beforehand: which points a part has, and the weights, strata and finite
// populations of the whole.
TEST_F(CliMerge, GivesTheBytesOfOneRunOfFixedSamples) {
  nlohmann::json experiment = small();
  experiment["images"] = 2;
  experiment["scheme"] = {"none", "tmr-reg"};
  experiment["fault"] = {
      {{"sites", "array.pe[0][1].a**:6"}, {"seed", 1}, {"sample", {{"error", 0.15}}}},
      {{"sites", "memory.activation.map[0].element[5]:6"},
       {"seed", 1},
       {"sample", {{"method", "exhaustive"}}}},
      {{"sites", "array.**,vector.**"},
       {"seed", 1},
       {"trials", 30},
       {"sample",
        {{"method", "stratified"},
         {"by", {"block", "layer"}},
         {"floor", 2},
         {"allocation", "proportional"}}}},
      {{"sites", "logic"},
       {"seed", 1},
       {"trials", 20},
       {"sample",
        {{"method", "importance"}, {"emphasis", {{{"sites", "array.**"}, {"factor", 4}}}}}}}};
  write_json("experiment.json", experiment);
  const std::string whole = done({"inject", "experiment.json", "-q", "-o", "whole"});
  Arguments merge{"merge", "merged", "-q"};
  std::map<std::string, std::string> parts;
  for (const std::string i : {"2", "1"}) {
    part("inject", i + "/2", "part" + i, {"-j", i});
    merge.push_back("part" + i);
    parts[i] = done({"export", "part" + i});
  }
  EXPECT_NE(parts["1"].find(",masked_idle,"), std::string::npos) << "there are trials in it";
  EXPECT_NE(parts["1"], parts["2"]);
  EXPECT_EQ(done(merge), whole);
  EXPECT_EQ(files("merged"), files("whole"));
  const auto results = nlohmann::json::parse(contents(path("merged/results.json")));
  const nlohmann::json& exhaustive = results.at("configurations").at(1).at("sample");
  EXPECT_EQ(exhaustive.at("method"), "exhaustive");
  EXPECT_GT(exhaustive.at("runs"), 4);
}

// What comes next of these is decided by outcomes that no part has.
TEST_F(CliMerge, SamplesThatAdaptHaveNoParts) {
  const nlohmann::json plans[] = {
      {{"sites", "array.**"}, {"sample", {{"error", 0.1}, {"stop", "sequence"}}}},
      {{"sites", "array.**"}, {"trials", 900}, {"sample", {{"method", "stratified"}}}}};
  for (const nlohmann::json& plan : plans) {
    for (const std::string command : {"inject", "sweep"}) {
      refuses({command, "experiment.json", "--shard", "1/2", "-o", "out", "--set",
               "fault=" + plan.dump()},
              {"fault.sample", "what comes next depends on all trials before it, which no part has",
               "leave --shard out", "\"proportional\""});
    }
  }
}

TEST_F(CliMerge, RefusesWhatIsNotAWhole) {
  part("sweep", "1/2", "a");
  part("sweep", "2/2", "b");
  part("sweep", "1/3", "third");
  part("sweep", "2/2", "other", {"--set", "fault.seed=2"});
  refuses({"merge", "out", "a"}, {"a/trials.sqlite: of its 2 parts 2/2 is missing", "--shard 2/2"});
  refuses({"merge", "out", "a", "b", "a"},
          {"a/trials.sqlite: is part 1/2, and so is a/trials.sqlite", "once"});
  refuses({"merge", "out", "b", "third"},
          {"third/trials.sqlite: is part 1/3, and b/trials.sqlite is one of 2"});
  refuses({"merge", "out", "a", "other"},
          {"other/trials.sqlite: is part of another experiment than a/trials.sqlite: "
           "$.fault[0].seed is 1 there and 2 here"});
  refuses({"merge", "a", "a", "b"}, {"a: is to hold the whole, and is named as a part"});
  refuses({"merge", "out", "a", "nothing"}, {"nothing/trials.sqlite: there is no such file"});
}

}  // namespace
}  // namespace sagitta::test
