// The trials that an output folder keeps: going on, refusals, a full disk, exports, progress.
#include <SQLiteCpp/SQLiteCpp.h>
#include <poll.h>
#include <sys/resource.h>

#include <cstdlib>
#include <regex>

#include "cli/command_line.h"

namespace sagitta::test {
namespace {

class CliStore : public CommandLine {
 protected:
  CliStore() { write_json("experiment.json", small()); }
  void execute(const std::string& sql) const {
    SQLite::Database(path("out/trials.sqlite"), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE)
        .exec(sql);
  }
  int number(const std::string& sql) const {
    return SQLite::Database(path("out/trials.sqlite")).execAndGet(sql).getInt();
  }
  static Arguments sweep(const Arguments& more = {}) {
    return Arguments{"sweep", "experiment.json", "-q", "-o", "out"} + more;
  }
};

TEST_F(CliStore, ACompleteRunIsReportedAgain) {
  done(sweep());
  const std::string results = contents(path("out/results.json"));
  const std::string store = contents(path("out/trials.sqlite"));
  EXPECT_FALSE(std::filesystem::exists(path("out/trials.sqlite-wal"))) << "one plain file";
  EXPECT_FALSE(std::filesystem::exists(path("out/trials.sqlite-lock")));
  std::filesystem::remove(path("out/results.json"));
  const Result again = run({"sweep", "experiment.json", "-o", "out", "--resume"});
  EXPECT_EQ(again.code, 0);
  EXPECT_NE(again.err.find(": 12/12 (100 %), 0/s"), std::string::npos) << again.err;
  EXPECT_EQ(contents(path("out/results.json")), results);
  EXPECT_EQ(contents(path("out/trials.sqlite")), store);
}

// What is missing is run, and nothing else.
TEST_F(CliStore, MissingTrialsAreRun) {
  done(sweep());
  const std::string results = contents(path("out/results.json"));
  const std::string trials = done({"export", "out"});
  execute(
      "DELETE FROM trial WHERE trial IN (2, 5); DELETE FROM fault WHERE trial IN (2, 5);"
      "UPDATE trial SET cycles = 7 WHERE trial = 3; DELETE FROM clean WHERE image = 0");
  const Result half = run({"export", "out"});
  EXPECT_EQ(half.code, 0);
  EXPECT_NE(half.err.find("note: out/trials.sqlite holds 6 of 8 trials"), std::string::npos);
  done(sweep());
  EXPECT_EQ(number("SELECT count(*) FROM trial"), 8);
  EXPECT_EQ(number("SELECT count(*) FROM clean"), 4);
  EXPECT_EQ(number("SELECT cycles FROM trial WHERE trial = 3"), 7) << "was run again";
  EXPECT_EQ(contents(path("out/results.json")), results);
  done(sweep({"--fresh"}));
  EXPECT_EQ(done({"export", "out"}), trials);
}

TEST_F(CliStore, AnotherExperimentIsRefused) {
  done(sweep());
  refuses(sweep({"--set", "fault.seed=2"}),
          {"out/trials.sqlite: holds trials of another experiment: $.fault.seed is 1 there and "
           "2 here",
           "another folder with -o", "--fresh"});
  refuses(sweep({"--set", "images=3"}), {"$.images is 4 there and 3 here"});
  refuses(sweep({"--set", "scheme=[\"none\",\"tmr-pe\"]"}), {"$.scheme", "tmr-pe"});
  refuses({"compare", "experiment.json", "-q", "-o", "out"}, {"$.fault.population is"});
  refuses(sweep({"--shard", "1/2"}), {"shard is \"1/1\" there and \"1/2\" here"});
  // Two commands, the same trials.
  done({"inject", "experiment.json", "-q", "-o", "out"});
  execute("UPDATE meta SET value = 'older' WHERE key = 'commit'");
  refuses(sweep(), {"commit is \"older\" there and "});
  done(sweep({"--fresh", "--set", "fault.seed=2"}));
}

TEST_F(CliStore, WhatIsNoStoreIsRefused) {
  refuses(sweep({"--resume"}), {"out/trials.sqlite: there is no such file", "leave --resume out"});
  refuses({"export", "out"}, {"out/trials.sqlite: there is no such file", "-o"});
  write("out/trials.sqlite", "these are no trials, and there are some more of them than one page");
  for (const auto& command : {sweep(), sweep({"--fresh"}), Arguments{"export", "out"}}) {
    refuses(command, {"out/trials.sqlite: is not a database"});
  }
  std::filesystem::remove(path("out/trials.sqlite"));
  execute("CREATE TABLE customers(name)");
  for (const auto& command : {sweep(), sweep({"--fresh"}), Arguments{"export", "out"}}) {
    refuses(command, {"out/trials.sqlite: is a database, but not one of Sagitta's trials"});
  }
  std::filesystem::remove(path("out/trials.sqlite"));
  done(sweep());
  execute("PRAGMA user_version = 1");
  for (const auto& command : {sweep(), Arguments{"export", "out"}}) {
    refuses(command,
            {"out/trials.sqlite: has the tables of version 1, and this is a program for version 2",
             "version of Sagitta", "--fresh"});
  }
  done(sweep({"--fresh"}));
  EXPECT_EQ(number("SELECT count(*) FROM trial"), 8);
}

TEST_F(CliStore, OptionsOfTheStoreNeedAFolder) {
  for (const Arguments& option : {Arguments{"--fresh"}, {"--resume"}, {"--shard", "1/2"}}) {
    refuses(Arguments{"sweep", "experiment.json"} + option, {"-o DIR"});
  }
  refuses(sweep({"--fresh", "--resume"}), {"contradict each other"});
  for (const std::string shard : {"0/2", "3/2", "1", "a/b"}) {
    refuses(sweep({"--shard", shard}), {"--shard: '" + shard + "' is no part of a whole", "2/4"});
  }
  refuses({"export", "out", "--format", "xml"}, {"--format", "xml"});
}

// A second run in the same folder is refused while the first one is alive, and only so long.
TEST_F(CliStore, IsForOneProcessAtATime) {
  nlohmann::json experiment = small();
  experiment["fault"] = {{"trials", 100000}, {"upsets", 64}};  // minutes
  write_json("experiment.json", experiment);
  Process first(sweep(), folder_ / "");
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!std::filesystem::exists(path("out/trials.sqlite-wal"))) {
    ASSERT_LT(std::chrono::steady_clock::now(), end) << "it makes no store";
    usleep(10000);
  }
  const Result second = run(sweep());
  EXPECT_EQ(second.code, 2);
  EXPECT_NE(second.err.find("sagitta: out/trials.sqlite: another process " +
                            std::to_string(first.pid()) + " is writing to it\n  remedy: "),
            std::string::npos)
      << second.err;
  EXPECT_EQ(run({"export", "out"}).code, 0) << "reading goes on";
  kill(first.pid(), SIGKILL);
  Result killed;
  ASSERT_TRUE(first.wait(10, killed));
  Process third(sweep(), folder_ / "");
  Result running;
  EXPECT_FALSE(third.wait(1.5, running)) << running.err;
}

// No file may grow over a limit: what SQLite meets then is what a full disk is.
TEST_F(CliStore, AFullDiskLosesNothingThatWasCommitted) {
  nlohmann::json experiment = small();
  experiment["fault"] = {{"trials", 40}, {"upsets", 250}, {"sites", "logic"}};
  write_json("experiment.json", experiment);
  const Arguments inject{"inject", "experiment.json", "-q", "-j", "1", "-o"};
  done(inject + Arguments{"whole"});
  rlimit unlimited{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
  rlimit little = unlimited;
  little.rlim_cur = 300000;
  std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &little), 0);
  const Result full = run(inject + Arguments{"out"});
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
  EXPECT_EQ(full.code, 1);
  EXPECT_EQ(full.out, "");
  EXPECT_TRUE(std::regex_search(
      full.err,
      std::regex("^sagitta: out/trials.sqlite: cannot be written: .*\n  remedy: make room "
                 "on the disk and run the same command again.*\n$")))
      << full.err;
  EXPECT_FALSE(std::filesystem::exists(path("out/results.json")));
  {
    SQLite::Database database(path("out/trials.sqlite"), SQLite::OPEN_READWRITE);
    EXPECT_EQ(database.execAndGet("PRAGMA integrity_check").getString(), "ok");
  }
  done(inject + Arguments{"out"});
  for (const std::string file : {"results.json", "results.csv", "faults.csv", "faults.json"}) {
    EXPECT_EQ(contents(path("out/" + file)), contents(path("whole/" + file))) << file;
  }
  EXPECT_EQ(done({"export", "out"}), done({"export", "whole"}));
}

