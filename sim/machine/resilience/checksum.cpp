#include "machine/resilience/checksum.h"

#include <bit>
#include <cstring>
#include <string>

#include <fmt/format.h>

namespace sagitta {
namespace {

std::int32_t wrap_add(std::int32_t a, std::int32_t b) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b));
}

}  // namespace

int ChecksumDetector::latency(int columns) {
  return static_cast<int>(std::bit_width(static_cast<unsigned>(columns - 1))) + 1;
}

ChecksumDetector::ChecksumDetector(RegisterLayout& layout, const Program& program,
                                   const Sequencer& sequencer)
    : sequencer_(&sequencer),
      rows_(program.array.rows),
      columns_(program.array.columns),
      skew_(layout, "resilience.checksum.skew", rows_, 8),
      a_(layout.pipe<std::int8_t>("resilience.checksum.pe[].a", {rows_}, 8)),
      b_(layout.pipe<std::int16_t>("resilience.checksum.pe[].b", {rows_},
                                   WeightScratchpad::checksum_width(columns_))),
      acc_(layout.pipe<std::int32_t>("resilience.checksum.pe[].acc", {rows_}, 32)),
      bias_sum_(layout.held<std::int32_t>("resilience.checksum.bias_sum", {}, 32)),
      expected_(layout.pipe<std::int32_t>("resilience.checksum.expected[0]", {}, 32)),
      output_(layout, "resilience.checksum.output", columns_, true) {
  int entries = columns_;
  for (int level = 1; level < latency(columns_); ++level) {
    entries = (entries + 1) / 2;
    const std::string n = fmt::format("[{}]", level);
    levels_.push_back(
        {layout.pipe<std::int32_t>("resilience.checksum.tree" + n + "[]", {entries}, 32), entries,
         layout.pipe<std::int32_t>("resilience.checksum.expected" + n, {}, 32),
         SumStage(layout, "resilience.checksum.delay" + n, columns_, false)});
  }
}

void ChecksumDetector::step_column(const Cycle& cycle, const SequencerState& s,
                                   const std::int8_t* activations, std::int16_t weight) const {
  const std::int8_t* a = a_.now(cycle);
  const std::int16_t* b = b_.now(cycle);
  const std::int32_t* acc = acc_.now(cycle);
  std::int32_t* next = acc_.next(cycle);
  const auto rows = static_cast<std::size_t>(rows_);

  skew_.output(cycle.now, activations, a_.next(cycle));
  std::memcpy(b_.next(cycle) + 1, b, (rows - 1) * sizeof(std::int16_t));
  *b_.next(cycle) = weight;

  switch (static_cast<ArrayMode>(s.mode2)) {
    case ArrayMode::accumulate:
      for (std::size_t r = 0; r < rows; ++r) next[r] = wrap_add(acc[r], a[r] * b[r]);
      break;
    case ArrayMode::shift:
      std::memcpy(next, acc + 1, (rows - 1) * sizeof(std::int32_t));
      next[rows - 1] = *bias_sum_.at(cycle);
      break;
    case ArrayMode::shift_clear:
    case ArrayMode::clear:
      for (std::size_t r = 0; r < rows; ++r) next[r] = *bias_sum_.at(cycle);
      break;
  }
  skew_.step(cycle, activations);
}

void ChecksumDetector::step_tree(const Cycle& cycle, const SequencerState& s,
                                 const SumVector& sums) const {
  *expected_.next(cycle) = s.drain2 != 0 ? acc_.now(cycle)[0] : *expected_.now(cycle);

  // Level 1 adds neighbours of the biased sums; lanes beyond the tile's count as zero.
  const int lanes = sequencer_->lanes(s);
  SumVector source = sums;
  const std::int32_t* terms = sums.value;
  int terms_valid = lanes;
  const std::int32_t* expected = expected_.now(cycle);
  for (const Level& level : levels_) {
    std::int32_t* next = level.tree.next(cycle);
    const std::int32_t* now = level.tree.now(cycle);
    for (int i = 0; i < level.entries; ++i) {
      if (!source.valid) {
        next[i] = now[i];
        continue;
      }
      const std::int32_t x = 2 * i < terms_valid ? terms[2 * i] : 0;
      const std::int32_t y = 2 * i + 1 < terms_valid ? terms[2 * i + 1] : 0;
      next[i] = wrap_add(x, y);
    }
    *level.expected.next(cycle) = source.valid ? *expected : *level.expected.now(cycle);
    level.delay.load(cycle, source);
    source = level.delay.view(cycle.now);
    terms = now;
    terms_valid = level.entries;
    expected = level.expected.now(cycle);
  }
  output_.load(cycle, source);
  if (source.valid) {
    const std::int32_t total = terms_valid > 0 ? terms[0] : 0;
    output_.set_flag(cycle, total != *expected);
  }
}

void ChecksumDetector::step(const Cycle& cycle, const std::int8_t* activations,
                            const WeightScratchpad& weights, const SumVector& sums) {
  const SequencerState& s = sequencer_->state(cycle.now);
  step_column(cycle, s, activations, weights.checksum_read(cycle.now));
  bool busy = s.drain2 != 0 || sums.valid || output_.view(cycle.now).valid;
  for (const Level& level : levels_) busy = busy || level.delay.view(cycle.now).valid;
  if (!idle_.skip(busy)) step_tree(cycle, s, sums);
  if (s.param1 != 0 && s.param_lane1 == 0) {
    *bias_sum_.at(cycle) = static_cast<std::int32_t>(weights.tile_words(cycle.now)[0]);
  }
}

}  // namespace sagitta
