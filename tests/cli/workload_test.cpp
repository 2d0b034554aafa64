// Workloads on the command line: run, check and scale-sim, and what they refuse.
#include "command_line.h"

namespace sagitta::test {
namespace {

const std::string kHeader =
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, "
    "Strides,\n";
const std::string kConfiguration =
    "[general]\nrun_name = small\n[run_presets]\nInterfaceBandwidth: CALC\n"
    "[architecture_presets]\nArrayHeight: 8\nArrayWidth: 8\nIfmapSramSzkB: 64\n"
    "FilterSramSzkB: 64\nOfmapSramSzkB: 64\nDataflow: ws\n";

class Workloads : public CommandLine {
 protected:
  // 12 x 12 x 3 -> convolution 10 x 10 x 20 -> pooling 5 x 5 x 20 -> dense 7.
  void write_workload() const {
    write_json("w.json",
               {{"name", "small"},
                {"input", {12, 12, 3}},
                {"layers",
                 {{{"name", "conv"}, {"kind", "convolution"}, {"filters", 20}, {"kernel", 3}},
                  {{"name", "pool"}, {"kind", "max_pool"}, {"kernel", 2}, {"stride", 2}},
                  {{"name", "fc"}, {"kind", "dense"}, {"filters", 7}}}}});
  }
  nlohmann::json experiment() const {
    return {{"workload", "w.json"},
            {"array", {{"rows", 8}, {"cols", 8}}},
            {"technology", technology()}};
  }
};

TEST_F(Workloads, RunTimesEveryLayer) {
  write_workload();
  write_json("e.json", experiment());
  const auto j = document({"run", "e.json"});
  EXPECT_EQ(j["format"], "sagitta-timing/1");
  EXPECT_EQ(j["workload"]["macs"], 100 * 27 * 20 + 500 * 7);
  const auto& m = j["configurations"][0];
  EXPECT_EQ(m["name"], "8x8 os none");
  ASSERT_EQ(m["layers"].size(), 3U);
  const auto& conv = m["layers"][0];
  EXPECT_EQ(conv["operation"], "convolution");
  EXPECT_EQ(conv["macs"], 100 * 27 * 20);
  // Three column tiles of 8, 8 and 4 lanes; twelve row tiles of 8 pixels and one of 4. A wait that
  // does not stall is one cycle, and the drain path takes five (docs/machine.md).
  const auto tile = [](int rows, int lanes) { return 27 + 2 * rows + lanes - 2; };
  int cycles = 0;
  for (const int lanes : {8, 8, 4}) cycles += 1 + 8 + 12 * tile(8, lanes) + tile(4, lanes) + 5;
  EXPECT_EQ(conv["cycles"].get<int>() - conv["stall_cycles"].get<int>(), cycles);
  EXPECT_EQ(m["layers"][1]["cycles"], 3 * (1 + 25 * 4 + 5));
  EXPECT_GT(m["area_um2"], 0);
  EXPECT_GT(m["energy_pj"], 0);
  EXPECT_EQ(m["overhead"]["cycles"], 0);

  const std::string text = done({"run", "e.json", "-q", "-o", "out"});
  EXPECT_NE(text.find("conv"), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(contents(path("out/results.json"))), j);
  EXPECT_NE(contents(path("out/results.csv")).find("8x8 os none"), std::string::npos);
  // What was resolved gives the same again.
  EXPECT_EQ(document({"run", "out/experiment.json"})["configurations"], j["configurations"]);
}

// Every kind of layer, and a batch: a residual branch, a depthwise convolution, both poolings.
TEST_F(Workloads, EveryKindOfLayerIsTimed) {
  write_json("w.json", {{"name", "all"},
                        {"input", {6, 6, 4}},
                        {"batch", 3},
                        {"layers",
                         {{{"name", "dw"},
                           {"kind", "convolution"},
                           {"filters", 4},
                           {"kernel", 3},
                           {"padding", 1},
                           {"groups", 4}},
                          {{"name", "sum"}, {"kind", "add"}, {"with", "input"}},
                          {{"name", "mean"}, {"kind", "average_pool"}},
                          {{"name", "fc"}, {"kind", "dense"}, {"filters", 5}}}}});
  write_json("e.json", experiment());
  const auto layers = document({"run", "e.json"})["configurations"][0]["layers"];
  ASSERT_EQ(layers.size(), 4U);
  EXPECT_EQ(layers[0]["macs"], 3 * 36 * 9 * 4);
  EXPECT_EQ(layers[0]["M"], 3 * 36);
  EXPECT_EQ(layers[0]["groups"], 4);
  const auto working = [&layers](int i) {
    return layers[i]["cycles"].get<int>() - layers[i]["stall_cycles"].get<int>();
  };
  // 108 pixels are 13 tiles of 8 rows and one of 4; each group is a column tile of one lane.
  EXPECT_EQ(working(0), 4 * (1 + 8 + 13 * (9 + 16 + 1 - 2) + (9 + 8 + 1 - 2) + 5));
  EXPECT_EQ(working(1), 1 + 3 * 36 * 2 + 5) << "two taps a pixel";
  EXPECT_EQ(working(2), 1 + 3 * 36 + 5);
  EXPECT_EQ(layers[3]["M"], 3);
  const std::string text = done({"run", "e.json", "-q"});
  for (const std::string figure : {"MACs", "cycles", "stalls", "latency us", "energy uJ"}) {
    EXPECT_NE(text.find(" " + figure + "/pass"), std::string::npos) << figure << " in\n" << text;
  }
}

TEST_F(Workloads, SchemesCostCyclesWithoutThresholds) {
  write_workload();
  auto e = experiment();
  e["scheme"] = "gradient";
  write_json("e.json", e);
  const auto m = document({"run", "e.json"})["configurations"][0];
  // The detector of 8 columns takes 4 cycles and the checker 4, in each of the drain path's uses:
  // three column tiles of the convolution, three of pooling, one of the dense layer.
  e["scheme"] = "none";
  write_json("e.json", e);
  const auto none = document({"run", "e.json"})["configurations"][0];
  const auto working = [](const nlohmann::json& machine) {
    return machine["cycles"].get<int>() - machine["stall_cycles"].get<int>();
  };
  EXPECT_EQ(working(m) - working(none), 7 * 8);
  EXPECT_GT(m["overhead"]["area"], 0);
}

// Each layer takes the cycles that it takes where all have its dataflow, but for its waits.
TEST_F(Workloads, LayersWithDataflowsOfTheirOwn) {
  write_workload();
  const std::string name = "conv";
  auto e = experiment();
  e["array"] = {{"rows", 8}, {"dataflow", {"os", "ws", {{"layers", {{name, "ws"}}}}}}};
  write_json("e.json", e);
  const auto machines = document({"run", "e.json"})["configurations"];
  const auto& mixture = machines[2];
  EXPECT_EQ(mixture["array"]["dataflow"],
            (nlohmann::json{{"default", "os"}, {"layers", {{name, "ws"}}}}));
  const auto working = [](const nlohmann::json& layer) {
    return layer["cycles"].get<int>() - layer["stall_cycles"].get<int>();
  };
  const auto& layers = mixture["layers"];
  ASSERT_EQ(layers.size(), 3U);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    EXPECT_EQ(working(layers[i]), working(machines[i == 0 ? 1 : 0]["layers"][i])) << i;
  }
  EXPECT_EQ(layers[0]["dataflow"], "ws");
  EXPECT_EQ(layers[1]["dataflow"], nullptr) << "pooling";
  EXPECT_EQ(layers[2]["dataflow"], "os");
  EXPECT_NE(done({"run", "e.json", "-q"}).find("8x8 os " + name + "=ws none"), std::string::npos);

