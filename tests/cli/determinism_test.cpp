// The same experiment gives the same bytes, however many workers there are; what a run leaves
// behind (faults, thresholds) gives the same trials again.
#include <algorithm>
#include <cmath>
#include <regex>

#include "cli/command_line.h"

namespace sagitta::test {
namespace {

class CliDeterminism : public CommandLine {
 protected:
  CliDeterminism() {
    nlohmann::json experiment = small();
    experiment["images"] = 6;
    experiment["scheme"] = {"none", "range-zero", "gradient", "tmr-pe"};
    experiment["fault"] = {{{"sites", "logic"}, {"upsets", {1, 64}}, {"trials", 30}, {"seed", 1}},
                           {{"sites", "all"}, {"upsets", 256}, {"trials", 30}, {"seed", 1}}};
    write_json("experiment.json", experiment);
  }
  // What a sweep or an injection leaves in a folder of its own, by file name.
  std::map<std::string, std::string> files(const std::string& folder,
                                           const Arguments& arguments) const {
    done(arguments + Arguments{"-q", "-o", folder});
    std::map<std::string, std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(path(folder))) {
      all[entry.path().filename().string()] = contents(entry.path().string());
    }
    // Pages of a database lie as they came; what they hold is the same.
    if (all.erase("trials.sqlite") == 1) {
      all["trials.csv"] = done({"export", folder});
      all["trials.jsonl"] = done({"export", folder, "--format", "jsonl"});
    }
    EXPECT_EQ(all.count("results.json") + all.count("results.csv") + all.count("experiment.json"),
              3U);
    return all;
  }
};

TEST_F(CliDeterminism, WorkersAndRepetitionChangeNothing) {
  const Arguments sweep{"sweep", "experiment.json"};
  const auto one = files("one", sweep + Arguments{"-j", "1"});
  EXPECT_EQ(one, files("two", sweep + Arguments{"-j", "2"}));
  EXPECT_EQ(one, files("again", sweep + Arguments{"-j", "2"}));
  const auto other = files("other", sweep + Arguments{"--set", "fault.seed=2"});
  EXPECT_NE(one.at("results.csv"), other.at("results.csv"));
  const auto outcomes = [](const std::map<std::string, std::string>& all) {
    nlohmann::json list;
    const auto results = nlohmann::json::parse(all.at("results.json"));
    for (const auto& c : results.at("configurations")) {
      list.push_back(c.at("outcomes"));
    }
    return list;
  };
  EXPECT_NE(outcomes(one), outcomes(other));
}

TEST_F(CliDeterminism, Inject) {
  const Arguments inject{"inject", "experiment.json", "--set", "scheme=gradient"};
  const auto one = files("one", inject + Arguments{"-j", "1"});
  EXPECT_EQ(one.count("faults-2.json"), 1U);
  EXPECT_EQ(one, files("two", inject + Arguments{"-j", "2"}));
}

TEST_F(CliDeterminism, RunAndCompare) {
  for (const std::string command : {"run", "compare"}) {
    const auto one = files(command + "1", {command, "experiment.json", "-j", "1"});
    EXPECT_EQ(one, files(command + "2", {command, "experiment.json", "-j", "2"}));
  }
}

// faults.csv as a replay has it: nobody knows what its list was drawn over.
std::string of_a_list(const std::string& csv) {
  return std::regex_replace(csv, std::regex(",\"(all|neurons|weights)\","), ",\"\",");
}

// The first column of faults.csv names the configuration, the others the fault and what it did.
TEST_F(CliDeterminism, FaultListReplays) {
  for (const std::string scheme : {"none", "gradient", "tmr-pe"}) {
    const Arguments inject{"inject", "experiment.json", "--set", "scheme=" + scheme};
    const std::string plan = R"(fault={"upsets":64,"trials":40,"seed":5})";
    const auto drawn = files(scheme, inject + Arguments{"--set", plan});
    const auto replayed =
        files(scheme + "-again",
              inject + Arguments{"--set", "fault={\"list\":\"" + scheme + "/faults.json\"}"});
    EXPECT_EQ(of_a_list(drawn.at("faults.csv")), replayed.at("faults.csv"));
    EXPECT_EQ(drawn.at("faults.json"), replayed.at("faults.json"));
    const std::string csv = drawn.at("faults.csv");
    EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 1 + 40 * 64);
    const auto outcomes = [](const auto& all) {
      return nlohmann::json::parse(all.at("results.json"))
          .at("configurations")
          .at(0)
          .at("outcomes");
    };
    EXPECT_EQ(outcomes(drawn), outcomes(replayed));
  }
}

