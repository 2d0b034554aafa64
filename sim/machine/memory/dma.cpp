#include "machine/memory/dma.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace sagitta {

Dma::Dma(RegisterLayout& layout, const Program& program)
    : program_(&program), slots_(program.memory.dma_queue), latency_(program.memory.dram_latency) {
  declare(layout);
}

void Dma::declare(RegisterLayout& layout) {
  state_ = layout.place_pipe<DmaState>(1);
  const auto field = [&](const char* name, std::size_t offset, int element_bytes, int width,
                         const std::vector<int>& extents = {}) {
    RegisterClass c;
    c.path = std::string("memory.dma.") + name;
    c.extents = extents;
    c.width = width;
    c.offset = state_.offset + offset;
    c.element_bytes = element_bytes;
    layout.declare(std::move(c));
  };
#define SAGITTA_FIELD(name, width) \
  field(#name, offsetof(DmaState, name), sizeof(DmaState::name), width)
#define SAGITTA_SLOTS(name, width)                          \
  field("queue[]." #name, offsetof(DmaState, queue_##name), \
        sizeof(DmaState::queue_##name) / kMostDmaRequests, width, {slots_})
  SAGITTA_FIELD(transfer, 16);
  SAGITTA_FIELD(done, 16);
  SAGITTA_SLOTS(valid, 1);
  SAGITTA_SLOTS(transfer, 16);
  SAGITTA_SLOTS(wait, 16);
  SAGITTA_FIELD(position, 32);
  SAGITTA_FIELD(bank, 1);
  SAGITTA_FIELD(data_valid, 1);
  SAGITTA_FIELD(data_image, 1);
  SAGITTA_FIELD(data_bank, 1);
  SAGITTA_FIELD(data_address, 32);
  SAGITTA_FIELD(data_count, 16);
#undef SAGITTA_SLOTS
  if (program_->has_data_header()) SAGITTA_FIELD(data_header, 32);
#undef SAGITTA_FIELD
  data_ =
      layout.pipe<std::uint8_t>("memory.dma.data[]", {program_->memory.dram_bytes_per_cycle}, 8);
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

int Dma::arriving(const std::byte* now) const {
  return due(state(now)) ? state(now).queue_transfer[0] : -1;
}

bool Dma::receive(const DmaState& now, DmaState& s, const Cycle& cycle) const {
  const int width = program_->memory.dram_bytes_per_cycle;
  const std::uint16_t transfer = now.queue_transfer[0];
  const bool image = exists(transfer) && program_->transfers[transfer].is_image;
  const std::int64_t size = exists(transfer) ? program_->transfers[transfer].size : 0;
  if (const std::int64_t count = delivered(cycle.now); count > 0) {
    if (const std::uint8_t* bytes = source(transfer); bytes != nullptr) {
      std::memcpy(data_.next(cycle), bytes + now.position, static_cast<std::size_t>(count));
    } else {
      std::memset(data_.next(cycle), 0, static_cast<std::size_t>(count));
    }
    s.data_valid = 1;
    s.data_image = image ? 1 : 0;
    s.data_bank = now.bank;
    s.data_address = now.position;
    s.data_count = static_cast<std::uint16_t>(count);
    if (program_->has_data_header()) {
      s.data_header = static_cast<std::uint32_t>(program_->transfers[transfer].header);
    }
  }
  s.position = now.position + static_cast<std::uint32_t>(width);
  if (std::int64_t{now.position} + width < size) return false;
  s.position = 0;
  if (exists(transfer) && !image) s.bank = now.bank ^ 1;
  s.done = static_cast<std::uint16_t>(now.done + 1);
  return true;
}

std::int64_t Dma::delivered(const std::byte* now) const {
  const DmaState& s = state(now);
  if (!due(s) || !dram_ready_ || !exists(s.queue_transfer[0])) return 0;
  return std::clamp<std::int64_t>(program_->transfers[s.queue_transfer[0]].size - s.position, 0,
                                  program_->memory.dram_bytes_per_cycle);
}

Dma::Activity Dma::activity(const std::byte* now, const SequencerState& sequencer) const {
  const DmaState& s = state(now);
  if (due(s) && dram_ready_) return Activity::burst;
  if (s.queue_valid[0] != 0) return Activity::latency;
  if (!exists(s.transfer)) return Activity::idle;
  return bank_free(s, sequencer) ? Activity::latency : Activity::blocked;
}

void Dma::step(const Cycle& cycle, const SequencerState& sequencer) const {
  const DmaState& now = *state_.now(cycle);
  DmaState& s = *state_.next(cycle);
  s = now;
  std::memcpy(data_.next(cycle), data_.now(cycle), data_.count);
  s.data_valid = 0;
  const bool last_beat = due(now) && dram_ready_ && receive(now, s, cycle);

  // Requests grow older and, when the oldest is answered, move up. They close up behind an empty
  // slot 0 as well, which only a fault leaves while others wait.
  for (int i = 0; i < slots_; ++i) {
    if (s.queue_valid[i] != 0 && s.queue_wait[i] < latency_) ++s.queue_wait[i];
  }
  if (last_beat || now.queue_valid[0] == 0) {
    for (int i = 0; i + 1 < slots_; ++i) {
      s.queue_valid[i] = s.queue_valid[i + 1];
      s.queue_transfer[i] = s.queue_transfer[i + 1];
      s.queue_wait[i] = s.queue_wait[i + 1];
    }
    s.queue_valid[slots_ - 1] = 0;
  }
  // A new one takes the first free slot.
  if (now.queue_valid[slots_ - 1] != 0 || !exists(now.transfer) || !bank_free(now, sequencer)) {
    return;
  }
  int free = 0;
  while (s.queue_valid[free] != 0) ++free;
  s.queue_valid[free] = 1;
  s.queue_transfer[free] = now.transfer;
  s.queue_wait[free] = 0;
  s.transfer = static_cast<std::uint16_t>(now.transfer + 1);
}

}  // namespace sagitta
