// Residual networks from ONNX: which layer reads which map, groups, poolings that average, and the
// scales of what the requantiser adds up.
#include <gtest/gtest.h>

#include <cmath>

#include "base/file.h"
#include "network/onnx_import.h"
#include "network/reference.h"
#include "support/onnx_builder.h"
#include "support/temporary_folder.h"

namespace sagitta {
namespace {

using test::Dims;

constexpr int kInt8 = onnx::TensorProto::INT8;

// input 4 x 3 x 3 -> depthwise convolution 1x1 -> add to the input -> average pooling 2x2 ->
// average over what is left. Built as QDQ, or of QLinear operators.
class Residual : public test::OnnxBuilder {
 public:
  explicit Residual(bool qlinear, const std::string& mean = "GlobalAveragePool")
      : OnnxBuilder({-1, 4, 3, 3}) {
    parameters("x", 0.5F, 3, kInt8);
    parameters("y", 0.25F, -7, kInt8);
    parameters("s", 1.0F, 11, kInt8);
    parameters("p", 0.75F, -128, kInt8);
    parameters("m", 0.1F, 0, kInt8);
    parameters("w", 0.5F, 0, kInt8);
    ints("w", {4, 1, 1, 1}, kInt8, {1, -2, 3, 4});
    quantize("x", "input");
    qlinear ? add_qlinear() : add_qdq(mean);
  }

 private:
  void add_qdq(const std::string& mean) {
    dequantize("x", "x_q");
    dequantize("w", "w");
    attribute(node("Conv", "depthwise", {"x_q_dq", "w_dq"}, "y"), "group", std::int64_t{4});
    dequantize("y", quantize("y", "y"));
    node("Add", "residual", {"y_q_dq", "x_q_dq"}, "s");
    node("Relu", "relu", {"s"}, "r");
    dequantize("s", quantize("s", "r"));
    attribute(node("AveragePool", "pool", {"s_q_dq"}, "p"), "kernel_shape", Dims{2, 2});
    dequantize("p", quantize("p", "p"));
    auto& last = node(mean, "mean", {"p_q_dq"}, "m");
    if (mean == "ReduceMean") attribute(last, "axes", Dims{-1, 2});
    quantize("m", "m");
    output_ = "m_q";
  }

  void add_qlinear() {
    attribute(
        node("QLinearConv", "depthwise",
             {"x_q", "x_scale", "x_zero", "w", "w_scale", "w_zero", "y_scale", "y_zero"}, "y_q"),
        "group", std::int64_t{4});
    node("QLinearAdd", "residual",
         {"y_q", "y_scale", "y_zero", "x_q", "x_scale", "x_zero", "s_scale", "s_zero"}, "s_q")
        .set_domain("com.microsoft");
    auto& pool = node("QLinearAveragePool", "pool",
                      {"s_q", "s_scale", "s_zero", "p_scale", "p_zero"}, "p_q");
    pool.set_domain("com.microsoft");
    attribute(pool, "kernel_shape", Dims{2, 2});
    node("QLinearGlobalAveragePool", "mean", {"p_q", "p_scale", "p_zero", "m_scale", "m_zero"},
         "m_q")
        .set_domain("com.microsoft");
    output_ = "m_q";
  }

 public:
  Network import() {
    const test::TemporaryFolder folder;
    return import_onnx(folder.write("sample.onnx", bytes(output_)));
  }