// Of neurons a list names the registers in which they stood, or in fp32 the neurons, of weights the
// weights.
TEST_F(CliDeterminism, FaultListsOfOtherLevelsReplay) {
  const std::map<std::string, std::string> plans = {
      {"sums", R"("level":"neuron","rate":0.002,"values":"int32")"},
      {"outputs", R"("level":"neuron","rate":0.002)"},
      {"reals", R"("level":"neuron","rate":0.002,"values":"fp32")"},
      {"weights", R"("level":"weight","rate":1e-4)"}};
  for (const auto& [name, plan] : plans) {
    SCOPED_TRACE(name);
    const Arguments inject{"inject", "experiment.json", "--set", "scheme=gradient"};
    const auto drawn =
        files(name, inject + Arguments{"--set", "fault={\"trials\":30,\"seed\":5," + plan + "}"});
    const auto replayed =
        files(name + "-again",
              inject + Arguments{"--set", "fault={\"list\":\"" + name + "/faults.json\"}"});
    EXPECT_EQ(drawn.at("faults.json"), replayed.at("faults.json"));
    const auto figures = [](const auto& all, const char* key) {
      return nlohmann::json::parse(all.at("results.json")).at("configurations").at(0).at(key);
    };
    for (const char* key : {"outcomes", "accuracy_under_faults", "faults_drawn", "faults_fired"}) {
      EXPECT_EQ(figures(drawn, key), figures(replayed, key)) << key;
    }
    EXPECT_EQ(figures(drawn, "fault").at("population"), "common");
    EXPECT_EQ(figures(replayed, "fault").at("population"), nullptr) << "a list decides that";
    if (name == "reals") {
      EXPECT_EQ(of_a_list(drawn.at("faults.csv")), replayed.at("faults.csv"));
    }
    // A row for each fault; on average 30 trials x rate x elements.
    const std::string csv = drawn.at("faults.csv");
    EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n') - 1, figures(drawn, "faults_drawn"));
    const auto fault = figures(drawn, "fault");
    const double mean =
        30 * fault.at("rate").template get<double>() * fault.at("elements").template get<double>();
    EXPECT_NEAR(figures(drawn, "faults_drawn").template get<double>(), mean, 5 * std::sqrt(mean));
    EXPECT_NE(csv.find(name == "sums"      ? ",vector.bias_add.sum["
                       : name == "outputs" ? ",vector.output.value["
                       : name == "reals"   ? ",neurons."
                                           : ",weights."),
              std::string::npos);
  }
}

TEST_F(CliDeterminism, StudiesInRealNumbers) {
  const std::string plan =
      R"(fault={"level":"neuron","values":["fp32","int32"],"rate":[0.001,0.05],"trials":30})";
  const Arguments study{"--set", R"(scheme=["none","range-zero","gradient-tuned","oracle"])",
                        "--set", plan};
  for (const std::string command : {"sweep", "compare", "inject"}) {
    const Arguments line = Arguments{command, "experiment.json"} + study;
    const auto one = files(command + "1", line + Arguments{"-j", "1"});
    EXPECT_EQ(one, files(command + "2", line + Arguments{"-j", "2"}));
  }
  const std::string csv = contents(path("sweep1/results.csv"));
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 1 + 4 * 4);
  // What calibrate writes serves both kinds of values.
  done(Arguments{"calibrate", "experiment.json", "-o", "t.json"} + study);
  const auto read =
      files("read", Arguments{"sweep", "experiment.json", "--set", "thresholds=t.json"} + study);
  EXPECT_EQ(read.at("results.json"), contents(path("sweep1/results.json")));
  EXPECT_EQ(read.at("thresholds.json"), contents(path("t.json")));
  // ... and the experiment beside the results gives them again.
  const auto again = files("again", {"sweep", "sweep1/experiment.json"});
  EXPECT_EQ(again.at("results.csv"), csv);
}

