#include "schedule/images.h"

#include <algorithm>

namespace sagitta {
namespace {

std::int64_t folds_of(const Layer& layer, const ArrayShape& array) {
  return (layer.depth() + array.rows - 1) / array.rows;
}

// The bytes of a column tile of one layer, part by part.
class Image {
 public:
  Image(const Layer& layer, int gemm_index, const Program& program)
      : layer_(layer),
        gemm_index_(gemm_index),
        program_(program),
        protection_(program.protection),
        is_(program.array.dataflow_of(layer.name) == Dataflow::is) {}

  // Of channels [first, end), of which those up to `valid` exist.
  void parameters(int first, int valid, int end) {
    // Where the number of channels varies, the words of the tile stand first.
    const bool tile_first = program_.array.has(Dataflow::is);
    if (tile_first) tile_words(first, valid);
    for (int column = first; column < end; ++column) {
      column < valid ? lane_words(column) : unused_lane_words();
    }
    if (!tile_first) tile_words(first, valid);
    if (program_.parameters.neuron_words > 0) neuron_bounds(first, valid, end);
    transfer_.header = static_cast<std::int64_t>(transfer_.bytes.size());
  }
  // One row of the scratchpad: weight(i) of the i-th of `count` lanes, and what is behind them.
  template <typename Weight>
  void row(int count, const Weight& weight) {
    int sum = 0;
    for (int i = 0; i < program_.array.weight_lanes(); ++i) {
      const int w = i < count ? weight(i) : 0;
      sum += w;
      transfer_.bytes.push_back(static_cast<std::uint8_t>(w));
    }
    if (program_.checksum_bytes() == 0) return;
    if (is_) sum = 0;  // the checksum column adds up activations
    transfer_.bytes.push_back(static_cast<std::uint8_t>(sum));
    transfer_.bytes.push_back(static_cast<std::uint8_t>(sum >> 8));
  }
  int weight(int k, int n) const {
    return k < layer_.depth() ? layer_.weights[static_cast<std::size_t>(k) * layer_.columns() +
                                               static_cast<std::size_t>(n)]
                              : 0;
  }
  Transfer finish() {
    transfer_.size = static_cast<std::int64_t>(transfer_.bytes.size());
    return std::move(transfer_);
  }

 private:
  void word(std::uint32_t value) {
    for (int i = 0; i < 4; ++i) {
      transfer_.bytes.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    }
  }
  template <typename BoundsOf>
  void bounds(Granularity granularity, const BoundsOf& of) {
    for (const Checker& c : protection_.checkers) {
      if (!c.has_bounds() || c.granularity != granularity) continue;
      const Bounds b = of(c);
      if (c.position == Position::output) {
        word(output_bounds_word(b));
        continue;
      }
      word(static_cast<std::uint32_t>(b.low));
      word(static_cast<std::uint32_t>(b.high));
    }
  }
  std::uint32_t bias(int column) const {
    return static_cast<std::uint32_t>(layer_.bias[static_cast<std::size_t>(column)]);
  }
  void tile_words(int first, int valid) {
    if (program_.checksum_bytes() > 0) {
      std::uint32_t sum = 0;
      for (int column = first; column < valid && !is_; ++column) sum += bias(column);
      word(sum);
    }
    bounds(Granularity::layer,
           [&](const Checker& c) { return bounds_of(c, gemm_index_, layer_, 0); });
  }
  void lane_words(int column) {
    const FixedScale& scale = layer_.scale[static_cast<std::size_t>(column)];
    word(bias(column));
    word(scale.mantissa | std::uint32_t{scale.shift} << kMantissaBits);
    if (protection_.checksum && program_.array.has(Dataflow::is)) {
      // Every pixel of a vector has the channel's bias.
      const auto columns = static_cast<std::uint32_t>(program_.array.columns);
      const auto pixels = static_cast<std::uint32_t>(program_.batch * layer_.rows());
      word(is_ ? bias(column) * columns : 0);
      word(is_ ? bias(column) * ((pixels - 1) % columns + 1) : 0);
    }
    bounds(Granularity::channel,
           [&](const Checker& c) { return bounds_of(c, gemm_index_, layer_, column); });
  }
  void unused_lane_words() {
    const bool sums = protection_.checksum && program_.array.has(Dataflow::is);
    for (int i = 0; i < (sums ? 4 : 2); ++i) word(0);
    bounds(Granularity::channel, [](const Checker&) { return Bounds{}; });
  }
  // Images of a batch share them.
  void neuron_bounds(int first, int valid, int end) {
    for (int pixel = 0; pixel < layer_.rows(); ++pixel) {
      for (int column = first; column < end; ++column) {
        bounds(Granularity::neuron, [&](const Checker& c) {
          return column < valid ? bounds_of(c, gemm_index_, layer_, column, pixel) : Bounds{};
        });
      }
    }
  }

