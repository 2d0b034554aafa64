#include "machine/resilience/column_checksum.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include <fmt/format.h>

#include "base/wrap.h"

namespace sagitta {
namespace {

const std::string kPath = "resilience.columns.";

int levels_of(int terms) {
  return static_cast<int>(std::bit_width(static_cast<unsigned>(terms - 1)));
}

// None, one, or more: what is none of these, a flip's doing, counts as more.
std::uint8_t add_flags(std::uint8_t a, std::uint8_t b) {
  return a == 0 ? b : b == 0 ? a : std::uint8_t{2};
}

}  // namespace

// The differences are complete a cycle behind the last row's flag, and added up as many levels
// later. Where few rows of a deep tree are in use, the products take longer than the rows.
int ColumnChecksum::latency(const Program& program) {
  if (!program.protection.column_checksum) return 0;
  const int columns = levels_of(program.array.columns);
  const int judged = program.protection.judges_columns() ? columns : 0;
  return 1 + judged + std::max(0, levels_of(program.array.rows) - columns - 4);
}

ColumnChecksum::ColumnChecksum(RegisterLayout& layout, const Program& program,
                               const Sequencer& sequencer, int lanes)
    : sequencer_(&sequencer),
      lanes_(lanes),
      rows_(static_cast<std::size_t>(program.array.rows)),
      words_(static_cast<std::size_t>(lanes) + 2),
      corrects_(program.protection.correct),
      bias_(layout.held<std::int32_t>(kPath + "bias[]", {lanes}, 32)),
      difference_(layout.pipe<std::int32_t>(kPath + "difference[]", {lanes}, 32)),
      row_(layout.pipe<std::uint16_t>(kPath + "row", {}, static_cast<int>(std::bit_width(rows_)))),
      buffer_(layout.held<std::int32_t>(kPath + "buffer.row[].word[]",
                                        {program.array.rows, lanes + 2}, 32, Storage::sram)),
      read_(layout, kPath + "read", lanes, false),
      read_lacks_(layout.pipe<std::int32_t>(kPath + "read.lacks", {}, 32)),
      output_(layout, kPath + "output", lanes,
              Beside{program.protection.gated_from(0), program.protection.cells_from(0)}) {
  const int stages = levels_of(program.array.rows);
  int terms = program.array.rows;
  for (int level = 1; level <= stages; ++level) {
    terms = (terms + 1) / 2;
    tree_.push_back(
        layout.pipe<std::int16_t>(fmt::format("{}tree[{}][]", kPath, level), {terms}, 8 + level));
  }
  if (stages > 0) {
    weights_ = layout.pipe<std::int8_t>(kPath + "weight[][]", {stages, lanes}, 8);
  }
  if (!program.protection.judges_columns()) return;
  flagged_rows_ = layout.pipe<std::uint8_t>(kPath + "flagged_rows", {}, 2);
  if (corrects_) row_total_ = layout.pipe<std::int32_t>(kPath + "row_total", {}, 32);
  terms = lanes;
  for (int level = 1; level <= levels_of(lanes); ++level) {
    terms = (terms + 1) / 2;
    Level l{static_cast<std::size_t>(terms), {}, {}};
    if (corrects_) {
      l.total = layout.pipe<std::int32_t>(fmt::format("{}total[{}][]", kPath, level), {terms}, 32);
    }
    l.flagged = layout.pipe<std::uint8_t>(fmt::format("{}flagged[{}][]", kPath, level), {terms}, 2);
    levels_.push_back(l);
  }
  if (corrects_ && program.protection.retries == 0) {
    uncorrected_ = layout.pipe<std::uint8_t>(kPath + "uncorrected", {}, 1);
  }
}

ColumnChecksum::Columns ColumnChecksum::join(const Columns& a, const Columns& b) {
  return {wrap_add(a.total, b.total), add_flags(a.flagged, b.flagged)};
}

ColumnChecksum::Columns ColumnChecksum::entry(const std::byte* now, std::size_t level,
                                              std::size_t i) const {
  if (level > 0) {
    const Level& l = levels_[level - 1];
    if (i >= l.entries) return {0, 0};
    return {corrects_ ? l.total.now(now)[i] : 0, l.flagged.now(now)[i]};
  }
  // Lanes beyond the tile's do not count.
  const auto lanes = static_cast<std::size_t>(sequencer_->lanes(sequencer_->state(now)));
  if (i >= std::min(lanes, difference_.count)) return {0, 0};
  const std::int32_t difference = difference_.now(now)[i];
  return {difference, difference != 0 ? std::uint8_t{1} : std::uint8_t{0}};
}

// One row: the columns say what each of its sums lacks. One column: the rows do.
bool ColumnChecksum::located(const std::byte* now) const {
  if (!corrects_) return false;
  const Columns c = columns(now);
  const std::uint8_t rows = *flagged_rows_.now(now);
  const bool crosses = rows == 1 ? c.flagged != 0 : rows != 0 && c.flagged == 1;
  return crosses && c.total == *row_total_.now(now);
}

// One column alone is the doing of what expects its sum; of several a row may be wrong whose own
// sum is right by chance.
bool ColumnChecksum::wrong(const std::byte* now) const {
  if (flagged_rows_.count == 0) return false;
  if (*flagged_rows_.now(now) == 0) return columns(now).flagged > 1;
  return !located(now);
}

int ColumnChecksum::read_row(const SequencerState& s, bool again) const {
  const std::int32_t row = sequencer_->verified(s);
  return !again && row >= 0 && row < sequencer_->rows(s) ? row : -1;
}

void ColumnChecksum::step_expected(const Cycle& cycle, const SequencerState& s,
                                   const std::int8_t* activations, const WeightScratchpad& weights,
                                   const SumVector& rows, bool clears) const {
  const auto used = static_cast<std::size_t>(sequencer_->rows(s));
  std::int32_t sum = used > 0 ? activations[0] : 0;
  for (std::size_t level = 0; level < tree_.size(); ++level) {
    const Pipe<std::int16_t>& tree = tree_[level];
    const std::size_t terms = level == 0 ? used : tree_[level - 1].count;
    const auto term = [&](std::size_t i) -> int {
      if (i >= terms) return 0;
      return level == 0 ? activations[i] : tree_[level - 1].now(cycle)[i];
    };
    for (std::size_t i = 0; i < tree.count; ++i) {
      tree.next(cycle)[i] = static_cast<std::int16_t>(term(2 * i) + term(2 * i + 1));
    }
    sum = *tree.now(cycle);
  }
  const auto lanes = static_cast<std::size_t>(lanes_);
  const std::int8_t* weight = weights.read(cycle.now);
  if (weights_.count > 0) {
    std::memcpy(weights_.next(cycle), weight, lanes);
    std::memcpy(weights_.next(cycle) + lanes, weights_.now(cycle), weights_.count - lanes);
    weight = weights_.now(cycle) + weights_.count - lanes;
  }

  const std::int32_t* difference = difference_.now(cycle);
  for (std::size_t c = 0; c < lanes; ++c) {
    std::int32_t next = wrap_add(difference[c], sum * weight[c]);
    if (rows.valid) next = wrap_add(next, wrap_sub(bias_.at(cycle)[c], rows.value[c]));
    difference_.next(cycle)[c] = clears ? 0 : next;
  }
  const LaneRange target = sequencer_->parameter_target(s, bias_.count);  // last: used above
  for (std::size_t c = target.first; c < target.end; ++c) {
    bias_.at(cycle)[c] = static_cast<std::int32_t>(weights.lane_word(cycle.now, 0));
  }
}

void ColumnChecksum::step_totals(const Cycle& cycle) const {
  for (std::size_t level = 0; level < levels_.size(); ++level) {
    const Level& l = levels_[level];
    for (std::size_t i = 0; i < l.entries; ++i) {
      const Columns sum = join(entry(cycle.now, level, 2 * i), entry(cycle.now, level, 2 * i + 1));
      if (corrects_) l.total.next(cycle)[i] = sum.total;
      l.flagged.next(cycle)[i] = sum.flagged;
    }
  }
}

void ColumnChecksum::step_output(const Cycle& cycle, const SequencerState& s) {
  const SumVector row = read_.view(cycle.now);
  const std::int32_t lacks = *read_lacks_.now(cycle);
  const bool mends = located(cycle.now);
  const bool one_row = mends && *flagged_rows_.now(cycle) == 1;
  const bool flagged = row.valid && lacks != 0;
  const auto lanes = static_cast<std::size_t>(std::min(sequencer_->lanes(s), lanes_));
  corrected_ = 0;
  // Where nothing comes the stage holds what it has, its marks as well.
  SumVector passed = row;
  passed.flagged = flagged && !mends;
  passed.cells = output_.view(cycle.now).cells;
  output_.load(cycle, passed);
  if (!row.valid) return;
  std::int32_t* sums = output_.next_values(cycle);
  std::uint8_t* cells = passed.cells != nullptr ? output_.next_cells(cycle) : nullptr;
  if (cells != nullptr) std::fill_n(cells, lanes_, std::uint8_t{0});
  for (std::size_t c = 0; flagged && c < lanes; ++c) {
    const std::int32_t difference = difference_.now(cycle)[c];
    if (difference == 0) continue;
    if (mends) {
      sums[c] = wrap_add(sums[c], one_row ? difference : lacks);
      ++corrected_;
    } else if (cells != nullptr) {
      cells[c] = 1;
    }
  }
}

void ColumnChecksum::step_rows(const Cycle& cycle, const SumVector& rows, std::int32_t short_by,
                               bool again) {
  const SequencerState& s = sequencer_->state(cycle.now);
  const bool clears = sequencer_->ends_verified(s, again);
  step_output(cycle, s);

  const std::uint16_t row = *row_.now(cycle);
  const bool flagged = rows.valid && short_by != 0;
  const std::uint32_t mask = (1U << std::bit_width(rows_)) - 1;
  const std::uint32_t next_row = (row + (rows.valid ? 1U : 0U)) & mask;
  *row_.next(cycle) = static_cast<std::uint16_t>(clears ? 0 : next_row);
  if (flagged_rows_.count > 0) {
    const std::uint8_t flags = add_flags(*flagged_rows_.now(cycle), flagged ? 1 : 0);
    *flagged_rows_.next(cycle) = clears ? std::uint8_t{0} : flags;
  }
  if (row_total_.count > 0) {
    const std::int32_t total = *row_total_.now(cycle);
    *row_total_.next(cycle) = clears ? 0 : rows.valid ? wrap_add(total, short_by) : total;
  }
  if (uncorrected_.count > 0) {
    const bool gives_up = sequencer_->judges(s) && wrong(cycle.now);
    *uncorrected_.next(cycle) = *uncorrected_.now(cycle) != 0 || gives_up ? 1 : 0;
  }

  const int reads = read_row(s, again);
  SumVector read = read_.view(cycle.now);
  read.valid = reads >= 0;
  *read_lacks_.next(cycle) = *read_lacks_.now(cycle);
  const auto lanes = static_cast<std::size_t>(lanes_);
  if (read.valid) {
    const std::int32_t* words = word(cycle, static_cast<std::size_t>(reads));
    read.address = words[lanes];
    read.value = words;
    *read_lacks_.next(cycle) = words[lanes + 1];
  }
  read_.load(cycle, read);
  if (!rows.valid || row >= rows_) return;  // last: what is read is what was there
  std::int32_t* words = word(cycle, row);
  std::memcpy(words, rows.value, lanes * sizeof(std::int32_t));
  words[lanes] = rows.address;
  words[lanes + 1] = short_by;
}

void ColumnChecksum::step(const Cycle& cycle, const std::int8_t* activations,
                          const WeightScratchpad& weights, const SumVector& rows,
                          std::int32_t short_by, bool again) {
  const SequencerState& s = sequencer_->state(cycle.now);
  step_expected(cycle, s, activations, weights, rows, sequencer_->ends_verified(s, again));
  step_totals(cycle);
  step_rows(cycle, rows, short_by, again);
}

void ColumnChecksum::accesses(const std::byte* now, const std::byte* held, const SumVector& rows,
                              std::int32_t short_by, bool again, const MemoryVisitor& visit) const {
  constexpr const char* kName = "columns";
  const auto words = static_cast<std::int64_t>(words_);
  if (const int row = read_row(sequencer_->state(now), again); row >= 0) {
    MemoryAccess read{kName, 0, false, row * words, {}};
    const std::int32_t* first = buffer_.at(held) + row * words;
    read.values.assign(first, first + words);
    visit(read);
  }
  const std::uint16_t row = *row_.now(now);
  if (!rows.valid || row >= rows_) return;
  MemoryAccess write{kName, 0, true, row * words, {rows.value, rows.value + lanes_}};
  write.values.push_back(rows.address);
  write.values.push_back(short_by);
  visit(write);
}

}  // namespace sagitta
