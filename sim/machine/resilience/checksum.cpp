#include "machine/resilience/checksum.h"

#include <bit>
#include <cstring>
#include <string>

#include <fmt/format.h>

#include "base/wrap.h"

namespace sagitta {

int ChecksumDetector::latency(int columns) {
  return static_cast<int>(std::bit_width(static_cast<unsigned>(columns - 1))) + 1;
}

ChecksumDetector::ChecksumDetector(RegisterLayout& layout, const Program& program,
                                   const Sequencer& sequencer, const PartialSums* partial_sums)
    : sequencer_(&sequencer),
      partial_sums_(partial_sums),
      rows_(program.array.rows),
      columns_(program.array.columns),
      dataflow_(program.array.first()),
      inputs_(program.array.has(Dataflow::is)),
      skew_(layout, "resilience.checksum.skew", rows_, 8),
      moves_(layout.pipe<std::int8_t>(program.array.only(Dataflow::is)
                                          ? "resilience.checksum.pe[].b"
                                          : "resilience.checksum.pe[].a",
                                      {rows_}, 8)),
      stays_(layout.pipe<std::int16_t>(program.array.only(Dataflow::is)
                                           ? "resilience.checksum.pe[].a"
                                           : "resilience.checksum.pe[].b",
                                       {rows_}, WeightScratchpad::checksum_width(columns_))),
      acc_(layout.pipe<std::int32_t>("resilience.checksum.pe[].acc", {rows_}, 32)),
      overlap_(program.array.overlap),
      bias_sum_(layout.held<std::int32_t>("resilience.checksum.bias_sum", {}, 32)),
      partial_rows_(program.memory.partial_rows),
      expected_(layout.pipe<std::int32_t>("resilience.checksum.expected[0]", {}, 32)),
      output_(layout, "resilience.checksum.output", columns_, true) {
  const std::string path = "resilience.checksum.";
  const int levels = latency(columns_) - 1;
  if (program.protection.column_checksum) {
    difference_ = layout.pipe<std::int32_t>(path + "difference", {}, 32);
  }
  if (overlap_) {
    skew_swap_.emplace(layout, path + "skew_swap", rows_, 1);
    swap_ = layout.pipe<std::uint8_t>(path + "pe[].swap", {rows_}, 1);
    if (program.array.has(Dataflow::os)) {
      drain_ = layout.pipe<std::int32_t>(path + "pe[].drain", {rows_}, 32);
    }
    if (program.array.folds()) {
      next_ = layout.pipe<std::int16_t>(path + "pe[].next", {rows_},
                                        WeightScratchpad::checksum_width(columns_));
    }
    swap_in_.resize(static_cast<std::size_t>(rows_));
  }
  if (partial_sums_ != nullptr) {
    // Input stationary the tree has already taken some of the cycles.
    input_wait_ = static_cast<std::size_t>(columns_ - 1 - levels);
    const int wait = columns_ - 1 - (program.array.has(Dataflow::ws) ? 0 : levels);
    if (wait > 0) wait_ = layout.pipe<std::int32_t>(path + "wait[]", {wait}, 32);
    partial_ = layout.held<std::int32_t>(path + "partial.row[]", {static_cast<int>(partial_rows_)},
                                         32, Storage::sram);
    const MemoryCode code = program.protection.memory_code;
    partial_check_ = CheckBits(layout, path + "partial.row_check[]",
                               {static_cast<int>(partial_rows_)}, code, 32);
    status_ = ReadStatus(layout, path + "partial.uncorrected", code);
    partial_read_ = layout.pipe<std::int32_t>(path + "partial.read", {}, 32);
    finished_ = layout.pipe<std::int32_t>(path + "partial.finished", {}, 32);
  }
  if (program.array.has(Dataflow::is) && levels > 0) {
    int sums = columns_;
    for (int level = 1; level <= levels; ++level) {
      sums = (sums + 1) / 2;
      input_tree_.push_back(layout.pipe<std::int16_t>(
          fmt::format("{}input_tree[{}][]", path, level), {sums}, 8 + level));
    }
    late_weights_ = layout.pipe<std::int8_t>(path + "late_weight[][]", {levels, rows_}, 8);
    late_load_ = layout.pipe<std::uint8_t>(path + "late_load[]", {levels}, 1);
    if (overlap_) late_swap_ = layout.pipe<std::uint8_t>(path + "late_swap[]", {levels}, 1);
  }
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

// The swap bit moves down the column's edge as in the array.
void ChecksumDetector::step_swap(const Cycle& cycle, bool swap) {
  if (!overlap_) return;
  swap_in_.assign(swap_in_.size(), swap ? 1 : 0);
  skew_swap_->output(cycle.now, swap_in_.data(), swap_.next(cycle));
  skew_swap_->step(cycle, swap_in_.data());
}

// Overlap: as Array::step_drain; acc starts from the sum of the biases.
void ChecksumDetector::step_drain(const Cycle& cycle, bool shift) const {
  const std::int32_t* drain = drain_.now(cycle);
  for (std::size_t r = 0; r < acc_.count; ++r) {
    const bool hands_over = swap_.now(cycle)[r] != 0;
    const std::int32_t below = r + 1 < acc_.count ? drain[r + 1] : 0;
    const std::int32_t product = moves_.now(cycle)[r] * stays_.now(cycle)[r];
    drain_.next(cycle)[r] = hands_over ? acc_.now(cycle)[r] : shift ? below : drain[r];
    acc_.next(cycle)[r] = wrap_add(hands_over ? *bias_sum_.at(cycle) : acc_.now(cycle)[r], product);
  }
}

void ChecksumDetector::step_outputs(const Cycle& cycle, const ArrayControl& control,
                                    std::int16_t weight) const {
  const std::int8_t* a = moves_.now(cycle);
  const std::int16_t* b = stays_.now(cycle);
  const std::int32_t* acc = acc_.now(cycle);
  std::int32_t* next = acc_.next(cycle);
  const auto rows = static_cast<std::size_t>(rows_);
  std::memcpy(stays_.next(cycle) + 1, b, (rows - 1) * sizeof(std::int16_t));
  *stays_.next(cycle) = weight;
  if (overlap_) {
    step_drain(cycle, control.shift);
    return;
  }
  switch (control.mode) {
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
}

// Stationary operands move down from the top, or (is) up from the bottom, as in the array.
void ChecksumDetector::step_stationary(const Cycle& cycle, bool load, std::int16_t entering) const {
  const std::int8_t* moves = moves_.now(cycle);
  const std::int16_t* stays = stays_.now(cycle);
  const std::int16_t* loads = (overlap_ ? next_ : stays_).now(cycle);
  const std::int32_t* acc = acc_.now(cycle);
  const auto rows = static_cast<std::size_t>(rows_);
  for (std::size_t r = 0; r < rows; ++r) {
    const bool is = dataflow_ == Dataflow::is;
    const bool edge = r == (is ? rows - 1 : 0);
    const std::int16_t before = edge ? entering : is ? loads[r + 1] : loads[r - 1];
    if (overlap_) stays_.next(cycle)[r] = swap_.now(cycle)[r] != 0 ? loads[r] : stays[r];
    (overlap_ ? next_ : stays_).next(cycle)[r] = load ? before : loads[r];
    acc_.next(cycle)[r] = wrap_add(r > 0 ? acc[r - 1] : 0, moves[r] * stays[r]);
  }
}

void ChecksumDetector::step_wait(const Cycle& cycle) const {
  if (wait_.count == 0) return;
  std::memcpy(wait_.next(cycle) + 1, wait_.now(cycle), (wait_.count - 1) * sizeof(std::int32_t));
  *wait_.next(cycle) = acc_.now(cycle)[rows_ - 1];
}

std::int32_t ChecksumDetector::aligned(const std::byte* now) const {
  const bool is = sequencer_->dataflow(sequencer_->state(now)) == Dataflow::is;
  const std::size_t stages = is ? input_wait_ : wait_.count;
  return stages > 0 ? wait_.now(now)[stages - 1] : acc_.now(now)[rows_ - 1];
}

// A mixture: the second registers that the layer's dataflow does not use.
void ChecksumDetector::hold_second(const Cycle& cycle) const {
  if (dataflow_ == Dataflow::os && next_.count > 0) {
    std::memcpy(next_.next(cycle), next_.now(cycle), next_.count * sizeof(std::int16_t));
  } else if (dataflow_ != Dataflow::os && drain_.count > 0) {
    std::memcpy(drain_.next(cycle), drain_.now(cycle), drain_.count * sizeof(std::int32_t));
  }
}

// Input stationary: the activations of the tile's pixels are added up; weights and load enable wait
// beside the tree. In a mixture's other layers nothing enters the tree.
ChecksumDetector::Edge ChecksumDetector::step_inputs(const Cycle& cycle,
                                                     const std::int8_t* activations,
                                                     const std::int8_t* weights,
                                                     const ArrayControl& control) {
  const int lanes = dataflow_ == Dataflow::is ? sequencer_->lanes(sequencer_->state(cycle.now)) : 0;
  std::int16_t sum = lanes > 0 ? activations[0] : std::int16_t{0};
  for (std::size_t level = 0; level < input_tree_.size(); ++level) {
    const Pipe<std::int16_t>& tree = input_tree_[level];
    const std::size_t terms =
        level == 0 ? static_cast<std::size_t>(lanes) : input_tree_[level - 1].count;
    const auto term = [&](std::size_t i) -> int {
      if (i >= terms) return 0;
      return level == 0 ? activations[i] : input_tree_[level - 1].now(cycle)[i];
    };
    for (std::size_t i = 0; i < tree.count; ++i) {
      tree.next(cycle)[i] = static_cast<std::int16_t>(term(2 * i) + term(2 * i + 1));
    }
    sum = *tree.now(cycle);
  }
  const std::int8_t* late = weights;
  bool late_load = control.load;
  bool late_swap = control.swap;
  if (late_load_.count > 0) {
    const auto rows = static_cast<std::size_t>(rows_);
    late = late_weights_.now(cycle) + late_weights_.count - rows;
    late_load = late_load_.now(cycle)[late_load_.count - 1] != 0;
    std::memcpy(late_weights_.next(cycle) + rows, late_weights_.now(cycle),
                late_weights_.count - rows);
    std::memcpy(late_weights_.next(cycle), weights, rows);
    std::memcpy(late_load_.next(cycle) + 1, late_load_.now(cycle), late_load_.count - 1);
    *late_load_.next(cycle) = control.load ? 1 : 0;
  }
  if (late_swap_.count > 0) {
    late_swap = late_swap_.now(cycle)[late_swap_.count - 1] != 0;
    std::memcpy(late_swap_.next(cycle) + 1, late_swap_.now(cycle), late_swap_.count - 1);
    *late_swap_.next(cycle) = control.swap ? 1 : 0;
  }
  return {late, sum, late_load, late_swap};
}

// As PartialSums, for one sum a vector. Weight stationary the sum of the biases stands before the
// first fold.
void ChecksumDetector::step_partial_sum(const Cycle& cycle) {
  const std::uint8_t tag = sequencer_->tag(cycle.now);
  const std::uint8_t next = sequencer_->next_tag(cycle.now);
  const std::uint32_t read_row = partial_sums_->read_row(cycle.now);
  std::int32_t read = 0;
  if ((next & kTagFirstFold) != 0) {
    read = dataflow_ == Dataflow::is ? 0 : *bias_sum_.at(cycle);
  } else if ((next & kTagValid) != 0 && read_row < partial_rows_) {
    const auto stored = static_cast<std::uint32_t>(partial_.at(cycle)[read_row]);
    read = static_cast<std::int32_t>(partial_check_.read(cycle, read_row, stored, true, status_));
  }
  status_.step(cycle);
  *partial_read_.next(cycle) = read;

  const std::int32_t sum = wrap_add(aligned(cycle.now), *partial_read_.now(cycle));
  const bool valid = (tag & kTagValid) != 0;
  const bool last = (tag & kTagLastFold) != 0;
  *finished_.next(cycle) = valid && last ? sum : *finished_.now(cycle);
  const std::uint32_t row = partial_sums_->row(cycle.now);
  if (valid && !last && row < partial_rows_) {
    partial_.at(cycle)[row] = sum;
    partial_check_.write(cycle, row, static_cast<std::uint32_t>(sum));
  }
}

void ChecksumDetector::step_tree(const Cycle& cycle, const SequencerState& s, bool leaving,
                                 const SumVector& sums) const {
  const Pipe<std::int32_t>& top = overlap_ ? drain_ : acc_;
  std::int32_t column = dataflow_ != Dataflow::os ? *finished_.now(cycle) : *top.now(cycle);
  if (dataflow_ == Dataflow::is) column = wrap_add(column, *bias_sum_.at(cycle));
  *expected_.next(cycle) = leaving ? column : *expected_.now(cycle);

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
    if (difference_.count > 0) *difference_.next(cycle) = wrap_sub(*expected, total);
  } else if (difference_.count > 0) {
    *difference_.next(cycle) = *difference_.now(cycle);
  }
}

void ChecksumDetector::step(const Cycle& cycle, const std::int8_t* activations,
                            const WeightScratchpad& weights, const SumVector& leaving,
                            const SumVector& sums) {
  const SequencerState& s = sequencer_->state(cycle.now);
  const ArrayControl control = sequencer_->array_control(s);
  dataflow_ = control.dataflow;
  Edge edge{activations, weights.checksum_read(cycle.now), control.load, control.swap};
  if (inputs_) {
    const Edge summed = step_inputs(cycle, activations, weights.read(cycle.now), control);
    if (dataflow_ == Dataflow::is) edge = summed;
  }
  step_swap(cycle, edge.swap);
  skew_.output(cycle.now, edge.moves, moves_.next(cycle));
  skew_.step(cycle, edge.moves);
  if (dataflow_ == Dataflow::os) {
    step_outputs(cycle, control, edge.stays);
  } else {
    step_stationary(cycle, edge.load, edge.stays);
  }
  hold_second(cycle);
  step_wait(cycle);
  if (partial_sums_ != nullptr) step_partial_sum(cycle);
  bool busy = leaving.valid || sums.valid || output_.view(cycle.now).valid;
  for (const Level& level : levels_) busy = busy || level.delay.view(cycle.now).valid;
  if (!idle_.skip(busy)) step_tree(cycle, s, leaving.valid, sums);
  if (dataflow_ == Dataflow::is) {  // a whole tile of pixels, or the layer's last one
    const int word = sequencer_->lanes(s) == columns_ ? 2 : 3;
    *bias_sum_.at(cycle) = static_cast<std::int32_t>(weights.lane_word(cycle.now, word));
  } else if (Sequencer::takes_tile_words(s)) {
    *bias_sum_.at(cycle) = static_cast<std::int32_t>(weights.tile_words(cycle.now)[0]);
  }
}

}  // namespace sagitta
