// What a report says about a machine, against closed forms, hand counts and its own other figures;
// and what a machine's digest depends on.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>

#include "campaign/campaign.h"
#include "report/results.h"
#include "report/table.h"
#include "support/closed_form.h"

namespace sagitta {
namespace {

using nlohmann::ordered_json;

Campaign lenet(const std::vector<std::string>& more) {
  std::vector<std::string> set = {"images=2", "calibration_images=2"};
  set.insert(set.end(), more.begin(), more.end());
  return Campaign(load_experiment(SAGITTA_SOURCE_DIR "/configs/lenet5.json", set));
}

// A DRAM slow enough for stalls in several layers, an array that is not square and a clock that is
// not 1 cycle an anything.
const std::vector<std::string> kSlow = {"array={\"rows\": 8, \"cols\": 5}",
                                        "memory.dram_latency=300", "clock_mhz=250"};

// ... and banks so narrow that activations of several layers wait, or ports that never make them.
class ReportOf : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Ports, ReportOf, testing::Values("ideal", "banks"),
                         [](const auto& ports) { return std::string(ports.param); });

TEST_P(ReportOf, CyclesStallsUtilizationAndLatencyFollowFromTheShapes) {
  std::vector<std::string> set = kSlow;
  const bool banks = GetParam() == std::string("banks");
  if (banks) set.insert(set.end(), {"memory.activation_banks=2", "memory.activation_port_bytes=1"});
  Campaign campaign = lenet(set);
  campaign.run_clean(1, nullptr);
  const auto results = clean_results(campaign);
  const std::vector<Layer>& layers = campaign.network().layers;
  ASSERT_EQ(results.at("configurations").size(), 4U);
  for (std::size_t m = 0; m < 4; ++m) {
    const auto& c = results.at("configurations")[m];
    SCOPED_TRACE(c.at("name").get<std::string>());
    const Program& program = campaign.machines()[m].program;
    const test::Timing expected =
        test::timing(layers, {8, 5}, program.memory, program.protection, false);
    EXPECT_EQ(c.at("cycles_per_image"), expected.total);
    const auto total = static_cast<double>(expected.total);
    EXPECT_DOUBLE_EQ(c.at("latency_us").get<double>(), total / 250);
    std::int64_t stalls = expected.bank_stalls.back();  // of the store phase
    std::int64_t stalled_layers = 0;
    std::int64_t waiting_layers = 0;  // for banks
    double macs = 0;
    ASSERT_EQ(c.at("layers").size(), layers.size());
    for (std::size_t l = 0; l < layers.size(); ++l) {
      const auto& row = c.at("layers")[l];
      SCOPED_TRACE(row.at("name").get<std::string>());
      EXPECT_EQ(row.at("cycles"), expected.layer_cycles[l]);
      const std::int64_t stalled = expected.dram_stalls[l] + expected.bank_stalls[l];
      EXPECT_EQ(row.at("stall_cycles"), stalled);
      EXPECT_EQ(row.at("counters").at("stall_cycles"), stalled);
      EXPECT_EQ(row.at("counters").at("dram_stall_cycles"), expected.dram_stalls[l]);
      EXPECT_EQ(row.at("counters").at("bank_stall_cycles"), expected.bank_stalls[l]);
      const auto products = static_cast<double>(layers[l].macs());
      EXPECT_DOUBLE_EQ(row.at("utilization").get<double>(),
                       products / (static_cast<double>(expected.layer_cycles[l]) * 8 * 5));
      stalls += stalled;
      stalled_layers += expected.dram_stalls[l] > 0 ? 1 : 0;
      waiting_layers += expected.bank_stalls[l] > 0 ? 1 : 0;
      macs += products;
    }
    EXPECT_GT(stalled_layers, 1) << "a sum of one is not told from the one";
    EXPECT_EQ(waiting_layers > 1, banks);
    EXPECT_EQ(c.at("stall_cycles_per_image"), stalls);
    EXPECT_DOUBLE_EQ(c.at("utilization").get<double>(), macs / (total * 8 * 5));
  }
}

TEST(Report, OverheadsAreRatiosOfTheFiguresThatTheReportItselfGives) {
  Campaign campaign = lenet(kSlow);
  campaign.run_clean(1, nullptr);
  const auto results = clean_results(campaign);
  const auto& none = results.at("configurations")[0];
  ASSERT_EQ(none.at("scheme_kind"), "none");
  const std::map<std::string, std::string> figures = {
      {"area", "area_um2"}, {"energy", "energy_pj_per_image"}, {"cycles", "cycles_per_image"}};
  for (const auto& c : results.at("configurations")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    const auto& overhead = c.at("overhead");
    for (const auto& [key, figure] : figures) {
      EXPECT_NEAR(overhead.at(key).get<double>(),
                  c.at(figure).get<double>() / none.at(figure).get<double>() - 1, 1e-9)
          << key;
    }
    if (c.at("scheme_kind") == "gradient") {
      EXPECT_GT(std::abs(overhead.at("energy").get<double>() - overhead.at("cycles").get<double>()),
                0.01);
    }
  }
}

// LeNet-5 has 236 output channels in five layers. A pair of bounds takes two words of sums, and one
// of outputs.
TEST(Report, ThresholdBytesAreThoseOfTheParameterWords) {
  Campaign campaign = lenet({R"(scheme=["none", {"kind": "range-zero", "granularity": "channel"},
      {"kind": "range-zero", "name": "outputs", "granularity": "channel", "position": "output"},
      {"kind": "range-zero", "name": "layer", "position": "output"}])"});
  campaign.run_clean(1, nullptr);
  std::vector<std::int64_t> bytes;
  const auto results = clean_results(campaign);
  for (const auto& c : results.at("configurations")) {
    bytes.push_back(c.at("threshold_bytes"));
  }
  EXPECT_EQ(bytes, (std::vector<std::int64_t>{0, 236 * 2 * 4, 236 * 4, 5 * 4}));
}

// Of three passes one is useful, though all three multiply.
TEST(Report, UtilizationCountsUsefulProducts) {
  Campaign campaign = lenet({R"(scheme=["none", "tmr-time"])"});
  campaign.run_clean(1, nullptr);
  const auto results = clean_results(campaign);
  const auto& none = results.at("configurations")[0];
  const auto& three = results.at("configurations")[1];
  EXPECT_EQ(three.at("counters").at("macs"),
            3 * none.at("counters").at("macs").get<std::int64_t>());
  const auto products = [](const ordered_json& c) {
    return c.at("utilization").get<double>() * c.at("cycles_per_image").get<double>();
  };
  EXPECT_NEAR(products(three), products(none), 1e-6 * products(none));
  for (std::size_t l = 0; l < none.at("layers").size(); ++l) {
    const auto& x = none.at("layers")[l];
    const auto& y = three.at("layers")[l];
    EXPECT_NEAR(y.at("utilization").get<double>() * y.at("cycles").get<double>(),
                x.at("utilization").get<double>() * x.at("cycles").get<double>(), 1e-6);
  }
}

TEST(Report, PopulationIsTheBitsThatThePlanNamesTimesTheCyclesOfARun) {
  Campaign campaign =
      lenet({"array={\"rows\": 3, \"cols\": 2}",
             "fault={\"trials\": 1, \"sites\": \"array.pe**,vector.pool.value[0]\"}"});
  campaign.run_trials(1, nullptr);
  const auto results = fault_results(campaign);
  ASSERT_EQ(results.at("configurations").size(), 4U);
  for (const auto& c : results.at("configurations")) {
    SCOPED_TRACE(c.at("name").get<std::string>());
    // 3 x 2 PEs of a and b (8 bits) and acc (32), in three copies under TMR; one pooled value.
    const std::int64_t copies = c.at("scheme_kind") == "tmr-pe" ? 3 : 1;
    const std::int64_t bits = 3 * 2 * 48 * copies + 8;
    EXPECT_EQ(c.at("fault").at("bits"), bits);
    EXPECT_EQ(c.at("fault").at("cycles"), c.at("cycles_per_image"));
    EXPECT_DOUBLE_EQ(c.at("fault").at("bits_x_cycles").get<double>(),
                     static_cast<double>(bits) * c.at("cycles_per_image").get<double>());
  }
}

// The digest that a fault list carries tells machines apart by whatever decides their results.
TEST(Report, DigestsDifferWithEverythingThatDecidesWhatAMachineComputes) {
  const std::string base_array = "array={\"rows\": 8, \"cols\": 4}";
  const std::string sizes = "memory={\"activation_bytes\": 8192, \"weight_rows\": 512}";
  const std::string range = "scheme={\"kind\": \"range-zero\"}";
  const std::vector<std::vector<std::string>> machines = {
      {},
      {"array.rows=4"},
      {"array.cols=8"},
      {"array.rows=4", "array.cols=8"},
      {"memory.dram_latency=65"},
      {"memory.dram_bytes_per_cycle=17"},
      {"memory.activation_bytes=8193"},
      {"memory.weight_rows=513"},
      {"scheme=tmr-pe"},
      {range},
      {range, "calibration_images=40"},
      {"scheme={\"kind\": \"range-zero\", \"granularity\": \"channel\"}"},
      {"scheme={\"kind\": \"gradient\", \"gate\": \"always\"}"},
      {"scheme={\"kind\": \"gradient\", \"gate\": \"row\"}"},
      {"scheme={\"kind\": \"gradient\", \"gate\": \"row\", \"k_dense\": 5}"}};
  const auto digest = [&](const std::vector<std::string>& change) {
    std::vector<std::string> set = {base_array, sizes, "scheme=none"};
    set.insert(set.end(), change.begin(), change.end());
    return lenet(set).machines().front().digest;
  };
  std::map<std::string, std::size_t> seen;
  for (std::size_t i = 0; i < machines.size(); ++i) {
    const auto [place, is_new] = seen.emplace(digest(machines[i]), i);
    EXPECT_TRUE(is_new) << "machine " << i << " has the digest of machine " << place->second;
  }
  // What only decides how it is measured changes nothing.
  EXPECT_EQ(seen.at(digest({"clock_mhz=100", "images=1", "fault.seed=9"})), 0U);
}

ordered_json proportion(double value) {
  return {{"value", value}, {"low", value}, {"high", value}, {"count", 1}, {"n", 1}};
}

// A configuration with a different figure in every place.
ordered_json configuration() {
  return {{"array", {{"rows", 8}, {"cols", 4}}},
          {"scheme", "mine"},
          {"scheme_kind", "gradient"},
          {"trials", 100},
          {"fault",
           {{"level", "register"},
            {"model", "seu"},
            {"sites", "logic"},
            {"upsets", 3},
            {"population", "own"},
            {"seed", 1},
            {"list", ""},
            {"bits_x_cycles", 1.5e7}}},
          {"accuracy", proportion(0.91)},
          {"cycles_per_image", 12345},
          {"stall_cycles_per_image", 678},
          {"utilization", 0.155},
          {"latency_us", 24.69},
          {"area_um2", 2'345'678.0},
          {"energy_pj_per_image", 6'789'000.0},
          {"accuracy_fault_free_same_draws", proportion(0.92)},
          {"accuracy_under_faults", proportion(0.81)},
          {"sdc_rate", proportion(0.11)},
          {"masked_rate", proportion(0.52)},
          {"detected_rate", proportion(0.13)},
          {"tolerable_rate", proportion(0.14)},
          {"hang_rate", proportion(0.05)},
          {"not_fired_rate", proportion(0)},
          {"uncorrected_rate", proportion(0)},
          {"false_alarms", {{"images", proportion(0.06)}}},
          {"overhead", {{"area", 0.21}, {"energy", 0.32}, {"cycles", 0.043}}}};
}

// Cells stand two or more spaces apart; within them there are single spaces only.
std::vector<std::string> cells(const std::string& line) {
  std::vector<std::string> all;
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t end = std::min(line.find("  ", at), line.size());
    all.push_back(line.substr(at, end - at));
    at = std::min(line.find_first_not_of(' ', end), line.size());
  }
  return all;
}

