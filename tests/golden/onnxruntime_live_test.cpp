// ONNX Runtime itself, run in node on all test images: every intermediate tensor of LeNet-5 against
// the reference executor, each layer on ONNX Runtime's own input.
//
// Needs tests/onnxruntime/node_modules (scripts/setup --with-tests). Without it the test is
// skipped, visibly; scripts/test counts skips and fails on them in CI.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "network/dataset.h"
#include "network/reference.h"
#include "support/onnxruntime_codes.h"
#include "support/temporary_folder.h"

namespace sagitta {
namespace {

const std::string kRunner = std::string(SAGITTA_SOURCE_DIR) + "/tests/onnxruntime";
const std::string kModel = std::string(SAGITTA_SOURCE_DIR) + "/models/lenet5-mnist";

// ONNX Runtime's own requantisation: sum and product as float32, then half to even.
int float32_code(std::int32_t sum, FixedScale scale, const Layer& layer) {
  const auto factor = static_cast<float>(std::ldexp(scale.mantissa, -scale.shift));
  const float product = static_cast<float>(sum) * factor;
  const auto code = static_cast<long>(std::nearbyint(product)) + layer.output_zero_point;
  return static_cast<int>(std::clamp<long>(code, layer.output_min, layer.output_max));
}

TEST(OnnxRuntimeLive, EveryTensorOfEveryTestImage) {
  if (!std::filesystem::exists(kRunner + "/node_modules/onnxruntime-web")) {
    GTEST_SKIP() << "onnxruntime-web is not installed: run scripts/setup --with-tests";
  }
  const test::TemporaryFolder out;
  const std::string command = "node '" + kRunner + "/run_model.mjs' --model '" + kModel +
                              "/model.onnx' --input '" + kModel + "/test/images.npy' --network '" +
                              kModel + "/network.json' --level all --outputs all-quantized" +
                              " --output-dir '" + (out / "tensors") + "' > '" + (out / "log") +
                              "' 2>&1";
  ASSERT_EQ(std::system(command.c_str()), 0) << command;

  const NetworkFolder folder = open_network(kModel);
  const Network& network = folder.network;
  test::Codes input = test::read_codes(out / "tensors/input_quantized.npy", network.input);
  EXPECT_EQ(input.values, folder.load_test().pixels);
  std::int64_t compared = 0;
  std::int64_t differing = 0;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer& layer = network.layers[l];
    const test::Codes expected =
        test::read_codes(out / ("tensors/" + layer.output_tensor + ".npy"), layer.output);
    ASSERT_EQ(expected.samples, 1000);
    const auto in = static_cast<std::ptrdiff_t>(layer.input.elements());
    const auto elements = static_cast<std::size_t>(layer.output.elements());
    for (int sample = 0; sample < expected.samples; ++sample) {
      const auto start = input.values.begin() + sample * in;
      const LayerValues ours = run_layer(layer, {start, start + in});
      for (std::size_t i = 0; i < elements; ++i) {
        const int theirs = expected.values[static_cast<std::size_t>(sample) * elements + i];
        ++compared;
        if (ours.output[i] == theirs) continue;
        ++differing;
        EXPECT_LE(std::abs(ours.output[i] - theirs), 1) << layer.name;
        // The one reason that is accepted: rounding the product to float32 first.
        ASSERT_EQ(layer.kind, LayerKind::gemm);
        const auto channel = i % static_cast<std::size_t>(layer.columns());
        EXPECT_EQ(float32_code(ours.sums[i], layer.scale[channel], layer), theirs) << layer.name;
      }
    }
    input = expected;
  }
  std::cout << differing << " of " << compared
            << " elements differ, each by 1 and by ONNX Runtime's rounding to float32\n";
  EXPECT_LE(differing, compared / 100000);
}

}  // namespace
}  // namespace sagitta
