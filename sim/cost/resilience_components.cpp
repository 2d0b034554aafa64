// What the resilience unit adds: checksum detector and checkers.
#include "cost/composer.h"

namespace sagitta {

void Composer::checksum() {
  Unit c(list_, member_, "resilience", "checksum");
  const int weight = width(program_.array.only(Dataflow::is) ? "resilience.checksum.pe[].a"
                                                             : "resilience.checksum.pe[].b");
  c.add("product", lib_.multiplier(kElement, weight), rows_, Event::row_feed);
  c.add("accumulate", lib_.adder(kWord), rows_, Event::row_feed);
  if (overlap() && folds()) {
    c.add("keep or swap", lib_.mux2(weight), rows_, Event::lane_feed,
          static_cast<double>(rows_) / columns_);
  }
  if (overlap() && !folds()) {
    c.add("hand over or shift", lib_.mux2(kWord), rows_, Event::row_shift);
  }
  if (folds()) {
    c.add("add a fold", lib_.adder(kWord), 1, Event::feed);
    c.add(is() ? "first fold" : "preload", is() ? lib_.and_mask(kWord) : lib_.mux2(kWord), 1,
          Event::feed);
  } else {
    c.add("accumulate, shift or preload", lib_.mux2(kWord), 2.0 * rows_, Event::row_feed, 2);
    c.add("shift path", pass(lib_.mux2(kWord), lib_.mux2(kWord)), rows_, Event::row_shift);
  }
  if (is()) {
    c.add("valid pixels", lib_.and_mask(kElement), columns_, Event::lane_feed);
    c.add("sum of inputs", lib_.adder(weight), columns_ - 1, Event::lane_feed,
          (columns_ - 1.0) / columns_);
    c.add("add the biases", lib_.adder(kWord), 1, Event::vector);
    c.add("whole or last tile", lib_.mux2(kWord), 1, Event::vector);
  } else {
    c.add("weight bank select", lib_.mux2(weight), 1, Event::feed);
    c.add("no feed", lib_.and_mask(weight), 1, Event::feed);
  }
  c.add("valid lanes", lib_.and_mask(kWord), columns_, Event::lane);
  c.add("row sum", lib_.adder(kWord), columns_ - 1, Event::vector, columns_ - 1);
  c.add("match", lib_.equality(kWord), 1, Event::vector);
}

// Judging a tile, and where a run of it begins: a select in front of each address, which is counted
// with the sequencer's state where it lies there.
void Composer::recompute() {
  Unit r(list_, member_, "resilience", "recompute");
  if (program_.protection.retries > 0) {
    const int bits = width("resilience.recompute.attempt");
    r.add("tries", lib_.adder(bits), 1, Event::row_tile);
    r.add("tries left", lib_.comparator(bits), 1, Event::row_tile);
    r.add("failed", lib_.and_mask(1), 3, Event::active_cycle, 3);
  }
  if (program_.protection.passes > 1) {
    r.add("passes", lib_.adder(2), 1, Event::row_tile);
    r.add("last pass", lib_.and_mask(1), 2, Event::active_cycle, 2);
  }
  if (member_ == Dataflow::os) {
    r.add("judged", lib_.comparator(kCounter), 1, Event::active_cycle);
  }
  if (ws()) r.add("part's address", lib_.mux2(kWord), 2, Event::row_tile, 2);
}

// Redundancy in time: a voter a lane, and the row that comes next.
void Composer::vote() {
  Unit v(list_, member_, "memory", "vote");
  v.add("vote", lib_.voter(kWord), columns_, Event::lane);
  v.add("next row", lib_.adder(kCounter), 1, Event::leaving);
  v.add("row in memory", lib_.comparator(kCounter), 2, Event::leaving, 2);
}

void Composer::range(const Checker& checker, const std::string& name) {
  Unit r(list_, member_, "resilience", name);
  r.add("bounds", lib_.comparator(kWord), 2.0 * columns_, Event::lane, 2);
  r.add("out and gate", lib_.and_mask(1), 2.0 * columns_, Event::lane, 2);
  if (checker.suppress == Suppress::clamp) {
    r.add("clamp", lib_.mux2(kWord), 2.0 * columns_, Event::lane, 2);
  } else {
    r.add("suppress", lib_.and_mask(kWord), columns_, Event::lane);
  }
}

void Composer::gradient(const Checker& checker, const std::string& name) {
  Unit g(list_, member_, "resilience", name);
  const int bits = width("resilience." + name + ".difference.gradient[]");
  const int sides = width("resilience." + name + ".compare.out[]");
  g.add("difference", lib_.adder(bits), columns_, Event::lane);
  g.add("bounds", lib_.comparator(bits), 2.0 * columns_, Event::lane, 2);
  g.add("blame and gate", lib_.and_mask(1), 3.0 * columns_, Event::lane, 3);
  if (checker.spike) g.add("opposite signs", lib_.and_mask(1), 2.0 * columns_, Event::lane, 2);
  const bool ring = checker.axis == Axis::lanes;
  if (ring) {
    // Lane 0's neighbour is the tile's last valid lane, wherever that is; the last valid lane's
    // neighbour is lane 0.
    g.add("wrap to the last lane", lib_.mux2(kWord), columns_ - 1, Event::vector, columns_ - 1);
    g.add("wrap to lane 0", lib_.mux2(sides), columns_, Event::lane);
  } else {
    g.add("position in the line", lib_.adder(kCounter), 1, Event::vector);
    g.add("end of the line", lib_.comparator(kCounter), 1, Event::vector);
    g.add("first of a line", lib_.and_mask(sides), columns_, Event::lane);
  }
  if (checker.suppress == Suppress::zero) {
    g.add("suppress", lib_.and_mask(kWord), columns_, Event::lane);
    return;
  }
  // The neighbours once more, two stages later.
  if (ring) {
    g.add("neighbour before lane 0", lib_.mux2(kWord), columns_ - 1, Event::vector, columns_ - 1);
  }
  g.add("suppress", lib_.mux2(kWord), columns_, Event::lane);
  if (checker.suppress == Suppress::mean) {
    if (ring) g.add("neighbour after the last lane", lib_.mux2(kWord), columns_, Event::lane);
    g.add("mean", lib_.adder(kWord + 1), columns_, Event::lane);
  } else if (checker.suppress == Suppress::clamp) {
    g.add("bound passed", lib_.mux2(kWord), columns_, Event::lane);
    g.add("neighbour and bound", lib_.adder(kWord + 1), columns_, Event::lane);
    g.add("saturate", lib_.mux2(kWord), columns_, Event::lane);
  }
}

void Composer::median(const std::string& name) {
  Unit m(list_, member_, "resilience", name);
  m.add("wrap to the last lane", lib_.mux2(kWord), columns_ - 1, Event::vector, columns_ - 1);
  m.add("wrap to lane 0", lib_.mux2(kWord), columns_, Event::lane);
  m.add("order", lib_.comparator(kWord), 3.0 * columns_, Event::lane, 3);
  m.add("least, most and median", lib_.mux2(kWord), 4.0 * columns_, Event::lane, 4);
  m.add("gate", lib_.mux2(kWord), columns_, Event::lane);
}

}  // namespace sagitta
