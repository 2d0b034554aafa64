// Redundancy in time: a tile's sums of its first two passes, and the vote of the third on them, bit
// by bit, in front of the bias adder. docs/machine.md, "Three passes".
#pragma once

#include <cstdint>
#include <vector>

#include "base/registers.h"
#include "machine/memory/access.h"
#include "machine/vector/sum_stage.h"
#include "schedule/program.h"

namespace sagitta {

class VoteBuffer {
 public:
  VoteBuffer(RegisterLayout& layout, const Program& program);

  // Rows of a tile: output stationary the array's, otherwise as many as there are partial sums for.
  static int rows(const Program& program);

  // `row`: finished sums of this pass, if any; `pass`: 0, 1 or 2; `ends`: all of its rows have
  // passed. The sums of the row that comes next are read beforehand.
  void step(const Cycle& cycle, const SumVector& row, int pass, bool ends) const;

  // What goes on: nothing but in the last pass, and then the vote. Valid until the next call.
  SumVector output(const std::byte* now, const SumVector& row, int pass);

  // The row that comes next.
  std::uint32_t row(const std::byte* now) const { return *row_.now(now); }
  void accesses(const std::byte* now, const std::byte* held, const SumVector& row, int pass,
                bool ends, const MemoryVisitor& visit) const;

 private:
  static constexpr std::uint32_t kKept = 2;  // passes whose sums are kept
  std::uint32_t next_row(const std::byte* now, bool valid, bool ends) const;
  bool writes(const std::byte* now, const SumVector& row, int pass) const {
    return row.valid && pass < static_cast<int>(kKept) && *row_.now(now) < rows_;
  }

  std::size_t columns_;
  std::uint32_t rows_;
  Held<std::int32_t> words_;  // [pass][row][lane]
  Pipe<std::int32_t> read_;   // [pass][lane]
  Pipe<std::uint32_t> row_;
  std::vector<std::int32_t> voted_;  // not part of the hardware: of this cycle
};

}  // namespace sagitta
