// Experiment files that are right: defaults, expansion, overrides, included files, the resolved
// configuration, and every file that ships.
#include "campaign/experiment.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/file.h"
#include "campaign/json_schema.h"
#include "support/experiment_folder.h"

namespace sagitta {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::ExperimentFolder;

const std::string configs = SAGITTA_SOURCE_DIR "/configs";

std::vector<std::string> names(const Experiment& experiment) {
  std::vector<std::string> all;
  for (const Configuration& configuration : experiment.configurations) {
    all.push_back(configuration.name);
  }
  return all;
}

FaultPlan plan(int upsets, std::int64_t trials, std::uint64_t seed, const std::string& sites,
               const std::string& population = "own") {
  FaultPlan plan;
  plan.upsets = upsets;
  plan.trials = trials;
  plan.seed = seed;
  plan.sites = sites;
  plan.population = population;
  return plan;
}

void expect_equal(const Experiment& a, const Experiment& b) {
  EXPECT_EQ(a.network_path, b.network_path);
  EXPECT_EQ(a.images, b.images);
  EXPECT_EQ(a.memory, b.memory);
  EXPECT_EQ(a.clock_mhz, b.clock_mhz);
  EXPECT_EQ(a.technology_path, b.technology_path);
  EXPECT_EQ(a.thresholds_path, b.thresholds_path);
  EXPECT_EQ(a.calibration_images, b.calibration_images);
  ASSERT_EQ(a.configurations.size(), b.configurations.size());
  for (std::size_t i = 0; i < a.configurations.size(); ++i) {
    const Configuration& left = a.configurations[i];
    const Configuration& right = b.configurations[i];
    EXPECT_EQ(left.name, right.name);
    EXPECT_EQ(left.array, right.array);
    EXPECT_EQ(left.scheme, right.scheme);
    EXPECT_EQ(left.fault, right.fault);
  }
  EXPECT_EQ(a.resolved.dump(), b.resolved.dump());
}

TEST(Experiment, DefaultsAreThoseOfTheSchema) {
  const ExperimentFolder folder;
  const Experiment experiment = folder.load(R"({"network": "net"})");
  const json schema = json::parse(read_file(configs + "/schema/experiment.schema.json"));
  const json resolved = experiment.resolved;
  folder.write("w.json", "{}");
  const json timed = folder.load(R"({"workload": "w.json"})").resolved;
  EXPECT_EQ(timed["timing"], schema["properties"]["timing"]["default"]);
  const std::set<std::string> others = {"$schema", "network",    "workload", "parts",
                                        "timing",  "technology", "scheme"};
  for (const auto& [key, property] : schema["properties"].items()) {
    if (others.count(key) > 0) continue;
    EXPECT_EQ(resolved[key], property["default"]) << key;
    if (!property.contains("properties")) continue;
    for (const auto& [name, part] : property["properties"].items()) {
      EXPECT_EQ(resolved[key][name], part["default"]) << key << "." << name;
    }
  }
  std::size_t seen = 0;
  for (const char* bounds : {"deviations", "quantile"}) {
    const json gradient =
        folder
            .load(R"({"network": "net", "scheme": {"kind": "gradient", "bounds": ")" +
                  std::string(bounds) + "\"}}")
            .resolved["scheme"];
    for (const auto& [name, part] : schema["definitions"]["scheme_object"]["properties"].items()) {
      if (!part.contains("default") || !gradient.contains(name)) continue;
      EXPECT_EQ(gradient[name], part["default"]) << name;
      ++seen;
    }
  }
  EXPECT_EQ(seen, 7U + 2 + 7 + 1) << "options of the checker, k or share";
  const json hardened = folder
                            .load(R"({"network": "net", "scheme": {"kind": "hardened",
                                         "hardened": "array.**"}})")
                            .resolved["scheme"];
  EXPECT_EQ(hardened["hardened"], json::array({"array.**"}));
  EXPECT_EQ(hardened["hardened_factor"], 0);
  EXPECT_EQ(names(experiment), std::vector<std::string>{"16x16 os none"});
  EXPECT_EQ(experiment.network_path, folder.path("net"));
  EXPECT_EQ(experiment.technology_path, configs + "/tech/45nm.json");
}

TEST(Experiment, TechnologyBesideTheFileComesFirst) {
  const ExperimentFolder folder;
  folder.write("tech/45nm.json", "{}");
  EXPECT_EQ(folder.load(R"({"network": "net"})").technology_path, folder.path("tech/45nm.json"));
}