  const Layer& layer_;
  int gemm_index_;
  const Program& program_;
  const Protection& protection_;
  bool is_;
  Transfer transfer_;
};

}  // namespace

std::uint32_t output_bounds_word(const Bounds& bounds) {
  // What lies beyond the registers' nine bits lies beyond every difference of two outputs, too.
  const auto half = [](std::int32_t bound) {
    return static_cast<std::uint32_t>(std::clamp(bound, -256, 255)) & 0xFFFFU;
  };
  return half(bounds.low) | half(bounds.high) << 16;
}

std::size_t bound_count(Granularity granularity, const Layer& layer) {
  if (granularity == Granularity::layer) return 1;
  const auto channels = static_cast<std::size_t>(layer.columns());
  return granularity == Granularity::channel ? channels
                                             : channels * static_cast<std::size_t>(layer.rows());
}

std::size_t bound_index(Granularity granularity, const Layer& layer, int channel, int pixel) {
  if (granularity == Granularity::layer) return 0;
  const auto index = static_cast<std::size_t>(channel);
  if (granularity == Granularity::channel) return index;
  return static_cast<std::size_t>(pixel) * static_cast<std::size_t>(layer.columns()) + index;
}

Bounds bounds_of(const Checker& checker, int gemm_index, const Layer& layer, int column,
                 int pixel) {
  if (gemm_index >= static_cast<int>(checker.layers.size())) return {};
  const auto& bounds = checker.layers[static_cast<std::size_t>(gemm_index)].bounds;
  if (bounds.empty()) return {};
  const std::size_t i = bound_index(checker.granularity, layer, column, pixel);
  return i < bounds.size() ? bounds[i] : Bounds{};
}

int tile_channels(const Layer& layer, const Program& program) {
  if (layer.kind != LayerKind::gemm || program.array.dataflow_of(layer.name) != Dataflow::is) {
    return program.array.columns;
  }
  const std::int64_t stored = program.memory.weight_rows / folds_of(layer, program.array);
  return static_cast<int>(
      std::min<std::int64_t>({layer.columns(), program.memory.partial_rows, stored}));
}

WeightRows weight_rows(const Layer& layer, const Program& program) {
  if (program.array.dataflow_of(layer.name) != Dataflow::is) {
    return {layer.depth(), layer.depth()};
  }
  const std::int64_t folds = folds_of(layer, program.array);
  return {folds, folds * std::min<std::int64_t>(layer.columns(), program.memory.partial_rows)};
}

Transfer column_tile(const Layer& layer, int gemm_index, const ColumnTile& tile,
                     const Program& program) {
  const ArrayShape& array = program.array;
  const int first = tile.first;
  const int valid = first + tile.lanes;
  const bool is = array.dataflow_of(layer.name) == Dataflow::is;
  Image image(layer, gemm_index, program);
  image.parameters(first, valid, is ? valid : first + array.columns);
  if (!is) {
    for (int k = 0; k < layer.depth(); ++k) {
      image.row(tile.lanes, [&](int lane) { return image.weight(k, first + lane); });
    }
    return image.finish();
  }
  for (int k0 = 0; k0 < layer.depth(); k0 += array.rows) {
    for (int n = first; n < valid; ++n) {
      image.row(array.rows, [&](int r) { return image.weight(k0 + r, n); });
    }
  }
  return image.finish();
}

std::size_t weight_byte(const Layer& layer, const ColumnTile& tile, const Transfer& transfer,
                        const Program& program, int k, int n) {
  const int rows = program.array.rows;
  const bool is = program.array.dataflow_of(layer.name) == Dataflow::is;
  // The row of the scratchpad and the place in it: see column_tile.
  const int row = is ? k / rows * tile.lanes + n - tile.first : k;
  const int lane = is ? k % rows : n - tile.first;
  return static_cast<std::size_t>(transfer.header) +
         static_cast<std::size_t>(row) * static_cast<std::size_t>(program.weight_stride()) +
         static_cast<std::size_t>(lane);
}

}  // namespace sagitta
