// What the compiler's parts share about the DRAM images of column tiles (Transfer, program.h).
#pragma once

#include "network/network.h"
#include "schedule/program.h"

namespace sagitta {

// A checker's bounds for output channel `column` of the network's gemm layer `gemm_index`; bounds
// that pass everything where it has none.
Bounds bounds_of(const Checker& checker, int gemm_index, int column);

// Input stationary: channels of a column tile of this layer, as many as the memories hold; the
// array's columns in the other dataflows.
int tile_channels(const Layer& layer, const Program& program);
// Input stationary: rows of the weight scratchpad that let every layer's column tiles have as many
// channels as there are partial sums for.
std::int64_t most_weight_rows(const Network& network, const Program& program);

// Input stationary: the image of a column tile.
Transfer channel_tile(const Layer& layer, int gemm_index, const ColumnTile& tile,
                      const Program& program);

}  // namespace sagitta
