// What the checker of maps is to everybody else: what it is made of, and what it judges.
#include <algorithm>
#include <cstddef>
#include <functional>
#include <limits>

#include "machine/resilience/map_checker.h"

namespace sagitta {
namespace {

constexpr int kPixelBits = 24;
constexpr std::size_t kNeeded = 3;  // neighbours, of four

}  // namespace

std::vector<OperatorUse> map_operators(const Checker& checker, int lanes) {
  using enum OperatorUse::Kind;
  const double n = lanes;
  const int bits = checker.value_bits(), wide = bits + 1;
  std::vector<OperatorUse> list{
      {"difference", adder, wide, 2 * n, true, 2},
      // Each difference seen from both of its ends.
      {"bounds", comparator, wide, 8 * n, true, 8},
      {"first of a line", and_mask, 2, n},
      {"last of a line", and_mask, 2, n},
      {"first line", and_mask, 4, n},
      // Two bits each, above and below.
      {"count of the sides", adder, 2, 2 * n, true, 2},
      {"count of three", adder, 2, 2 * n, true, 2},
      {"count of four", adder, 2, 2 * n, true, 2},
      {"blame and gate", and_mask, 1, 4 * n, true, 4},
      {"position in line, map and batch", adder, kPixelBits, 3, false, 3},
      {"end of line, map and batch", comparator, kPixelBits, 3, false, 3},
      {"word of the line", adder, kPixelBits, 1, false},
      {"last word of the line", comparator, kPixelBits, 1, false},
      {"word in memory", comparator, kPixelBits, 2, false, 2},
      {"past the line", mux2, bits, n},
      {"past the line: address", mux2, 32, 1, false},
  };
  if (checker.position == Position::output) {
    list.push_back({"layer with a product", equality, 2, 1, false});
  }
  if (checker.suppress == Suppress::zero) {
    list.push_back({"suppress", checker.position == Position::sum ? and_mask : mux2, bits, n});
    return list;
  }
  list.push_back({"suppress", mux2, bits, n});
  list.push_back({"first pixel of a line", mux2, bits, n});
  if (checker.suppress == Suppress::mean) {
    list.push_back({"mean", adder, wide, n});
    list.push_back({"last line", mux2, bits, n});
  } else if (checker.suppress == Suppress::clamp) {
    list.push_back({"bound passed", mux2, checker.bound_bits(), n});
    list.push_back({"neighbour and bound", adder, checker.bound_bits() + 1, n});
    list.push_back({"saturate", mux2, bits, n});
  }
  return list;
}

void judge_maps(const Layer& layer, const std::vector<std::int32_t>& sums,
                std::vector<Judged>& all) {
  const int channels = layer.columns();
  const int width = layer.output.width;
  const int height = static_cast<int>(sums.size()) / channels / width;
  const auto at = [&](int y, int x, int c) -> std::int64_t {
    return sums[(static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                 static_cast<std::size_t>(x)) *
                    static_cast<std::size_t>(channels) +
                static_cast<std::size_t>(c)];
  };
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const int missing = (y == 0) + (y + 1 == height) + (x == 0) + (x + 1 == width);
      if (missing > 1) continue;
      for (int c = 0; c < channels; ++c) {
        Judged j{.channel = c, .second_channel = c};
        const auto look = [&](bool there, int from_y, int from_x) {
          if (there)
            j.difference[static_cast<std::size_t>(j.differences++)] =
                at(y, x, c) - at(from_y, from_x, c);
        };
        look(x > 0, y, x - 1);
        look(x + 1 < width, y, x + 1);
        look(y > 0, y - 1, x);
        look(y + 1 < height, y + 1, x);
        // A neighbour that is missing is neither above nor below.
        auto largest = j.difference, smallest = j.difference;
        if (j.differences < 4) {
          largest[3] = std::numeric_limits<std::int64_t>::min();
          smallest[3] = std::numeric_limits<std::int64_t>::max();
        }
        std::sort(largest.begin(), largest.end(), std::greater<>());
        std::sort(smallest.begin(), smallest.end());
        j.first = largest[kNeeded - 1];
        j.second = smallest[kNeeded - 1];
        all.push_back(j);
      }
    }
  }
}

}  // namespace sagitta
