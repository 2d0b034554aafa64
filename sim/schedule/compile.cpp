#include <algorithm>
#include <bit>
#include <cstring>

#include <fmt/format.h>

#include "base/error.h"
#include "schedule/check_scheme.h"
#include "schedule/images.h"
#include "schedule/program.h"

namespace sagitta {
namespace {

LayerOperation operation_of(LayerKind kind) {
  switch (kind) {
    case LayerKind::gemm:
      return LayerOperation::gemm;
    case LayerKind::max_pool:
      return LayerOperation::max_pool;
    case LayerKind::average_pool:
    case LayerKind::add:
      break;
  }
  return LayerOperation::accumulate;
}

// The maps' places come from assign_places().
LayerDescriptor describe(const Layer& layer, const ArrayShape& array, int batch) {
  Window w = layer.window;
  if (layer.kind == LayerKind::add) {  // two taps at the same place, of one map and of the other
    w.kernel_w = 2;
    w.dilation_w = 0;
  }
  const int channels = layer.input.channels;
  const bool gemm = layer.kind == LayerKind::gemm;
  LayerDescriptor d{};
  d.height = layer.input.height;
  d.width = layer.input.width;
  d.rows = batch * layer.rows();
  d.columns = layer.columns();
  d.group_columns = layer.columns() / layer.groups;
  d.depth = gemm ? layer.depth() : 0;
  d.origin_y = -w.pad_top;
  d.origin_x = -w.pad_left;
  d.stride_y = w.stride_h;
  d.stride_x = w.stride_w;
  d.span_x = w.stride_w * layer.output.width;
  d.line = layer.output.width;
  const bool has_inner = gemm && layer.output.width > 1 && layer.output.height > 1;
  d.image_rows = layer.rows();
  d.map_lines = has_inner ? layer.output.height : 0;
  d.span_y = w.stride_h * layer.output.height;
  d.dilation_y = w.dilation_h;
  d.dilation_x = w.dilation_w;
  d.kernel_h = w.kernel_h;
  d.kernel_w = w.kernel_w;
  d.tap_channels = gemm ? channels / layer.groups : 1;
  // A step to the next kernel column starts from the last channel of the tap, a step to the next
  // kernel row from the last channel of the last column.
  d.tap_step_x = w.dilation_w * channels - (d.tap_channels - 1);
  d.tap_step_y = (w.dilation_h * layer.input.width - (w.kernel_w - 1) * w.dilation_w) * channels -
                 (d.tap_channels - 1);
  d.origin_address = (d.origin_y * layer.input.width + d.origin_x) * channels;
  d.pixel_step = w.stride_w * channels;
  d.line_step = (w.stride_h * layer.input.width - d.span_x) * channels;
  const std::int64_t image = layer.input.elements();
  d.image_step =
      static_cast<std::int32_t>(image - std::int64_t{d.span_y} * layer.input.width * channels);
  // As many pixels on as the array takes at once: whole maps, rows of a map, pixels of a row.
  const Dataflow dataflow = gemm ? array.dataflow_of(layer.name) : array.first();
  d.dataflow = static_cast<std::uint8_t>(dataflow);
  const int step = array.activation_lanes(dataflow);
  d.tile_y = (step / layer.output.width) % layer.output.height * w.stride_h;
  d.tile_x = (step % layer.output.width) * w.stride_w;
  d.tile_address =
      static_cast<std::int32_t>((std::int64_t{d.tile_y} * layer.input.width + d.tile_x) * channels +
                                step / layer.rows() * image);
  d.input_zero_point = static_cast<std::int8_t>(layer.input_zero_point);
  d.output_zero_point = static_cast<std::int8_t>(layer.output_zero_point);
  d.output_min = static_cast<std::int8_t>(layer.output_min);
  d.output_max = static_cast<std::int8_t>(layer.output_max);
  d.operation = static_cast<std::uint8_t>(operation_of(layer.kind));
  d.tap_scale = layer.tap_scale.first;
  d.second_scale = layer.tap_scale.second;
  d.tap_shift = layer.tap_scale.shift;
  d.second_zero_point = static_cast<std::int8_t>(
      layer.kind == LayerKind::add ? layer.second_zero_point : layer.input_zero_point);
  return d;
}

// A map has a place in the memory from the layer that writes it to the last one that reads it; the
// image, in place 0, from the start, and the logits to the end. Each layer writes the lowest place
// that is free; a chain of layers takes two.
void assign_places(const Network& network, Program& program) {
  const int count = static_cast<int>(network.layers.size());
  std::vector<int> last_read(static_cast<std::size_t>(count) + 1, -1);  // [map + 1]
  const auto operands = [&](int layer) {
    return network.layers[static_cast<std::size_t>(layer)].kind == LayerKind::add ? 2U : 1U;
  };
  const auto source = [&](int layer, unsigned operand) {
    return static_cast<std::size_t>(network.source(static_cast<std::size_t>(layer), operand) + 1);
  };
  for (int i = 0; i < count; ++i) {
    for (unsigned o = 0; o < operands(i); ++o) last_read[source(i, o)] = i;
  }
  std::vector<int> place_of{0};              // [map + 1]
  std::vector<int> free_from{last_read[0]};  // by place: the last layer that needs what it holds
  for (int i = 0; i < count; ++i) {
    LayerDescriptor& d = program.layers[static_cast<std::size_t>(i)];
    d.input_map = static_cast<std::uint8_t>(place_of[source(i, 0)]);
    d.second_map = static_cast<std::uint8_t>(place_of[source(i, operands(i) - 1)]);
    const auto free =
        std::find_if(free_from.begin(), free_from.end(), [i](int last) { return last < i; });
    const auto place = free - free_from.begin();
    if (free == free_from.end()) free_from.push_back(0);
    free_from[static_cast<std::size_t>(place)] =
        std::max(i, last_read[static_cast<std::size_t>(i) + 1]);
    place_of.push_back(static_cast<int>(place));
    d.output_map = static_cast<std::uint8_t>(place);
  }
  program.activation_maps = std::max<int>(2, static_cast<int>(free_from.size()));
}

ParameterFormat format_of(const Protection& p, const ArrayShape& array) {
  ParameterFormat f;
  if (p.checksum && array.has(Dataflow::is)) f.lane_words += 2;
  if (p.checksum && !array.only(Dataflow::is)) f.tile_words += 1;
  for (const Checker& c : p.checkers) {
    f.lane_words += c.bound_words(Granularity::channel);
    f.tile_words += c.bound_words(Granularity::layer);
  }
  f.neuron_words = p.neuron_words();
  return f;
}

// What the network needs of the dataflows that an experiment names: the first one, and the layers
// that differ from it.
ArrayShape needed(const Network& network, const ArrayShape& array) {
  ArrayShape shape = array;
  shape.layer_dataflows.clear();
  for (const Layer& layer : network.layers) {
    if (layer.kind == LayerKind::gemm) {
      shape.layer_dataflows[layer.name] = array.dataflow_of(layer.name);
    }
  }
  if (shape.layer_dataflows.empty()) return shape;
  shape.dataflow = shape.layer_dataflows.begin()->second;
  shape.dataflow = shape.first();
  std::erase_if(shape.layer_dataflows, [&](const auto& l) { return l.second == shape.dataflow; });
  return shape;
}

// Zeros in place of the values that a layer does not have.
Layer with_zeros(Layer layer) {
  const auto columns = static_cast<std::size_t>(layer.columns());
  layer.weights.resize(static_cast<std::size_t>(layer.depth()) * columns);
  layer.bias.resize(columns);
  layer.scale.resize(columns);
  return layer;
}

std::int64_t fit(std::int64_t requested, std::int64_t needed, std::int64_t least,
                 const std::string& where, const std::string& key, const std::string& what) {
  if (requested == 0) {
    return std::max<std::int64_t>(
        least, static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(needed))));
  }
  if (requested < needed) {
    throw InputError(
        where, key, fmt::format("{} does not hold {}, which needs {}", requested, what, needed),
        fmt::format("set it to at least {}, or leave it out to have it sized", needed));
  }
  return requested;
}

