#include "machine/array/array.h"

#include <algorithm>
#include <cstring>
#include <string>

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
      skew_a_(layout, "array.skew_a", shape.rows, 8),
      skew_b_(layout, "array.skew_b", shape.columns, 8),
      a_(declare_pe_register<std::int8_t>(layout, shape, copies, "a", 8)),
      b_(declare_pe_register<std::int8_t>(layout, shape, copies, "b", 8)),
      acc_(declare_pe_register<std::int32_t>(layout, shape, copies, "acc", 32)) {
  if (copies_ > 1) {
    voted_a_.resize(pes());
    voted_b_.resize(pes());
    voted_acc_.resize(pes());
    leaving_.resize(static_cast<std::size_t>(columns_));
  }
}

// Once only zeros have entered for longer than any value stays in the array, no register changes,
// and both halves of the state are equal: the step may be left out.
bool Array::quiet(const std::int8_t* activations, const std::int8_t* weights, ArrayMode mode) {
  if (mode != ArrayMode::accumulate || !all_zero(activations, rows_) ||
      !all_zero(weights, columns_)) {
    quiet_cycles_ = 0;
    return false;
  }
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

const std::int32_t* Array::sums(const std::byte* now) {
  if (copies_ == 1) return acc_.now(now);
  // Voted always: this cycle's step() may already have run and cleared copies_may_differ_.
  majority(acc_.now(now), pes(), static_cast<std::size_t>(columns_), leaving_.data());
  return leaving_.data();
}

void Array::step(const Cycle& cycle, const std::int8_t* activations, const std::int8_t* weights,
                 ArrayMode mode) {
  if (quiet(activations, weights, mode)) return;
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

  std::int8_t* next_a = a_.next(cycle);
  std::memcpy(next_a + 1, a, n - 1);
  skew_a_.output(cycle.now, activations, next_a, columns);

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
  for (int copy = 1; copy < copies_; ++copy) {
    const auto at = n * static_cast<std::size_t>(copy);
    std::memcpy(next_a + at, next_a, n);
    std::memcpy(next_b + at, next_b, n);
    std::memcpy(next_acc + at, next_acc, n * sizeof(std::int32_t));
  }
  copies_may_differ_ = false;

  skew_a_.step(cycle, activations);
  skew_b_.step(cycle, weights);
}

}  // namespace sagitta