  e["array"]["dataflow"] = {{"layers", {{name + "x", "ws"}}}};
  write_json("e.json", e);
  refuses({"run", "e.json"}, {"$.array.dataflow.layers." + name + "x", "workload", "did you mean"});
  e["array"]["dataflow"] = {{"layers", {{name, "ws"}}}};
  e["timing"] = "scale-sim";
  write_json("e.json", e);
  refuses({"run", "e.json"}, {"$.array.dataflow", "one dataflow for all layers"});
}

TEST_F(Workloads, ScaleSimTimingWritesReports) {
  write_workload();
  auto e = experiment();
  e["timing"] = "scale-sim";
  e["array"] = {{"rows", 8}, {"dataflow", {"os", "ws"}}};
  write_json("e.json", e);
  done({"run", "e.json", "-q", "-o", "out"});
  const auto j = nlohmann::json::parse(contents(path("out/results.json")));
  const auto& ws = j["configurations"][1];
  ASSERT_EQ(ws["layers"].size(), 2U) << "pooling is passed over";
  // ceil(27 / 8) ceil(20 / 8) folds of 16 + 8 + 100 - 2 cycles.
  EXPECT_EQ(ws["layers"][0]["folds"], 12);
  EXPECT_EQ(ws["layers"][0]["cycles"], 12 * 122);
  EXPECT_EQ(ws["layers"][0]["ifmap_reads"], 3 * 100 * 27);
  EXPECT_NE(contents(path("out/8x8-ws/COMPUTE_REPORT.csv")).find("\n0, "), std::string::npos);
  EXPECT_NE(contents(path("out/8x8-os/BANDWIDTH_REPORT.csv")), "");
  EXPECT_NE(contents(path("out/8x8-os/DETAILED_ACCESS_REPORT.csv")), "");
}

TEST_F(Workloads, ScaleSimCommand) {
  write("a.cfg", kConfiguration);
  write("net.csv", kHeader + "conv, 12, 12, 3, 3, 3, 20, 1,\n");
  const std::string printed = done({"scale-sim", "-c", "a.cfg", "-t", "net.csv", "-o", "out"});
  EXPECT_EQ(contents(path("out/small/COMPUTE_REPORT.csv")) +
                "Written to out/small: COMPUTE_REPORT.csv, BANDWIDTH_REPORT.csv, "
                "DETAILED_ACCESS_REPORT.csv\n",
            printed);
  EXPECT_NE(printed.find(", 1463, 0, "), std::string::npos) << "12 folds of 122 cycles\n"
                                                            << printed;
  const std::string traced =
      done({"scale-sim", "-c", "a.cfg", "-t", "net.csv", "-i", "conv", "-o", "out", "--traces"});
  EXPECT_TRUE(traced.ends_with("DETAILED_ACCESS_REPORT.csv, SRAM traces of 1 layer\n")) << traced;
  for (const char* buffer : {"IFMAP", "FILTER", "OFMAP"}) {
    const std::string trace =
        contents(path("out/small/layer0/" + std::string(buffer) + "_SRAM_TRACE.csv"));
    EXPECT_EQ(std::count(trace.begin(), trace.end(), '\n'), 12 * 122);
  }
  EXPECT_EQ(document({"scale-sim", "-c", "a.cfg", "-t", "net.csv"})["layers"][0]["total_cycles"],
            1463);
  // The same from a workload, exported and read again.
  write_workload();
  done({"scale-sim", "-t", "w.json", "--export-topology", "again.csv"});
  const auto again = document({"scale-sim", "-c", "a.cfg", "-t", "again.csv"});
  EXPECT_EQ(again["layers"][0]["total_cycles"], 1463);
  EXPECT_EQ(again["layers"].size(), 2U);
  done({"scale-sim", "-t", "w.json", "-i", "gemm", "--export-topology", "gemm.csv"});
  EXPECT_EQ(document({"scale-sim", "-c", "a.cfg", "-t", "gemm.csv"})["layers"][0]["total_cycles"],
            1463);
}

// What traces/topologies holds is what its README says.
TEST_F(Workloads, ShippedTopologies) {
  const std::string traces = SAGITTA_SOURCE_DIR "/traces/";
  done({"scale-sim", "-t", traces + "workloads/alexnet.json", "--export-topology", "alexnet.csv"});
  EXPECT_EQ(contents(path("alexnet.csv")), contents(traces + "topologies/alexnet.csv"));

  const auto run = document({"run", SAGITTA_SOURCE_DIR "/configs/lenet5.json", "-q", "--set",
                             "images=1", "--set", "scheme=none"});
  std::string products = "Layer, M, N, K,\n";
  for (const auto& layer : run["configurations"][0]["layers"]) {
    if (layer["operation"] != "gemm") continue;
    products += layer["name"].get<std::string>();
    for (const char* size : {"M", "N", "K"}) products += ", " + layer[size].dump();
    products += ",\n";
  }
  EXPECT_EQ(products, contents(traces + "topologies/lenet5.csv"));
}

TEST_F(Workloads, ShippedExperiment) {
  const std::string shipped = SAGITTA_SOURCE_DIR "/configs/resnet50.json";
  const auto m = document(
      {"run", shipped, "--set", "timing=scale-sim", "--set", "memory={}"})["configurations"][0];
  std::int64_t total = 0;
  for (const auto& l : m["layers"]) {
    const auto folds = [](const nlohmann::json& size) { return (size.get<int>() + 127) / 128; };
    total += std::int64_t{folds(l["M"])} * folds(l["N"]) * (3 * 128 + l["K"].get<int>() - 2);
  }
  EXPECT_EQ(m["cycles"], total);
  EXPECT_EQ(m["macs"], 4'089'184'256);
  const auto real = document({"run", shipped})["configurations"][0];
  EXPECT_EQ(real["macs"], 4'089'184'256);
}

TEST_F(Workloads, ExperimentsThatMakeNoSenseAreRefused) {
  write_workload();
  const auto refused = [&](const nlohmann::json& changes, const std::string& where,
                           const std::vector<std::string>& parts) {
    auto e = experiment();
    e.merge_patch(changes);
    write_json("e.json", e);
    std::vector<std::string> all = {"e.json: " + where};
    all.insert(all.end(), parts.begin(), parts.end());
    refuses({"run", "e.json", "-o", "out"}, all);
  };
  refused({{"network", lenet()}}, "$.workload", {"there is a network too"});
  refused({{"images", 3}}, "$.images", {"does not apply to a workload"});
  refused({{"fault", {{"trials", 3}}}}, "$.fault", {"does not apply to a workload"});
  refused({{"calibration_images", 3}}, "$.calibration_images", {"does not apply"});
  refused({{"workload", "none.json"}}, "$.workload", {"there is no file", "none.json"});
  refused({{"timing", "scale_sim"}}, "$.timing", {"\"scale-sim\"?"});
  refused({{"timing", "scale-sim"}, {"scheme", "gradient"}}, "$.scheme", {"no gradient scheme"});
  // Whatever would change nothing there.
  const auto scale_sim = [&](nlohmann::json changes, const std::string& where,
                             const std::vector<std::string>& parts) {
    refused(changes, where, parts);
    changes["timing"] = "real";
    auto e = experiment();
    e.merge_patch(changes);
    write_json("e.json", e);
    done({"check", "e.json"});
  };
  const auto with_scale_sim = [](const char* key, const nlohmann::json& value) {
    return nlohmann::json{{"timing", "scale-sim"}, {key, value}};
  };
  scale_sim(with_scale_sim("array", {{"overlap", true}}), "$.array.overlap",
            {"true says nothing to SCALE-Sim's conventions", "\"timing\": \"real\""});
  for (const auto& [key, value] : std::map<std::string, int>{{"activation_bytes", 65536},
                                                             {"activation_banks", 4},
                                                             {"activation_port_bytes", 4},
                                                             {"weight_rows", 1024},
                                                             {"partial_rows", 7},
                                                             {"dram_latency", 65},
                                                             {"dram_bytes_per_cycle", 64},
                                                             {"dma_queue", 3}}) {
    scale_sim(with_scale_sim("memory", {{key, value}}), "$.memory." + key,
              {std::to_string(value) + " says nothing to SCALE-Sim's conventions", "remove it"});
  }
  refused(with_scale_sim("memory", {{"activation_banks", 3}}), "$.memory.activation_banks", {"3 "});
  refused(with_scale_sim("memory", {{"dma_queue", 99}}), "$.memory.dma_queue", {"maximum"});
  std::filesystem::copy_file(technology(), path("t.json"));
  scale_sim(with_scale_sim("technology", "t.json"), "$.technology", {"neither area nor energy"});
  auto plain = experiment();
  plain.merge_patch({{"timing", "scale-sim"},
                     {"array", {{"overlap", false}, {"dataflow", {{"default", "ws"}}}}},
                     {"memory", {{"dram_latency", 64}, {"activation_banks", 0}}},
                     {"technology", technology()}});
  write_json("e.json", plain);
  EXPECT_EQ(document({"run", "e.json"})["configurations"][0]["name"], "8x8 ws none");
  done({"run", "e.json", "-q", "-o", "out"});
  EXPECT_EQ(document({"run", "out/experiment.json"})["configurations"],
            document({"run", "e.json"})["configurations"]);
  refused({{"memory", {{"weight_rows", 8}}}}, "$.memory.weight_rows",
          {"does not hold", "at least 500"});
  write_json("e.json", {{"network", lenet()}, {"timing", "scale-sim"}});
  refuses({"run", "e.json"}, {"e.json: $.timing", "only a workload"});
  write_json("e.json", nlohmann::json::object());
  refuses({"run", "e.json"}, {"e.json: $.network", "missing", "\"workload\""});
}

TEST_F(Workloads, OnlyRunAndCheckTakeThem) {
  write_workload();
  write_json("experiment.json", experiment());
  for (const Arguments& command : commands()) {
    if (command[0] == "run" || command[0] == "check") continue;
    refuses(command, {"experiment.json: $.workload", "can only be timed", "sagitta run"});
  }
  EXPECT_NE(done({"check", "experiment.json"}).find("workload small, 3 layers"), std::string::npos);
  EXPECT_EQ(document({"check", "experiment.json"})["machines"].size(), 1U);
}

TEST_F(Workloads, ScaleSimFilesThatMakeNoSenseAreRefused) {
  write("a.cfg", kConfiguration);
  write("net.csv", kHeader + "conv, 12, 12, 3, 3, x, 20, 1,\n");
  refuses({"scale-sim", "-c", "a.cfg", "-t", "net.csv", "-o", "out"},
          {"net.csv: line 2, column Channels", "'x'"});
  write("net.csv", kHeader + "conv, 12, 12, 3, 3, 3, 20, 1,\n");
  refuses({"scale-sim", "-t", "net.csv"}, {"--config", "-c FILE"});
  refuses({"scale-sim", "-c", "a.cfg", "-t", "net.csv", "--traces"}, {"--traces", "-o DIR"});
  refuses({"scale-sim", "-c", "a.cfg", "-t", "net.csv", "-i", "gemm"},
          {"line 2", "'3' follows the last column"});
  write("b.cfg", "[general]\nrun_name = b\n");
  refuses({"scale-sim", "-c", "b.cfg", "-t", "net.csv"}, {"b.cfg: [architecture_presets] Array"});
  std::string user = kConfiguration + "Bandwidth = 4\n";
  user.replace(user.find("CALC"), 4, "USER");
  write("c.cfg", user);
  refuses({"scale-sim", "-c", "c.cfg", "-t", "net.csv"},
          {"c.cfg: [run_presets] InterfaceBandwidth", "not modelled", "CALC"});
  refuses({"scale-sim", "-c", "a.cfg", "-t", "none.csv"}, {"none.csv"});
  refuses({"scale-sim", "-t", "net.csv", "--export-topology", "net.csv"},
          {"net.csv: is the file that is read"});
  write("big.csv", "Layer, M, N, K,\nbig, 1000000, 1000, 1000,\n");
  refuses({"scale-sim", "-c", "a.cfg", "-t", "big.csv", "--traces", "-o", "out"},
          {"layer big", "GB"});
  // ... before the traces of a layer in front of it are written.
  write("big.csv", "Layer, M, N, K,\nsmall, 8, 8, 8,\nbig, 1000000, 1000, 1000,\n");
  refuses({"scale-sim", "-c", "a.cfg", "-t", "big.csv", "--traces", "-o", "out"},
          {"layer big", "GB"});
  EXPECT_FALSE(std::filesystem::exists(path("out")));
}

// Ctrl-C in the middle of long traces: neither files nor folders stay, not even of whole layers.
TEST_F(Workloads, InterruptedTracesLeaveNothing) {
  write("a.cfg", kConfiguration);
  write("net.csv", "Layer, M, N, K,\nsmall, 8, 8, 8,\nlong, 4000, 400, 400,\n");
  std::filesystem::create_directory(path("out"));
  const auto before = everything();
  for (const int signal : {SIGINT, SIGTERM}) {
    Process process({"scale-sim", "-c", "a.cfg", "-t", "net.csv", "--traces", "-o", "out/deep"},
                    folder_ / "");
    const std::string second = path("out/deep/small/layer1/IFMAP_SRAM_TRACE.csv.part");
    for (int i = 0; i < 1500 && !std::filesystem::exists(second); ++i) usleep(20000);
    ASSERT_TRUE(std::filesystem::exists(second));
    kill(process.pid(), signal);
    Result result;
    ASSERT_TRUE(process.wait(20, result));
    EXPECT_EQ(result.code, 130) << result.err;
    EXPECT_NE(result.err.find("interrupted; nothing was written"), std::string::npos);
    EXPECT_EQ(everything(), before);
  }
}

}  // namespace
}  // namespace sagitta::test
