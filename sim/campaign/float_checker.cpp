#include "campaign/float_checker.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace sagitta {
namespace {

float at(const std::vector<float>& sums, std::int32_t element) {
  return sums[static_cast<std::size_t>(element)];
}

// As the integers saturate.
float saturate(double value) {
  constexpr double kMost = std::numeric_limits<float>::max();
  return static_cast<float>(std::clamp(value, -kMost, kMost));
}

// -1 below, 1 above, 0 within. Both of a difference's operands are finite, so it is no NaN.
int side(float difference, const FloatBounds& b) {
  return difference < b.low ? -1 : difference > b.high ? 1 : 0;
}

// The bound that a value or difference on this side has passed; of one without a side, NaN, what
// within the bounds is nearest to zero.
float passed(int side, const FloatBounds& b) {
  return side < 0 ? b.low : side > 0 ? b.high : std::clamp(0.0F, b.low, b.high);
}

int sign(float value) {
  return value < 0 ? -1 : value > 0 ? 1 : 0;  // 0 of NaN
}

// NaN is larger than everything.
bool less(float a, float b) {
  return !std::isnan(a) && (std::isnan(b) || a < b);
}

}  // namespace

FloatChecker::FloatChecker(const Checker& checker, const ChannelLanes& lanes,
                           std::vector<FloatBounds> bounds)
    : checker_(checker),
      bounds_(std::move(bounds)),
      neurons_(lanes.neurons(checker)),
      row_of_(lanes.row_of()),
      channels_(lanes.channels()) {}

bool FloatChecker::knows(const Checker& checker) {
  const bool gate =
      checker.gate == Gate::always || checker.gate == Gate::row || checker.gate == Gate::layer;
  return checker.position == Position::sum && gate &&
         (checker.axis == Axis::lanes || checker.axis == Axis::line) &&
         (checker.kind == CheckerKind::range || checker.kind == CheckerKind::gradient ||
          checker.kind == CheckerKind::median);
}

const FloatBounds& FloatChecker::bounds(int pixel, int channel) const {
  const auto index = static_cast<std::size_t>(channel);
  switch (checker_.granularity) {
    case Granularity::channel:
      return bounds_[index];
    case Granularity::neuron:
      return bounds_[static_cast<std::size_t>(pixel) * static_cast<std::size_t>(channels_) + index];
    default:
      return bounds_[0];
  }
}

bool FloatChecker::out_of_range(float y, const Neighbours& n, float& value) const {
  const FloatBounds& b = bounds(n.pixel, n.channel);
  if (b.open() || (y >= b.low && y <= b.high)) return false;
  value = checker_.suppress == Suppress::clamp ? passed(side(y, b), b) : 0.0F;
  return true;
}

bool FloatChecker::blamed(const std::vector<float>& sums, const Neighbours& n, float& value) const {
  const float y = at(sums, n.self), before = at(sums, n.before), after = at(sums, n.after);
  const FloatBounds& own = bounds(n.pixel, n.channel);
  int rise = sign(y);
  if (std::isfinite(y)) {
    rise = std::isfinite(before) ? side(y - before, own) : 0;
    const int fall = std::isfinite(after) ? side(after - y, bounds(n.pixel, n.after_channel)) : 0;
    if (checker_.spike ? rise * fall >= 0 : rise * fall == 0) return false;
  } else if (own.open()) {
    return false;
  }
  const float finite_before = std::isfinite(before) ? before : 0.0F;
  const float finite_after = std::isfinite(after) ? after : 0.0F;
  switch (checker_.suppress) {
    case Suppress::clamp:
      value = saturate(double{finite_before} + passed(rise, own));
      break;
    case Suppress::mean:
      value = static_cast<float>((double{finite_before} + finite_after) / 2);
      break;
    case Suppress::hold:
      value = finite_before;
      break;
    case Suppress::zero:
      value = 0;
  }
  return true;
}

bool FloatChecker::replaces(const std::vector<float>& sums, const Neighbours& n,
                            float& value) const {
  const float y = at(sums, n.self);
  if (checker_.kind == CheckerKind::range) return out_of_range(y, n, value);
  if (checker_.kind == CheckerKind::gradient) return blamed(sums, n, value);
  const auto [x, z] = std::minmax({at(sums, n.before), at(sums, n.after)}, less);
  value = less(y, x) ? x : less(z, y) ? z : y;
  return value != y && !(std::isnan(value) && std::isnan(y));
}

std::vector<FloatChecker::Replacement> FloatChecker::replacements(
    const std::vector<float>& sums, const std::vector<bool>& open_rows) const {
  std::vector<Replacement> list;
  for (const Neighbours& n : neurons_) {
    const std::int32_t row = row_of_[static_cast<std::size_t>(n.self)];
    if (!open_rows.empty() && !open_rows[static_cast<std::size_t>(row)]) continue;
    float value = 0;
    if (replaces(sums, n, value)) list.push_back({n.self, value});
  }
  return list;
}

void judge(const Checker& checker, const std::vector<Neighbours>& neurons,
           const std::vector<float>& sums, std::vector<FloatJudged>& all) {
  for (const Neighbours& n : neurons) {
    const float y = at(sums, n.self);
    if (checker.kind == CheckerKind::range) {
      all.push_back({.first = y, .pixel = n.pixel, .channel = n.channel});
    } else {
      all.push_back(
          {y - at(sums, n.before), at(sums, n.after) - y, n.pixel, n.channel, n.after_channel});
    }
  }
}

}  // namespace sagitta
