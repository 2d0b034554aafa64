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

// One row of A: the taps of one output position in the order of the weights' k.
void gather_patch(const Layer& layer, const std::vector<std::int8_t>& input, int y, int x,
                  std::vector<std::int16_t>& patch) {
  const Window& w = layer.window;
  const int channels = layer.input.channels;
  std::fill(patch.begin(), patch.end(), static_cast<std::int16_t>(layer.input_zero_point));
  const int left = x * w.stride_w - w.pad_left;
  for (int ky = 0; ky < w.kernel_h; ++ky) {
    const int in_y = y * w.stride_h - w.pad_top + ky * w.dilation_h;
    if (in_y < 0 || in_y >= layer.input.height) continue;
    const auto row = input.begin() + std::ptrdiff_t{in_y} * layer.input.width * channels;
    const auto taps = patch.begin() + std::ptrdiff_t{ky} * w.kernel_w * channels;
    if (w.dilation_w == 1) {
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
      std::copy_n(row + std::ptrdiff_t{in_x} * channels, channels,
                  taps + std::ptrdiff_t{kx} * channels);
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
  auto sum = sums.begin();
  for (int y = 0; y < layer.output.height; ++y) {
    for (int x = 0; x < layer.output.width; ++x) {
      gather_patch(layer, input, y, x, patch);
      for (int n = 0; n < columns; ++n) {
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
  gather_patch(layer, input, 0, 0, patch);
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
  if (layer.rows() == 1) {
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

void run_max_pool(const Layer& layer, const std::vector<std::int8_t>& input, LayerValues& values) {
  const Window& w = layer.window;
  const int channels = layer.input.channels;
  std::fill(values.output.begin(), values.output.end(), std::int8_t{-128});
  auto output = values.output.begin();
  for (int y = 0; y < layer.output.height; ++y) {
    for (int x = 0; x < layer.output.width; ++x, output += channels) {
      for (int ky = 0; ky < w.kernel_h; ++ky) {
        const int in_y = y * w.stride_h - w.pad_top + ky * w.dilation_h;
        if (in_y < 0 || in_y >= layer.input.height) continue;
        for (int kx = 0; kx < w.kernel_w; ++kx) {
          const int in_x = x * w.stride_w - w.pad_left + kx * w.dilation_w;
          if (in_x < 0 || in_x >= layer.input.width) continue;
          const std::size_t pixel = (std::size_t(in_y) * layer.input.width + in_x) * channels;
          for (int c = 0; c < channels; ++c) {
            output[c] = std::max(output[c], input[pixel + c]);
          }
        }
      }
    }
  }
}

}  // namespace

LayerValues run_layer(const Layer& layer, const std::vector<std::int8_t>& input) {
  if (input.size() != static_cast<std::size_t>(layer.input.elements())) {
    throw std::invalid_argument("layer " + layer.name + " was given an input of the wrong size");
  }
  LayerValues values;
  values.output.resize(layer.output.elements());
  if (layer.kind == LayerKind::gemm) {
    run_gemm(layer, input, values);
  } else {
    run_max_pool(layer, input, values);
  }
  return values;
}

std::vector<LayerValues> run_network(const Network& network,
                                     const std::vector<std::int8_t>& input) {
  std::vector<LayerValues> values;
  values.reserve(network.layers.size());
  for (const Layer& layer : network.layers) {
    values.push_back(run_layer(layer, values.empty() ? input : values.back().output));
  }
  return values;
}

int top1(const std::vector<std::int8_t>& logits) {
  if (logits.empty()) throw std::invalid_argument("top1 of no logits");
  return static_cast<int>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

}  // namespace sagitta
