// One pipeline stage of the drain path: a row of sums, or of outputs, with what travels beside it.
// The vector unit's first stage and every stage of the resilience unit are made of these.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>

#include "base/registers.h"

namespace sagitta {

// What a stage shows to the next one in this cycle.
struct SumVector {
  bool valid = false;
  bool flagged = false;      // the row's checksum, or the outputs' check, failed
  std::int32_t address = 0;  // of lane 0 in the result
  const std::int32_t* value = nullptr;
  // Lanes of a flagged row whose column's checksum failed, too; null where nobody asks for them.
  const std::uint8_t* cells = nullptr;
};

// What travels beside the sums of a stage: the flag, and a bit a lane, the cells.
struct Beside {
  bool flag = false;
  bool cells = false;
};

class SumStage {
 public:
  // `bits`: of a value, 32 of a sum and 8 of an output.
  SumStage(RegisterLayout& layout, const std::string& path, int lanes, Beside beside, int bits = 32)
      : lanes_(lanes) {
    value_ = layout.pipe<std::int32_t>(path + ".sum[]", {lanes}, bits);
    address_ = layout.pipe<std::int32_t>(path + ".address", {}, 32);
    valid_ = layout.pipe<std::uint8_t>(path + ".valid", {}, 1);
    has_flag_ = beside.flag;
    if (has_flag_) flagged_ = layout.pipe<std::uint8_t>(path + ".flag", {}, 1);
    if (beside.cells) cells_ = layout.pipe<std::uint8_t>(path + ".cell[]", {lanes}, 1);
  }
  SumStage(RegisterLayout& layout, const std::string& path, int lanes, bool flag, int bits = 32)
      : SumStage(layout, path, lanes, Beside{flag, false}, bits) {}

  SumVector view(const std::byte* now) const {
    return {*valid_.now(now) != 0, has_flag_ && *flagged_.now(now) != 0, *address_.now(now),
            value_.now(now), cells_.count > 0 ? cells_.now(now) : nullptr};
  }

  // Takes `input`; data registers hold while nothing valid arrives.
  void load(const Cycle& cycle, const SumVector& input) const {
    *valid_.next(cycle) = input.valid ? 1 : 0;
    const SumVector source = input.valid ? input : view(cycle.now);
    *address_.next(cycle) = source.address;
    if (has_flag_) *flagged_.next(cycle) = source.flagged ? 1 : 0;
    // Who has a stage with cells hands it some.
    if (cells_.count > 0 && source.cells != nullptr)
      std::memcpy(cells_.next(cycle), source.cells, cells_.count);
    std::memcpy(value_.next(cycle), source.value,
                sizeof(std::int32_t) * static_cast<std::size_t>(lanes_));
  }

  std::int32_t* next_values(const Cycle& cycle) const { return value_.next(cycle); }
  std::uint8_t* next_cells(const Cycle& cycle) const { return cells_.next(cycle); }
  void set_flag(const Cycle& cycle, bool flag) const { *flagged_.next(cycle) = flag ? 1 : 0; }
  // What is here stays valid for another cycle, after a load of nothing.
  void keep(const Cycle& cycle) const { *valid_.next(cycle) = 1; }

 private:
  int lanes_;
  bool has_flag_ = false;
  Pipe<std::int32_t> value_;
  Pipe<std::int32_t> address_;
  Pipe<std::uint8_t> valid_;
  Pipe<std::uint8_t> flagged_;
  Pipe<std::uint8_t> cells_;
};

// Blocks that idle for long: once both halves of the state are equal a step may be left out.
// Host-side bookkeeping: changes speed only, never values.
class IdleSkip {
 public:
  // `busy`: something valid is in the block or about to enter. True when the step may be skipped.
  bool skip(bool busy) {
    if (busy) {
      idle_steps_ = 0;
      return false;
    }
    if (idle_steps_ >= 2) return true;
    ++idle_steps_;
    return false;
  }
  void touch() { idle_steps_ = 0; }

 private:
  int idle_steps_ = 0;
};

}  // namespace sagitta
