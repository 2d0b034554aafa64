// A list of layers with shapes and no values: what timing depends on. Comes from a workload file
// (docs/formats.md) or from a SCALE-Sim topology.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "network/network.h"

namespace sagitta {

enum class WorkKind : std::uint8_t { convolution, dense, max_pool, average_pool, add };

const char* to_string(WorkKind kind);

struct WorkLayer {
  std::string name;
  WorkKind kind = WorkKind::convolution;
  FeatureShape input;   // dense: 1 x 1 x all elements of the map before it
  FeatureShape output;  // of one image
  Window window;
  int groups = 1;  // convolution: input and output channels fall into this many
  int from = -1;   // index of the layer that it reads; -1: the workload's input
  int with = -1;   // add: the second operand, likewise

  bool multiplies() const { return kind == WorkKind::convolution || kind == WorkKind::dense; }
  // The matrix product of one image and one group: M x K times K x N.
  std::int64_t rows() const { return std::int64_t{output.height} * output.width; }
  std::int64_t depth() const {
    return std::int64_t{window.kernel_h} * window.kernel_w * (input.channels / groups);
  }
  std::int64_t columns() const { return output.channels / groups; }
  std::int64_t macs() const { return multiplies() ? rows() * depth() * columns() * groups : 0; }
};

struct Workload {
  std::string name;
  std::string source;  // where the shapes come from
  int batch = 1;       // images in one pass
  FeatureShape input;  // of one image
  std::vector<WorkLayer> layers;

  std::int64_t macs() const;  // of one image
};

// Length of a window's result along one axis, 0 where it does not fit. Partial windows do not
// count.
int window_length(int input, int padding, int kernel, int dilation, int stride);

// The workload as the machine runs it: a network without values, of which a batch goes through
// together.
Network network_of(const Workload& workload);

}  // namespace sagitta