std::int64_t partial_rows(const Network& network, const ArrayShape& array,
                          const MemoryShape& memory, int batch) {
  constexpr std::int64_t kUsual = 1024;
  if (!array.folds()) return 0;
  if (memory.partial_rows != 0) return memory.partial_rows;
  std::int64_t most = 1;
  for (const Layer& layer : network.layers) {
    if (layer.kind != LayerKind::gemm) continue;
    const Dataflow dataflow = array.dataflow_of(layer.name);
    if (dataflow == Dataflow::ws) most = std::max(most, std::int64_t{batch} * layer.rows());
    if (dataflow == Dataflow::is) most = std::max(most, std::int64_t{layer.columns()});
  }
  return std::min(kUsual,
                  static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(most))));
}

// Resolves program.memory.weight_rows.
void size_weights(const Network& network, std::int64_t requested, const std::string& where,
                  Program& program) {
  std::int64_t least = 1;
  std::int64_t most = 1;
  std::string deepest = "any layer";
  for (const Layer& layer : network.layers) {
    if (layer.kind != LayerKind::gemm) continue;
    const WeightRows rows = weight_rows(layer, program);
    most = std::max(most, rows.most);
    if (rows.least <= least) continue;
    least = rows.least;
    const bool is = program.array.dataflow_of(layer.name) == Dataflow::is;
    deepest = fmt::format("{} of layer {} (K = {})", is ? "one channel" : "a column tile",
                          layer.name, layer.depth());
  }
  program.memory.weight_rows =
      fit(requested, requested == 0 ? most : least, 64, where, "$.memory.weight_rows", deepest);
}