// The first row of a table, by the names in its header.
std::map<std::string, std::string> first_row(const std::string& table) {
  std::istringstream text(table);
  std::string header;
  std::string bar;
  std::string row;
  std::getline(text, header);
  std::getline(text, bar);
  std::getline(text, row);
  const auto names = cells(header);
  const auto values = cells(row);
  EXPECT_EQ(names.size(), values.size()) << table;
  std::map<std::string, std::string> all;
  for (std::size_t i = 0; i < std::min(names.size(), values.size()); ++i) all[names[i]] = values[i];
  return all;
}

TEST(ReportTable, FaultFreeFiguresStandUnderTheirNamesAndInTheirUnits) {
  ordered_json results;
  results["configurations"] = {configuration()};
  const std::map<std::string, std::string> expected = {
      {"array", "8x4 os"},       {"scheme", "mine"},     {"accuracy % [95 %]", "91.0 [91.0, 91.0]"},
      {"false alarms %", "6.0"}, {"cycles", "12345"},    {"stalls", "678"},
      {"util %", "15.5"},        {"latency us", "24.7"}, {"area mm2", "2.346"},
      {"energy uJ", "6.79"},     {"area %", "+21.0"},    {"energy %", "+32.0"},
      {"cycles %", "+4.3"}};
  EXPECT_EQ(first_row(clean_table(results, false)), expected);
}