TEST(Experiment, SchemesHaveTheirOwnDefaults) {
  const ExperimentFolder folder;
  const Experiment experiment =
      folder.load(R"({"network": "net", "scheme": ["range-zero", {"kind": "gradient"}]})");
  const Checker& range = experiment.configurations[0].scheme.blocks.checkers.at(0);
  EXPECT_EQ(range, Checker{});
  EXPECT_EQ(experiment.configurations[0].scheme.bounds.at(0).fit, BoundsFit::extremes);
  const Scheme& gradient = experiment.configurations[1].scheme;
  EXPECT_EQ(gradient.blocks.checkers.at(0), (Checker{CheckerKind::gradient, Gate::row}));
  EXPECT_TRUE(gradient.blocks.checksum);
  EXPECT_EQ(gradient.bounds.at(0).fit, BoundsFit::deviations);
  EXPECT_EQ(gradient.bounds.at(0).k_convolution, 6);
  EXPECT_EQ(gradient.bounds.at(0).k_dense, 4);
  EXPECT_EQ(gradient.name, "gradient");
}

TEST(Experiment, AChainIsWhatItLists) {
  const ExperimentFolder folder;
  const Experiment experiment = folder.load(R"({"network": "net", "scheme": {"kind": "chain",
      "name": "two", "order": "near", "checkers": [
        {"kind": "range", "suppress": "clamp", "granularity": "channel", "gate": "layer"},
        {"kind": "gradient", "axis": "line", "rule": "spike", "suppress": "mean",
         "bounds": "quantile", "false_positives": 0.01, "layers": "convolution"}]}})");
  const Scheme& scheme = experiment.configurations[0].scheme;
  EXPECT_TRUE(scheme.near_order);
  EXPECT_TRUE(scheme.blocks.checksum) << "a gate needs it";
  ASSERT_EQ(scheme.blocks.checkers.size(), 2U);
  EXPECT_EQ(scheme.blocks.checkers[0], (Checker{.gate = Gate::layer,
                                                .granularity = Granularity::channel,
                                                .suppress = Suppress::clamp}));
  EXPECT_EQ(scheme.blocks.checkers[1], (Checker{.kind = CheckerKind::gradient,
                                                .axis = Axis::line,
                                                .spike = true,
                                                .suppress = Suppress::mean}));
  EXPECT_EQ(scheme.bounds[1].fit, BoundsFit::quantile);
  EXPECT_EQ(scheme.bounds[1].false_positives, 0.01);
  EXPECT_EQ(scheme.bounds[1].layers, LayerChoice::convolution);
}

TEST(Experiment, TheTunedUnitLooksAlongLinesOrInMaps) {
  const ExperimentFolder folder;
  const Experiment experiment = folder.load(R"({"network": "net", "scheme": [
      "gradient-tuned", {"kind": "gradient-tuned", "name": "maps", "axis": "map"},
      {"kind": "gradient", "axis": ["line", "map"]}]})");
  const auto axis = [&](std::size_t i, std::size_t checker) {
    return experiment.configurations.at(i).scheme.blocks.checkers.at(checker).axis;
  };
  EXPECT_EQ(axis(0, 1), Axis::line);
  EXPECT_EQ(axis(1, 1), Axis::map);
  EXPECT_EQ(axis(1, 2), Axis::lanes) << "in dense layers";
  EXPECT_EQ(axis(2, 0), Axis::line);
  EXPECT_EQ(axis(3, 0), Axis::map);
  EXPECT_EQ(to_string(Axis::map), std::string("map"));
  // Input stationary, where vectors are channels, the lanes are pixels.
  const Scheme lanes = for_array(experiment.configurations[1].scheme, {4, 4, Dataflow::is});
  EXPECT_EQ(lanes.blocks.checkers[1].axis, Axis::lanes);
}

