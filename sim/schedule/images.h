// What the compiler's parts share about the DRAM images of column tiles (Transfer, program.h).
#pragma once

#include <cstddef>

#include "network/network.h"
#include "schedule/program.h"

namespace sagitta {

// How many bounds a layer takes, and which of them is that of a channel at a pixel of an image.
std::size_t bound_count(Granularity granularity, const Layer& layer);
std::size_t bound_index(Granularity granularity, const Layer& layer, int channel, int pixel);

// A checker's bounds for output channel `column` of the network's gemm layer `gemm_index`, and for
// one a neuron at this pixel of an image; bounds that pass everything where it has none.
Bounds bounds_of(const Checker& checker, int gemm_index, const Layer& layer, int column,
                 int pixel = 0);
// The parameter word of bounds at the output position, each saturated at 9 bits.
std::uint32_t output_bounds_word(const Bounds& bounds);

// Input stationary: channels of a column tile of this layer, as many as the memories hold; the
// array's columns in the other dataflows.
int tile_channels(const Layer& layer, const Program& program);

// Rows of the weight scratchpad that a gemm layer cannot do without, and those that let its column
// tiles have as many channels as there are partial sums for (is; otherwise the same).
struct WeightRows {
  std::int64_t least, most;
};
WeightRows weight_rows(const Layer& layer, const Program& program);

// The DRAM image of one column tile; see Transfer. The layer has values.
Transfer column_tile(const Layer& layer, int gemm_index, const ColumnTile& tile,
                     const Program& program);

// The byte of the column tile's image that holds weights[k][n] of the layer, n one of the tile's
// channels. Every weight lies in exactly one byte of one column tile.
std::size_t weight_byte(const Layer& layer, const ColumnTile& tile, const Transfer& transfer,
                        const Program& program, int k, int n);

}  // namespace sagitta