// What stands in a table of batches: cycles and energy of an image, the latency of a pass.
TEST(ReportTable, BatchesSayWhatAFigureIsOf) {
  ordered_json results;
  results["configurations"] = {configuration()};
  results["configurations"][0]["batch"] = 5;
  const auto row = first_row(clean_table(results, false));
  EXPECT_EQ(row.at("cycles/image"), "12345");
  EXPECT_EQ(row.at("stalls/image"), "678");
  EXPECT_EQ(row.at("latency us/pass"), "24.7");
  EXPECT_EQ(row.at("energy uJ/image"), "6.79");
  EXPECT_EQ(row.count("cycles"), 0U);
}

// The same name for a machine in every table: its size, its dataflow, the layers that differ,
// overlap.
TEST(ReportTable, ArraysHaveTheirWholeName) {
  const auto name = [](const ordered_json& array) {
    ordered_json results;
    results["configurations"] = {configuration()};
    results["configurations"][0]["array"] = array;
    const std::string clean = first_row(clean_table(results, false)).at("array");
    EXPECT_EQ(first_row(fault_table(results, false)).at("array"), clean);
    return clean;
  };
  EXPECT_EQ(name({{"rows", 8}, {"cols", 4}, {"dataflow", "os"}, {"overlap", false}}), "8x4 os");
  EXPECT_EQ(name({{"rows", 8}, {"cols", 4}, {"dataflow", "is"}, {"overlap", true}}),
            "8x4 is overlap");
  EXPECT_EQ(name({{"rows", 1},
                  {"cols", 4},
                  {"dataflow", {{"default", "ws"}, {"layers", {{"a", "os"}, {"b", "is"}}}}},
                  {"overlap", true}}),
            "1x4 ws a=os b=is overlap");
}

