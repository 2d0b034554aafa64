// Which tiles run again. A tile of which a detector flagged a GEMM row is run again from the
// scratchpads, up to `retries` times; one that fails every time leaves a status bit, which the host
// reads at the end. docs/machine.md, "Running a tile again".
//
// The sequencer asks once a tile, when its last row has passed the detector.
#pragma once

#include <cstdint>

#include "base/registers.h"
#include "schedule/program.h"

namespace sagitta {

class Recompute {
 public:
  Recompute(RegisterLayout& layout, const Program& program);

  // Whether the tile that is judged in this cycle is to run again. `mismatch`: a detector flags a
  // row in this cycle.
  bool again(const std::byte* now, bool judges, bool mismatch) const {
    return judges && (mismatch || *failed_.now(now) != 0) && *attempt_.now(now) < retries_;
  }
  void step(const Cycle& cycle, bool judges, bool mismatch) const;

  // A tile failed in its last try.
  bool uncorrected(const std::byte* now) const { return *uncorrected_.now(now) != 0; }

 private:
  std::uint8_t retries_;
  Pipe<std::uint8_t> failed_;       // a row of the tile at work was flagged
  Pipe<std::uint8_t> attempt_;      // how often this tile has run again
  Pipe<std::uint8_t> uncorrected_;  // status: stays until reset
};

}  // namespace sagitta
