// One small network in the many ways in which exporters write it.
//
// int8 input 2 x 6 x 6 -> convolution 3x3, 4 channels, padding 1, ReLU -> max pooling 2x2 ->
// flatten -> dense layer with 5 outputs.
#pragma once

#include <string>
#include <vector>

#include "base/philox.h"
#include "support/onnx_builder.h"

namespace sagitta::test {

struct Variant {
  bool unsigned_activations = false;  // uint8, zero points 128 higher
  bool unsigned_weights = false;      // uint8 with zero point 128
  bool float_weights = false;         // QuantizeLinear and DequantizeLinear of a float constant
  bool per_channel = true;
  bool float_bias = false;
  bool clip = false;            // Clip with minimum 0 instead of Relu
  bool clip_attribute = false;  // the same before opset 11
  bool same_padding = false;    // auto_pad instead of pads
  bool pool_before_quantize = false;
  bool pool_on_codes = false;
  bool flatten_on_codes = false;
  bool reshape = false;
  bool matmul = false;  // MatMul and Add instead of Gemm
  bool transposed = true;
  bool identity = false;  // Identity and Dropout in between
  bool qlinear = false;
  bool quantised_input = false;  // the graph's input is the int8 tensor
  std::string tail = {};         // operators behind the logits, comma-separated
};

class Sample : public OnnxBuilder {
 public:
  static constexpr int kInt8 = onnx::TensorProto::INT8;
  static constexpr int kUint8 = onnx::TensorProto::UINT8;
  static constexpr int kConvScales = 4;
  static constexpr int kDepth = 36;
  static constexpr int kClasses = 5;

  explicit Sample(const Variant& variant)
      : OnnxBuilder({-1, 2, 6, 6},
                    variant.quantised_input ? type(variant) : int{onnx::TensorProto::FLOAT}),
        v_(variant) {
    activation("x", 0.05F, -3);
    activation("y", 0.11F, -128);
    activation("z", 0.23F, 7);
    std::string tensor = v_.quantised_input ? "input" : quantize("x", pass("input"));
    tensor = v_.qlinear ? qlinear(tensor) : qdq(tensor);
    for (std::size_t start = 0; start < v_.tail.size();) {
      const std::size_t end = std::min(v_.tail.find(',', start), v_.tail.size());
      const std::string op = v_.tail.substr(start, end - start);
      node(op, op, {tensor}, op + "_out");
      tensor = op + "_out";
      start = end + 1;
    }
    output_ = tensor;
  }

  std::string bytes() { return OnnxBuilder::bytes(output_); }

 private:
  static int type(const Variant& v) { return v.unsigned_activations ? kUint8 : kInt8; }

  void activation(const std::string& name, float scale, int zero_point) {
    parameters(name, scale, zero_point + (v_.unsigned_activations ? 128 : 0), type(v_));
  }

  std::string pass(const std::string& tensor) {
    if (!v_.identity) return tensor;
    node("Identity", tensor + "_identity", {tensor}, tensor + "_same");
    node("Dropout", tensor + "_dropout", {tensor + "_same"}, tensor + "_dropped");
    return tensor + "_dropped";
  }

  std::vector<float> weight_scales(int channels) const {
    std::vector<float> scales;
    for (int n = 0; n < (v_.per_channel ? channels : 1); ++n) {
      scales.push_back(0.01F + 0.003F * static_cast<float>(n));
    }
    return scales;
  }

  // The same codes in every variant.
  static std::vector<std::int64_t> codes(int count, std::uint64_t trial) {
    Stream stream(31, trial, Purpose::test);
    std::vector<std::int64_t> values;
    for (int i = 0; i < count; ++i) {
      values.push_back(static_cast<std::int64_t>(stream.below(255)) - 127);
    }
    return values;
  }

  // Constants of the weights; for dense layers ONNX's [N, K] becomes [K, N] unless transposed.
  std::vector<std::string> weight_constants(const std::string& name, const Dims& shape,
                                            std::uint64_t trial) {
    const int channels = static_cast<int>(shape[0]);
    int count = 1;
    for (const std::int64_t extent : shape) count *= static_cast<int>(extent);
    std::vector<std::int64_t> values = codes(count, trial);
    Dims stored = shape;
    const bool turn = shape.size() == 2 && (v_.matmul || v_.qlinear || !v_.transposed);
    const std::vector<float> scales = weight_scales(channels);
    const int depth = count / channels;
    std::vector<float> real;
    for (int i = 0; i < count; ++i) {
      real.push_back(static_cast<float>(values[i]) * scales[v_.per_channel ? i / depth : 0]);
    }
    if (turn) {
      stored = {shape[1], shape[0]};
      std::vector<std::int64_t> turned(values.size());
      std::vector<float> turned_real(values.size());
      for (int n = 0; n < channels; ++n) {
        for (int k = 0; k < depth; ++k) {
          turned[k * channels + n] = values[n * depth + k];
          turned_real[k * channels + n] = real[n * depth + k];
        }
      }
      values = turned;
      real = turned_real;
    }
    const Dims scale_dims = v_.per_channel ? Dims{channels} : Dims{};
    floats(name + "_scale", scale_dims, scales);
    const int zero = v_.unsigned_weights ? 128 : 0;
    const int code_type = v_.unsigned_weights ? kUint8 : kInt8;
    ints(name + "_zero", scale_dims, code_type, std::vector<std::int64_t>(scales.size(), zero));
    for (auto& value : values) value += zero;
    if (v_.float_weights) {
      floats(name, stored, real);
    } else {
      ints(name, stored, code_type, values);
    }
    return {name, name + "_scale", name + "_zero"};
  }

