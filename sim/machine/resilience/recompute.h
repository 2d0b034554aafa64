// Which tiles run again. A tile of which a detector flagged a GEMM row is run again from the
// scratchpads, up to `retries` times; one that fails every time leaves a status bit, which the host
// reads at the end. docs/machine.md, "Running a tile again".
//
// With redundancy in time a tile runs three times anyway, and only what the third run's sums are
// voted to passes the detector; then all three runs are one try.
//
// The sequencer asks once a run, when its last row has passed the detector.
#pragma once

#include <cstdint>

#include "base/registers.h"
#include "schedule/program.h"

namespace sagitta {

class Recompute {
 public:
  Recompute(RegisterLayout& layout, const Program& program);

  // Whether the tile whose run ends in this cycle is to run again. `mismatch`: a detector flags a
  // row in this cycle.
  bool again(const std::byte* now, bool judges, bool mismatch) const {
    return judges && (pass(now) < passes_ - 1 || fails(now, judges, mismatch));
  }
  // ... because it was wrong.
  bool fails(const std::byte* now, bool judges, bool mismatch) const {
    return retries_ > 0 && judges && last_pass(now) && (mismatch || *failed_.now(now) != 0) &&
           *attempt_.now(now) < retries_;
  }
  // Of a tile's runs in one try, counted from 0.
  int pass(const std::byte* now) const { return passes_ > 1 ? *pass_.now(now) : 0; }
  bool last_pass(const std::byte* now) const { return pass(now) >= passes_ - 1; }
  void step(const Cycle& cycle, bool judges, bool mismatch) const;

  // A tile failed in its last try.
  bool uncorrected(const std::byte* now) const {
    return retries_ > 0 && *uncorrected_.now(now) != 0;
  }

 private:
  std::uint8_t retries_;
  int passes_;
  Pipe<std::uint8_t> failed_;       // a row of the tile at work was flagged
  Pipe<std::uint8_t> attempt_;      // how often this tile has run again
  Pipe<std::uint8_t> uncorrected_;  // status: stays until reset
  Pipe<std::uint8_t> pass_;
};

}  // namespace sagitta
