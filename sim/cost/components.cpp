#include "cost/components.h"

#include <bit>
#include <stdexcept>

namespace sagitta {
namespace {

constexpr int kWord = 32;     // sums, addresses
constexpr int kElement = 8;   // activations, weights
constexpr int kCounter = 24;  // the sequencer's counters

int ceil_log2(int n) {
  return static_cast<int>(std::bit_width(static_cast<unsigned>(n - 1)));
}

// Collects the components of one unit.
class Unit {
 public:
  Unit(std::vector<Component>& list, std::string block, std::string unit)
      : list_(&list), block_(std::move(block)), unit_(std::move(unit)) {}

  void add(const std::string& purpose, const Operator& op, double instances, Event event,
           double per_event = 1) {
    if (instances <= 0) return;
    list_->push_back({block_, unit_, purpose, op, instances, event, per_event});
  }

 private:
  std::vector<Component>* list_;
  std::string block_;
  std::string unit_;
};

class Composer {
 public:
  Composer(const Program& program, const std::vector<RegisterClass>& registers,
           const Technology& technology)
      : program_(program),
        registers_(registers),
        lib_(technology),
        rows_(program.array.rows),
        columns_(program.array.columns) {}

  std::vector<Component> compose() {
    pes();
    sequencer();
    rows();
    memory();
    vector_unit();
    const Protection& p = program_.protection;
    if (p.checksum) checksum();
    if (p.range.present) range();
    if (p.gradient.present) gradient();
    return std::move(list_);
  }

 private:
  bool stationary_weights() const { return program_.array.dataflow == Dataflow::ws; }

  // A width that a block declares is read from its declaration.
  int width(const std::string& path) const {
    for (const RegisterClass& r : registers_) {
      if (r.path == path) return r.width;
    }
    throw std::logic_error("the cost model finds no register " + path);
  }

  // acc <= acc + a * b, or the sum from below, or zero. Under TMR all three copies have all of
  // this, and one voter a register bit feeds them.
  void pes() {
    Unit pe(list_, "array", "pe");
    const int copies = program_.protection.tmr_pe ? 3 : 1;
    const double n = static_cast<double>(rows_) * columns_ * copies;
    pe.add("product", lib_.multiplier(kElement, kElement), n, Event::mac, copies);
    pe.add("accumulate", lib_.adder(kWord), n, Event::mac, copies);
    if (!stationary_weights()) {
      pe.add("accumulate or shift", lib_.mux2(kWord), n, Event::mac, copies);
      pe.add("clear", lib_.and_mask(kWord), n, Event::mac, copies);
      // A draining sum passes the same two once more: area is counted above.
      pe.add("shift path", pass(lib_.mux2(kWord), lib_.and_mask(kWord)), n, Event::shift, copies);
    }
    if (copies == 1) return;
    const double pes = n / copies;
    pe.add("vote a", lib_.voter(kElement), pes, Event::row_feed, columns_);
    pe.add("vote b", lib_.voter(kElement), pes, Event::lane_feed, rows_);
    pe.add("vote acc", lib_.voter(kWord), pes, Event::mac);
    if (!stationary_weights()) {
      pe.add("vote shifted acc", pass(lib_.voter(kWord)), pes, Event::shift);
    }
  }

  // Operators counted elsewhere, at work a second time: energy without area.
  static Operator pass(const Operator& a, const Operator& b = {}) {
    return {a.name + (b.name.empty() ? "" : " and " + b.name) + ", again", 0, a.pj + b.pj};
  }

