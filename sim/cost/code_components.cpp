// What check bits in the memories add beside their bits: an encoder at every write port, a decoder
// at every read port.
#include <algorithm>
#include <bit>

#include "base/memory_code.h"
#include "cost/composer.h"

namespace sagitta {
namespace {

// Ones of all columns: the inputs of the trees of XORs that make the check bits.
int ones(const WordCode& code) {
  if (code.code() == MemoryCode::parity) return code.data_bits();
  int n = 0;
  for (const std::uint8_t column : code.columns()) n += std::popcount(column);
  return n;
}

// XORs of the trees that make the check bits of a word: a tree of n inputs has n - 1.
int encoder_gates(const WordCode& code) {
  if (code.code() == MemoryCode::parity) return code.data_bits() - 1;
  int gates = 0;
  for (int k = 0; k < code.check_bits(); ++k) {
    int inputs = 0;
    for (const std::uint8_t column : code.columns()) inputs += column >> k & 1;
    gates += std::max(0, inputs - 1);  // a narrow word may leave a check bit without any
  }
  return gates;
}

}  // namespace

// A port of words, `per_event` of them at a time.
void Composer::encode(Unit& unit, const std::string& what, const WordCode& code, double ports,
                      Event event, double per_event) {
  unit.add(what + ", check bits", lib_.xors(encoder_gates(code)), ports, event, per_event);
}

// The stored check bits enter the trees as well. SECDED holds the syndrome against the column of
// each bit of data, inverts the bit that it is, and tells whether it was none; parity has none of
// that.
void Composer::decode(Unit& unit, const std::string& what, const WordCode& code, double ports,
                      Event event, double per_event) {
  unit.add(what + ", syndrome", lib_.xors(ones(code)), ports, event, per_event);
  if (code.code() == MemoryCode::parity) return;
  const int bits = code.data_bits();
  const int check = code.check_bits();
  unit.add(what + ", column of a bit", lib_.and_mask(bits * (check - 1)), ports, event, per_event);
  unit.add(what + ", correct", lib_.xors(bits), ports, event, per_event);
  unit.add(what + ", not corrected", lib_.and_mask(bits + check), ports, event, per_event);
}

void Composer::codes() {
  const MemoryCode kind = program_.protection.memory_code;
  if (kind == MemoryCode::none) return;
  const WordCode byte(kind, kElement);
  const WordCode word(kind, kWord);
  const int beat = program_.memory.dram_bytes_per_cycle;
  Unit d(list_, member_, "memory", "dma");
  encode(d, "beat", byte, beat, Event::beat, beat);

  Unit a(list_, member_, "memory", "activation");
  decode(a, "operand", byte, program_.array.activation_lanes(member_), activation(), 1);
  decode(a, "wide port", byte, columns_, Event::pool_tap, columns_);
  encode(a, "result", byte, columns_, Event::output, 1);
  Unit w(list_, member_, "memory", "weight");
  const int weights = program_.array.weight_lanes(member_);
  decode(w, "weight", byte, weights, Event::feed, weights);

  const ParameterFormat& format = program_.parameters;
  Unit p(list_, member_, "memory", "parameter");
  const int lane_bytes = 4 * format.lane_words;
  decode(p, "lane", byte, lane_bytes, is() ? Event::vector : Event::setup_lane, lane_bytes);
  const double tile_bytes = 4.0 * format.tile_words;
  decode(p, "tile", byte, tile_bytes, Event::column_tile, tile_bytes);

  if (folds()) {
    Unit sums(list_, member_, "memory", "partial");
    encode(sums, "sum", word, columns_, Event::partial_write, 1);
    decode(sums, "sum", word, columns_, Event::partial_read, 1);
  }
  if (program_.raw_output) {
    Unit raw(list_, member_, "memory", "accumulator");
    encode(raw, "result", word, columns_, Event::raw, 1);
    decode(raw, "result", word, columns_, Event::store_beat, columns_);
  }
  if (!program_.protection.checksum) return;
  Unit c(list_, member_, "resilience", "checksum");
  if (folds()) {  // one sum, where the others have C
    encode(c, "sum", word, 1, Event::partial_write, 1.0 / columns_);
    decode(c, "sum", word, 1, Event::partial_read, 1.0 / columns_);
  }
  if (is()) return;
  const int bytes = width("resilience.checksum.weight.read") > kElement ? 2 : 1;
  decode(c, "weight", byte, bytes, Event::feed, bytes);
  // The upper byte has fewer bits, and so an encoder of its own.
  if (bytes > 1) {
    const WordCode upper(kind, width("resilience.checksum.weight.read") - kElement);
    encode(c, "beat, upper byte", upper, beat, Event::beat, beat);
  }
}

}  // namespace sagitta
