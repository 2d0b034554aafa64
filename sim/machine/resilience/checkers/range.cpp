// A sum outside its bounds. Two stages: latch; compare and replace.
#include "machine/resilience/checker_type.h"

namespace sagitta {
namespace {

class RangeChecker : public SumChecker {
 public:
  explicit RangeChecker(const CheckerPlace& place)
      : SumChecker(place),
        clamps_(place.checker().suppress == Suppress::clamp),
        gate_(place),
        bounds_(place),
        latch_(place.layout, place.path() + ".latch", place.lanes(), place.flag()),
        result_(place.layout, place.path() + ".result", place.lanes(), place.flag_behind()) {}

  void step(const Cycle& cycle, const SumVector& input, const WeightScratchpad& weights) override;
  SumVector output(const std::byte* now) const override { return result_.view(now); }

 private:
  bool clamps_;
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
    if (latched.valid && gate_.open(cycle, latched)) {
      std::int32_t* result = result_.next_values(cycle);
      const int lanes = sequencer_->lanes(s);
      for (int c = 0; c < lanes; ++c) {
        const Bounds b = bounds_.of(cycle, c);
        const std::int32_t value = latched.value[c];
        if (value >= b.low && value <= b.high) continue;
        replace(result, latched, c, !clamps_ ? 0 : value < b.low ? b.low : b.high);
      }
    }
  }
  gate_.step(cycle, s, latched);
  bounds_.load(cycle, s, weights);
}

std::vector<OperatorUse> operators(const Checker& checker, int lanes) {
  using enum OperatorUse::Kind;
  const double n = lanes;
  std::vector<OperatorUse> list{{"bounds", comparator, 32, 2 * n, true, 2},
                                {"out and gate", and_mask, 1, 2 * n, true, 2}};
  if (checker.suppress == Suppress::clamp) {
    list.push_back({"clamp", mux2, 32, 2 * n, true, 2});
  } else {
    list.push_back({"suppress", and_mask, 32, n});
  }
  return list;
}

void judged(const Checker&, const Layer& layer, const ArrayShape&,
            const std::vector<std::int32_t>& sums, std::vector<Judged>& all) {
  for (std::size_t i = 0; i < sums.size(); ++i) {
    all.push_back({.first = sums[i],
                   .channel = static_cast<int>(i % static_cast<std::size_t>(layer.columns()))});
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
