#include "machine/vector/vector_unit.h"

#include <algorithm>
#include <cstring>

#include "network/fixed_scale.h"

namespace sagitta {
namespace {

bool operation_is(const SequencerState& s, LayerOperation operation) {
  return s.config.operation == static_cast<std::uint8_t>(operation);
}

constexpr int kCheckBits = 8;  // one for each bit of an output

// The product register has 56 bits, whatever a fault has left in it.
std::int64_t wrap_product(std::int64_t value) {
  constexpr int kUnused = 64 - VectorUnit::kProductBits;
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(value) << kUnused) >> kUnused;
}

}  // namespace

VectorUnit::VectorUnit(RegisterLayout& layout, const Program& program, const Sequencer& sequencer)
    : sequencer_(&sequencer),
      columns_(program.array.columns),
      bias_(layout.held<std::int32_t>("vector.bias[]", {program.parameter_sets()}, 32)),
      mantissa_(
          layout.held<std::uint32_t>("vector.scale[]", {program.parameter_sets()}, kMantissaBits)),
      shift_(layout.held<std::uint8_t>("vector.shift[]", {program.parameter_sets()}, kShiftBits)),
      sum_(layout, "vector.bias_add", columns_, false),
      product_(layout.pipe<std::int64_t>("vector.requantise.product[]", {columns_}, kProductBits)),
      product_shift_(program.array.has(Dataflow::is)
                         ? layout.pipe<std::uint8_t>("vector.requantise.shift", {}, kShiftBits)
                         : Pipe<std::uint8_t>{}),
      product_valid_(layout.pipe<std::uint8_t>("vector.requantise.valid", {}, 1)),
      product_address_(layout.pipe<std::int32_t>("vector.requantise.address", {}, 32)),
      output_(layout.pipe<std::int8_t>("vector.output.value[]", {columns_}, 8)),
      output_valid_(layout.pipe<std::uint8_t>("vector.output.valid", {}, 1)),
      output_address_(layout.pipe<std::int32_t>("vector.output.address", {}, 32)),
      check_(program.protection.checks_outputs()
                 ? layout.pipe<std::uint8_t>("vector.output.check", {}, kCheckBits)
                 : Pipe<std::uint8_t>{}),
      widened_(static_cast<std::size_t>(columns_)),
      pool_(layout.pipe<std::int8_t>("vector.pool.value[]", {columns_}, 8)) {}

void VectorUnit::step_sum(const Cycle& cycle, const SumVector& row) const {
  sum_.load(cycle, row);
  if (!row.valid) return;
  const std::int32_t* bias = bias_.at(cycle);
  std::int32_t* sum = sum_.next_values(cycle);
  const std::size_t set = bias_.count > 1 ? 1 : 0;  // from lane to lane
  for (std::size_t c = 0; c < static_cast<std::size_t>(columns_); ++c) {
    sum[c] = static_cast<std::int32_t>(static_cast<std::uint32_t>(row.value[c]) +
                                       static_cast<std::uint32_t>(bias[c * set]));
  }
}

// One multiplier a lane: of a sum and its scale, or of a tap and the layer's scale, which adds up
// until the pixel's last tap. Sums go first, should a fault bring both.
void VectorUnit::step_product(const Cycle& cycle, const SequencerState& s, const SumVector& checked,
                              const std::int8_t* operand) const {
  const bool sums = checked.valid && s.config.raw == 0;
  const bool tap =
      !sums && operation_is(s, LayerOperation::accumulate) && (s.pool1 & kPoolTap) != 0;
  const bool last = tap && (s.pool1 & kPoolLast) != 0;
  *product_valid_.next(cycle) = sums || last ? 1 : 0;
  *product_address_.next(cycle) = sums   ? checked.address
                                  : last ? s.pool_address1
                                         : *product_address_.now(cycle);
  const std::int64_t* now = product_.now(cycle);
  std::int64_t* next = product_.next(cycle);
  if (product_shift_.count > 0) {
    *product_shift_.next(cycle) = sums ? *shift_.at(cycle) : *product_shift_.now(cycle);
  }
  if (sums) {
    const std::uint32_t* mantissa = mantissa_.at(cycle);
    const std::size_t set = mantissa_.count > 1 ? 1 : 0;
    for (std::size_t c = 0; c < static_cast<std::size_t>(columns_); ++c) {
      next[c] = std::int64_t{checked.value[c]} * std::int64_t{mantissa[c * set]};
    }
    return;
  }
  const bool first = (s.pool1 & kPoolFirst) != 0;
  const bool second = (s.pool1 & kPoolSecond) != 0;
  const bool padded = (s.pool1 & kPoolPadded) != 0;
  const std::int64_t scale = second ? s.config.second_scale : s.config.tap_scale;
  const int zero_point = second ? s.config.second_zero_point : s.config.input_zero_point;
  for (int c = 0; c < columns_; ++c) {
    const std::int64_t before = tap && first ? 0 : now[c];
    next[c] = tap && !padded ? wrap_product(before + (operand[c] - zero_point) * scale) : before;
  }
}

