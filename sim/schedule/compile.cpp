#include <algorithm>
#include <bit>
#include <cstring>

#include <fmt/format.h>

#include "base/error.h"
#include "schedule/program.h"

namespace sagitta {
namespace {

int ceil_div(int a, int b) {
  return (a + b - 1) / b;
}

LayerDescriptor describe(const Layer& layer, const ArrayShape& array) {
  const Window& w = layer.window;
  const int channels = layer.input.channels;
  LayerDescriptor d{};
  d.height = layer.input.height;
  d.width = layer.input.width;
  d.rows = layer.rows();
  d.columns = layer.columns();
  d.depth = layer.kind == LayerKind::gemm ? layer.depth() : 0;
  d.origin_y = -w.pad_top;
  d.origin_x = -w.pad_left;
  d.stride_y = w.stride_h;
  d.stride_x = w.stride_w;
  d.span_x = w.stride_w * layer.output.width;
  d.dilation_y = w.dilation_h;
  d.dilation_x = w.dilation_w;
  d.kernel_h = w.kernel_h;
  d.kernel_w = w.kernel_w;
  d.tap_channels = layer.kind == LayerKind::gemm ? channels : 1;
  // A step to the next kernel column starts from the last channel of the tap, a step to the next
  // kernel row from the last channel of the last column.
  d.tap_step_x = w.dilation_w * channels - (d.tap_channels - 1);
  d.tap_step_y = (w.dilation_h * layer.input.width - (w.kernel_w - 1) * w.dilation_w) * channels -
                 (d.tap_channels - 1);
  d.origin_address = (d.origin_y * layer.input.width + d.origin_x) * channels;
  d.pixel_step = w.stride_w * channels;
  d.line_step = (w.stride_h * layer.input.width - d.span_x) * channels;
  d.tile_y = (array.rows / layer.output.width) * w.stride_h;
  d.tile_x = (array.rows % layer.output.width) * w.stride_w;
  d.tile_address = (d.tile_y * layer.input.width + d.tile_x) * channels;
  d.input_zero_point = static_cast<std::int8_t>(layer.input_zero_point);
  d.output_zero_point = static_cast<std::int8_t>(layer.output_zero_point);
  d.output_min = static_cast<std::int8_t>(layer.output_min);
  d.output_max = static_cast<std::int8_t>(layer.output_max);
  d.operation = static_cast<std::uint8_t>(layer.kind == LayerKind::gemm ? LayerOperation::gemm
                                                                        : LayerOperation::max_pool);
  return d;
}

ParameterFormat format_of(const Protection& p) {
  ParameterFormat f;
  if (p.checksum) f.tile_words += 1;
  for (const Checker* c : {&p.range, &p.gradient}) {
    if (!c->present) continue;
    (c->granularity == Granularity::channel ? f.lane_words : f.tile_words) += 2;
  }
  return f;
}

Bounds bounds_of(const Checker& checker, int gemm_index, int column) {
  if (gemm_index >= static_cast<int>(checker.layers.size())) return {};
  const auto& bounds = checker.layers[static_cast<std::size_t>(gemm_index)].bounds;
  if (bounds.empty()) return {};
  const std::size_t i =
      checker.granularity == Granularity::channel ? static_cast<std::size_t>(column) : 0;
  return i < bounds.size() ? bounds[i] : Bounds{};
}

// The DRAM image of one column tile; see Transfer.
Transfer column_tile(const Layer& layer, int gemm_index, int first_column, const Program& program) {
  const int lanes = program.array.columns;
  const int valid = std::min(lanes, layer.columns() - first_column);
  const Protection& p = program.protection;
  Transfer t;
  const auto word = [&t](std::uint32_t value) {
    for (int i = 0; i < 4; ++i) t.bytes.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  };
  const auto pair = [&word](const Bounds& b) {
    word(static_cast<std::uint32_t>(b.low));
    word(static_cast<std::uint32_t>(b.high));
  };
  for (int lane = 0; lane < lanes; ++lane) {
    const bool used = lane < valid;
    const auto n = static_cast<std::size_t>(first_column) + static_cast<std::size_t>(lane);
    word(used ? static_cast<std::uint32_t>(layer.bias[n]) : 0);
    word(used ? layer.scale[n].mantissa | std::uint32_t{layer.scale[n].shift} << kMantissaBits : 0);
    for (const Checker* c : {&p.range, &p.gradient}) {
      if (c->present && c->granularity == Granularity::channel) {
        pair(used ? bounds_of(*c, gemm_index, first_column + lane) : Bounds{});
      }
    }
  }
  if (p.checksum) {
    std::uint32_t bias_sum = 0;
    const auto first = static_cast<std::size_t>(first_column);
    for (int lane = 0; lane < valid; ++lane) {
      bias_sum += static_cast<std::uint32_t>(layer.bias[first + static_cast<std::size_t>(lane)]);
    }
    word(bias_sum);
  }
  for (const Checker* c : {&p.range, &p.gradient}) {
    if (c->present && c->granularity == Granularity::layer) pair(bounds_of(*c, gemm_index, 0));
  }
  for (int k = 0; k < layer.depth(); ++k) {
    int sum = 0;
    for (int lane = 0; lane < lanes; ++lane) {
      const int w =
          lane < valid
              ? layer.weights[static_cast<std::size_t>(k) * layer.columns() + first_column + lane]
              : 0;
      sum += w;
      t.bytes.push_back(static_cast<std::uint8_t>(w));
    }
    if (p.checksum) {
      t.bytes.push_back(static_cast<std::uint8_t>(sum));
      t.bytes.push_back(static_cast<std::uint8_t>(sum >> 8));
    }
  }
  t.size = static_cast<std::int64_t>(t.bytes.size());
  return t;
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
                          const MemoryShape& memory) {
  constexpr std::int64_t kUsual = 1024;
  if (array.dataflow == Dataflow::os) return 0;
  if (memory.partial_rows != 0) return memory.partial_rows;
  std::int64_t most = 1;
  for (const Layer& layer : network.layers) {
    if (layer.kind == LayerKind::gemm) most = std::max<std::int64_t>(most, layer.rows());
  }
  return std::min(kUsual,
                  static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(most))));
}

