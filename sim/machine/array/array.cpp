#include "machine/array/array.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "machine/array/kernels.h"

namespace sagitta {
namespace {

// Places one register of every PE: planes of rows x columns, one plane a copy.
template <typename T>
Pipe<T> declare_pe_register(RegisterLayout& layout, const std::string& block,
                            const ArrayShape& shape, int copies, const char* name, int width) {
  const auto pes = static_cast<std::size_t>(shape.rows) * shape.columns;
  const auto handle = layout.place_pipe<T>(pes * static_cast<std::size_t>(copies));
  RegisterClass c;
  c.path = block + ".pe[][]." + name;
  c.extents = {shape.rows, shape.columns};
  c.strides = {shape.columns, 1};
  if (copies > 1) {
    c.path += ".copy[]";
    c.extents.push_back(copies);
    c.strides.push_back(static_cast<std::int64_t>(pes));
  }
  c.width = width;
  c.is_signed = std::is_signed_v<T>;
  c.offset = handle.offset;
  c.element_bytes = sizeof(T);
  layout.declare(std::move(c));
  return handle;
}

// Load enables of columns 1 and up, under their columns' numbers.
Pipe<std::uint8_t> declare_loads(RegisterLayout& layout, const std::string& block, int columns) {
  const auto handle = layout.place_pipe<std::uint8_t>(static_cast<std::size_t>(columns) - 1);
  for (int column = 1; column < columns; ++column) {
    RegisterClass c;
    c.path = fmt::format("{}.load[{}]", block, column);
    c.offset = handle.offset + static_cast<std::size_t>(column) - 1;
    layout.declare(std::move(c));
  }
  return handle;
}

// Votes over the first n of three planes that lie `plane` elements apart.
template <typename T>
void majority(const T* copies, std::size_t plane, std::size_t n, T* out) {
  const T* x = copies;
  const T* y = copies + plane;
  const T* z = copies + 2 * plane;
  for (std::size_t i = 0; i < n; ++i) {
    out[i] = static_cast<T>((x[i] & y[i]) | (y[i] & z[i]) | (x[i] & z[i]));
  }
}

bool all_zero(const std::int8_t* values, int n) {
  return std::all_of(values, values + n, [](std::int8_t v) { return v == 0; });
}

}  // namespace

Array::Array(RegisterLayout& layout, const ArrayShape& shape, int copies, const std::string& block)
    : rows_(shape.rows),
      columns_(shape.columns),
      copies_(copies),
      activation_lanes_(shape.activation_lanes()),
      weight_lanes_(shape.weight_lanes()),
      skew_a_(layout, block + ".skew_a", shape.activation_lanes(), 8),
      skew_b_(layout, block + ".skew_b", shape.weight_lanes(), 8),
      a_(declare_pe_register<std::int8_t>(layout, block, shape, copies, "a", 8)),
      b_(declare_pe_register<std::int8_t>(layout, block, shape, copies, "b", 8)),
      acc_(declare_pe_register<std::int32_t>(layout, block, shape, copies, "acc", 32)),
      overlap_(shape.overlap),
      dataflow_(shape.first()),
      leaving_(static_cast<std::size_t>(columns_)) {
  if (overlap_) {
    skew_swap_.emplace(layout, block + ".skew_swap", rows_, 1);
    swap_ = declare_pe_register<std::uint8_t>(layout, block, shape, copies, "swap", 1);
    if (shape.has(Dataflow::os)) {
      drain_ = declare_pe_register<std::int32_t>(layout, block, shape, copies, "drain", 32);
      kept_.resize(pes());
    }
    if (shape.folds()) {
      next_ = declare_pe_register<std::int8_t>(layout, block, shape, copies, "next", 8);
    }
  }
  if (shape.folds()) {
    load_ = declare_loads(layout, block, columns_);
    deskew_.emplace(layout, block + ".deskew", columns_, 32, true);
    aligned_.resize(static_cast<std::size_t>(columns_));
    zeros_.resize(static_cast<std::size_t>(columns_));
    entering_.resize(static_cast<std::size_t>(columns_));
  }
  if (copies_ > 1) {
    voted_a_.resize(pes());
    voted_b_.resize(pes());
    voted_acc_.resize(pes());
    voted_swap_.resize(swap_.count / 3);
    voted_drain_.resize(drain_.count / 3);
    voted_next_.resize(next_.count / 3);
    bottom_.resize(static_cast<std::size_t>(columns_));
  }
}

// Once only zeros have entered for longer than any value stays in the array, no register changes,
// and both halves of the state are equal: the step may be left out.
bool Array::quiet(const std::int8_t* activations, const std::int8_t* weights,
                  const ArrayControl& control) {
  if (control.mode != ArrayMode::accumulate || control.load || control.swap || control.shift ||
      control.dataflow != dataflow_ || !all_zero(activations, activation_lanes_) ||
      !all_zero(weights, weight_lanes_)) {
    quiet_cycles_ = 0;
    return false;
  }
  // Skewed in, across, down and aligned again.
  const int longest_stay = 2 * (rows_ + columns_) + 2;
  if (quiet_cycles_ > longest_stay) return true;
  ++quiet_cycles_;
  return false;
}

void Array::vote(const std::byte* now) {
  majority(a_.now(now), pes(), pes(), voted_a_.data());
  majority(b_.now(now), pes(), pes(), voted_b_.data());
  majority(acc_.now(now), pes(), pes(), voted_acc_.data());
  if (swap_.count > 0) majority(swap_.now(now), pes(), pes(), voted_swap_.data());
  if (drain_.count > 0) majority(drain_.now(now), pes(), pes(), voted_drain_.data());
  if (next_.count > 0) majority(next_.now(now), pes(), pes(), voted_next_.data());
}

// The last row's sums, voted always: this cycle's step() may already have run and cleared
// copies_may_differ_.
const std::int32_t* Array::bottom(const std::byte* now) {
  const std::size_t at = pes() - static_cast<std::size_t>(columns_);
  if (copies_ == 1) return acc_.now(now) + at;
  majority(acc_.now(now) + at, pes(), static_cast<std::size_t>(columns_), bottom_.data());
  return bottom_.data();
}

const std::int32_t* Array::aligned(const std::byte* now) {
  deskew_->output(now, bottom(now), aligned_.data());
  return aligned_.data();
}

const std::int32_t* Array::top(const std::byte* now) {
  const std::int32_t* top = (overlap_ ? drain_ : acc_).now(now);
  if (copies_ == 1) return top;
  majority(top, pes(), static_cast<std::size_t>(columns_), leaving_.data());
  return leaving_.data();
}

Array::Pes Array::pes_now(const Cycle& cycle) {
  if (copies_ > 1 && copies_may_differ_) {
    vote(cycle.now);
    return {voted_a_.data(),    voted_b_.data(),     voted_acc_.data(),
            voted_swap_.data(), voted_drain_.data(), voted_next_.data()};
  }
  return {a_.now(cycle),    b_.now(cycle),     acc_.now(cycle),
          swap_.now(cycle), drain_.now(cycle), next_.now(cycle)};
}

void Array::step_outputs(const Cycle& cycle, const Pes& now, const std::int8_t* weights,
                         ArrayMode mode) {
  const std::size_t n = pes();
  const auto columns = static_cast<std::size_t>(columns_);
  std::int8_t* next_b = b_.next(cycle);
  std::memcpy(next_b + columns, now.b, n - columns);
  skew_b_.output(cycle.now, weights, next_b, 1, columns_);

  std::int32_t* next_acc = acc_.next(cycle);
  switch (mode) {
    case ArrayMode::accumulate:
      multiply_accumulate(now.a, now.b, now.acc, next_acc, n);
      break;
    case ArrayMode::shift:
      std::memcpy(next_acc, now.acc + columns, (n - columns) * sizeof(std::int32_t));
      std::memset(next_acc + (n - columns), 0, columns * sizeof(std::int32_t));
      break;
    case ArrayMode::shift_clear:
    case ArrayMode::clear:
      std::memset(next_acc, 0, n * sizeof(std::int32_t));
      break;
  }
}

// Where the swap bit stands a sum is handed over and acc starts from this cycle's product; all
// other drain registers take the one below, zero in the last row, while rows leave.
void Array::step_drain(const Cycle& cycle, const Pes& now, bool shift) {
  const std::size_t n = pes();
  const auto columns = static_cast<std::size_t>(columns_);
  std::int32_t* next_drain = drain_.next(cycle);
  if (shift) {
    std::memcpy(next_drain, now.drain + columns, (n - columns) * sizeof(std::int32_t));
    std::memset(next_drain + (n - columns), 0, columns * sizeof(std::int32_t));
  } else {
    std::memcpy(next_drain, now.drain, n * sizeof(std::int32_t));
  }
  if (std::memchr(now.swap, 1, n) == nullptr) return;
  std::memcpy(kept_.data(), now.acc, n * sizeof(std::int32_t));
  for (std::size_t i = 0; i < n; ++i) {
    if (now.swap[i] == 0) continue;
    next_drain[i] = now.acc[i];
    kept_[i] = 0;
  }
  multiply_accumulate(now.a, now.b, kept_.data(), acc_.next(cycle), n);
}

// Where `load` and `loads` (of columns 1 and up) say so, a column's stationary operands move by one
// PE: weights down from the top, activations up from the bottom.
void Array::load_stationary(const std::int8_t* stays, std::int8_t* next,
                            const std::int8_t* entering, const std::uint8_t* loads,
                            bool load) const {
  const bool up = !a_moves_right();
  for (int r = 0; r < rows_; ++r) {
    const std::size_t row = static_cast<std::size_t>(r) * columns_;
    const bool edge = r == (up ? rows_ - 1 : 0);
    const std::int8_t* from = edge ? entering
                              : up ? stays + row + columns_
                                   : stays + row - columns_;
    if (load) next[row] = from[0];
    for (int c = 1; c < columns_; ++c) {
      if (loads[c - 1] != 0) next[row + static_cast<std::size_t>(c)] = from[c];
    }
  }
}

void Array::step_stationary(const Cycle& cycle, const Pes& now, const std::int8_t* entering,
                            bool load) const {
  const std::size_t n = pes();
  const auto columns = static_cast<std::size_t>(columns_);
  const std::int8_t* moves = a_moves_right() ? now.a : now.b;
  const std::int8_t* stays = a_moves_right() ? now.b : now.a;
  std::int8_t* next_stays = (a_moves_right() ? b_ : a_).next(cycle);
  std::memcpy(next_stays, stays, n);
  // What loads: the stationary operand itself, or the one that is to follow it.
  const std::int8_t* loading = stays;
  std::int8_t* next_loading = next_stays;
  if (overlap_) {
    for (std::size_t i = 0; i < n; ++i) {
      if (now.swap[i] != 0) next_stays[i] = now.next[i];
    }
    loading = now.next;
    next_loading = next_.next(cycle);
    std::memcpy(next_loading, loading, n);
  }
  const std::uint8_t* loads = load_.now(cycle);
  if (load || std::any_of(loads, loads + columns - 1, [](std::uint8_t l) { return l != 0; })) {
    load_stationary(loading, next_loading, entering, loads, load);
  }
  step_loads(cycle, load);
  std::int32_t* next_acc = acc_.next(cycle);
  multiply_accumulate(moves, stays, zeros_.data(), next_acc, columns);
  multiply_accumulate(moves + columns, stays + columns, now.acc, next_acc + columns, n - columns);
  deskew_->step(cycle, now.acc + (n - columns));
}

void Array::step_loads(const Cycle& cycle, bool load) const {
  if (columns_ == 1) return;
  std::uint8_t* next = load_.next(cycle);
  next[0] = load ? 1 : 0;
  std::memcpy(next + 1, load_.now(cycle), load_.count - 1);
}

// A mixture: the second register that the layer's dataflow does not use.
void Array::hold_second(const Cycle& cycle, const Pes& now) const {
  if (dataflow_ == Dataflow::os && next_.count > 0) {
    std::memcpy(next_.next(cycle), now.next, pes());
  } else if (dataflow_ != Dataflow::os && drain_.count > 0) {
    std::memcpy(drain_.next(cycle), now.drain, pes() * sizeof(std::int32_t));
  }
}

// The first copy's next state to the others.
void Array::copy_registers(const Cycle& cycle) const {
  const auto copy = [&](const auto& registers) {
    const std::size_t n = registers.count / static_cast<std::size_t>(copies_);
    auto* next = registers.next(cycle);
    for (int i = 1; i < copies_; ++i) {
      std::memcpy(next + n * static_cast<std::size_t>(i), next, n * sizeof *next);
    }
  };
  copy(a_);
  copy(b_);
  copy(acc_);
  copy(swap_);
  copy(drain_);
  copy(next_);
}

void Array::step(const Cycle& cycle, const std::int8_t* activations, const std::int8_t* weights,
                 const ArrayControl& control) {
  if (quiet(activations, weights, control)) return;
  dataflow_ = control.dataflow;
  const std::size_t n = pes();
  const auto columns = static_cast<std::size_t>(columns_);
  const Pes now = pes_now(cycle);

  const bool a_moves = a_moves_right();
  std::int8_t* next_moves = (a_moves ? a_ : b_).next(cycle);
  std::memcpy(next_moves + 1, a_moves ? now.a : now.b, n - 1);
  (a_moves ? skew_a_ : skew_b_)
      .output(cycle.now, a_moves ? activations : weights, next_moves, columns, rows_);
  if (overlap_) {
    swap_in_.assign(static_cast<std::size_t>(rows_), control.swap ? 1 : 0);
    std::memcpy(swap_.next(cycle) + 1, now.swap, n - 1);
    skew_swap_->output(cycle.now, swap_in_.data(), swap_.next(cycle), columns);
    skew_swap_->step(cycle, swap_in_.data());
  }
  if (dataflow_ == Dataflow::os) {
    step_outputs(cycle, now, weights, overlap_ ? ArrayMode::accumulate : control.mode);
    if (overlap_) step_drain(cycle, now, control.shift);
    if (deskew_) {  // a mixture: what other layers use goes on
      step_loads(cycle, control.load);
      deskew_->step(cycle, now.acc + (n - columns));
    }
  } else {
    (a_moves ? skew_b_ : skew_a_)
        .output(cycle.now, a_moves ? weights : activations, entering_.data(), 1, columns_);
    step_stationary(cycle, now, entering_.data(), control.load);
  }
  hold_second(cycle, now);
  if (copies_ > 1) copy_registers(cycle);
  copies_may_differ_ = false;

  skew_a_.step(cycle, activations);
  skew_b_.step(cycle, weights);
}

}  // namespace sagitta