void VectorUnit::step_output(const Cycle& cycle, const SequencerState& s) const {
  const auto bytes = static_cast<std::size_t>(columns_);
  std::int8_t* next = output_.next(cycle);
  const bool pooled = operation_is(s, LayerOperation::max_pool) && (s.pool2 & kPoolTap) != 0 &&
                      (s.pool2 & kPoolLast) != 0;
  *output_valid_.next(cycle) = pooled || *product_valid_.now(cycle) != 0 ? 1 : 0;
  if (pooled) {
    *output_address_.next(cycle) = s.pool_address2;
    std::memcpy(next, pool_.now(cycle), bytes);
  } else if (*product_valid_.now(cycle) != 0) {
    *output_address_.next(cycle) = *product_address_.now(cycle);
    const std::int64_t* product = product_.now(cycle);
    const bool accumulated = operation_is(s, LayerOperation::accumulate);
    const bool own = sequencer_->dataflow(s) != Dataflow::is;  // of each lane
    const std::uint8_t* shift = own ? shift_.at(cycle) : product_shift_.now(cycle);
    const std::size_t set = own && shift_.count > 1 ? 1 : 0;
    // A corrupt configuration may have output_min above output_max; the upper bound then wins.
    const std::int64_t low = s.config.output_min;
    const std::int64_t high = s.config.output_max;
    for (std::size_t c = 0; c < static_cast<std::size_t>(columns_); ++c) {
      const int bits = accumulated ? s.config.tap_shift : shift[c * set];
      const std::int64_t q = round_half_even(product[c], bits) + s.config.output_zero_point;
      next[c] = static_cast<std::int8_t>(std::min(std::max(q, low), high));
    }
  } else {
    *output_address_.next(cycle) = *output_address_.now(cycle);
    std::memcpy(next, output_.now(cycle), bytes);
  }
  if (check_.count > 0) {
    const bool taken = pooled || *product_valid_.now(cycle) != 0;
    *check_.next(cycle) = taken ? check_of(s, next) : *check_.now(cycle);
  }
}

std::uint8_t VectorUnit::check_of(const SequencerState& s, const std::int8_t* values) const {
  std::uint8_t check = 0;
  for (int c = 0; c < sequencer_->lanes(s); ++c) check ^= static_cast<std::uint8_t>(values[c]);
  return check;
}

SumVector VectorUnit::outputs(const std::byte* now) const {
  const WriteBack row = output(now);
  std::copy(row.value, row.value + columns_, widened_.begin());
  SumVector outputs{row.valid, false, row.address, widened_.data()};
  if (check_.count > 0) {
    const SequencerState& s = sequencer_->state(now);
    outputs.flagged =
        operation_is(s, LayerOperation::gemm) && check_of(s, row.value) != *check_.now(now);
  }
  return outputs;
}

void VectorUnit::step_pool(const Cycle& cycle, const SequencerState& s,
                           const std::int8_t* operand) const {
  const std::int8_t* now = pool_.now(cycle);
  std::int8_t* next = pool_.next(cycle);
  if (!operation_is(s, LayerOperation::max_pool) || (s.pool1 & kPoolTap) == 0) {
    std::memcpy(next, now, static_cast<std::size_t>(columns_));
    return;
  }
  const bool first = (s.pool1 & kPoolFirst) != 0;
  const bool padded = (s.pool1 & kPoolPadded) != 0;
  for (int c = 0; c < columns_; ++c) {
    const std::int8_t before = first ? std::int8_t{-128} : now[c];
    next[c] = padded ? before : std::max(before, operand[c]);
  }
}

void VectorUnit::load_parameters(const Cycle& cycle, const SequencerState& s,
                                 const WeightScratchpad& weights) const {
  const LaneRange lanes = sequencer_->parameter_target(s, bias_.count);
  if (lanes.first == lanes.end) return;
  const auto bias = static_cast<std::int32_t>(weights.lane_word(cycle.now, 0));
  const std::uint32_t scale = weights.lane_word(cycle.now, 1);
  const std::uint32_t mantissa = scale & ((1U << kMantissaBits) - 1);
  const auto shift = static_cast<std::uint8_t>(scale >> kMantissaBits & ((1U << kShiftBits) - 1));
  for (std::size_t lane = lanes.first; lane < lanes.end; ++lane) {
    bias_.at(cycle)[lane] = bias;
    mantissa_.at(cycle)[lane] = mantissa;
    shift_.at(cycle)[lane] = shift;
  }
}

void VectorUnit::step(const Cycle& cycle, const SumVector& row, const SumVector& checked,
                      const std::int8_t* pool_operand, const WeightScratchpad& weights) {
  const SequencerState& s = sequencer_->state(cycle.now);
  const bool busy = row.valid || checked.valid || s.pool1 != 0 || s.pool2 != 0 ||
                    *product_valid_.now(cycle) != 0 || *output_valid_.now(cycle) != 0 ||
                    sum_.view(cycle.now).valid;
  if (!idle_.skip(busy)) {
    step_sum(cycle, row);
    step_product(cycle, s, checked, pool_operand);
    step_output(cycle, s);
    step_pool(cycle, s, pool_operand);
  }
  load_parameters(cycle, s, weights);  // last: registers are used before they are updated
}

}  // namespace sagitta
