#include "network/dataset.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/digest.h"
#include "base/error.h"
#include "network/npy.h"
#include "support/onnx_samples.h"
#include "support/temporary_folder.h"

namespace sagitta {
namespace {

using test::Sample;

// A folder with the sample network (input 2 x 6 x 6, scale 0.05, zero point -3, 5 classes) and
// three images.
class Dataset : public testing::Test {
 protected:
  static constexpr int kPixels = 72;

  Dataset() {
    folder_.write("model.onnx", Sample({}).bytes());
    std::vector<std::uint8_t> pixels;
    for (int i = 0; i < 3 * kPixels; ++i) pixels.push_back(static_cast<std::uint8_t>(i));
    write_npy(folder_ / "images.npy", {3, 2, 6, 6}, pixels);
    write_npy(folder_ / "labels.npy", {3}, std::vector<std::uint8_t>{4, 0, 2});
  }

  static std::string description(const std::string& more = "") {
    return R"({"name": "sample", "model": "model.onnx",)"
           R"( "test": {"images": "images.npy", "labels": "labels.npy"})" +
           more + "}";
  }

  NetworkFolder open(const std::string& more = "") {
    return open_network(folder_.write("network.json", description(more)));
  }

  void expect_refusal(const std::string& text, const std::vector<std::string>& parts) {
    const std::string file = folder_.write("network.json", text);
    expect_error([&] { open_network(file); }, parts);
  }

  template <typename Action>
  static void expect_error(Action action, const std::vector<std::string>& parts) {
    try {
      action();
      ADD_FAILURE() << "accepted";
    } catch (const InputError& error) {
      const std::string message = error.what();
      EXPECT_NE(message.find("remedy: "), std::string::npos) << message;
      for (const std::string& part : parts) {
        EXPECT_NE(message.find(part), std::string::npos) << "no '" << part << "' in: " << message;
      }
    }
  }

  void write_float_images(const std::vector<float>& values, const std::string& shape) {
    std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ", }";
    std::string bytes("\x93NUMPY\x01\x00", 8);
    bytes += static_cast<char>(header.size());
    bytes += '\0';
    bytes += header;
    bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    folder_.write("images.npy", bytes);
  }

