// What a memory does in a cycle, for traces: told by the block that owns it, from the registers of
// that cycle, before its step.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace sagitta {

// Neighbouring elements read or written at once. Elements are activations and weights (int8), sums
// (int32), and for parameters and checksum weights, which DMA brings byte by byte, bytes.
struct MemoryAccess {
  const char* memory;
  int bank;
  bool write;
  std::int64_t address;  // of the first element, in elements from the start of the bank
  std::vector<std::int64_t> values;
};
using MemoryVisitor = std::function<void(const MemoryAccess&)>;

// Calls `visit` for what of `count` addresses from `first` on, `step` apart (modulo 2^32), lies
// within `limit` elements. value(i): of the i-th of them.
template <typename Value>
void visit_run(const char* memory, int bank, bool write, std::uint32_t first, int count,
               std::int64_t limit, const Value& value, const MemoryVisitor& visit,
               std::uint32_t step = 1) {
  MemoryAccess access{memory, bank, write, -1, {}};
  for (int i = 0; i <= count; ++i) {
    const std::int64_t address = first + static_cast<std::uint32_t>(i) * step;
    const bool inside = i < count && address < limit;
    const bool next = inside && !access.values.empty() &&
                      address == access.address + static_cast<std::int64_t>(access.values.size());
    if (!access.values.empty() && !next) {
      visit(access);
      access.values.clear();
    }
    if (!inside) continue;
    if (access.values.empty()) access.address = address;
    access.values.push_back(value(static_cast<std::size_t>(i)));
  }
}

// A piece of a transfer between DRAM and the machine.
struct DramAccess {
  enum class What { image, weights, result };
  What what;
  std::int64_t transfer;  // its number in the program; results: 0
  bool write;
  std::int64_t offset;  // bytes from the start of the transfer, or of the result
  std::int64_t bytes;
};

}  // namespace sagitta
