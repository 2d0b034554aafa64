// What the banks of the activation scratchpad make of an access, from the elements that it asks
// for: as many cycles as the busiest bank has different words to deliver, at least one. The
// elements' addresses come from the layer's shapes (docs/machine.md); nothing here is shared with
// the machine.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "network/network.h"
#include "schedule/program.h"

namespace sagitta::test {

using Elements = std::vector<std::int64_t>;

// Where operand A[m][k] of a group lies in the input map (HWC, images one behind the other);
// nothing in the padding.
inline std::optional<std::int64_t> operand(const Layer& layer, int m, int k, int group) {
  const Window& w = layer.window;
  const int channels = layer.input.channels / layer.groups;
  const int out = m % layer.rows();
  const int tap = k / channels;
  const int y = out / layer.output.width * w.stride_h - w.pad_top + tap / w.kernel_w * w.dilation_h;
  const int x =
      out % layer.output.width * w.stride_w - w.pad_left + tap % w.kernel_w * w.dilation_w;
  if (y < 0 || y >= layer.input.height || x < 0 || x >= layer.input.width) return std::nullopt;
  const std::int64_t line = std::int64_t{m / layer.rows()} * layer.input.height + y;
  return (line * layer.input.width + x) * layer.input.channels + group * channels + k % channels;
}

// Cycles of accesses, and the words that they deliver, added up.
class Banks {
 public:
  explicit Banks(const MemoryShape& memory) : memory_(memory) {}
  bool ideal() const { return memory_.activation_banks == 0; }

  // Cycles of an access to these elements of one map.
  std::int64_t access(const Elements& elements) {
    if (ideal()) return 1;
    std::map<std::int64_t, std::set<std::int64_t>> words;  // by bank
    for (const std::int64_t e : elements) {
      const std::int64_t word = e / memory_.activation_port_bytes;
      words[word % memory_.activation_banks].insert(word);
    }
    std::size_t cycles = 1;
    for (const auto& [bank, of_bank] : words) {
      cycles = std::max(cycles, of_bank.size());
      words_ += static_cast<std::int64_t>(of_bank.size());
    }
    return static_cast<std::int64_t>(cycles);
  }

  // Of operands A[m][k] for `pixels` of m and `taps` of k.
  std::int64_t operands(const Layer& layer, int m, int pixels, int k, int taps, int group) {
    Elements elements;
    for (int p = 0; p < pixels && !ideal(); ++p) {
      for (int t = 0; t < taps && k + t < layer.depth(); ++t) {
        if (const auto at = operand(layer, m + p, k + t, group)) elements.push_back(*at);
      }
    }
    return access(elements);
  }
  std::int64_t neighbours(std::int64_t first, std::int64_t count) {
    Elements elements;
    for (std::int64_t i = 0; i < count; ++i) elements.push_back(first + i);
    return access(elements);
  }

  std::int64_t words() const { return words_; }

 private:
  MemoryShape memory_;
  std::int64_t words_ = 0;
};

}  // namespace sagitta::test
