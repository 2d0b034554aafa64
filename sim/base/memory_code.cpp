#include "base/memory_code.h"

#include <bit>
#include <cstddef>

namespace sagitta {
namespace {

// Check bits of each value of the byte whose bits have these columns.
constexpr std::array<std::uint8_t, 256> byte_table(const std::uint8_t* columns) {
  std::array<std::uint8_t, 256> table{};
  for (unsigned value = 0; value < 256; ++value) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      if ((value >> bit & 1) != 0) table[value] ^= columns[bit];
    }
  }
  return table;
}

constexpr auto kByteChecks = byte_table(kByteColumns.data());
// Of each byte of a word, the lowest first.
constexpr std::array<std::array<std::uint8_t, 256>, 4> kWordChecks = {
    byte_table(kWordColumns.data()), byte_table(kWordColumns.data() + 8),
    byte_table(kWordColumns.data() + 16), byte_table(kWordColumns.data() + 24)};

constexpr std::uint8_t kWholeWord = 32;

}  // namespace

WordCode::WordCode(MemoryCode code, int bits)
    : code_(code),
      bits_(bits),
      check_bits_(code == MemoryCode::none     ? 0
                  : code == MemoryCode::parity ? 1
                  : bits == kWholeWord         ? 7
                                               : 5) {}

std::span<const std::uint8_t> WordCode::columns() const {
  if (bits_ == kWholeWord) return kWordColumns;
  return std::span(kByteColumns).first(static_cast<std::size_t>(bits_));
}

std::uint8_t WordCode::encode(std::uint32_t data) const {
  if (code_ == MemoryCode::none) return 0;
  if (code_ == MemoryCode::parity) return static_cast<std::uint8_t>(std::popcount(data) & 1);
  if (bits_ != kWholeWord) return kByteChecks[data & 0xFF];
  return kWordChecks[0][data & 0xFF] ^ kWordChecks[1][data >> 8 & 0xFF] ^
         kWordChecks[2][data >> 16 & 0xFF] ^ kWordChecks[3][data >> 24];
}

DecodedWord WordCode::correct(std::uint32_t data, std::uint8_t syndrome) const {
  if (code_ != MemoryCode::secded) return {data, ReadVerdict::uncorrected};
  if (std::has_single_bit(syndrome)) return {data, ReadVerdict::corrected};  // a check bit is wrong
  const auto all = columns();
  for (std::size_t bit = 0; bit < all.size(); ++bit) {
    if (all[bit] == syndrome) return {data ^ (1U << bit), ReadVerdict::corrected};
  }
  return {data, ReadVerdict::uncorrected};
}

}  // namespace sagitta
