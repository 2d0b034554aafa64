// Runs that are cut off: the message, the exit code, nothing written and no process left.
#include <cctype>
#include <functional>

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
      EXPECT_NE(result.err.find("sagitta: interrupted; nothing was written."), std::string::npos)
          << result.err;
      expect_nothing_left();
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
  expect_nothing_left();
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
  EXPECT_NE(result.err.find("sagitta: a worker process was ended by signal 9 (Killed); nothing was "
                            "written\n  remedy: "),
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
  expect_nothing_left();
}

// What was there before stays as it was.
TEST_F(CliInterruption, KeepsTheResultsOfBefore) {
  write("out/results.json", "kept");
  before_ = everything();
  const auto process = start("sweep");
  kill(process->pid(), SIGINT);
  Result result;
  ASSERT_TRUE(process->wait(2, result));
  expect_nothing_left();
}

}  // namespace
}  // namespace sagitta::test
