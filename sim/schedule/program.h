// What the machine executes: a layer descriptor for each layer and the DRAM image that DMA brings
// in, compiled from a Network for one array shape and one protection scheme.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "network/network.h"
#include "schedule/protection.h"

namespace sagitta {

// What stays in a PE while a tile runs: the output's sum, the weight, or the activation.
enum class Dataflow : std::uint8_t { os = 0, ws = 1 };

inline const char* to_string(Dataflow dataflow) {
  return dataflow == Dataflow::ws ? "ws" : "os";
}
inline Dataflow dataflow_from(const std::string& name) {
  return name == "ws" ? Dataflow::ws : Dataflow::os;
}

// What shapes both hardware and schedule. Rows x columns carry M x N (os) or K x N (ws).
struct ArrayShape {
  int rows = 16;
  int columns = 16;
  Dataflow dataflow = Dataflow::os;
  bool operator==(const ArrayShape&) const = default;
};

struct MemoryShape {
  std::int64_t activation_bytes = 0;  // of one of two banks; 0: the smallest power of two that fits
  std::int64_t weight_rows = 0;       // rows of `columns` weights in one of two banks; 0: as above
  // Rows of `columns` partial sums that a tile's folds add up in; 0: all output pixels of the
  // largest layer, but at most 1,024. Output stationary needs none.
  std::int64_t partial_rows = 0;
  int dram_latency = 64;  // cycles from request to first beat
  int dma_queue = 2;      // requests that DRAM works on at a time, 1 to 8
  int dram_bytes_per_cycle = 16;
  bool operator==(const MemoryShape&) const = default;
};

enum class LayerOperation : std::uint8_t { gemm = 0, max_pool = 1 };

// The layer configuration registers. One struct serves as the descriptor in host memory and as the
// registers' state; field widths are declared where the registers are
// (machine/control/sequencer_registers.cpp).
struct LayerDescriptor {
  std::int32_t height, width;       // input map
  std::int32_t rows;                // M: output pixels
  std::int32_t columns;             // N: output channels
  std::int32_t depth;               // K: kernel taps times input channels
  std::int32_t origin_y, origin_x;  // input position of the first window: minus the padding
  std::int32_t stride_y, stride_x;  // to the next output row, column
  std::int32_t span_x;              // stride_x * output width: one output row
  std::int32_t dilation_y, dilation_x;
  std::int32_t kernel_h, kernel_w;
  std::int32_t tap_channels;    // gemm: input channels; pooling: 1
  std::int32_t tap_step_x;      // address step to the next kernel column
  std::int32_t tap_step_y;      // address step to the next kernel row
  std::int32_t origin_address;  // element address of the first window; may be negative
  std::int32_t pixel_step;      // address step of one output column
  std::int32_t line_step;       // address step when an output row ends (after pixel_step)
  std::int32_t tile_y, tile_x;  // position step of `array rows` output pixels, before wrap
  std::int32_t tile_address;    // address step that goes with it
  std::int8_t input_zero_point, output_zero_point, output_min, output_max;
  std::uint8_t operation;  // LayerOperation
  std::uint8_t raw;        // 1: int32 sums go to the accumulator buffer
};

// A column tile's parameters and weights, in the order in which DMA delivers them:
// [lane words: columns x lane_words x 4 bytes][tile words x 4 bytes]
// [K rows of (columns weights, then 2 bytes of checksum weight where there is a detector)].
struct Transfer {
  bool is_image = false;
  std::vector<std::uint8_t> bytes;  // empty for the image, which the host supplies
  std::int64_t size = 0;
};

struct ParameterFormat {
  int lane_words = 2;  // bias; scale (mantissa | shift << 24); then the checkers' lane words
  int tile_words = 0;
  int header_bytes(int columns) const { return 4 * (columns * lane_words + tile_words); }
  bool operator==(const ParameterFormat&) const = default;
};

struct Program {
  ArrayShape array;
  MemoryShape memory;  // resolved: no zeros
  Protection protection;
  ParameterFormat parameters;
  std::vector<std::string> layer_names;
  std::vector<LayerDescriptor> layers;
  std::vector<Transfer> transfers;  // [0] is the image, then every column tile of every gemm layer
  std::vector<int> first_column_tile;  // of each layer, counted over the program
  int logits = 0;                      // elements that the store phase hands to the host
  bool raw_output = false;             // the last layer leaves int32 sums
  FeatureShape input;
};

// Throws InputError when the memories named cannot hold a layer, with the smallest size that can.
// `where` names the experiment for messages.
Program compile(const Network& network, const ArrayShape& array, const MemoryShape& memory,
                const Protection& protection, const std::string& where);

// One int8 matrix product as a program: A is M x K, B is K x N, both row-major.
Program compile_gemm(int m, int k, int n, const std::vector<std::int8_t>& b,
                     const ArrayShape& array, const MemoryShape& memory,
                     const Protection& protection);

}  // namespace sagitta
