// SCALE-Sim's conventions against what that simulator itself reported (scale_sim/gemm.csv), and
// against hand counts where the table says nothing.
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "base/file.h"
#include "workload/scale_sim.h"
#include "workload/scale_sim_reports.h"

namespace sagitta {
namespace {

TopologyLayer gemm(int m, int n, int k) {
  TopologyLayer layer;
  layer.name = "gemm";
  layer.is_gemm = true;
  layer.ifmap_h = m;
  layer.ifmap_w = layer.filter_w = k;
  layer.filters = n;
  return layer;
}

struct Row {
  std::string text;
  std::map<std::string, std::string> cells;
  std::int64_t number(const std::string& column) const { return std::stoll(cells.at(column)); }
  double real(const std::string& column) const { return std::stod(cells.at(column)); }

  TopologyLayer layer() const {
    return gemm(static_cast<int>(number("M")), static_cast<int>(number("N")),
                static_cast<int>(number("K")));
  }
  ScaleSimConfig config(Stationary dataflow) const {
    ScaleSimConfig config;
    config.rows = static_cast<int>(number("rows"));
    config.columns = static_cast<int>(number("cols"));
    config.dataflow = dataflow;
    return config;
  }
};

std::vector<Row> rows_of(Stationary dataflow) {
  std::istringstream text(read_file(SAGITTA_SOURCE_DIR "/tests/unit/scale_sim/gemm.csv"));
  const auto split = [](const std::string& line) {
    std::vector<std::string> cells;
    std::stringstream stream(line);
    for (std::string cell; std::getline(stream, cell, ',');) cells.push_back(cell);
    return cells;
  };
  std::string line;
  std::getline(text, line);
  const std::vector<std::string> names = split(line);
  std::vector<Row> rows;
  while (std::getline(text, line)) {
    Row row{line, {}};
    const std::vector<std::string> cells = split(line);
    for (std::size_t i = 0; i < names.size(); ++i) row.cells[names[i]] = cells.at(i);
    if (row.cells["dataflow"] == to_string(dataflow)) rows.push_back(row);
  }
  return rows;
}

void expect_close(double actual, double expected) {
  EXPECT_NEAR(actual, expected, 1e-9 * expected);
}

TEST(ScaleSim, StationaryOperandsEqualItsTableInEveryColumn) {
  for (const Stationary dataflow : {Stationary::weight, Stationary::input}) {
    const std::vector<Row> rows = rows_of(dataflow);
    ASSERT_EQ(rows.size(), 108U);
    for (const Row& row : rows) {
      SCOPED_TRACE(row.text);
      const ScaleSimConfig config = row.config(dataflow);
      const ScaleSimLayer l = simulate_scale_sim(row.layer(), config);
      EXPECT_EQ(l.last_cycle(), row.number("total_cycles"));
      EXPECT_EQ(l.stall_cycles, row.number("stall_cycles"));
      expect_close(100 * l.overall_utilization(config.rows * config.columns),
                   row.real("overall_util_pct"));
      expect_close(100 * l.mapping_efficiency, row.real("mapping_eff_pct"));
      EXPECT_EQ(l.ifmap.count, row.number("sram_ifmap_reads"));
      EXPECT_EQ(l.filter.count, row.number("sram_filter_reads"));
      EXPECT_EQ(l.ofmap.count, row.number("sram_ofmap_writes"));
    }
  }
}

// Where outputs stay, that simulator lets the drain begin before the last product: each fold is R
// cycles shorter than ours, and R + C writes a fold are counted that there are not.
TEST(ScaleSim, OutputStationaryDiffersByTheDocumentedFormula) {
  const std::vector<Row> rows = rows_of(Stationary::output);
  ASSERT_EQ(rows.size(), 108U);
  for (const Row& row : rows) {
    SCOPED_TRACE(row.text);
    const ScaleSimConfig config = row.config(Stationary::output);
    const std::int64_t r = config.rows;
    const std::int64_t c = config.columns;
    const std::int64_t folds = (row.number("M") + r - 1) / r * ((row.number("N") + c - 1) / c);
    const ScaleSimLayer l = simulate_scale_sim(row.layer(), config);
    EXPECT_EQ(l.folds, folds);
    EXPECT_EQ(l.last_cycle() - row.number("total_cycles"), folds * r);
    EXPECT_EQ(row.number("sram_ofmap_writes") - l.ofmap.count, folds * (r + c));
    EXPECT_EQ(l.ofmap.count, row.number("M") * row.number("N"));
    EXPECT_EQ(l.stall_cycles, row.number("stall_cycles"));
    EXPECT_EQ(l.ifmap.count, row.number("sram_ifmap_reads"));
    EXPECT_EQ(l.filter.count, row.number("sram_filter_reads"));
    expect_close(100 * l.mapping_efficiency, row.real("mapping_eff_pct"));
    // The same MACs in more cycles.
    expect_close(100 * l.overall_utilization(config.rows * config.columns) *
                     static_cast<double>(l.last_cycle()),
                 row.real("overall_util_pct") * row.real("total_cycles"));
  }
}

using Traces = std::map<std::string, std::vector<std::string>>;

Traces traces_of(const TopologyLayer& layer, const ScaleSimConfig& config) {
  Traces traces;
  simulate_scale_sim(layer, config, [&traces](const char* buffer, const std::string& line) {
    traces[buffer].push_back(line);
  });
  return traces;
}

// By hand: 2 x 3 times 3 x 2 on 2 x 2, so two folds of 2 R + C + T - 2 = 6 cycles. A is row-major
// from 0 on, B column-major from 100 on, C row-major from 200 on.
TEST(ScaleSim, TracesOfASmallProductByHand) {
  ScaleSimConfig config;
  config.rows = config.columns = 2;
  config.filter_offset = 100;
  config.ofmap_offset = 200;
  const TopologyLayer layer = gemm(2, 2, 3);

  config.dataflow = Stationary::weight;
  Traces t = traces_of(layer, config);
  EXPECT_EQ(t["FILTER"],
            (std::vector<std::string>{"1,101,104\n", "2,100,103\n", "3,-1,-1\n", "4,-1,-1\n",
                                      "5,-1,-1\n", "6,-1,-1\n", "7,-1,-1\n", "8,102,105\n",
                                      "9,-1,-1\n", "10,-1,-1\n", "11,-1,-1\n", "12,-1,-1\n"}));
  EXPECT_EQ(t["IFMAP"],
            (std::vector<std::string>{"1,-1,-1\n", "2,-1,-1\n", "3,0,-1\n", "4,3,1\n", "5,-1,4\n",
                                      "6,-1,-1\n", "7,-1,-1\n", "8,-1,-1\n", "9,2,-1\n",
                                      "10,5,-1\n", "11,-1,-1\n", "12,-1,-1\n"}));
  EXPECT_EQ(t["OFMAP"],
            (std::vector<std::string>{"0,-1,-1\n", "1,-1,-1\n", "2,-1,-1\n", "3,200,-1\n",
                                      "4,202,201\n", "5,-1,203\n", "6,-1,-1\n", "7,-1,-1\n",
                                      "8,-1,-1\n", "9,200,-1\n", "10,202,201\n", "11,-1,203\n"}));

  config.dataflow = Stationary::input;  // A's columns stay, B's stream
  t = traces_of(layer, config);
  EXPECT_EQ(t["IFMAP"][0], "1,1,4\n");
  EXPECT_EQ(t["IFMAP"][1], "2,0,3\n");
  EXPECT_EQ(t["FILTER"][2], "3,100,-1\n");
  EXPECT_EQ(t["FILTER"][3], "4,103,101\n");
  EXPECT_EQ(t["OFMAP"][3], "3,200,-1\n");
  EXPECT_EQ(t["OFMAP"][4], "4,201,202\n");

  config.dataflow = Stationary::output;  // one fold of 3 + 4 + 2 - 2 = 7 cycles
  t = traces_of(layer, config);
  EXPECT_EQ(t["IFMAP"], (std::vector<std::string>{"1,0,-1\n", "2,1,3\n", "3,2,4\n", "4,-1,5\n",
                                                  "5,-1,-1\n", "6,-1,-1\n", "7,-1,-1\n"}));
  EXPECT_EQ(t["FILTER"][1], "2,101,103\n");
  EXPECT_EQ(t["OFMAP"][4], "4,-1,-1\n");
  EXPECT_EQ(t["OFMAP"][5], "5,202,203\n") << "the last row first";
  EXPECT_EQ(t["OFMAP"][6], "6,200,201\n");
}

// Every product a[m][k] b[k][n] meets in exactly one fold; convolution addresses by hand.
TEST(ScaleSim, ConvolutionAddressesAreThoseOfItsWindows) {
  TopologyLayer layer;
  layer.ifmap_h = 5;
  layer.ifmap_w = 4;
  layer.filter_h = 2;
  layer.filter_w = 3;
  layer.channels = 2;
  layer.filters = 3;
  layer.stride_h = layer.stride_w = 2;
  // (5 - 2 + 2) / 2 = 2.5 and (4 - 3 + 2) / 2 = 1.5, both rounded up.
  ASSERT_EQ(layer.ofmap_h(), 3);
  ASSERT_EQ(layer.ofmap_w(), 2);
  ScaleSimConfig config;
  config.rows = 12;
  config.columns = 6;
  config.dataflow = Stationary::input;  // K x M at once
  config.filter_offset = config.ofmap_offset = 0;
  const Traces t = traces_of(layer, config);
  const std::vector<std::string>& ifmap = t.at("IFMAP");
  // k = 11 first: filter row 1, column 2, channel 1. Pixel (y, x) begins at (2 y, 2 x).
  const auto word = [](int y, int x) { return (y * 4 + x) * 2 + 1; };
  EXPECT_EQ(ifmap[0], "1," + std::to_string(word(1, 2)) + ",-1," + std::to_string(word(3, 2)) +
                          ",-1,-1,-1\n");
  // k = 0: filter row 0, column 0, channel 0.
  EXPECT_EQ(ifmap[11], "12,0,4,16,20,32,36\n");
  const ScaleSimLayer l = simulate_scale_sim(layer, config);
  EXPECT_EQ(l.ifmap.count, 6 * 12) << "inputs beyond the map are asked for too";
  EXPECT_EQ(l.filter.count, 12 * 3);
}

// Half of 1,024 words are 50 sets of 10. 700 distinct words: 500 come in before the array begins,
// at 10 a cycle, the rest while those are at work.
TEST(ScaleSim, ReadBufferFetchesEachWordOnceAHalf) {
  ReadBuffer buffer(1024, 700);
  for (int i = 0; i < 700; ++i) {
    buffer.request(5 + i, i);
    if (i != 499) buffer.request(5 + i, i);
  }
  DramTraffic traffic = buffer.finish();
  EXPECT_EQ(traffic.words, 700);
  EXPECT_EQ(traffic.start, 5 - 1 - 50 + 1) << "50 cycles, the last word there before cycle 5";
  EXPECT_EQ(traffic.stop, 5 + 499 + 1) << "the second half is there when the first is used up";
  buffer.request(2000, 699);
  EXPECT_EQ(buffer.finish().words, 700);
  buffer.request(2000, 3);
  EXPECT_EQ(buffer.finish().words, 701) << "given up with the first half";

  ReadBuffer small(1024, 700);
  for (int i = 0; i < 33; ++i) small.request(9, i);
  traffic = small.finish();  // 4 sets, 40 words: 4 cycles before cycle 0
  EXPECT_EQ(traffic.words, 33);
  EXPECT_EQ(traffic.start, -4);
  EXPECT_EQ(traffic.stop, -1);
}

TEST(ScaleSim, WriteBufferDrainsHalvesAndTheRest) {
  WriteBuffer buffer(16, 3);
  for (int i = 0; i < 20; ++i) buffer.request(100 + i);
  const DramTraffic traffic = buffer.finish(150);
  EXPECT_EQ(traffic.words, 20);
  EXPECT_EQ(traffic.start, 107) << "when 8 words are there";
  EXPECT_EQ(traffic.stop, 151) << "4 words from the last cycle on, 3 a cycle";
}

TEST(ScaleSim, ReportsHaveItsHeadersAndForms) {
  ScaleSimConfig config;
  config.rows = config.columns = 8;
  config.dataflow = Stationary::weight;
  const std::vector<ScaleSimLayer> layers = {simulate_scale_sim(gemm(33, 7, 7), config)};
  // One fold of 16 + 8 + 33 - 2 = 55 cycles. Both operands fit one set of 655 words, which comes
  // in within 66 cycles before cycle 0; 231 sums leave 8 a cycle from the last cycle on.
  EXPECT_EQ(compute_report(layers, 64),
            "LayerID, Total Cycles (incl. prefetch), Total Cycles, Stall Cycles, Overall Util %, "
            "Mapping Efficiency %, Compute Util %,\n"
            "0, 148, 54, 0, 46.78819444444444, 76.5625, 40.75100806451613,\n");
  const std::string bandwidth = bandwidth_report(layers);
  EXPECT_EQ(bandwidth.substr(0, bandwidth.find('\n')),
            "LayerID, Avg IFMAP SRAM BW, Avg FILTER SRAM BW, Avg OFMAP SRAM BW, Avg IFMAP DRAM BW, "
            "Avg FILTER DRAM BW, Avg OFMAP DRAM BW,");
  EXPECT_EQ(detailed_access_report(layers),
            "LayerID, SRAM IFMAP Start Cycle, SRAM IFMAP Stop Cycle, SRAM IFMAP Reads, SRAM Filter "
            "Start Cycle, SRAM Filter Stop Cycle, SRAM Filter Reads, SRAM OFMAP Start Cycle, SRAM "
            "OFMAP Stop Cycle, SRAM OFMAP Writes, DRAM IFMAP Start Cycle, DRAM IFMAP Stop Cycle, "
            "DRAM IFMAP Reads, DRAM Filter Start Cycle, DRAM Filter Stop Cycle, DRAM Filter Reads, "
            "DRAM OFMAP Start Cycle, DRAM OFMAP Stop Cycle, DRAM OFMAP Writes,\n"
            "0, 9.0, 47.0, 231, 2.0, 8.0, 49, 15.0, 53.0, 231, -66.0, -1.0, 231, -66.0, -1.0, 49, "
            "54.0, 82.0, 231,\n");
}

}  // namespace
}  // namespace sagitta
