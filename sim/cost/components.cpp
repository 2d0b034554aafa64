#include "cost/components.h"

#include <algorithm>
#include <bit>
#include <stdexcept>

#include "cost/composer.h"

namespace sagitta {
namespace {

int ceil_log2(int n) {
  return static_cast<int>(std::bit_width(static_cast<unsigned>(n - 1)));
}

}  // namespace

std::vector<Component> Composer::compose() {
  pes();
  array_copies();
  sequencer();
  positions();
  memory();
  vector_unit();
  if (program_.array.mixed()) sharing();
  codes();
  const Protection& p = program_.protection;
  if (p.checksum) checksum();
  if (p.column_checksum) column_checksum();
  checkers();
  if (p.checks_outputs()) output_check();
  if (p.reruns()) recompute();
  if (p.passes > 1) vote();
  return std::move(list_);
}

int Composer::width(const std::string& path) const {
  for (const RegisterClass& r : registers_) {
    if (r.path == path) return r.width;
  }
  throw std::logic_error("the cost model finds no register " + path);
}

// acc <= acc + a * b, or the sum from below, or zero. Under TMR of the PE all three copies have all
// of this, under TMR of its registers there is one for all; one voter a register bit feeds them.
void Composer::pes() {
  Unit pe(list_, member_, "array", "pe", program_.protection.arrays);
  const int copies = program_.protection.mac_copies();
  const double n = static_cast<double>(rows_) * columns_ * copies;
  pe.add("product", lib_.multiplier(kElement, kElement), n, Event::mac, copies);
  pe.add("accumulate", lib_.adder(kWord), n, Event::mac, copies);
  if (overlap() && folds()) {
    pe.add("keep or swap", lib_.mux2(kElement), n, Event::lane_feed, rows_ * copies);
  } else if (overlap()) {
    pe.add("accumulate or start", lib_.and_mask(kWord), n, Event::mac, copies);
    pe.add("hand over or shift", lib_.mux2(kWord), n, Event::shift, copies);
    pe.add("drain or hold", lib_.mux2(kWord), n, Event::shift, copies);
  } else if (!folds()) {
    pe.add("accumulate or shift", lib_.mux2(kWord), n, Event::mac, copies);
    pe.add("clear", lib_.and_mask(kWord), n, Event::mac, copies);
    // A draining sum passes the same two once more: area is counted above.
    pe.add("shift path", pass(lib_.mux2(kWord), lib_.and_mask(kWord)), n, Event::shift, copies);
  }
  if (program_.protection.register_copies() == 1) return;
  const double pes = n / copies;
  if (overlap()) {
    pe.add("vote swap", lib_.voter(1), pes, Event::feed, pes);
    if (folds()) pe.add("vote next", lib_.voter(kElement), pes, Event::lane_feed, rows_);
    if (!folds()) pe.add("vote drain", lib_.voter(kWord), pes, Event::shift);
  }
  const char* moves = is() ? "vote b" : "vote a";
  const char* other = is() ? "vote a" : "vote b";
  pe.add(moves, lib_.voter(kElement), pes, Event::row_feed, columns_);
  pe.add(other, lib_.voter(kElement), pes, Event::lane_feed, rows_);
  pe.add("vote acc", lib_.voter(kWord), pes, Event::mac);
  if (!folds() && !overlap()) {
    pe.add("vote shifted acc", pass(lib_.voter(kWord)), pes, Event::shift);
  }
}

// Copies of the array: what stands between them and those that read their sums. A mixture has it at
// the top and below the last row.
void Composer::array_copies() {
  const int arrays = program_.protection.arrays;
  if (arrays == 1) return;
  const Event sum = folds() ? Event::folded : Event::lane;
  const char* vote = folds() ? "vote aligned sums" : "vote the row at the top";
  if (arrays == 3) {
    Unit v(list_, member_, "array", "voter");
    v.add(vote, lib_.voter(kWord), columns_, sum);
    return;
  }
  Unit c(list_, member_, "resilience", "comparator");
  c.add(folds() ? "compare aligned sums" : "compare the row at the top", lib_.equality(kWord),
        columns_, sum);
  c.add("lane in use", lib_.and_mask(1), columns_, sum);
  c.add("any lane", lib_.and_mask(1), columns_, sum);
}

void Composer::sequencer() {
  Unit s(list_, member_, "control", "sequencer");
  // The next tap: k, channel, kernel position, dilated position, address.
  s.add("k and channel", lib_.adder(kCounter), 2, Event::feed, 2);
  s.add("last channel", lib_.comparator(kCounter), 1, Event::feed);
  s.add("tap address", lib_.adder(kWord), 1, Event::feed);
  s.add("tap address step", lib_.mux2(kWord), 2, Event::feed, 2);
  s.add("pool tap address", pass(lib_.adder(kWord), lib_.mux2(kWord)), 1, Event::pool_tap);
  s.add("kernel position", lib_.adder(8), 2, Event::pool_tap);
  s.add("kernel end", lib_.comparator(8), 2, Event::pool_tap);
  s.add("dilated position", lib_.adder(kCounter), 2, Event::pool_tap);
  // The walker over output pixels, and its start.
  s.add("walker", lib_.adder(kWord), 8, Event::setup_lane, 8);
  s.add("walker row and map end", lib_.comparator(kWord), 2, Event::setup_lane, 2);
  s.add("first address", lib_.adder(kWord), 1, Event::column_tile);
  // Phases: the cycle counter, tile positions, valid rows and lanes.
  s.add("cycle count", lib_.adder(kCounter), 1, Event::active_cycle);
  s.add("phase end", lib_.comparator(kCounter), 1, Event::active_cycle);
  s.add("output address", lib_.adder(kWord), 1, Event::vector);
  s.add("next tile", lib_.adder(kCounter), 2, Event::row_tile);
  s.add("last tile", lib_.comparator(kCounter), 2, Event::row_tile);
  s.add("valid rows and lanes", lib_.adder(kWord), 2, Event::row_tile);
  s.add("valid rows and lanes", lib_.comparator(kWord), 2, Event::row_tile);
  s.add("bubble length", lib_.adder(16), 2, Event::row_tile);
  s.add("row valid", lib_.comparator(ceil_log2(rows_) + 1), rows_, Event::row_tile, rows_);
  s.add("lane valid", lib_.comparator(ceil_log2(columns_) + 1), columns_, Event::column_tile,
        columns_);
  s.add("layer and column tile", lib_.adder(16), 2, Event::column_tile);
  s.add("next group", lib_.adder(kCounter), 1, Event::column_tile);
  s.add("next group", lib_.adder(kWord), 1, Event::column_tile);
  s.add("next group", lib_.comparator(kCounter), 1, Event::column_tile);
  s.add("transfers needed", lib_.comparator(16), 1, Event::column_tile);
  if (ws()) {
    s.add("weight row", lib_.adder(kCounter), 1, Event::lane_feed, 1.0 / columns_);
    s.add("weight row in layer", lib_.comparator(kCounter), 1, Event::lane_feed, 1.0 / columns_);
  }
  if (folds()) {
    s.add("next fold", lib_.adder(kCounter), 1, Event::fold);
    s.add("last fold", lib_.comparator(kCounter), 1, Event::fold);
    s.add(ws() ? "pixels of a part" : "channels of a tile", lib_.comparator(kCounter), 1,
          Event::fold);
  }
  if (overlap() && folds()) {
    s.add("ahead", lib_.adder(kCounter), 1, Event::feed);
    s.add("next fold loaded", lib_.comparator(kCounter), 2, Event::feed, 2);
    if (ws()) s.add("rows take the next fold", lib_.mux2(3 * kWord), rows_, Event::fold, rows_);
  } else if (overlap()) {
    s.add("drain wait and rows left", lib_.adder(16), 2, Event::vector, 2);
    s.add("rows left", lib_.adder(16), 1, Event::vector);
  }
  // Pooling: window position in or out of the map.
  s.add("pool position", lib_.adder(kWord), 2, Event::pool_tap, 2);
  s.add("pool in map", lib_.comparator(kWord), 2, Event::pool_tap, 2);
  s.add("pool pixel", lib_.adder(kCounter), 1, Event::pool_tap);
  s.add("pool end", lib_.comparator(kCounter), 1, Event::pool_tap);
  s.add("store end", lib_.comparator(kWord), 1, Event::store_beat);
  // A state bit is loaded from more than one place: one select in front of each.
  double bits = 0;
  for (const RegisterClass& r : registers_) {
    const bool state = r.path.starts_with("control.sequencer.") &&
                       !r.path.starts_with("control.sequencer.config.");
    if (state) bits += static_cast<double>(r.bits());
  }
  s.add("next state", lib_.mux2(1), bits, Event::active_cycle, bits / 8);
}

// Each array row, or (is) column, has the position and the address of its output pixel; (ws) of
// its tap.
void Composer::positions() {
  const ArrayShape& array = program_.array;
  const bool shared = array.mixed() && array.has(Dataflow::is);
  Unit r(list_, member_, "control", shared ? "position" : is() ? "column" : "row");
  const int n = array.activation_lanes(member_);
  r.add("im2col address", lib_.adder(kWord), n, activation());
  r.add("tap y and x", lib_.adder(kWord), 2.0 * n, activation(), 2);
  r.add("tap in map", lib_.comparator(kWord), 2.0 * n, activation(), 2);
  r.add("address in memory", lib_.comparator(kWord), n, activation());
  if (ws()) return;  // a fold's taps come one after the other
  // Output stationary a tile has as many vectors as rows.
  const Event step = is() ? Event::row_tile : Event::vector;
  const double each = is() ? n : 1;
  r.add("tile step", lib_.adder(kWord), 3.0 * n, step, 3 * each);
  r.add("row and map end", lib_.adder(kWord), 2.0 * n, step, 2 * each);
  r.add("row and map end", lib_.comparator(kWord), 2.0 * n, step, 2 * each);
  r.add("wrap", lib_.adder(kWord), 5.0 * n, step, 5 * each);
  r.add("wrap select", lib_.mux2(kWord), 5.0 * n, step, 5 * each);
  r.add("load from walker", lib_.mux2(kWord), 3.0 * n, step, 3 * each);
}

void Composer::memory() {
  Unit a(list_, member_, "memory", "activation");
  const int ports = program_.array.activation_lanes(member_);
  const int selects = program_.activation_maps - 1;  // in front of each port
  a.add("bank select", lib_.mux2(kElement), selects * ports, activation(), selects);
  a.add("padding", lib_.mux2(kElement), ports, activation());
  a.add("invalid row", lib_.and_mask(kElement), ports, activation());
  // Lanes that are pixels lie N elements apart.
  if (is()) a.add("lane address", lib_.adder(kWord), columns_, Event::output);
  a.add("wide port address", lib_.adder(kWord), 1, Event::pool_tap);
  a.add("wide port bank select", lib_.mux2(kElement), selects * columns_, Event::pool_tap,
        selects * columns_);
  if (program_.memory.activation_banks > 0) banks(a);
  Unit w(list_, member_, "memory", "weight");
  const int weights = program_.array.weight_lanes(member_);
  w.add("bank select", lib_.mux2(kElement), weights, Event::feed, weights);
  w.add("no feed", lib_.and_mask(kElement), weights, Event::feed, weights);
  const int parameter_bits = kWord * program_.parameters.lane_words;
  Unit p(list_, member_, "memory", "parameter");
  const Event parameters = is() ? Event::vector : Event::setup_lane;
  p.add("bank select", lib_.mux2(parameter_bits), 1, parameters);
  p.add("address", lib_.adder(16), 1, parameters);
  if (is()) p.add("channel in memory", lib_.comparator(kCounter), 1, parameters);
  if (folds()) {
    Unit sums(list_, member_, "memory", "partial");
    sums.add("add a fold", lib_.adder(kWord), columns_, Event::folded);
    sums.add("first fold", lib_.and_mask(kWord), columns_, Event::folded);
    sums.add("next row", lib_.adder(kCounter), 1, Event::folded, 1.0 / columns_);
    sums.add("row in memory", lib_.comparator(kCounter), 2, Event::folded, 2.0 / columns_);
    sums.add("result address", lib_.adder(kWord), 1, Event::vector);
  }
  if (program_.raw_output) {
    Unit raw(list_, member_, "memory", "accumulator");
    raw.add("address in memory", lib_.comparator(kWord), 1, Event::store_beat);
  }
  dma();
}

// Each reader compares its word with the one that its bank delivers and takes an element of any
// bank's word; each bank takes the word of any reader. The lanes of the wide port share what the
// array's rows have, as far as there are as many.
void Composer::banks(Unit& a) {
  const int positions = program_.array.activation_lanes();
  const int lanes = std::max(0, columns_ - positions);
  const int banks = program_.memory.activation_banks;
  const int elements = banks * program_.memory.activation_port_bytes - 1;
  a.add("crossbar", lib_.mux2(kElement), 1.0 * positions * elements, activation(), elements);
  a.use("crossbar, lanes", lib_.mux2(kElement), 1.0 * lanes * elements, Event::pool_tap,
        1.0 * columns_ * elements);
  a.add("word served", lib_.equality(kWord), positions, activation());
  a.use("word served, lanes", lib_.equality(kWord), lanes, Event::pool_tap, columns_);
  a.add("word of a bank", lib_.mux2(kWord), 1.0 * banks * (positions + lanes - 1), Event::word,
        positions + lanes - 1);
}

void Composer::dma() {
  Unit d(list_, member_, "memory", "dma");
  d.add("position", lib_.adder(kWord), 1, Event::beat);
  d.add("transfer end", lib_.adder(kWord), 1, Event::beat);
  d.add("transfer end", lib_.comparator(kWord), 1, Event::beat);
  const int slots = program_.memory.dma_queue;
  const int latency = program_.memory.dram_latency;
  d.add("latency", lib_.adder(16), slots, Event::column_tile, latency);
  d.add("latency end", lib_.comparator(16), slots, Event::column_tile, latency);
  // A slot takes a new request or what stands behind it.
  if (slots > 1) d.add("queue", lib_.mux2(33), slots - 1, Event::column_tile, slots - 1);
  d.add("transfers", lib_.adder(16), 2, Event::column_tile, 2);
  d.add("bank free", lib_.adder(16), 1, Event::column_tile);
  d.add("bank free", lib_.comparator(16), 1, Event::column_tile);
  d.add("place of a beat", lib_.adder(kWord), 2, Event::beat, 2);
  // Rows that are not whole beats have to be turned into place.
  const int beat = program_.memory.dram_bytes_per_cycle;
  const ParameterFormat& format = program_.parameters;
  const int stride = program_.weight_stride();
  const bool whole_header =
      program_.array.has(Dataflow::is)
          ? 4 * format.lane_words % beat == 0 && 4 * format.tile_words % beat == 0
          : format.header_bytes(columns_) % beat == 0;
  const bool whole_bounds = 4 * columns_ * format.neuron_words % beat == 0;
  const bool aligned = stride % beat == 0 && whole_header && whole_bounds;
  if (!aligned) {
    const int stages = ceil_log2(beat);
    d.add("beat rotator", lib_.mux2(kElement * beat), stages, Event::beat, stages);
  }
}

// A mixture: what each shared part takes its input from.
void Composer::sharing() {
  const ArrayShape& array = program_.array;
  const bool os_and_folds = array.has(Dataflow::os) && array.folds();
  const bool is_and_others = array.has(Dataflow::is);
  const int copies = program_.protection.mac_copies();
  const double n = static_cast<double>(rows_) * columns_ * copies;
  Unit pe(list_, member_, "array", "pe", program_.protection.arrays);
  if (os_and_folds) pe.add("own sum or sum above", lib_.mux2(kWord), n, Event::mac, copies);
  if (is_and_others) {
    pe.add("operand directions", lib_.mux2(kElement), 2 * n, Event::mac, 2 * copies);
  }
  Unit a(list_, member_, "memory", "activation");
  if (array.has(Dataflow::ws)) {
    a.add("tap or pixel is shared", lib_.mux2(kWord), 3, Event::feed, 3);
  }
  Unit v(list_, member_, "vector", "lane");
  if (os_and_folds) v.add("array or partial sums", lib_.mux2(kWord), columns_, Event::lane);
  Unit p(list_, member_, "memory", "parameter");
  if (is_and_others) {
    const int bits = kWord * program_.parameters.lane_words;
    p.add("channel waits", lib_.mux2(bits), 1, is() ? Event::vector : Event::setup_lane);
  }
  if (!program_.protection.checksum) return;
  Unit c(list_, member_, "resilience", "checksum");
  if (os_and_folds) c.add("own sum or sum above", lib_.mux2(kWord), rows_, Event::row_feed);
  if (is_and_others) {
    c.add("operand directions", lib_.mux2(kElement + width("resilience.checksum.pe[].b")), rows_,
          Event::row_feed);
  }
}

void Composer::vector_unit() {
  Unit v(list_, member_, "vector", "lane");
  const int product = width("vector.requantise.product[]");
  const int stages = width("vector.shift[]");
  v.add("bias", lib_.adder(kWord), columns_, Event::lane);
  const int mantissa = width("vector.scale[]");
  v.add("scale", lib_.multiplier(kWord, mantissa), columns_, Event::requantised);
  // A tap goes through the same multiplier and is added to what the product register holds.
  v.add("tap less zero point", lib_.adder(kElement + 1), columns_, Event::tap_lane);
  v.add("sum or tap", lib_.mux2(kWord + mantissa), columns_, Event::tap_lane);
  v.add("scale a tap", pass(lib_.multiplier(kWord, mantissa)), columns_, Event::tap_lane);
  v.add("add up taps", lib_.adder(product), columns_, Event::tap_lane);
  v.add("first tap", lib_.and_mask(product), columns_, Event::tap_lane);
  v.add("shift of lane or layer", lib_.mux2(stages), columns_, Event::rounded);
  v.add("shift", lib_.mux2(product), static_cast<double>(stages) * columns_, Event::rounded,
        stages);
  // What the shift drops is compared with one half: a mask and an OR tree beside the shifter.
  v.add("remainder", lib_.equality(product), columns_, Event::rounded);
  v.add("round and zero point", lib_.adder(product), columns_, Event::rounded);
  v.add("saturation", lib_.equality(product - kElement), columns_, Event::rounded);
  v.add("clamp", lib_.comparator(kElement), 2.0 * columns_, Event::rounded, 2);
  v.add("clamp select", lib_.mux2(kElement), 2.0 * columns_, Event::rounded, 2);
  v.add("pool maximum", lib_.comparator(kElement), columns_, Event::pool_lane);
  v.add("pool select", lib_.mux2(kElement), 3.0 * columns_, Event::pool_lane, 3);
  v.add("product or pool", lib_.mux2(kElement), columns_, Event::output);
}

std::vector<Component> components_of(const Program& program,
                                     const std::vector<RegisterClass>& registers,
                                     const Technology& technology) {
  std::vector<Component> all;
  const auto built = [&all](const Component& c) {
    double instances = 0;
    for (const Component& other : all) {
      const bool same = other.member != c.member && other.block == c.block &&
                        other.unit == c.unit && other.purpose == c.purpose &&
                        other.op.name == c.op.name;
      if (same) instances += other.instances;
    }
    return instances;
  };
  for (const Dataflow member : {Dataflow::os, Dataflow::ws, Dataflow::is}) {
    if (!program.array.has(member)) continue;
    for (Component& c : Composer(program, member, registers, technology).compose()) {
      // Area of what another member has not brought yet; energy for the layers of this one.
      if (program.array.mixed()) c.instances = std::max(0.0, c.instances - built(c));
      all.push_back(std::move(c));
    }
  }
  return all;
}

}  // namespace sagitta
