// The network in real numbers: float32 sums and activations over the int8 network's weights and
// biases, dequantised. Nothing is rounded to codes or saturated, so this is what the literature's
// floating-point studies work on. A study in software beside the hardware: no machine computes it.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "network/network.h"

namespace sagitta {

struct FloatValues {
  std::vector<float> sums;    // gemm: [M][N] after bias, before the activation; else empty
  std::vector<float> output;  // HWC
};

class FloatNetwork {
 public:
  explicit FloatNetwork(const Network& network);  // which must outlive this

  const Network& network() const { return *network_; }
  // The input that int8 codes stand for.
  std::vector<float> input(const std::vector<std::int8_t>& codes) const;

  // Called with the sums of each gemm layer before its activation: for faults and checkers.
  using Change = std::function<void(std::size_t layer, std::vector<float>& sums)>;
  // One layer on real operands; `second`: add's other one. NaN goes through ReLU and pooling.
  FloatValues run_layer(std::size_t layer, const std::vector<float>& input,
                        const std::vector<float>& second = {}, const Change& change = {}) const;
  // All layers in order; the last entry's output are the logits.
  std::vector<FloatValues> run(const std::vector<std::int8_t>& codes,
                               const Change& change = {}) const;

 private:
  struct Gemm {
    std::vector<float> weights, bias;  // as in Layer
  };
  void run_gemm(const Layer& layer, const Gemm& gemm, const std::vector<float>& input,
                std::vector<float>& sums) const;

  const Network* network_;
  std::vector<Gemm> gemms_;  // by layer; empty where there is no product
};

// Index of the largest logit, the lowest one on ties; a NaN is larger than all (as in NumPy).
int top1(const std::vector<float>& logits);

}  // namespace sagitta
