// Walks a quantised ONNX graph in its order of execution and turns it into layers.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "network/network.h"
#include "network/onnx_constants.h"

namespace sagitta {

class OnnxLowering {
 public:
  explicit OnnxLowering(const OnnxGraph& graph) : graph_(graph), constants_(graph) {}

  // Everything but name and digest. Throws InputError. Call once.
  Network lower();

 private:
  enum class Holds {
    real,   // float32; if quantisation is set, exactly the values of dequantised codes
    codes,  // int8 or uint8
    sums,   // float32 result of a layer, not quantised yet
    scores  // behind Softmax or ArgMax: nothing more to compute
  };

  // A layer whose result is still to be quantised.
  struct Pending {
    Layer layer;
    std::vector<float> sum_scale;    // gemm: [N]; real value of one step of a sum
    double first_scale = 0;          // average_pool, add: real value of a tap's step
    double second_scale = 0;         //
    std::optional<float> low, high;  // bounds from Relu or Clip
    std::vector<Layer> pools;        // max poolings before the quantisation: the maximum of rounded
                                     // values is the rounded maximum, so they move behind it
    bool has_bias = false;
  };

  // A tensor of the graph that depends on the image.
  struct Tensor {
    std::string name;
    Holds holds = Holds::real;
    std::optional<Quantisation> quantisation;  // of codes, or of the codes that real came from
    OnnxType code_type = OnnxType::uint8;
    FeatureShape shape;
    // The map before Flatten: its elements stay in HWC order where ONNX has CHW order, so that the
    // weights of the next layer are reordered instead.
    std::optional<FeatureShape> flattened;
    int layer = -1;   // that computed it; the image's is -1
    Pending pending;  // while it holds sums
  };

  void start();
  // Takes the tensor `name` as the one that `node` works on.
  Tensor take(const OnnxNode& node, const std::string& name);
  void refuse_branch(const Tensor& tensor) const;
  void step(const OnnxNode& node);
  void data_operator(const OnnxNode& node);

  void quantize(const OnnxNode& node);
  void dequantize(const OnnxNode& node);
  void convolution(const OnnxNode& node);
  void dense(const OnnxNode& node);
  void qlinear(const OnnxNode& node);
  // Codes of known quantisation enter a QLinear operator, at input `scale_input` and the next one.
  void take_codes(const OnnxNode& node, Tensor& tensor, std::size_t scale_input);
  void qlinear_output(const OnnxNode& node, std::size_t scale_input);
  void add(const OnnxNode& node);
  void residual(const OnnxNode& node, const Tensor& other);
  void set_input_quantisation(const OnnxNode& node, const Quantisation& quantisation);
  void bound(const OnnxNode& node, std::optional<float> low, std::optional<float> high);
  Layer pool(const OnnxNode& node, LayerKind kind) const;
  void max_pool(const OnnxNode& node);
  void average_pool(const OnnxNode& node);
  void reduce_mean(const OnnxNode& node);
  void flatten(const OnnxNode& node);
  void reshape(const OnnxNode& node);
  void finish();

  // Fills shapes, weights and zero point of the pending layer from ONNX weights [N, C, kh, kw] or,
  // for dense layers, [K, N] or [N, K].
  void begin_convolution(const OnnxNode& node, const QuantisedWeights& weights);
  void begin_dense(const OnnxNode& node, const QuantisedWeights& weights, bool channels_first);
  void begin(const OnnxNode& node, const QuantisedWeights& weights);
  void add_bias(const std::vector<std::int32_t>& bias);
  // Ends the pending layer: the sums become codes of `to`, in the tensor `output`.
  void requantise_to(const OnnxNode& node, const Quantisation& to, const std::string& output);
  void require(const OnnxNode& node, bool condition, const char* problem, const char* remedy) const;
  void require_real_input(const OnnxNode& node) const;
  void push(Layer layer);

  const OnnxGraph& graph_;
  OnnxConstants constants_;
  Network network_;

  std::map<std::string, Tensor> tensors_;  // that later nodes read
  Tensor at_;                              // what the node at work reads, then what it writes
  bool has_input_quantisation_ = false;
};

}  // namespace sagitta
