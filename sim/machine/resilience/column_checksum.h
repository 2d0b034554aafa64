// The other half of a checksum in two dimensions: expected sums of the columns of each tile, beside
// the checksum column's expected sums of its rows. Output stationary only. docs/machine.md, "Row
// and column checksums".
//
// A tree of ceil(log2 R) stages adds up the activations of the tile's rows as they are read; C
// multipliers take its sum and the weights, which wait as long. `difference[c]` collects these
// products and the biases, less the biased sums of the rows that leave the detector: zero, modulo
// 2^32, where column c is right.
//
// Rows wait in a buffer until the last one is in it. Then the tile is judged, and they leave, a row
// a cycle: corrected, or with what was not corrected marked for the checkers behind. Which row is
// read follows from the sequencer's `verify`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/registers.h"
#include "machine/control/sequencer.h"
#include "machine/memory/access.h"
#include "machine/memory/weight_scratchpad.h"
#include "machine/vector/sum_stage.h"
#include "schedule/program.h"

namespace sagitta {

class ColumnChecksum {
 public:
  // `lanes`: as many as the array has columns; without a data path 1, and then nothing differs.
  ColumnChecksum(RegisterLayout& layout, const Program& program, const Sequencer& sequencer,
                 int lanes);

  // Cycles from a row's flag to the verdict on its tile.
  static int latency(const Program& program);

  // `activations`: the scratchpad's read registers; `rows`: what leaves the detector, and
  // `short_by` how much less its sums are than they should be. `again`: the tile that is judged
  // runs again.
  void step(const Cycle& cycle, const std::int8_t* activations, const WeightScratchpad& weights,
            const SumVector& rows, std::int32_t short_by, bool again);
  // Without a data path: rows wait as long, and nothing else.
  void step_rows(const Cycle& cycle, const SumVector& rows, std::int32_t short_by, bool again);

  SumVector output(const std::byte* now) const { return output_.view(now); }
  // In the cycle in which the tile is judged: it is wrong, and nothing here mends it.
  bool wrong(const std::byte* now) const;
  // The host's status bit, where tiles do not run again: such a tile has gone on.
  bool uncorrected(const std::byte* now) const {
    return uncorrected_.count > 0 && *uncorrected_.now(now) != 0;
  }
  // Sums that the last step corrected. For telemetry.
  int corrected() const { return corrected_; }
  void accesses(const std::byte* now, const std::byte* held, const SumVector& rows,
                std::int32_t short_by, bool again, const MemoryVisitor& visit) const;

 private:
  struct Level {
    std::size_t entries;
    Pipe<std::int32_t> total;  // to correct
    Pipe<std::uint8_t> flagged;
  };
  // Flagged columns: none, one, or more; and what all of them lack together.
  struct Columns {
    std::int32_t total;
    std::uint8_t flagged;
  };
  static Columns join(const Columns& a, const Columns& b);
  // Of two entries of a level, or of the differences themselves.
  Columns entry(const std::byte* now, std::size_t level, std::size_t i) const;
  Columns columns(const std::byte* now) const { return entry(now, levels_.size(), 0); }
  // Something is flagged, and rows and columns agree on where it is.
  bool located(const std::byte* now) const;

  void step_expected(const Cycle& cycle, const SequencerState& s, const std::int8_t* activations,
                     const WeightScratchpad& weights, const SumVector& rows, bool clears) const;
  void step_totals(const Cycle& cycle) const;
  void step_output(const Cycle& cycle, const SequencerState& s);
  // The row of the buffer that is read in a cycle, or -1; where the next one is written.
  int read_row(const SequencerState& s, bool again) const;
  std::int32_t* word(const Cycle& cycle, std::size_t row) const {
    return buffer_.at(cycle) + row * words_;
  }

  const Sequencer* sequencer_;
  int lanes_;
  std::size_t rows_, words_;  // of the buffer, and of a row of it
  bool corrects_;
  int corrected_ = 0;
  std::vector<Pipe<std::int16_t>> tree_;  // sums of activations, by level
  Pipe<std::int8_t> weights_;             // [stage][lane]
  Held<std::int32_t> bias_;
  Pipe<std::int32_t> difference_;
  std::vector<Level> levels_;        // where tiles are judged
  Pipe<std::uint16_t> row_;          // of the buffer: the next one that comes
  Pipe<std::uint8_t> flagged_rows_;  // none, one, or more
  Pipe<std::int32_t> row_total_;
  Held<std::int32_t> buffer_;  // a row: its sums, their address, and what it lacks
  SumStage read_;
  Pipe<std::int32_t> read_lacks_;
  SumStage output_;
  Pipe<std::uint8_t> uncorrected_;
};

}  // namespace sagitta