  std::string weights(const std::string& name, const Dims& shape, std::uint64_t trial) {
    std::vector<std::string> inputs = weight_constants(name, shape, trial);
    const bool turned = shape.size() == 2 && (v_.matmul || !v_.transposed);
    const std::int64_t axis = turned ? 1 : 0;
    if (v_.float_weights) {
      attribute(node("QuantizeLinear", name + "_quantize", inputs, name + "_q"), "axis", axis);
      inputs[0] = name + "_q";
    }
    attribute(node("DequantizeLinear", name + "_dequantize", inputs, name + "_dq"), "axis", axis);
    return name + "_dq";
  }

  std::string bias(const std::string& name, int channels, float x_scale, std::uint64_t trial) {
    std::vector<std::int64_t> values = codes(channels, trial);
    const std::vector<float> scales = weight_scales(channels);
    std::vector<float> step;
    for (const float scale : scales) step.push_back(x_scale * scale);
    if (v_.float_bias) {
      std::vector<float> real;
      for (int n = 0; n < channels; ++n) {
        // Not quite on the grid, so that rounding is needed.
        real.push_back((static_cast<float>(values[n]) + 0.4F) * step[v_.per_channel ? n : 0]);
      }
      return floats(name, {channels}, real);
    }
    ints(name, {channels}, onnx::TensorProto::INT32, values);
    if (v_.qlinear) return name;
    floats(name + "_scale", v_.per_channel ? Dims{channels} : Dims{}, step);
    attribute(node("DequantizeLinear", name + "_dequantize", {name, name + "_scale"}, name + "_dq"),
              "axis", std::int64_t{0});
    return name + "_dq";
  }

  std::string pool(const std::string& tensor) {
    auto& max_pool = node("MaxPool", "pool", {tensor}, "pool_out");
    attribute(max_pool, "kernel_shape", Dims{2, 2});
    attribute(max_pool, "strides", Dims{2, 2});
    return "pool_out";
  }

  std::string flatten(const std::string& tensor) {
    if (v_.reshape) {
      ints("flat_shape", {2}, onnx::TensorProto::INT64, {0, -1});
      node("Reshape", "flatten", {tensor, "flat_shape"}, "flat_out");
    } else {
      attribute(node("Flatten", "flatten", {tensor}, "flat_out"), "axis", std::int64_t{1});
    }
    return "flat_out";
  }

  std::string requantize(const std::string& prefix, const std::string& tensor) {
    node("QuantizeLinear", prefix + "_quantize", {tensor, "y_scale", "y_zero"}, prefix + "_q");
    return prefix + "_q";
  }

  std::string qdq(std::string tensor) {
    tensor = pass(dequantize("x", tensor));
    auto& conv =
        node("Conv", "conv", {tensor, weights("w1", {4, 2, 3, 3}, 1), bias("b1", 4, 0.05F, 2)},
             "conv_out");
    // Nodes must come in the order of execution: the weights' nodes were added first.
    if (v_.same_padding) {
      attribute(conv, "auto_pad", std::string("SAME_UPPER"));
    } else {
      attribute(conv, "pads", Dims{1, 1, 1, 1});
    }
    tensor = relu(pass("conv_out"));
    if (v_.pool_before_quantize) tensor = pool(tensor);
    tensor = requantize("y", tensor);
    if (v_.pool_on_codes) tensor = pool(tensor);
    if (v_.flatten_on_codes) tensor = flatten(tensor);
    tensor = dequantize("y", tensor);
    if (!v_.pool_on_codes && !v_.pool_before_quantize) {
      tensor = dequantize("y", requantize("p", pool(tensor)));
    }
    if (!v_.flatten_on_codes) tensor = dequantize("y", requantize("f", flatten(tensor)));
    tensor = pass(tensor);
    const std::string w = weights("w2", {kClasses, kDepth}, 3);
    const std::string b = bias("b2", kClasses, 0.11F, 4);
    if (v_.matmul) {
      node("MatMul", "dense", {tensor, w}, "matmul_out");
      node("Add", "dense_add", {b, "matmul_out"}, "dense_out");
    } else {
      auto& gemm = node("Gemm", "dense", {tensor, w, b}, "dense_out");
      if (v_.transposed) attribute(gemm, "transB", std::int64_t{1});
    }
    return pass(dequantize("z", quantize("z", "dense_out")));
  }

  std::string relu(const std::string& tensor) {
    if (v_.clip_attribute) {
      attribute(node("Clip", "relu", {tensor}, "relu_out"), "min", 0.0F);
    } else if (v_.clip) {
      node("Clip", "relu", {tensor, floats("zero", {}, {0.0F})}, "relu_out");
    } else {
      node("Relu", "relu", {tensor}, "relu_out");
    }
    return "relu_out";
  }

  // Without ReLU nodes: the zero point of y is the smallest code, so saturation is the ReLU.
  std::string qlinear(std::string tensor) {
    std::vector<std::string> inputs = {tensor, "x_scale", "x_zero"};
    for (const std::string& name : weight_constants("w1", {4, 2, 3, 3}, 1)) inputs.push_back(name);
    inputs.insert(inputs.end(), {"y_scale", "y_zero", bias("b1", 4, 0.05F, 2)});
    attribute(node("QLinearConv", "conv", inputs, "y_q"), "pads", Dims{1, 1, 1, 1});
    tensor = flatten(pool("y_q"));
    inputs = {tensor, "y_scale", "y_zero"};
    for (const std::string& name : weight_constants("w2", {kClasses, kDepth}, 3)) {
      inputs.push_back(name);
    }
    inputs.insert(inputs.end(), {"z_scale", "z_zero"});
    node("QLinearMatMul", "dense", inputs, "z_q");
    return dequantize("z", "z_q");
  }

  Variant v_;
  std::string output_;
};

}  // namespace sagitta::test
