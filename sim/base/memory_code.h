// Codes that keep the words of a memory: even parity, which detects an odd number of wrong bits,
// and SECDED, which corrects one wrong bit and detects two. Both are linear, so that the zeros that
// reset leaves are valid words.
//
// SECDED: M. Y. Hsiao, "A class of optimal minimum odd-weight-column SEC-DED codes", IBM Journal of
// Research and Development 14(4), 1970. Each bit of a word has a column, the set of check bits that
// it enters: three for a bit of data, one for a check bit itself. The syndrome of one wrong bit is
// its column, and that of two has an even number of ones.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace sagitta {

enum class MemoryCode : std::uint8_t { none, parity, secded };

// Bytes are (13, 8), words of 32 bits (39, 32). A narrower word, up to 8 bits, is a byte whose
// upper bits are zero and not stored.
inline constexpr std::array<std::uint8_t, 8> kByteColumns = {0x0b, 0x13, 0x0d, 0x15,
                                                             0x0e, 0x16, 0x1a, 0x1c};
inline constexpr std::array<std::uint8_t, 32> kWordColumns = {
    0x13, 0x23, 0x43, 0x0d, 0x15, 0x25, 0x45, 0x19, 0x29, 0x49, 0x31, 0x51, 0x61, 0x0e, 0x16, 0x26,
    0x46, 0x1a, 0x2a, 0x4a, 0x32, 0x52, 0x62, 0x1c, 0x2c, 0x4c, 0x34, 0x54, 0x64, 0x38, 0x58, 0x68};

// What a read port made of a word.
enum class ReadVerdict : std::uint8_t { clean, corrected, uncorrected };

struct DecodedWord {
  std::uint32_t data = 0;
  ReadVerdict verdict = ReadVerdict::clean;
};

// A code for words of one width.
class WordCode {
 public:
  WordCode() = default;
  // `bits` of data: 1 to 8, or 32.
  WordCode(MemoryCode code, int bits);

  MemoryCode code() const { return code_; }
  int data_bits() const { return bits_; }
  int check_bits() const { return check_bits_; }
  // The check bits of what lies in the lower `data_bits` bits of `data`; the others must be 0.
  std::uint8_t encode(std::uint32_t data) const;
  // What a stored word says. A word that no single wrong bit explains is left as it is.
  DecodedWord decode(std::uint32_t data, std::uint8_t check) const;

  // SECDED: the column of each bit of data.
  std::span<const std::uint8_t> columns() const;

 private:
  DecodedWord correct(std::uint32_t data, std::uint8_t syndrome) const;

  MemoryCode code_ = MemoryCode::none;
  int bits_ = 8;
  int check_bits_ = 0;
};

inline DecodedWord WordCode::decode(std::uint32_t data, std::uint8_t check) const {
  const auto syndrome = static_cast<std::uint8_t>(encode(data) ^ check);
  if (syndrome == 0) return {data, ReadVerdict::clean};
  return correct(data, syndrome);
}

}  // namespace sagitta