  test::TemporaryFolder folder_;
};

TEST_F(Dataset, OpensAFolderOrItsDescription) {
  const NetworkFolder by_file = open();
  const NetworkFolder by_folder = open_network(folder_ / "");
  EXPECT_EQ(by_file.network.name, "sample");
  EXPECT_EQ(by_folder.network.name, "sample");
  EXPECT_EQ(by_folder.description_file, by_file.description_file);
  EXPECT_EQ(by_file.test.images, folder_ / "images.npy");
  EXPECT_EQ(by_file.data_digest,
            sha256(sha256_file(folder_ / "images.npy") + sha256_file(folder_ / "labels.npy")));
  EXPECT_TRUE(by_file.class_names.empty());
}

TEST_F(Dataset, QuantisesLikeOnnx) {
  const NetworkFolder folder =
      open(R"(, "preprocessing": {"scale": 0.02, "mean": [0.5, -0.25], "std": [0.7, 1.0]})");
  const ImageSet set = folder.load_test();
  ASSERT_EQ(set.count(), 3);
  EXPECT_EQ(set.shape, (FeatureShape{6, 6, 2}));
  EXPECT_EQ(set.labels, (std::vector<int>{4, 0, 2}));
  for (int image = 0; image < 3; ++image) {
    for (int c = 0; c < 2; ++c) {
      for (int pixel = 0; pixel < 36; ++pixel) {
        const int stored = (image * kPixels + c * 36 + pixel) % 256;
        const double mean = c == 0 ? 0.5 : -0.25;
        const double std_dev = c == 0 ? 0.7 : 1.0;
        const auto real = static_cast<float>((stored * 0.02 - mean) / std_dev);
        const float code = std::min(127.0F, std::max(-128.0F, std::rint(real / 0.05F) - 3));
        ASSERT_EQ(set.image(image)[pixel * 2 + c], code);
      }
    }
  }
}

TEST_F(Dataset, FloatImagesRoundHalvesToEvenAndSaturate) {
  std::vector<float> values(kPixels, 0.0F);
  values[0] = 0.05F * 0.5F;  // channel 0, pixel 0
  values[1] = 0.05F * 1.5F;
  values[2] = 0.05F * 2.5F;
  values[3] = 1e30F;
  values[4] = -1e30F;
  write_float_images(values, "(1, 2, 6, 6)");
  write_npy(folder_ / "labels.npy", {1}, std::vector<std::int8_t>{1});
  const auto image = open().load_test().image(0);
  // Divided in float32, as ONNX does: these three quotients are exact halves.
  EXPECT_EQ(image[0], -3 + 0);
  EXPECT_EQ(image[2], -3 + 2);
  EXPECT_EQ(image[4], -3 + 2);
  EXPECT_EQ(image[6], 127);
  EXPECT_EQ(image[8], -128);
  EXPECT_EQ(image[10], -3);
}

TEST_F(Dataset, LimitsAndCalibration) {
  EXPECT_EQ(open().load_test(2).count(), 2);
  EXPECT_EQ(open().load_test(2).pixels.size(), 2U * kPixels);
  EXPECT_EQ(open().load_test(100).count(), 3);
  EXPECT_EQ(open(R"(, "calibration": {"images": "images.npy", "labels": "labels.npy"})")
                .load_calibration(1)
                .count(),
            1);
  expect_error([&] { open().load_calibration(); }, {"network.json", "/calibration"});
}

TEST_F(Dataset, DescriptionErrorsNamePathAndRemedy) {
  expect_refusal("{", {"network.json", "not JSON"});
  expect_refusal("[]", {"must be an object"});
  expect_refusal(R"({"model": "model.onnx"})", {"/name", "missing"});
  expect_refusal(description(R"(, "clases": ["a"])"), {"/clases", "unknown", "\"classes\""});
  expect_refusal(description(R"(, "preprocessing": {"men": [0]})"),
                 {"/preprocessing/men", "\"mean\""});
  expect_refusal(description(R"(, "preprocessing": 1)"), {"/preprocessing", "object"});
  expect_refusal(description(R"(, "preprocessing": {"scale": "1"})"),
                 {"/preprocessing/scale", "number"});
  expect_refusal(description(R"(, "preprocessing": {"scale": 0})"), {"/preprocessing/scale"});
  expect_refusal(description(R"(, "preprocessing": {"std": [1, 0]})"), {"/preprocessing/std"});
  expect_refusal(description(R"(, "preprocessing": {"mean": []})"), {"/preprocessing/mean"});
  expect_refusal(description(R"(, "preprocessing": {"mean": [1, 2, 3]})"),
                 {"/preprocessing/mean", "3 entries", "2 channels"});
  expect_refusal(description(R"(, "calibration": {"images": "images.npy"})"),
                 {"/calibration/labels", "missing"});
  expect_refusal(description(R"(, "classes": ["a", "b"])"), {"/classes", "2 names", "5 outputs"});
  expect_refusal(description(R"(, "classes": [1])"), {"/classes", "string"});
  expect_refusal(R"({"name": "", "model": "model.onnx", "test": {}})", {"/"});
  expect_refusal(R"({"name": "a", "model": "gone.onnx",)"
                 R"( "test": {"images": "images.npy", "labels": "labels.npy"}})",
                 {"gone.onnx", "no such file"});
  expect_error([&] { open_network(folder_ / "missing"); }, {"missing", "no such file"});
}

TEST_F(Dataset, ImageErrorsNameTheFile) {
  write_npy(folder_ / "images.npy", {3, 6, 6, 2}, std::vector<std::uint8_t>(3 * kPixels));
  expect_error([&] { open().load_test(); }, {"images.npy", "[ 3 6 6 2 ]", "[count, 2, 6, 6]"});
  write_npy(folder_ / "images.npy", {0, 2, 6, 6}, std::vector<std::uint8_t>());
  expect_error([&] { open().load_test(); }, {"images.npy", "no images"});
  write_npy(folder_ / "images.npy", {3, 2, 6, 6}, std::vector<std::int8_t>(3 * kPixels));
  expect_error([&] { open().load_test(); }, {"images.npy", "neither uint8 nor float32"});
  write_float_images(std::vector<float>(3 * kPixels, NAN), "(3, 2, 6, 6)");
  expect_error([&] { open().load_test(); }, {"images.npy", "not finite"});
}

TEST_F(Dataset, LabelErrorsNameTheElement) {
  write_npy(folder_ / "labels.npy", {3}, std::vector<std::int32_t>{0, 5, 1});
  expect_error([&] { open().load_test(); }, {"labels.npy", "element 1", "label 5", "5 classes"});
  write_npy(folder_ / "labels.npy", {3}, std::vector<std::int8_t>{0, -1, 1});
  expect_error([&] { open().load_test(); }, {"labels.npy", "label -1"});
  write_npy(folder_ / "labels.npy", {2}, std::vector<std::uint8_t>{0, 1});
  expect_error([&] { open().load_test(); }, {"labels.npy", "2 labels for 3 images"});
  write_npy(folder_ / "labels.npy", {3, 1}, std::vector<std::uint8_t>{0, 1, 2});
  expect_error([&] { open().load_test(); }, {"labels.npy", "one-dimensional"});
}

}  // namespace
}  // namespace sagitta
