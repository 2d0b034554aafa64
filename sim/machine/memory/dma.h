// DMA: brings the image and the weights of each column tile from DRAM into the scratchpads, at a
// latency and a bandwidth. Requests wait in a queue, so that the latency of one passes while
// another one's data arrive; they are answered in order. Runs ahead of the sequencer by at most one
// column tile (the other bank).
#pragma once

#include <cstdint>

#include "base/registers.h"
#include "machine/control/sequencer.h"
#include "schedule/program.h"

namespace sagitta {

inline constexpr int kMostDmaRequests = 8;

struct DmaState {
  std::uint16_t transfer;  // the next transfer to request
  std::uint16_t done;      // transfers completed
  // The queue; slot 0 is the oldest request, whose data come next.
  std::uint8_t queue_valid[kMostDmaRequests];
  std::uint16_t queue_transfer[kMostDmaRequests];
  std::uint16_t queue_wait[kMostDmaRequests];  // cycles of DRAM latency that have passed
  std::uint32_t position;                      // bytes of slot 0's transfer received so far
  std::uint8_t bank;                           // weight bank of the next weights to arrive
  std::uint8_t data_valid;                     // the data register holds a beat for a scratchpad
  std::uint8_t data_image;                     // ... for the activation scratchpad, else weights
  std::uint8_t data_bank;
  std::uint32_t data_address;  // of the beat's first byte in its scratchpad
  std::uint16_t data_count;    // bytes in use
  std::uint32_t data_header;   // is, bounds a neuron: where the weights of its transfer begin
};

class Dma {
 public:
  Dma(RegisterLayout& layout, const Program& program);

  // The image that transfer 0 delivers; must outlive the run. Without one, and for weights that the
  // program has no bytes of, DRAM holds zeros.
  void set_image(const std::int8_t* pixels) { image_ = pixels; }
  // Whether DRAM has a beat to give in this cycle: the outside world, not a register. It always has
  // unless somebody says otherwise; refresh and other masters make it late, never wrong.
  void set_dram_ready(bool ready) { dram_ready_ = ready; }
  void step(const Cycle& cycle, const SequencerState& sequencer) const;

  const DmaState& state(const std::byte* now) const { return *state_.now(now); }
  const std::uint8_t* data(const std::byte* now) const { return data_.now(now); }
  // The transfer whose data arrive, or -1 while none do.
  int arriving(const std::byte* now) const;
  // What the engine does in a cycle. Latency begins with the decision to fetch and includes pauses
  // of DRAM; blocked: nothing is asked for, since the next transfer's bank is not free yet.
  enum class Activity { burst, latency, blocked, idle };
  Activity activity(const std::byte* now, const SequencerState& sequencer) const;
  // Bytes that DRAM delivers in this cycle; they are in the data register in the next one.
  std::int64_t delivered(const std::byte* now) const;
  // Bytes of the beat in use; a corrupt count never reaches past the data register.
  std::uint32_t count(const std::byte* now) const;

 private:
  void declare(RegisterLayout& layout);
  bool exists(std::uint16_t transfer) const { return transfer < program_->transfers.size(); }
  // Transfer t + 1 fills the bank of column tile t, free once tile t - 2 is finished.
  static bool bank_free(const DmaState& s, const SequencerState& sequencer) {
    return s.transfer <= sequencer.column_tile + 2;
  }
  const std::uint8_t* source(std::uint16_t transfer) const;
  bool due(const DmaState& now) const {
    return now.queue_valid[0] != 0 && now.queue_wait[0] >= latency_;
  }
  // Takes a beat of slot 0's transfer; true when it is the last one.
  bool receive(const DmaState& now, DmaState& s, const Cycle& cycle) const;

  const Program* program_;
  int slots_;
  int latency_;
  const std::int8_t* image_ = nullptr;
  bool dram_ready_ = true;
  Pipe<DmaState> state_;
  Pipe<std::uint8_t> data_;
};

}  // namespace sagitta