TEST(Experiment, ASchemeHasTheBlocksOfThoseThatItIsCombinedWith) {
  const ExperimentFolder folder;
  const auto scheme = [&](const std::string& text) {
    return folder.load(R"({"network": "net", "scheme": )" + text + "}").configurations[0].scheme;
  };
  const Scheme alone = scheme(R"({"kind": "gradient", "gate": "always"})");
  const Scheme combined = scheme(
      R"({"kind": "gradient", "gate": "always",
          "with": ["secded", "tmr-reg", "checksum-recompute", "dmr-recompute"]})");
  EXPECT_EQ(combined.name, "gradient+secded+tmr-reg+checksum-recompute+dmr-recompute");
  Protection expected = alone.blocks;
  expected.name = combined.name;
  expected.memory_code = MemoryCode::secded;
  expected.pe_copies = PeCopies::registers;
  expected.checksum = true;
  expected.arrays = 2;
  expected.retries = 1;
  EXPECT_EQ(combined.blocks, expected);
  EXPECT_EQ(combined.bounds, alone.bounds);
  const Scheme hardened = scheme(
      R"({"kind": "hardened", "name": "both", "hardened": "control.**", "with": ["parity"]})");
  EXPECT_EQ(hardened.name, "both");
  EXPECT_EQ(hardened.blocks.memory_code, MemoryCode::parity);
  EXPECT_EQ(hardened.hardened, (std::vector<std::string>{"control.**"}));
}

TEST(Experiment, ListsExpandWithTheLastKeyFastest) {
  const ExperimentFolder folder;
  const Experiment experiment = folder.load(R"({
    "network": "net",
    "array": {"rows": [8, 4], "cols": [2, 1]},
    "scheme": ["tmr-pe", "none"],
    "fault": {"seed": [1, 2], "trials": [3, 4], "upsets": [5, 6],
              "population": ["common", "own"], "sites": ["logic", "all"]}})");
  ASSERT_EQ(experiment.configurations.size(), 4U * 2 * 32);
  EXPECT_EQ(experiment.configurations[0].name, "8x2 os tmr-pe");
  EXPECT_EQ(experiment.configurations[32].name, "8x2 os none");
  EXPECT_EQ(experiment.configurations[64].name, "8x1 os tmr-pe");
  EXPECT_EQ(experiment.configurations[128].name, "4x2 os tmr-pe");
  const auto fault = [&](std::size_t index) { return experiment.configurations[index].fault; };
  EXPECT_EQ(fault(0), plan(5, 3, 1, "logic", "common"));
  EXPECT_EQ(fault(1), plan(5, 3, 2, "logic", "common"));
  EXPECT_EQ(fault(2), plan(5, 4, 1, "logic", "common"));
  EXPECT_EQ(fault(4), plan(6, 3, 1, "logic", "common"));
  EXPECT_EQ(fault(8), plan(5, 3, 1, "logic", "own"));
  EXPECT_EQ(fault(16), plan(5, 3, 1, "all", "common"));
}

TEST(Experiment, FaultLevelsSweepRatesAndValues) {
  const ExperimentFolder folder;
  const Experiment experiment = folder.load(R"({
    "network": "net", "fault": [
      {"level": "neuron", "rate": [0.01, 1e-4], "values": ["int32", "int8"], "trials": 7},
      {"level": "weight", "rate": 1, "population": "common"},
      {"upsets": 2}]})");
  ASSERT_EQ(experiment.configurations.size(), 6U);
  const auto fault = [&](std::size_t index) { return experiment.configurations[index].fault; };
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(fault(i).level, "neuron");
    EXPECT_EQ(fault(i).rate, i < 2 ? 0.01 : 1e-4);
    EXPECT_EQ(fault(i).values, i % 2 == 0 ? "int32" : "int8");
    EXPECT_EQ(fault(i).trials, 7);
    EXPECT_EQ(fault(i).population, "common");
  }
  EXPECT_EQ(fault(4).level, "weight");
  EXPECT_EQ(fault(4).rate, 1);
  EXPECT_EQ(fault(5), plan(2, 2000, 1, "all"));
  const std::string again = folder.write("again.json", experiment.resolved.dump());
  expect_equal(load_experiment(again, {}), experiment);
}

TEST(Experiment, ValuesMayBeRealNumbers) {
  const ExperimentFolder folder;
  const Experiment experiment = folder.load(R"({
    "network": "net", "fault": [{"upsets": 1},
      {"level": "neuron", "rate": 0.1, "values": ["int8", "fp32", "int32"]}]})");
  ASSERT_EQ(experiment.configurations.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    const Configuration& c = experiment.configurations[i];
    EXPECT_EQ(c.fault.of_floats(), i == 2) << i;
    EXPECT_EQ(c.fault_place, i == 0 ? "$.fault[0]" : "$.fault[1]");
  }
  const std::string again = folder.write("again.json", experiment.resolved.dump());
  expect_equal(load_experiment(again, {}), experiment);
  EXPECT_EQ(folder.load(R"({"network": "net"})").configurations[0].fault_place, "$.fault");
}

