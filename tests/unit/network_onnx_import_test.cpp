// The many ways to write one network must import to the same layers; what those layers compute is
// compared with ONNX Runtime in tests/golden.
#include <gtest/gtest.h>

#include <cmath>

#include "base/digest.h"
#include "network/onnx_import.h"
#include "network/reference.h"
#include "support/onnx_samples.h"
#include "support/temporary_folder.h"

namespace sagitta {
namespace {

using test::Dims;
using test::Sample;
using test::Variant;

Network import(const std::string& bytes) {
  const test::TemporaryFolder folder;
  return import_onnx(folder.write("sample.onnx", bytes));
}

Network import(const Variant& variant) {
  return import(Sample(variant).bytes());
}

void expect_same(const Network& a, const Network& b) {
  EXPECT_EQ(a.input, b.input);
  EXPECT_EQ(a.input_scale, b.input_scale);
  EXPECT_EQ(a.input_zero_point, b.input_zero_point);
  ASSERT_EQ(a.layers.size(), b.layers.size());
  for (std::size_t i = 0; i < a.layers.size(); ++i) {
    const Layer& x = a.layers[i];
    const Layer& y = b.layers[i];
    SCOPED_TRACE(x.name);
    EXPECT_EQ(x.name, y.name);
    EXPECT_EQ(x.kind, y.kind);
    EXPECT_EQ(x.input, y.input);
    EXPECT_EQ(x.output, y.output);
    EXPECT_EQ(x.window, y.window);
    EXPECT_EQ(x.weights, y.weights);
    EXPECT_EQ(x.bias, y.bias);
    EXPECT_EQ(x.scale, y.scale);
    EXPECT_EQ(x.input_zero_point, y.input_zero_point);
    EXPECT_EQ(x.output_zero_point, y.output_zero_point);
    EXPECT_EQ(x.output_min, y.output_min);
    EXPECT_EQ(x.output_max, y.output_max);
    EXPECT_EQ(x.output_scale, y.output_scale);
  }
}

TEST(OnnxImport, ReadsTheSample) {
  const test::TemporaryFolder folder;
  const std::string file = folder.write("sample.onnx", Sample({}).bytes());
  const Network network = import_onnx(file);
  EXPECT_EQ(network.name, "sample");
  EXPECT_EQ(network.digest, sha256_file(file));
  EXPECT_EQ(network.input, (FeatureShape{6, 6, 2}));
  EXPECT_EQ(network.input_scale, 0.05F);
  EXPECT_EQ(network.input_zero_point, -3);
  EXPECT_EQ(network.classes(), 5);
  ASSERT_EQ(network.layers.size(), 3U);

  const Layer& conv = network.layers[0];
  EXPECT_EQ(conv.name, "conv");
  EXPECT_EQ(conv.output_tensor, "y_q");
  EXPECT_EQ(conv.kind, LayerKind::gemm);
  EXPECT_EQ(conv.rows(), 36);
  EXPECT_EQ(conv.depth(), 18);
  EXPECT_EQ(conv.columns(), 4);
  EXPECT_TRUE(conv.has_relu);
  EXPECT_EQ(conv.output_min, -128);
  EXPECT_EQ(conv.input_zero_point, -3);
  EXPECT_EQ(conv.scale[2], to_fixed_scale(0.05F * (0.01F + 0.003F * 2) / 0.11F, "test"));

  const Layer& pool = network.layers[1];
  EXPECT_EQ(pool.kind, LayerKind::max_pool);
  EXPECT_EQ(pool.output_tensor, "p_q");
  EXPECT_EQ(pool.output, (FeatureShape{3, 3, 4}));
  EXPECT_EQ(pool.output_zero_point, -128);
  EXPECT_EQ(pool.output_scale, 0.11F);

  const Layer& dense = network.layers[2];
  EXPECT_EQ(dense.output_tensor, "z_q");
  EXPECT_EQ(dense.input, (FeatureShape{1, 1, 36}));
  EXPECT_EQ(dense.output, (FeatureShape{1, 1, 5}));
  EXPECT_FALSE(dense.has_relu);
  EXPECT_EQ(dense.output_zero_point, 7);
}

TEST(OnnxImport, BiasHoldsTheZeroPointCorrection) {
  const Layer dense = import(Variant{}).layers[2];
  Stream stream(31, 4, Purpose::test);  // the sample's bias
  for (int n = 0; n < 5; ++n) {
    int weight_sum = 0;
    for (int k = 0; k < 36; ++k) weight_sum += dense.weights[k * 5 + n];
    const int bias = static_cast<int>(stream.below(255)) - 127;
    EXPECT_EQ(dense.bias[n], bias + 128 * weight_sum);
  }
}

TEST(OnnxImport, FlattenedWeightsFollowTheHwcOrder) {
  const Layer dense = import(Variant{}).layers[2];
  Stream stream(31, 3, Purpose::test);  // the sample's weights, [N, K] with K in CHW order
  for (int n = 0; n < 5; ++n) {
    for (int c = 0; c < 4; ++c) {
      for (int pixel = 0; pixel < 9; ++pixel) {
        const int code = static_cast<int>(stream.below(255)) - 127;
        ASSERT_EQ(dense.weights[(pixel * 4 + c) * 5 + n], code);
      }
    }
  }
}

TEST(OnnxImport, EquivalentFormsImportToTheSameLayers) {
  const Network plain = import(Variant{});
  const std::pair<const char*, Variant> variants[] = {
      {"unsigned activations", {.unsigned_activations = true}},
      {"unsigned weights", {.unsigned_weights = true}},
      {"float weights behind QuantizeLinear", {.float_weights = true}},
      {"float weights to uint8", {.unsigned_weights = true, .float_weights = true}},
      {"float bias", {.float_bias = true}},
      {"Clip", {.clip = true}},
      {"Clip with attributes", {.clip_attribute = true}},
      {"SAME_UPPER", {.same_padding = true}},
      {"pooling before quantisation", {.pool_before_quantize = true}},
      {"pooling of codes", {.pool_on_codes = true}},
      {"flattening of codes", {.pool_on_codes = true, .flatten_on_codes = true}},
      {"Reshape", {.reshape = true}},
      {"MatMul and Add", {.matmul = true}},
      {"MatMul and Add of floats", {.float_weights = true, .float_bias = true, .matmul = true}},
      {"Gemm without transB", {.transposed = false}},
      {"Identity and Dropout", {.identity = true}},
      {"quantised input", {.quantised_input = true}},
      {"quantised uint8 input", {.unsigned_activations = true, .quantised_input = true}},
      {"Softmax", {.tail = "Softmax"}},
      {"Softmax and ArgMax", {.tail = "Softmax,ArgMax"}},
  };
  for (const auto& [name, variant] : variants) {
    SCOPED_TRACE(name);
    expect_same(import(variant), plain);
  }
}

TEST(OnnxImport, WeightScalesMayBePerTensor) {
  const Network plain = import(Variant{.per_channel = false});
  for (const Layer& layer : plain.layers) {
    for (const FixedScale& scale : layer.scale) EXPECT_EQ(scale, layer.scale[0]);
  }
  expect_same(import(Variant{.per_channel = false, .matmul = true}), plain);
}

TEST(OnnxImport, QLinearOperatorsComputeTheSameButForTheDenseBias) {
  Network qdq = import(Variant{});
  for (const bool is_unsigned : {false, true}) {
    Network qlinear = import(Variant{.unsigned_activations = is_unsigned, .qlinear = true});
    ASSERT_EQ(qlinear.layers.size(), 3U);
    // QLinearMatMul has no bias: only the correction is left of it.
    for (int n = 0; n < 5; ++n) {
      int weight_sum = 0;
      for (int k = 0; k < 36; ++k) weight_sum += qlinear.layers[2].weights[k * 5 + n];
      EXPECT_EQ(qlinear.layers[2].bias[n], 128 * weight_sum);
    }
    qlinear.layers[2].bias = qdq.layers[2].bias;
    expect_same(qlinear, qdq);
  }
}

TEST(OnnxImport, TensorNamesOfMovedPoolings) {
  const Network before = import(Variant{.pool_before_quantize = true});
  EXPECT_EQ(before.layers[0].output_tensor, "conv_out");
  EXPECT_EQ(before.layers[1].output_tensor, "y_q");
  EXPECT_EQ(import(Variant{.pool_on_codes = true}).layers[1].output_tensor, "pool_out");
}

// A dense layer alone: input [N, 3], two outputs, y = 0.5 with zero point -10.
test::OnnxBuilder dense_model(const std::string& activation, const std::vector<float>& bounds) {
  test::OnnxBuilder b({1, 3});
  b.parameters("x", 0.5F, 1, Sample::kInt8);
  b.parameters("w", 0.25F, 0, Sample::kInt8);
  b.parameters("y", 0.5F, -10, Sample::kInt8);
  b.ints("w", {3, 2}, Sample::kInt8, {1, 2, 3, 4, 5, 6});
  const std::string x = b.dequantize("x", b.quantize("x", "input"));
  b.node("Gemm", "", {x, b.dequantize("w", "w")}, "gemm");
  std::string tensor = "gemm";
  if (!activation.empty()) {
    std::vector<std::string> inputs = {tensor};
    for (std::size_t i = 0; i < bounds.size(); ++i) {
      inputs.push_back(b.floats("bound" + std::to_string(i), {}, {bounds[i]}));
    }
    b.node(activation, "act", inputs, "act");
    tensor = "act";
  }
  b.dequantize("y", b.quantize("y", tensor));
  return b;
}

TEST(OnnxImport, ActivationsBecomeBounds) {
  const Layer none = import(dense_model("", {}).bytes("y_q_dq")).layers.at(0);
  EXPECT_EQ(none.name, "gemm");  // a node without a name is called by its output
  EXPECT_EQ(none.output_min, -128);
  EXPECT_EQ(none.output_max, 127);
  EXPECT_FALSE(none.has_relu);
  const Layer relu = import(dense_model("Relu", {}).bytes("y_q_dq")).layers.at(0);
  EXPECT_EQ(relu.output_min, -10);
  EXPECT_EQ(relu.output_max, 127);
  EXPECT_TRUE(relu.has_relu);
  const Layer relu6 = import(dense_model("Clip", {0, 6}).bytes("y_q_dq")).layers.at(0);
  EXPECT_EQ(relu6.output_min, -10);
  EXPECT_EQ(relu6.output_max, 2);
  EXPECT_TRUE(relu6.has_relu);
}

TEST(OnnxImport, ComputesADenseLayerByHand) {
  const Network network = import(dense_model("", {}).bytes("y_q_dq"));
  // x = 0.5 * (q - 1) = {0, 0.5, 1}; y = x . w; codes = y / 0.5 - 10, halves to even.
  // y0 = (0.5 * 3 + 5) * 0.25 = 1.625 -> 3.25 -> 3; y1 = (0.5 * 4 + 6) * 0.25 = 2 -> 4.
  EXPECT_EQ(run_network(network, {1, 2, 3}).back().output, (std::vector<std::int8_t>{-7, -6}));
}

TEST(OnnxImport, SameLowerPutsTheOddElementFirst) {
  for (const bool upper : {true, false}) {
    test::OnnxBuilder b({1, 1, 5, 6});
    b.parameters("x", 0.5F, 0, Sample::kInt8);
    b.parameters("w", 0.5F, 0, Sample::kInt8);
    b.ints("w", {1, 1, 2, 3}, Sample::kInt8, {1, 2, 3, 4, 5, 6});
    const std::string x = b.dequantize("x", b.quantize("x", "input"));
    auto& conv = b.node("Conv", "conv", {x, b.dequantize("w", "w")}, "y");
    b.attribute(conv, "auto_pad", std::string(upper ? "SAME_UPPER" : "SAME_LOWER"));
    b.attribute(conv, "strides", Dims{1, 2});
    b.parameters("y", 0.5F, 0, Sample::kInt8);
    b.quantize("y", "y");
    const Layer layer = import(b.bytes("y_q")).layers.at(0);
    EXPECT_EQ(layer.output, (FeatureShape{5, 3, 1}));
    EXPECT_EQ(layer.window.pad_top, upper ? 0 : 1);
    EXPECT_EQ(layer.window.pad_bottom, upper ? 1 : 0);
    EXPECT_EQ(layer.window.pad_left, upper ? 0 : 1);
    EXPECT_EQ(layer.window.pad_right, upper ? 1 : 0);
  }
}

TEST(OnnxImport, ConstantNodesAndRawDataAreRead) {
  Sample sample({});
  auto& graph = sample.graph();
  // Move w2 into a Constant node with raw data, in front of everything.
  for (auto& tensor : *graph.mutable_initializer()) {
    if (tensor.name() != "w2") continue;
    std::string raw;
    for (const int value : tensor.int32_data()) raw += static_cast<char>(value);
    tensor.clear_int32_data();
    tensor.set_raw_data(raw);
    auto* node = graph.add_node();
    node->set_op_type("Constant");
    node->add_output("w2");
    auto* value = node->add_attribute();
    value->set_name("value");
    value->set_type(onnx::AttributeProto::TENSOR);
    *value->mutable_t() = tensor;
    tensor.set_name("unused");
  }
  expect_same(import(sample.bytes()), import(Variant{}));
}

}  // namespace
}  // namespace sagitta
