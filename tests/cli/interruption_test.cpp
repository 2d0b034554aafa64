// Runs that are cut off: the message, the exit code, no process left, no results, and of the trials
// what was committed (docs/store.md), with which the same command goes on.
#include <cctype>
#include <functional>
#include <regex>

#include "cli/command_line.h"

namespace sagitta::test {
namespace {

using Clock = std::chrono::steady_clock;

// Processes whose parent is `parent`, from /proc.
std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (std::isdigit(static_cast<unsigned char>(name[0])) == 0) continue;
    std::ifstream file(entry.path() / "stat");
    std::string text;
    std::getline(file, text);  // "pid (name) state parent ..."
    const std::size_t end = text.rfind(')');
    if (end == std::string::npos) continue;
    if (std::stoi(text.substr(end + 4)) == parent) children.push_back(std::stoi(name));
  }
  return children;
}

bool within(double seconds, const std::function<bool()>& condition) {
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (!condition()) {
    if (Clock::now() > end) return false;
    usleep(2000);
  }
  return true;
}

bool is_alive(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string text;
  std::getline(file, text);
  const std::size_t end = text.rfind(')');
  return end != std::string::npos && text[end + 2] != 'Z';
}

class CliInterruption : public CommandLine {
 protected:
  CliInterruption() {
    nlohmann::json experiment = small();
    experiment["images"] = 100;
    experiment["fault"] = {{"trials", 200000}, {"upsets", 64}};  // minutes
    write_json("experiment.json", experiment);
    before_ = everything();
  }
  // Starts it and waits until both workers are at work.
  std::unique_ptr<Process> start(const std::string& command) {
    auto process = std::make_unique<Process>(
        Arguments{command, "experiment.json", "-j", "2", "-o", "out"}, folder_ / "");
    const auto ready = [&] { return (workers_ = children_of(process->pid())).size() == 2; };
    EXPECT_TRUE(within(20, ready)) << command << ": no workers";
    usleep(100000);
    return process;
  }
  // No file but the store, which is as SQLite leaves it, and whole.
  void expect_trials_only() const {
    auto after = everything();
    std::erase_if(after, [](const auto& file) {
      return file.first.find("/out/trials.sqlite") != std::string::npos;
    });
    after.erase(path("out"));
    auto before = before_;
    before.erase(path("out"));
    EXPECT_EQ(after, before) << "something was written";
    for (const pid_t worker : workers_) EXPECT_FALSE(is_alive(worker)) << worker;
    EXPECT_TRUE(std::filesystem::exists(path("out/trials.sqlite")));
  }
  void expect_nothing_left() const {
    EXPECT_EQ(everything(), before_) << "something was written";
    for (const pid_t worker : workers_) EXPECT_FALSE(is_alive(worker)) << worker;
  }
  std::map<std::string, std::string> before_;
  std::vector<pid_t> workers_;
};

TEST_F(CliInterruption, SignalsEndTheWork) {
  for (const int signal : {SIGINT, SIGTERM}) {
    for (const std::string command : {"sweep", "inject", "compare"}) {
      const auto process = start(command);
      kill(process->pid(), signal);
      Result result;
      ASSERT_TRUE(process->wait(2, result)) << command << " runs on";
      EXPECT_EQ(result.code, 130) << command;
      EXPECT_EQ(result.out, "");
      EXPECT_TRUE(std::regex_search(
          result.err, std::regex("sagitta: interrupted; out/trials.sqlite keeps [0-9]+ of 200000 "
                                 "trials. Run the same command again to go on.\n$")))
          << result.err;
      expect_trials_only();
      std::filesystem::remove_all(path("out"));
    }
  }
}

// A terminal sends its signal to the workers as well.
TEST_F(CliInterruption, SignalToAllProcesses) {
  const auto process = start("sweep");
  for (const pid_t worker : workers_) kill(worker, SIGINT);
  kill(process->pid(), SIGINT);
  Result result;
  ASSERT_TRUE(process->wait(2, result));
  EXPECT_EQ(result.code, 130);
  expect_trials_only();
}

TEST_F(CliInterruption, FaultFreeRun) {
  nlohmann::json experiment = small();
  experiment["images"] = 1000;
  experiment["array"] = {{"rows", {16, 15, 14, 13, 12}}, {"cols", 16}};
  write_json("experiment.json", experiment);
  before_ = everything();
  const auto process = start("run");
  kill(process->pid(), SIGINT);
  Result result;
  ASSERT_TRUE(process->wait(2, result));
  EXPECT_EQ(result.code, 130);
  expect_nothing_left();
}

TEST_F(CliInterruption, KilledWorker) {
  const auto process = start("sweep");
  kill(workers_.front(), SIGKILL);
  Result result;
  ASSERT_TRUE(process->wait(2, result));
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(result.out, "");
  EXPECT_TRUE(std::regex_search(
      result.err,
      std::regex("sagitta: a worker process was ended by signal 9 \\(Killed\\); out/trials.sqlite "
                 "keeps [0-9]+ of 200000 trials\n  remedy: run the same command again to go on; if "
                 "memory ran out, use fewer workers: -j 1\n$")))
      << result.err;
  expect_trials_only();
}

// Without a folder there is nothing to keep.
TEST_F(CliInterruption, WithoutAFolder) {
  Process process({"sweep", "experiment.json", "-j", "2"}, folder_ / "");
  ASSERT_TRUE(within(20, [&] { return (workers_ = children_of(process.pid())).size() == 2; }));
  usleep(100000);
  kill(process.pid(), SIGINT);
  Result result;
  ASSERT_TRUE(process.wait(2, result));
  EXPECT_EQ(result.code, 130);
  EXPECT_NE(result.err.find("sagitta: interrupted; nothing was written. Run the same command "
                            "again.\n"),
            std::string::npos)
      << result.err;
  expect_nothing_left();
}

// Workers that have lost their parent do not work on for nobody.
TEST_F(CliInterruption, KilledParent) {
  const auto process = start("sweep");
  kill(process->pid(), SIGKILL);
  Result result;
  ASSERT_TRUE(process->wait(2, result));
  for (const pid_t worker : workers_) {
    EXPECT_TRUE(within(10, [worker] { return !is_alive(worker); })) << worker;
    if (is_alive(worker)) kill(worker, SIGKILL);
  }
  expect_trials_only();
}

// What was there before stays as it was.
TEST_F(CliInterruption, KeepsTheResultsOfBefore) {
  write("out/results.json", "kept");
  before_ = everything();
  const auto process = start("sweep");
  kill(process->pid(), SIGINT);
  Result result;
  ASSERT_TRUE(process->wait(2, result));
  expect_trials_only();
}

}  // namespace
}  // namespace sagitta::test
