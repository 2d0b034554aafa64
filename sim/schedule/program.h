// What the machine executes: a layer descriptor for each layer and the DRAM image that DMA brings
// in, compiled from a Network for one array shape and one protection scheme.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "network/network.h"
#include "schedule/protection.h"

namespace sagitta {

// What stays in a PE while a tile runs: the output's sum, the weight, or the activation.
enum class Dataflow : std::uint8_t { os = 0, ws = 1, is = 2 };

inline const char* to_string(Dataflow dataflow) {
  switch (dataflow) {
    case Dataflow::ws:
      return "ws";
    case Dataflow::is:
      return "is";
    default:
      return "os";
  }
}
inline Dataflow dataflow_from(const std::string& name) {
  return name == "ws" ? Dataflow::ws : name == "is" ? Dataflow::is : Dataflow::os;
}

// What shapes both hardware and schedule. Rows x columns carry M x N (os), K x N (ws) or K x M
// (is).
struct ArrayShape {
  int rows = 16;
  int columns = 16;
  Dataflow dataflow = Dataflow::os;  // of the layers that `layer_dataflows` does not name
  // Every PE has a second register, which takes a finished sum (os) or the next stationary operand
  // (ws, is), so that one tile's or fold's drain or preload passes behind the other's products.
  bool overlap = false;
  // Layers by name. A machine of more than one dataflow, a mixture, has what each of them needs.
  std::map<std::string, Dataflow> layer_dataflows{};

