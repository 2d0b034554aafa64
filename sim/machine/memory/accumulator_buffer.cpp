#include "machine/memory/accumulator_buffer.h"

#include <cstring>

namespace sagitta {

AccumulatorBuffer::AccumulatorBuffer(RegisterLayout& layout, const Program& program,
                                     const Sequencer& sequencer)
    : sequencer_(&sequencer), columns_(program.array.columns), words_(program.logits) {
  bank_ = layout.held<std::int32_t>("memory.accumulator.word[]", {words_}, 32, Storage::sram);
  const MemoryCode code = program.protection.memory_code;
  check_ = CheckBits(layout, "memory.accumulator.word_check[]", {words_}, code, 32);
  status_ = ReadStatus(layout, "memory.accumulator.uncorrected", code);
  vector_ = layout.pipe<std::int32_t>("memory.accumulator.vector[]", {columns_}, 32);
}

void AccumulatorBuffer::step(const Cycle& cycle, const SumVector& checked) {
  const SequencerState& s = sequencer_->state(cycle.now);
  std::int32_t* vector = vector_.next(cycle);
  if (Sequencer::store_issue(s, words_)) {
    for (int c = 0; c < columns_; ++c) {
      const std::uint32_t address =
          static_cast<std::uint32_t>(s.output_address) + static_cast<std::uint32_t>(c);
      vector[c] = 0;
      if (address < static_cast<std::uint32_t>(words_)) {
        const auto stored = static_cast<std::uint32_t>(bank_.at(cycle)[address]);
        vector[c] = static_cast<std::int32_t>(check_.read(cycle, address, stored, true, status_));
      }
    }
  } else {
    std::memcpy(vector, vector_.now(cycle), vector_.count * sizeof(std::int32_t));
  }
  status_.step(cycle);
  if (!checked.valid || s.config.raw == 0) return;
  const int lanes = sequencer_->lanes(s);
  const auto step = static_cast<std::uint32_t>(sequencer_->lane_step(s));
  for (int c = 0; c < lanes; ++c) {
    const std::uint32_t address =
        static_cast<std::uint32_t>(checked.address) + static_cast<std::uint32_t>(c) * step;
    if (address >= static_cast<std::uint32_t>(words_)) continue;
    bank_.at(cycle)[address] = checked.value[c];
    check_.write(cycle, address, static_cast<std::uint32_t>(checked.value[c]));
  }
}

}  // namespace sagitta
