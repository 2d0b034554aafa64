// A sum outside its bounds. Two stages: latch; compare and replace.
#include <algorithm>

#include "machine/resilience/bounds_registers.h"
#include "machine/resilience/checker_type.h"

namespace sagitta {
namespace {

class RangeChecker : public SumChecker {
 public:
  explicit RangeChecker(const CheckerPlace& place)
      : SumChecker(place),
        clamps_(place.checker().suppress == Suppress::clamp),
        most_(INT32_MAX >> (32 - place.checker().value_bits())),
        gate_(place),
        bounds_(place),
        latch_(place.stage("latch", place.flag())),
        result_(place.stage("result", place.flag_behind())) {}

  void step(const Cycle& cycle, const SumVector& input, const WeightScratchpad& weights) override;
  SumVector output(const std::byte* now) const override { return result_.view(now); }
  void accesses(const std::byte* now, const std::byte* held, const SequencerState& s,
                const SumVector& input, const MemoryVisitor& visit) const override {
    bounds_.accesses(now, held, s, input.valid, visit);
  }

 private:
  bool clamps_;
  std::int32_t most_;  // that a value can be: a bound of outputs can be more
  CheckerGate gate_;
  BoundsRegisters bounds_;
  SumStage latch_, result_;
};

void RangeChecker::step(const Cycle& cycle, const SumVector& input,
                        const WeightScratchpad& weights) {
  suppressed_.clear();
  const SequencerState& s = sequencer_->state(cycle.now);
  const SumVector latched = latch_.view(cycle.now);
  if (!idle_.skip(input.valid || latched.valid || result_.view(cycle.now).valid)) {
    latch_.load(cycle, input);
    result_.load(cycle, latched);
    if (latched.valid && gate_.open(cycle, s, latched)) {
      std::int32_t* result = result_.next_values(cycle);
      const int lanes = sequencer_->lanes(s);
      for (int c = 0; c < lanes; ++c) {
        const Bounds b = bounds_.of(cycle, c);
        const std::int32_t value = latched.value[c];
        if (value >= b.low && value <= b.high) continue;
        const std::int32_t bound = std::clamp(value < b.low ? b.low : b.high, -most_ - 1, most_);
        replace(result, latched, c, clamps_ ? bound : zero(s));
      }
    }
  }
  gate_.step(cycle, s, latched);
  bounds_.load(cycle, s, weights, input.valid);
}

std::vector<OperatorUse> operators(const Checker& checker, int lanes) {
  using enum OperatorUse::Kind;
  const double n = lanes;
  const bool sums = checker.position == Position::sum;
  const int bits = checker.value_bits();
  std::vector<OperatorUse> list{{"bounds", comparator, checker.bound_bits(), 2 * n, true, 2},
                                {"out and gate", and_mask, 1, 2 * n, true, 2}};
  if (checker.suppress == Suppress::clamp) {
    list.push_back({"clamp", mux2, checker.bound_bits(), 2 * n, true, 2});
    if (!sums) list.push_back({"saturate", mux2, bits, n});
  } else {
    list.push_back({"suppress", sums ? and_mask : mux2, bits, n});
  }
  if (!sums) list.push_back({"layer with a product", equality, 2, 1, false});
  add_row_counter(checker, list);
  return list;
}

void judged(const Checker&, const Layer& layer, const ArrayShape&,
            const std::vector<std::int32_t>& sums, std::vector<Judged>& all) {
  const auto channels = static_cast<std::size_t>(layer.columns());
  for (std::size_t i = 0; i < sums.size(); ++i) {
    all.push_back({.first = sums[i],
                   .pixel = static_cast<int>(i / channels),
                   .channel = static_cast<int>(i % channels)});
  }
}

}  // namespace

CheckerType range_checker() {
  return {.kind = CheckerKind::range,
          .summary = "sums outside their bounds become zero, or the bound that they passed",
          .suppress = {Suppress::zero, Suppress::clamp},
          .latency = 2,
          .bounds_stage = 1,
          .make = [](const CheckerPlace& place) -> std::unique_ptr<SumChecker> {
            return std::make_unique<RangeChecker>(place);
          },
          .operators = operators,
          .judged = judged};
}

}  // namespace sagitta
