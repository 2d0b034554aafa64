#include "network/onnx_graph.h"

#include <google/protobuf/io/coded_stream.h>
#include <onnx/onnx_pb.h>

#include <cstring>
#include <limits>

#include "base/error.h"
#include "base/file.h"

namespace sagitta {
namespace {

OnnxType type_of(int type) {
  switch (type) {
    case onnx::TensorProto::INT8:
      return OnnxType::int8;
    case onnx::TensorProto::UINT8:
      return OnnxType::uint8;
    case onnx::TensorProto::INT32:
      return OnnxType::int32;
    case onnx::TensorProto::INT64:
      return OnnxType::int64;
    case onnx::TensorProto::FLOAT:
      return OnnxType::float32;
    default:
      return OnnxType::other;
  }
}

std::string type_name(int type) {
  const std::string& name =
      onnx::TensorProto::DataType_Name(static_cast<onnx::TensorProto::DataType>(type));
  return name.empty() ? "type " + std::to_string(type) : name;
}

template <typename Element, typename Target>
void copy_raw(const std::string& raw, std::vector<Target>& values) {
  for (std::size_t at = 0; at + sizeof(Element) <= raw.size(); at += sizeof(Element)) {
    Element element;
    std::memcpy(&element, raw.data() + at, sizeof(Element));
    values.push_back(static_cast<Target>(element));
  }
}

class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) { graph_.file = path; }

  OnnxGraph read() {
    const std::string bytes = read_file(path_);
    onnx::ModelProto model;
    // Protobuf counts in int. Files beyond that keep their weights outside anyway.
    const bool parsed = bytes.size() <= std::numeric_limits<int>::max() &&
                        model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
    if (!parsed || !model.has_graph() || model.graph().node_size() == 0) {
      fail("", "this is not an ONNX model, or it is truncated",
           "export the model again; the file must hold one onnx.ModelProto of at most 2 GiB");
    }
    for (const auto& initializer : model.graph().initializer()) {
      graph_.constants[initializer.name()] = tensor(initializer, initializer.name());
    }
    if (model.graph().sparse_initializer_size() > 0) {
      fail("", "sparse initializers are not supported", "store the weights densely");
    }
    for (const auto& node : model.graph().node()) read_node(node);
    read_boundary(model.graph());
    index();
    return std::move(graph_);
  }

 private:
  [[noreturn]] void fail(const std::string& where, const std::string& problem,
                         const std::string& remedy) const {
    throw InputError(path_, where, problem, remedy);
  }

  OnnxTensor tensor(const onnx::TensorProto& proto, const std::string& name) const {
    const std::string where = "tensor '" + name + "'";
    if (proto.data_location() == onnx::TensorProto::EXTERNAL) {
      fail(where, "its data is stored in another file",
           "save the model with save_as_external_data=False");
    }
    OnnxTensor result;
    result.type = type_of(proto.data_type());
    result.type_name = type_name(proto.data_type());
    result.shape.assign(proto.dims().begin(), proto.dims().end());
    const std::string& raw = proto.raw_data();
    const bool is_raw = proto.has_raw_data();
    switch (result.type) {
      case OnnxType::int8:
        if (is_raw) copy_raw<std::int8_t>(raw, result.ints);
        break;
      case OnnxType::uint8:
        if (is_raw) copy_raw<std::uint8_t>(raw, result.ints);
        break;
      case OnnxType::int32:
        if (is_raw) copy_raw<std::int32_t>(raw, result.ints);
        break;
      case OnnxType::int64:
        if (is_raw) copy_raw<std::int64_t>(raw, result.ints);
        if (!is_raw) result.ints.assign(proto.int64_data().begin(), proto.int64_data().end());
        break;
      case OnnxType::float32:
        if (is_raw) copy_raw<float>(raw, result.floats);
        if (!is_raw) result.floats.assign(proto.float_data().begin(), proto.float_data().end());
        break;
      case OnnxType::other:
        return result;  // refused where it is used, by a message that knows what for
    }
    const bool narrow = result.type == OnnxType::int8 || result.type == OnnxType::uint8 ||
                        result.type == OnnxType::int32;
    if (!is_raw && narrow) result.ints.assign(proto.int32_data().begin(), proto.int32_data().end());

    std::int64_t expected = 1;
    for (const std::int64_t extent : result.shape) {
      constexpr std::int64_t kLimit = std::numeric_limits<int>::max();
      if (extent < 0 || (extent > 0 && expected > kLimit / extent)) {
        fail(where, "its shape is impossible", "export the model again");
      }
      expected *= extent;
    }
    if (result.elements() != expected) {
      fail(where,
           "it has " + std::to_string(result.elements()) + " elements and its shape needs " +
               std::to_string(expected),
           "export the model again");
    }
    return result;
  }

