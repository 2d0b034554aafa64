// The codes of memory words, exhaustively: every single and every double error of every width.
#include "base/memory_code.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace sagitta {
namespace {

constexpr int kWidths[] = {1, 2, 3, 4, 5, 6, 7, 8, 32};

// All values of a narrow word; of a wide one single bits, and patterns between.
std::vector<std::uint32_t> words(int bits) {
  std::vector<std::uint32_t> all;
  if (bits <= 8) {
    for (std::uint32_t value = 0; value < 1U << bits; ++value) all.push_back(value);
    return all;
  }
  for (int bit = 0; bit < bits; ++bit) all.push_back(1U << bit);
  std::uint32_t value = 0;
  for (int i = 0; i < 50; ++i) all.push_back(value += 0x9E3779B9);
  return all;
}

// The stored bits of a word, data below, with some inverted.
struct Stored {
  std::uint32_t data;
  std::uint8_t check;
  void flip(int bit, int data_bits) {
    if (bit < data_bits) {
      data ^= 1U << bit;
    } else {
      check ^= static_cast<std::uint8_t>(1U << (bit - data_bits));
    }
  }
};

TEST(MemoryCode, BitsAreThoseOfTheLiterature) {
  EXPECT_EQ(WordCode(MemoryCode::secded, 8).check_bits(), 5);   // (13, 8)
  EXPECT_EQ(WordCode(MemoryCode::secded, 32).check_bits(), 7);  // (39, 32)
  EXPECT_EQ(WordCode(MemoryCode::parity, 8).check_bits(), 1);
  EXPECT_EQ(WordCode(MemoryCode::parity, 32).check_bits(), 1);
  EXPECT_EQ(WordCode(MemoryCode::none, 8).check_bits(), 0);
}

// Hsiao: columns differ and have an odd number of ones, here the smallest that data can have; rows
// are as even as they can be, so that no check bit's tree of XORs is deeper than it must.
TEST(MemoryCode, ColumnsAreOddDifferentAndBalanced) {
  for (const int bits : {8, 32}) {
    const WordCode code(MemoryCode::secded, bits);
    const auto columns = code.columns();
    ASSERT_EQ(columns.size(), static_cast<std::size_t>(bits));
    std::vector<int> ones(static_cast<std::size_t>(code.check_bits()));
    std::set<int> different;
    for (std::size_t bit = 0; bit < columns.size(); ++bit) {
      EXPECT_EQ(std::popcount(columns[bit]), 3);
      EXPECT_EQ(code.encode(1U << bit), columns[bit]);
      different.insert(columns[bit]);
      for (std::size_t k = 0; k < ones.size(); ++k) ones[k] += columns[bit] >> k & 1;
    }
    EXPECT_EQ(different.size(), columns.size());
    const auto [least, most] = std::minmax_element(ones.begin(), ones.end());
    EXPECT_LE(*most - *least, 1);
  }
}

// Reset leaves memories zero: that must be a word.
TEST(MemoryCode, ZeroIsAWord) {
  for (const MemoryCode kind : {MemoryCode::none, MemoryCode::parity, MemoryCode::secded}) {
    for (const int bits : kWidths) EXPECT_EQ(WordCode(kind, bits).encode(0), 0);
  }
}

TEST(MemoryCode, ParityDetectsEverySingleErrorAndNoDoubleOne) {
  for (const int bits : kWidths) {
    const WordCode code(MemoryCode::parity, bits);
    const int all = bits + code.check_bits();
    for (const std::uint32_t word : words(bits)) {
      const Stored clean{word, code.encode(word)};
      EXPECT_EQ(code.decode(clean.data, clean.check).verdict, ReadVerdict::clean);
      for (int i = 0; i < all; ++i) {
        Stored stored = clean;
        stored.flip(i, bits);
        const DecodedWord single = code.decode(stored.data, stored.check);
        EXPECT_EQ(single.verdict, ReadVerdict::uncorrected);
        EXPECT_EQ(single.data, stored.data);
        for (int j = i + 1; j < all; ++j) {
          Stored twice = stored;
          twice.flip(j, bits);
          EXPECT_EQ(code.decode(twice.data, twice.check).verdict, ReadVerdict::clean);
        }
      }
    }
  }
}

TEST(MemoryCode, SecdedCorrectsEverySingleAndDetectsEveryDoubleError) {
  for (const int bits : kWidths) {
    const WordCode code(MemoryCode::secded, bits);
    const int all = bits + code.check_bits();
    for (const std::uint32_t word : words(bits)) {
      const Stored clean{word, code.encode(word)};
      const DecodedWord none = code.decode(clean.data, clean.check);
      EXPECT_EQ(none.verdict, ReadVerdict::clean);
      EXPECT_EQ(none.data, word);
      for (int i = 0; i < all; ++i) {
        Stored stored = clean;
        stored.flip(i, bits);
        const DecodedWord single = code.decode(stored.data, stored.check);
        EXPECT_EQ(single.verdict, ReadVerdict::corrected);
        EXPECT_EQ(single.data, word);
        for (int j = i + 1; j < all; ++j) {
          Stored twice = stored;
          twice.flip(j, bits);
          EXPECT_EQ(code.decode(twice.data, twice.check).verdict, ReadVerdict::uncorrected);
        }
      }
    }
  }
}

}  // namespace
}  // namespace sagitta
