// A sum whose two differences to its neighbours are both outside their bounds (Amarnath et al.,
// IOLTS 2022). Here the neighbours are the other lanes of the vector, in a ring; along the lines of
// the output map: line_checker.h; in the whole of it: map_checker.h. Four stages: latch,
// difference, compare, blame and replace.
#include <algorithm>
#include <cstring>

#include "machine/resilience/bounds_registers.h"
#include "machine/resilience/checker_type.h"
#include "machine/resilience/gradient_rule.h"
#include "machine/resilience/line_checker.h"
#include "machine/resilience/map_checker.h"

namespace sagitta {
namespace {

int gradient_bits(const Checker& checker) {
  return checker.value_bits() + 1;
}

class GradientChecker : public SumChecker {
 public:
  explicit GradientChecker(const CheckerPlace& place)
      : SumChecker(place),
        rule_(place.checker()),
        gate_(place),
        bounds_(place),
        latch_(place.stage("latch", place.flag())),
        difference_(place.stage("difference", place.flag())),
        gradient_(place.layout.pipe<std::int64_t>(place.path() + ".difference.gradient[]",
                                                  {place.lanes()}, gradient_bits(place.checker()))),
        compare_(place.stage("compare", place.flag())),
        out_of_bounds_(place.layout.pipe<std::uint8_t>(place.path() + ".compare.out[]",
                                                       {place.lanes()}, rule_.out_bits())),
        result_(place.stage("result", place.flag_behind())) {
    const bool with_vectors = place.checker().granularity == Granularity::neuron ||
                              (place.checker().granularity == Granularity::channel &&
                               place.program.array.has(Dataflow::is));
    if (place.checker().suppress != Suppress::clamp || !with_vectors) return;
    const int sets = place.program.parameter_sets();
    const int bits = place.checker().bound_bits();
    held_low_ = place.layout.held<std::int32_t>(place.path() + ".compare.low[]", {sets}, bits);
    held_high_ = place.layout.held<std::int32_t>(place.path() + ".compare.high[]", {sets}, bits);
  }

  void step(const Cycle& cycle, const SumVector& input, const WeightScratchpad& weights) override;
  SumVector output(const std::byte* now) const override { return result_.view(now); }
  void accesses(const std::byte* now, const std::byte* held, const SequencerState& s,
                const SumVector&, const MemoryVisitor& visit) const override {
    bounds_.accesses(now, held, s, latch_.view(now).valid, visit);
  }

 private:
  void step_result(const Cycle& cycle, const SequencerState& s, const SumVector& compared);
  // Bounds that are new with each vector are held for the last stage where it takes them.
  void hold_bounds(const Cycle& cycle) const;
  Bounds bounds_behind(const Cycle& cycle, int lane) const {
    if (held_low_.count == 0) return bounds_.of(cycle, lane);
    const int i = held_low_.count > 1 ? lane : 0;
    return {held_low_.at(cycle)[i], held_high_.at(cycle)[i]};
  }

