// What checkers do, by definition: computed directly on a layer's sums or outputs, row by row.
// Nothing here is shared with the machine.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <tuple>
#include <vector>

#include "machine/machine.h"
#include "network/fixed_scale.h"
#include "network/reference.h"

namespace sagitta::test {

using Suppressed = std::tuple<int, std::int32_t, std::int32_t>;  // layer, address, value

inline Bounds bounds_at(const Checker& c, int gemm, int column) {
  const auto& b = c.layers[static_cast<std::size_t>(gemm)].bounds;
  return b[c.granularity == Granularity::channel ? static_cast<std::size_t>(column) : 0];
}

// The checker as a row of this pixel meets it, of `columns` channels: with bounds a channel.
inline Checker at_pixel(const Checker& c, int gemm, int pixel, int columns) {
  if (!c.has_bounds() || c.granularity != Granularity::neuron) return c;
  Checker own = c;
  own.granularity = Granularity::channel;
  auto& bounds = own.layers[static_cast<std::size_t>(gemm)].bounds;
  const auto first = bounds.begin() + static_cast<std::ptrdiff_t>(pixel) * columns;
  bounds = std::vector<Bounds>(first, first + columns);
  return own;
}

// A sum has 32 bits, an output 8.
inline std::int64_t saturated(const Checker& c, std::int64_t value) {
  return c.position == Position::sum ? std::clamp<std::int64_t>(value, INT32_MIN, INT32_MAX)
                                     : std::clamp<std::int64_t>(value, -128, 127);
}

inline bool outside(std::int64_t value, const Bounds& b) {
  return value < b.low || value > b.high;
}

// One row of one column tile through one checker: what takes the place of each sum that it blames.
using Replaced = std::vector<std::optional<std::int64_t>>;

inline Replaced by_range(const std::vector<std::int32_t>& y, const Checker& c, int gemm,
                         int first_column, int zero) {
  Replaced r(y.size());
  for (std::size_t i = 0; i < y.size(); ++i) {
    const Bounds b = bounds_at(c, gemm, first_column + static_cast<int>(i));
    if (!outside(y[i], b)) continue;
    r[i] = c.suppress == Suppress::zero ? zero : saturated(c, y[i] < b.low ? b.low : b.high);
  }
  return r;
}

// After Amarnath et al.: y is suppressed when its gradients, to the neighbour before and from it to
// the neighbour after, are both out of bounds, or where the scheme says so on opposite sides.
inline std::optional<std::int64_t> by_gradients(std::int64_t before, std::int64_t y,
                                                std::int64_t after, const Bounds& own,
                                                const Bounds& next, const Checker& c, int zero) {
  const auto side = [](std::int64_t gradient, const Bounds& b) {  // -1, 0 or 1
    return gradient > b.high ? 1 : gradient < b.low ? -1 : 0;
  };
  const int rise = side(y - before, own), fall = side(after - y, next);
  if (c.spike ? rise * fall != -1 : rise * fall == 0) return std::nullopt;
  switch (c.suppress) {
    case Suppress::hold:
      return before;
    case Suppress::mean:
      return static_cast<std::int64_t>(std::floor(static_cast<double>(before + after) / 2));
    case Suppress::clamp:
      return saturated(c, before + (rise > 0 ? own.high : own.low));
    default:
      return zero;
  }
}

// Neighbours are circular over the tile's lanes.
inline Replaced by_gradient(const std::vector<std::int32_t>& y, const Checker& c, int gemm,
                            int first_column, int zero) {
  const std::size_t n = y.size();
  Replaced r(n);
  if (n < 3) return r;
  const auto bounds = [&](std::size_t i) {
    return bounds_at(c, gemm, first_column + static_cast<int>(i));
  };
  for (std::size_t j = 0; j < n; ++j) {
    const std::size_t next = (j + 1) % n;
    r[j] = by_gradients(y[(j + n - 1) % n], y[j], y[next], bounds(j), bounds(next), c, zero);
  }
  return r;
}

// Neighbours are the rows before and after in a line of the map; its first and last row pass.
inline Replaced by_line(const std::vector<std::vector<std::int32_t>>& rows, std::size_t m, int line,
                        const Checker& c, int gemm, int first_column, int zero) {
  Replaced r(rows[m].size());
  const int position = static_cast<int>(m) % line;
  if (position == 0 || position == line - 1) return r;
  for (std::size_t i = 0; i < r.size(); ++i) {
    const Bounds b = bounds_at(c, gemm, first_column + static_cast<int>(i));
    r[i] = by_gradients(rows[m - 1][i], rows[m][i], rows[m + 1][i], b, b, c, zero);
  }
  return r;
}

// Neighbours are the pixels left, right, above and below in a map of `lines` times `line`, images
// one behind the other. Three of four must be exceeded upwards, or downwards.
inline Replaced by_map(const std::vector<std::vector<std::int32_t>>& rows, std::size_t m, int line,
                       int lines, const Checker& c, int gemm, int first_column, int zero) {
  Replaced r(rows[m].size());
  const int x = static_cast<int>(m) % line, y = static_cast<int>(m) / line % lines;
  for (std::size_t i = 0; i < r.size(); ++i) {
    const Bounds b = bounds_at(c, gemm, first_column + static_cast<int>(i));
    const auto at = [&](int step) -> std::int64_t {
      return rows[static_cast<std::size_t>(static_cast<int>(m) + step)][i];
    };
    std::vector<std::int64_t> neighbours;
    if (x > 0) neighbours.push_back(at(-1));
    if (x < line - 1) neighbours.push_back(at(1));
    if (y > 0) neighbours.push_back(at(-line));
    if (y < lines - 1) neighbours.push_back(at(line));
    const auto exceeded = [&](auto out) {
      return std::count_if(neighbours.begin(), neighbours.end(),
                           [&](std::int64_t n) { return out(rows[m][i] - n); });
    };
    const bool peak = exceeded([&](std::int64_t d) { return d > b.high; }) >= 3;
    const bool dip = exceeded([&](std::int64_t d) { return d < b.low; }) >= 3;
    if (!peak && !dip) continue;
    const std::int64_t left = at(x > 0 ? -1 : line);
    switch (c.suppress) {
      case Suppress::hold:
        r[i] = left;
        break;
      case Suppress::mean:
        r[i] =
            x == 0 || y == lines - 1
                ? left
                : static_cast<std::int64_t>(std::floor(static_cast<double>(left + at(line)) / 2));
        break;
      case Suppress::clamp:
        r[i] = saturated(c, left + (peak ? b.high : b.low));
        break;
      default:
        r[i] = zero;
    }
  }
  return r;
}

inline Replaced by_median(const std::vector<std::int32_t>& y) {
  const std::size_t n = y.size();
  Replaced r(n);
  for (std::size_t j = 0; j < n && n >= 3; ++j) {
    std::array<std::int32_t, 3> window{y[(j + n - 1) % n], y[j], y[(j + 1) % n]};
    std::sort(window.begin(), window.end());
    if (window[1] != y[j]) r[j] = window[1];
  }
  return r;
}

// Row `m` of the rows of a column tile, `line` of which make a line of the map, and `lines` of
// these an image's map.
inline Replaced by(const Checker& c, const std::vector<std::vector<std::int32_t>>& rows,
                   std::size_t m, int line, int lines, int gemm, int first_column, int zero) {
  const std::vector<std::int32_t>& y = rows[m];
  if (c.axis == Axis::map) return by_map(rows, m, line, lines, c, gemm, first_column, zero);
  if (c.axis == Axis::line) return by_line(rows, m, line, c, gemm, first_column, zero);
  if (c.kind == CheckerKind::range) return by_range(y, c, gemm, first_column, zero);
  if (c.kind == CheckerKind::gradient) return by_gradient(y, c, gemm, first_column, zero);
  return by_median(y);
}

// Suppresses in place, checker by checker.
// Column tiles have channels of one group.
inline void apply(const Protection& p, Position position, int zero, std::vector<std::int32_t>& sums,
                  int rows, int line, int lines, int columns, int group_columns, int lanes,
                  int layer, int gemm, const std::vector<bool>* flagged,
                  std::vector<Suppressed>& log) {
  int valid = 0;
  for (int first = 0; first < columns; first += valid) {
    valid = std::min(lanes, group_columns - first % group_columns);
    std::vector<std::vector<std::int32_t>> tile;
    for (int m = 0; m < rows; ++m) {
      const auto at = sums.begin() + m * columns + first;
      tile.emplace_back(at, at + valid);
    }
    for (const Checker& c : p.checkers) {
      if (c.position != position) continue;
      const auto open = [&](int m) {
        if (c.gate == Gate::always) return true;
        if (flagged == nullptr) return false;
        const auto row = flagged->begin() + first / lanes * rows + m;  // in the order of draining
        return c.gate == Gate::row ? *row : std::find(flagged->begin(), row + 1, true) != row + 1;
      };
      std::vector<std::vector<std::int32_t>> passed = tile;
      for (int m = 0; m < rows; ++m) {
        if (!open(m)) continue;
        const auto row = static_cast<std::size_t>(m);
        const Checker own = at_pixel(c, gemm, m, columns);
        const Replaced replaced = by(own, tile, row, line, lines, gemm, first, zero);
        for (std::size_t i = 0; i < replaced.size(); ++i) {
          if (!replaced[i]) continue;
          log.emplace_back(layer, m * columns + first + static_cast<int>(i), tile[row][i]);
          passed[row][i] = static_cast<std::int32_t>(*replaced[i]);
        }
      }
      tile = passed;
    }
    for (int m = 0; m < rows; ++m) {
      const auto& row = tile[static_cast<std::size_t>(m)];
      std::copy(row.begin(), row.end(), sums.begin() + m * columns + first);
    }
  }
}

// Input stationary: a row is one channel, its lanes are pixels.
inline void apply_by_channel(const Protection& p, Position position, int zero,
                             std::vector<std::int32_t>& values, int channels, int lanes, int layer,
                             int gemm, std::vector<Suppressed>& log) {
  const int pixels = static_cast<int>(values.size()) / channels;
  for (int n = 0; n < channels; ++n) {
    Protection own = p;
    for (Checker& c : own.checkers) {
      if (!c.has_bounds()) continue;
      c.layers[static_cast<std::size_t>(gemm)].bounds = {bounds_at(c, gemm, n)};
      c.granularity = Granularity::layer;
    }
    const auto at = [&](int pixel) { return static_cast<std::size_t>(pixel * channels + n); };
    std::vector<std::int32_t> row;
    for (int m = 0; m < pixels; ++m) row.push_back(values[at(m)]);
    std::vector<Suppressed> found;
    apply(own, position, zero, row, 1, 1, 1, pixels, pixels, lanes, layer, gemm, nullptr, found);
    for (int m = 0; m < pixels; ++m) values[at(m)] = row[static_cast<std::size_t>(m)];
    for (const auto& [l, pixel, value] : found) {
      log.emplace_back(l, static_cast<std::int32_t>(at(pixel)), value);
    }
  }
}

struct Expected {
  std::vector<std::int8_t> logits;
  std::vector<Suppressed> log;
};

// The network with suppression between sums and requantisation. Clean rows never open a row gate.
inline Expected reference(const Network& network, const std::vector<std::int8_t>& image,
                          const Protection& p, const ArrayShape& array) {
  Expected e;
  std::vector<std::vector<std::int8_t>> maps;
  const auto source = [&](std::size_t layer, std::size_t operand) -> const auto& {
    const int from = network.source(layer, operand);
    return from < 0 ? image : maps[static_cast<std::size_t>(from)];
  };
  int gemm = 0;
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const Layer& layer = network.layers[i];
    LayerValues v = layer.kind == LayerKind::add ? run_layer(layer, source(i, 0), source(i, 1))
                                                 : run_layer(layer, source(i, 0));
    if (layer.kind == LayerKind::gemm) {
      const auto at = [&](Position position, int zero, std::vector<std::int32_t>& values) {
        const int l = static_cast<int>(i);
        if (array.dataflow_of(layer.name) == Dataflow::is) {
          apply_by_channel(p, position, zero, values, layer.columns(), array.columns, l, gemm,
                           e.log);
        } else {
          apply(p, position, zero, values, layer.rows(), layer.output.width, layer.output.height,
                layer.columns(), layer.columns() / layer.groups, array.columns, l, gemm, nullptr,
                e.log);
        }
      };
      at(Position::sum, 0, v.sums);
      for (std::size_t o = 0; o < v.sums.size(); ++o) {
        v.output[o] =
            requantise(v.sums[o], layer.scale[o % static_cast<std::size_t>(layer.columns())],
                       layer.output_zero_point, layer.output_min, layer.output_max);
      }
      std::vector<std::int32_t> outputs(v.output.begin(), v.output.end());
      at(Position::output, layer.output_zero_point, outputs);
      std::copy(outputs.begin(), outputs.end(), v.output.begin());
      ++gemm;
    }
    maps.push_back(v.output);
  }
  e.logits = maps.back();
  std::sort(e.log.begin(), e.log.end());
  return e;
}

inline std::vector<Suppressed> log_of(const Machine& machine) {
  std::vector<Suppressed> log;
  for (const SuppressionRecord& s : machine.suppressions())
    log.emplace_back(s.layer, s.address, s.value);
  std::sort(log.begin(), log.end());
  return log;
}

}  // namespace sagitta::test
