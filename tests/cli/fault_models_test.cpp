// Fault models of registers through the program: both engines, stores, replays, reports.
#include "cli/gemm_folder.h"

namespace sagitta::test {
namespace {

class CliFaultModels : public CommandLine {
 protected:
  CliFaultModels() {
    nlohmann::json experiment = small();
    experiment["array"] = {{"rows", 8}, {"cols", 8}};
    write_json("experiment.json", experiment);
  }
  static const std::map<std::string, std::string>& plans() {
    static const std::map<std::string, std::string> all = {
        {"bits", R"("model":"mbu","cluster_size":3,"upsets":2)"},
        {"row", R"("model":"mbu","cluster_along":"row","sites":"array.pe**")"},
        {"column",
         R"("model":"mbu","cluster_along":"column","sites":"array.pe**","population":"common")"},
        {"low", R"("model":"stuck-at-0","onset":"start","sites":"array.**")"},
        {"high", R"("model":"stuck-at-1","upsets":2,"sites":"logic")"},
        {"interval", R"("model":"intermittent","duration":40,"upsets":2,"sites":"logic")"},
        {"rate", R"("model":"rate","rate":2e-8,"sites":"logic")"}};
    return all;
  }
  static Arguments inject(const std::string& plan, const Arguments& more = {}) {
    return Arguments{"inject", "experiment.json", "-q", "--set",
                     "fault={\"trials\":8,\"seed\":3," + plan + "}"} +
           more;
  }
  nlohmann::json configuration(const std::string& folder) const {
    return nlohmann::json::parse(contents(path(folder + "/results.json"))).at("configurations")[0];
  }
};

TEST_F(CliFaultModels, BothEnginesReplaysAndPartsGiveTheSame) {
  std::string forms;
  for (const auto& [name, plan] : plans()) {
    SCOPED_TRACE(name);
    const Arguments scheme = {"--set",
                              "scheme=" + std::string(name == "column" ? "tmr-pe" : "none")};
    done(inject(plan, scheme + Arguments{"-o", name}));
    done(inject(plan, scheme + Arguments{"-o", name + "-m", "--engine", "machine", "-j", "2"}));
    const std::string csv = contents(path(name + "/faults.csv"));
    EXPECT_EQ(csv, contents(path(name + "-m/faults.csv")));
    done(Arguments{"inject", "experiment.json", "-q", "--set",
                   "fault={\"list\":\"" + name + "/faults.json\"}", "-o", name + "-r"} +
         scheme);
    EXPECT_EQ(contents(path(name + "/faults.json")), contents(path(name + "-r/faults.json")));
    const auto drawn = configuration(name);
    const auto replayed = configuration(name + "-r");
    for (const char* key : {"outcomes", "faults_drawn", "faults_fired", "accuracy_under_faults"}) {
      EXPECT_EQ(drawn.at(key), replayed.at(key)) << key;
    }
    EXPECT_EQ(drawn.at("fault").at("model"), replayed.at("fault").at("model"));
    EXPECT_GT(drawn.at("faults_fired").get<int>(), 0);
    forms += done({"export", name});
    if (name != "interval") continue;
    done(inject(plan, scheme + Arguments{"-o", "a", "--fresh", "--shard", "1/2"}));
    done(inject(plan, scheme + Arguments{"-o", "b", "--fresh", "--shard", "2/2"}));
    done({"merge", name + "-p", "a", "b", "-q"});
    EXPECT_EQ(contents(path(name + "-p/faults.csv")), csv);
    for (const char* format : {"csv", "jsonl"}) {
      EXPECT_EQ(done({"export", name + "-p", "--format", format}),
                done({"export", name, "--format", format}));
    }
  }
  for (const char* form : {"=0@0", "=1@", ".."}) {
    EXPECT_NE(forms.find(form), std::string::npos) << form;
  }
}

// A trial of any models' faults, as one list.
TEST_F(CliFaultModels, AListMayMixThem) {
  const nlohmann::json list = {
      {"format", "sagitta-faults/1"},
      {"model", "intermittent"},
      {"trials",
       {{{"image", 1},
         {"faults",
          {"array.pe[0][0].acc:3@500", "array.pe[0][0].acc:3=1@490..510", "weights.conv1[0][0]:6",
           "array.pe[1][0].acc:30=1@0", "array.pe[2][0].acc:30=0@7"}}}}}};
  write_json("mixed.json", list);
  const Arguments replay = {"inject", "experiment.json", "-q", "--set", "fault.list=mixed.json"};
  done(replay + Arguments{"-o", "fast"});
  done(replay + Arguments{"-o", "machine", "--engine", "machine"});
  EXPECT_EQ(contents(path("fast/faults.csv")), contents(path("machine/faults.csv")));
  const auto written = nlohmann::json::parse(contents(path("fast/faults.json")));
  EXPECT_EQ(written.at("model"), "intermittent");
  auto faults = written.at("trials")[0].at("faults").get<std::vector<std::string>>();
  auto given = list.at("trials")[0].at("faults").get<std::vector<std::string>>();
  std::sort(faults.begin(), faults.end());
  std::sort(given.begin(), given.end());
  EXPECT_EQ(faults, given);
}

TEST_F(CliFaultModels, ReportsSayWhatAppliesToTheModel) {
  const auto results = [&](const std::string& plan) {
    return document({"inject", "experiment.json", "--set",
                     "fault={\"trials\":8,\"seed\":3," + plan + "}"})
        .at("configurations")[0];
  };
  const auto flips = results(R"("model":"seu")");
  EXPECT_TRUE(flips.contains("absolute_failures") && flips.contains("breakdown"));
  EXPECT_FALSE(flips.at("fault").contains("onset"));
  const auto stuck = results(R"("model":"stuck-at-1","sites":"array.**")");
  EXPECT_FALSE(stuck.contains("absolute_failures"));
  EXPECT_EQ(stuck.at("fault").at("onset"), "drawn");
  EXPECT_EQ(stuck.at("fault").at("upsets"), 1);
  std::int64_t broken_down = 0;
  for (const auto& r : stuck.at("breakdown").at("registers")) {
    broken_down += r.at("trials").get<std::int64_t>();
  }
  EXPECT_EQ(broken_down, stuck.at("faults_fired").get<std::int64_t>());
  const auto cluster = results(R"("model":"mbu","cluster_size":4)");
  EXPECT_FALSE(cluster.contains("breakdown") || cluster.contains("absolute_failures"));
  EXPECT_EQ(cluster.at("fault").at("cluster_size"), 4);
  EXPECT_EQ(cluster.at("fault").at("cluster_along"), "bits");
  const auto rate = results(R"("model":"rate","rate":1e-12)");
  EXPECT_EQ(rate.at("fault").at("upsets"), nullptr);
  EXPECT_EQ(rate.at("fault").at("rate"), 1e-12);
  EXPECT_EQ(rate.at("outcomes").at("not_fired"), 8);
  EXPECT_FALSE(rate.contains("breakdown"));
  const std::string table = done({"sweep", "experiment.json", "-q", "--set",
                                  R"(fault={"trials":4,"model":["seu","stuck-at-0","rate"],)"
                                  R"("rate":1e-9,"sites":"array.**"})"});
  for (const char* cell : {"upsets, rate", "1 stuck-at-0", "1e-09"}) {
    EXPECT_NE(table.find(cell), std::string::npos) << table;
  }
}

TEST_F(CliFaultModels, AbsurdPlansAreRefused) {
  const auto refused = [&](const std::string& plan, const std::vector<std::string>& parts) {
    refuses(inject(plan, {"-o", "out"}), parts);
  };
  refused(R"("model":"rate","rate":1e-3)", {"$.fault.rate: at 0.001 a trial has about ",
                                            "bits x cycles", "remedy: keep to 1e+06 a trial"});
  refused(R"("model":"mbu","cluster_along":"row","sites":"array.**")",
          {"$.fault.sites: 'array.**' has array.", "which is in no PE", "array.pe[*][*].acc"});
  // Named one by one, as inject does.
  refuses({"inject", "experiment.json", "--set",
           R"(fault={"trials":100000000,"model":"rate","rate":1e-9,"sites":"logic"})", "-o", "out"},
          {"$.fault.rate: at 1e-09 the 100000000 trials have about", "names each"});
}

class CliStuckProduct : public GemmFolder {};

// Sums of a PE whose bit is stuck: its outputs leave with that bit at least.
TEST_F(CliStuckProduct, GemmForcesTheBitInItsCycles) {
  make(4, 6, 4);
  const auto json = document(
      gemm({"--array", "4x4", "--fault", "array.pe[2][1].acc:20=1@0", "--explain", "-o", "C.npy"}));
  const auto& fault = json.at("faults")[0];
  EXPECT_EQ(fault.at("kind"), "stuck1");
  EXPECT_EQ(fault.at("last"), nullptr);
  EXPECT_TRUE(fault.at("fired"));
  EXPECT_NE(fault.at("explanation").get<std::string>().find("first of its cycles"),
            std::string::npos);
  // Output stationary: the sums of rows 2 and 3 of column 1 pass the PE on their way up.
  const auto c = result();
  auto changed = nlohmann::json::array();
  for (int at = 0; at < 16; ++at) {
    const auto i = static_cast<std::size_t>(at);
    if (c[i] != product_[i]) changed.push_back({at / 4, at % 4});
  }
  EXPECT_FALSE(changed.empty());
  EXPECT_EQ(fault.at("outputs"), changed);
  EXPECT_NE(c[2 * 4 + 1] >> 20 & 1, 0);
  EXPECT_EQ(c[3 * 4 + 1], product_[3 * 4 + 1] | 1 << 20);
  for (const auto& output : changed) {
    EXPECT_TRUE(output[1] == 1 && output[0].get<int>() >= 2) << output;
  }
  const std::string text = done(gemm({"--array", "4x4", "--fault", "array.pe[2][1].acc:20=1@0..1",
                                      "--fault", "array.pe[0][0].acc:2=0@3"}));
  EXPECT_NE(text.find("array.pe[2][1].acc:20=1@0..1: fired, 0 -> 1048576"), std::string::npos)
      << text;
  EXPECT_NE(text.find("array.pe[0][0].acc:2=0@3: "), std::string::npos) << text;
}

TEST_F(CliStuckProduct, TraceShowsItInEveryCycle) {
  make(4, 6, 4);
  const auto json = document({"trace", "--a", "A.npy", "--b", "B.npy", "--array", "4x4", "--fault",
                              "array.pe[2][1].acc:20=1@5", "--scope", "array.pe[2][1].acc", "--vcd",
                              "stuck.vcd"});
  EXPECT_EQ(json.at("faults")[0].at("kind"), "stuck1");
  EXPECT_TRUE(json.at("faults")[0].at("fired"));
  refuses({"trace", "--a", "A.npy", "--b", "B.npy", "--array", "4x4", "--fault",
           "array.pe[2][1].acc:20=2@5", "--scope", "array.**", "--vcd", "x.vcd"},
          {"--fault: 'array.pe[2][1].acc:20=2@5' has a bit stuck at '2'", "SITE=0@17"});
}

}  // namespace
}  // namespace sagitta::test
