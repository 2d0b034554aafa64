#include "campaign/carry.h"

#include <algorithm>
#include <utility>

#include "network/fixed_scale.h"

namespace sagitta {
namespace {

// Of an element of a map; x may count on over its rows.
std::size_t index(const FeatureShape& shape, int y, int x, int channel) {
  const auto pixel = static_cast<std::size_t>(y) * static_cast<std::size_t>(shape.width) +
                     static_cast<std::size_t>(x);
  return pixel * static_cast<std::size_t>(shape.channels) + static_cast<std::size_t>(channel);
}

// Calls visit(output position, tap) for the windows along one axis that reach an input position.
template <typename Visit>
void for_each_window(int input, int pad, int stride, int dilation, int kernel, int outputs,
                     const Visit& visit) {
  for (int tap = 0; tap < kernel; ++tap) {
    const int start = input + pad - tap * dilation;
    if (start < 0 || start % stride != 0 || start / stride >= outputs) continue;
    visit(start / stride, tap);
  }
}

}  // namespace

bool DifferenceCarrier::allowed(const Program& program) {
  const Protection& p = program.protection;
  return program.batch == 1 && !program.raw_output && p.memory_code == MemoryCode::none &&
         std::all_of(p.checkers.begin(), p.checkers.end(),
                     [](const Checker& c) { return c.gate != Gate::always; });
}

bool DifferenceCarrier::weights_allowed(const Program& program) {
  return allowed(program) && !program.protection.checksum && program.protection.passes == 1;
}

bool DifferenceCarrier::inputs_allowed(const Program& program) {
  return weights_allowed(program) && !program.protection.reruns();
}

DifferenceCarrier::DifferenceCarrier(const Network& network, const Program& program)
    : network_(&network), maps_(static_cast<std::size_t>(program.activation_maps)) {
  std::vector<int> owner(maps_, kNobody);
  owner[0] = -1;  // where DMA puts the image
  for (std::size_t l = 0; l < program.layers.size(); ++l) {
    owners_.insert(owners_.end(), owner.begin(), owner.end());
    owner[program.layers[l].output_map] = static_cast<int>(l);
  }
  owners_.insert(owners_.end(), owner.begin(), owner.end());
  changes_.resize(network.layers.size() + 1);
  std::size_t most = 0;
  for (const Layer& l : network.layers) {
    most = std::max(most, static_cast<std::size_t>(l.output.elements()));
  }
  sums_.resize(most);
  touched_.resize(most);
}

void DifferenceCarrier::clear() {
  for (auto& changes : changes_) changes.clear();
  begun_ = {};
}

void DifferenceCarrier::change(int layer, std::int32_t element, std::int8_t value) {
  if (layer == kNobody) return;
  const FeatureShape& shape =
      layer < 0 ? network_->input : network_->layers[static_cast<std::size_t>(layer)].output;
  if (element >= shape.elements()) return;
  changes_[static_cast<std::size_t>(layer) + 1].push_back({element, value});
}

void DifferenceCarrier::touch(std::int32_t place) {
  if (touched_[static_cast<std::size_t>(place)] != 0) return;
  touched_[static_cast<std::size_t>(place)] = 1;
  places_.push_back(place);
}

void DifferenceCarrier::keep(std::size_t layer, std::int32_t element, std::int8_t value,
                             const CleanValues& clean) {
  if (value != clean.written[layer][static_cast<std::size_t>(element)]) {
    change(static_cast<int>(layer), element, value);
  }
}

void DifferenceCarrier::add_products(std::size_t index, std::int32_t element, int difference) {
  const Layer& layer = network_->layers[index];
  const bool in_part = begun_.layer == static_cast<int>(index);
  const Window& w = layer.window;
  const int channels = layer.input.channels;
  const int of_group = channels / layer.groups;
  const int columns = layer.columns();
  const int group_columns = columns / layer.groups;
  const int channel = element % channels;
  const int x = element / channels % layer.input.width;
  const int y = element / channels / layer.input.width;
  const int first_column = channel / of_group * group_columns;
  for_each_window(y, w.pad_top, w.stride_h, w.dilation_h, w.kernel_h, layer.output.height,
                  [&](int out_y, int tap_y) {
                    for_each_window(
                        x, w.pad_left, w.stride_w, w.dilation_w, w.kernel_w, layer.output.width,
                        [&](int out_x, int tap_x) {
                          const int pixel = out_y * layer.output.width + out_x;
                          int first = first_column;
                          if (in_part) {
                            first = std::max(first, pixel >= begun_.first_row ? begun_.first_column
                                                                              : begun_.next_column);
                          }
                          if (first >= first_column + group_columns) return;
                          touch(pixel);
                          const std::ptrdiff_t k =
                              std::ptrdiff_t{tap_y * w.kernel_w + tap_x} * of_group +
                              channel % of_group;
                          const std::int8_t* weights = layer.weights.data() + k * columns;
                          std::uint32_t* sums = sums_.data() + std::ptrdiff_t{pixel} * columns;
                          for (int n = first; n < first_column + group_columns; ++n) {
                            sums[n] += static_cast<std::uint32_t>(difference * weights[n]);
                          }
                        });
                  });
}

void DifferenceCarrier::change_weight(std::size_t layer, int k, int n, int difference,
                                      int first_row, const std::vector<std::int8_t>& image,
                                      const CleanValues& clean) {
  const Layer& l = network_->layers[layer];
  const Window& w = l.window;
  const int source = network_->source(layer);
  const std::vector<std::int8_t>& input =
      source < 0 ? image : clean.written[static_cast<std::size_t>(source)];
  const int of_group = l.input.channels / l.groups;
  const int channel = n / (l.columns() / l.groups) * of_group + k % of_group;
  const int tap_x = k / of_group % w.kernel_w * w.dilation_w - w.pad_left;
  const int tap_y = k / of_group / w.kernel_w * w.dilation_h - w.pad_top;
  for (int pixel = first_row; pixel < l.rows(); ++pixel) {
    const int y = pixel / l.output.width * w.stride_h + tap_y;
    const int x = pixel % l.output.width * w.stride_w + tap_x;
    const bool inside = y >= 0 && y < l.input.height && x >= 0 && x < l.input.width;
    const std::int8_t value = inside ? input[index(l.input, y, x, channel)]
                                     : static_cast<std::int8_t>(l.input_zero_point);
    if (value == 0) continue;
    touch(pixel);
    sums_[index(l.output, 0, pixel, n)] += static_cast<std::uint32_t>(difference * value);
  }
}

void DifferenceCarrier::carry_gemm(std::size_t layer, const std::vector<std::int8_t>& input,
                                   const CleanValues& clean, Differences& differences) {
  const Layer& l = network_->layers[layer];
  for (const Change& c : changes_of(network_->source(layer))) {
    add_products(layer, c.element, c.value - input[static_cast<std::size_t>(c.element)]);
  }
  const int columns = l.columns();
  const std::vector<std::int32_t>& clean_sums = clean.layers[layer].sums;
  for (const std::int32_t pixel : places_) {
    touched_[static_cast<std::size_t>(pixel)] = 0;
    for (int n = 0; n < columns; ++n) {
      const std::size_t at = index(l.output, 0, pixel, n);
      const std::uint32_t difference = std::exchange(sums_[at], 0);
      if (difference == 0) continue;
      const auto sum =
          static_cast<std::int32_t>(static_cast<std::uint32_t>(clean_sums[at]) + difference);
      differences.sum(layer, static_cast<std::int64_t>(at), sum);
      keep(layer, static_cast<std::int32_t>(at),
           requantise(sum, l.scale[static_cast<std::size_t>(n)], l.output_zero_point, l.output_min,
                      l.output_max),
           clean);
    }
  }
  places_.clear();
}

void DifferenceCarrier::carry_pool(std::size_t layer, const std::vector<std::int8_t>& input,
                                   const CleanValues& clean) {
  const Layer& l = network_->layers[layer];
  const Window& w = l.window;
  const int channels = l.input.channels;
  copy_ = input;
  for (const Change& c : changes_of(network_->source(layer))) {
    copy_[static_cast<std::size_t>(c.element)] = c.value;
    const int x = c.element / channels % l.input.width;
    const int y = c.element / channels / l.input.width;
    for_each_window(
        y, w.pad_top, w.stride_h, w.dilation_h, w.kernel_h, l.output.height, [&](int out_y, int) {
          for_each_window(
              x, w.pad_left, w.stride_w, w.dilation_w, w.kernel_w, l.output.width,
              [&](int out_x, int) {
                touch((out_y * l.output.width + out_x) * channels + c.element % channels);
              });
        });
  }
  for (const std::int32_t at : places_) {
    touched_[static_cast<std::size_t>(at)] = 0;
    const int channel = at % channels;
    const int out_x = at / channels % l.output.width;
    const int out_y = at / channels / l.output.width;
    std::int8_t maximum = -128;
    std::int64_t sum = 0;
    for (int ky = 0; ky < w.kernel_h; ++ky) {
      const int in_y = out_y * w.stride_h - w.pad_top + ky * w.dilation_h;
      if (in_y < 0 || in_y >= l.input.height) continue;
      for (int kx = 0; kx < w.kernel_w; ++kx) {
        const int in_x = out_x * w.stride_w - w.pad_left + kx * w.dilation_w;
        if (in_x < 0 || in_x >= l.input.width) continue;
        const std::int8_t value = copy_[index(l.input, in_y, in_x, channel)];
        maximum = std::max(maximum, value);
        sum += value - l.input_zero_point;
      }
    }
    const std::int8_t value =
        l.kind == LayerKind::max_pool
            ? maximum
            : round_taps(sum * std::int64_t{l.tap_scale.first}, l.tap_scale.shift,
                         l.output_zero_point, l.output_min, l.output_max);
    keep(layer, at, value, clean);
  }
  places_.clear();
}

void DifferenceCarrier::carry_add(std::size_t layer, const CleanValues& clean,
                                  const std::vector<std::int8_t>& image) {
  const Layer& l = network_->layers[layer];
  const auto result = [&](int of) -> const std::vector<std::int8_t>& {
    return of < 0 ? image : clean.written[static_cast<std::size_t>(of)];
  };
  // Both operands with their changes; they may be the same one.
  const int first = network_->source(layer, 0);
  const int second = network_->source(layer, 1);
  copy_ = result(first);
  std::vector<std::int8_t> other = result(second);
  for (const Change& c : changes_of(first)) {
    copy_[static_cast<std::size_t>(c.element)] = c.value;
    touch(c.element);
  }
  for (const Change& c : changes_of(second)) {
    other[static_cast<std::size_t>(c.element)] = c.value;
    touch(c.element);
  }
  for (const std::int32_t at : places_) {
    const auto i = static_cast<std::size_t>(at);
    touched_[i] = 0;
    const std::int64_t a = copy_[i] - l.input_zero_point;
    const std::int64_t b = other[i] - l.second_zero_point;
    keep(layer, at,
         round_taps(a * l.tap_scale.first + b * l.tap_scale.second, l.tap_scale.shift,
                    l.output_zero_point, l.output_min, l.output_max),
         clean);
  }
  places_.clear();
}

std::vector<std::int8_t> DifferenceCarrier::run(std::size_t first,
                                                const std::vector<std::int8_t>& image,
                                                const CleanValues& clean,
                                                Differences& differences) {
  for (std::size_t l = first; l < network_->layers.size(); ++l) {
    const Layer& layer = network_->layers[l];
    const int source = network_->source(l);
    const bool adds = layer.kind == LayerKind::add;
    if (places_.empty() && changes_of(source).empty() &&
        !(adds && !changes_of(network_->source(l, 1)).empty())) {
      continue;
    }
    const std::vector<std::int8_t>& input =
        source < 0 ? image : clean.written[static_cast<std::size_t>(source)];
    if (layer.kind == LayerKind::gemm) {
      carry_gemm(l, input, clean, differences);
    } else if (adds) {
      carry_add(l, clean, image);
    } else {
      carry_pool(l, input, clean);
    }
    if (!changes_of(static_cast<int>(l)).empty()) differences.raise(Reach::output);
  }
  std::vector<std::int8_t> result = clean.written.back();
  for (const Change& c : changes_.back()) result[static_cast<std::size_t>(c.element)] = c.value;
  return result;
}

}  // namespace sagitta
