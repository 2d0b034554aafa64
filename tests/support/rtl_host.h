// The RTL machine's surroundings: the host, which hands over layer descriptors, and the DRAM behind
// the DMA. Lockstep and benchmarks answer the RTL's ports from here.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/registers.h"
#include "schedule/program.h"

namespace sagitta::test {

// A descriptor as the port `next_descriptor` takes it: the fields that the machine has registers
// for, in the order of their declarations, the first one lowest.
inline std::vector<std::uint8_t> pack_descriptor(const LayerDescriptor& descriptor,
                                                 const std::vector<RegisterClass>& classes) {
  const std::string prefix = "control.sequencer.config.";
  std::vector<std::uint8_t> bytes;
  std::size_t at = 0;                    // bit
  const RegisterClass* first = nullptr;  // the descriptor's first field, `height`
  for (const RegisterClass& c : classes) {
    if (!c.path.starts_with(prefix)) continue;
    if (first == nullptr) first = &c;
    std::uint64_t raw = 0;
    std::memcpy(&raw, reinterpret_cast<const std::byte*>(&descriptor) + (c.offset - first->offset),
                static_cast<std::size_t>(c.element_bytes));
    for (int bit = 0; bit < c.width; ++bit, ++at) {
      if (at % 8 == 0) bytes.push_back(0);
      bytes.back() = static_cast<std::uint8_t>(bytes.back() | (raw >> bit & 1) << at % 8);
    }
  }
  return bytes;
}

// One transfer's bytes from `position` on, at most `most` of them; the rest of `out` becomes zero.
inline void read_dram(const Program& program, const std::int8_t* image, std::size_t transfer,
                      std::int64_t position, std::size_t most, void* out) {
  std::size_t count = 0;
  if (transfer < program.transfers.size()) {
    const Transfer& t = program.transfers[transfer];
    const std::int64_t left =
        std::clamp<std::int64_t>(t.size - position, 0, static_cast<std::int64_t>(most));
    count = static_cast<std::size_t>(left);
    const void* source = t.is_image ? static_cast<const void*>(image + position)
                                    : static_cast<const void*>(t.bytes.data() + position);
    if (count > 0) std::memcpy(out, source, count);
  }
  std::memset(static_cast<std::byte*>(out) + count, 0, most - count);
}

}  // namespace sagitta::test
