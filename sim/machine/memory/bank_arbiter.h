// The banks of the activation scratchpad, where it is built of single-port memories: who is served
// in a cycle, and who waits.
//
// Word w of a map, `activation_port_bytes` neighbouring elements, lies in bank w mod
// `activation_banks`. In a cycle a bank delivers one word, to all readers whose elements lie in it:
// the one that the reader with the lowest number asks for. Who is not served waits in `pending`,
// and with him whatever takes the elements, so that an access lasts as many cycles as the busiest
// bank has words to deliver, and at least one. A reader in the padding, beyond the memory or out of
// use needs no word.
#pragma once

#include <cstdint>
#include <vector>

#include "base/registers.h"
#include "machine/control/sequencer.h"
#include "schedule/program.h"

namespace sagitta {

// What the banks do in a cycle.
struct BankGrant {
  // What a reader's data register does at the end of the cycle.
  enum class Take : std::uint8_t { hold, zero, padding, element };
  bool reads = false;  // somebody reads
  bool wide = false;   // ... the wide port, else the rows or (is) columns of the array
  bool waits = false;  // somebody is still to be served: what takes the elements waits
  int map = 0;
  std::vector<Take> take;              // by reader: positions, or lanes of the wide port
  std::vector<std::uint32_t> address;  // of its element in the map
  std::vector<std::uint8_t> pending;   // who waits for a later cycle
  std::vector<std::int64_t> word;      // by bank: the word delivered, or -1

  int words() const;
};

// Whoever reads in this cycle and has not been served.
class BankArbiter {
 public:
  // `program.memory.activation_banks` is above 0.
  BankArbiter(RegisterLayout& layout, const Program& program, const Sequencer& sequencer);

  // A function of this cycle's registers, worked out once a cycle.
  const BankGrant& grant(const std::byte* now) const {
    if (!known_) work_out(now);
    return grant_;
  }
  void step(const Cycle& cycle) const;

  // Another cycle has begun, or the state was changed from outside.
  void touch() { known_ = false; }

 private:
  void work_out(const std::byte* now) const;
  // What this cycle asks for: one of the two, or nothing.
  void ask_positions(const std::byte* now, const SequencerState& s) const;
  void ask_vector(const SequencerState& s) const;
  void serve(const std::byte* now) const;
  bool holds(std::uint32_t address) const {
    return grant_.map < maps_ && address < static_cast<std::uint64_t>(bytes_);
  }

  const Sequencer* sequencer_;
  int columns_;
  int maps_;
  int logits_;
  bool raw_;
  std::int64_t bytes_;
  int word_bits_;  // of an element's place in its word
  Pipe<std::uint8_t> pending_;
  mutable BankGrant grant_;
  mutable bool known_ = false;
};

}  // namespace sagitta
