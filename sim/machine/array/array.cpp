#include "machine/array/array.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "machine/array/kernels.h"

namespace sagitta {
namespace {

// Places one register of every PE: planes of rows x columns, one plane a copy.
template <typename T>
Pipe<T> declare_pe_register(RegisterLayout& layout, const ArrayShape& shape, int copies,
                            const char* name, int width) {
  const auto pes = static_cast<std::size_t>(shape.rows) * shape.columns;
  const auto handle = layout.place_pipe<T>(pes * static_cast<std::size_t>(copies));
  RegisterClass c;
  c.path = std::string("array.pe[][].") + name;
  c.extents = {shape.rows, shape.columns};
  c.strides = {shape.columns, 1};
  if (copies > 1) {
    c.path += ".copy[]";
    c.extents.push_back(copies);
    c.strides.push_back(static_cast<std::int64_t>(pes));
  }
  c.width = width;
  c.is_signed = true;
  c.offset = handle.offset;
  c.element_bytes = sizeof(T);
  layout.declare(std::move(c));
  return handle;
}

// Load enables of columns 1 and up, under their columns' numbers.
Pipe<std::uint8_t> declare_loads(RegisterLayout& layout, int columns) {
  const auto handle = layout.place_pipe<std::uint8_t>(static_cast<std::size_t>(columns) - 1);
  for (int column = 1; column < columns; ++column) {
    RegisterClass c;
    c.path = fmt::format("array.load[{}]", column);
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

Array::Array(RegisterLayout& layout, const ArrayShape& shape, int copies)
    : rows_(shape.rows),
      columns_(shape.columns),
      copies_(copies),
      dataflow_(shape.dataflow),
      skew_a_(layout, "array.skew_a", shape.activation_lanes(), 8),
      skew_b_(layout, "array.skew_b", shape.weight_lanes(), 8),
      a_(declare_pe_register<std::int8_t>(layout, shape, copies, "a", 8)),
      b_(declare_pe_register<std::int8_t>(layout, shape, copies, "b", 8)),
      acc_(declare_pe_register<std::int32_t>(layout, shape, copies, "acc", 32)),
      leaving_(static_cast<std::size_t>(columns_)) {
  if (dataflow_ != Dataflow::os) {
    load_ = declare_loads(layout, columns_);
    deskew_.emplace(layout, "array.deskew", columns_, 32, true);
    zeros_.resize(static_cast<std::size_t>(columns_));
    entering_.resize(static_cast<std::size_t>(columns_));
  }
  if (copies_ > 1) {
    voted_a_.resize(pes());
    voted_b_.resize(pes());
    voted_acc_.resize(pes());
    bottom_.resize(static_cast<std::size_t>(columns_));
  }
}

// Once only zeros have entered for longer than any value stays in the array, no register changes,
// and both halves of the state are equal: the step may be left out.
bool Array::quiet(const std::int8_t* activations, const std::int8_t* weights, ArrayMode mode,
                  bool load) {
  if (mode != ArrayMode::accumulate || load ||
      !all_zero(activations, a_moves_right() ? rows_ : columns_) ||
      !all_zero(weights, a_moves_right() ? columns_ : rows_)) {
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
}

// The last row's sums, voted always: this cycle's step() may already have run and cleared
// copies_may_differ_.
const std::int32_t* Array::bottom(const std::byte* now) {
  const std::size_t at = pes() - static_cast<std::size_t>(columns_);
  if (copies_ == 1) return acc_.now(now) + at;
  majority(acc_.now(now) + at, pes(), static_cast<std::size_t>(columns_), bottom_.data());
  return bottom_.data();
}

const std::int32_t* Array::sums(const std::byte* now) {
  if (dataflow_ != Dataflow::os) {
    deskew_->output(now, bottom(now), leaving_.data());
  } else if (copies_ == 1) {
    return acc_.now(now);
  } else {
    majority(acc_.now(now), pes(), static_cast<std::size_t>(columns_), leaving_.data());
  }
  return leaving_.data();
}

void Array::step_outputs(const Cycle& cycle, const std::int8_t* b, const std::int32_t* acc,
                         const std::int8_t* a, const std::int8_t* weights, ArrayMode mode) const {
  const std::size_t n = pes();
  const auto columns = static_cast<std::size_t>(columns_);
  std::int8_t* next_b = b_.next(cycle);
  std::memcpy(next_b + columns, b, n - columns);
  skew_b_.output(cycle.now, weights, next_b);

  std::int32_t* next_acc = acc_.next(cycle);
  switch (mode) {
    case ArrayMode::accumulate:
      multiply_accumulate(a, b, acc, next_acc, n);
      break;
    case ArrayMode::shift:
      std::memcpy(next_acc, acc + columns, (n - columns) * sizeof(std::int32_t));
      std::memset(next_acc + (n - columns), 0, columns * sizeof(std::int32_t));
      break;
    case ArrayMode::shift_clear:
    case ArrayMode::clear:
      std::memset(next_acc, 0, n * sizeof(std::int32_t));
      break;
  }
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

void Array::step_stationary(const Cycle& cycle, const std::int8_t* stays, const std::int32_t* acc,
                            const std::int8_t* moves, const std::int8_t* entering,
                            bool load) const {
  const std::size_t n = pes();
  const auto columns = static_cast<std::size_t>(columns_);
  std::int8_t* next = (a_moves_right() ? b_ : a_).next(cycle);
  std::memcpy(next, stays, n);
  const std::uint8_t* loads = load_.now(cycle);
  if (load || std::any_of(loads, loads + columns - 1, [](std::uint8_t l) { return l != 0; })) {
    load_stationary(stays, next, entering, loads, load);
  }
  if (columns > 1) {
    std::uint8_t* next_load = load_.next(cycle);
    next_load[0] = load ? 1 : 0;
    std::memcpy(next_load + 1, loads, columns - 2);
  }
  std::int32_t* next_acc = acc_.next(cycle);
  multiply_accumulate(moves, stays, zeros_.data(), next_acc, columns);
  multiply_accumulate(moves + columns, stays + columns, acc, next_acc + columns, n - columns);
  deskew_->step(cycle, acc + (n - columns));
}

void Array::step(const Cycle& cycle, const std::int8_t* activations, const std::int8_t* weights,
                 ArrayMode mode, bool load) {
  if (quiet(activations, weights, mode, load)) return;
  const std::size_t n = pes();
  const auto columns = static_cast<std::size_t>(columns_);
  const std::int8_t* a = a_.now(cycle);
  const std::int8_t* b = b_.now(cycle);
  const std::int32_t* acc = acc_.now(cycle);
  if (copies_ > 1 && copies_may_differ_) {
    vote(cycle.now);
    a = voted_a_.data();
    b = voted_b_.data();
    acc = voted_acc_.data();
  }

  const bool a_moves = a_moves_right();
  const std::int8_t* moves = a_moves ? a : b;
  std::int8_t* next_moves = (a_moves ? a_ : b_).next(cycle);
  std::memcpy(next_moves + 1, moves, n - 1);
  (a_moves ? skew_a_ : skew_b_)
      .output(cycle.now, a_moves ? activations : weights, next_moves, columns);
  if (dataflow_ == Dataflow::os) {
    step_outputs(cycle, b, acc, a, weights, mode);
  } else {
    (a_moves ? skew_b_ : skew_a_)
        .output(cycle.now, a_moves ? weights : activations, entering_.data());
    step_stationary(cycle, a_moves ? b : a, acc, moves, entering_.data(), load);
  }
  for (int copy = 1; copy < copies_; ++copy) {
    const auto at = n * static_cast<std::size_t>(copy);
    std::memcpy(a_.next(cycle) + at, a_.next(cycle), n);
    std::memcpy(b_.next(cycle) + at, b_.next(cycle), n);
    std::memcpy(acc_.next(cycle) + at, acc_.next(cycle), n * sizeof(std::int32_t));
  }
  copies_may_differ_ = false;

  skew_a_.step(cycle, activations);
  skew_b_.step(cycle, weights);
}

}  // namespace sagitta
