// SCALE-Sim's topology files: a CSV of convolutions or of matrix products. docs/scale-sim.md has
// the format and how it differs from ours.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "workload/workload.h"

namespace sagitta {

// One row. Padding is part of the input's height and width. The result is ceil((input - filter +
// stride) / stride) high and wide: a window that sticks out at the end counts.
struct TopologyLayer {
  std::string name;
  int ifmap_h = 1, ifmap_w = 1;
  int filter_h = 1, filter_w = 1;
  int channels = 1;
  int filters = 1;
  int stride_h = 1, stride_w = 1;      // equal in files
  int dilation_h = 1, dilation_w = 1;  // 1 in files
  int images = 1;                      // 1 in files; they lie behind one another
  bool is_gemm = false;                // the file's form

  int ofmap_h() const;
  int ofmap_w() const;
  std::int64_t rows() const { return std::int64_t{images} * ofmap_h() * ofmap_w(); }   // M
  std::int64_t depth() const { return std::int64_t{filter_h} * filter_w * channels; }  // K
  std::int64_t columns() const { return filters; }                                     // N
  std::int64_t macs() const { return rows() * depth() * columns(); }
};

enum class TopologyForm : std::uint8_t { convolution, gemm };

struct Topology {
  std::string name;  // the file's, without its ending
  // A depthwise row ("DP" in its name) stands for a layer a channel.
  std::vector<TopologyLayer> layers;
  // The same as a workload: a depthwise row is one grouped convolution.
  Workload workload;
};

// Throws InputError with file, line, column name, value and remedy.
Topology read_topology(const std::string& path, TopologyForm form);
// The form that the header names: the one with columns M, N and K, or else convolutions.
TopologyForm topology_form(const std::string& path);

// The layers that multiply, padding in their input's size and a layer a group; others are passed
// over, since SCALE-Sim knows none.
std::vector<TopologyLayer> topology_of(const Workload& workload);
// As a file. Throws InputError for what a convolution row cannot say: strides that differ between
// the axes, dilation, several images.
std::string write_topology(const std::vector<TopologyLayer>& layers, TopologyForm form,
                           const std::string& file);

}  // namespace sagitta
