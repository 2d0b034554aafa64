// Writes small ONNX models for tests through the protobuf classes.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <string>
#include <vector>

namespace sagitta::test {

using Dims = std::vector<std::int64_t>;

class OnnxBuilder {
 public:
  onnx::ModelProto model;

  // A dimension of -1 becomes the symbolic dimension N.
  explicit OnnxBuilder(const Dims& input_shape, int input_type = onnx::TensorProto::FLOAT) {
    model.set_ir_version(7);
    model.add_opset_import()->set_version(13);
    graph().set_name("test");
    auto* input = graph().add_input();
    input->set_name("input");
    auto* type = input->mutable_type()->mutable_tensor_type();
    type->set_elem_type(input_type);
    for (const std::int64_t extent : input_shape) {
      auto* dim = type->mutable_shape()->add_dim();
      if (extent < 0) {
        dim->set_dim_param("N");
      } else {
        dim->set_dim_value(extent);
      }
    }
  }

  onnx::GraphProto& graph() { return *model.mutable_graph(); }

  std::string floats(const std::string& name, const Dims& dims, const std::vector<float>& values) {
    auto& tensor = initializer(name, dims, onnx::TensorProto::FLOAT);
    for (const float value : values) tensor.add_float_data(value);
    return name;
  }

  // Integer constants; 64-bit ones go where ONNX wants them.
  std::string ints(const std::string& name, const Dims& dims, int type,
                   const std::vector<std::int64_t>& values) {
    auto& tensor = initializer(name, dims, type);
    for (const std::int64_t value : values) {
      if (type == onnx::TensorProto::INT64) {
        tensor.add_int64_data(value);
      } else {
        tensor.add_int32_data(static_cast<std::int32_t>(value));
      }
    }
    return name;
  }

  onnx::NodeProto& node(const std::string& op, const std::string& name,
                        const std::vector<std::string>& inputs, const std::string& output) {
    auto* result = graph().add_node();
    result->set_op_type(op);
    result->set_name(name);
    for (const std::string& input : inputs) result->add_input(input);
    result->add_output(output);
    return *result;
  }

  static void attribute(onnx::NodeProto& node, const std::string& name, std::int64_t value) {
    auto* result = node.add_attribute();
    result->set_name(name);
    result->set_type(onnx::AttributeProto::INT);
    result->set_i(value);
  }

  static void attribute(onnx::NodeProto& node, const std::string& name, float value) {
    auto* result = node.add_attribute();
    result->set_name(name);
    result->set_type(onnx::AttributeProto::FLOAT);
    result->set_f(value);
  }

  static void attribute(onnx::NodeProto& node, const std::string& name, const Dims& values) {
    auto* result = node.add_attribute();
    result->set_name(name);
    result->set_type(onnx::AttributeProto::INTS);
    for (const std::int64_t value : values) result->add_ints(value);
  }

  static void attribute(onnx::NodeProto& node, const std::string& name, const std::string& value) {
    auto* result = node.add_attribute();
    result->set_name(name);
    result->set_type(onnx::AttributeProto::STRING);
    result->set_s(value);
  }

  // Scale and zero point constants `name`_scale and `name`_zero; type INT8 or UINT8.
  std::vector<std::string> parameters(const std::string& name, float scale, int zero_point,
                                      int type) {
    return {floats(name + "_scale", {}, {scale}), ints(name + "_zero", {}, type, {zero_point})};
  }

  // Both take constants `name`_scale and `name`_zero, and write `name`_q and `name`_dq.
  std::string quantize(const std::string& name, const std::string& tensor) {
    node("QuantizeLinear", name + "_quantize", {tensor, name + "_scale", name + "_zero"},
         name + "_q");
    return name + "_q";
  }
  std::string dequantize(const std::string& name, const std::string& tensor) {
    const std::string output = tensor + "_dq";
    node("DequantizeLinear", output, {tensor, name + "_scale", name + "_zero"}, output);
    return output;
  }

  std::string bytes(const std::string& output) {
    graph().clear_output();
    graph().add_output()->set_name(output);
    return model.SerializeAsString();
  }

 private:
  onnx::TensorProto& initializer(const std::string& name, const Dims& dims, int type) {
    auto* tensor = graph().add_initializer();
    tensor->set_name(name);
    tensor->set_data_type(type);
    for (const std::int64_t extent : dims) tensor->add_dims(extent);
    return *tensor;
  }
};

}  // namespace sagitta::test