TEST(ReportTable, FaultFiguresStandUnderTheirNames) {
  ordered_json results;
  results["configurations"] = {configuration()};
  const std::map<std::string, std::string> expected = {{"array", "8x4 os"},
                                                       {"sites", "logic"},
                                                       {"upsets", "3"},
                                                       {"scheme", "mine"},
                                                       {"clean", "92.0"},
                                                       {"under faults [95 %]", "81.0 [81.0, 81.0]"},
                                                       {"SDC [95 %]", "11.0 [11.0, 11.0]"},
                                                       {"masked", "52.0"},
                                                       {"corrected", "13.0"},
                                                       {"tolerable", "14.0"},
                                                       {"hang", "5.0"},
                                                       {"alarms", "6.0"},
                                                       {"bits x cycles", "1.5e+07"},
                                                       {"area", "+21.0"},
                                                       {"energy", "+32.0"},
                                                       {"cycles", "+4.3"}};
  EXPECT_EQ(first_row(fault_table(results, false)), expected);
}

// Of what was detected, the part that the machine could not put right has a column where there is
// any.
TEST(ReportTable, UncorrectedTrialsStandApart) {
  ordered_json results;
  results["configurations"] = {configuration(), configuration()};
  results["configurations"][0]["uncorrected_rate"] = proportion(0.04);
  const auto row = first_row(fault_table(results, false));
  EXPECT_EQ(row.at("corrected"), "9.0");
  EXPECT_EQ(row.at("uncorrected"), "4.0");
  EXPECT_EQ(row.at("tolerable"), "14.0");
}

// A plan of neurons or weights: what is hit, and the rate in place of a number of upsets.
TEST(ReportTable, OtherFaultLevelsStandUnderTheirNames) {
  ordered_json c = configuration();
  c["fault"] = {{"level", "neuron"}, {"model", "seu"},         {"values", "int32"},
                {"rate", 2.5e-4},    {"sites", nullptr},       {"upsets", nullptr},
                {"list", ""},        {"population", "common"}, {"bits_x_cycles", nullptr}};
  ordered_json results;
  results["configurations"] = {c};
  auto row = first_row(fault_table(results, false));
  EXPECT_EQ(row.at("sites"), "int32 neurons");
  EXPECT_EQ(row.at("rate"), "0.00025");
  EXPECT_EQ(row.at("bits x cycles"), "-");
  results["configurations"][0]["scheme_kind"] = "none";
  EXPECT_EQ(
      finding(results).find("With int32 neurons hit at a rate of 0.00025 on the 8x4 os machine, "
                            "accuracy falls unprotected from 92.0 % to 81.0 %"),
      0U)
      << finding(results);
  results["configurations"].push_back(configuration());
  c["fault"]["level"] = "weight";
  c["fault"]["values"] = nullptr;
  results["configurations"][0] = c;
  row = first_row(fault_table(results, false));
  EXPECT_EQ(row.at("sites"), "weights");
  EXPECT_EQ(row.at("upsets, rate"), "0.00025");

  results["pairs"] = {{{"first", "a"},
                       {"second", "b"},
                       {"level", "weight"},
                       {"model", "seu"},
                       {"rate", 0.5},
                       {"values", nullptr},
                       {"sites", nullptr},
                       {"upsets", nullptr},
                       {"trials", 9},
                       {"only_first_correct", 1},
                       {"only_second_correct", 2},
                       {"accuracy_difference", 0.125},
                       {"mcnemar_p", 1.0}}};
  row = first_row(pairs_table(results, false));
  EXPECT_EQ(row.at("sites"), "weights");
  EXPECT_EQ(row.at("rate"), "0.5");
  EXPECT_EQ(row.at("trials"), "9");
}

}  // namespace
}  // namespace sagitta
