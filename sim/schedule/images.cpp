#include "schedule/images.h"

#include <algorithm>

namespace sagitta {
namespace {

std::int64_t folds_of(const Layer& layer, const ArrayShape& array) {
  return (layer.depth() + array.rows - 1) / array.rows;
}

}  // namespace

Bounds bounds_of(const Checker& checker, int gemm_index, int column) {
  if (gemm_index >= static_cast<int>(checker.layers.size())) return {};
  const auto& bounds = checker.layers[static_cast<std::size_t>(gemm_index)].bounds;
  if (bounds.empty()) return {};
  const std::size_t i =
      checker.granularity == Granularity::channel ? static_cast<std::size_t>(column) : 0;
  return i < bounds.size() ? bounds[i] : Bounds{};
}

int tile_channels(const Layer& layer, const Program& program) {
  if (program.array.dataflow != Dataflow::is || layer.kind != LayerKind::gemm) {
    return program.array.columns;
  }
  const std::int64_t stored = program.memory.weight_rows / folds_of(layer, program.array);
  return static_cast<int>(
      std::min<std::int64_t>({layer.columns(), program.memory.partial_rows, stored}));
}

std::int64_t most_weight_rows(const Network& network, const Program& program) {
  std::int64_t most = 1;
  for (const Layer& layer : network.layers) {
    if (layer.kind != LayerKind::gemm) continue;
    const std::int64_t channels =
        std::min<std::int64_t>(layer.columns(), program.memory.partial_rows);
    most = std::max(most, folds_of(layer, program.array) * channels);
  }
  return most;
}

Transfer channel_tile(const Layer& layer, int gemm_index, const ColumnTile& tile,
                      const Program& program) {
  const ArrayShape& array = program.array;
  const Protection& p = program.protection;
  const int first = tile.first;
  const int end = first + tile.lanes;
  Transfer t;
  const auto word = [&t](std::uint32_t value) {
    for (int i = 0; i < 4; ++i) t.bytes.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  };
  const auto pair = [&word](const Bounds& b) {
    word(static_cast<std::uint32_t>(b.low));
    word(static_cast<std::uint32_t>(b.high));
  };
  for (const Checker* c : {&p.range, &p.gradient}) {
    if (c->present && c->granularity == Granularity::layer) pair(bounds_of(*c, gemm_index, 0));
  }
  const int pixels = program.batch * layer.rows();
  const auto last = static_cast<std::uint32_t>((pixels - 1) % array.columns + 1);
  for (int column = first; column < end; ++column) {
    const auto n = static_cast<std::size_t>(column);
    const auto bias = static_cast<std::uint32_t>(layer.bias[n]);
    word(bias);
    word(layer.scale[n].mantissa | std::uint32_t{layer.scale[n].shift} << kMantissaBits);
    if (p.checksum) {  // every pixel of a vector has the channel's bias
      word(bias * static_cast<std::uint32_t>(array.columns));
      word(bias * last);
    }
    for (const Checker* c : {&p.range, &p.gradient}) {
      if (c->present && c->granularity == Granularity::channel) {
        pair(bounds_of(*c, gemm_index, column));
      }
    }
  }
  t.header = static_cast<std::int64_t>(t.bytes.size());
  for (int k0 = 0; k0 < layer.depth(); k0 += array.rows) {
    for (int n = first; n < end; ++n) {
      for (int k = k0; k < k0 + array.rows; ++k) {
        const std::size_t at = static_cast<std::size_t>(k) * layer.columns() + n;
        t.bytes.push_back(k < layer.depth() ? static_cast<std::uint8_t>(layer.weights[at])
                                            : std::uint8_t{0});
      }
    }
  }
  t.size = static_cast<std::int64_t>(t.bytes.size());
  return t;
}

}  // namespace sagitta