TEST(Experiment, RowsWithoutColumnsMeanSquare) {
  const ExperimentFolder folder;
  EXPECT_EQ(names(folder.load(R"({"network": "net", "array": {"rows": [8, 32]}})")),
            (std::vector<std::string>{"8x8 os none", "32x32 os none"}));
  EXPECT_EQ(names(folder.load(R"({"network": "net", "array": [{"rows": 1, "cols": 256},
                                                              {"rows": 4}]})")),
            (std::vector<std::string>{"1x256 os none", "4x4 os none"}));
}

TEST(Experiment, DataflowsAndOverlapMultiply) {
  const ExperimentFolder folder;
  const Experiment experiment = folder.load(
      R"({"network": "net", "array": {"rows": 4, "dataflow": ["ws", "is"], "overlap": [false, true]}})");
  EXPECT_EQ(names(experiment), (std::vector<std::string>{"4x4 ws none", "4x4 ws overlap none",
                                                         "4x4 is none", "4x4 is overlap none"}));
  EXPECT_EQ(experiment.configurations[3].array, (ArrayShape{4, 4, Dataflow::is, true}));
}

TEST(Experiment, LayersMayHaveDataflowsOfTheirOwn) {
  const ExperimentFolder folder;
  const Experiment experiment = folder.load(R"({"network": "net", "array": {"rows": 4, "dataflow":
      ["ws", {"layers": {"fc1": "is", "conv1": "ws"}}, {"default": "is", "layers": {}}]}})");
  EXPECT_EQ(names(experiment), (std::vector<std::string>{
                                   "4x4 ws none", "4x4 os conv1=ws fc1=is none", "4x4 is none"}));
  const Configuration& mixture = experiment.configurations[1];
  EXPECT_EQ(mixture.array.dataflow_of("conv1"), Dataflow::ws);
  EXPECT_EQ(mixture.array.dataflow_of("fc1"), Dataflow::is);
  EXPECT_EQ(mixture.array.dataflow_of("fc2"), Dataflow::os);
  EXPECT_TRUE(mixture.array.mixed());
  EXPECT_EQ(mixture.dataflow_place, "$.array.dataflow[1]");
  EXPECT_EQ(experiment.configurations[2].array, (ArrayShape{4, 4, Dataflow::is}));
  EXPECT_EQ(
      experiment.resolved["array"][1]["dataflow"],
      (nlohmann::ordered_json{{"default", "os"}, {"layers", {{"conv1", "ws"}, {"fc1", "is"}}}}));
  // What is resolved stands for the same machines.
  const std::string again = folder.write("again.json", experiment.resolved.dump());
  EXPECT_EQ(names(load_experiment(again, {})), names(experiment));
  // A list of arrays, and one place for a dataflow without a list.
  const Experiment arrays = folder.load(
      R"({"network": "net", "array": [{"rows": 2}, {"rows": 4, "dataflow": {"layers": {"a": "ws"}}}]})");
  EXPECT_EQ(arrays.configurations[1].dataflow_place, "$.array[1].dataflow");
}

TEST(Experiment, ListsOfSchemeOptionsGetNames) {
  const ExperimentFolder folder;
  const Experiment experiment = folder.load(R"({"network": "net", "scheme": [
      {"kind": "gradient", "granularity": ["layer", "channel"], "k_dense": [3, 4.5]},
      {"kind": "gradient", "name": "open", "gate": "always"}]})");
  EXPECT_EQ(names(experiment),
            (std::vector<std::string>{"16x16 os gradient layer k_dense=3",
                                      "16x16 os gradient layer k_dense=4.5",
                                      "16x16 os gradient channel k_dense=3",
                                      "16x16 os gradient channel k_dense=4.5", "16x16 os open"}));
  EXPECT_EQ(experiment.configurations[3].scheme.bounds.at(0).k_dense, 4.5);
  EXPECT_EQ(experiment.configurations[3].scheme.blocks.checkers.at(0).granularity,
            Granularity::channel);
  EXPECT_EQ(experiment.configurations[4].scheme.blocks.checkers.at(0).gate, Gate::always);
}

