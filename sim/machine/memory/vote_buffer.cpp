#include "machine/memory/vote_buffer.h"

#include <algorithm>
#include <cstring>

namespace sagitta {
namespace {

constexpr int kRowBits = 24;

}  // namespace

int VoteBuffer::rows(const Program& program) {
  const int outputs = program.array.has(Dataflow::os) ? program.array.rows : 0;
  const auto folds = program.array.folds() ? static_cast<int>(program.memory.partial_rows) : 0;
  return std::max(outputs, folds);
}

VoteBuffer::VoteBuffer(RegisterLayout& layout, const Program& program)
    : columns_(static_cast<std::size_t>(program.array.columns)),
      rows_(static_cast<std::uint32_t>(rows(program))),
      words_(layout.held<std::int32_t>(
          "memory.vote.bank[].row[].lane[]",
          {static_cast<int>(kKept), static_cast<int>(rows_), program.array.columns}, 32,
          Storage::sram)),
      read_(layout.pipe<std::int32_t>("memory.vote.read[][]",
                                      {static_cast<int>(kKept), program.array.columns}, 32)),
      row_(layout.pipe<std::uint32_t>("memory.vote.row", {}, kRowBits)),
      voted_(columns_) {}

std::uint32_t VoteBuffer::next_row(const std::byte* now, bool valid, bool ends) const {
  if (ends) return 0;
  const std::uint32_t row = *row_.now(now);
  return valid ? (row + 1) & ((1U << kRowBits) - 1) : row;
}

void VoteBuffer::step(const Cycle& cycle, const SumVector& row, int pass, bool ends) const {
  const std::uint32_t next = next_row(cycle.now, row.valid, ends);
  *row_.next(cycle) = next;
  const std::size_t bytes = sizeof(std::int32_t) * columns_;
  for (std::size_t p = 0; p < kKept; ++p) {
    std::int32_t* read = read_.next(cycle) + p * columns_;
    if (!row.valid && !ends) {
      std::memcpy(read, read_.now(cycle) + p * columns_, bytes);
    } else if (next < rows_) {
      std::memcpy(read, words_.at(cycle) + (p * rows_ + next) * columns_, bytes);
    } else {
      std::memset(read, 0, bytes);
    }
  }
  if (!writes(cycle.now, row, pass)) return;
  const std::size_t word = static_cast<std::size_t>(pass) * rows_ + *row_.now(cycle);
  std::memcpy(words_.at(cycle) + word * columns_, row.value, bytes);
}

SumVector VoteBuffer::output(const std::byte* now, const SumVector& row, int pass) {
  SumVector voted = row;
  voted.valid = row.valid && pass >= static_cast<int>(kKept);
  if (!voted.valid) return voted;
  const std::int32_t* first = read_.now(now);
  const std::int32_t* second = first + columns_;
  for (std::size_t c = 0; c < columns_; ++c) {
    const std::int32_t third = row.value[c];
    voted_[c] = (first[c] & second[c]) | (first[c] & third) | (second[c] & third);
  }
  voted.value = voted_.data();
  return voted;
}

void VoteBuffer::accesses(const std::byte* now, const std::byte* held, const SumVector& row,
                          int pass, bool ends, const MemoryVisitor& visit) const {
  const auto lanes = static_cast<std::int64_t>(columns_);
  const std::uint32_t next = next_row(now, row.valid, ends);
  for (std::uint32_t p = 0; (row.valid || ends) && next < rows_ && p < kKept; ++p) {
    MemoryAccess read{"vote", static_cast<int>(p), false, next * lanes, {}};
    const std::int32_t* words = words_.at(held) + (p * rows_ + next) * columns_;
    read.values.assign(words, words + columns_);
    visit(read);
  }
  if (!writes(now, row, pass)) return;
  visit({"vote", pass, true, *row_.now(now) * lanes, {row.value, row.value + columns_}});
}

}  // namespace sagitta
