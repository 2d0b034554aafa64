// Threshold files that were changed, or that belong to something else.
#include <cstdint>

#include "base/digest.h"
#include "cli/command_line.h"

namespace sagitta::test {
namespace {

class CliThresholds : public CommandLine {
 protected:
  CliThresholds() {
    experiment_["scheme"] = "range-zero";
    write_json("experiment.json", experiment_);
    done({"calibrate", "experiment.json", "-o", "t.json"});
    experiment_["thresholds"] = "t.json";
    write_json("experiment.json", experiment_);
  }
  void bad(const std::string& text, const std::vector<std::string>& parts) const {
    write("t.json", text);
    machines_refuse({}, parts);
  }
  nlohmann::ordered_json file() const {
    return nlohmann::ordered_json::parse(contents(path("t.json")));
  }
  nlohmann::json experiment_ = small();
};

TEST_F(CliThresholds, AreRightBeforeTheyAreChanged) {
  done({"check", "experiment.json"});
}

TEST_F(CliThresholds, NotJson) {
  bad("{", {"t.json: line 1, column 2: this is not JSON"});
}

TEST_F(CliThresholds, OfAnotherForm) {
  bad(R"({"format": "sagitta-results/1"})",
      {"t.json: $.format: ", "sagitta-results/1", "calibrate"});
  bad("{}", {"t.json: "});
  bad("[]", {"t.json: "});
}

TEST_F(CliThresholds, ChangedByHand) {
  auto changed = file();
  changed["fits"][0]["layers"][0]["high"][0] = 5;
  bad(changed.dump(1), {"t.json: $.digest: ", "it was changed", "sagitta calibrate CONFIG -o "});
}

// A digest that fits says only that the file was not changed since somebody made it.
TEST_F(CliThresholds, ContentThatNoCalibrationWrites) {
  const auto original = file();
  const auto refuse = [&](const std::string& pointer, const nlohmann::ordered_json& value,
                          const std::vector<std::string>& parts) {
    auto changed = original;
    changed[nlohmann::ordered_json::json_pointer(pointer)] = value;
    changed.erase("digest");
    changed["digest"] = sha256(changed.dump());
    SCOPED_TRACE(pointer + " " + value.dump());
    bad(changed.dump(1), parts);
  };
  const std::string layer = "/fits/0/layers/0";
  const std::string at = "t.json: $.fits[0]";
  refuse(layer + "/high", nlohmann::ordered_json::array(), {at + ".layers[0]: ", "one length"});
  refuse(layer + "/low", {1, 2}, {at + ".layers[0]: ", "one length"});
  refuse(layer + "/low/0", INT64_C(1) << 40, {at + ".layers[0].low[0]: 1099511627776", "32-bit"});
  refuse(layer + "/low/0", UINT64_MAX, {at + ".layers[0].low[0]: ", "32-bit"});
  refuse(layer + "/low/0", 1.5, {at + ".layers[0].low[0]: 1.5 is not a 32-bit whole number"});
  refuse(layer + "/low/0", INT32_MAX, {at + ".layers[0].low[0]: ", "above the upper bound"});
  refuse(layer + "/name", "conv9", {at + ".layers[0]: is not layer "});
  refuse("/fits/0/layers", nlohmann::ordered_json::array(), {at + ".layers[0]: is not layer "});
  refuse("/fits/0/granularity", "row", {at + ".granularity: \"row\" is not known"});
  refuse("/fits/0/granularity", "channel", {at + ".layers[0].low: has 1 bounds where layer "});
  refuse("/fits/0/dataflow", "rs", {at + ".dataflow: \"rs\" is not known"});
  refuse("/fits/0/checker", "tmr-pe", {at + ".checker: \"tmr-pe\" is not known"});
  refuse("/fits/0/bounds", "best", {at + ".bounds: \"best\" is not known"});
  refuse("/fits/0/fitted_layers", "some", {at + ".fitted_layers: \"some\" is not known"});
  auto longer = original["fits"][0]["layers"];
  longer.push_back(longer[0]);
  refuse("/fits/0/layers", longer, {at + ".layers[", "has no such layer"});
}

// Bounds of real numbers are numbers, or null where they are open.
TEST_F(CliThresholds, BoundsOfRealNumbers) {
  experiment_["fault"] = {{"level", "neuron"}, {"values", "fp32"}, {"rate", 0.01}, {"trials", 3}};
  experiment_.erase("thresholds");
  write_json("experiment.json", experiment_);
  const std::string text = done({"calibrate", "experiment.json", "-o", "t.json"});
  EXPECT_NE(text.find("extremes, fp32)"), std::string::npos) << text;
  experiment_["thresholds"] = "t.json";
  write_json("experiment.json", experiment_);
  done({"check", "experiment.json"});
  const auto original = file();
  EXPECT_EQ(original.at("fits")[0].at("values"), "fp32");
  const auto change = [&](const std::string& pointer, const nlohmann::ordered_json& value) {
    auto changed = original;
    changed[nlohmann::ordered_json::json_pointer(pointer)] = value;
    changed.erase("digest");
    changed["digest"] = sha256(changed.dump());
    return changed.dump(1);
  };
  const std::string low = "/fits/0/layers/0/low/0";
  const std::string at = "t.json: $.fits[0]";
  bad(change(low, "x"), {at + ".layers[0].low[0]: \"x\" is not a float32 number"});
  bad(change(low, 1e39), {at + ".layers[0].low[0]: 1e+39 is not a float32 number"});
  bad(change(low, 1e30), {at + ".layers[0].low[0]: ", "above the upper bound"});
  bad(change("/fits/0/values", "fp64"), {at + ".values: \"fp64\" is not known"});
  bad(change("/fits/0/layers/0/low", nlohmann::ordered_json::array()), {"one length"});
  write("t.json", change(low, nullptr));
  done({"check", "experiment.json"});
  // Those of the machine are others.
  write("t.json", original.dump(1));
  machines_refuse({"--set", "fault.values=int32"}, {"t.json: $.fits: holds no fit for range"});
}

// An order of channels has to be one.
TEST_F(CliThresholds, OrdersThatAreNone) {
  experiment_["scheme"] = {{"kind", "gradient"}, {"order", "near"}};
  experiment_.erase("thresholds");
  write_json("experiment.json", experiment_);
  done({"calibrate", "experiment.json", "-o", "t.json"});
  experiment_["thresholds"] = "t.json";
  write_json("experiment.json", experiment_);
  done({"check", "experiment.json"});
  const auto original = file();
  const auto refuse = [&](const nlohmann::ordered_json& groups,
                          const std::vector<std::string>& parts) {
    auto changed = original;
    changed["orders"][0]["groups"] = groups;
    changed.erase("digest");
    changed["digest"] = sha256(changed.dump());
    bad(changed.dump(1), parts);
  };
  auto groups = original["orders"][0]["groups"];
  groups.erase(0);
  refuse(groups, {"t.json: $.orders[0].groups: has "});
  groups = original["orders"][0]["groups"];
  groups[0][0] = groups[0][1];
  refuse(groups, {"t.json: $.orders[0].groups[0]: is no order of "});
  groups[0] = {0};
  refuse(groups, {"t.json: $.orders[0].groups[0]: is no order of "});
  refuse({{"x"}}, {"t.json: is not a threshold file: "});
  write("t.json", original.dump(1));
  machines_refuse({"--set", "array.cols=8"},
                  {"t.json: $.orders: holds no order of channels for 8"});
}

TEST_F(CliThresholds, WithoutAFitForTheScheme) {
  const std::string start = "t.json: $.fits: holds no fit for ";
  machines_refuse({"--set", "array.cols=8"}, {start, "8 columns", "sagitta calibrate"});
  machines_refuse({"--set", "scheme=gradient"}, {start, "gradient"});
  machines_refuse({"--set", R"(scheme={"kind":"range-zero","granularity":"channel"})"},
                  {start, "channel"});
}

TEST_F(CliThresholds, OfAnotherNetwork) {
  // The same model with a comment is another file.
  write("net/model.onnx", contents(lenet() + "/model.onnx") + "\x32\x01x");
  auto description = nlohmann::json::parse(contents(lenet() + "/network.json"));
  description["model"] = "model.onnx";
  description.erase("$schema");
  for (const char* set : {"test", "calibration"}) {
    for (auto& file : description[set]) file = lenet() + "/" + file.get<std::string>();
  }
  write_json("net/network.json", description);
  experiment_["network"] = "net";
  write_json("experiment.json", experiment_);
  machines_refuse({}, {"t.json: $.network.digest: fitted to network lenet5-mnist"});

  description["model"] = lenet() + "/model.onnx";
  description["calibration"] = description["test"];
  write_json("net/network.json", description);
  machines_refuse({}, {"t.json: $.data.digest: fitted on other calibration images"});
}

}  // namespace
}  // namespace sagitta::test
