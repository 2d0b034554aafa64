// Runs that are killed at any moment, again and again: what was committed stays, and in the end all
// is as after one run.
#include <algorithm>
#include <random>
#include <sstream>

#include <SQLiteCpp/SQLiteCpp.h>

#include "cli/command_line.h"

namespace sagitta::test {
namespace {

using Clock = std::chrono::steady_clock;

class CliKill : public CommandLine {
 protected:
  static constexpr int kKills = 50;

  CliKill() {
    nlohmann::json experiment = small();
    experiment["images"] = 10;
    experiment["fault"] = {
        {{"sites", "logic"}, {"upsets", 3}, {"trials", 120}, {"seed", 1}},
        {{"sites", "logic"},
         {"trials", 60},
         {"seed", 1},
         {"sample", {{"method", "stratified"}, {"by", {"block"}}}}},
        {{"sites", "array.**"},
         {"seed", 1},
         {"sample", {{"error", 0.01}, {"confidence", 0.9}, {"stop", "sequence"}}}},
        {{"level", "weight"}, {"rate", 1e-4}, {"trials", 40}, {"seed", 1}},
        {{"level", "neuron"}, {"values", "fp32"}, {"rate", 1e-3}, {"trials", 40}, {"seed", 1}}};
    experiment["scheme"] = {"none", "range-zero"};
    write_json("experiment.json", experiment);
  }
  // What a run leaves, with its trials as rows.
  std::map<std::string, std::string> files(const std::string& folder) const {
    std::map<std::string, std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(path(folder))) {
      const std::string name = entry.path().filename().string();
      if (!name.starts_with("trials.sqlite")) all[name] = contents(entry.path().string());
    }
    all["csv"] = done({"export", folder});
    all["jsonl"] = done({"export", folder, "--format", "jsonl"});
    return all;
  }
  static Arguments inject(const std::string& folder, int workers) {
    return {"inject", "experiment.json", "-q", "-o", folder, "-j", std::to_string(workers)};
  }
};

// A kill behind the first look of a sequence: of what was decided at a look nothing is lost.
TEST_F(CliKill, BehindTheFirstLookOfASequence) {
  nlohmann::json experiment = small();
  experiment["images"] = 2;
  experiment["fault"] = {
      {"sites", "array.pe[0][*].acc"},
      {"seed", 1},
      {"sample", {{"error", 0.003}, {"confidence", 0.95}, {"stop", "sequence"}}}};
  write_json("experiment.json", experiment);
  constexpr int kFirstLook = 1000;
  done(inject("whole", 2));
  const auto expected = files("whole");
  const auto rows = [](const std::string& csv) {
    return static_cast<int>(std::count(csv.begin(), csv.end(), '\n')) - 1;
  };
  const int all = rows(expected.at("csv"));
  ASSERT_GT(all, kFirstLook * 6 / 5) << "more looks than two";
  const auto stored = [this](const std::string& folder) {
    try {
      SQLite::Database store(path(folder + "/trials.sqlite"));
      return store.execAndGet("SELECT count(*) FROM trial").getInt();
    } catch (const SQLite::Exception&) {
      return 0;  // not yet
    }
  };
  // A run that ends before it is looked at is done again.
  int kept = 0;
  for (int attempt = 0; attempt < 20 && kept == 0; ++attempt) {
    std::filesystem::remove_all(path("run"));
    Process process(inject("run", 1), folder_ / "");
    Result result;
    while (kept == 0 && !process.wait(0, result)) {
      if (stored("run") <= kFirstLook) continue;
      kill(process.pid(), SIGKILL);
      ASSERT_TRUE(process.wait(10, result));
      if (result.code == 128 + SIGKILL) kept = rows(done({"export", "run"}));
      break;
    }
  }
  EXPECT_GT(kept, kFirstLook);
  EXPECT_LT(kept, all);
  done(inject("run", 2));
  EXPECT_EQ(files("run"), expected);
}

TEST_F(CliKill, FiftyKillsChangeNothing) {
  const auto begin = Clock::now();
  done(inject("whole", 2));
  const double once = std::chrono::duration<double>(Clock::now() - begin).count();
  const auto expected = files("whole");
  // The head, 200 trials of either scheme, and what the samples come to: a sequence's looks are
  // after 1,000 trials and more.
  const auto rows_of_all = std::count(expected.at("csv").begin(), expected.at("csv").end(), '\n');
  ASSERT_GT(rows_of_all, 1 + 2 * (200 + 60 + 1000));

  std::mt19937 random(1);
  std::uniform_real_distribution<double> part(0, 1);
  int kills = 0, runs = 0, kept = 0, most = 0;
  while (kills < kKills) {
    const std::string folder = "run" + std::to_string(runs++);
    for (bool ended = false; !ended;) {
      Process process(inject(folder, 1 + static_cast<int>(random() % 3)), folder_ / "");
      Result result;
      if (process.wait(part(random) * once, result)) {
        EXPECT_EQ(result.code, 0) << result.err;
        ended = true;
        continue;
      }
      kill(process.pid(), SIGKILL);
      ++kills;
      ASSERT_TRUE(process.wait(10, result));
      if (!std::filesystem::exists(path(folder + "/trials.sqlite"))) continue;
      // All that is there was there in the whole run: rows, and never half of one.
      const Result some = run({"export", folder});
      if (some.code != 0) continue;  // killed before there were tables
      std::istringstream rows(some.out);
      std::string row;
      kept = 0;
      while (std::getline(rows, row)) {
        ++kept;
        EXPECT_NE(expected.at("csv").find(row + "\n"), std::string::npos) << row;
      }
      most = std::max(most, kept - 1);
    }
    EXPECT_EQ(files(folder), expected) << folder << " after " << kills << " kills";
    std::filesystem::remove_all(path(folder));
  }
  RecordProperty("kills", kills);
  std::printf("%d kills in %d runs, %.1f s\n", kills, runs,
              std::chrono::duration<double>(Clock::now() - begin).count());
  EXPECT_GT(most, 0) << "no kill came after a commit: they test nothing";
  EXPECT_LT(most, rows_of_all);
}

}  // namespace
}  // namespace sagitta::test
