// The integer reference executor: what every other way of computing a network must equal bit for
// bit. Plain loops, no hardware: it exists to be compared with.
#pragma once

#include <cstdint>
#include <vector>

#include "network/network.h"

namespace sagitta {

struct LayerValues {
  std::vector<std::int32_t> sums;   // gemm: [M][N] after bias, before requantisation; else empty
  std::vector<std::int8_t> output;  // HWC
};

// One layer. `input` has layer.input.elements() values, HWC, and so has `second`, add's other
// operand; other layers leave it empty. Sums wrap mod 2^32.
LayerValues run_layer(const Layer& layer, const std::vector<std::int8_t>& input,
                      const std::vector<std::int8_t>& second = {});

// All layers in order; the last entry's output are the logits.
std::vector<LayerValues> run_network(const Network& network, const std::vector<std::int8_t>& input);

// Index of the largest logit, the lowest index on ties (as ONNX ArgMax and NumPy do).
int top1(const std::vector<std::int8_t>& logits);

}  // namespace sagitta
