// The check bits beside a memory's words: made by an encoder at every write port, compared by a
// decoder between the memory and the register of every read port. The memory keeps what it holds: a
// wrong bit is corrected on its way to the register, each time it is read, and never written back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/memory_code.h"
#include "base/registers.h"

namespace sagitta {

// What the read ports of a block have found. Words that nobody uses (lanes beyond the tile's,
// padding, words of another dataflow) are not asked about.
class ReadStatus {
 public:
  ReadStatus() = default;
  // One flip-flop, where the memories have a code: some word was wrong and could not be corrected.
  // It stays set until reset; the host reads it with the results.
  ReadStatus(RegisterLayout& layout, const std::string& path, MemoryCode code) {
    if (code != MemoryCode::none) sticky_ = layout.pipe<std::uint8_t>(path, {}, 1);
  }

  void add(ReadVerdict verdict) {
    corrected_ += verdict == ReadVerdict::corrected ? 1 : 0;
    alarm_ = alarm_ || verdict == ReadVerdict::uncorrected;
  }
  // Once a cycle, after all reads.
  void step(const Cycle& cycle) {
    if (sticky_.count > 0) *sticky_.next(cycle) = alarm_ ? 1 : *sticky_.now(cycle);
    corrected_before_ = corrected_;
    corrected_ = 0;
    alarm_ = false;
  }

  bool uncorrected(const std::byte* now) const {
    return sticky_.count > 0 && *sticky_.now(now) != 0;
  }
  // Measurement, no hardware: words corrected in the cycle that was stepped last.
  int corrected() const { return corrected_before_; }

 private:
  Pipe<std::uint8_t> sticky_;
  int corrected_ = 0;
  int corrected_before_ = 0;
  bool alarm_ = false;
};

// Places are those of the words in their memory.
class CheckBits {
 public:
  CheckBits() = default;
  // Declared elsewhere, or of another place than the words.
  CheckBits(Held<std::uint8_t> check, MemoryCode code, int bits)
      : code_(code, bits), check_(check) {}
  // A dense array, as the words are.
  CheckBits(RegisterLayout& layout, const std::string& path, const std::vector<int>& extents,
            MemoryCode code, int bits)
      : code_(code, bits) {
    if (on()) check_ = layout.held<std::uint8_t>(path, extents, code_.check_bits(), Storage::sram);
  }

  bool on() const { return code_.code() != MemoryCode::none; }

  void write(const Cycle& cycle, std::size_t place, std::uint32_t data) const {
    if (on()) check_.at(cycle)[place] = code_.encode(data);
  }
  // What a read port delivers of the stored `data`. `used`: somebody takes it.
  std::uint32_t read(const Cycle& cycle, std::size_t place, std::uint32_t data, bool used,
                     ReadStatus& status) const {
    if (!on()) return data;
    const DecodedWord word = code_.decode(data, check_.at(cycle)[place]);
    if (used) status.add(word.verdict);
    return word.data;
  }

 private:
  WordCode code_;
  Held<std::uint8_t> check_;
};

}  // namespace sagitta