// Elements of a bank's word, after a check that banks and words divide addresses by their bits.
int activation_port_bytes(const ArrayShape& array, const MemoryShape& memory,
                          const std::string& where) {
  constexpr int kMost = 256;
  const auto check = [&](const char* key, int value) {
    if (value == 0 ||
        (value > 0 && value <= kMost && std::has_single_bit(static_cast<unsigned>(value))))
      return;
    throw InputError(where, fmt::format("$.memory.{}", key),
                     fmt::format("{} is not a power of two from 1 to {}", value, kMost),
                     "use one of 1, 2, 4, 8, 16, 32, 64, 128 and 256, or 0");
  };
  check("activation_banks", memory.activation_banks);
  check("activation_port_bytes", memory.activation_port_bytes);
  if (memory.activation_port_bytes != 0) return memory.activation_port_bytes;
  return static_cast<int>(std::bit_ceil(static_cast<unsigned>(array.columns)));
}

// The layer configuration registers have the widths that machine/control/sequencer_registers.cpp
// declares; what does not fit them is refused here, before it could wrap in the machine.
void check_register_widths(const Layer& layer, const ArrayShape& array, int batch,
                           const std::string& where) {
  const int step = array.activation_lanes(array.dataflow_of(layer.name));
  const auto check = [&](const char* what, std::int64_t value, int bits) {
    if (value >= 0 && value < (std::int64_t{1} << bits)) return;
    throw InputError(
        where, "layer " + layer.name,
        fmt::format("{} is {}, more than the {} bits of its register hold", what, value, bits),
        batch > 1 ? "use a smaller layer or a smaller batch" : "use a smaller layer");
  };
  const Window& w = layer.window;
  check("input height", layer.input.height, 16);
  check("input width", layer.input.width, 24);
  check("M (output pixels)", std::int64_t{batch} * layer.rows(), 23);
  check("N (output channels)", layer.columns(), 23);
  check("input channels", layer.input.channels, 23);
  check("padding", std::max(w.pad_top, w.pad_left), 15);
  check("stride", std::max(w.stride_h, w.stride_w), 16);
  check("dilation", std::max(w.dilation_h, w.dilation_w), 16);
  check("kernel height or width", std::max(w.kernel_h, w.kernel_w), 8);
  check("one output row's span", std::int64_t{w.stride_w} * layer.output.width, 23);
  check("one output map's span", std::int64_t{w.stride_h} * layer.output.height, 23);
  check("one array height's step", std::int64_t{step} * std::max(w.stride_h, w.stride_w), 23);
  check("input elements",
        std::int64_t{batch} * layer.input.height * layer.input.width * layer.input.channels, 30);
  check("output elements", std::int64_t{batch} * layer.rows() * layer.columns(), 30);
}

}  // namespace

std::vector<ColumnTile> column_tiles(int columns, int group_columns, int most) {
  std::vector<ColumnTile> tiles;
  for (int group = 0; group < columns; group += group_columns) {
    for (int first = 0; first < group_columns; first += most) {
      tiles.push_back({group + first, std::min(most, group_columns - first)});
    }
  }
  return tiles;
}