 private:
  std::string output_;
};

double first_scale(const Layer& l) {
  return std::ldexp(l.tap_scale.first, -l.tap_scale.shift);
}
double second_scale(const Layer& l) {
  return std::ldexp(l.tap_scale.second, -l.tap_scale.shift);
}

void check(const Network& network) {
  ASSERT_EQ(network.layers.size(), 4U);
  const Layer& conv = network.layers[0];
  EXPECT_EQ(conv.groups, 4);
  EXPECT_EQ(conv.depth(), 1);
  EXPECT_EQ(conv.weights, (std::vector<std::int8_t>{1, -2, 3, 4}));
  EXPECT_EQ(conv.bias, (std::vector<std::int32_t>{-3, 6, -9, -12}));  // - zero point x weight
  EXPECT_EQ(conv.macs(), 3 * 3 * 4);

  const Layer& add = network.layers[1];
  EXPECT_EQ(add.name, "residual");
  EXPECT_EQ(add.output_tensor, "s_q");
  EXPECT_EQ(add.kind, LayerKind::add);
  EXPECT_EQ(add.sources, (std::vector<int>{0, -1}));
  EXPECT_EQ(network.source(1, 0), 0);
  EXPECT_EQ(network.source(1, 1), -1);
  EXPECT_EQ(add.input_zero_point, -7);
  EXPECT_EQ(add.second_zero_point, 3);
  EXPECT_EQ(add.output_zero_point, 11);
  EXPECT_EQ(first_scale(add), 0.25);
  EXPECT_EQ(second_scale(add), 0.5);

  const Layer& pool = network.layers[2];
  EXPECT_EQ(pool.kind, LayerKind::average_pool);
  EXPECT_EQ(pool.sources, std::vector<int>{1});
  EXPECT_EQ(pool.output, (FeatureShape{2, 2, 4}));
  EXPECT_NEAR(first_scale(pool), 1.0 / (0.75 * 4), 1.0 / (1 << 25));  // one pixel of four
  EXPECT_EQ(pool.tap_scale.first, pool.tap_scale.second);

  const Layer& mean = network.layers[3];
  EXPECT_EQ(mean.window.kernel_h, 2);
  EXPECT_EQ(mean.window.kernel_w, 2);
  EXPECT_EQ(mean.output, (FeatureShape{1, 1, 4}));
  EXPECT_NEAR(first_scale(mean), 0.75 / (0.1 * 4), 1e-6);
}

TEST(OnnxGraph, ResidualNetworkOfQdqPairs) {
  const Network network = Residual(false).import();
  check(network);
  EXPECT_TRUE(network.layers[1].has_relu);
  EXPECT_EQ(network.layers[1].output_min, 11);  // the Relu between Add and QuantizeLinear
  check(Residual(false, "ReduceMean").import());
}

TEST(OnnxGraph, ResidualNetworkOfQlinearOperators) {
  const Network network = Residual(true).import();
  check(network);
  EXPECT_EQ(network.layers[1].output_min, -128);
}

// One pixel by hand: x = 13 is the real 5. Depthwise with the weight code 3 (real 1.5) gives 7.5,
// in steps of 0.25 around -7 the code 23. The sum of 12.5 steps of 1 rounds to the even 12.
TEST(OnnxGraph, OnePixelByHand) {
  const Network network = Residual(true).import();
  std::vector<std::int8_t> image(36, 3);
  image[2] = 13;  // pixel 0, channel 2
  const auto values = run_network(network, image);
  EXPECT_EQ(values[0].output[2], 23);
  EXPECT_EQ(values[1].output[2], 11 + 12);
  EXPECT_EQ(values[1].output[1], 11);  // nothing and nothing
  // The window's mean is 12 / 4 = 3: 4 steps of 0.75 above -128.
  EXPECT_EQ(values[2].output[2], -124);
  // Four pixels, of which one is 4 steps of 0.75: the mean is 0.75, in steps of 0.1 half of 15, to
  // the even 8. (0.1 as float32 is a little more; 24 bits of mantissa do not see that.)
  EXPECT_EQ(values[3].output[2], 8);
}

TEST(OnnxGraph, GlobalMaxPoolIsAPoolingOverTheMap) {
  const Network network = [] {
    test::OnnxBuilder b({1, 2, 3, 5});
    b.parameters("x", 0.5F, 3, kInt8);
    b.dequantize("x", b.quantize("x", "input"));
    b.node("GlobalMaxPool", "pool", {"x_q_dq"}, "p");
    b.node("QuantizeLinear", "requantize", {"p", "x_scale", "x_zero"}, "p_q");
    const test::TemporaryFolder folder;
    return import_onnx(folder.write("sample.onnx", b.bytes("p_q")));
  }();
  ASSERT_EQ(network.layers.size(), 1U);
  EXPECT_EQ(network.layers[0].kind, LayerKind::max_pool);
  EXPECT_EQ(network.layers[0].window.kernel_h, 3);
  EXPECT_EQ(network.layers[0].window.kernel_w, 5);
  EXPECT_EQ(network.layers[0].output, (FeatureShape{1, 1, 2}));
}

}  // namespace
}  // namespace sagitta
