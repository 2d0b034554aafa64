// What can be wrong with an experiment, told alike by every command that reads one. The loader's
// own tests (tests/unit) hold every message to its words; these hold the commands to the loader.
#include "cli/command_line.h"

namespace sagitta::test {
namespace {

class CliExperiment : public CommandLine {
 protected:
  // Changes one place of the small experiment.
  void with(const std::string& pointer, const nlohmann::json& value) const {
    nlohmann::json experiment = small();
    experiment[nlohmann::json::json_pointer(pointer)] = value;
    write_json("experiment.json", experiment);
  }
  void bad(const std::string& pointer, const nlohmann::json& value, const std::string& where,
           std::vector<std::string> parts) const {
    with(pointer, value);
    parts.push_back("experiment.json: " + where + ": ");
    all_refuse({}, parts);
  }
};

TEST_F(CliExperiment, Missing) {
  all_refuse({}, {"experiment.json: there is no such file"});
}

TEST_F(CliExperiment, IsAFolder) {
  std::filesystem::create_directory(path("experiment.json"));
  all_refuse({}, {"experiment.json: ", "cannot be read"});
}

TEST_F(CliExperiment, NotJson) {
  write("experiment.json", "{\n \"network\": \"net\"\n \"images\": 3}");
  all_refuse({}, {"experiment.json: line 3, column 9: this is not JSON", "commas"});
  write("experiment.json", "");
  all_refuse({}, {"experiment.json: line 1, column 1: this is not JSON"});
}

TEST_F(CliExperiment, KeyTwice) {
  write("experiment.json", R"({"network": "a", "network": "b"})");
  all_refuse({}, {"experiment.json: line 1, column 18: ", "\"network\" stands twice"});
}

TEST_F(CliExperiment, UnknownKey) {
  bad("/aray", {{"rows", 3}}, "$.aray", {"unknown", "did you mean \"array\"?"});
  bad("/array/row", 3, "$.array.row", {"did you mean \"rows\"?"});
}

TEST_F(CliExperiment, MissingKey) {
  write("experiment.json", R"({"images": 3})");
  all_refuse({}, {"experiment.json: $.network: this key is missing"});
}

TEST_F(CliExperiment, WrongType) {
  bad("/array/rows", "16", "$.array.rows", {"\"16\" is a string", "whole number"});
  bad("/images", 2.5, "$.images", {"2.5", "whole number or null"});
}

TEST_F(CliExperiment, ValueOutOfRange) {
  bad("/array/rows", 257, "$.array.rows", {"257 is above the maximum 256", "from 1 to 256"});
  bad("/fault/upsets", 0, "$.fault.upsets", {"0 is below the minimum 1"});
  bad("/clock_mhz", -5, "$.clock_mhz", {"-5 is not above 0"});
}

TEST_F(CliExperiment, UnknownName) {
  bad("/scheme", "tmr", "$.scheme", {"\"tmr\" is not known", "did you mean \"tmr-pe\"?"});
  bad("/array/dataflow", "rs", "$.array.dataflow",
      {"\"rs\" is not known", "remedy: write \"os\", \"ws\" or \"is\"\n"});
  bad("/fault/model", "stuck", "$.fault.model", {"\"stuck\" is not known", "\"stuck-at-0\""});
}

// Names of layers are those of the network's convolutions and dense layers.
TEST_F(CliExperiment, DataflowOfALayerThatHasNone) {
  const auto layers = [](const char* name) { return nlohmann::json{{"layers", {{name, "ws"}}}}; };
  bad("/array/dataflow", layers("conv11"), "$.array.dataflow.layers.conv11",
      {"network lenet5-mnist has no layer \"conv11\"", "did you mean \"conv1\"?"});
  bad("/array/dataflow", layers("pool1"), "$.array.dataflow.layers.pool1",
      {"\"pool1\" is a layer of kind max_pool", "no dataflow",
       "remedy: the convolutions and dense layers are \"conv1\", \"conv2\", \"fc1\", \"fc2\", "
       "\"fc3\"\n"});
  bad("/array/dataflow", nlohmann::json{"os", layers("fc9")}, "$.array.dataflow[1].layers.fc9",
      {"has no layer \"fc9\"", "did you mean \"fc1\"?"});
}

TEST_F(CliExperiment, SchemesThatCannotBeToldApart) {
  bad("/scheme", {"none", {{"kind", "none"}}}, "$.scheme", {"none is listed twice"});
}

TEST_F(CliExperiment, IncludedFile) {
  write("array.json", R"({"rows": 0})");
  with("/array", "array.json");
  all_refuse({}, {"array.json: $.rows: 0 is below the minimum 1"});
  bad("/array", "absent.json", "$.array", {"there is no file", "absent.json"});
}

// What only the network can tell is wrong where it stands, in a file or an override.
TEST_F(CliExperiment, LayerOfAnIncludedArray) {
  write("wide.json", R"({"rows": 4, "dataflow": {"layers": {"conv11": "ws"}}})");
  const std::vector<std::string> parts = {"/wide.json: $.dataflow.layers.conv11: ",
                                          "did you mean \"conv1\"?"};
  with("/array", "wide.json");
  all_refuse({}, parts);
  with("/array", {{{"rows", 8}}, "wide.json"});
  all_refuse({}, parts);
  write_json("experiment.json", small());
  all_refuse({"--set", "array=wide.json"}, parts);
  with("/array", {{{"rows", 8}}, {{"rows", 4}}});
  all_refuse({"--set", R"(array.dataflow={"layers": {"fc9": "is"}})"},
             {R"(--set array.dataflow={"layers": {"fc9": "is"}}: $.array[0].dataflow.layers.fc9: )",
              "did you mean \"fc1\"?"});
}

// The network knows which layers there are: a mixture of one dataflow for all of them is no other
// machine than that of the dataflow, under any name.
TEST_F(CliExperiment, MixtureOfOneDataflow) {
  nlohmann::json all;
  for (const char* layer : {"conv1", "conv2", "fc1", "fc2", "fc3"}) all["layers"][layer] = "ws";
  bad("/array/dataflow", nlohmann::json{"ws", all}, "$.array",
      {"16x16 ws is listed twice", "no other in network lenet5-mnist"});
  auto others = all;
  others["layers"]["conv1"] = "is";
  bad("/array/dataflow", nlohmann::json{{{"default", "ws"}, {"layers", {{"conv1", "is"}}}}, others},
      "$.array", {"16x16 ws conv1=is is listed twice"});
  with("/array/dataflow", all);
  const auto machine = document({"run", "experiment.json"}).at("configurations").at(0);
  EXPECT_EQ(machine.at("name"), "16x16 ws none");
  EXPECT_EQ(machine.at("array").at("dataflow"), "ws");
  with("/array/dataflow", others);
  const auto mixture = document({"run", "experiment.json"}).at("configurations").at(0);
  EXPECT_EQ(mixture.at("name"), "16x16 ws conv1=is none");
}

TEST_F(CliExperiment, Override) {
  with("/images", 2);
  all_refuse({"--set", "array.rows=0"}, {"--set array.rows=0: $.array.rows: 0 is below"});
  all_refuse({"--set", "array.rowz=2"}, {"$.array.rowz: ", "\"rows\""});
  all_refuse({"--set", "array.rows"}, {"--set array.rows: there is no =", "--set array.rows=32"});
  all_refuse({"--set", "fault.upsets=[1,"}, {"--set fault.upsets=[1,: line 1", "not JSON"});
  all_refuse({"--set", "scheme.k_dense=2"}, {"$.scheme: \"none\" has no keys"});
}

TEST_F(CliExperiment, FileThatItNames) {
  bad("/network", "nowhere", "$.network", {"there is no file", "nowhere", "network folder"});
  bad("/technology", "t.json", "$.technology", {"there is no file", "t.json"});
  bad("/fault/list", "faults.json", "$.fault.list", {"there is no file", "faults.json"});
}

TEST_F(CliExperiment, MissingThresholdFile) {
  with("/thresholds", "t.json");
  machines_refuse({}, {"experiment.json: $.thresholds: there is no file", "sagitta calibrate"});
  // ... which the remedy makes.
  done({"calibrate", "experiment.json", "--set", "scheme=range-zero", "-o", "t.json"});
  done({"check", "experiment.json", "--set", "scheme=range-zero"});
}

// What only the loaded network or machine can tell still blames the one who gave the value.
TEST_F(CliExperiment, ErrorsAfterLoadingNameTheOverride) {
  write_json("experiment.json", small());
  machines_refuse({"--set", "images=1001"}, {"--set images=1001: $.images: 1001 is more than"});
  refuses({"check", "experiment.json", "--set", "fault.sites=nothing"},
          {"--set fault.sites=nothing: $.fault.sites: "});
  refuses({"check", "experiment.json", "--set", "memory.weight_rows=1"},
          {"--set memory.weight_rows=1: $.memory.weight_rows: "});
  refuses({"check", "experiment.json", "--set", "memory={\"weight_rows\": 1}"},
          {"--set memory={\"weight_rows\": 1}: $.memory.weight_rows: "});
}

// No error, but what checking is for where the experiment does not say it.
TEST_F(CliExperiment, CheckTellsHowManyTrialsASampleHas) {
  const auto told = [&](const nlohmann::json& sample, const std::string& sites) {
    with("/fault", {{"seed", 1}, {"sites", sites}, {"sample", sample}});
    return done({"check", "experiment.json"});
  };
  EXPECT_NE(told({{"error", 0.1}, {"confidence", 0.95}}, "logic").find(": 97 trials of "),
            std::string::npos);
  EXPECT_NE(told({{"error", 0.1}, {"confidence", 0.95}, {"stop", "sequence"}}, "logic")
                .find(": 1000 trials of "),
            std::string::npos);
  const nlohmann::json everything = {{"method", "exhaustive"}};
  const std::string site = "memory.weight.bank[0].row[0].lane[0]:3";
  const std::string text = told(everything, site);
  EXPECT_NE(text.find(": all of "), std::string::npos) << text;
  const auto runs = document({"check", "experiment.json", "--json"}).at("trials").at(0).at("runs");
  EXPECT_NE(text.find(" run as " + runs.dump() + " trials\n"), std::string::npos) << text;
  done({"inject", "experiment.json", "-q", "-o", "out"});
  const std::string rows = done({"export", "out", "--format", "jsonl"});
  EXPECT_EQ(std::count(rows.begin(), rows.end(), '\n'), runs.get<int>());
}

TEST_F(CliExperiment, MoreTrialsThanMemoryHolds) {
  write_json("experiment.json", small());
  std::string seeds = "fault.seed=[1";  // a thousand configurations: tens of terabytes
  for (int seed = 2; seed <= 1000; ++seed) seeds += "," + std::to_string(seed);
  for (const std::string command : {"check", "inject", "sweep"}) {
    refuses({command, "experiment.json", "--set", "fault.trials=1000000000", "--set", seeds + "]"},
            {"--set fault.trials=1000000000: $.fault.trials: ", "MB of disk", "fewer trials"});
  }
}

TEST_F(CliExperiment, MoreImagesThanThereAre) {
  with("/images", 1001);
  machines_refuse(
      {}, {"experiment.json: $.images: 1001 is more than the 1000 test images", "at most 1000"});
}

TEST_F(CliExperiment, ImagesThatAreNoWholeBatches) {
  with("/batch", 3);
  machines_refuse({}, {"experiment.json: $.batch: 4 images are no whole number of batches of 3",
                       "set images to 3", "divisor of 4"});
}

TEST_F(CliExperiment, TrialsOnABatch) {
  with("/batch", 2);
  for (const std::string command : {"inject", "sweep", "compare"}) {
    refuses({command, "experiment.json"},
            {"experiment.json: $.batch: trials strike one image at a time, not a batch of 2",
             "sagitta run"});
  }
  done({"check", "experiment.json"});
  done({"sites", "experiment.json"});
}

// The smallest size that fits is named, and it does fit.
TEST_F(CliExperiment, ActivationMemoryTooSmall) {
  with("/memory", {{"activation_bytes", 4703}});
  machines_refuse({}, {"experiment.json: $.memory.activation_bytes: 4703 does not hold layer ",
                       "at least 4704"});
  with("/memory", {{"activation_bytes", 4704}});
  done({"run", "experiment.json", "-q"});
}

// Nothing is wrong with it, but the machine is not what its words suggest.
TEST_F(CliExperiment, NotesOfCheckersThatLookElsewhere) {
  with("/batch", 1);
  const std::string maps = R"(scheme={"kind": "gradient-tuned", "axis": "map"})";
  const auto notes = [&](const Arguments& more) {
    const auto j = nlohmann::json::parse(
        done(Arguments{"check", "experiment.json", "--json", "--set", maps} + more));
    return j.at("machines").at(0).at("notes").dump();
  };
  EXPECT_EQ(notes({}), "[]");
  EXPECT_NE(notes({"--set", "array.dataflow=is"}).find("not along lines or in maps"),
            std::string::npos);
  EXPECT_EQ(notes({"--set", "array.dataflow=ws"}), "[]");
}

// Bounds of each neuron: where they cannot be, and why.
TEST_F(CliExperiment, BoundsANeuronHaveTheirLimits) {
  with("/batch", 1);
  const auto scheme = [](const std::string& options) {
    return "scheme={\"kind\": \"range-zero\", \"granularity\": \"neuron\"" + options + "}";
  };
  refuses(
      {"check", "experiment.json", "--set", scheme(""), "--set", "array.dataflow=is"},
      {"has bounds a neuron", "input-stationary", "take another dataflow, or bounds a channel"});
  refuses({"check", "experiment.json", "--set", scheme(R"(, "with": ["checksum-recompute"])")},
          {"runs tiles again", "take bounds a channel, or use 0 retries"});
  refuses({"check", "experiment.json", "--set", scheme(R"(, "with": ["parity"])")},
          {"a memory without check bits", "take bounds a channel"});
  refuses({"check", "experiment.json", "--set",
           R"(scheme={"kind": "gradient", "granularity": "neuron", "axis": "line"})"},
          {"$.scheme.granularity: a checker along lines or in maps has no bounds a neuron",
           "choose \"layer\" or \"channel\""});
  done({"check", "experiment.json", "--set", scheme(R"(, "with": ["tmr-pe"])")});
}

// Bank and word are bits of an address.
TEST_F(CliExperiment, BanksAndTheirWordsArePowersOfTwo) {
  with("/memory", {{"activation_banks", 12}});
  machines_refuse({}, {"experiment.json: $.memory.activation_banks: 12 is not a power of two",
                       "use one of 1, 2, 4, 8, 16, 32, 64, 128 and 256, or 0"});
  with("/memory", {{"activation_banks", 8}, {"activation_port_bytes", 3}});
  machines_refuse({}, {"experiment.json: $.memory.activation_port_bytes: 3 is not a power of two",
                       "use one of 1, 2, 4, 8, 16, 32, 64, 128 and 256, or 0"});
  refuses({"check", "experiment.json", "--set", "memory.activation_port_bytes=512"},
          {"$.memory.activation_port_bytes: 512 is above the maximum 256", "from 0 to 256"});
  with("/memory", {{"activation_banks", 8}, {"activation_port_bytes", 4}});
  const std::string checked = done({"check", "experiment.json"});
  EXPECT_NE(checked.find(" in 8 banks of 4 bytes a cycle, "), std::string::npos) << checked;
  EXPECT_NE(checked.find("4 images, 1 configuration on 1 machine\n"), std::string::npos) << checked;
  done({"run", "experiment.json", "-q"});
}

TEST_F(CliExperiment, WeightMemoryTooSmall) {
  with("/memory", {{"weight_rows", 399}});
  machines_refuse({}, {"experiment.json: $.memory.weight_rows: 399 does not hold ", "(K = 400)",
                       "at least 400"});
  with("/memory", {{"weight_rows", 400}});
  done({"run", "experiment.json", "-q"});
}

// Input stationary a row holds the weights of one channel for one fold of 16 taps.
TEST_F(CliExperiment, WeightMemoryTooSmallForOneChannel) {
  nlohmann::json experiment = small();
  experiment["array"]["dataflow"] = "is";
  experiment["memory"]["weight_rows"] = 24;
  write_json("experiment.json", experiment);
  machines_refuse({}, {"experiment.json: $.memory.weight_rows: 24 does not hold one channel of ",
                       "(K = 400)", "at least 25"});
  experiment["memory"]["weight_rows"] = 25;
  write_json("experiment.json", experiment);
  done({"run", "experiment.json", "-q"});
}

class CliTechnology : public CommandLine {
 protected:
  void bad(const nlohmann::json& technology, const std::string& where,
           std::vector<std::string> parts) const {
    bad_text(technology.dump(), where, std::move(parts));
  }
  void bad_text(const std::string& text, const std::string& where,
                std::vector<std::string> parts) const {
    write("tech.json", text);
    nlohmann::json experiment = small();
    experiment["technology"] = "tech.json";
    write_json("experiment.json", experiment);
    parts.push_back("tech.json: " + where + ": ");
    machines_refuse({}, parts);
  }
  nlohmann::json shipped_ = nlohmann::json::parse(contents(technology()));
};

TEST_F(CliTechnology, NotJson) {
  bad_text("{", "byte 2", {"this is not JSON"});
}

TEST_F(CliTechnology, KeyTwice) {
  bad_text(R"({"name": "a", "name": "b"})", "name", {"twice"});
}

TEST_F(CliTechnology, MissingNumber) {
  shipped_["area"].erase("sram_bit");
  bad(shipped_, "/area/sram_bit", {"missing"});
}

TEST_F(CliTechnology, UnknownNumber) {
  shipped_["area"]["sram_bits"] = shipped_["area"]["sram_bit"];
  bad(shipped_, "/area/sram_bits", {"unknown", "did you mean \"sram_bit\"?"});
  shipped_["clock"]["speed"] = shipped_["area"]["sram_bit"];
  shipped_["area"].erase("sram_bits");
  bad(shipped_, "/clock/speed", {"unknown", "remedy: the keys are \"default_mhz\"\n"});
}

TEST_F(CliTechnology, BadNumber) {
  shipped_["area"]["sram_bit"]["value"] = -1;
  bad(shipped_, "/area/sram_bit/value", {"not negative"});
}

TEST_F(CliTechnology, WrongUnit) {
  shipped_["energy"]["dram_bit"]["unit"] = "nJ/bit";
  bad(shipped_, "/energy/dram_bit/unit", {"nJ/bit", "pJ/bit"});
}

TEST_F(CliTechnology, NumberWithoutSource) {
  shipped_["energy"]["dram_bit"].erase("source");
  bad(shipped_, "/energy/dram_bit/source", {"missing"});
}

}  // namespace
}  // namespace sagitta::test
