#include "machine/memory/partial_sums.h"

#include <cstring>

namespace sagitta {
namespace {

constexpr int kRowBits = 24;

std::uint32_t wrap_row(std::uint32_t row) {
  return row & ((1U << kRowBits) - 1);
}

}  // namespace

PartialSums::PartialSums(RegisterLayout& layout, const Program& program, const Sequencer& sequencer)
    : sequencer_(&sequencer),
      columns_(program.array.columns),
      rows_(static_cast<std::uint32_t>(program.memory.partial_rows)),
      words_(layout.held<std::int32_t>("memory.partial.row[].lane[]",
                                       {static_cast<int>(rows_), columns_}, 32, Storage::sram)),
      check_(layout, "memory.partial.row[].lane_check[]", {static_cast<int>(rows_), columns_},
             program.protection.memory_code, 32),
      status_(layout, "memory.partial.uncorrected", program.protection.memory_code),
      read_(layout.pipe<std::int32_t>("memory.partial.read[]", {columns_}, 32)),
      read_row_(layout.pipe<std::uint32_t>("memory.partial.read_row", {}, kRowBits)),
      row_(layout.pipe<std::uint32_t>("memory.partial.write_row", {}, kRowBits)),
      address_(layout.pipe<std::int32_t>("memory.partial.address", {}, 32)),
      finished_(layout, "memory.partial.finished", columns_, false) {
  if (program.protection.reruns() && program.array.has(Dataflow::ws)) {
    retry_address_ = layout.pipe<std::int32_t>("memory.partial.retry_address", {}, 32);
  }
}

// `used`: lanes of the tile.
void PartialSums::read_sums(const Cycle& cycle, std::uint32_t row, int used) {
  const auto lanes = static_cast<std::size_t>(columns_);
  const std::size_t first = std::size_t{row} * lanes;
  std::int32_t* read = read_.next(cycle);
  std::memcpy(read, words_.at(cycle) + first, sizeof(std::int32_t) * lanes);
  if (!check_.on()) return;
  for (std::size_t c = 0; c < lanes; ++c) {
    const auto stored = static_cast<std::uint32_t>(read[c]);
    const bool taken = static_cast<int>(c) < used;
    read[c] = static_cast<std::int32_t>(check_.read(cycle, first + c, stored, taken, status_));
  }
}

void PartialSums::step(const Cycle& cycle, const std::int32_t* aligned, bool judges, bool again) {
  const SequencerState& s = sequencer_->state(cycle.now);
  const std::uint8_t tag = sequencer_->tag(cycle.now);
  const std::uint8_t next = sequencer_->next_tag(cycle.now);
  const auto lanes = static_cast<std::size_t>(columns_);
  const std::uint32_t read_row = *read_row_.now(cycle);

  // Read what the next cycle adds to; nothing precedes the first fold.
  const bool reads = (next & kTagValid) != 0;
  if (reads && (next & kTagFirstFold) == 0 && read_row < rows_) {
    read_sums(cycle, read_row, sequencer_->lanes(s));
  } else {
    std::memset(read_.next(cycle), 0, sizeof(std::int32_t) * lanes);
  }
  *row_.next(cycle) = reads ? read_row : *row_.now(cycle);
  *read_row_.next(cycle) = !reads ? read_row : (next & kTagEnd) != 0 ? 0 : wrap_row(read_row + 1);

  const bool valid = (tag & kTagValid) != 0;
  const bool last = (tag & kTagLastFold) != 0;
  const std::uint32_t row = *row_.now(cycle);
  // Results of a column tile lie N elements apart, from its first pixel's on; input stationary,
  // side by side from the first channel's on, anew for each tile of pixels.
  const bool is = sequencer_->dataflow(s) == Dataflow::is;
  const bool first = row == 0 && (is || s.first_row == 0);
  const std::int32_t address = first ? s.output_address : *address_.now(cycle);
  *address_.next(cycle) =
      valid && last
          ? static_cast<std::int32_t>(static_cast<std::uint32_t>(address) +
                                      (is ? 1U : static_cast<std::uint32_t>(s.config.columns)))
          : *address_.now(cycle);
  // The parts' results lie one behind the other, so a part that runs again starts where it did.
  if (retry_address_.count > 0) {
    *retry_address_.next(cycle) =
        judges && !again ? *address_.now(cycle) : *retry_address_.now(cycle);
    if (judges && again) *address_.next(cycle) = *retry_address_.now(cycle);
  }
  finished_.load(cycle, {valid && last, false, address, aligned});
  status_.step(cycle);
  if (!valid) return;
  const std::int32_t* read = read_.now(cycle);
  std::int32_t* finished = finished_.next_values(cycle);
  std::int32_t* word = row < rows_ && !last ? words_.at(cycle) + std::size_t{row} * lanes : nullptr;
  for (std::size_t c = 0; c < lanes; ++c) {
    const auto sum = static_cast<std::int32_t>(static_cast<std::uint32_t>(aligned[c]) +
                                               static_cast<std::uint32_t>(read[c]));
    if (last) finished[c] = sum;
    if (word == nullptr) continue;
    word[c] = sum;
    check_.write(cycle, std::size_t{row} * lanes + c, static_cast<std::uint32_t>(sum));
  }
}

}  // namespace sagitta