  void read_node(const onnx::NodeProto& proto) {
    OnnxNode node;
    node.domain = proto.domain() == "ai.onnx" ? "" : proto.domain();
    node.op = node.domain.empty() ? proto.op_type() : node.domain + "." + proto.op_type();
    node.inputs.assign(proto.input().begin(), proto.input().end());
    node.outputs.assign(proto.output().begin(), proto.output().end());
    if (node.outputs.empty())
      fail("node '" + proto.name() + "'", "it has no output", "export again");
    node.name = proto.name().empty() ? node.outputs[0] : proto.name();
    for (const auto& attribute : proto.attribute()) {
      const std::string& key = attribute.name();
      switch (attribute.type()) {
        case onnx::AttributeProto::INT:
          node.int_attributes[key] = attribute.i();
          break;
        case onnx::AttributeProto::FLOAT:
          node.float_attributes[key] = attribute.f();
          break;
        case onnx::AttributeProto::STRING:
          node.text_attributes[key] = attribute.s();
          break;
        case onnx::AttributeProto::INTS:
          node.list_attributes[key].assign(attribute.ints().begin(), attribute.ints().end());
          break;
        default:
          break;  // none of the supported operators has others, Constant apart
      }
      if (node.op == "Constant" && key == "value") {
        graph_.constants[node.outputs[0]] = tensor(attribute.t(), node.outputs[0]);
      }
    }
    if (node.op == "Constant") {
      constant_from_attributes(node);
    } else {
      graph_.nodes.push_back(std::move(node));
    }
  }

  // The other forms of Constant: value_float, value_int, value_ints.
  void constant_from_attributes(const OnnxNode& node) {
    if (graph_.constants.contains(node.outputs[0])) return;
    OnnxTensor& value = graph_.constants[node.outputs[0]];
    if (node.float_attributes.contains("value_float")) {
      value = {OnnxType::float32, "FLOAT", {}, {}, {node.float_attributes.at("value_float")}};
    } else if (node.int_attributes.contains("value_int")) {
      value = {OnnxType::int64, "INT64", {}, {node.int_attributes.at("value_int")}, {}};
    } else if (node.list_attributes.contains("value_ints")) {
      const auto& list = node.list_attributes.at("value_ints");
      value = {OnnxType::int64, "INT64", {static_cast<std::int64_t>(list.size())}, list, {}};
    }
  }

  void read_boundary(const onnx::GraphProto& proto) {
    int inputs = 0;
    for (const auto& input : proto.input()) {
      if (graph_.constants.contains(input.name())) continue;  // before IR version 4
      ++inputs;
      graph_.input = input.name();
      const auto& type = input.type().tensor_type();
      graph_.input_type = type_of(type.elem_type());
      for (const auto& extent : type.shape().dim()) {
        graph_.input_shape.push_back(extent.has_dim_value() ? extent.dim_value() : -1);
      }
    }
    if (inputs != 1 || proto.output_size() != 1) {
      fail("",
           "the model has " + std::to_string(inputs) + " inputs and " +
               std::to_string(proto.output_size()) + " outputs",
           "export a model with one image as input and its logits as output");
    }
    graph_.output = proto.output(0).name();
  }

  void index() {
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      const OnnxNode& node = graph_.nodes[i];
      bool reads_data = false;
      for (const std::string& output : node.outputs) {
        if (output.empty()) continue;
        if (!graph_.producer_of.emplace(output, i).second || output == graph_.input ||
            graph_.constants.contains(output)) {
          fail("node '" + node.name + "'", "tensor '" + output + "' is written twice",
               "export the model again");
        }
      }
      for (const std::string& input : node.inputs) {
        if (input.empty()) continue;
        // ONNX wants nodes in the order of execution, which also rules out cycles.
        const auto producer = graph_.producer_of.find(input);
        if (input != graph_.input && !graph_.constants.contains(input) &&
            (producer == graph_.producer_of.end() || producer->second >= i)) {
          fail("node '" + node.name + "'", "no node before it writes its input '" + input + "'",
               "export the model again, with its nodes in the order of execution");
        }
        auto& consumers = graph_.consumers_of[input];
        if (consumers.empty() || consumers.back() != i) consumers.push_back(i);
        reads_data = reads_data || !graph_.is_constant(input);
      }
      if (!reads_data) graph_.computed_constants.insert(node.outputs.begin(), node.outputs.end());
    }
  }

  std::string path_;
  OnnxGraph graph_;
};

template <typename Map, typename Value>
Value find_or(const Map& map, const std::string& key, const Value& otherwise) {
  const auto found = map.find(key);
  return found == map.end() ? otherwise : found->second;
}

}  // namespace

std::int64_t OnnxTensor::elements() const {
  return static_cast<std::int64_t>(type == OnnxType::float32 ? floats.size() : ints.size());
}

std::int64_t OnnxNode::int_or(const std::string& key, std::int64_t otherwise) const {
  return find_or(int_attributes, key, otherwise);
}

float OnnxNode::float_or(const std::string& key, float otherwise) const {
  return find_or(float_attributes, key, otherwise);
}

std::string OnnxNode::text_or(const std::string& key, const std::string& otherwise) const {
  return find_or(text_attributes, key, otherwise);
}

const OnnxNode* OnnxGraph::producer(const std::string& tensor) const {
  const auto found = producer_of.find(tensor);
  return found == producer_of.end() ? nullptr : &nodes[found->second];
}

std::vector<const OnnxNode*> OnnxGraph::consumers(const std::string& tensor) const {
  std::vector<const OnnxNode*> result;
  const auto found = consumers_of.find(tensor);
  if (found == consumers_of.end()) return result;
  for (const std::size_t index : found->second) result.push_back(&nodes[index]);
  return result;
}

bool OnnxGraph::is_constant(const std::string& tensor) const {
  return constants.contains(tensor) || computed_constants.contains(tensor);
}

OnnxGraph read_onnx(const std::string& path) {
  return Reader(path).read();
}

}  // namespace sagitta
