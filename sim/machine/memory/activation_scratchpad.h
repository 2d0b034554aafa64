// The feature maps, as many as live at once: a layer reads one, or two to add them, and writes
// another. One element a row of the array, or (is) a column (im2col addressing: the sequencer's
// position registers plus the tap address); or `columns` consecutive elements for pooling, adding
// and the host. Each of these has a read port, or all share the ports of banks (bank_arbiter.h).
// Results and DMA's beats have a write port of their own. A map that does not exist reads as zero
// and takes nothing.
#pragma once

#include <cstdint>

#include "base/registers.h"
#include "machine/control/sequencer.h"
#include "machine/memory/access.h"
#include "machine/memory/bank_arbiter.h"
#include "machine/memory/check_bits.h"
#include "machine/memory/dma.h"
#include "schedule/program.h"

namespace sagitta {

// What the vector unit writes back: `lanes` elements from `address` on, Sequencer::lane_step apart.
struct WriteBack {
  bool valid = false;
  std::int32_t address = 0;
  const std::int8_t* value = nullptr;
};

class ActivationScratchpad {
 public:
  ActivationScratchpad(RegisterLayout& layout, const Program& program, const Sequencer& sequencer);

  // `grant`: what the banks deliver in this cycle; nullptr where every reader has a port.
  void step(const Cycle& cycle, const Dma& dma, const WriteBack& write, const BankGrant* grant);

  // Bytes of DMA's beat that fit into the memory.
  std::int64_t taken(const std::byte* now, const Dma& dma) const;

  // Read registers: one element a row or column, towards the skew registers. With banks they
  // collect what an access reads, and are complete in the cycle after its last one.
  const std::int8_t* read(const std::byte* now) const { return read_.now(now); }
  // Read register of the wide port: taps for the vector unit, or logits on their way to the host.
  const std::int8_t* vector(const std::byte* now) const { return vector_.now(now); }
  void accesses(const std::byte* now, const std::byte* held, const Dma& dma, const WriteBack& write,
                const BankGrant* grant, const MemoryVisitor& visit) const;
  const ReadStatus& status() const { return status_; }
  // Contents, for tests and reports.
  const std::int8_t* map(const std::byte* held, int which) const {
    return maps_.at(held) + which * bytes_;
  }

 private:
  void visit_reads(const std::byte* now, const std::byte* held, const BankGrant* grant,
                   const MemoryVisitor& visit) const;
  void read_rows(const Cycle& cycle, const SequencerState& s);
  void read_vector(const Cycle& cycle, const SequencerState& s);
  void read_banks(const Cycle& cycle, const SequencerState& s, const BankGrant& grant);
  void collect(const Cycle& cycle, const Pipe<std::int8_t>& target, std::int8_t zero_point,
               const BankGrant& grant);
  void write_back(const Cycle& cycle, const SequencerState& s, const WriteBack& write) const;
  // An element as it leaves a read port, or as it enters a write port; `map` and `address` exist.
  // `used`: somebody takes it.
  std::int8_t load(const Cycle& cycle, int map, std::uint32_t address, bool used) {
    const std::size_t place = place_of(map, address);
    const std::int8_t stored = maps_.at(cycle)[place];
    if (!check_.on()) return stored;
    const auto byte = static_cast<std::uint8_t>(stored);
    return static_cast<std::int8_t>(check_.read(cycle, place, byte, used, status_));
  }
  void store(const Cycle& cycle, int map, std::uint32_t address, std::int8_t value) const {
    const std::size_t place = place_of(map, address);
    maps_.at(cycle)[place] = value;
    check_.write(cycle, place, static_cast<std::uint8_t>(value));
  }
  std::size_t place_of(int map, std::uint32_t address) const {
    return static_cast<std::size_t>(map * bytes_) + address;
  }
  bool holds(int map, std::uint32_t address) const {
    return map < map_count_ && address < static_cast<std::uint64_t>(bytes_);
  }

  const Sequencer* sequencer_;
  int ports_;
  int columns_;
  int map_count_;
  int logits_;
  bool raw_;
  std::int64_t bytes_;
  int port_bytes_;  // of a word, with banks
  Held<std::int8_t> maps_;
  CheckBits check_;
  ReadStatus status_;
  Pipe<std::int8_t> read_;
  Pipe<std::int8_t> vector_;
};

}  // namespace sagitta