// Neurons and weights are the same for every scheme: pairs are of the same lists.
TEST_F(CliDeterminism, CompareTakesFaultLevels) {
  const auto json =
      document({"compare", "experiment.json", "-q", "--set", R"(scheme=["none","tmr-pe"])", "--set",
                R"(fault=[{"level":"neuron","rate":[0.001,0.05],"trials":40},)"
                R"({"level":"weight","rate":0.01,"trials":40},{"upsets":2,"trials":5}])"});
  ASSERT_EQ(json.at("pairs").size(), 4U);
  for (std::size_t i = 0; i < 3; ++i) {  // TMR of the PEs sees none of these
    const auto& pair = json.at("pairs")[i];
    EXPECT_EQ(pair.at("level"), i < 2 ? "neuron" : "weight");
    EXPECT_EQ(pair.at("rate"), std::vector<double>({0.001, 0.05, 0.01})[i]);
    EXPECT_EQ(pair.at("only_first_correct"), 0);
    EXPECT_EQ(pair.at("only_second_correct"), 0);
    EXPECT_TRUE(pair.at("sites").is_null());
  }
  EXPECT_EQ(json.at("pairs")[3].at("level"), "register");
  EXPECT_EQ(json.at("pairs")[3].at("upsets"), 2);
  const auto& rows = json.at("configurations");
  EXPECT_EQ(rows[0].at("outcomes"), rows[4].at("outcomes"));
  EXPECT_EQ(rows[1].at("outcomes"), rows[5].at("outcomes"));
  EXPECT_EQ(rows[0].at("faults_drawn"), rows[4].at("faults_drawn"));
  EXPECT_GT(rows[1].at("faults_drawn"), rows[0].at("faults_drawn"));
  EXPECT_LT(rows[1].at("accuracy_under_faults").at("count"), 40);
}

// The list's length, not the experiment's number of trials, is what there is to do.
TEST_F(CliDeterminism, ProgressOfAReplay) {
  files("out",
        {"inject", "experiment.json", "--set", "scheme=none", "--set", "fault={\"trials\":7}"});
  const Result replay = run({"inject", "experiment.json", "--set", "scheme=none", "--set",
                             "fault={\"list\":\"out/faults.json\",\"trials\":1000}"});
  EXPECT_NE(replay.err.find(": 13/13 (100 %)"), std::string::npos) << replay.err;
}

TEST_F(CliDeterminism, CalibratedFileEqualsCalibrationInTheRun) {
  done({"calibrate", "experiment.json", "-o", "t.json"});
  const auto own = files("own", {"sweep", "experiment.json"});
  const auto read = files("read", {"sweep", "experiment.json", "--set", "thresholds=t.json"});
  EXPECT_EQ(own.at("results.json"), read.at("results.json"));
  EXPECT_EQ(own.at("results.csv"), read.at("results.csv"));
  EXPECT_EQ(own.at("thresholds.json"), read.at("thresholds.json"));
  EXPECT_EQ(own.at("thresholds.json"), contents(path("t.json")));
}

// Thresholds matter: fitted on other images, the checker's machine is another one.
TEST_F(CliDeterminism, OtherThresholdsAreAnotherMachine) {
  const auto digest = [this](int images) {
    const auto json = document({"sweep", "experiment.json", "-q", "--set", "scheme=gradient",
                                "--set", "calibration_images=" + std::to_string(images)});
    return json.at("configurations").at(0).at("machine_digest").get<std::string>();
  };
  EXPECT_EQ(digest(5), digest(5));
  EXPECT_NE(digest(5), digest(50));
}

// Paired on the same faults: many upsets in the array alone, which TMR masks and `none` does not.
TEST_F(CliDeterminism, CompareFindsTheDifference) {
  const auto json =
      document({"compare", "experiment.json", "-q", "--set", R"(scheme=["none","tmr-pe"])", "--set",
                R"(fault={"sites":"array.pe**","upsets":400,"trials":100})"});
  ASSERT_EQ(json.at("pairs").size(), 1U);
  const auto& pair = json.at("pairs").at(0);
  const auto only_none = pair.at("only_first_correct").get<std::int64_t>();
  const auto only_tmr = pair.at("only_second_correct").get<std::int64_t>();
  EXPECT_EQ(only_none, 0);
  EXPECT_GT(only_tmr, 5);
  // Two-sided exact test with all discordant pairs on one side: 2 / 2^n.
  EXPECT_NEAR(pair.at("mcnemar_p").get<double>(), std::ldexp(2.0, -static_cast<int>(only_tmr)),
              1e-12);
  const auto& rows = json.at("configurations");
  EXPECT_EQ(rows[1].at("accuracy_under_faults").at("count"),
            rows[0].at("accuracy_under_faults").at("count").get<std::int64_t>() + only_tmr);
}

}  // namespace
}  // namespace sagitta::test
