// The constants of a quantised ONNX graph: scales, zero points, weights and biases, with the
// QuantizeLinear and DequantizeLinear nodes around them folded away.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "network/onnx_graph.h"

namespace sagitta {

// real = scale * (code - zero_point), codes as int8 (uint8 ones are lowered by 128).
struct Quantisation {
  float scale = 1.0F;
  int zero_point = 0;
  bool operator==(const Quantisation&) const = default;
};

// Weights with the output channel as an axis of its own; zero point 0.
struct QuantisedWeights {
  std::vector<std::int64_t> shape;  // as in ONNX
  std::vector<std::int8_t> codes;
  std::vector<float> scale;  // one, or one an output channel
};

class OnnxConstants {
 public:
  explicit OnnxConstants(const OnnxGraph& graph) : graph_(graph) {}

  // Scale and zero point of one tensor from inputs `scale_input` and the one after it of `node`.
  // A missing zero point means uint8 0, as in ONNX, unless `type` says int8.
  Quantisation quantisation(const OnnxNode& node, std::size_t scale_input,
                            OnnxType type = OnnxType::uint8) const;

  // The type of zero point input `index`, or `otherwise` if the input is left out.
  OnnxType zero_point_type(const OnnxNode& node, std::size_t index, OnnxType otherwise) const;

  // Input `index` of a float operator: a dequantised constant. `channel_axis` is the axis of the
  // output channels.
  QuantisedWeights weights(const OnnxNode& node, std::size_t index, int channel_axis) const;
  // Weights of a QLinear operator: codes, scale and zero point are inputs in a row from `index`.
  QuantisedWeights qlinear_weights(const OnnxNode& node, std::size_t index, int channel_axis) const;

  // A bias of `channels` values in steps of step[n] = x_scale * w_scale[n]: int32 codes if it is
  // a dequantised constant of these steps, otherwise rounded half to even.
  std::vector<std::int32_t> bias(const OnnxNode& node, std::size_t index,
                                 const std::vector<float>& step) const;
  // The int32 bias of QLinearConv.
  std::vector<std::int32_t> qlinear_bias(const OnnxNode& node, std::size_t index,
                                         std::size_t channels) const;

  // A constant of one float, for Clip. Nothing if the input is left out.
  std::optional<float> scalar(const OnnxNode& node, std::size_t index) const;
  std::vector<std::int64_t> integers(const OnnxNode& node, std::size_t index) const;

  [[noreturn]] void fail(const OnnxNode& node, const std::string& problem,
                         const std::string& remedy) const;

 private:
  const OnnxTensor& constant(const OnnxNode& node, std::size_t index, const char* what) const;
  std::vector<float> scales(const OnnxNode& node, std::size_t index, const char* what) const;
  QuantisedWeights make_weights(const OnnxNode& node, const OnnxTensor& codes,
                                std::vector<float> scale, const OnnxTensor* zero_point,
                                int channel_axis) const;
  OnnxTensor quantise_constant(const OnnxNode& quantize) const;
  const std::string& through_identity(const std::string& tensor) const;

  const OnnxGraph& graph_;
};

// A node as error messages name it.
std::string describe(const OnnxNode& node);

}  // namespace sagitta