TEST(Experiment, APartHasItsOwnKeysAndTheFilesOthers) {
  const ExperimentFolder folder;
  const std::string file = folder.write(
      "e.json", R"({"network": ["net", "net/network.json"], "images": 7, "scheme": "none",
                    "parts": {"second": {"scheme": ["range-zero", "median"]},
                              "first": {"images": 3, "fault": {"seed": 5}}}})");
  EXPECT_EQ(experiment_parts(file), (std::vector<std::string>{"second", "first"}));
  EXPECT_EQ(experiment_networks(file, {}, "first"),
            (std::vector<std::string>{folder.path("net"), folder.path("net/network.json")}));
  const Experiment first = load_experiment(file, {"network=" + folder.path("net")}, "first");
  EXPECT_EQ(names(first), std::vector<std::string>{"16x16 os none"});
  EXPECT_EQ(first.images, 3);
  EXPECT_EQ(first.configurations[0].fault.seed, 5U);
  const Experiment second =
      load_experiment(file, {"network=" + folder.path("net"), "images=9"}, "second");
  EXPECT_EQ(names(second), (std::vector<std::string>{"16x16 os range-zero", "16x16 os median"}));
  EXPECT_EQ(second.images, 9);
  EXPECT_TRUE(experiment_parts(folder.write("plain.json", R"({"network": "net"})")).empty());
}

TEST(Experiment, IncludedFilesStandForWhatTheyHold) {
  const ExperimentFolder folder;
  folder.write("parts/wide.json", R"({"$schema": "x", "rows": 2, "cols": [4, 8]})");
  folder.write("parts/loud.json", R"({"kind": "gradient", "name": "loud", "k_dense": 1})");
  const Experiment experiment = folder.load(R"({"network": "net", "array": "parts/wide.json",
                                                "scheme": ["none", "parts/loud.json"]})");
  EXPECT_EQ(names(experiment),
            (std::vector<std::string>{"2x4 os none", "2x4 os loud", "2x8 os none", "2x8 os loud"}));
  EXPECT_EQ(experiment.configurations[1].scheme.bounds.at(0).k_dense, 1);
}

TEST(Experiment, OverridesReplaceAndAddValues) {
  const ExperimentFolder folder;
  folder.write("wide.json", R"({"rows": 2, "cols": 4})");
  const std::string file = folder.write(
      "e.json", R"({"network": "net", "array": "wide.json", "images": 7, "scheme": "none"})");
  const Experiment experiment =
      load_experiment(file, {"array.rows=[8,16]", "fault.seed=7", "scheme=gradient", "images=null",
                             "fault.sites=array.pe[1][2].*", "clock_mhz=1e2"});
  EXPECT_EQ(names(experiment), (std::vector<std::string>{"8x4 os gradient", "16x4 os gradient"}));
  EXPECT_EQ(experiment.configurations[0].fault.seed, 7U);
  EXPECT_EQ(experiment.configurations[0].fault.sites, "array.pe[1][2].*");
  EXPECT_EQ(experiment.images, 0);
  EXPECT_EQ(experiment.clock_mhz, 100);
}

TEST(Experiment, PathsOfOverridesStartAtTheCurrentFolder) {
  const ExperimentFolder folder;
  const std::string file = folder.write("deep/e.json", R"({"network": "nowhere"})");
  folder.write("arrays/tiny.json", R"({"rows": 2})");
  folder.write("faults.csv", "");
  const fs::path before = fs::current_path();
  fs::current_path(folder.path(""));
  const Experiment experiment = load_experiment(
      file, {"network=net", R"(array=["arrays/tiny.json"])", R"(fault={"list": "faults.csv"})"});
  fs::current_path(before);
  EXPECT_EQ(experiment.network_path, folder.path("net"));
  EXPECT_EQ(names(experiment), std::vector<std::string>{"2x2 os none"});
  EXPECT_EQ(experiment.configurations[0].fault.list, folder.path("faults.csv"));
}

