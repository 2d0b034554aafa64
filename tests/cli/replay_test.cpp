// sagitta replay: every trial that a folder holds, once more on the whole machine; what it says of
// a store that lies; and the waveforms that it leaves.
#include <SQLiteCpp/SQLiteCpp.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "cli/command_line.h"
#include "support/vcd_reader.h"

namespace sagitta::test {
namespace {

using nlohmann::json;

class CliReplay : public CommandLine {
 protected:
  json experiment(const json& schemes, const json& plans) const {
    json e = small();
    e["scheme"] = schemes;
    e["fault"] = plans;
    return e;
  }
  void keep(const std::string& command, const json& experiment, const Arguments& more = {}) const {
    write_json("experiment.json", experiment);
    done(Arguments{command, "experiment.json", "-q", "-j", "2", "-o", "out"} + more);
  }
  void execute(const std::string& sql) const {
    SQLite::Database(path("out/trials.sqlite"), SQLite::OPEN_READWRITE).exec(sql);
  }
  static Arguments of(int configuration, std::int64_t trial) {
    return {"replay",          "out",
            "--configuration", std::to_string(configuration),
            "--trial",         std::to_string(trial)};
  }
  // The first of configuration 0 whose first fault fired, as its document.
  json fired() const {
    for (int k = 0; k < 8; ++k) {
      json j = document(of(0, k));
      if (j.at("faults").at(0).at("fired").get<bool>()) return j;
    }
    throw std::runtime_error("none fired");
  }
  // Every trial, or every so manieth, is as stored, and says what `export` does; returns the
  // outcomes.
  std::multiset<std::string> replay_all(int step = 1) const {
    std::multiset<std::string> outcomes;
    std::istringstream lines(done({"export", "out", "--format", "jsonl"}));
    int left_out = 0;
    for (std::string line; std::getline(lines, line);) {
      if (++left_out < step) continue;
      left_out = 0;
      const json stored = json::parse(line);
      const int configuration = stored.at("configuration");
      const std::int64_t trial = stored.at("trial");
      SCOPED_TRACE(join(of(configuration, trial)));
      const json j = document(of(configuration, trial));
      EXPECT_EQ(j.at("as_stored"), true) << j.at("differences");
      EXPECT_EQ(j.at("stored_road"), stored.at("road"));
      for (const char* key : {"name", "image", "outcome", "cycles", "faults_drawn"}) {
        EXPECT_EQ(j.at(key), stored.at(key)) << key;
      }
      EXPECT_EQ(j.at("faults").size(), j.at("faults_drawn"));
      outcomes.insert(j.at("outcome").get<std::string>());
    }
    return outcomes;
  }
};

TEST_F(CliReplay, RegistersWithSeveralUpsetsAreAsStored) {
  keep("sweep", experiment({"none", "range-zero", "tmr-pe", "dmr-recompute"},
                           json{{"trials", 4}, {"upsets", {1, 40}}, {"sites", "logic"}}));
  EXPECT_EQ(replay_all().size(), 32U);
}

TEST_F(CliReplay, NeuronsAndWeightsAreAsStored) {
  const json plans = {{{"level", "neuron"}, {"values", "int32"}, {"rate", 1e-3}, {"trials", 3}},
                      {{"level", "neuron"}, {"values", "int8"}, {"rate", 1e-3}, {"trials", 3}},
                      {{"level", "weight"}, {"rate", 1e-3}, {"trials", 3}},
                      {{"level", "neuron"}, {"values", "fp32"}, {"rate", 1e-3}, {"trials", 3}}};
  keep("inject", experiment({"none", "gradient"}, plans));
  EXPECT_EQ(replay_all().size(), 24U);
  const Result text = run(of(2, 0));
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_NE(text.out.find("  weights."), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("As stored (road "), std::string::npos) << text.out;
  EXPECT_NE(done(of(3, 0)).find("As stored (road software)"), std::string::npos);
  refuses(of(3, 0) + Arguments{"--trace", "wave"}, {"--trace", "study in real numbers"});
}

TEST_F(CliReplay, TheOracleIsAsStored) {
  keep("sweep", experiment({"oracle"}, json{{"level", "neuron"}, {"rate", 1e-3}, {"trials", 3}}));
  EXPECT_EQ(replay_all().size(), 3U);
}

TEST_F(CliReplay, CommonPopulationsAndListsAreAsStored) {
  keep("compare", experiment({"none", "tmr-reg"}, json{{"trials", 4}, {"upsets", 8}}));
  EXPECT_EQ(replay_all().size(), 8U);
  done({"inject", "experiment.json", "-q", "--set", "scheme=none", "-o", "first"});
  keep("inject", experiment("none", json{{"list", path("first/faults.json")}}), {"--fresh"});
  EXPECT_EQ(replay_all().size(), 4U);
  const std::string list = contents(path("first/faults.json"));
  write("first/faults.json", list.substr(0, list.size() - 2) + "\n}\n\n");
  refuses(of(0, 0), {"lists_digest"});
}

TEST_F(CliReplay, TrialsOfSamplesAreAsStored) {
  const auto sample = [](const json& s) {
    return json{{"sites", "logic"}, {"seed", 2}, {"trials", 14}, {"sample", s}};
  };
  keep("inject",
       experiment(
           "none",
           json::array(
               {sample({{"method", "stratified"}, {"by", {"block"}}, {"pilot", 2}, {"floor", 2}}),
                sample({{"method", "importance"},
                        {"emphasis", {{{"sites", "array.**"}, {"factor", 3}}}}}),
                json{{"sites", "memory.weight.bank[0].row[0].lane[0]:3"},
                     {"sample", {{"method", "exhaustive"}}}}})));
  EXPECT_GT(replay_all(3).size(), 13U);
}

TEST_F(CliReplay, StuckBitsAreToldApart) {
  keep("inject", experiment("none", json{{"trials", 2},
                                         {"model", "intermittent"},
                                         {"duration", 9},
                                         {"sites", "array.pe[*][*].acc:30"}}));
  replay_all();
  const json j = document(of(0, 0));
  const json& fault = j.at("faults").at(0);
  EXPECT_EQ(fault.at("last").get<int>(), fault.at("cycle").get<int>() + 8);
  const std::string text = done(of(0, 0));
  EXPECT_NE(text.find(fault.at("kind") == "stuck0" ? "acc:30=0@" : "acc:30=1@"), std::string::npos)
      << text;
}

TEST_F(CliReplay, HardenedFlipFlopsAreAsStored) {
  const json scheme = {
      {"name", "h"}, {"kind", "hardened"}, {"hardened", {"array.**"}}, {"hardened_factor", 0.5}};
  keep("inject", experiment(scheme, json{{"trials", 4}, {"upsets", 20}, {"sites", "array.**"}}));
  EXPECT_EQ(replay_all().size(), 4U);
  EXPECT_NE(done(of(0, 0)).find(": resisted, the flip-flop is hardened"), std::string::npos);
}

// A store that was changed: every field is compared, and the clean run's.
TEST_F(CliReplay, SaysWhatDiffersFromTheStore) {
  keep("inject", experiment("none", json{{"trials", 3}, {"upsets", 2}}));
  const std::map<std::string, std::string> changes = {
      {"cycles", "UPDATE trial SET cycles = cycles + 1 WHERE trial = 1"},
      {"outcome", "UPDATE trial SET outcome = 1 WHERE trial = 1"},
      {"layer", "UPDATE trial SET layer = 99 - layer WHERE trial = 1"},
      {"faults[1]", "UPDATE fault SET after = after + 4 WHERE trial = 1 AND ordinal = 1"},
      {"fault_free.mismatches", "UPDATE clean SET mismatches = 3"}};
  const std::string store = contents(path("out/trials.sqlite"));
  for (const auto& [field, sql] : changes) {
    SCOPED_TRACE(sql);
    execute(sql);
    const Result told = run(of(0, 1));
    EXPECT_EQ(told.code, 1);
    EXPECT_NE(told.out.find("Not as stored (road "), std::string::npos) << told.out;
    EXPECT_NE(told.out.find("\n  " + field + ": stored "), std::string::npos) << told.out;
    EXPECT_NE(told.err.find("out/trials.sqlite: trial 1 of configuration 0 is not as stored\n"
                            "  remedy: unless the file was changed by hand, this is a bug"),
              std::string::npos)
        << told.err;
    const Result other = run(of(0, 1) + Arguments{"--json"});
    EXPECT_EQ(other.code, 1);
    const json j = json::parse(other.out);
    EXPECT_EQ(j.at("as_stored"), false);
    EXPECT_EQ(j.at("differences").at(0).at("field"), field);
    write("out/trials.sqlite", store);
    EXPECT_EQ(run(of(0, 1)).code, 0);
  }
  // The road is no result.
  execute("UPDATE trial SET road = 2");
  EXPECT_NE(done(of(0, 1)).find("As stored (road machine)"), std::string::npos);
}

// Another commit is worth a note, as long as its machine is the same.
TEST_F(CliReplay, AProgramOfAnotherCommitIsNoted) {
  keep("sweep", experiment("none", json{{"trials", 2}}));
  execute("UPDATE meta SET value = 'older' WHERE key = 'commit'");
  const Result noted = run(of(0, 0));
  EXPECT_EQ(noted.code, 0);
  EXPECT_NE(noted.err.find("note: out/trials.sqlite was written by version "), std::string::npos);
  EXPECT_NE(noted.err.find("commit older, and this is "), std::string::npos) << noted.err;
  EXPECT_NE(noted.out.find("As stored"), std::string::npos);
  execute("UPDATE trial SET mismatches = 5");
  const Result told = run(of(0, 0));
  EXPECT_EQ(told.code, 1);
  EXPECT_NE(told.err.find("replay it with commit older"), std::string::npos) << told.err;
  execute("UPDATE register SET width = 9 WHERE path = 'control.sequencer.phase'");
  refuses(of(0, 0), {"was written by commit older", "machine", "program that wrote it"});
}

TEST_F(CliReplay, ShardsAndUnfinishedFoldersAreReplayed) {
  keep("sweep", experiment("none", json{{"trials", 4}}), {"--shard", "2/2"});
  const json there = document({"replay", "out", "--trial", "1"});
  EXPECT_EQ(there.at("as_stored"), true);
  const json lacks = document({"replay", "out", "--trial", "2"});
  EXPECT_EQ(lacks.at("as_stored"), nullptr);
  EXPECT_EQ(lacks.at("stored_road"), nullptr);
  const std::string text = done({"replay", "out", "--trial", "2"});
  EXPECT_NE(text.find("does not hold this trial: there is nothing to compare with"),
            std::string::npos)
      << text;
  // As the whole run finds it.
  done({"sweep", "experiment.json", "-q", "-o", "whole"});
  EXPECT_EQ(document({"replay", "whole", "--trial", "2"}).at("outcome"), lacks.at("outcome"));
  EXPECT_EQ(document({"replay", "whole", "--trial", "2"}).at("faults"), lacks.at("faults"));
}

TEST_F(CliReplay, RefusesWhatIsNotThere) {
  refuses({"replay", "out", "--trial", "0"}, {"out/trials.sqlite: there is no such file"});
  keep("sweep", experiment({"none", "tmr-pe"}, json{{"trials", 2}}));
  refuses({"replay", "out", "--trial", "0"},
          {"out: has 2 configurations", "--configuration:",
           "0 (16x16 os none, 1 upset in all), 1 (16x16 os tmr-pe, 1 upset in all)"});
  refuses(of(2, 0), {"out: has no configuration 2", "0 (16x16 os none"});
  refuses(of(1, 2), {"--trial: 2 is not one of the 2 trials of configuration 1", "from 0"});
  refuses({"replay", "out", "--trial", "-1"}, {"--trial"});
  refuses({"replay", "out"}, {"--trial"});
  refuses(of(0, 0) + Arguments{"--scope", "array.**"}, {"--trace"});
  refuses(of(0, 0) + Arguments{"--trace", "wave", "--scope", "arra.**"}, {"--scope", "arra"});
  refuses(of(0, 0) + Arguments{"--trace", "wave", "--cycles", "9..7"}, {"'9..7' is not"});
  refuses(of(0, 0) + Arguments{"--trace", "wave", "--scope", "all", "--limit-mb", "1"},
          {"--trace: would take about", "--limit-mb 1"});
  execute("UPDATE meta SET value = 'other' WHERE key = 'network_digest'");
  refuses(of(0, 0), {"experiment's files are not what they were: network_digest is \"other\""});
}

// Both are the same up to the flip, and it is where the trial says. The outcome is another run's.
TEST_F(CliReplay, TraceLeavesTwoWaveformsThatPartAtTheFault) {
  keep("inject", experiment("none", json{{"trials", 8}, {"sites", "array.**"}}));
  const json plain = fired();
  const json fault = plain.at("faults").at(0);
  const std::int64_t cycle = fault.at("cycle");
  const std::int64_t trial = plain.at("trial");
  const json traced = document(of(0, trial) + Arguments{"--trace", "wave"});
  json without = traced;
  without.erase("trace");
  EXPECT_EQ(without, plain);
  const json first = traced.at("trace").at("first_difference");
  const std::string site = fault.at("site");
  const std::string name = site.substr(0, site.rfind(':'));
  EXPECT_EQ(first, json({{"cycle", cycle}, {"registers", {name}}}));
  const json cycles = traced.at("trace").at("cycles");
  EXPECT_EQ(cycles.at("first"), std::max<std::int64_t>(0, cycle - 10));

  const Vcd golden(path("wave/golden.vcd"));
  const Vcd faulty(path("wave/faulty.vcd"));
  EXPECT_EQ(golden.timescale(), "1ns");
  constexpr std::int64_t kPeriod = 2;  // ns at 500 MHz
  std::int64_t others = 0;
  for (const auto& [path, variable] : golden.variables()) {
    ASSERT_TRUE(faulty.variables().contains(path)) << path;
    if (path == "cycle") continue;
    EXPECT_EQ(path.rfind("sagitta.array.", 0), 0U) << path;
    const bool struck = path == "sagitta." + name;
    for (std::int64_t c = cycles.at("first"); c <= cycle; ++c) {
      const bool same = golden.at(path, c * kPeriod) == faulty.at(path, c * kPeriod);
      ASSERT_EQ(same, !(struck && c == cycle)) << path << " in " << c;
    }
    others += struck ? 0 : 1;
  }
  EXPECT_GT(others, 700) << "the block around it";
  const auto bits = [&](const char* key) {
    return static_cast<std::uint64_t>(fault.at(key).get<std::int64_t>()) &
           ((std::uint64_t{1} << golden.variables().at("sagitta." + name).width) - 1);
  };
  EXPECT_EQ(golden.at("sagitta." + name, cycle * kPeriod), bits("before"));
  EXPECT_EQ(faulty.at("sagitta." + name, cycle * kPeriod), bits("after"));
}

// What strikes otherwise than an upset of a register is in the traced run, too.
TEST_F(CliReplay, NeuronsAndWeightsAreTraced) {
  const json plans = {{{"level", "neuron"}, {"values", "int32"}, {"rate", 1e-3}, {"trials", 1}},
                      {{"level", "weight"}, {"rate", 1e-3}, {"trials", 1}}};
  keep("inject", experiment("none", plans));
  const json neuron = document(of(0, 0) + Arguments{"--trace", "a"});
  const json& fault = neuron.at("faults").at(0);
  const json& first = neuron.at("trace").at("first_difference");
  EXPECT_EQ(first.at("cycle"), fault.at("cycle"));
  EXPECT_EQ(fault.at("site").get<std::string>().rfind(
                first.at("registers").at(0).get<std::string>() + ":", 0),
            0U)
      << first;
  const json weight = document(of(1, 0) + Arguments{"--trace", "b"});
  const json& data = weight.at("trace").at("first_difference").at("registers");
  ASSERT_FALSE(data.empty());
  EXPECT_EQ(data.at(0).get<std::string>().rfind("memory.dma.", 0), 0U) << data;
}

// A word of a memory, chosen registers and cycles; and the same flip as `sagitta trace` shows it.
TEST_F(CliReplay, TracesWhatIsAskedForAsTraceDoes) {
  keep("inject", experiment("none", json{{"trials", 8}, {"sites", "memory.activation.**"}}));
  const json plain = fired();
  const json fault = plain.at("faults").at(0);
  const std::string site = fault.at("site");
  const std::string word = site.substr(0, site.rfind(':'));
  const std::int64_t cycle = fault.at("cycle");
  const std::string cycles =
      std::to_string(std::max<std::int64_t>(0, cycle - 3)) + ".." + std::to_string(cycle + 3);
  const Arguments window{"--scope", word + ",vector.**", "--cycles", cycles};
  done(of(0, plain.at("trial")) + Arguments{"--trace", "wave"} + window);
  done(Arguments{"trace", "experiment.json", "--image", plain.at("image").dump(), "--fault",
                 site + "@" + std::to_string(cycle), "--vcd", "both.vcd"} +
       window);
  const Vcd both(path("both.vcd"));
  for (const std::string run : {"golden", "faulty"}) {
    const Vcd one(path("wave/" + run + ".vcd"));
    EXPECT_EQ(one.times(), both.times());
    for (const auto& [name, variable] : one.variables()) {
      if (name == "cycle") continue;
      const std::string there = run + name.substr(std::string("sagitta").size());
      EXPECT_EQ(one.changes_of(name), both.changes_of(there)) << name;
      for (const std::int64_t time : one.times()) {
        if (time == one.times().back()) break;
        ASSERT_EQ(one.at(name, time), both.at(there, time)) << name << " at " << time;
      }
    }
  }
  // By default of a memory only the word, beside the block's flip-flops.
  const json traced = document(of(0, plain.at("trial")) + Arguments{"--trace", "default"});
  const Vcd small(path("default/faulty.vcd"));
  EXPECT_TRUE(small.variables().contains("sagitta." + word));
  EXPECT_LT(std::filesystem::file_size(path("default/faulty.vcd")), 2000000U);
}

}  // namespace
}  // namespace sagitta::test
