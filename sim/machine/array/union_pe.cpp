#include "machine/array/union_pe.h"

#include "machine/control/sequencer.h"

namespace sagitta {

UnionPe::UnionPe(const sc_core::sc_module_name& name, bool overlap)
    : sc_module(name), overlap_(overlap) {
  SC_METHOD(on_clock);
  sensitive << clock.pos();
  dont_initialize();
}

// Outputs stationary: a and b move on, `next` rests.
void UnionPe::step_outputs() {
  if (!overlap_) {
    now_.acc = next_sum(static_cast<ArrayMode>(mode.read()), now_, below);
  } else {
    if (swap.read()) {
      second_.acc = now_.acc;
      now_.acc = 0;
    } else if (shift.read()) {
      second_.acc = second_below.read().acc;
    }
    now_.acc = add_product(now_.acc, now_);
  }
  now_.a = left_a.read().a;
  now_.b = above.read().b;
}

// An operand is stationary: the sum above goes on through here, `drain` rests.
void UnionPe::step_stationary() {
  const bool ws = static_cast<Dataflow>(dataflow.read()) == Dataflow::ws;
  now_.acc = add_product(above.read().acc, now_);
  std::int8_t& stays = ws ? now_.b : now_.a;
  (ws ? now_.a : now_.b) = ws ? left_a.read().a : left_b.read().b;
  if (!overlap_) {
    if (load.read()) stays = ws ? above.read().b : below.read().a;
    return;
  }
  if (swap.read()) stays = second_.a;
  if (load.read()) {
    second_.a = second_.b = ws ? second_above.read().b : second_below.read().a;
  }
}

void UnionPe::on_clock() {
  static_cast<Dataflow>(dataflow.read()) == Dataflow::os ? step_outputs() : step_stationary();
  registers.write(now_);
  second.write(second_);
}

}  // namespace sagitta
