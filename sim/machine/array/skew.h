// A triangle of delay registers: lane i is delayed by i cycles, or, to align again what a skewed
// array lets out, lane i of n by n - 1 - i.
#pragma once

#include <cstddef>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include <fmt/format.h>

#include "base/registers.h"

namespace sagitta {

template <typename T>
class Skew {
 public:
  // Declares `path[lane][stage]` for every stage of every lane.
  //
  // The stages lie as the rows of a (lanes - 1) x lanes matrix, each in the row that says in how
  // many cycles its value leaves, the last row first to leave: a cycle is one copy to the row
  // below, and what leaves lies side by side. The places above where a lane enters stay zero.
  Skew(RegisterLayout& layout, const std::string& path, int lanes, int width, bool aligns = false)
      : lanes_(static_cast<std::size_t>(lanes)), aligns_(aligns) {
    registers_ = layout.place_pipe<T>(lanes_ * (lanes_ - 1));
    for (int delay = 1; delay < lanes; ++delay) {
      RegisterClass c;
      c.path = fmt::format("{}[{}][]", path, place(static_cast<std::size_t>(delay)));
      c.extents = {delay};
      c.strides = {lanes};
      c.width = width;
      c.is_signed = std::is_signed_v<T>;
      c.offset = registers_.offset + sizeof(T) * entry(static_cast<std::size_t>(delay));
      c.element_bytes = sizeof(T);
      layout.declare(std::move(c));
    }
  }

  void step(const Cycle& cycle, const T* input) const {
    if (lanes_ < 2) return;
    T* next = registers_.next(cycle);
    std::memcpy(next + lanes_, registers_.now(cycle), (registers_.count - lanes_) * sizeof(T));
    // Where the next lane enters: a row up, and a column to the right or, aligning, to the left.
    const auto lanes = static_cast<std::ptrdiff_t>(lanes_);
    const std::ptrdiff_t right = aligns_ ? -1 : 1;
    T* enters = next + entry(1);
    const T* value = input + place(1);
    for (std::ptrdiff_t delay = 1; delay < lanes; ++delay) {
      *enters = *value;
      enters += right - lanes;
      value += right;
    }
  }

  // What leaves lane i in this cycle, to out[i * stride]; the lane without registers passes its
  // input. `used`: only the first lanes.
  void output(const std::byte* now_base, const T* input, T* out, std::size_t stride = 1,
              int used = 0) const {
    const std::size_t lanes = used > 0 ? static_cast<std::size_t>(used) : lanes_;
    if (lanes_ > 1) {
      const T* leaving = registers_.now(now_base) + registers_.count - lanes_;
      if (stride == 1) {
        std::memcpy(out, leaving, lanes * sizeof(T));
      } else {
        for (std::size_t lane = 0; lane < lanes; ++lane) out[lane * stride] = leaving[lane];
      }
    }
    out[place(0) * stride] = input[place(0)];
  }

 private:
  // The lane that has `delay` stages.
  std::size_t place(std::size_t delay) const { return aligns_ ? lanes_ - 1 - delay : delay; }
  // Where the first stage of that lane lies.
  std::size_t entry(std::size_t delay) const {
    return (lanes_ - 1 - delay) * lanes_ + place(delay);
  }

  std::size_t lanes_;
  bool aligns_;
  Pipe<T> registers_;
};

}  // namespace sagitta
