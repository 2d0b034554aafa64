// An ONNX file as plain data: nodes with their attributes, and constants as numbers. Keeps protobuf
// out of everything that reasons about the network.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace sagitta {

enum class OnnxType { int8, uint8, int32, int64, float32, other };

struct OnnxTensor {
  OnnxType type = OnnxType::other;
  std::string type_name;            // for messages, as ONNX spells it
  std::vector<std::int64_t> shape;  // empty: a scalar
  std::vector<std::int64_t> ints;   // integer types
  std::vector<float> floats;        // float32

  std::int64_t elements() const;
};

struct OnnxNode {
  std::string op;    // with its domain in front unless that is ONNX's own
  std::string name;  // the node's name, or its first output when it has none
  std::string domain;
  std::vector<std::string> inputs;  // "" where an optional input is left out
  std::vector<std::string> outputs;
  std::map<std::string, std::int64_t> int_attributes;
  std::map<std::string, float> float_attributes;
  std::map<std::string, std::vector<std::int64_t>> list_attributes;
  std::map<std::string, std::string> text_attributes;

  bool has_input(std::size_t index) const {
    return index < inputs.size() && !inputs[index].empty();
  }
  std::int64_t int_or(const std::string& key, std::int64_t otherwise) const;
  float float_or(const std::string& key, float otherwise) const;
  std::string text_or(const std::string& key, const std::string& otherwise) const;
};

struct OnnxGraph {
  std::string file;
  std::vector<OnnxNode> nodes;
  std::map<std::string, OnnxTensor> constants;  // initializers and Constant nodes
  std::string input;
  OnnxType input_type = OnnxType::float32;
  std::vector<std::int64_t> input_shape;  // -1 where the file gives a name or nothing
  std::string output;

  // The node that writes a tensor; nullptr for the graph input and for initializers.
  const OnnxNode* producer(const std::string& tensor) const;
  std::vector<const OnnxNode*> consumers(const std::string& tensor) const;
  // Does the tensor depend on constants only?
  bool is_constant(const std::string& tensor) const;

  // Filled by read_onnx, for the questions above.
  std::map<std::string, std::size_t> producer_of;                // index into nodes
  std::map<std::string, std::vector<std::size_t>> consumers_of;  // indices into nodes
  std::set<std::string> computed_constants;  // written by nodes that read constants only
};

// Throws InputError: unreadable, not ONNX, truncated, weights stored in other files, not exactly
// one input and one output, a cycle.
OnnxGraph read_onnx(const std::string& path);

}  // namespace sagitta
