// The store of trials: what is put comes back, views say what results say, and what is not ours is
// refused.
#include "campaign/store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <memory>
#include <sstream>

#include <fmt/format.h>

#include "base/error.h"
#include "report/results.h"
#include "report/trial_export.h"
#include "support/temporary_folder.h"
#include "support/trials.h"

namespace sagitta {
namespace {

const std::string kSource = SAGITTA_SOURCE_DIR;

StoreHead head() {
  StoreHead h;
  h.meta = {{"command", "sweep"},
            {"file", "e.json"},
            {"version", "1"},
            {"commit", "abc"},
            {"engine", "fast"},
            {"network", "n"},
            {"faults", "named"},
            {"shard", "1/1"},
            {"experiment", {{"network", "/a"}, {"images", 3}, {"fault", {{{"seed", 1}}}}}}};
  return h;
}

TrialResult trial(std::int64_t k) {
  TrialResult t;
  t.trial = k;
  t.image = static_cast<int>(k % 7);
  t.outcome = static_cast<Outcome>(k % kOutcomes);
  t.predicted_class = -1;
  t.correct = k % 2 == 0;
  t.reference_correct = true;
  t.cycles = (std::int64_t{1} << 40) + k;
  t.faults_drawn = 3;
  t.faults = {{{4, std::int64_t{1} << 33, 31}, 17, true, -5, std::numeric_limits<int>::min(), true},
              {{4, 2, 0}, 0, false, 3, 3, false, FaultKind::stuck1, kToTheEnd},
              {{5, 1, 7}, 9, true, 1, 0, false, FaultKind::stuck0, std::int64_t{1} << 41}};
  t.weights = {{{2, 24, 3, 7}, true, -128, 127}};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  t.floats = {{{1, 99, 30}, true, 0.1F, std::numeric_limits<float>::infinity()},
              {{1, 100, 22}, false, std::copysign(nan, -1.0F), nan},
              {{1, 101, 31}, true, 0.0F, -0.0F}};
  return t;
}

// Everything that the program reads of a trial, as text.
std::string text(const TrialResult& t) {
  std::string all;
  for (const std::int64_t v : {t.trial, std::int64_t{t.image}, static_cast<std::int64_t>(t.outcome),
                               std::int64_t{t.predicted_class}, std::int64_t{t.correct},
                               std::int64_t{t.reference_correct}, t.cycles, t.faults_drawn}) {
    all += std::to_string(v) + " ";
  }
  for (const FaultRecord& f : t.faults) {
    all += fmt::format("{}/{}/{}@{} {} {} {} {} {} {} ", f.site.register_class, f.site.element,
                       f.site.bit, f.cycle, f.fired, f.before, f.after, f.resisted,
                       to_string(f.kind), f.last);
  }
  for (const WeightRecord& w : t.weights) {
    all += fmt::format("{}/{}/{}/{} {} {} {} ", w.fault.layer, w.fault.k, w.fault.n, w.fault.bit,
                       w.fired, w.before, w.after);
  }
  for (const FloatRecord& r : t.floats) {
    all += fmt::format("{}/{}/{} {} {} {} ", r.fault.layer, r.fault.element, r.fault.bit, r.fired,
                       r.before, r.after);
  }
  return all;
}

class StoreFile : public ::testing::Test {
 protected:
  std::string path() const { return folder_ / "trials.sqlite"; }
  // The message with which opening is refused.
  std::string refusal(const StoreHead& h, StoreOptions options = {}) const {
    options.path = path();
    try {
      const Store store(options, h);
    } catch (const InputError& e) {
      return e.what();
    }
    ADD_FAILURE() << "not refused";
    return "";
  }
  void execute(const std::string& sql) const {
    SQLite::Database(path(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE).exec(sql);
  }
  test::TemporaryFolder folder_;
};

TEST_F(StoreFile, GivesBackWhatWasPut) {
  {
    Store store({.path = path()}, head());
    for (const std::int64_t k : {5, 1, 3}) store.put(0, trial(k));
    store.put(1, trial(2));
    CleanResult clean;
    clean.image = 4;
    clean.correct = true;
    clean.logits = {-128, 0, 127};
    clean.counters.resize(2);
    clean.counters[1].macs = 123456789012;
    store.put(0, clean);
    TrialResult again = trial(5);
    again.cycles = 1;
    store.put(0, again);  // there already, and stays as it is
    store.commit();
  }
  const Store store(path());
  std::vector<std::int64_t> order;
  store.each_trial(0, [&](const TrialResult& t) {
    order.push_back(t.trial);
    EXPECT_EQ(text(t), text(trial(t.trial)));
  });
  EXPECT_EQ(order, (std::vector<std::int64_t>{1, 3, 5}));
  EXPECT_EQ(store.trials(), 4);
  EXPECT_EQ(store.trials_in(0, 2, 6), (std::vector<bool>{false, true, false, true}));
  EXPECT_EQ(store.images_in(0, 6), (std::vector<bool>{false, false, false, false, true, false}));
  int runs = 0;
  store.each_clean(0, [&](const CleanResult& c) {
    ++runs;
    EXPECT_EQ(c.image, 4);
    EXPECT_EQ(c.logits, (std::vector<std::int8_t>{-128, 0, 127}));
    ASSERT_EQ(c.counters.size(), 2U);
    EXPECT_EQ(c.counters[1].macs, 123456789012);
  });
  EXPECT_EQ(runs, 1);
}

TEST_F(StoreFile, KeepsWhatWasCommittedAndNothingElse) {
  {
    Store store({.path = path()}, head());
    store.put(0, trial(1));
    store.commit();
    store.put(0, trial(2));
  }
  Store store({.path = path()}, head());
  EXPECT_EQ(store.trials(), 1);
}

TEST_F(StoreFile, NamesTheDifference) {
  { const Store store({.path = path()}, head()); }
  StoreHead other = head();
  other.meta["experiment"]["fault"][0]["seed"] = 2;
  EXPECT_EQ(refusal(other),
            path() +
                ": holds trials of another experiment: $.fault[0].seed is 1 there and 2 here\n"
                "  remedy: give another folder with -o, or start anew with --fresh, which deletes "
                "these trials");
  other.meta["commit"] = "def";
  EXPECT_NE(refusal(other).find("(the first of 2 differences)"), std::string::npos);
  other = head();
  other.meta["commit"] = "def";
  EXPECT_NE(refusal(other).find(": commit is \"abc\" there and \"def\" here\n"), std::string::npos);
  other = head();
  other.meta["shard"] = "1/2";
  EXPECT_NE(refusal(other).find(": shard is \"1/1\" there"), std::string::npos);
  other = head();
  other.meta["experiment"]["extra"] = true;
  EXPECT_NE(refusal(other).find("$.extra is null there and true here"), std::string::npos);
  // Where files lie and who asks decides no trial.
  other = head();
  other.meta["experiment"]["network"] = "/b";
  other.meta["command"] = "inject";
  const Store store({.path = path()}, other);
  EXPECT_EQ(store.meta().at("command"), "inject");
}

TEST_F(StoreFile, IsForOneProcess) {
  const Store first({.path = path()}, head());
  const pid_t child = fork();
  if (child == 0) {
    try {
      const Store second({.path = path()}, head());
    } catch (const InputError& e) {
      const std::string expected =
          path() + ": another process " + std::to_string(getppid()) + " is writing to it";
      _exit(std::string(e.what()).starts_with(expected) ? 7 : 8);
    }
    _exit(9);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  EXPECT_EQ(Store(path()).trials(), 0) << "reading is free";
}

TEST_F(StoreFile, RefusesWhatIsNotOurs) {
  folder_.write("trials.sqlite", std::string(5000, 'x'));
  EXPECT_EQ(refusal(head()), path() + ": is not a database\n  remedy: give another folder with -o");
  EXPECT_NE(refusal(head(), {.fresh = true}).find("is not a database"), std::string::npos);
  std::filesystem::remove(path());
  execute("CREATE TABLE customers(name)");
  EXPECT_NE(refusal(head()).find(": is a database, but not one of Sagitta's"), std::string::npos);
  EXPECT_NE(refusal(head(), {.fresh = true}).find("not one of Sagitta's"), std::string::npos);
  EXPECT_THROW(Store{path()}, InputError);
  std::filesystem::remove(path());
  { const Store store({.path = path()}, head()); }
  execute("PRAGMA user_version = 99");
  EXPECT_NE(refusal(head()).find(": has the tables of version 99, and this is a program for"),
            std::string::npos);
  std::filesystem::remove(path());
  EXPECT_NE(refusal(head(), {.resume = true}).find("nothing to go on with"), std::string::npos);
  EXPECT_THROW(Store{path()}, InputError);
}

TEST_F(StoreFile, TellsWhatChangesByHandLeaveOut) {
  const auto refused_after = [&](const std::string& sql, const std::string& what) {
    SCOPED_TRACE(sql);
    std::filesystem::remove(path());
    { const Store store({.path = path()}, head()); }
    execute(sql);
    EXPECT_NE(refusal(head()).find("its table meta has no " + what), std::string::npos);
    EXPECT_THROW(Store(path()).meta(), InputError);
    const Store anew({.path = path(), .fresh = true}, head());
    EXPECT_EQ(anew.trials(), 0);
  };
  refused_after("DELETE FROM meta WHERE key = 'experiment'", "'experiment'");
  refused_after("DELETE FROM meta WHERE key = 'shard'", "'shard'");
  refused_after("UPDATE meta SET value = '{' WHERE key = 'experiment'", "valid 'experiment'");
  refused_after("UPDATE meta SET value = '[1]' WHERE key = 'experiment'", "valid 'experiment'");
}

TEST_F(StoreFile, IsAFile) {
  std::filesystem::create_directory(path());
  EXPECT_NE(refusal(head()).find(": cannot be opened: "), std::string::npos);
  EXPECT_THROW(Store{path()}, InputError);
  EXPECT_TRUE(std::filesystem::is_directory(path()));
}

// What a kill in the first moment leaves is a beginning.
TEST_F(StoreFile, AnEmptyFileIsABeginning) {
  folder_.write("trials.sqlite", "");
  Store store({.path = path()}, head());
  store.put(0, trial(1));
  store.commit();
  EXPECT_EQ(store.trials(), 1);
}

TEST_F(StoreFile, FreshDropsTrials) {
  {
    Store store({.path = path()}, head());
    store.put(0, trial(1));
    store.commit();
  }
  StoreHead other = head();
  other.meta["commit"] = "def";
  const Store store({.path = path(), .fresh = true}, other);
  EXPECT_EQ(store.trials(), 0);
}

TEST(Shards, DivideTheTrials) {
  for (const char* bad : {"", "1", "0/2", "3/2", "1/", "/2", "a/2", "1/2/3", "1/2x", "-1/2"}) {
    EXPECT_THROW(parse_shard(bad), InputError) << bad;
  }
  for (const int of : {1, 2, 3, 8}) {
    for (const std::int64_t n : {0, 1, 7, 100}) {
      std::int64_t all = 0;
      for (int i = 1; i <= of; ++i) {
        const Shard shard = parse_shard(fmt::format("{}/{}", i, of));
        std::int64_t has = 0;
        for (std::int64_t k = 0; k < n; ++k) has += shard.has(k) ? 1 : 0;
        EXPECT_EQ(shard.share(n), has) << i << "/" << of << " of " << n;
        all += has;
      }
      EXPECT_EQ(all, n);
    }
  }
}

// One for all tests that read; its store is a file.
const Campaign& campaign() {
  static const test::TemporaryFolder folder;
  static const std::unique_ptr<Campaign> only = [] {
    auto c = std::make_unique<Campaign>(load_experiment(
        kSource + "/configs/lenet5.json",
        {"images=6", "calibration_images=5", "array={\"rows\": 8}", R"(scheme=["none","tmr-pe"])",
         R"(fault=[{"upsets": 1, "trials": 100, "sites": "array.**,vector.**"},)"
         R"({"upsets": 200, "trials": 30, "sites": "array.pe**", "population": "common"},)"
         R"({"model": "stuck-at-1", "trials": 60, "sites": "array.**,vector.**"}])"}));
    c->keep_in({.path = folder / "trials.sqlite"}, "sweep");
    c->run_trials(2, nullptr);
    return c;
  }();
  return *only;
}

// The questions that SQL answers have the answers of results.json, which counts in C++.
TEST(CampaignStore, ViewsSayWhatResultsSay) {
  const Campaign& c = campaign();
  const auto results = sweep_results(c);
  SQLite::Database& database = c.store().database();
  for (int i = 0; i < 6; ++i) {
    SCOPED_TRACE(i);
    const auto& result = results.at("configurations")[static_cast<std::size_t>(i)];
    SQLite::Statement sdc(database,
                          "SELECT rate, low, high, sdc, trials FROM sdc WHERE configuration = ?");
    sdc.bind(1, i);
    ASSERT_TRUE(sdc.executeStep());
    int column = 0;
    for (const char* key : {"value", "low", "high", "count", "n"}) {
      EXPECT_NEAR(sdc.getColumn(column++).getDouble(), result.at("sdc_rate").at(key).get<double>(),
                  1e-12)
          << key;
    }
    std::map<std::string, std::int64_t> outcomes;
    SQLite::Statement outcome(database,
                              "SELECT outcome, trials FROM outcomes WHERE configuration = ?");
    outcome.bind(1, i);
    while (outcome.executeStep()) {
      outcomes[outcome.getColumn(0).getString()] = outcome.getColumn(1).getInt64();
    }
    for (const auto& [name, count] : result.at("outcomes").items()) {
      EXPECT_EQ(outcomes[name], count) << name;
    }
  }
  const std::map<std::string, std::pair<std::string, std::vector<std::string>>> views = {
      {"by_block", {"blocks", {"block"}}},
      {"by_register", {"registers", {"register"}}},
      {"by_bit", {"bits", {"register", "bit"}}},
      {"by_layer", {"layers", {"layer"}}},
      {"by_pe", {"pes", {"row", "col"}}}};
  for (const auto& [view, list] : views) {
    for (const int i : {0, 2, 3, 5}) {  // one upset, one stuck bit
      SCOPED_TRACE(view + " " + std::to_string(i));
      const auto& groups =
          results.at("configurations")[static_cast<std::size_t>(i)].at("breakdown").at(list.first);
      ASSERT_GT(groups.size(), 1U);
      std::map<std::string, std::string> expected, found;
      for (const auto& group : groups) {
        std::string key;
        for (const std::string& name : list.second) {
          const auto& value = group.at(name);
          key += (value.is_string() ? value.get<std::string>()
                  : value.is_null() ? ""
                                    : value.dump()) +
                 " ";
        }
        for (const char* end :
             {"trials", "masked", "idle", "corrected", "tolerable", "sdc", "hang", "uncorrected"}) {
          expected[key] += group.at(end).dump() + " ";
        }
      }
      SQLite::Statement row(database, "SELECT * FROM " + view + " WHERE configuration = ?");
      row.bind(1, i);
      while (row.executeStep()) {
        const int first = row.getColumnCount() - 8;
        std::string key;
        for (int k = first - static_cast<int>(list.second.size()); k < first; ++k) {
          key += row.getColumn(k).getString() + " ";
        }
        for (int k = first; k < first + 8; ++k) found[key] += row.getColumn(k).getString() + " ";
      }
      EXPECT_EQ(found, expected);
    }
  }
  // Blocks are sums of their registers.
  const auto number = [&](const char* sql) { return database.execAndGet(sql).getInt(); };
  EXPECT_EQ(number("SELECT sum(trials) FROM by_block"),
            number("SELECT sum(trials) FROM by_register"));
  EXPECT_GT(number("SELECT count(DISTINCT block) FROM by_block"), 1);
}

// Trials of a pilot only allocate the others.
TEST(CampaignStore, ViewsLeavePilotsOut) {
  const test::TemporaryFolder folder;
  Experiment experiment = load_experiment(
      kSource + "/configs/lenet5.json",
      {R"(scheme="none")", "images=2",
       R"(fault={"sites": "logic", "trials": 60, "sample": {"method": "stratified", "by": ["block"], "pilot": 5}})"});
  Campaign c(std::move(experiment));
  c.keep_in({.path = folder / "trials.sqlite"}, "sweep");
  c.run_trials(1, nullptr);
  const std::int64_t pilots = c.faults(0).pilots;
  ASSERT_GT(pilots, 0);
  const auto number = [&](const std::string& sql) {
    return c.store().database().execAndGet(sql).getInt64();
  };
  EXPECT_EQ(number("SELECT count(*) FROM trials"), 60 + pilots);
  for (const std::string view : {"roads", "outcomes", "strata"}) {
    EXPECT_EQ(number("SELECT sum(trials) FROM " + view), 60) << view;
  }
}

// Pairs are counted in SQL; here trial by trial.
TEST(CampaignStore, DiscordantPairsAreThoseOfTheTrials) {
  const Campaign& c = campaign();
  std::int64_t first = 0, second = 0;
  const auto a = test::trials_of(c, 1);
  const auto b = test::trials_of(c, 4);
  ASSERT_EQ(a.size(), 30U);
  for (std::size_t k = 0; k < a.size(); ++k) {
    first += a[k].correct && !b[k].correct ? 1 : 0;
    second += b[k].correct && !a[k].correct ? 1 : 0;
  }
  EXPECT_GT(first + second, 0);
  EXPECT_EQ(c.store().discordant(1, 4), std::pair(first, second));
  EXPECT_EQ(c.store().discordant(4, 1), std::pair(second, first));
}

// Faults are named where they are not more than trials, and under keep_faults.
TEST(CampaignStore, FaultsOfSeveralUpsetsAreOnlyCounted) {
  const Campaign& c = campaign();
  for (const TrialResult& t : test::trials_of(c, 0)) EXPECT_EQ(t.faults.size(), 1U);
  for (const TrialResult& t : test::trials_of(c, 1)) {
    EXPECT_EQ(t.faults.size(), 0U);
    EXPECT_EQ(t.faults_drawn, 200);
  }
}

// An export has a line for each trial, of the store alone: not of a campaign.
TEST(CampaignStore, ExportHasTheTrials) {
  const Campaign& c = campaign();
  const Store store(c.store().path());
  EXPECT_EQ(trials_planned(store), 380);
  std::string csv, jsonl;
  export_trials(store, ExportFormat::csv, [&](std::string_view t) { csv += t; });
  export_trials(store, ExportFormat::jsonl, [&](std::string_view t) { jsonl += t; });
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 381);
  std::istringstream lines(jsonl);
  std::string line;
  const Machine machine(c.machines()[0].program);
  const SiteMap sites(machine.layout());
  for (int i = 0; i < 6; ++i) {
    for (const TrialResult& t : test::trials_of(c, i)) {
      ASSERT_TRUE(std::getline(lines, line));
      const auto j = nlohmann::json::parse(line);
      EXPECT_EQ(j.at("configuration"), i);
      EXPECT_EQ(j.at("trial"), t.trial);
      EXPECT_EQ(j.at("outcome"), to_string(t.outcome));
      EXPECT_EQ(j.at("cycles"), t.cycles);
      EXPECT_EQ(j.at("faults").size(), t.faults.size());
      if (i != 0 && i != 2) continue;
      EXPECT_EQ(j.at("faults")[0].at("site"), sites.path(t.faults[0].site));
      EXPECT_EQ(j.at("faults")[0].at("after"), t.faults[0].after);
      const bool stuck = i == 2;
      EXPECT_EQ(j.at("faults")[0].at("kind"), stuck ? "stuck1" : "flip");
      EXPECT_NE(csv.find(fmt::format("{}{}@{}\n", sites.path(t.faults[0].site), stuck ? "=1" : "",
                                     t.faults[0].cycle)),
                std::string::npos);
    }
  }
  EXPECT_FALSE(std::getline(lines, line));
}

}  // namespace
}  // namespace sagitta