TEST(Experiment, ResolvedGivesTheSameAgain) {
  const ExperimentFolder folder;
  folder.write("t.json", "");
  folder.write("faults.csv", "");
  const std::vector<std::string> experiments = {
      R"({"network": "net"})",
      R"({"network": "net/network.json", "images": 3, "array": {"rows": [2, 4], "cols": [3, 1]},
          "scheme": ["none", "range-zero", "tmr-pe", "gradient-tuned", "median", "secded",
                     {"kind": "hardened", "hardened": ["array.**", "control.**"],
                      "hardened_factor": [0, 2e-4]},
                     "tmr-reg", "tmr-array", "tmr-time", "dmr", "dmr-recompute",
                     {"kind": "checksum-correct", "retries": [0, 1]},
                     {"kind": "range-zero", "gate": "row-column", "name": "cells"},
                     {"kind": "gradient", "k_dense": [0.1, 4], "gate": ["row", "always"]},
                     {"kind": "range-clamp", "bounds": "quantile", "granularity": "channel"},
                     {"kind": "chain", "checkers": [{"kind": "median", "gate": "row"},
                                                    {"kind": "range", "bounds": "deviations"}]},
                     {"kind": "gradient", "gate": ["row", "layer"], "with": ["secded", "dmr"]}],
          "fault": {"upsets": [1, 64], "seed": 9007199254740991, "sites": ["logic", "all"],
                    "list": ["faults.csv"]},
          "memory": {"activation_bytes": 4096, "weight_rows": 12, "dram_latency": 0,
                     "dram_bytes_per_cycle": 3},
          "thresholds": "t.json", "clock_mhz": 333.3, "calibration_images": 5})",
  };
  for (const std::string& text : experiments) {
    const Experiment first = folder.load(text);
    // Another folder: nothing may depend on where the file lies.
    const std::string file = folder.write("elsewhere/resolved.json", first.resolved.dump(2));
    expect_equal(first, load_experiment(file, {}));
  }
}

TEST(Experiment, ResolvedHasEveryKey) {
  const ExperimentFolder folder;
  const json resolved = folder.load(R"({"network": "net"})").resolved;
  folder.write("w.json", "{}");
  const json timed = folder.load(R"({"workload": "w.json"})").resolved;
  const json schema = json::parse(read_file(configs + "/schema/experiment.schema.json"));
  for (const auto& [key, property] : schema["properties"].items()) {
    const bool written =
        key == "workload" || key == "timing" ? timed.contains(key) : resolved.contains(key);
    EXPECT_TRUE(written || key == "$schema" || key == "parts") << key;
  }
  for (const char* key : {"network", "images", "fault", "thresholds", "calibration_images"}) {
    EXPECT_FALSE(timed.contains(key)) << key;
  }
}

TEST(Experiment, PlainShippedExperimentIsTheDocumentedOne) {
  const Experiment experiment = load_experiment(configs + "/lenet5.json", {});
  EXPECT_EQ(names(experiment), (std::vector<std::string>{"16x16 os none", "16x16 os range-zero",
                                                         "16x16 os gradient", "16x16 os tmr-pe"}));
  EXPECT_EQ(experiment.images, 1000);
  EXPECT_EQ(experiment.configurations[0].fault, plan(1, 2000, 1, "all"));
}

// Arrays and schemes load where an experiment names them, experiments by themselves; schemas and
// technology files have readers of their own.
TEST(Experiment, EveryShippedFileLoads) {
  const ExperimentFolder folder;
  int files = 0;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(configs)) {
    const std::string kind = fs::relative(entry.path(), configs).begin()->string();
    if (!entry.is_regular_file() || kind == "schema" || kind == "tech") continue;
    if (kind == "scale-sim") continue;  // not ours; Page.docs/scale-sim.md reads it
    SCOPED_TRACE(entry.path().string());
    const std::string file = entry.path().string();
    const json document = json::parse(read_file(file));
    ASSERT_TRUE(document.contains("$schema")) << "editors complete from it";
    EXPECT_TRUE(fs::exists(entry.path().parent_path() / document["$schema"].get<std::string>()));
    if (kind == "arrays" || kind == "schemes") {
      const std::string key = kind == "arrays" ? "array" : "scheme";
      const Experiment experiment = folder.load(json{{"network", "net"}, {key, file}}.dump());
      EXPECT_EQ(experiment.configurations.size(), 1U);
      const Configuration& only = experiment.configurations[0];
      EXPECT_EQ(entry.path().stem().string(),
                kind == "arrays" ? only.name.substr(0, only.name.find(' ')) : only.scheme.name);
    } else {
      std::vector<std::string> parts = experiment_parts(file);
      if (parts.empty()) parts.emplace_back();
      for (const std::string& part : parts) {
        std::vector<std::string> set;
        const auto networks = experiment_networks(file, {}, part);
        if (!networks.empty()) set.push_back("network=" + networks.back());
        const Experiment experiment = load_experiment(file, set, part);
        expect_equal(
            experiment,
            load_experiment(folder.write("resolved.json", experiment.resolved.dump()), {}));
      }
    }
    ++files;
  }
  EXPECT_GE(files, 10);
}

}  // namespace
}  // namespace sagitta
