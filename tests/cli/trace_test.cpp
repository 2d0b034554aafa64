// sagitta trace on products and experiments: the files, what they show, and that nothing else
// changes.
#include <algorithm>

#include "cli/gemm_folder.h"
#include "support/vcd_reader.h"

namespace sagitta::test {
namespace {

class CliTrace : public GemmFolder {
 protected:
  CliTrace() { make(12, 20, 10); }
  static Arguments product(const Arguments& more = {}) {
    return Arguments{"trace", "--a", "A.npy", "--b", "B.npy", "--array", "8x8"} + more;
  }
  static std::vector<std::string> lines(const std::string& text) {
    std::vector<std::string> all;
    std::stringstream stream(text);
    for (std::string line; std::getline(stream, line);) all.push_back(line);
    return all;
  }
};

// The flip of `sagitta gemm` seen in the waveform: at its cycle, in the one register that it
// strikes, and in the neighbour a cycle later. 500 MHz: two nanoseconds a cycle.
TEST_F(CliTrace, AFlipIsSeenAtItsCycle) {
  const auto json =
      document(product({"--fault", "array.pe[3][4].a:5@125", "--scope", "array.pe[*][*].a",
                        "--cycles", "120..130", "--vcd", "flip.vcd"}));
  const auto& fault = json.at("faults").at(0);
  EXPECT_EQ(fault, document(gemm({"--array", "8x8", "--fault", "array.pe[3][4].a:5@125"}))
                       .at("faults")
                       .at(0)
                       .patch(nlohmann::json::parse(R"([{"op": "remove", "path": "/outputs"}])")));
  EXPECT_EQ(json.at("cycles"), (nlohmann::json{{"first", 120}, {"last", 130}}));
  EXPECT_EQ(json.at("vcd").at("signals"), 2 * 64);
  EXPECT_FALSE(json.at("hang").get<bool>());

  const Vcd vcd(path("flip.vcd"));
  EXPECT_EQ(vcd.timescale(), "1ns");
  EXPECT_EQ(vcd.times().front(), 2 * 120);
  EXPECT_EQ(vcd.times().back(), 2 * 131);
  const auto at = [&](const std::string& run, int row, int column, int cycle) {
    return vcd.at(run + ".array.pe[" + std::to_string(row) + "][" + std::to_string(column) + "].a",
                  2 * cycle);
  };
  for (int row = 0; row < 8; ++row) {
    for (int column = 0; column < 8; ++column) {
      for (int cycle = 120; cycle <= 130; ++cycle) {
        // It travels right, a column a cycle.
        const bool hit = row == 3 && column >= 4 && cycle - 125 == column - 4;
        EXPECT_EQ(at("faulty", row, column, cycle) ^ at("golden", row, column, cycle),
                  hit ? 1U << 5 : 0U)
            << row << " " << column << " " << cycle;
      }
    }
  }
  EXPECT_EQ(at("golden", 3, 4, 125), static_cast<std::uint8_t>(fault.at("before").get<int>()));
  EXPECT_EQ(at("faulty", 3, 4, 125), static_cast<std::uint8_t>(fault.at("after").get<int>()));
}

TEST_F(CliTrace, TellsWhatItWrote) {
  const std::string text = done(product({"--scope", "array.pe[0..1][2].acc,control.sequencer.phase",
                                         "--vcd", "w.vcd", "--sram", "s.csv", "--dram", "d.csv"}));
  const auto cycles = document(gemm({"--array", "8x8"})).at("cycles").get<int>();
  const std::string last = std::to_string(cycles - 1);
  EXPECT_NE(text.find("cycles 0.." + last + " of a fault-free run of " + std::to_string(cycles)),
            std::string::npos)
      << text;
  for (const std::string part : {"w.vcd: 3 registers", "s.csv: ", "d.csv: "}) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }
  const Vcd vcd(path("w.vcd"));
  EXPECT_EQ(vcd.variables().size(), 4U) << "and the cycle";
  EXPECT_TRUE(vcd.variables().contains("sagitta.array.pe[1][2].acc"));
}

// On a 12 x 20 x 10 product by hand: 240 elements of A, two column tiles of
// 8 lanes x 2 words x 4 bytes and 20 x 8 weights, 120 sums of 4 bytes.
TEST_F(CliTrace, MemoriesAndDram) {
  done(product({"--sram", "s.csv", "--dram", "d.csv"}));
  std::map<std::string, std::int64_t> bytes;
  for (const std::string& line : lines(contents(path("d.csv")))) {
    std::vector<std::string> f;
    std::stringstream fields(line);
    for (std::string field; std::getline(fields, field, ',');) f.push_back(field);
    ASSERT_EQ(f.size(), 6U) << line;
    if (f[0] != "cycle") bytes[f[1] + " " + f[2]] += std::stoll(f[5]);
  }
  EXPECT_EQ(bytes,
            (std::map<std::string, std::int64_t>{
                {"read image", 240}, {"read weights", 2 * (64 + 160)}, {"write result", 480}}));
  const auto sram = lines(contents(path("s.csv")));
  EXPECT_EQ(sram[0], "cycle,memory,bank,access,address,count");
  const auto count = [&](const std::string& part) {
    return std::count_if(sram.begin(), sram.end(), [&](const std::string& line) {
      return line.find(part) != std::string::npos;
    });
  };
  EXPECT_EQ(count(",weight,0,read,"), 2 * 20) << "two row tiles";
  EXPECT_EQ(count(",weight,1,read,"), 2 * 20) << "the second column tile has the other bank";
  EXPECT_EQ(count(",activation,0,read,"), 2 * 20 * 12) << "a row and cycle each";
  EXPECT_EQ(count(",accumulator,0,write,"), 2 * 12);
  EXPECT_EQ(count(",write,0,16"), 1 + 2 + 2)
      << "the first beat of the image, and those of parameters and weights of both banks";
  // Elements are listed only on request.
  done(product({"--sram", "v.csv", "--values"}));
  const auto values = lines(contents(path("v.csv")));
  ASSERT_EQ(values.size(), sram.size());
  EXPECT_EQ(values[0], sram[0] + ",values");
  for (std::size_t i = 1; i < sram.size(); ++i) {
    EXPECT_EQ(values[i].rfind(sram[i] + ",", 0), 0U) << values[i];
  }
}

// The window of a layer is the cycles that `run` counts for it; that of a tile, those of its
// record.
TEST_F(CliTrace, LayersAndTiles) {
  const auto tiles = document(gemm({"--array", "8x8"})).at("tiles");
  const auto tile = document(product({"--layer", "gemm", "--tile", "2", "--dram", "d.csv"}));
  EXPECT_EQ(tile.at("cycles").at("first"), tiles.at(2).at("start_cycle"));
  EXPECT_EQ(tile.at("cycles").at("last"), tiles.at(2).at("end_cycle"));

  auto experiment = small();
  experiment["clock_mhz"] = 250;
  write_json("experiment.json", experiment);
  const auto run = document({"run", "experiment.json"}).at("configurations").at(0);
  const Arguments trace{"trace",   "experiment.json",         "--image", "1",    "--vcd", "w.vcd",
                        "--scope", "control.sequencer.layer", "--layer", "conv2"};
  const auto json = document(trace);
  EXPECT_EQ(json.at("fault_free_cycles"), run.at("cycles_per_image"));
  const auto& window = json.at("cycles");
  EXPECT_EQ(window.at("last").get<int>() - window.at("first").get<int>() + 1,
            run.at("layers").at(2).at("cycles"));
  const Vcd vcd(path("w.vcd"));
  EXPECT_EQ(vcd.times().front(), 4 * window.at("first").get<int>()) << "4 ns a cycle";
  EXPECT_EQ(vcd.changes_of("sagitta.control.sequencer.layer").size(), 1U);
  EXPECT_EQ(vcd.at("sagitta.control.sequencer.layer", vcd.times().front()), 3U)
      << "the next descriptor to load";
}

// All images of a batch go through, whichever of them is named: 28 x 28 bytes each.
TEST_F(CliTrace, Batch) {
  auto experiment = small();
  experiment["batch"] = 2;
  write_json("experiment.json", experiment);
  std::map<std::string, std::string> traces;
  for (const std::string image : {"0", "1", "2"}) {
    done({"trace", "experiment.json", "--image", image, "--cycles", "0..400", "--dram", "d.csv",
          "--sram", "s.csv", "--values"});
    traces[image] = contents(path("s.csv"));
    std::int64_t bytes = 0;
    for (const std::string& line : lines(contents(path("d.csv")))) {
      if (line.find(",image,") != std::string::npos)
        bytes += std::stoll(line.substr(line.rfind(',') + 1));
    }
    EXPECT_EQ(bytes, 2 * 28 * 28) << image;
  }
  EXPECT_EQ(traces["0"], traces["1"]);
  EXPECT_NE(traces["0"], traces["2"]);
}

// A window that is not asked for is not traced, and files that were there are replaced whole.
TEST_F(CliTrace, OnlyWhatIsAskedFor) {
  write("d.csv", "old");
  const auto before = everything();
  done(product({"--dram", "d.csv", "--cycles", "3"}));
  auto after = everything();
  EXPECT_EQ(after.size(), before.size()) << "one file, and no other";
  EXPECT_EQ(after.at(path("d.csv")).find("old"), std::string::npos);
}

// A machine that hangs is traced to the end of its budget.
TEST_F(CliTrace, Hang) {
  const Arguments stuck{"--fault", "control.sequencer.phase:3@120",
                        "--scope", "control.sequencer.phase",
                        "--vcd",   "w.vcd"};
  const auto json = document(product(stuck));
  const auto cycles = json.at("fault_free_cycles").get<std::int64_t>();
  EXPECT_TRUE(json.at("hang").get<bool>());
  EXPECT_EQ(json.at("cycles").at("last"), 2 * cycles + 1000 - 1);
  EXPECT_NE(done(product(stuck)).find("hung"), std::string::npos);
  const Vcd vcd(path("w.vcd"));
  EXPECT_EQ(vcd.at("golden.control.sequencer.phase", vcd.times().back()), 9U) << "done";
  EXPECT_NE(vcd.at("faulty.control.sequencer.phase", vcd.times().back()), 9U);
}

}  // namespace
}  // namespace sagitta::test