// The layer configuration registers have the widths that machine/control/sequencer_registers.cpp
// declares; what does not fit them is refused here, before it could wrap in the machine.
void check_register_widths(const Layer& layer, const ArrayShape& array, const std::string& where) {
  const auto check = [&](const char* what, std::int64_t value, int bits) {
    if (value >= 0 && value < (std::int64_t{1} << bits)) return;
    throw InputError(
        where, "layer " + layer.name,
        fmt::format("{} is {}, more than the {} bits of its register hold", what, value, bits),
        "use a smaller layer");
  };
  const Window& w = layer.window;
  check("input height", layer.input.height, 16);
  check("input width", layer.input.width, 24);
  check("M (output pixels)", layer.rows(), 23);
  check("N (output channels)", layer.columns(), 23);
  check("input channels", layer.input.channels, 23);
  check("padding", std::max(w.pad_top, w.pad_left), 15);
  check("stride", std::max(w.stride_h, w.stride_w), 16);
  check("dilation", std::max(w.dilation_h, w.dilation_w), 16);
  check("kernel height or width", std::max(w.kernel_h, w.kernel_w), 8);
  check("one output row's span", std::int64_t{w.stride_w} * layer.output.width, 23);
  check("one array height's step", std::int64_t{array.rows} * std::max(w.stride_h, w.stride_w), 23);
  check("input elements",
        std::int64_t{layer.input.height} * layer.input.width * layer.input.channels, 30);
  check("output elements", std::int64_t{layer.rows()} * layer.columns(), 30);
}

}  // namespace

Program compile(const Network& network, const ArrayShape& array, const MemoryShape& memory,
                const Protection& protection, const std::string& where) {
  Program program;
  program.array = array;
  program.memory = memory;
  program.protection = protection;
  program.parameters = format_of(protection);
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
  for (const Layer& layer : network.layers) check_register_widths(layer, array, where);

  std::int64_t largest_map = 1;
  std::string largest_map_layer = "the input";
  std::int64_t deepest = 1;
  std::string deepest_layer = "any layer";
  for (const Layer& layer : network.layers) {
    for (const FeatureShape& shape : {layer.input, layer.output}) {
      if (shape.elements() > largest_map) {
        largest_map = shape.elements();
        largest_map_layer = fmt::format("layer {} ({} x {} x {})", layer.name, shape.height,
                                        shape.width, shape.channels);
      }
    }
    if (layer.kind == LayerKind::gemm && layer.depth() > deepest) {
      deepest = layer.depth();
      deepest_layer = fmt::format("a column tile of layer {} (K = {})", layer.name, layer.depth());
    }
  }
  program.memory.activation_bytes = fit(memory.activation_bytes, largest_map, 1024, where,
                                        "$.memory.activation_bytes", largest_map_layer);
  program.memory.weight_rows =
      fit(memory.weight_rows, deepest, 64, where, "$.memory.weight_rows", deepest_layer);
  program.memory.partial_rows = partial_rows(network, array, memory);

  Transfer image;
  image.is_image = true;
  image.size = network.input.elements();
  program.transfers.push_back(image);
  int gemm_index = 0;
  for (const Layer& layer : network.layers) {
    program.layer_names.push_back(layer.name);
    program.layers.push_back(describe(layer, array));
    program.first_column_tile.push_back(static_cast<int>(program.transfers.size()) - 1);
    if (layer.kind != LayerKind::gemm) continue;
    const Layer zeros = layer.has_values() ? Layer{} : with_zeros(layer);
    const Layer& source = layer.has_values() ? layer : zeros;
    for (int t = 0; t < ceil_div(layer.columns(), array.columns); ++t) {
      program.transfers.push_back(column_tile(source, gemm_index, t * array.columns, program));
      if (!layer.has_values()) program.transfers.back().bytes = {};  // as long, but without bytes
    }
    ++gemm_index;
  }
  if (program.transfers.size() > kMostTransfers) {
    throw InputError(where, "$.array.cols",
                     fmt::format("the network needs {} column tiles", program.transfers.size() - 1),
                     fmt::format("the counters hold {}: use more columns", kMostTransfers - 1));
  }
  program.logits = network.layers.back().output.elements();
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
