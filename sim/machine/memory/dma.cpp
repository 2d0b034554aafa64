#include "machine/memory/dma.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>

namespace sagitta {

Dma::Dma(RegisterLayout& layout, const Program& program) : program_(&program) {
  state_ = layout.place_pipe<DmaState>(1);
  const auto field = [&](const char* name, std::size_t offset, int element_bytes, int width) {
    RegisterClass c;
    c.path = std::string("memory.dma.") + name;
    c.width = width;
    c.offset = state_.offset + offset;
    c.element_bytes = element_bytes;
    layout.declare(std::move(c));
  };
#define SAGITTA_FIELD(name, width) \
  field(#name, offsetof(DmaState, name), sizeof(DmaState::name), width)
  SAGITTA_FIELD(state, 2);
  SAGITTA_FIELD(transfer, 16);
  SAGITTA_FIELD(done, 16);
  SAGITTA_FIELD(wait, 16);
  SAGITTA_FIELD(position, 32);
  SAGITTA_FIELD(bank, 1);
  SAGITTA_FIELD(data_valid, 1);
  SAGITTA_FIELD(data_image, 1);
  SAGITTA_FIELD(data_bank, 1);
  SAGITTA_FIELD(data_address, 32);
  SAGITTA_FIELD(data_count, 16);
#undef SAGITTA_FIELD
  data_ = layout.pipe<std::uint8_t>("memory.dma.data[]", {program.memory.dram_bytes_per_cycle}, 8);
}

const std::uint8_t* Dma::source(std::uint16_t transfer) const {
  const Transfer& t = program_->transfers[transfer];
  if (t.is_image) return reinterpret_cast<const std::uint8_t*>(image_);
  return t.bytes.empty() ? nullptr : t.bytes.data();
}

std::uint32_t Dma::count(const std::byte* now) const {
  return std::min<std::uint32_t>(state(now).data_count,
                                 static_cast<std::uint32_t>(program_->memory.dram_bytes_per_cycle));
}

void Dma::step(const Cycle& cycle, const SequencerState& sequencer) const {
  const DmaState& now = *state_.now(cycle);
  DmaState& s = *state_.next(cycle);
  s = now;
  const int width = program_->memory.dram_bytes_per_cycle;
  std::memcpy(data_.next(cycle), data_.now(cycle), static_cast<std::size_t>(width));
  s.data_valid = 0;
  const bool exists = now.transfer < program_->transfers.size();
  switch (static_cast<DmaPhase>(now.state)) {
    case DmaPhase::idle:
      // Transfer t + 1 fills the bank of column tile t, free once tile t - 2 is finished.
      if (exists && now.transfer <= sequencer.column_tile + 2) {
        s.position = 0;
        s.wait = 0;
        s.state = static_cast<std::uint8_t>(program_->memory.dram_latency > 0 ? DmaPhase::latency
                                                                              : DmaPhase::burst);
      }
      break;
    case DmaPhase::latency:
      s.wait = static_cast<std::uint16_t>(now.wait + 1);
      if (now.wait + 1 >= program_->memory.dram_latency) {
        s.state = static_cast<std::uint8_t>(DmaPhase::burst);
      }
      break;
    case DmaPhase::burst: {
      const std::int64_t size = exists ? program_->transfers[now.transfer].size : 0;
      if (now.position < size) {
        const auto count =
            static_cast<std::size_t>(std::min<std::int64_t>(width, size - now.position));
        if (const std::uint8_t* bytes = source(now.transfer); bytes != nullptr) {
          std::memcpy(data_.next(cycle), bytes + now.position, count);
        } else {
          std::memset(data_.next(cycle), 0, count);
        }
        s.data_valid = 1;
        s.data_image = program_->transfers[now.transfer].is_image ? 1 : 0;
        s.data_bank = now.bank;
        s.data_address = now.position;
        s.data_count = static_cast<std::uint16_t>(count);
      }
      s.position = now.position + static_cast<std::uint32_t>(width);
      if (std::int64_t{now.position} + width >= size) {
        if (exists && !program_->transfers[now.transfer].is_image) s.bank = now.bank ^ 1;
        s.done = static_cast<std::uint16_t>(now.done + 1);
        s.transfer = static_cast<std::uint16_t>(now.transfer + 1);
        s.state = static_cast<std::uint8_t>(DmaPhase::idle);
      }
      break;
    }
    default:  // state 3 is not used: the engine stands still
      break;
  }
}

}  // namespace sagitta