// A file or standard output, the same bytes; read by whoever reads CSV.
TEST_F(CliStore, ExportGoesWhereItIsSent) {
  done({"inject", "experiment.json", "-q", "-o", "out"});
  const std::string csv = done({"export", "out"});
  EXPECT_EQ(done({"export", "out", "--format", "csv", "-o", "trials.csv"}), "");
  EXPECT_EQ(contents(path("trials.csv")), csv);
  EXPECT_EQ(
      csv.substr(0, csv.find('\n')),
      "configuration,name,seed,trial,image,outcome,reference_class,predicted_class,"
      "reference_correct,correct,stratum,weight,cycles,layer,mismatches,recomputed_tiles,"
      "recompute_cycles,suppressed_right,suppressed_wrong,faults_drawn,faults_fired,road,faults");
  const std::string faults = contents(path("out/faults.csv"));
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'),
            std::count(faults.begin(), faults.end(), '\n'));
}

// On a terminal one line, redrawn: share, rate, time left, SDC with its interval.
TEST_F(CliStore, ProgressOnATerminal) {
  nlohmann::json experiment = small();
  experiment["fault"] = {{"trials", 1000}, {"upsets", 64}, {"sites", "logic"}};
  write_json("experiment.json", experiment);
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  ASSERT_GE(terminal, 0);
  ASSERT_EQ(grantpt(terminal) + unlockpt(terminal), 0);
  const std::string name = ptsname(terminal);
  const pid_t child = fork();
  if (child == 0) {
    dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
    dup2(open(name.c_str(), O_WRONLY | O_NOCTTY), STDERR_FILENO);
    if (chdir((folder_ / "").c_str()) == 0) {
      execl(SAGITTA_EXECUTABLE, "sagitta", "sweep", "experiment.json", nullptr);
    }
    _exit(127);
  }
  std::string text;
  char chunk[4096];
  int status = 0;
  for (bool running = true; running;) {
    running = waitpid(child, &status, WNOHANG) == 0;
    pollfd waiting{terminal, POLLIN, 0};
    while (poll(&waiting, 1, 50) > 0 && (waiting.revents & POLLIN) != 0) {
      const ssize_t n = read(terminal, chunk, sizeof chunk);
      if (n <= 0) break;
      text.append(chunk, static_cast<std::size_t>(n));
    }
  }
  close(terminal);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  const std::string interval = R"(SDC [0-9.]+ % \[[0-9.]+, [0-9.]+\])";
  EXPECT_TRUE(std::regex_search(text, std::regex("\r\x1b\\[K.*: [0-9]+/1004 \\([0-9]+ %\\), "
                                                 "[0-9]+/s, [0-9]+ s left, " +
                                                 interval)))
      << text;
  EXPECT_TRUE(std::regex_search(
      text, std::regex(R"(: 1004/1004 \(100 %\), [0-9]+/s, [0-9]+ s, )" + interval)))
      << text;
}

// Elsewhere nothing while the work goes on; a line at its end.
TEST_F(CliStore, QuietWhereThereIsNoTerminal) {
  const Result result = run({"sweep", "experiment.json"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  EXPECT_NE(result.err.find(": 12/12 (100 %)"), std::string::npos) << result.err;
  EXPECT_EQ(run({"sweep", "experiment.json", "-q"}).err, "");
}

}  // namespace
}  // namespace sagitta::test
