// Walks the one data path of a quantised ONNX graph and turns it into layers.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "network/network.h"
#include "network/onnx_constants.h"

namespace sagitta {

class OnnxChain {
 public:
  explicit OnnxChain(const OnnxGraph& graph) : graph_(graph), constants_(graph) {}

  // Everything but name and digest. Throws InputError. Call once.
  Network lower();

 private:
  // What the tensor that the walk stands at holds.
  enum class Holds {
    real,   // float32; if quantisation_ is set, exactly the values of dequantised codes
    codes,  // int8 or uint8
    sums,   // float32 result of a convolution or dense layer, not quantised yet
    scores  // behind Softmax or ArgMax: nothing more to compute
  };

  void start();
  const OnnxNode& next_node() const;
  void step(const OnnxNode& node);

  void quantize(const OnnxNode& node);
  void dequantize(const OnnxNode& node);
  void convolution(const OnnxNode& node);
  void dense(const OnnxNode& node);
  void qlinear(const OnnxNode& node);
  void add(const OnnxNode& node);
  void bound(const OnnxNode& node, std::optional<float> low, std::optional<float> high);
  void max_pool(const OnnxNode& node);
  void flatten(const OnnxNode& node);
  void reshape(const OnnxNode& node);
  void finish();

  // Fills shapes, weights and zero point of pending_ from ONNX weights [N, C, kh, kw] or, for dense
  // layers, [K, N] or [N, K].
  void begin_convolution(const OnnxNode& node, const QuantisedWeights& weights);
  void begin_dense(const OnnxNode& node, const QuantisedWeights& weights, bool channels_first);
  void begin(const OnnxNode& node, const QuantisedWeights& weights);
  void add_bias(const std::vector<std::int32_t>& bias);
  // Ends pending_: the sums become codes of `to`, in the tensor `output`.
  void requantise_to(const OnnxNode& node, const Quantisation& to, const std::string& output);
  void require(const OnnxNode& node, bool condition, const char* problem, const char* remedy) const;
  void require_real_input(const OnnxNode& node) const;

  const OnnxGraph& graph_;
  OnnxConstants constants_;
  Network network_;

  std::string tensor_;
  Holds holds_ = Holds::real;
  std::optional<Quantisation> quantisation_;  // of codes, or of the codes that real came from
  OnnxType code_type_ = OnnxType::uint8;
  FeatureShape shape_;
  // The map before Flatten: its elements stay in HWC order where ONNX has CHW order, so that the
  // weights of the next layer are reordered instead.
  std::optional<FeatureShape> flattened_;

  // While holds_ is sums.
  Layer pending_;
  std::vector<float> sum_scale_;     // [N]; real value of one step of a sum
  std::optional<float> low_, high_;  // bounds from Relu or Clip
  std::vector<Layer> pools_;         // poolings before the quantisation: the maximum of rounded
                                     // values is the rounded maximum, so they move behind it
  bool has_bias_ = false;
};

}  // namespace sagitta
