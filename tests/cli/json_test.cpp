// --json of every command, and `run` against the reference executor and the plain machine.
#include <algorithm>
#include <set>
#include <string>

#include "cli/command_line.h"
#include "machine/machine.h"
#include "network/dataset.h"
#include "network/npy.h"
#include "network/reference.h"

namespace sagitta::test {
namespace {

class CliJson : public CommandLine {
 protected:
  CliJson() { write_json("experiment.json", small()); }
  static std::string shipped() { return SAGITTA_SOURCE_DIR "/configs/lenet5.json"; }

  static void has(const nlohmann::json& object, const std::vector<std::string>& keys) {
    for (const std::string& key : keys) EXPECT_TRUE(object.contains(key)) << key << object.dump();
  }
  static void is_proportion(const nlohmann::json& p) {
    has(p, {"value", "low", "high", "count", "n"});
    EXPECT_DOUBLE_EQ(p.at("value").get<double>(),
                     p.at("count").get<double>() / p.at("n").get<double>());
    EXPECT_LE(p.at("low"), p.at("value"));
    EXPECT_GE(p.at("high"), p.at("value"));
  }
  static void is_configuration(const nlohmann::json& c) {
    has(c, {"name", "array", "network", "images", "accuracy", "cycles_per_image", "layers",
            "area_um2", "energy_pj_per_image"});
    has(c.at("array"), {"rows", "cols", "dataflow", "overlap"});
    is_proportion(c.at("accuracy"));
    ASSERT_EQ(c.at("layers").size(), 7U);
    for (const auto& layer : c.at("layers")) {
      has(layer, {"name", "M", "N", "K", "cycles", "stall_cycles", "utilization", "macs"});
    }
  }
  static void is_fault_configuration(const nlohmann::json& c, std::int64_t trials) {
    is_configuration(c);
    has(c, {"scheme", "trials", "outcomes", "accuracy_under_faults", "sdc_rate", "overhead"});
    is_proportion(c.at("accuracy_under_faults"));
    is_proportion(c.at("sdc_rate"));
    has(c.at("overhead"), {"area", "energy", "cycles"});
    EXPECT_EQ(c.at("trials"), trials);
    EXPECT_EQ(c.at("sdc_rate").at("n"), trials);
    std::int64_t sum = 0;
    for (const auto& count : c.at("outcomes")) sum += count.get<std::int64_t>();
    EXPECT_EQ(sum, trials);
  }
};

// A batch changes no answer; each weight is fetched once for all of its images. Per image the two
// runs move the same pixels and results, and 1 and 1/10 of the weights.
TEST_F(CliJson, RunInBatches) {
  const Arguments one = {"run", shipped(), "--set", "images=50", "--set", "scheme=none"};
  const auto single = document(one).at("configurations")[0];
  const auto batched = document(one + Arguments{"--set", "batch=10"}).at("configurations")[0];
  EXPECT_EQ(single.at("batch"), 1);
  EXPECT_EQ(batched.at("batch"), 10);
  EXPECT_EQ(batched.at("images"), 50);
  EXPECT_EQ(batched.at("accuracy"), single.at("accuracy"));
  EXPECT_EQ(batched.at("false_alarms").at("images").at("n"), 5);
  EXPECT_LT(batched.at("cycles_per_image").get<double>(), single.at("cycles_per_image"));
  EXPECT_LT(batched.at("energy_blocks_pj").at("dram").get<double>(),
            single.at("energy_blocks_pj").at("dram").get<double>() / 5);
  for (std::size_t l = 0; l < 7; ++l) {
    const auto& layer = batched.at("layers")[l];
    EXPECT_EQ(layer.at("M"), 10 * single.at("layers")[l].at("M").get<int>());
    EXPECT_EQ(layer.at("macs"), 10 * single.at("layers")[l].at("macs").get<int>());
  }
}

TEST_F(CliJson, RunEqualsTheReferenceExecutor) {
  const auto json = document({"run", shipped(), "--set", "images=50"});
  const NetworkFolder folder = open_network(lenet());
  const ImageSet images = folder.load_test(50);
  std::int64_t correct = 0;
  for (int i = 0; i < images.count(); ++i) {
    const auto logits = run_network(folder.network, images.image(i)).back().output;
    correct += top1(logits) == images.labels[static_cast<std::size_t>(i)] ? 1 : 0;
  }
  const Program program = compile(folder.network, {16, 16}, {}, {}, "");
  Machine machine(program);
  const auto image = images.image(0);
  machine.reset(image.data());
  while (!machine.done()) machine.step();

  ASSERT_EQ(json.at("configurations").size(), 4U);
  for (const auto& c : json.at("configurations")) {
    is_configuration(c);
    EXPECT_EQ(c.at("images"), 50);
    EXPECT_EQ(c.at("accuracy").at("n"), 50);
    if (c.at("name") == "16x16 os none" || c.at("name") == "16x16 os tmr-pe") {
      EXPECT_EQ(c.at("accuracy").at("count"), correct) << c.at("name");
      EXPECT_EQ(c.at("cycles_per_image"), machine.cycle()) << c.at("name");
    }
  }
  EXPECT_EQ(json.at("configurations").at(0).at("name"), "16x16 os none");
}

// On the machine, of the first images as many are right as of ONNX Runtime's answers.
TEST_F(CliJson, ShippedNetworksAnswerAsOnnxRuntimeDoes) {
  constexpr int kImages = 60;
  int wrong = 0;
  for (const std::string name : {"lenet5-mnist", "mlp-mnist", "resnet8-fashion"}) {
    const std::string folder = SAGITTA_SOURCE_DIR "/models/" + name;
    const std::string classes =
        SAGITTA_SOURCE_DIR "/tests/onnxruntime/golden/" + name + "/classes.npy";
    const auto theirs = read_npy(classes).as_int32(classes);
    const auto labels = open_network(folder).load_test(kImages).labels;
    int right = 0;
    for (std::size_t i = 0; i < kImages; ++i) right += theirs.at(i) == labels.at(i) ? 1 : 0;
    nlohmann::json experiment = small();
    experiment["network"] = folder;
    experiment["images"] = kImages;
    write_json("experiment.json", experiment);
    const auto c = document({"run", "experiment.json"})["configurations"][0];
    EXPECT_EQ(c["accuracy"]["count"], right) << name;
    wrong += kImages - right;
  }
  EXPECT_GT(wrong, 0) << "agreement must not be that of the labels";
}

// The perceptron on 16 x 16, input stationary: a bank of weights with the first layer at once has
// ceil(784 / 16) folds of 256 channels, which is 12,544 rows, and is most of the machine.
TEST_F(CliJson, SizesOfMemoriesAndWhoChoseThem) {
  nlohmann::json experiment = small();
  experiment["network"] = SAGITTA_SOURCE_DIR "/models/mlp-mnist";
  experiment["scheme"] = {"none", "tmr-pe"};
  experiment["array"]["dataflow"] = "is";
  write_json("experiment.json", experiment);
  auto memory = document({"run", "experiment.json"})["configurations"][0]["memory"];
  const double area = memory["weight_rows"]["area_um2"];
  EXPECT_GT(area, 2 * 16384 * 16 * 8 * 0.379562) << "two banks of SRAM";
  EXPECT_LT(area, 2 * 16384 * 16 * 8 * 0.379562 + 2000) << "and a choice between them";
  for (auto& each : memory) each.erase("area_um2");
  EXPECT_EQ(memory, (nlohmann::json{{"activation_bytes", {{"size", 1024}, {"default", true}}},
                                    {"weight_rows", {{"size", 16384}, {"default", true}}},
                                    {"partial_rows", {{"size", 256}, {"default", true}}}}));
  const std::string note =
      "16x16 is none: the memory with weight_rows = 16384, the default, takes 77 % of the area, "
      "more than the array; memory.weight_rows sets it\n";
  const std::string printed = done({"run", "experiment.json", "-q"});
  EXPECT_TRUE(printed.ends_with(note)) << printed;
  EXPECT_EQ(printed.find("is tmr-pe:"), std::string::npos) << "the same memories once more";

  const Arguments asked = {"run", "experiment.json", "-q", "--set", "memory.weight_rows=16384"};
  EXPECT_EQ(done(asked).find("of the area"), std::string::npos);
  memory = document(asked)["configurations"][0]["memory"];
  EXPECT_EQ(memory["weight_rows"]["size"], 16384);
  EXPECT_EQ(memory["weight_rows"]["default"], false);
}

TEST_F(CliJson, ATimedWorkloadNamesItsMemoriesToo) {
  const std::string shipped = SAGITTA_SOURCE_DIR "/configs/resnet50.json";
  const Arguments timed = {"run", shipped, "-q", "--set", "array.dataflow=is"};
  const auto memory = document(timed)["configurations"][0]["memory"];
  // A 3 x 3 convolution of 512 by 512 channels: ceil(4608 / 128) folds of them, 18,432 rows.
  EXPECT_EQ(memory["weight_rows"]["size"], 32768);
  EXPECT_NE(done(timed).find("is none: the memory with weight_rows = 32768, the default, takes"),
            std::string::npos);
}

// Shapes by hand: 5x5 windows with padding 2 and without, then 400-120-84-10.
TEST_F(CliJson, LayersOfLeNet) {
  const auto json = document({"run", "experiment.json"});
  const std::vector<std::vector<int>> gemms = {
      {784, 25, 6}, {100, 150, 16}, {1, 400, 120}, {1, 120, 84}, {1, 84, 10}};
  std::size_t next = 0;
  std::int64_t macs = 0;
  std::int64_t cycles = 0;
  const auto& c = json.at("configurations").at(0);
  for (const auto& layer : c.at("layers")) {
    macs += layer.at("macs").get<std::int64_t>();
    cycles += layer.at("cycles").get<std::int64_t>();
    if (layer.at("operation") != "gemm") continue;
    ASSERT_LT(next, gemms.size());
    const auto& shape = gemms[next++];
    EXPECT_EQ(layer.at("M"), shape[0]) << layer.dump();
    EXPECT_EQ(layer.at("K"), shape[1]) << layer.dump();
    EXPECT_EQ(layer.at("N"), shape[2]) << layer.dump();
    EXPECT_EQ(layer.at("macs"), shape[0] * shape[1] * shape[2]);
    EXPECT_NEAR(layer.at("utilization").get<double>(),
                layer.at("macs").get<double>() / (layer.at("cycles").get<double>() * 256), 1e-12);
  }
  EXPECT_EQ(next, gemms.size());
  EXPECT_EQ(macs, 416520);
  EXPECT_LT(cycles, c.at("cycles_per_image"));
}

// Stepping the cores without the kernel gives the same figures.
TEST_F(CliJson, RunAndInjectAgreeOnWhatIsFaultFree) {
  const Arguments options{"experiment.json", "--set", R"(scheme=["none","tmr-pe"])"};
  const auto clean = document(Arguments{"run"} + options).at("configurations");
  const auto faulty = document(Arguments{"inject"} + options).at("configurations");
  ASSERT_EQ(clean.size(), 2U);
  ASSERT_EQ(faulty.size(), 2U);
  for (std::size_t i = 0; i < clean.size(); ++i) {
    is_fault_configuration(faulty[i], 8);
    for (const auto& [key, value] : clean[i].items()) EXPECT_EQ(faulty[i].at(key), value) << key;
  }
}

TEST_F(CliJson, Sweep) {
  const auto json = document({"sweep", "experiment.json", "--set", "fault.upsets=[1,2]", "--set",
                              R"(scheme=["none","tmr-pe"])"});
  ASSERT_EQ(json.at("configurations").size(), 4U);
  for (const auto& c : json.at("configurations")) is_fault_configuration(c, 8);
  EXPECT_EQ(json.at("configurations")[0].at("overhead"),
            (nlohmann::json{{"area", 0.0}, {"energy", 0.0}, {"cycles", 0.0}}));
  EXPECT_GT(json.at("configurations")[2].at("overhead").at("area"), 0.5);
}

TEST_F(CliJson, Compare) {
  const auto json = document({"compare", "experiment.json", "--set", R"(scheme=["none","tmr-pe"])",
                              "--set", "fault.upsets=[1,256]"});
  ASSERT_EQ(json.at("pairs").size(), 2U);  // the same plan only
  for (const auto& pair : json.at("pairs")) {
    EXPECT_EQ(pair.at("first"), "16x16 os none");
    EXPECT_EQ(pair.at("second"), "16x16 os tmr-pe");
    EXPECT_EQ(pair.at("trials"), 8);
    const double p = pair.at("mcnemar_p").get<double>();
    EXPECT_GT(p, 0);
    EXPECT_LE(p, 1);
    EXPECT_DOUBLE_EQ(pair.at("accuracy_difference").get<double>(),
                     (pair.at("only_second_correct").get<double>() -
                      pair.at("only_first_correct").get<double>()) /
                         8);
  }
  for (const auto& c : json.at("configurations")) {
    is_fault_configuration(c, 8);
    EXPECT_EQ(c.at("fault").at("population"), "common");
  }
}

TEST_F(CliJson, Sites) {
  const auto json =
      document({"sites", "experiment.json", "--set", "array.rows=2", "--set", "array.cols=2"});
  std::int64_t sum = 0;
  for (const auto& block : json.at("blocks")) {
    has(block, {"path", "elements", "bits", "storage"});
    EXPECT_EQ(block.at("bits").get<std::int64_t>(),
              block.at("elements").get<std::int64_t>() * block.at("width").get<std::int64_t>());
    sum += block.at("bits").get<std::int64_t>();
    if (block.at("path") == "array.pe[][].acc") {
      EXPECT_EQ(block.at("elements"), 4);
    }
  }
  EXPECT_EQ(json.at("total_bits"), sum);
  EXPECT_EQ(json.at("configurations").size(), 1U);
}

TEST_F(CliJson, Check) {
  const auto json = document({"check", "experiment.json"});
  EXPECT_EQ(json.at("experiment").at("images"), 4);
  EXPECT_EQ(json.at("machines").size(), 1U);

  // Machines that differ in the dataflow or in overlap alone are told apart by name.
  const Arguments four = {"check", "experiment.json",
                          "--set", "array.dataflow=[\"os\", \"is\"]",
                          "--set", "array.overlap=[false, true]"};
  std::set<std::string> names;
  const nlohmann::json told = document(four);
  for (const auto& machine : told.at("machines")) names.insert(machine.at("name"));
  EXPECT_EQ(names.size(), 4U);
  const std::string printed = done(four);
  for (const std::string& name : names) {
    EXPECT_NE(printed.find("  " + name + ": "), std::string::npos) << name << " in " << printed;
  }
}

TEST_F(CliJson, CalibratePrintsTheFileThatItWrites) {
  const auto json =
      document({"calibrate", "experiment.json", "--set", "scheme=gradient", "-o", "t.json"});
  EXPECT_EQ(json, nlohmann::json::parse(contents(path("t.json"))));
  has(json, {"format", "network", "data", "fits", "digest"});
  EXPECT_EQ(json.at("data").at("images"), 5);
}

// results.json is what --json prints, and the CSV has a row for each configuration.
TEST_F(CliJson, OutputFolder) {
  for (const std::string command : {"run", "inject", "sweep", "compare"}) {
    const std::string folder = "out/" + command;
    const Arguments options{"experiment.json", "--set", R"(scheme=["none","range-zero"])"};
    const auto json = document(Arguments{command} + options + Arguments{"-o", folder});
    EXPECT_EQ(json, nlohmann::json::parse(contents(path(folder + "/results.json"))));
    const std::string csv = contents(path(folder + "/results.csv"));
    EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 3) << csv;
    EXPECT_EQ(csv.rfind("name,array.rows,array.cols,", 0), 0U) << csv;
    // The resolved experiment gives the same again.
    auto again = document({command, folder + "/experiment.json"});
    again["experiment"] = json.at("experiment");
    EXPECT_EQ(again, json);
    for (const auto& [name, text] : everything()) {
      EXPECT_EQ(name.find(".tmp"), std::string::npos) << name;
    }
  }
}

}  // namespace
}  // namespace sagitta::test
