// Runs the real executable in a temporary folder.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "support/temporary_folder.h"

namespace sagitta::test {

using Arguments = std::vector<std::string>;

inline Arguments operator+(Arguments first, const Arguments& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

inline std::string join(const Arguments& arguments) {
  std::string text = "sagitta";
  for (const std::string& a : arguments) text += " " + a;
  return text;
}

struct Result {
  int code = -1;  // 128 + n when signal n ended it, as a shell has it
  std::string out, err;
};

// The executable, running. Its output goes to files that have no name.
class Process {
 public:
  // `out`: standard output goes there instead, and is not captured.
  Process(const Arguments& arguments, const std::string& folder, const char* out = nullptr)
      : out_(std::tmpfile(), &std::fclose), err_(std::tmpfile(), &std::fclose) {
    std::vector<char*> argv;
    std::string name = "sagitta";
    argv.push_back(name.data());
    Arguments copies = arguments;
    for (std::string& a : copies) argv.push_back(a.data());
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ != 0) return;
    dup2(out == nullptr ? fileno(out_.get()) : open(out, O_WRONLY), STDOUT_FILENO);
    dup2(fileno(err_.get()), STDERR_FILENO);
    if (chdir(folder.c_str()) == 0) execv(SAGITTA_EXECUTABLE, argv.data());
    _exit(127);
  }
  ~Process() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }

  // False: it still runs after so many seconds.
  bool wait(double seconds, Result& result) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    int status = 0;
    while (waitpid(pid_, &status, WNOHANG) != pid_) {
      if (std::chrono::steady_clock::now() > end) return false;
      usleep(1000);
    }
    pid_ = 0;
    result.code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    result.out = text(out_.get());
    result.err = text(err_.get());
    return true;
  }

 private:
  static std::string text(std::FILE* file) {
    std::string all;
    std::rewind(file);
    for (int c = 0; (c = std::fgetc(file)) != EOF;) all += static_cast<char>(c);
    return all;
  }
  using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;
  File out_, err_;
  pid_t pid_ = 0;
};

inline std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

class CommandLine : public ::testing::Test {
 protected:
  static std::string lenet() { return SAGITTA_SOURCE_DIR "/models/lenet5-mnist"; }
  static std::string technology() { return SAGITTA_SOURCE_DIR "/configs/tech/45nm.json"; }

  // A small experiment on LeNet-5.
  static nlohmann::json small() {
    return {{"network", lenet()},
            {"images", 4},
            {"array", {{"rows", 16}, {"cols", 16}}},
            {"scheme", "none"},
            {"fault", {{"trials", 8}, {"seed", 1}}},
            {"technology", technology()},
            {"calibration_images", 5}};
  }

  std::string path(const std::string& name) const { return folder_ / name; }
  std::string write(const std::string& name, const std::string& text) const {
    return folder_.write(name, text);
  }
  std::string write_json(const std::string& name, const nlohmann::json& json) const {
    return folder_.write(name, json.dump(1));
  }

  Result run(const Arguments& arguments, const char* out = nullptr) const {
    Process process(arguments, folder_ / "", out);
    Result result;
    if (!process.wait(60, result)) ADD_FAILURE() << join(arguments) << " does not end";
    return result;
  }

  // Runs a command that must do its work.
  std::string done(const Arguments& arguments) const {
    const Result result = run(arguments);
    EXPECT_EQ(result.code, 0) << join(arguments) << "\n" << result.err;
    return result.out;
  }

  // Runs a command that must print one JSON document and nothing else.
  nlohmann::json document(const Arguments& arguments) const {
    const std::string text = done(arguments + Arguments{"--json"});
    auto json = nlohmann::json::parse(text, nullptr, false);
    EXPECT_FALSE(json.is_discarded()) << join(arguments) << " printed\n" << text;
    return json;
  }

  // Every file and folder below the temporary one, with what the files hold.
  std::map<std::string, std::string> everything() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / "")) {
      const std::string name = entry.path().string();
      all[name] = entry.is_regular_file() ? contents(name) : "";
    }
    return all;
  }

  // Bad input: exit code 2, one message on standard error that holds all the parts and a remedy,
  // nothing on standard output, and nothing written.
  void refuses(const Arguments& arguments, const std::vector<std::string>& parts) const {
    SCOPED_TRACE(join(arguments));
    const auto before = everything();
    const Result result = run(arguments);
    EXPECT_EQ(result.code, 2);
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(result.err.rfind("sagitta", 0), 0U) << result.err;
    EXPECT_EQ(result.err.find("\nsagitta"), std::string::npos) << "two messages: " << result.err;
    const std::size_t remedy = result.err.find("\n  remedy: ");
    ASSERT_NE(remedy, std::string::npos) << result.err;
    EXPECT_EQ(result.err.find('\n', remedy + 1), result.err.size() - 1)
        << "text after the remedy: " << result.err;
    EXPECT_EQ(result.err.find("json.exception"), std::string::npos) << result.err;
    for (const std::string& part : parts) {
      EXPECT_NE(result.err.find(part), std::string::npos)
          << "no \"" << part << "\" in: " << result.err;
    }
    EXPECT_EQ(everything(), before) << "something was written";
  }

  // The same for every command that reads an experiment; "-o" names what does not exist yet.
  void all_refuse(const Arguments& options, const std::vector<std::string>& parts) const {
    for (const Arguments& command : commands()) refuses(command + options, parts);
  }
  // ... for those that build the machines.
  void machines_refuse(const Arguments& options, const std::vector<std::string>& parts) const {
    for (const Arguments& command : commands()) {
      if (command[0] != "calibrate") refuses(command + options, parts);
    }
  }
  static std::vector<Arguments> commands() {
    const std::string e = "experiment.json";
    return {{"check", e},
            {"run", e, "-o", "out"},
            {"calibrate", e, "-o", "thresholds.json"},
            {"sites", e},
            {"inject", e, "-o", "out"},
            {"sweep", e, "-o", "out/of/it"},
            {"compare", e, "-o", "out"}};
  }

  TemporaryFolder folder_;
};

}  // namespace sagitta::test
