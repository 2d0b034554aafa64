// A triangle of delay registers: lane i is delayed by i cycles.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/registers.h"

namespace sagitta {

template <typename T>
class Skew {
 public:
  // Declares `path[lane][stage]` for stage < lane.
  Skew(RegisterLayout& layout, const std::string& path, int lanes, int width) : lanes_(lanes) {
    registers_ = layout.place_pipe<T>(static_cast<std::size_t>(lanes) * (lanes - 1) / 2);
    for (int lane = 1; lane < lanes; ++lane) {
      RegisterClass c;
      c.path = fmt::format("{}[{}][]", path, lane);
      c.extents = {lane};
      c.width = width;
      c.is_signed = true;
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
      *next = input[lane];
      next += lane;
    }
  }

  // What leaves lane i in this cycle, to out[i * stride]; lane 0 has no registers and passes its
  // input.
  void output(const std::byte* now_base, const T* input, T* out, std::size_t stride = 1) const {
    out[0] = input[0];
    const T* last = registers_.now(now_base);  // last stage of lane 1, its only one
    for (int lane = 1; lane < lanes_; ++lane) {
      out += stride;
      *out = *last;
      last += lane + 1;
    }
  }

 private:
  static std::size_t first(int lane) { return static_cast<std::size_t>(lane) * (lane - 1) / 2; }

  int lanes_;
  Pipe<T> registers_;
};

}  // namespace sagitta
