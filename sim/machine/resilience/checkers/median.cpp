// Every sum, replaced by the median of itself and its neighbouring lanes. Two stages: latch; sort.
#include <algorithm>

#include "machine/resilience/checker_type.h"

namespace sagitta {
namespace {

class MedianFilter : public SumChecker {
 public:
  explicit MedianFilter(const CheckerPlace& place)
      : SumChecker(place),
        gate_(place),
        latch_(place.layout, place.path() + ".latch", place.lanes(), place.flag()),
        result_(place.layout, place.path() + ".result", place.lanes(), place.flag_behind()) {}

  void step(const Cycle& cycle, const SumVector& input, const WeightScratchpad& weights) override;
  SumVector output(const std::byte* now) const override { return result_.view(now); }

 private:
  CheckerGate gate_;
  SumStage latch_, result_;
};

void MedianFilter::step(const Cycle& cycle, const SumVector& input, const WeightScratchpad&) {
  suppressed_.clear();
  const SequencerState& s = sequencer_->state(cycle.now);
  const SumVector latched = latch_.view(cycle.now);
  if (!idle_.skip(input.valid || latched.valid || result_.view(cycle.now).valid)) {
    latch_.load(cycle, input);
    result_.load(cycle, latched);
    const int lanes = sequencer_->lanes(s);
    if (latched.valid && lanes >= kFewestLanes && gate_.open(cycle, latched)) {
      std::int32_t* result = result_.next_values(cycle);
      for (int c = 0; c < lanes; ++c) {
        const std::int32_t value = latched.value[c];
        const std::int32_t x = latched.value[lane_before(c, lanes)];
        const std::int32_t y = latched.value[lane_after(c, lanes)];
        const std::int32_t median = std::clamp(value, std::min(x, y), std::max(x, y));
        if (median == value) continue;
        replace(result, latched, c, median);
      }
    }
  }
  gate_.step(cycle, s, latched);
}

std::vector<OperatorUse> operators(const Checker&, int lanes) {
  using enum OperatorUse::Kind;
  const double n = lanes;
  return {{"wrap to the last lane", mux2, 32, n - 1, false, n - 1},
          {"wrap to lane 0", mux2, 32, n},
          {"order", comparator, 32, 3 * n, true, 3},
          {"least, most and median", mux2, 32, 4 * n, true, 4},
          {"gate", mux2, 32, n}};
}

}  // namespace

CheckerType median_checker() {
  return {.kind = CheckerKind::median,
          .summary = "every sum becomes the median of itself and its neighbouring lanes",
          .suppress = {Suppress::zero},
          .latency = 2,
          .make = [](const CheckerPlace& place) -> std::unique_ptr<SumChecker> {
            return std::make_unique<MedianFilter>(place);
          },
          .operators = operators};
}

}  // namespace sagitta
