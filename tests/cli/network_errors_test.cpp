// What can be wrong with a network folder, told alike by every command.
#include "cli/command_line.h"
#include "network/npy.h"

namespace sagitta::test {
namespace {

class CliNetwork : public CommandLine {
 protected:
  CliNetwork() {
    nlohmann::json experiment = small();
    experiment["network"] = "net";
    experiment["images"] = 2;
    experiment["scheme"] = "range-zero";  // calibration images are read as well
    write_json("experiment.json", experiment);
  }
  // LeNet-5's description, with whole paths.
  static nlohmann::json description() {
    const auto set = [](const std::string& name) -> nlohmann::json {
      const std::string folder = lenet() + "/" + name;
      return {{"images", folder + "/images.npy"}, {"labels", folder + "/labels.npy"}};
    };
    return {{"name", "net"},
            {"model", lenet() + "/model.onnx"},
            {"preprocessing", {{"scale", 1.0 / 255}}},
            {"test", set("test")},
            {"calibration", set("calibration")}};
  }
  static std::string model(const std::string& name) {
    return SAGITTA_SOURCE_DIR "/tests/onnxruntime/models/" + name;
  }
  // Every command refuses the description with one place changed.
  void bad(const std::string& pointer, const nlohmann::json& value,
           const std::vector<std::string>& parts) const {
    nlohmann::json changed = description();
    changed[nlohmann::json::json_pointer(pointer)] = value;
    write_json("net/network.json", changed);
    all_refuse({}, parts);
  }
  // Images and labels of the test set, which calibrate does not read.
  void bad_test_set(const std::string& key, const std::string& file,
                    const std::vector<std::string>& parts) const {
    nlohmann::json changed = description();
    changed["test"][key] = file;
    write_json("net/network.json", changed);
    machines_refuse({}, parts);
  }
};

TEST_F(CliNetwork, IsRightBeforeItIsChanged) {
  write_json("net/network.json", description());
  done({"run", "experiment.json", "-q"});
}

TEST_F(CliNetwork, FolderWithoutDescription) {
  std::filesystem::create_directory(path("net"));
  all_refuse({}, {"experiment.json: $.network: there is no file", "net/network.json"});
}

TEST_F(CliNetwork, DescriptionIsNotJson) {
  write("net/network.json", "{");
  all_refuse({}, {"net/network.json: byte 2: this is not JSON"});
}

TEST_F(CliNetwork, DescriptionIsNotAnObject) {
  write("net/network.json", "[]");
  all_refuse({}, {"net/network.json: /: this must be an object"});
}

TEST_F(CliNetwork, UnknownKey) {
  bad("/modle", "x", {"net/network.json: /modle: ", "did you mean \"model\"?"});
  bad("/weights", "x",
      {"/weights: this key is unknown", "remedy: the keys are \"$schema\", \"name\""});
}

TEST_F(CliNetwork, MissingKey) {
  for (const std::string key : {"name", "model", "test"}) {
    nlohmann::json changed = description();
    changed.erase(key);
    write_json("net/network.json", changed);
    all_refuse({}, {"net/network.json: /" + key + ": this key is missing"});
  }
}

TEST_F(CliNetwork, WrongType) {
  bad("/name", 5, {"net/network.json: /name: ", "string"});
  bad("/preprocessing/mean", "0", {"net/network.json: /preprocessing/mean: ", "list"});
}

TEST_F(CliNetwork, Preprocessing) {
  bad("/preprocessing/scale", 0, {"net/network.json: /preprocessing/scale: the scale is 0"});
  bad("/preprocessing/mean", {0, 0, 0}, {"/preprocessing/mean: there are 3 entries", "1 channels"});
}

TEST_F(CliNetwork, Classes) {
  bad("/classes", {"a", "b"}, {"net/network.json: /classes: there are 2 names", "10 outputs"});
}

TEST_F(CliNetwork, MissingModel) {
  bad("/model", "m.onnx", {"net/m.onnx: there is no such file"});
}

TEST_F(CliNetwork, CorruptModel) {
  const std::string onnx = contents(lenet() + "/model.onnx");
  write("net/cut.onnx", onnx.substr(0, onnx.size() / 2));
  bad("/model", "cut.onnx", {"net/cut.onnx: "});
  write("net/text.onnx", "this is no model");
  bad("/model", "text.onnx", {"net/text.onnx: "});
  write("net/empty.onnx", std::string());
  bad("/model", "empty.onnx", {"net/empty.onnx: "});
}

TEST_F(CliNetwork, FloatModel) {
  bad("/model", lenet() + "/model-fp32.onnx", {"model-fp32.onnx: "});
}

TEST_F(CliNetwork, UnsupportedOperator) {
  bad("/model", model("unsupported.onnx"),
      {"unsupported.onnx: ", "Softplus", "act7", "Einsum", "mix8"});
}

TEST_F(CliNetwork, WeightZeroPoint) {
  bad("/model", model("weight_zero_point.onnx"), {"weight_zero_point.onnx: ", "zero point"});
}

TEST_F(CliNetwork, NoCalibrationImages) {
  nlohmann::json changed = description();
  changed.erase("calibration");
  write_json("net/network.json", changed);
  all_refuse({}, {"net/network.json: /calibration: the network has no calibration images"});
}

TEST_F(CliNetwork, MissingImages) {
  bad_test_set("images", "i.npy", {"net/i.npy: there is no such file"});
  bad_test_set("labels", "l.npy", {"net/l.npy: there is no such file"});
  bad("/calibration/images", "c.npy", {"net/c.npy: there is no such file"});
}

TEST_F(CliNetwork, ImagesThatAreNotNumPy) {
  write("net/i.npy", "pixels");
  bad_test_set("images", "i.npy", {"net/i.npy: "});
}

TEST_F(CliNetwork, ImagesOfAnotherShape) {
  write_json("net/network.json", description());  // makes the folder
  write_npy(path("net/i.npy"), {2, 3, 3}, std::vector<std::uint8_t>(18));
  bad_test_set("images", "i.npy",
               {"net/i.npy: shape: the images are [ 2 3 3 ]", "[count, 1, 28, 28]"});
}

TEST_F(CliNetwork, ImagesOfAnotherType) {
  write_json("net/network.json", description());
  write_npy(path("net/i.npy"), {1, 28, 28}, std::vector<std::int8_t>(784));
  bad_test_set("images", "i.npy", {"net/i.npy: pixels are neither uint8 nor float32"});
}

TEST_F(CliNetwork, LabelsThatDoNotFitTheImages) {
  write_json("net/network.json", description());
  write_npy(path("net/l.npy"), {2}, std::vector<std::uint8_t>{1, 2});
  bad_test_set("labels", "l.npy", {"net/l.npy: shape: there are 2 labels for 1000 images"});
}

TEST_F(CliNetwork, LabelThatIsNoClass) {
  write_json("net/network.json", description());
  std::vector<std::uint8_t> labels(1000);
  labels[1] = 10;
  write_npy(path("net/l.npy"), {1000}, labels);
  bad_test_set("labels", "l.npy", {"net/l.npy: element 1: label 10 is not one of", "10 classes"});
}

}  // namespace
}  // namespace sagitta::test
