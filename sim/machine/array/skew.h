// A triangle of delay registers: lane i is delayed by i cycles, or, to align again what a skewed
// array lets out, lane i of n by n - 1 - i.
#pragma once

#include <cstdint>
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
  Skew(RegisterLayout& layout, const std::string& path, int lanes, int width, bool aligns = false)
      : lanes_(lanes), aligns_(aligns) {
    registers_ = layout.place_pipe<T>(static_cast<std::size_t>(lanes) * (lanes - 1) / 2);
    for (int lane = 1; lane < lanes; ++lane) {
      RegisterClass c;
      c.path = fmt::format("{}[{}][]", path, place(lane));
      c.extents = {lane};
      c.width = width;
      c.is_signed = std::is_signed_v<T>;
      c.offset = registers_.offset + sizeof(T) * first(lane);
      c.element_bytes = sizeof(T);
      layout.declare(std::move(c));
    }
  }

  void step(const Cycle& cycle, const T* input) const {
    if (lanes_ < 2) return;
    // The triangle lies lane by lane, so one shifted copy moves every stage; the first stage of
    // each lane then takes the input.
    T* next = registers_.next(cycle);
    std::memcpy(next + 1, registers_.now(cycle), (registers_.count - 1) * sizeof(T));
    for (int lane = 1; lane < lanes_; ++lane) {
      *next = input[place(lane)];
      next += lane;
    }
  }

  // What leaves lane i in this cycle, to out[i * stride]; the lane without registers passes its
  // input. `used`: only the first lanes, where they are not aligned.
  void output(const std::byte* now_base, const T* input, T* out, std::size_t stride = 1,
              int used = 0) const {
    out[static_cast<std::size_t>(place(0)) * stride] = input[place(0)];
    const T* last = registers_.now(now_base);  // last stage of the lane with only one
    const int lanes = used > 0 ? used : lanes_;
    for (int lane = 1; lane < lanes; ++lane) {
      out[static_cast<std::size_t>(place(lane)) * stride] = *last;
      last += lane + 1;
    }
  }

 private:
  // The lane that has `delay` stages.
  int place(int delay) const { return aligns_ ? lanes_ - 1 - delay : delay; }
  static std::size_t first(int lane) { return static_cast<std::size_t>(lane) * (lane - 1) / 2; }

  int lanes_;
  bool aligns_;
  Pipe<T> registers_;
};

}  // namespace sagitta
