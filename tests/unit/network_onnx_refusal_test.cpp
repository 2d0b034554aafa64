// Every model that cannot be imported is refused with a message that names the place.
#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"
#include "base/file.h"
#include "network/onnx_import.h"
#include "support/onnx_samples.h"
#include "support/temporary_folder.h"

namespace sagitta {
namespace {

using test::Dims;
using test::Sample;
using test::Variant;

std::string refusal(const std::string& bytes) {
  const test::TemporaryFolder folder;
  const std::string file = folder.write("sample.onnx", bytes);
  try {
    import_onnx(file);
  } catch (const InputError& error) {
    EXPECT_NE(std::string(error.what()).find(file), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("remedy: "), std::string::npos) << error.what();
    return error.what();
  }
  return "imported";
}

void expect_refusal(const std::string& bytes, const std::vector<std::string>& parts) {
  const std::string message = refusal(bytes);
  for (const std::string& part : parts) {
    EXPECT_NE(message.find(part), std::string::npos) << "no '" << part << "' in: " << message;
  }
}

onnx::NodeProto& find_node(Sample& sample, const std::string& name) {
  for (auto& node : *sample.graph().mutable_node()) {
    if (node.name() == name) return node;
  }
  throw std::logic_error("no node " + name);
}

onnx::TensorProto& find_constant(Sample& sample, const std::string& name) {
  for (auto& tensor : *sample.graph().mutable_initializer()) {
    if (tensor.name() == name) return tensor;
  }
  throw std::logic_error("no constant " + name);
}

void expect_refusal(const std::function<void(Sample&)>& change,
                    const std::vector<std::string>& parts) {
  Sample sample({});
  change(sample);
  expect_refusal(sample.bytes(), parts);
}

TEST(OnnxRefusal, AllUnsupportedOperatorsAreListedAtOnce) {
  expect_refusal(read_file(SAGITTA_SOURCE_DIR "/tests/onnxruntime/models/unsupported.onnx"),
                 {"Softplus 'act7'", "Einsum 'mix8'"});
  expect_refusal(
      [](Sample& s) {
        find_node(s, "pool").set_op_type("LpPool");
        s.node("MatMul", "attention", {"relu_out", "conv_out"}, "attention_out");
        s.node("Fused", "exotic", {"attention_out"}, "exotic_out").set_domain("com.example");
      },
      {"LpPool 'pool'", "MatMul 'attention' with two data inputs", "com.example.Fused 'exotic'"});
}

TEST(OnnxRefusal, WeightZeroPoints) {
  expect_refusal(read_file(SAGITTA_SOURCE_DIR "/tests/onnxruntime/models/weight_zero_point.onnx"),
                 {"Conv 'conv1'", "zero point 5"});
  Sample sample({.unsigned_weights = true});
  find_constant(sample, "w2_zero").set_int32_data(1, 127);
  expect_refusal(sample.bytes(), {"Gemm 'dense'", "zero point 127"});
}

TEST(OnnxRefusal, Operators) {
  expect_refusal(
      [](Sample& s) { Sample::attribute(find_node(s, "pool"), "ceil_mode", std::int64_t{1}); },
      {"MaxPool 'pool' with ceil_mode 1"});
  expect_refusal(
      [](Sample& s) {
        find_node(s, "pool").set_op_type("AveragePool");
        Sample::attribute(find_node(s, "pool"), "ceil_mode", std::int64_t{1});
      },
      {"AveragePool 'pool' with ceil_mode 1"});
  expect_refusal(
      [](Sample& s) { Sample::attribute(find_node(s, "conv"), "group", std::int64_t{3}); },
      {"Conv 'conv'", "groups do not divide"});
  expect_refusal(
      [](Sample& s) { Sample::attribute(find_node(s, "conv"), "group", std::int64_t{2}); },
      {"Conv 'conv'", "do not have the channels"});
  expect_refusal([](Sample& s) { Sample::attribute(find_node(s, "dense"), "alpha", 0.5F); },
                 {"Gemm 'dense' with alpha"});
  expect_refusal(
      [](Sample& s) { Sample::attribute(find_node(s, "dense"), "transA", std::int64_t{1}); },
      {"Gemm 'dense' with transA"});
  expect_refusal(
      [](Sample& s) {
        Sample::attribute(find_node(s, "conv"), "kernel_shape", Dims{5, 5});
      },
      {"Conv 'conv'", "kernel_shape"});
  expect_refusal(
      [](Sample& s) {
        Sample::attribute(find_node(s, "conv"), "strides", Dims{0, 1});
      },
      {"Conv 'conv'", "strides"});
  expect_refusal(
      [](Sample& s) {
        Sample::attribute(find_node(s, "conv"), "dilations", Dims{9, 9});
      },
      {"Conv 'conv'", "empty"});
}

TEST(OnnxRefusal, Quantisation) {
  expect_refusal([](Sample& s) { find_constant(s, "x_scale").set_float_data(0, 0); },
                 {"QuantizeLinear 'x_quantize'", "scale is 0"});
  expect_refusal([](Sample& s) { find_constant(s, "w1_scale").set_float_data(2, -1); },
                 {"DequantizeLinear 'w1_dequantize'", "scale is -1"});
  // The pooling's output with another scale than its input.
  expect_refusal([](Sample& s) { find_node(s, "p_quantize").set_input(1, "x_scale"); },
                 {"QuantizeLinear 'p_quantize'", "changes the scale"});
  expect_refusal([](Sample& s) { find_node(s, "x_q_dq").set_input(1, "z_scale"); },
                 {"DequantizeLinear 'x_q_dq'", "differ"});
  expect_refusal([](Sample& s) { find_node(s, "dense").set_input(1, "w2_zero"); },
                 {"Gemm 'dense'", "not quantised"});
  test::OnnxBuilder direct({1, 1, 4, 4});
  direct.parameters("w", 0.5F, 0, Sample::kInt8);
  direct.ints("w", {1, 1, 1, 1}, Sample::kInt8, {1});
  const std::string w = direct.dequantize("w", "w");
  direct.node("Conv", "conv", {"input", w}, "conv_out");
  expect_refusal(direct.bytes("conv_out"), {"Conv 'conv'", "not a dequantised tensor"});
  Sample unquantised({});
  expect_refusal(static_cast<test::OnnxBuilder&>(unquantised).bytes("dense_out"),
                 {"output 'dense_out'", "not quantised"});
}

TEST(OnnxRefusal, Structure) {
  expect_refusal(test::OnnxBuilder({2, 1, 4, 4}).bytes("input"), {"not an ONNX model"});
  expect_refusal([](Sample& s) { s.node("Identity", "twin", {"conv_out"}, "twin_out"); },
                 {"tensor 'conv_out'", "branches", "Relu 'relu'", "Identity 'twin'"});
  expect_refusal([](Sample& s) { find_node(s, "pool").set_input(0, "nowhere"); },
                 {"node 'pool'", "'nowhere'"});
  expect_refusal([](Sample& s) { find_node(s, "relu").add_input("relu_out"); },
                 {"node 'relu'", "'relu_out'"});
  expect_refusal([](Sample& s) { s.node("Identity", "again", {"conv_out"}, "relu_out"); },
                 {"'relu_out' is written twice"});
  expect_refusal([](Sample& s) { s.graph().add_input()->set_name("second"); }, {"2 inputs"});
  expect_refusal(
      [](Sample& s) {
        auto* shape = s.graph().mutable_input(0)->mutable_type()->mutable_tensor_type();
        shape->mutable_shape()->mutable_dim(0)->set_dim_value(8);
      },
      {"input 'input'", "batch is 8"});
  expect_refusal(
      [](Sample& s) {
        auto* shape = s.graph().mutable_input(0)->mutable_type()->mutable_tensor_type();
        shape->mutable_shape()->mutable_dim(2)->set_dim_param("height");
      },
      {"input 'input'", "fixed dimensions"});
  expect_refusal(Sample({.tail = "Softmax,Relu"}).bytes(), {"Relu 'Relu'", "follows Softmax"});
}

TEST(OnnxRefusal, PaddingThatAnAverageDoesNotCount) {
  const auto padded = [](Sample& s) {
    find_node(s, "pool").set_op_type("AveragePool");
    Sample::attribute(find_node(s, "pool"), "pads", Dims{0, 1, 0, 1});
  };
  expect_refusal(padded, {"AveragePool 'pool'", "count_include_pad 0", "count_include_pad 1"});
  // The same where it counts; the network ends in a dense layer of another size.
  expect_refusal(
      [&](Sample& s) {
        padded(s);
        Sample::attribute(find_node(s, "pool"), "count_include_pad", std::int64_t{1});
      },
      {"Gemm 'dense'", "features of its input"});
}

TEST(OnnxRefusal, MeansOverOtherAxes) {
  expect_refusal(
      [](Sample& s) {
        find_node(s, "pool").set_op_type("ReduceMean");
        Sample::attribute(find_node(s, "pool"), "axes", Dims{1, 2});
      },
      {"ReduceMean 'pool'", "height and width"});
}

TEST(OnnxRefusal, ResidualAdds) {
  // Before the last node, since what follows the output is not looked at.
  const auto add = [](Sample& s, const std::string& a, const std::string& b) {
    s.node("Add", "residual", {a, b}, "residual_out");
    auto& nodes = *s.graph().mutable_node();
    nodes.SwapElements(nodes.size() - 1, nodes.size() - 2);
  };
  // Shapes: the input has 2 channels, the convolution 4.
  expect_refusal([&](Sample& s) { add(s, "x_q_dq", "y_q_dq"); },
                 {"Add 'residual'", "differ in shape", "broadcasting"});
  expect_refusal([&](Sample& s) { add(s, "y_q_dq", "dense_out"); },
                 {"tensor 'dense_out'", "branches", "Add 'residual'"});
  expect_refusal([&](Sample& s) { add(s, "y_q", "y_q_dq"); },
                 {"Add 'residual'", "not a dequantised tensor"});
  expect_refusal([&](Sample& s) { add(s, "y_q_dq", "y_q_dq"); },
                 {"tensor 'residual_out'", "no node reads it"});
}

TEST(OnnxRefusal, ImagesQuantisedTwice) {
  test::OnnxBuilder b({1, 1, 4, 4}, Sample::kInt8);
  b.parameters("x", 0.5F, 3, Sample::kInt8);
  b.parameters("y", 0.25F, 3, Sample::kInt8);
  b.node("DequantizeLinear", "one", {"input", "x_scale", "x_zero"}, "one");
  b.node("DequantizeLinear", "two", {"input", "y_scale", "y_zero"}, "two");
  b.node("Add", "residual", {"one", "two"}, "sum");
  expect_refusal(b.bytes("sum"), {"DequantizeLinear 'two'", "image differ"});
}

TEST(OnnxRefusal, Constants) {
  expect_refusal(
      [](Sample& s) { find_constant(s, "w1").set_data_location(onnx::TensorProto::EXTERNAL); },
      {"tensor 'w1'", "another file"});
  expect_refusal([](Sample& s) { find_constant(s, "w1").add_int32_data(0); },
                 {"tensor 'w1'", "73 elements", "needs 72"});
  expect_refusal([](Sample& s) { find_constant(s, "w2").set_dims(0, 1LL << 62); },
                 {"tensor 'w2'", "impossible"});
  expect_refusal([](Sample& s) { find_constant(s, "w2").set_data_type(10); },
                 {"Gemm 'dense'", "FLOAT16"});
}

TEST(OnnxRefusal, FilesThatAreNotModels) {
  expect_refusal("", {"not an ONNX model"});
  expect_refusal("hello", {"not an ONNX model"});
  const test::TemporaryFolder folder;
  EXPECT_THROW(import_onnx(folder / "missing.onnx"), InputError);
  EXPECT_THROW(import_onnx(folder / ""), InputError);
}

TEST(OnnxRefusal, EveryTruncationIsNoticed) {
  Sample sample({});
  sample.model.clear_opset_import();  // would come after the graph, where nothing is missed
  const std::string bytes = sample.bytes();
  const test::TemporaryFolder folder;
  for (std::size_t size = 0; size < bytes.size(); size += 7) {
    EXPECT_THROW(import_onnx(folder.write("cut.onnx", bytes.substr(0, size))), InputError) << size;
  }
}

TEST(OnnxRefusal, RandomDamageNeverEscapesAsAnotherError) {
  const test::TemporaryFolder folder;
  Stream stream(32, 0, Purpose::test);
  const std::string good = Sample({}).bytes();
  int imported = 0;
  for (int i = 0; i < 5000; ++i) {
    std::string bad = good;
    for (std::uint64_t flips = stream.below(3) + 1; flips > 0; --flips) {
      bad[stream.below(bad.size())] = static_cast<char>(stream.below(256));
    }
    try {
      import_onnx(folder.write("bad.onnx", bad));
      ++imported;  // a changed weight, say
    } catch (const InputError&) {
    }
  }
  EXPECT_GT(imported, 0);
  EXPECT_LT(imported, 5000);
}

}  // namespace
}  // namespace sagitta
