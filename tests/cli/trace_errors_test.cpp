// What can be wrong with a trace; no file is left behind, whole or in part.
#include "cli/gemm_folder.h"

namespace sagitta::test {
namespace {

class CliTraceErrors : public GemmFolder {
 protected:
  CliTraceErrors() {
    make(5, 7, 6);
    write_json("experiment.json", small());
  }
  static Arguments product(const Arguments& more = {}) {
    return Arguments{"trace", "--a", "A.npy", "--b", "B.npy", "--array", "4x4"} + more;
  }
  void bad(const Arguments& more, const std::vector<std::string>& parts) const {
    refuses(product(more) + Arguments{"--dram", "d.csv"}, parts);
  }
};

TEST_F(CliTraceErrors, NothingToTrace) {
  refuses(product(), {"nothing is to be traced", "--vcd", "--sram", "--dram"});
}

TEST_F(CliTraceErrors, NothingToRun) {
  refuses({"trace", "--dram", "d.csv"}, {"needs an experiment, or a product's --a and --b"});
  refuses({"trace", "--a", "A.npy", "--dram", "d.csv"}, {"needs an experiment"});
  refuses({"trace", "--b", "B.npy", "--dram", "d.csv"}, {"needs an experiment"});
}

TEST_F(CliTraceErrors, ExperimentAndProductDoNotMix) {
  refuses({"trace", "experiment.json", "--a", "A.npy", "--b", "B.npy", "--dram", "d.csv"},
          {"excludes"});
  for (const Arguments& more :
       {Arguments{"--array", "4x4"}, {"--scheme", "none"}, {"--clock-mhz", "5"}}) {
    refuses(Arguments{"trace", "experiment.json", "--dram", "d.csv"} + more, {"excludes", more[0]});
  }
  bad({"--set", "images=1"}, {"--set", "experiment"});
  bad({"--image", "1"}, {"--image", "experiment"});
}

TEST_F(CliTraceErrors, ScopeAndWaveformGoTogether) {
  refuses(product({"--vcd", "w.vcd"}), {"--vcd: which registers?", "--scope"});
  bad({"--scope", "all"}, {"--scope: a scope goes into a waveform", "--vcd FILE"});
  bad({"--values"}, {"--values", "--sram"});
}

TEST_F(CliTraceErrors, UnknownRegisters) {
  for (const std::string scope :
       {"array.pe[4][0].a", "array.pe[5..9][*].a", "array.pe[3..1][*].a", "arry.**"}) {
    bad({"--vcd", "w.vcd", "--scope", scope},
        {"--scope: '" + scope + "' matches no register of the machine", "sagitta sites"});
  }
}

TEST_F(CliTraceErrors, Cycles) {
  for (const std::string cycles :
       {"x", "5..", "..5", "5..2", "1-5", "5..6x", "99999999999999999999"}) {
    bad({"--cycles=" + cycles}, {"--cycles"});
  }
  bad({"--cycles", "5..2"}, {"--cycles: '5..2' is not FIRST..LAST", "100..200"});
  const auto run = document(gemm({"--array", "4x4"})).at("cycles").get<int>();
  const std::string end = std::to_string(run);
  bad({"--cycles", "0.." + end},
      {"--cycles: '0.." + end + "' reaches beyond the run, which has cycles 0.." +
       std::to_string(run - 1)});
  done(product({"--cycles", "0.." + std::to_string(run - 1), "--dram", "d.csv"}));
}

TEST_F(CliTraceErrors, LayersAndTiles) {
  bad({"--layer", "gem"}, {"--layer: 'gem' is not a layer", "did you mean \"gemm\"?"});
  bad({"--layer", "conv"}, {"--layer: 'conv' is not a layer", "remedy: the layers are \"gemm\"\n"});
  bad({"--layer", "gemm", "--tile", "4"}, {"--tile: 4 is not one of the 4 tiles of gemm"});
  bad({"--tile", "1"}, {"--tile", "--layer"});
  bad({"--layer", "gemm", "--cycles", "1..2"}, {"excludes"});
  refuses({"trace", "experiment.json", "--layer", "pool1", "--tile", "0", "--dram", "d.csv"},
          {"0 is not one of the 0 tiles of pool1", "pooling has none"});
}

TEST_F(CliTraceErrors, Faults) {
  bad({"--fault", "array.pe[0][0].accu:5@5"}, {"--fault: ", "is not a fault site"});
  bad({"--fault", "array.pe[0][0].acc:5"}, {"--fault: ", "is not SITE@CYCLE"});
  bad({"--fault", "array.pe[0][0].acc:5@100000"},
      {"--fault: 'array.pe[0][0].acc:5@100000' strikes after the run"});
}

TEST_F(CliTraceErrors, MoreThanOneMachine) {
  refuses({"trace", "experiment.json", "--set", R"(scheme=["none","tmr-pe"])", "--dram", "d.csv"},
          {"experiment.json: has 2 machines, and one is traced", "--set scheme=none"});
}

TEST_F(CliTraceErrors, Image) {
  refuses({"trace", "experiment.json", "--image", "4", "--dram", "d.csv"},
          {"--image: 4 is not one of the 4 images"});
  refuses({"trace", "experiment.json", "--image", "-1", "--dram", "d.csv"}, {"--image"});
}

TEST_F(CliTraceErrors, TooLarge) {
  refuses({"trace", "experiment.json", "--vcd", "w.vcd", "--scope", "logic", "--limit-mb", "50"},
          {"--vcd: would take about ", " MB for ", "--limit-mb 50", "--scope", "--cycles"});
  refuses({"trace", "experiment.json", "--sram", "s.csv", "--limit-mb", "1"},
          {"--sram: would take about ", "--limit-mb 1", "--cycles"});
}

TEST_F(CliTraceErrors, OutputsThatCannotBe) {
  for (const std::string output : {"nowhere/d.csv", "A.npy/d.csv", "."}) {
    refuses(product({"--dram", output}), {output + ": cannot be written"});
  }
  refuses(product({"--dram", "A.npy"}), {"A.npy: is what the trace is made of"});
  refuses({"trace", "experiment.json", "--sram", "experiment.json"},
          {"experiment.json: is what the trace is made of"});
  bad({"--sram", "./d.csv"}, {"d.csv: is named for two traces"});
}

// Ctrl-C in the middle of a long one.
TEST_F(CliTraceErrors, Interrupted) {
  const auto before = everything();
  for (const int signal : {SIGINT, SIGTERM}) {
    Process process({"trace", "experiment.json", "--vcd", "w.vcd", "--scope", "all", "--sram",
                     "s.csv", "--values", "--limit-mb", "1e6"},
                    folder_ / "");
    // Until it writes.
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (everything().size() == before.size() && std::chrono::steady_clock::now() < end) {
      usleep(20000);
    }
    usleep(200000);
    kill(process.pid(), signal);
    Result result;
    ASSERT_TRUE(process.wait(20, result));
    EXPECT_EQ(result.code, 130) << result.err;
    EXPECT_NE(result.err.find("sagitta: interrupted; nothing was written."), std::string::npos);
    EXPECT_EQ(everything(), before);
  }
}

}  // namespace
}  // namespace sagitta::test