Program compile(const Network& network, const ArrayShape& requested, const MemoryShape& memory,
                const Protection& protection, const std::string& where, int batch) {
  Program program;
  program.batch = batch;
  program.array = needed(network, requested);
  const ArrayShape& array = program.array;
  check_scheme(protection, array, where);
  program.memory = memory;
  program.protection = protection;
  program.parameters = format_of(protection, array);
  program.input = network.input;
  constexpr std::size_t kMostLayers = 255;        // 8-bit layer counter
  constexpr std::size_t kMostTransfers = 65'000;  // 16-bit transfer and column tile counters
  constexpr int kMostLatency = 65'535;            // 16-bit latency counter
  if (network.layers.size() > kMostLayers) {
    throw InputError(where, "$.network", fmt::format("has {} layers", network.layers.size()),
                     fmt::format("the sequencer counts up to {}", kMostLayers));
  }
  if (memory.dram_latency > kMostLatency) {
    throw InputError(where, "$.memory.dram_latency",
                     fmt::format("{} is too long", memory.dram_latency),
                     fmt::format("use at most {}", kMostLatency));
  }
  for (const Layer& layer : network.layers) check_register_widths(layer, array, batch, where);

  std::int64_t largest_map = 1;
  std::string largest_map_layer = "the input";
  for (const Layer& layer : network.layers) {
    for (const FeatureShape& shape : {layer.input, layer.output}) {
      const std::int64_t elements = std::int64_t{batch} * shape.elements();
      if (elements > largest_map) {
        largest_map = elements;
        largest_map_layer =
            fmt::format("layer {} ({}{} x {} x {})", layer.name,
                        batch > 1 ? fmt::format("{} images of ", batch) : std::string(),
                        shape.height, shape.width, shape.channels);
      }
    }
  }
  program.memory.activation_port_bytes = activation_port_bytes(array, memory, where);
  program.memory.partial_rows = partial_rows(network, array, memory, batch);
  program.memory.activation_bytes = fit(memory.activation_bytes, largest_map, 1024, where,
                                        "$.memory.activation_bytes", largest_map_layer);
  size_weights(network, memory.weight_rows, where, program);

  Transfer image;
  image.is_image = true;
  image.size = std::int64_t{batch} * network.input.elements();
  program.transfers.push_back(image);
  int gemm_index = 0;
  for (const Layer& layer : network.layers) {
    program.layer_names.push_back(layer.name);
    program.layers.push_back(describe(layer, array, batch));
    LayerDescriptor& d = program.layers.back();
    d.tile_channels = tile_channels(layer, program);
    d.tile_output = static_cast<std::int32_t>(static_cast<std::uint32_t>(array.columns) *
                                              static_cast<std::uint32_t>(layer.columns()));
    if (d.map_lines != 0) program.map_pixels = std::max(program.map_pixels, d.line);
    program.first_column_tile.push_back(static_cast<int>(program.transfers.size()) - 1);
    if (layer.kind != LayerKind::gemm) continue;
    if (program.parameters.neuron_words > 0) {
      program.bound_rows = std::max(program.bound_rows, layer.rows());
    }
    const Layer zeros = layer.has_values() ? Layer{} : with_zeros(layer);
    const Layer& source = layer.has_values() ? layer : zeros;
    for (const ColumnTile& tile : column_tiles(d.columns, d.group_columns, d.tile_channels)) {
      program.transfers.push_back(column_tile(source, gemm_index, tile, program));
      if (!layer.has_values()) program.transfers.back().bytes = {};  // as long, but without bytes
    }
    ++gemm_index;
  }
  assign_places(network, program);
  if (program.transfers.size() > kMostTransfers) {
    throw InputError(where, "$.array.cols",
                     fmt::format("the network needs {} column tiles", program.transfers.size() - 1),
                     fmt::format("the counters hold {}: use more columns", kMostTransfers - 1));
  }
  program.logits = batch * network.layers.back().output.elements();
  return program;
}

Program compile_gemm(int m, int k, int n, const std::vector<std::int8_t>& b,
                     const ArrayShape& array, const MemoryShape& memory,
                     const Protection& protection) {
  Network network;
  Layer layer;
  layer.name = "gemm";
  layer.input = {1, m, k};
  layer.output = {1, m, n};
  layer.weights = b;
  layer.bias.assign(static_cast<std::size_t>(n), 0);
  layer.scale.assign(static_cast<std::size_t>(n), FixedScale{});
  network.input = layer.input;
  network.layers.push_back(layer);
  Program program = compile(network, array, memory, protection, "gemm");
  if (memory.activation_bytes == 0) {  // the int32 result goes elsewhere, so only A must fit
    program.memory.activation_bytes = fit(0, std::int64_t{m} * k, 1024, "", "", "");
  }
  program.layers.back().raw = 1;
  program.raw_output = true;
  return program;
}

}  // namespace sagitta
