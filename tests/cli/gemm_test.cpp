// `sagitta gemm` against plain arithmetic: products, footprints of faults, and what --explain says.
#include <algorithm>
#include <regex>
#include <set>

#include "cli/gemm_folder.h"

namespace sagitta::test {
namespace {

using Outputs = std::set<std::pair<int, int>>;

class CliGemm : public GemmFolder {
 protected:
  static Outputs outputs(const nlohmann::json& fault) {
    Outputs all;
    for (const auto& o : fault.at("outputs")) all.emplace(o[0].get<int>(), o[1].get<int>());
    return all;
  }
  // "... acts on C[2][0..3]"; nothing when no output depends on the site.
  static Outputs explained(const std::string& text) {
    static const std::regex range(R"(acts on C\[(\d+)(?:\.\.(\d+))?\]\[(\d+)(?:\.\.(\d+))?\]$)");
    std::smatch m;
    Outputs all;
    if (!std::regex_search(text, m, range)) {
      EXPECT_NE(text.find("no output depends on it"), std::string::npos) << text;
      return all;
    }
    const auto number = [&m](int i, int other) {
      return std::stoi(
          m[static_cast<std::size_t>(m[static_cast<std::size_t>(i)].matched ? i : other)]);
    };
    for (int r = number(1, 1); r <= number(2, 1); ++r) {
      for (int c = number(3, 3); c <= number(4, 3); ++c) all.emplace(r, c);
    }
    return all;
  }
};

TEST_F(CliGemm, EqualsThePlainProduct) {
  struct Shape {
    int m, k, n;
  };
  const Shape shapes[] = {{1, 1, 1}, {1, 30, 1}, {20, 1, 25}, {3, 4, 5}, {17, 13, 9}, {20, 30, 25}};
  // Of the arrays every shape meets two or three, and each array three shapes.
  int turn = 0;
  for (const Shape& s : shapes) {
    make(s.m, s.k, s.n, static_cast<std::uint64_t>(s.m * s.n));
    for (const std::string array : {"1x1", "4x4", "3x7", "16x16", "32x2"}) {
      if (++turn % 2 == 0) continue;
      for (const std::string scheme : {"none", "tmr-pe", "tmr-reg", "tmr-array", "tmr-time", "dmr",
                                       "dmr-recompute", "checksum", "checksum-correct"}) {
        for (const std::string dataflow : {"os", "ws", "is"}) {
          if (scheme == "checksum-correct" && dataflow != "os") continue;
          const auto json = document(
              gemm({"--array", array, "--scheme", scheme, "--dataflow", dataflow, "-o", "C.npy"}));
          EXPECT_EQ(result(), product_)
              << s.m << "x" << s.k << "x" << s.n << " on " << array << " " << dataflow;
          EXPECT_EQ(json.at("macs"), (scheme == "tmr-time" ? 3 : 1) * s.m * s.k * s.n);
          EXPECT_EQ(json.at("flagged_rows"), 0);
          EXPECT_FALSE(json.at("uncorrected").get<bool>());
        }
      }
    }
  }
}

// Every element of C belongs to exactly one tile, and tiles follow one another.
TEST_F(CliGemm, ListsItsTiles) {
  make(9, 5, 10);
  const auto json = document(gemm({"--array", "4x3"}));
  EXPECT_EQ(json.at("array"),
            (nlohmann::json{{"rows", 4}, {"cols", 3}, {"dataflow", "os"}, {"overlap", false}}));
  EXPECT_EQ(json.at("M"), 9);
  EXPECT_EQ(json.at("K"), 5);
  EXPECT_EQ(json.at("N"), 10);
  std::set<std::pair<int, int>> corners;
  std::int64_t last = -1;
  for (const auto& t : json.at("tiles")) {
    corners.emplace(t.at("row").get<int>(), t.at("col").get<int>());
    EXPECT_EQ(t.at("fold"), 0);
    EXPECT_GT(t.at("start_cycle").get<std::int64_t>(), last);
    last = t.at("end_cycle").get<std::int64_t>();
    // K products, the way through the tile's rows and columns, and the rows' way out.
    const int rows = std::min(4, 9 - t.at("row").get<int>());
    const int lanes = std::min(3, 10 - t.at("col").get<int>());
    EXPECT_EQ(last - t.at("start_cycle").get<std::int64_t>() + 1, 5 + rows + lanes - 2 + rows);
  }
  std::set<std::pair<int, int>> expected;
  for (const int row : {0, 4, 8}) {
    for (const int column : {0, 3, 6, 9}) expected.emplace(row, column);
  }
  EXPECT_EQ(corners, expected);
  EXPECT_LT(last, json.at("cycles").get<std::int64_t>());
  EXPECT_EQ(json.at("cycles"), json.at("fault_free_cycles"));
}

TEST_F(CliGemm, AccumulatorFlipChangesOneOutputByItsBit) {
  make(6, 8, 6);
  const auto tile = document(gemm({"--array", "8x8"})).at("tiles").at(0);
  const auto cycle = tile.at("start_cycle").get<std::int64_t>() + 9;
  const std::string site = "array.pe[2][3].acc:5";
  const auto json = document(
      gemm({"--array", "8x8", "--fault", site + "@" + std::to_string(cycle), "-o", "C.npy"}));
  const auto& fault = json.at("faults").at(0);
  EXPECT_EQ(fault.at("site"), site);
  EXPECT_EQ(fault.at("cycle"), cycle);
  EXPECT_EQ(fault.at("fired"), true);
  EXPECT_EQ(fault.at("before").get<std::int64_t>() ^ 32, fault.at("after").get<std::int64_t>());
  EXPECT_EQ(outputs(fault), (Outputs{{2, 3}}));
  const auto c = result();
  for (std::size_t i = 0; i < c.size(); ++i) {
    EXPECT_EQ(std::abs(c[i] - product_[i]), i == 2 * 6 + 3 ? 32 : 0) << i;
  }
}

// Each fault has its own footprint, though C holds what all of them did.
TEST_F(CliGemm, SeveralFaults) {
  make(6, 8, 6);
  const auto start = document(gemm({"--array", "8x8"})).at("tiles").at(0).at("start_cycle");
  const std::string at = "@" + std::to_string(start.get<int>() + 8);
  const auto json = document(gemm({"--array", "8x8", "--fault", "array.pe[1][1].acc:4" + at,
                                   "--fault", "array.pe[4][0].acc:6" + at, "-o", "C.npy"}));
  EXPECT_EQ(outputs(json.at("faults").at(0)), (Outputs{{1, 1}}));
  EXPECT_EQ(outputs(json.at("faults").at(1)), (Outputs{{4, 0}}));
  const auto c = result();
  EXPECT_EQ(std::abs(c[1 * 6 + 1] - product_[1 * 6 + 1]), 16);
  EXPECT_EQ(std::abs(c[4 * 6 + 0] - product_[4 * 6 + 0]), 64);
}

// No operand is zero, so the outputs that change are exactly those that --explain names; where it
// names none, none changes. Cycles run over the whole product, between the tiles as well.
TEST_F(CliGemm, ExplanationIsTheFootprint) {
  make(11, 9, 10, 7);
  for (const std::string machine :
       {"4x4 os", "3x5 os", "16x16 os", "4x4 ws", "3x5 ws", "16x16 ws", "2x7 ws", "4x4 is",
        "3x5 is", "16x16 is", "7x2 is", "4x4 os+", "3x5 os+", "5x2 os+", "4x4 ws+", "2x5 ws+",
        "4x4 is+", "5x3 is+"}) {
    const std::string array = machine.substr(0, machine.find(' '));
    const std::string dataflow = machine.substr(machine.find(' ') + 1, 2);
    const bool overlap = machine.ends_with("+");
    const int rows = std::stoi(array);
    const int columns = std::stoi(array.substr(array.find('x') + 1));
    Arguments arguments = gemm({"--array", array, "--dataflow", dataflow});
    if (overlap) arguments.push_back("--overlap");
    const auto clean = document(arguments);
    const auto first = clean.at("tiles").front().at("start_cycle").get<int>();
    const auto last = clean.at("tiles").back().at("end_cycle").get<int>();
    Random random(static_cast<std::uint64_t>(rows));
    arguments.push_back("--explain");
    const std::string second = dataflow == "os" ? "drain" : "next";
    const std::vector<std::string> kinds = {"a", "b", "acc", overlap ? second : "a"};
    for (std::size_t i = 0; i < 80; ++i) {
      const std::string kind = kinds[i % kinds.size()];
      const int bit = random.between(0, kind == "acc" || kind == "drain" ? 31 : 7);
      const int cycle = i < 6 ? random.between(0, clean.at("cycles").get<int>() - 1)
                              : random.between(first, last);
      arguments.push_back("--fault");
      arguments.push_back("array.pe[" + std::to_string(random.between(0, rows - 1)) + "][" +
                          std::to_string(random.between(0, columns - 1)) + "]." + kind + ":" +
                          std::to_string(bit) + "@" + std::to_string(cycle));
    }
    const auto json = document(arguments);
    ASSERT_EQ(json.at("faults").size(), 80U);
    int acting = 0;
    for (const auto& fault : json.at("faults")) {
      const Outputs expected = explained(fault.at("explanation").get<std::string>());
      EXPECT_EQ(outputs(fault), expected) << machine << " " << fault.dump();
      acting += expected.empty() ? 0 : 1;
    }
    EXPECT_GT(acting, 10) << machine;
  }
}

// The skew registers feed the array: the same holds of them.
TEST_F(CliGemm, ExplanationOfSkewRegisters) {
  make(8, 9, 8, 3);
  for (const std::string dataflow : {"os", "ws", "is"}) {
    const auto clean = document(gemm({"--array", "4x4", "--dataflow", dataflow}));
    Arguments arguments = gemm({"--array", "4x4", "--dataflow", dataflow, "--explain"});
    Random random(5);
    for (int i = 0; i < 100; ++i) {
      const int lane = random.between(1, 3);
      const int cycle = random.between(clean.at("tiles").front().at("start_cycle").get<int>() - 5,
                                       clean.at("cycles").get<int>() - 1);
      const std::string stage = std::to_string(random.between(0, lane - 1));
      std::string path = std::string("array.skew_") + (i % 2 == 0 ? "a" : "b") + "[" +
                         std::to_string(lane) + "][" + stage + "]";
      if (dataflow != "os" && i % 3 == 0) {
        path = "array.deskew[" + std::to_string(3 - lane) + "][" + stage + "]";
      }
      arguments.push_back("--fault");
      arguments.push_back(path + ":" + std::to_string(random.between(0, 7)) + "@" +
                          std::to_string(cycle));
    }
    int acting = 0;
    const auto json = document(arguments);
    for (const auto& fault : json.at("faults")) {
      const Outputs expected = explained(fault.at("explanation").get<std::string>());
      EXPECT_EQ(outputs(fault), expected) << dataflow << " " << fault.dump();
      acting += expected.empty() ? 0 : 1;
    }
    EXPECT_GT(acting, 10) << dataflow;
  }
}

TEST_F(CliGemm, ExplanationNamesTileMacAndOutputs) {
  make(4, 6, 4);
  const auto start =
      document(gemm({"--array", "4x4"})).at("tiles").at(0).at("start_cycle").get<int>();
  const std::string site = "array.pe[1][2].a:0@" + std::to_string(start + 1 + 2 + 3);
  const std::string text = done(gemm({"--array", "4x4", "--fault", site, "--explain"}));
  const std::string expected =
      site + ": tile at row 0, column 0 (cycles " + std::to_string(start) + ".." +
      std::to_string(start + 15) +
      "), its cycle 6: holds A[1][3], operand of MAC 3; acts on C[1][2..3]\n";
  EXPECT_EQ(text.rfind(expected, 0), 0U) << text;
}

// A footprint is that of the array: what the scheme may do about it stands behind.
TEST_F(CliGemm, ExplanationNamesWhatTheSchemeMayRepair) {
  make(4, 6, 4);
  for (const auto& [scheme, repair] : {std::pair<std::string, std::string>{"none", ""},
                                       {"checksum", ""},
                                       {"tmr-time", ", unless the vote of three passes"},
                                       {"checksum-correct", ", unless the checksums of rows"},
                                       {"dmr-recompute", ", unless its tile runs again"}}) {
    const Arguments of_scheme = gemm({"--array", "4x4", "--scheme", scheme});
    const auto tiles = document(of_scheme).at("tiles");
    const auto start = tiles.at(0).at("start_cycle").get<int>();
    const std::string site = "array.pe[1][2].a:0@" + std::to_string(start + 6);
    const std::string text = done(of_scheme + Arguments{"--fault", site, "--explain"});
    const std::size_t acts = text.find("; acts on C[1][2..3]");
    ASSERT_NE(acts, std::string::npos) << text;
    const std::string rest = text.substr(acts + std::string("; acts on C[1][2..3]").size());
    EXPECT_EQ(rest.rfind(repair.empty() ? "\n" : repair, 0), 0U) << scheme << ": " << text;
    for (std::size_t i = 0; i < tiles.size(); ++i) {
      EXPECT_EQ(tiles[i].contains("pass"), scheme == "tmr-time");
      if (scheme == "tmr-time") {
        EXPECT_EQ(tiles[i].at("pass"), i % 3);
      }
    }
  }
}

// Stationary operands are there before the first product, and on their way still earlier.
TEST_F(CliGemm, ExplanationBeforeTheTileBegins) {
  make(4, 6, 4);
  const Arguments ws = gemm({"--array", "4x4", "--dataflow", "ws", "--explain"});
  const auto start = document(ws).at("tiles").at(0).at("start_cycle").get<int>();
  const auto explained_at = [&](int cycle, const std::string& site) {
    return document(ws + Arguments{"--fault", site + "@" + std::to_string(cycle)})
        .at("faults")
        .at(0)
        .at("explanation")
        .get<std::string>();
  };
  EXPECT_NE(explained_at(start - 1, "array.pe[3][0].b:0")
                .find("), 1 cycle before them: holds B[3][0]; acts on C[0..3][0]"),
            std::string::npos);
  EXPECT_NE(explained_at(start - 2, "array.pe[2][0].b:0")
                .find("), 2 cycles before them: holds, on its way down, B[3][0]; acts on"),
            std::string::npos);
  EXPECT_NE(explained_at(start, "array.pe[3][0].b:0").find("), its cycle 0: holds B[3][0]"),
            std::string::npos);
}

TEST_F(CliGemm, VoterMasksOneCopy) {
  make(4, 6, 4);
  const auto json = document(gemm({"--array", "4x4", "--scheme", "tmr-pe", "--explain", "-o",
                                   "C.npy", "--fault", "array.pe[1][1].acc.copy[2]:7@150"}));
  EXPECT_EQ(json.at("faults").at(0).at("fired"), true);
  EXPECT_EQ(outputs(json.at("faults").at(0)), Outputs{});
  EXPECT_EQ(explained(json.at("faults").at(0).at("explanation").get<std::string>()), Outputs{});
  EXPECT_EQ(result(), product_);
}

TEST_F(CliGemm, VoterMasksOneArray) {
  make(4, 6, 4);
  for (const std::string array : {"array", "array_2", "array_3"}) {
    const auto json = document(gemm({"--array", "4x4", "--scheme", "tmr-array", "--explain", "-o",
                                     "C.npy", "--fault", array + ".pe[1][1].acc:7@150"}));
    EXPECT_EQ(json.at("faults").at(0).at("fired"), true);
    EXPECT_EQ(outputs(json.at("faults").at(0)), Outputs{});
    EXPECT_NE(json.at("faults").at(0).at("explanation").get<std::string>().find("three arrays"),
              std::string::npos);
    EXPECT_EQ(result(), product_);
  }
}

// The first array's product goes on, and the machine says that the two differ.
TEST_F(CliGemm, ComparedArraysTell) {
  make(4, 6, 4);
  const auto start = document(gemm({"--array", "4x4", "--scheme", "dmr"}))
                         .at("tiles")
                         .at(0)
                         .at("start_cycle")
                         .get<int>();
  for (const std::string array : {"array", "array_2"}) {
    const std::string fault = array + ".pe[2][1].acc:7@" + std::to_string(start + 6);
    const auto json = document(gemm({"--array", "4x4", "--scheme", "dmr", "--fault", fault}));
    EXPECT_EQ(outputs(json.at("faults").at(0)), array == "array" ? (Outputs{{2, 1}}) : Outputs{});
    EXPECT_EQ(json.at("flagged_rows"), 1);
    EXPECT_TRUE(json.at("uncorrected").get<bool>());
    const std::string text = done(gemm({"--array", "4x4", "--scheme", "dmr", "--fault", fault}));
    EXPECT_NE(text.find("The machine tells the host that the result is wrong"), std::string::npos);
  }
}

TEST_F(CliGemm, DetectorFlagsTheRow) {
  make(4, 6, 4);
  const auto start = document(gemm({"--array", "4x4", "--scheme", "checksum"}))
                         .at("tiles")
                         .at(0)
                         .at("start_cycle");
  const auto json =
      document(gemm({"--array", "4x4", "--scheme", "checksum", "--fault",
                     "array.pe[2][1].acc:7@" + std::to_string(start.get<int>() + 6)}));
  EXPECT_EQ(outputs(json.at("faults").at(0)), (Outputs{{2, 1}}));
  EXPECT_EQ(json.at("flagged_rows"), 1);
}

TEST_F(CliGemm, TextSaysTheSame) {
  make(4, 6, 4);
  const std::string text = done(gemm({"--array", "4x4", "--fault", "array.pe[0][0].acc:5@0"}));
  EXPECT_NE(text.find("C = A B: 4 x 6 x 4 on 4x4 os: "), std::string::npos) << text;
  EXPECT_NE(text.find("array.pe[0][0].acc:5@0: fired, 0 -> 32; no output changed"),
            std::string::npos)
      << text;
  EXPECT_EQ(everything().size(), 2U);  // without -o nothing is written
}

}  // namespace
}  // namespace sagitta::test
