// What the resilience unit adds: checksum detector and checkers.
#include <bit>
#include <stdexcept>

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
  if (program_.protection.column_checksum) {
    c.add("difference", lib_.adder(kWord), 1, Event::vector);
  }
}

// Expected sums of a tile's columns, and the rows that wait for them.
void Composer::column_checksum() {
  const Protection& p = program_.protection;
  Unit c(list_, member_, "resilience", "columns");
  const int sum = kElement + std::bit_width(static_cast<unsigned>(rows_ - 1));
  c.add("valid rows", lib_.and_mask(kElement), rows_, Event::row_feed);
  c.add("sum of activations", lib_.adder(sum), rows_ - 1, Event::row_feed, (rows_ - 1.0) / rows_);
  c.add("product", lib_.multiplier(sum, kElement), columns_, Event::lane_feed);
  c.add("add products", lib_.adder(kWord), columns_, Event::lane_feed);
  c.add("start anew", lib_.and_mask(kWord), columns_, Event::lane_feed);
  c.add("bias less sum", lib_.adder(kWord), columns_, Event::lane);
  c.add("a row comes", lib_.and_mask(kWord), columns_, Event::lane);
  c.add("add rows", lib_.adder(kWord), columns_, Event::lane);
  c.add("valid lanes", lib_.and_mask(kWord), columns_, Event::lane);
  c.add("column is wrong", lib_.equality(kWord), columns_, Event::lane);
  c.add("row on its way out is wrong", lib_.equality(kWord), 1, Event::vector);
  c.add("next row", lib_.adder(width("resilience.columns.row")), 1, Event::vector);
  c.add("row in buffer", lib_.comparator(width("resilience.columns.row")), 1, Event::vector);
  c.add("judged, and rows left", lib_.comparator(kCounter), 2, Event::active_cycle, 2);
  c.add("row read", lib_.adder(kCounter), 1, Event::vector);
  if (p.judges_columns()) {
    c.add("none, one or more", lib_.and_mask(2), 2.0 * columns_, Event::vector, 2.0 * columns_);
    c.add("row is wrong", lib_.equality(kWord), 1, Event::vector);
    c.add("verdict", lib_.and_mask(1), 3, Event::row_tile, 3);
  }
  if (p.cells_from(0)) c.add("cell", lib_.and_mask(1), 2.0 * columns_, Event::lane, 2);
  if (!p.correct) return;
  c.add("total of columns", lib_.adder(kWord), columns_ - 1, Event::vector, columns_ - 1);
  c.add("total of rows", lib_.adder(kWord), 1, Event::vector);
  c.add("rows and columns agree", lib_.equality(kWord), 1, Event::row_tile);
  c.add("located", lib_.and_mask(1), 4, Event::row_tile, 4);
  c.add("row's or column's", lib_.mux2(kWord), columns_, Event::lane);
  c.add("if located", lib_.and_mask(kWord), columns_, Event::lane);
  c.add("correct", lib_.adder(kWord), columns_, Event::lane);
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

void Composer::checkers() {
  const Protection& p = program_.protection;
  for (std::size_t i = 0; i < p.checkers.size(); ++i) {
    Unit unit(list_, member_, "resilience", checker_name(p, i));
    // Those of outputs work on what pooling and adding write, too; a row of outputs counts as many
    // of its events as it has valid lanes, over all lanes.
    const bool sums = p.checkers[i].position == Position::sum;
    const double rows = sums ? 1 : 1.0 / columns_;
    for (const OperatorUse& use :
         checker_type(p.checkers[i].kind).operators(p.checkers[i], columns_)) {
      unit.add(use.purpose, operator_of(use), use.instances,
               !sums           ? Event::output
               : use.each_lane ? Event::lane
                               : Event::vector,
               use.each_lane ? use.evaluations : rows * use.evaluations);
    }
    if (p.checkers[i].gate == Gate::cell) {
      unit.add("gate of a cell", lib_.and_mask(1), columns_, Event::lane);
    }
  }
}

// Two XORs over the lanes in use: of what is computed, towards the check register, and of what the
// output registers hold.
void Composer::output_check() {
  Unit unit(list_, member_, "resilience", "output");
  unit.add("valid lanes", lib_.and_mask(kElement), 2.0 * columns_, Event::output, 2);
  unit.add("check of a row", lib_.xors(kElement), 2.0 * (columns_ - 1), Event::output,
           2.0 * (columns_ - 1) / columns_);
  unit.add("match", lib_.equality(kElement), 1, Event::output, 1.0 / columns_);
  unit.add("layer with a product", lib_.equality(2), 1, Event::output, 1.0 / columns_);
}

Operator Composer::operator_of(const OperatorUse& use) const {
  switch (use.kind) {
    case OperatorUse::Kind::adder:
      return lib_.adder(use.bits);
    case OperatorUse::Kind::comparator:
      return lib_.comparator(use.bits);
    case OperatorUse::Kind::equality:
      return lib_.equality(use.bits);
    case OperatorUse::Kind::mux2:
      return lib_.mux2(use.bits);
    case OperatorUse::Kind::and_mask:
      return lib_.and_mask(use.bits);
  }
  throw std::logic_error("the cost model has no such operator");
}

}  // namespace sagitta