  GradientRule rule_;
  CheckerGate gate_;
  BoundsRegisters bounds_;
  SumStage latch_;
  SumStage difference_;
  Pipe<std::int64_t> gradient_;  // lane minus the lane before, circular over valid lanes
  SumStage compare_;
  Pipe<std::uint8_t> out_of_bounds_;
  Held<std::int32_t> held_low_, held_high_;
  SumStage result_;
};

void GradientChecker::step(const Cycle& cycle, const SumVector& input,
                           const WeightScratchpad& weights) {
  suppressed_.clear();
  const SequencerState& s = sequencer_->state(cycle.now);
  const SumVector latched = latch_.view(cycle.now);
  const SumVector differed = difference_.view(cycle.now);
  const SumVector compared = compare_.view(cycle.now);
  const bool busy = input.valid || latched.valid || differed.valid || compared.valid ||
                    result_.view(cycle.now).valid;
  if (!idle_.skip(busy)) {
    const int lanes = sequencer_->lanes(s);
    latch_.load(cycle, input);

    difference_.load(cycle, latched);
    std::memcpy(gradient_.next(cycle), gradient_.now(cycle),
                sizeof(std::int64_t) * gradient_.count);
    if (latched.valid) {
      for (int c = 0; c < lanes; ++c) {
        gradient_.next(cycle)[c] =
            std::int64_t{latched.value[c]} - latched.value[lane_before(c, lanes)];
      }
    }

    compare_.load(cycle, differed);
    std::memcpy(out_of_bounds_.next(cycle), out_of_bounds_.now(cycle), out_of_bounds_.count);
    if (differed.valid) {
      for (int c = 0; c < lanes; ++c) {
        out_of_bounds_.next(cycle)[c] = rule_.out(gradient_.now(cycle)[c], bounds_.of(cycle, c));
      }
    }

    result_.load(cycle, compared);
    if (compared.valid && lanes >= kFewestLanes && gate_.open(cycle, s, compared)) {
      step_result(cycle, s, compared);
    }
  }
  gate_.step(cycle, s, compared);
  if (differed.valid) hold_bounds(cycle);
  bounds_.load(cycle, s, weights, latched.valid);
}

void GradientChecker::step_result(const Cycle& cycle, const SequencerState& s,
                                  const SumVector& compared) {
  const int lanes = sequencer_->lanes(s);
  const std::uint8_t* out = out_of_bounds_.now(cycle);
  std::int32_t* result = result_.next_values(cycle);
  for (int c = 0; c < lanes; ++c) {
    const int next = lane_after(c, lanes);
    if (!rule_.blamed(out[c], out[next])) continue;
    replace(result, compared, c,
            rule_.replacement(compared.value[lane_before(c, lanes)], compared.value[next], out[c],
                              bounds_behind(cycle, c), zero(s)));
  }
}

void GradientChecker::hold_bounds(const Cycle& cycle) const {
  for (std::size_t i = 0; i < held_low_.count; ++i) {
    const Bounds b = bounds_.of(cycle, static_cast<int>(i));
    held_low_.at(cycle)[i] = b.low;
    held_high_.at(cycle)[i] = b.high;
  }
}

std::vector<OperatorUse> operators(const Checker& checker, int lanes) {
  using enum OperatorUse::Kind;
  if (checker.axis == Axis::map) return map_operators(checker, lanes);
  const double n = lanes;
  const int bits = checker.value_bits(), wide = gradient_bits(checker);
  const int sides = GradientRule(checker).out_bits();
  const bool ring = checker.axis == Axis::lanes;
  std::vector<OperatorUse> list{{"difference", adder, wide, n},
                                {"bounds", comparator, wide, 2 * n, true, 2},
                                {"blame and gate", and_mask, 1, 3 * n, true, 3}};
  if (checker.spike) list.push_back({"opposite signs", and_mask, 1, 2 * n, true, 2});
  if (ring) {
    // Lane 0's neighbour is the tile's last valid lane, wherever that is; the last valid lane's
    // neighbour is lane 0.
    list.push_back({"wrap to the last lane", mux2, bits, n - 1, false, n - 1});
    list.push_back({"wrap to lane 0", mux2, sides, n});
  } else {
    list.push_back({"position in the line", adder, 24, 1, false});
    list.push_back({"end of the line", comparator, 24, 1, false});
    list.push_back({"first of a line", and_mask, sides, n});
  }
  add_row_counter(checker, list);
  if (checker.position == Position::output) {
    list.push_back({"layer with a product", equality, 2, 1, false});
  }
  if (checker.suppress == Suppress::zero) {
    list.push_back({"suppress", checker.position == Position::sum ? and_mask : mux2, bits, n});
    return list;
  }
  // The neighbours once more, two stages later.
  if (ring) list.push_back({"neighbour before lane 0", mux2, bits, n - 1, false, n - 1});
  list.push_back({"suppress", mux2, bits, n});
  if (checker.suppress == Suppress::mean) {
    if (ring) list.push_back({"neighbour after the last lane", mux2, bits, n});
    list.push_back({"mean", adder, wide, n});
  } else if (checker.suppress == Suppress::clamp) {
    list.push_back({"bound passed", mux2, checker.bound_bits(), n});
    list.push_back({"neighbour and bound", adder, checker.bound_bits() + 1, n});
    list.push_back({"saturate", mux2, bits, n});
  }
  return list;
}

// Neurons in a ring, `step` sums apart: lane 0's neighbour before is the last one.
void judge_ring(const std::int32_t* first, int lanes, std::ptrdiff_t step, int pixel, int channel,
                int channel_step, std::vector<Judged>& all) {
  if (lanes < kFewestLanes) return;  // the checker passes such tiles
  const auto difference = [&](int lane) {
    return std::int64_t{first[lane * step]} - first[lane_before(lane, lanes) * step];
  };
  for (int c = 0; c < lanes; ++c) {
    const int next = lane_after(c, lanes);
    all.push_back({.first = difference(c),
                   .second = difference(next),
                   .pixel = pixel,
                   .channel = channel + c * channel_step,
                   .second_channel = channel + next * channel_step});
  }
}

void judged(const Checker& checker, const Layer& layer, const ArrayShape& array,
            const std::vector<std::int32_t>& sums, std::vector<Judged>& all) {
  const int channels = layer.columns();
  const int pixels = static_cast<int>(sums.size()) / channels;
  const auto at = [&](int m, int c) {
    return sums.data() + static_cast<std::ptrdiff_t>(m) * channels + c;
  };
  if (checker.axis == Axis::line) {
    judge_lines(layer, sums, all);
  } else if (checker.axis == Axis::map) {
    judge_maps(layer, sums, all);
  } else if (array.dataflow_of(layer.name) == Dataflow::is) {  // lanes are pixels of one channel
    for (int first = 0; first < pixels; first += array.columns) {
      const int lanes = std::min(array.columns, pixels - first);
      for (int c = 0; c < channels; ++c)
        judge_ring(at(first, c), lanes, channels, first, c, 0, all);
    }
  } else {
    const auto tiles = column_tiles(channels, channels / layer.groups, array.columns);
    for (int m = 0; m < pixels; ++m) {
      for (const auto& [first, lanes] : tiles) judge_ring(at(m, first), lanes, 1, m, first, 1, all);
    }
  }
}

}  // namespace

CheckerType gradient_checker() {
  return {.kind = CheckerKind::gradient,
          .summary = "sums whose differences to both neighbours are out of bounds are replaced",
          .suppress = {Suppress::zero, Suppress::clamp, Suppress::mean, Suppress::hold},
          .spike = true,
          .line = true,
          .latency = 4,
          .map_latency = 5,
          .bounds_stage = 2,
          .make = [](const CheckerPlace& place) -> std::unique_ptr<SumChecker> {
            if (place.checker().axis == Axis::line) return make_line_checker(place);
            if (place.checker().axis == Axis::map) return make_map_checker(place);
            return std::make_unique<GradientChecker>(place);
          },
          .operators = operators,
          .judged = judged};
}

}  // namespace sagitta
