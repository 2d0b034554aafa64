// The quantised network as every other part of Sagitta sees it: layers in order of execution over
// int8 feature maps stored HWC (row, column, channel; channel fastest), one image at a time.
//
// Quantisation is the ONNX one: real = scale * (q - zero_point). uint8 tensors are imported as
// int8 with value and zero point lowered by 128, which names the same real numbers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "network/fixed_scale.h"

namespace sagitta {

struct FeatureShape {
  int height = 1;
  int width = 1;
  int channels = 1;
  int elements() const { return height * width * channels; }
  bool operator==(const FeatureShape&) const = default;
};

// Geometry of a convolution or pooling window. Padding is counted in input elements.
struct Window {
  int kernel_h = 1, kernel_w = 1;
  int stride_h = 1, stride_w = 1;
  int dilation_h = 1, dilation_w = 1;
  int pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  bool operator==(const Window&) const = default;
};

enum class LayerKind {
  gemm,          // convolution, or a dense layer seen as a 1x1 convolution over a 1x1 map
  max_pool,      // padding never wins: padded taps are skipped
  average_pool,  // round(sum of (x - zero point) * scale), padded taps add nothing
  add,           // residual: round((a - zero point) * scale + (b - second one) * second scale)
};

inline const char* to_string(LayerKind kind) {
  constexpr const char* kNames[] = {"gemm", "max_pool", "average_pool", "add"};
  return kNames[static_cast<int>(kind)];
}

// One layer. A gemm layer multiplies A (M x K, im2col of the input) with B (K x N, weights):
// M = output.height * output.width, K = kernel_h * kernel_w * input.channels / groups,
// N = output.channels. Column n belongs to group n / (N / groups), which has input channels of its
// own; depthwise convolution has as many groups as channels.
struct Layer {
  std::string name;           // the ONNX node's name
  std::string output_tensor;  // the ONNX name of the quantised tensor it writes; of the float
                              // tensor where the graph quantises only after a later pooling
  LayerKind kind = LayerKind::gemm;
  // Where the operands come from: indices of earlier layers, -1 the image. Two for add, otherwise
  // one; empty means the layer before.
  std::vector<int> sources;
  FeatureShape input;  // of each operand
  FeatureShape output;
  Window window;

  // kind == gemm only; without values (no weights) in a network of shapes, which is only timed.
  int groups = 1;
  std::vector<std::int8_t> weights;  // [K][N]; k runs over (kernel row, kernel column, channel)
  std::vector<std::int32_t> bias;    // [N]; includes -input_zero_point * sum_k weights[k][n],
                                     // wrapped mod 2^32, so that sum = bias + sum_k x[k] w[k][n]
  std::vector<FixedScale> scale;     // [N]; x_scale * w_scale[n] / y_scale
  bool has_relu = false;             // a fused ReLU: output_min is then the output zero point

  // kind == average_pool or add: what a tap counts in the output. For pooling both scales are
  // x_scale / (y_scale * taps).
  TapScale tap_scale;
  int second_zero_point = 0;  // of add's second operand; of pooling's one

  int input_zero_point = 0;  // also what padding holds
  int output_zero_point = 0;
  int output_min = -128;  // clamp after requantisation: saturation and fused ReLU
  int output_max = 127;
  float output_scale = 1.0F;  // real value of one step of the output

  bool has_values() const { return kind != LayerKind::gemm || !weights.empty(); }
  int rows() const { return output.height * output.width; }                                  // M
  int depth() const { return window.kernel_h * window.kernel_w * input.channels / groups; }  // K
  int columns() const { return output.channels; }                                            // N
  std::int64_t macs() const {
    return kind == LayerKind::gemm ? std::int64_t{rows()} * depth() * columns() : 0;
  }
};

struct Network {
  std::string name;
  std::string digest;  // SHA-256 of the ONNX file, lower-case hexadecimal
  FeatureShape input;
  float input_scale = 1.0F;
  int input_zero_point = 0;
  std::vector<Layer> layers;  // at least one; the last one's output are the logits

  int classes() const { return layers.back().output.elements(); }
  // Which layer's output operand 0 or 1 of `layer` is; -1: the image.
  int source(std::size_t layer, std::size_t operand = 0) const {
    const std::vector<int>& sources = layers[layer].sources;
    return sources.empty() ? static_cast<int>(layer) - 1 : sources[operand];
  }
};

}  // namespace sagitta
