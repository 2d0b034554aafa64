// Faults of other levels than registers, as the literature draws them: of neurons (elements of a
// gemm layer's result) and of weights in DRAM. Each element is hit with the same probability, on
// its own, in one uniformly drawn bit. What is hit depends on seed, trial, rate and network alone,
// so that every array, dataflow and scheme faces the same faults.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/philox.h"
#include "fault/injector.h"
#include "network/channel_order.h"
#include "network/network.h"

namespace sagitta {

// Which value of a neuron is hit: the int32 sum after bias, or the int8 output; or, in software,
// the same sum as a real number (campaign/float_study.h).
enum class NeuronValues : std::uint8_t { int32, int8, fp32 };
inline int bits_of(NeuronValues values) {
  return values == NeuronValues::int8 ? 8 : 32;
}
// By its name; the schema has refused others.
NeuronValues neuron_values(const std::string& name);

struct NeuronFault {
  int layer = 0;             // index into Network::layers, a gemm layer
  std::int32_t element = 0;  // of the layer's result, HWC
  int bit = 0;
  bool operator==(const NeuronFault&) const = default;
};

struct WeightFault {
  int layer = 0;  // index into Network::layers, a gemm layer
  int k = 0, n = 0;
  int bit = 0;
  bool operator==(const WeightFault&) const = default;
};

// All that strikes one inference.
struct TrialFaults {
  std::vector<Fault> registers{};
  NeuronValues values = NeuronValues::int8;
  std::vector<NeuronFault> neurons{};
  std::vector<WeightFault> weights{};
};

// Elements that can be hit: of the results of all gemm layers, and of their weights (no biases).
std::int64_t neuron_count(const Network& network);
std::int64_t weight_count(const Network& network);

// The draws of trial k, a pure function of the arguments. In the order of layers and elements;
// 0 < rate <= 1 is the probability that an element is hit, exact to 2^-50.
std::vector<NeuronFault> draw_neuron_faults(std::uint64_t seed, std::int64_t trial, double rate,
                                            NeuronValues values, const Network& network);
std::vector<WeightFault> draw_weight_faults(std::uint64_t seed, std::int64_t trial, double rate,
                                            const Network& network);

// The elements of 0 .. count - 1 that are hit, each with probability `rate`: in ascending order,
// from the gaps between them, so that the cost goes with the hits. Integers only: the same on every
// platform.
std::vector<std::int64_t> draw_hits(Stream stream, double rate, std::int64_t count);

// Faults are named in the experiment's network; on a machine whose channels stand in another order
// (by layer; empty: they do not) they strike the same neurons and weights in their new places.
void move(const std::vector<LayerOrder>& orders, const Network& network, TrialFaults& faults);
WeightFault original(const std::vector<LayerOrder>& orders, WeightFault fault);

// "neurons.conv1[3][14][5]:31": a real sum at row, column and channel of a layer's result, bit 0
// the mantissa's least significant one, bit 31 the sign.
std::string neuron_path(const Network& network, const NeuronFault& fault);
bool is_neuron_path(const std::string& text);
// Throws InputError.
NeuronFault parse_neuron_path(const Network& network, const std::string& text,
                              const std::string& file, const std::string& where);

// "weights.conv1[24][3]:7": weights[k][n] of a layer, bit 0 the least significant one.
std::string weight_path(const Network& network, const WeightFault& fault);
bool is_weight_path(const std::string& text);
// Throws InputError.
WeightFault parse_weight_path(const Network& network, const std::string& text,
                              const std::string& file, const std::string& where);

}  // namespace sagitta
