// Residual networks all the way from the ONNX file to the host: the machine's logits are those that
// ONNX Runtime stored in tests/onnxruntime/golden.
#include <gtest/gtest.h>

#include "machine/machine.h"
#include "network/onnx_import.h"
#include "support/machine_cases.h"
#include "support/onnxruntime_codes.h"

namespace sagitta {
namespace {

const std::string kFolder = std::string(SAGITTA_SOURCE_DIR) + "/tests/onnxruntime/";

class Residual : public testing::TestWithParam<const char*> {};

TEST_P(Residual, LogitsAreThoseOfOnnxRuntime) {
  const std::string name = GetParam();
  const Network network = import_onnx(kFolder + "models/" + name + ".onnx");
  const std::string golden = kFolder + "golden/" + name + "/";
  const test::Codes images = test::read_codes(golden + "input_quantized.npy", network.input);
  const test::Codes logits = test::read_codes(golden + "logits.npy", network.layers.back().output);
  ASSERT_EQ(images.samples, 4);
  Protection guarded;
  guarded.checksum = true;
  for (const Dataflow dataflow : test::kDataflows) {
    for (const Protection& protection : {Protection{}, guarded}) {
      for (const int batch : {1, 2, 4}) {
        SCOPED_TRACE(std::string(to_string(dataflow)) + " batch " + std::to_string(batch));
        const Program program = compile(network, {5, 3, dataflow}, {}, protection, "test", batch);
        EXPECT_EQ(program.activation_maps, 3);
        Machine machine(program);
        for (int first = 0; first < images.samples; first += batch) {
          machine.reset(images.values.data() + std::ptrdiff_t{first} * network.input.elements());
          ASSERT_TRUE(machine.run(10'000'000));
          const auto expected = logits.values.begin() + std::ptrdiff_t{first} * network.classes();
          EXPECT_EQ(machine.logits(),
                    std::vector<std::int8_t>(expected, expected + batch * network.classes()));
          EXPECT_EQ(machine.mismatches(), 0);
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Residual, testing::Values("residual", "residual_qlinear"),
                         [](const auto& model) { return std::string(model.param); });

}  // namespace
}  // namespace sagitta