  void sequencer() {
    Unit s(list_, "control", "sequencer");
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
    s.add("walker", lib_.adder(kWord), 6, Event::setup_lane, 6);
    s.add("walker row end", lib_.comparator(kWord), 1, Event::setup_lane);
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
    s.add("transfers needed", lib_.comparator(16), 1, Event::column_tile);
    if (stationary_weights()) {
      s.add("weight row", lib_.adder(kCounter), 1, Event::lane_feed, 1.0 / columns_);
      s.add("weight row in layer", lib_.comparator(kCounter), 1, Event::lane_feed, 1.0 / columns_);
      s.add("next fold", lib_.adder(kCounter), 1, Event::row_tile);
      s.add("last fold", lib_.comparator(kCounter), 1, Event::row_tile);
      s.add("pixels of a part", lib_.comparator(kCounter), 1, Event::row_tile);
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

  // Each array row has the position and the address of its output pixel.
  void rows() {
    Unit r(list_, "control", "row");
    r.add("im2col address", lib_.adder(kWord), rows_, Event::row_feed);
    r.add("tap y and x", lib_.adder(kWord), 2.0 * rows_, Event::row_feed, 2);
    r.add("tap in map", lib_.comparator(kWord), 2.0 * rows_, Event::row_feed, 2);
    r.add("address in memory", lib_.comparator(kWord), rows_, Event::row_feed);
    if (stationary_weights()) return;  // a fold's taps come one after the other
    r.add("tile step", lib_.adder(kWord), 3.0 * rows_, Event::vector, 3);
    r.add("row end", lib_.adder(kWord), rows_, Event::vector);
    r.add("row end", lib_.comparator(kWord), rows_, Event::vector);
    r.add("wrap", lib_.adder(kWord), 3.0 * rows_, Event::vector, 3);
    r.add("wrap select", lib_.mux2(kWord), 3.0 * rows_, Event::vector, 3);
    r.add("load from walker", lib_.mux2(kWord), 3.0 * rows_, Event::vector, 3);
  }

  void memory() {
    Unit a(list_, "memory", "activation");
    a.add("bank select", lib_.mux2(kElement), rows_, Event::row_feed);
    a.add("padding", lib_.mux2(kElement), rows_, Event::row_feed);
    a.add("invalid row", lib_.and_mask(kElement), rows_, Event::row_feed);
    a.add("wide port address", lib_.adder(kWord), 1, Event::pool_tap);
    a.add("wide port bank select", lib_.mux2(kElement), columns_, Event::pool_tap, columns_);
    Unit w(list_, "memory", "weight");
    w.add("bank select", lib_.mux2(kElement), columns_, Event::feed, columns_);
    w.add("no feed", lib_.and_mask(kElement), columns_, Event::feed, columns_);
    const int parameter_bits = kWord * program_.parameters.lane_words;
    Unit p(list_, "memory", "parameter");
    p.add("bank select", lib_.mux2(parameter_bits), 1, Event::setup_lane);
    p.add("address", lib_.adder(16), 1, Event::setup_lane);
    if (stationary_weights()) {
      Unit sums(list_, "memory", "partial");
      sums.add("add a fold", lib_.adder(kWord), columns_, Event::folded);
      sums.add("first fold", lib_.and_mask(kWord), columns_, Event::folded);
      sums.add("next row", lib_.adder(kCounter), 1, Event::folded, 1.0 / columns_);
      sums.add("row in memory", lib_.comparator(kCounter), 2, Event::folded, 2.0 / columns_);
      sums.add("result address", lib_.adder(kWord), 1, Event::vector);
    }
    if (program_.raw_output) {
      Unit raw(list_, "memory", "accumulator");
      raw.add("address in memory", lib_.comparator(kWord), 1, Event::store_beat);
    }
    dma();
  }

  void dma() {
    Unit d(list_, "memory", "dma");
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
    const int stride = columns_ + (program_.protection.checksum ? 2 : 0);
    const bool aligned =
        stride % beat == 0 && program_.parameters.header_bytes(columns_) % beat == 0;
    if (!aligned) {
      const int stages = ceil_log2(beat);
      d.add("beat rotator", lib_.mux2(kElement * beat), stages, Event::beat, stages);
    }
  }

  void vector_unit() {
    Unit v(list_, "vector", "lane");
    const int product = width("vector.requantise.product[]");
    const int stages = width("vector.shift[]");
    v.add("bias", lib_.adder(kWord), columns_, Event::lane);
    v.add("scale", lib_.multiplier(kWord, width("vector.scale[]")), columns_, Event::requantised);
    v.add("shift", lib_.mux2(product), static_cast<double>(stages) * columns_, Event::requantised,
          stages);
    // What the shift drops is compared with one half: a mask and an OR tree beside the shifter.
    v.add("remainder", lib_.equality(product), columns_, Event::requantised);
    v.add("round and zero point", lib_.adder(product), columns_, Event::requantised);
    v.add("saturation", lib_.equality(product - kElement), columns_, Event::requantised);
    v.add("clamp", lib_.comparator(kElement), 2.0 * columns_, Event::requantised, 2);
    v.add("clamp select", lib_.mux2(kElement), 2.0 * columns_, Event::requantised, 2);
    v.add("pool maximum", lib_.comparator(kElement), columns_, Event::pool_lane);
    v.add("pool select", lib_.mux2(kElement), 3.0 * columns_, Event::pool_lane, 3);
    v.add("product or pool", lib_.mux2(kElement), columns_, Event::output);
  }

  void checksum() {
    Unit c(list_, "resilience", "checksum");
    const int weight = width("resilience.checksum.weight.read");
    c.add("product", lib_.multiplier(kElement, weight), rows_, Event::row_feed);
    c.add("accumulate", lib_.adder(kWord), rows_, Event::row_feed);
    if (stationary_weights()) {
      c.add("add a fold", lib_.adder(kWord), 1, Event::feed);
      c.add("preload", lib_.mux2(kWord), 1, Event::feed);
    } else {
      c.add("accumulate, shift or preload", lib_.mux2(kWord), 2.0 * rows_, Event::row_feed, 2);
      c.add("shift path", pass(lib_.mux2(kWord), lib_.mux2(kWord)), rows_, Event::row_shift);
    }
    c.add("weight bank select", lib_.mux2(weight), 1, Event::feed);
    c.add("no feed", lib_.and_mask(weight), 1, Event::feed);
    c.add("valid lanes", lib_.and_mask(kWord), columns_, Event::lane);
    c.add("row sum", lib_.adder(kWord), columns_ - 1, Event::vector, columns_ - 1);
    c.add("match", lib_.equality(kWord), 1, Event::vector);
  }

  void range() {
    Unit r(list_, "resilience", "range");
    r.add("bounds", lib_.comparator(kWord), 2.0 * columns_, Event::lane, 2);
    r.add("out and gate", lib_.and_mask(1), 2.0 * columns_, Event::lane, 2);
    r.add("suppress", lib_.and_mask(kWord), columns_, Event::lane);
  }

  void gradient() {
    Unit g(list_, "resilience", "gradient");
    const int bits = width("resilience.gradient.difference.gradient[]");
    g.add("difference", lib_.adder(bits), columns_, Event::lane);
    g.add("bounds", lib_.comparator(bits), 2.0 * columns_, Event::lane, 2);
    g.add("blame and gate", lib_.and_mask(1), 3.0 * columns_, Event::lane, 3);
    g.add("suppress", lib_.and_mask(kWord), columns_, Event::lane);
    // Lane 0's neighbour is the tile's last valid lane, wherever that is; the last valid lane's
    // neighbour is lane 0.
    g.add("wrap to the last lane", lib_.mux2(kWord), columns_ - 1, Event::vector, columns_ - 1);
    g.add("wrap to lane 0", lib_.mux2(1), columns_, Event::lane);
  }

  const Program& program_;
  const std::vector<RegisterClass>& registers_;
  OperatorLibrary lib_;
  int rows_;
  int columns_;
  std::vector<Component> list_;
};

}  // namespace

std::vector<Component> components_of(const Program& program,
                                     const std::vector<RegisterClass>& registers,
                                     const Technology& technology) {
  return Composer(program, registers, technology).compose();
}

}  // namespace sagitta