  Dataflow dataflow_of(const std::string& layer) const {
    const auto found = layer_dataflows.find(layer);
    return found == layer_dataflows.end() ? dataflow : found->second;
  }
  bool has(Dataflow member) const {
    return dataflow == member || std::any_of(layer_dataflows.begin(), layer_dataflows.end(),
                                             [&](const auto& l) { return l.second == member; });
  }
  bool only(Dataflow member) const { return has(member) && !mixed(); }
  bool mixed() const {
    return std::any_of(layer_dataflows.begin(), layer_dataflows.end(),
                       [this](const auto& l) { return l.second != dataflow; });
  }
  bool folds() const { return has(Dataflow::ws) || has(Dataflow::is); }
  // The member that comes first in the order os, ws, is: that of layers without a product, too.
  Dataflow first() const {
    return has(Dataflow::os) ? Dataflow::os : has(Dataflow::ws) ? Dataflow::ws : Dataflow::is;
  }
  // Activations that enter the array in one cycle: one a row, or (is) a column. Also the output
  // pixels that a tile has at once, where its lanes or rows are pixels (os, is).
  int activation_lanes(Dataflow member) const { return member == Dataflow::is ? columns : rows; }
  // Weights that enter in one cycle.
  int weight_lanes(Dataflow member) const { return member == Dataflow::is ? rows : columns; }
  // Of the widest member: what is built.
  int activation_lanes() const {
    return std::max(only(Dataflow::is) ? 0 : rows, has(Dataflow::is) ? columns : 0);
  }
  int weight_lanes() const {
    return std::max(only(Dataflow::is) ? 0 : columns, has(Dataflow::is) ? rows : 0);
  }
  bool operator==(const ArrayShape&) const = default;
};

struct MemoryShape {
  std::int64_t activation_bytes = 0;  // of one map; 0: the smallest power of two that fits
  // Banks of the activation scratchpad, a power of two up to 256, that deliver a word a cycle each;
  // 0: a read port for everybody who reads.
  int activation_banks = 0;
  // Elements of such a word, a power of two up to 256; 0: the array's columns, rounded up to one.
  int activation_port_bytes = 0;
  // Rows of `columns` weights (is: of `rows` weights; a mixture: the longer) in one of two banks;
  // 0: as above.
  std::int64_t weight_rows = 0;
  // Rows of `columns` partial sums that a tile's folds add up in; 0: all output pixels (is: output
  // channels) of the largest layer, but at most 1,024. Output stationary needs none.
  std::int64_t partial_rows = 0;
  int dram_latency = 64;  // cycles from request to first beat
  int dma_queue = 2;      // requests that DRAM works on at a time, 1 to 8
  int dram_bytes_per_cycle = 16;
  bool operator==(const MemoryShape&) const = default;
};

enum class LayerOperation : std::uint8_t {
  gemm = 0,
  max_pool = 1,
  accumulate = 2,  // average pooling and residual add; the fourth code writes nothing
};

// The layer configuration registers. One struct serves as the descriptor in host memory and as the
// registers' state; field widths are declared where the registers are
// (machine/control/sequencer_registers.cpp).
struct LayerDescriptor {
  std::int32_t height, width;       // input map
  std::int32_t rows;                // M: output pixels of all images of a batch
  std::int32_t columns;             // N: output channels
  std::int32_t group_columns;       // output channels of a group; without groups N
  std::int32_t depth;               // K: kernel taps times input channels of a group
  std::int32_t origin_y, origin_x;  // input position of the first window: minus the padding
  std::int32_t stride_y, stride_x;  // to the next output row, column
  std::int32_t span_x;              // stride_x * output width: one output row
  std::int32_t span_y;              // stride_y * output height: one output map
  std::int32_t dilation_y, dilation_x;
  std::int32_t kernel_h, kernel_w;
  std::int32_t tap_channels;    // gemm: input channels of a group; otherwise 1
  std::int32_t tap_step_x;      // address step to the next kernel column
  std::int32_t tap_step_y;      // address step to the next kernel row
  std::int32_t origin_address;  // element address of the first window; may be negative
  std::int32_t pixel_step;      // address step of one output column
  std::int32_t line_step;       // address step when an output row ends (after pixel_step)
  std::int32_t image_step;      // address step when an output map ends (after line_step)
  std::int32_t tile_y, tile_x;  // position step of a tile's output pixels, before wrap
  std::int32_t tile_address;    // address step that goes with it
  std::int32_t tile_channels;   // of a column tile: `array columns`, or (is) what the memories hold
  std::int32_t tile_output;     // is: step in the result from a tile's pixels to the next one's
  std::int8_t input_zero_point, output_zero_point, output_min, output_max;
  std::uint8_t operation;  // LayerOperation
  std::uint8_t raw;        // 1: int32 sums go to the accumulator buffer
  // Activation maps. Taps of a pooling window's first column are read from the first one, others
  // from the second: an add is a window of one row and two columns, in two maps.
  std::uint8_t input_map, second_map, output_map;
  // accumulate: what a tap counts, likewise; mantissas over one shift.
  std::uint32_t tap_scale, second_scale;
  std::uint8_t tap_shift;
  std::int8_t second_zero_point;
  std::uint8_t dataflow;  // Dataflow; a register in a mixture only
  std::int32_t line;      // pixels of an output row; a register only where a checker follows lines
  // Rows of the output map, or 0 where no pixel of it has three neighbours: a layer without a
  // product, maps of one row or column. A register only where a checker looks at maps.
  std::int32_t map_lines;
  std::int32_t image_rows;  // pixels of one image; a register only where there are bounds a neuron
};

// A column tile: output channels of one group, `most` of them but for the group's last tile.
struct ColumnTile {
  int first;  // output channel
  int lanes;  // channels; but for input stationary one a lane
};
std::vector<ColumnTile> column_tiles(int columns, int group_columns, int most);

// A column tile's parameters and weights, in the order in which DMA delivers them:
// [lane words: columns x lane_words x 4 bytes][tile words x 4 bytes]
// [bounds a neuron, where a checker has them: pixels of an image x columns x neuron_words x 4
// bytes] [K rows of (columns weights, then 2 bytes of checksum weight where there is a detector)].
// Input stationary, where a column tile has any number of channels:
// [tile words x 4 bytes][channels x lane_words x 4 bytes]
// [for each fold, for each channel: `array rows` weights, zero beyond K].
// In a mixture with input stationary tile words come first for every layer, and all rows of weights
// are as long as the longest, zeros behind, with 2 bytes of checksum weight where there is a
// detector.
struct Transfer {
  bool is_image = false;
  std::int64_t header = 0;          // bytes of parameters and bounds a neuron, before the weights
  std::vector<std::uint8_t> bytes;  // empty for the image, which the host supplies, and for layers
                                    // without values
  std::int64_t size = 0;
};

struct ParameterFormat {
  // Bias; scale (mantissa | shift << 24); input stationary with a detector: the biases of a whole
  // tile of pixels and of the last one; then the checkers' lane words. A mixture has every word
  // that one of its dataflows needs, zero in the layers of the others.
  int lane_words = 2;
  int tile_words = 0;    // the sum of the biases (but for is) with a detector; the checkers' words
  int neuron_words = 0;  // of a pixel and lane: the bounds of all checkers with bounds a neuron
  int header_bytes(int channels) const { return 4 * (channels * lane_words + tile_words); }
  bool operator==(const ParameterFormat&) const = default;
};

struct Program {
  ArrayShape array;    // its dataflows: first() and the layers of the network that differ from it
  MemoryShape memory;  // resolved: no zeros
  Protection protection;
  ParameterFormat parameters;
  std::vector<std::string> layer_names;
  std::vector<LayerDescriptor> layers;
  std::vector<Transfer> transfers;  // [0] is the image, then every column tile of every gemm layer
  std::vector<int> first_column_tile;  // of each layer, counted over the program
  int activation_maps = 2;             // as many maps as live at once
  int map_pixels = 1;                  // of the widest output row that checkers of maps hold back
  int bound_rows = 1;                  // pixels of an image's largest map with bounds a neuron
  int batch = 1;                       // images of a pass, one behind the other in every map
  int logits = 0;                      // elements that the store phase hands to the host
  bool raw_output = false;             // the last layer leaves int32 sums
  FeatureShape input;                  // of one image

  Dataflow dataflow(std::size_t layer) const {
    return static_cast<Dataflow>(layers[layer].dataflow);
  }
  // Sets of parameter registers on the drain path: one a lane, or (only is) one for all lanes.
  int parameter_sets() const { return array.only(Dataflow::is) ? 1 : array.columns; }
  // Bytes of checksum weight behind each row of weights.
  int checksum_bytes() const { return protection.checksum && !array.only(Dataflow::is) ? 2 : 0; }
  // Whether a beat of weights says where those of its transfer begin.
  bool has_data_header() const { return array.has(Dataflow::is) || parameters.neuron_words > 0; }
  // Bytes from one row of weights to the next in a Transfer.
  int weight_stride() const { return array.weight_lanes() + checksum_bytes(); }
};

// Throws InputError when the memories named cannot hold a layer, with the smallest size that can.
// `where` names the experiment for messages. `batch` images go through together: each weight is
// then read once for all of them.
Program compile(const Network& network, const ArrayShape& array, const MemoryShape& memory,
                const Protection& protection, const std::string& where, int batch = 1);

// One int8 matrix product as a program: A is M x K, B is K x N, both row-major.
Program compile_gemm(int m, int k, int n, const std::vector<std::int8_t>& b,
                     const ArrayShape& array, const MemoryShape& memory,
                     const Protection& protection);

}  // namespace sagitta
