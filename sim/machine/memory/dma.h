// DMA: brings the image and the weights of each column tile from DRAM into the scratchpads, at a
// latency and a bandwidth. Runs ahead of the sequencer by at most one column tile (the other bank).
#pragma once

#include <cstdint>

#include "base/registers.h"
#include "machine/control/sequencer.h"
#include "schedule/program.h"

namespace sagitta {

struct DmaState {
  std::uint8_t state;       // DmaPhase
  std::uint16_t transfer;   // the transfer at work, or the next one
  std::uint16_t done;       // transfers completed
  std::uint16_t wait;       // cycles of DRAM latency spent
  std::uint32_t position;   // bytes of this transfer requested so far
  std::uint8_t bank;        // weight bank of this transfer
  std::uint8_t data_valid;  // the data register holds a beat for a scratchpad
  std::uint8_t data_image;  // ... for the activation scratchpad, else the weight scratchpad
  std::uint8_t data_bank;
  std::uint32_t data_address;  // of the beat's first byte in its scratchpad
  std::uint16_t data_count;    // bytes in use
};

enum class DmaPhase : std::uint8_t { idle = 0, latency = 1, burst = 2 };

class Dma {
 public:
  Dma(RegisterLayout& layout, const Program& program);

  // The image that transfer 0 delivers; must outlive the run. Without one, and for weights that the
  // program has no bytes of, DRAM holds zeros.
  void set_image(const std::int8_t* pixels) { image_ = pixels; }
  void step(const Cycle& cycle, const SequencerState& sequencer) const;

  const DmaState& state(const std::byte* now) const { return *state_.now(now); }
  const std::uint8_t* data(const std::byte* now) const { return data_.now(now); }
  // Bytes of the beat in use; a corrupt count never reaches past the data register.
  std::uint32_t count(const std::byte* now) const;

 private:
  const std::uint8_t* source(std::uint16_t transfer) const;

  const Program* program_;
  const std::int8_t* image_ = nullptr;
  Pipe<DmaState> state_;
  Pipe<std::uint8_t> data_;
};

}  // namespace sagitta
