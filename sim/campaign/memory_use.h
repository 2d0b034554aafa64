// When the words of the scratchpads are read and written. The schedule does not depend on data, so
// what one fault-free run does, every one does: a flip in a word that is written before it is read
// again, or never read, changes nothing; one in a word that is read later does nothing until then.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/registers.h"
#include "machine/machine.h"

namespace sagitta {

class MemoryUse {
 public:
  // Runs the program once, fault-free, on a machine of its own; `each_cycle` sees it in each.
  explicit MemoryUse(const Program& program,
                     const std::function<void(const Machine&)>& each_cycle = nullptr);

  std::int64_t cycles() const { return cycles_; }  // of the run

  struct Access {
    std::int64_t cycle = -1;  // -1: none before the end of the run
    bool write = false;       // a word that is read and written in one cycle is read first
  };

  // A byte of the held state (MachineState::held) that belongs to a word whose accesses are known:
  // activations, weights, their checksum weights, and parameters. Other state must be taken to be
  // read in every cycle.
  bool knows(std::size_t held_byte) const { return word_of(held_byte) != nullptr; }
  // Its first access in this cycle or later. Only for bytes that are known.
  Access next(std::size_t held_byte, std::int64_t cycle) const;
  // Its last access before this cycle.
  Access last(std::size_t held_byte, std::int64_t cycle) const;

  // Whether it is written in a cycle from `first` on, but before `end`.
  bool written(std::size_t held_byte, std::int64_t first, std::int64_t end) const;

  // Of a byte that holds an activation: its map and place in it; otherwise map -1.
  struct Activation {
    int map = -1;
    std::int32_t element = 0;
  };
  Activation activation(std::size_t held_byte) const;

  // Of a byte that holds a weight: its row in the bank and its place in the row; otherwise row -1.
  struct Weight {
    std::int32_t row = -1;
    std::int32_t lane = 0;
  };
  Weight weight(std::size_t held_byte) const;

  // The first cycle in which a layer reads or writes activations (one that begins in the padding
  // may write first); of the layer behind the last one: in which the result is read for the host.
  // As many as cycles of the run where there is none.
  std::int64_t first_access(std::size_t layer) const { return first_access_[layer]; }

 private:
  // A memory's bytes, which lie side by side in the held state.
  struct Memory {
    const char* name;
    std::size_t offset = 0;
    std::size_t bytes = 0;
    std::size_t bank_bytes = 0;
    std::size_t word_bytes = 1;   // of one element of an access
    std::size_t first_index = 0;  // of its first byte in starts_
  };
  void find_memories(const RegisterLayout& layout);
  const Memory* word_of(std::size_t held_byte) const;
  std::size_t index_of(const Memory& memory, std::size_t held_byte) const {
    return memory.first_index + (held_byte - memory.offset);
  }

  // Of byte i: the place in events_ of its first access in this cycle or later.
  std::size_t event_from(std::size_t i, std::int64_t cycle) const;
  Access access(std::size_t event) const {
    return {static_cast<std::int64_t>(events_[event] / 2), events_[event] % 2 != 0};
  }

  std::int64_t cycles_ = 0;
  std::int32_t weight_lanes_ = 1;
  std::vector<Memory> memories_;
  // Accesses of byte i: events_[starts_[i]] .. events_[starts_[i + 1] - 1], in order; twice the
  // cycle, and one more for a write.
  std::vector<std::size_t> starts_;
  std::vector<std::uint32_t> events_;
  std::vector<std::int64_t> first_access_;
};

}  // namespace sagitta
