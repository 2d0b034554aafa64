// Misuse of the command line itself, and help.
#include <algorithm>

#include "cli/command_line.h"

namespace sagitta::test {
namespace {

class CliUsage : public CommandLine {
 protected:
  CliUsage() { write_json("experiment.json", small()); }
};

TEST_F(CliUsage, NoCommand) {
  refuses({}, {"subcommand", "--help"});
}

TEST_F(CliUsage, UnknownCommandNamesTheNearest) {
  refuses({"swep", "experiment.json"}, {"'swep' is not a command", "did you mean \"sweep\"?"});
  refuses({"help"}, {"'help' is not a command", "`sagitta --help` lists all; the commands are "});
}

TEST_F(CliUsage, UnknownOption) {
  refuses({"--frobnicate"}, {"sagitta: "});
  for (const Arguments& command : commands()) {
    refuses(command + Arguments{"--frobnicate"},
            {"sagitta " + command[0] + ": ", "--frobnicate", command[0] + " --help"});
  }
  refuses({"gemm", "--a", "A.npy", "--b", "B.npy", "--frobnicate"},
          {"sagitta gemm: ", "--frobnicate"});
}

TEST_F(CliUsage, MissingArguments) {
  for (const Arguments& command : commands()) {
    refuses({command[0]}, {"sagitta " + command[0] + ": ", "required"});
  }
  refuses({"calibrate", "experiment.json"}, {"--output is required"});
  refuses({"gemm", "--b", "B.npy"}, {"--a is required"});
  refuses({"gemm", "--a", "A.npy"}, {"--b is required"});
  refuses({"sweep", "experiment.json", "--set"}, {"--set"});
  refuses({"sweep", "experiment.json", "-o"}, {"--output"});
}

TEST_F(CliUsage, SecondExperiment) {
  refuses({"run", "experiment.json", "more.json"}, {"more.json"});
}

TEST_F(CliUsage, Workers) {
  for (const std::string command : {"run", "inject", "sweep", "compare"}) {
    refuses({command, "experiment.json", "-j", "0"}, {"--workers", "0", "1 to 1024"});
    refuses({command, "experiment.json", "-j", "two"}, {"--workers", "two"});
  }
}

TEST_F(CliUsage, HelpAndVersion) {
  for (const std::string word : {"check", "run", "calibrate", "sites", "inject", "sweep", "compare",
                                 "replay", "counters", "gemm", "trace"}) {
    EXPECT_NE(done({"--help"}).find("\n  " + word), std::string::npos) << word;
    EXPECT_NE(done({word, "--help"}).find("--json"), std::string::npos) << word;
  }
  const std::string version = done({"--version"});
  for (const std::string part : {"sagitta ", "commit ", "SystemC "}) {
    EXPECT_NE(version.find(part), std::string::npos) << version;
  }
}

// A full disk behind standard output is told, whatever was printed.
TEST_F(CliUsage, StandardOutputCannotBeWritten) {
  const std::vector<Arguments> all = {{"check", "experiment.json"},
                                      {"run", "experiment.json", "-q"},
                                      {"run", "experiment.json", "-q", "--json"},
                                      {"sites", "experiment.json"},
                                      {"sweep", "experiment.json", "-q"},
                                      {"--help"},
                                      {"--version"}};
  for (const Arguments& arguments : all) {
    const Result result = run(arguments, "/dev/full");
    EXPECT_NE(result.code, 0) << join(arguments);
    EXPECT_NE(result.err.find("standard output: cannot be written"), std::string::npos)
        << join(arguments) << result.err;
  }
}

TEST_F(CliUsage, OutputFolderThatIsAFile) {
  write("file", "kept");
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  for (const std::string command : {"run", "inject", "sweep", "compare"}) {
    for (const std::string output : {"file", "file/folder", "pipe", "/proc/results"}) {
      refuses({command, "experiment.json", "-o", output},
              {output + ": is not a folder that can be written to", "-o DIR"});
    }
  }
}

TEST_F(CliUsage, OutputWithoutAName) {
  for (const std::string command : {"run", "inject", "sweep", "compare", "calibrate"}) {
    refuses({command, "experiment.json", "-o", ""}, {"--output", "the name is empty"});
  }
}

TEST_F(CliUsage, FilesOfAnEarlierRunAreNamed) {
  done({"inject", "experiment.json", "-q", "-o", "out"});
  EXPECT_EQ(run({"inject", "experiment.json", "-q", "-o", "out"}).err, "");
  const Result result = run({"run", "experiment.json", "-q", "-o", "out"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.err,
            "sagitta: note: out also holds files of an earlier run: faults.csv, faults.json, "
            "trials.sqlite\n");
}

// Neither results nor thresholds replace what the user wrote.
TEST_F(CliUsage, TheExperimentIsNotOverwritten) {
  const std::string before = contents(path("experiment.json"));
  for (const std::string command : {"run", "sweep"}) {
    refuses({command, "experiment.json", "-o", "."}, {"experiment.json: is the experiment itself"});
  }
  refuses({"calibrate", "experiment.json", "--set", "scheme=range-zero", "-o", "experiment.json"},
          {"experiment.json: exists and is not a threshold file"});
  EXPECT_EQ(contents(path("experiment.json")), before);
  // A resolved one may be run in its own folder: it would be replaced by itself.
  done({"run", "experiment.json", "-q", "-o", "out"});
  done({"run", "out/experiment.json", "-q", "-o", "out"});
  // Thresholds may be made anew.
  const Arguments calibrate{"calibrate", "experiment.json", "--set", "scheme=range-zero",
                            "-o",        "thresholds.json"};
  done(calibrate);
  done(calibrate);
}

TEST_F(CliUsage, CompareDrawsItsOwnFaults) {
  done({"inject", "experiment.json", "-q", "-o", "out"});
  refuses({"compare", "experiment.json", "--set", "fault.list=out/faults.json"},
          {"$.fault.list: compare draws the faults", "sagitta inject"});
}

TEST_F(CliUsage, ThresholdFileThatCannotBe) {
  write("file", "kept");
  std::filesystem::create_directory(path("folder"));
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  const Arguments calibrate{"calibrate", "experiment.json", "--set", "scheme=range-zero", "-o"};
  refuses(calibrate + Arguments{"folder"}, {"folder: is a folder", "name a file"});
  refuses(calibrate + Arguments{"file/thresholds.json"}, {"file/thresholds.json: ", "written"});
  refuses(calibrate + Arguments{"nowhere/thresholds.json"}, {"nowhere/thresholds.json: "});
  refuses(calibrate + Arguments{"pipe"}, {"pipe: ", "not a regular file"});
  EXPECT_TRUE(std::filesystem::is_fifo(path("pipe")));
}

TEST_F(CliUsage, NothingToCalibrate) {
  refuses({"calibrate", "experiment.json", "-o", "t.json"},
          {"experiment.json: $.scheme: ", "add range-zero or gradient"});
}

// Where progress goes: not to standard output, and nowhere when quiet.
TEST_F(CliUsage, ProgressIsOnStandardError) {
  const Result loud = run({"sweep", "experiment.json", "--json"});
  EXPECT_NE(loud.err.find(": 12/12 (100 %)"), std::string::npos) << loud.err;
  EXPECT_TRUE(nlohmann::json::accept(loud.out));
  const Result quiet = run({"sweep", "experiment.json", "--json", "-q"});
  EXPECT_EQ(quiet.err, "");
  EXPECT_EQ(quiet.out, loud.out);
}

// One line, and that of the end, where looks at what is there decide how much there will be.
TEST_F(CliUsage, ProgressOfASequenceEndsWithAllOfIt) {
  const Result result =
      run({"inject", "experiment.json", "--json", "--set",
           R"(fault={"sites": "array.**", "sample": {"error": 0.005, "stop": "sequence"}})"});
  const auto json = nlohmann::json::parse(result.out);
  const auto trials = json.at("configurations").at(0).at("trials").get<int>();
  ASSERT_GT(trials, 1000);  // more than the first look
  const auto images = small().at("images").get<int>();
  const std::string all = std::to_string(trials + images);
  EXPECT_NE(result.err.find(": " + all + "/" + all + " (100 %)"), std::string::npos) << result.err;
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
}

// File names are bytes, JSON is UTF-8.
TEST_F(CliUsage, NameThatIsNotUtf8) {
  write_json("a\xff.json", small());
  const auto json = document({"run", "a\xff.json", "-q", "-o", "out"});
  EXPECT_EQ(json.at("configurations").size(), 1U);
}

}  // namespace
}  // namespace sagitta::test
