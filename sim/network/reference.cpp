#include "network/reference.h"

#include <algorithm>
#include <stdexcept>

namespace sagitta {
namespace {

// Products of at most this many taps cannot overflow a signed 32-bit sum (2^16 x 2^14 = 2^30), so
// the inner loop may use signed arithmetic, which is what GCC turns into multiply-add vectors.
// Sums of such blocks are added as unsigned numbers: they wrap mod 2^32 as the hardware does.
constexpr int kBlock = 1 << 16;

std::uint32_t dot(const std::int16_t* a, const std::int16_t* b, int count) {
  std::uint32_t total = 0;
  for (int start = 0; start < count; start += kBlock) {
    const int length = std::min(kBlock, count - start);
    std::int32_t sum = 0;
    for (int k = 0; k < length; ++k) sum += a[start + k] * b[start + k];
    total += static_cast<std::uint32_t>(sum);
  }
  return total;
}

// One row of A for one group: the taps of one output position in the order of the weights' k.
void gather_patch(const Layer& layer, const std::vector<std::int8_t>& input, int y, int x,
                  int group, std::vector<std::int16_t>& patch) {
  const Window& w = layer.window;
  const int all = layer.input.channels;
  const int channels = all / layer.groups;
  const auto first_channel = std::ptrdiff_t{group} * channels;
  std::fill(patch.begin(), patch.end(), static_cast<std::int16_t>(layer.input_zero_point));
  const int left = x * w.stride_w - w.pad_left;
  for (int ky = 0; ky < w.kernel_h; ++ky) {
    const int in_y = y * w.stride_h - w.pad_top + ky * w.dilation_h;
    if (in_y < 0 || in_y >= layer.input.height) continue;
    const auto row = input.begin() + std::ptrdiff_t{in_y} * layer.input.width * all + first_channel;
    const auto taps = patch.begin() + std::ptrdiff_t{ky} * w.kernel_w * channels;
    if (w.dilation_w == 1 && layer.groups == 1) {
      // The taps of a row lie side by side in the input: one copy of those inside of it.
      const int first = std::clamp(-left, 0, w.kernel_w);
      const int last = std::clamp(layer.input.width - left, first, w.kernel_w);
      if (first == last) continue;
      std::copy_n(row + std::ptrdiff_t{left + first} * channels, (last - first) * channels,
                  taps + std::ptrdiff_t{first} * channels);
      continue;
    }
    for (int kx = 0; kx < w.kernel_w; ++kx) {
      const int in_x = left + kx * w.dilation_w;
      if (in_x < 0 || in_x >= layer.input.width) continue;
      std::copy_n(row + std::ptrdiff_t{in_x} * all, channels, taps + std::ptrdiff_t{kx} * channels);
    }
  }
}

// Several rows of A share the weights: with k innermost for both operands this is the faster loop.
void multiply_map(const Layer& layer, const std::vector<std::int8_t>& input,
                  std::vector<std::int32_t>& sums) {
  const int depth = layer.depth();
  const int columns = layer.columns();
  std::vector<std::int16_t> by_column(layer.weights.size());
  for (int k = 0; k < depth; ++k) {
    for (int n = 0; n < columns; ++n) {
      by_column[std::size_t(n) * depth + k] =
          std::int16_t{layer.weights[std::size_t(k) * columns + n]};
    }
  }
  std::vector<std::int16_t> patch(depth);
  const int group_columns = columns / layer.groups;
  auto sum = sums.begin();
  for (int y = 0; y < layer.output.height; ++y) {
    for (int x = 0; x < layer.output.width; ++x) {
      for (int n = 0; n < columns; ++n) {
        if (n % group_columns == 0) gather_patch(layer, input, y, x, n / group_columns, patch);
        const std::uint32_t total =
            dot(patch.data(), by_column.data() + std::size_t(n) * depth, depth);
        *sum++ = static_cast<std::int32_t>(static_cast<std::uint32_t>(layer.bias[n]) + total);
      }
    }
  }
}

// A single row reads every weight once, so rearranging the weights would cost more than it saves.
void multiply_row(const Layer& layer, const std::vector<std::int8_t>& input,
                  std::vector<std::int32_t>& sums) {
  const int columns = layer.columns();
  std::vector<std::int16_t> patch(layer.depth());
  gather_patch(layer, input, 0, 0, 0, patch);
  std::vector<std::uint32_t> totals(layer.bias.begin(), layer.bias.end());
  const std::int8_t* weights = layer.weights.data();
  for (const std::int16_t value : patch) {
    for (int n = 0; n < columns; ++n) {
      const auto product = static_cast<std::int16_t>(value * weights[n]);  // at most 2^14
      totals[n] += static_cast<std::uint32_t>(std::int32_t{product});
    }
    weights += columns;
  }
  std::copy(totals.begin(), totals.end(), sums.begin());
}

void run_gemm(const Layer& layer, const std::vector<std::int8_t>& input, LayerValues& values) {
  values.sums.resize(std::size_t(layer.rows()) * layer.columns());
  if (layer.rows() == 1 && layer.groups == 1) {
    multiply_row(layer, input, values.sums);
  } else {
    multiply_map(layer, input, values.sums);
  }
  const int columns = layer.columns();
  for (std::size_t row = 0; row < values.sums.size(); row += columns) {
    for (int n = 0; n < columns; ++n) {
      values.output[row + n] =
          requantise(values.sums[row + n], layer.scale[n], layer.output_zero_point,
                     layer.output_min, layer.output_max);
    }
  }
}

// Calls tap(output pixel, input pixel) for every tap of every window that lies inside of the map.
template <typename Tap>
void for_each_tap(const Layer& layer, const Tap& tap) {
  const Window& w = layer.window;
  std::size_t pixel = 0;
  for (int y = 0; y < layer.output.height; ++y) {
    for (int x = 0; x < layer.output.width; ++x, ++pixel) {
      for (int ky = 0; ky < w.kernel_h; ++ky) {
        const int in_y = y * w.stride_h - w.pad_top + ky * w.dilation_h;
        if (in_y < 0 || in_y >= layer.input.height) continue;
        for (int kx = 0; kx < w.kernel_w; ++kx) {
          const int in_x = x * w.stride_w - w.pad_left + kx * w.dilation_w;
          if (in_x < 0 || in_x >= layer.input.width) continue;
          tap(pixel, std::size_t(in_y) * layer.input.width + in_x);
        }
      }
    }
  }
}

void run_max_pool(const Layer& layer, const std::vector<std::int8_t>& input, LayerValues& values) {
  const std::size_t channels = layer.input.channels;
  std::fill(values.output.begin(), values.output.end(), std::int8_t{-128});
  for_each_tap(layer, [&](std::size_t to, std::size_t from) {
    for (std::size_t c = 0; c < channels; ++c) {
      std::int8_t& output = values.output[to * channels + c];
      output = std::max(output, input[from * channels + c]);
    }
  });
}

std::int8_t finish_taps(const Layer& layer, std::int64_t sum) {
  return round_taps(sum, layer.tap_scale.shift, layer.output_zero_point, layer.output_min,
                    layer.output_max);
}

void run_average_pool(const Layer& layer, const std::vector<std::int8_t>& input,
                      LayerValues& values) {
  const std::size_t channels = layer.input.channels;
  std::vector<std::int64_t> sums(values.output.size());
  for_each_tap(layer, [&](std::size_t to, std::size_t from) {
    for (std::size_t c = 0; c < channels; ++c) {
      sums[to * channels + c] += input[from * channels + c] - layer.input_zero_point;
    }
  });
  for (std::size_t i = 0; i < sums.size(); ++i) {
    values.output[i] = finish_taps(layer, sums[i] * std::int64_t{layer.tap_scale.first});
  }
}

void run_add(const Layer& layer, const std::vector<std::int8_t>& a,
             const std::vector<std::int8_t>& b, LayerValues& values) {
  for (std::size_t i = 0; i < values.output.size(); ++i) {
    const std::int64_t first = a[i] - layer.input_zero_point;
    const std::int64_t second = b[i] - layer.second_zero_point;
    values.output[i] =
        finish_taps(layer, first * layer.tap_scale.first + second * layer.tap_scale.second);
  }
}

}  // namespace

LayerValues run_layer(const Layer& layer, const std::vector<std::int8_t>& input,
                      const std::vector<std::int8_t>& second) {
  const auto elements = static_cast<std::size_t>(layer.input.elements());
  if (input.size() != elements || (layer.kind == LayerKind::add && second.size() != elements)) {
    throw std::invalid_argument("layer " + layer.name + " was given an input of the wrong size");
  }
  LayerValues values;
  values.output.resize(layer.output.elements());
  switch (layer.kind) {
    case LayerKind::gemm:
      run_gemm(layer, input, values);
      break;
    case LayerKind::max_pool:
      run_max_pool(layer, input, values);
      break;
    case LayerKind::average_pool:
      run_average_pool(layer, input, values);
      break;
    case LayerKind::add:
      run_add(layer, input, second, values);
      break;
  }
  return values;
}

std::vector<LayerValues> run_network(const Network& network,
                                     const std::vector<std::int8_t>& input) {
  std::vector<LayerValues> values;
  values.reserve(network.layers.size());
  const auto source = [&](std::size_t layer, std::size_t operand) -> const auto& {
    const int from = network.source(layer, operand);
    return from < 0 ? input : values[static_cast<std::size_t>(from)].output;
  };
  const std::vector<std::int8_t> none;
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const Layer& layer = network.layers[i];
    values.push_back(
        run_layer(layer, source(i, 0), layer.kind == LayerKind::add ? source(i, 1) : none));
  }
  return values;
}

int top1(const std::vector<std::int8_t>& logits) {
  if (logits.empty()) throw std::invalid_argument("top1 of no logits");
  return static_cast<int>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

}  // namespace sagitta
