// Fits the bounds of one checker, layer by layer, in passes over what it judges on calibration
// images: moments first, then what needs them. For integers (Judged) and for real numbers
// (FloatJudged).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <queue>
#include <type_traits>
#include <utility>
#include <vector>

#include "campaign/fit.h"
#include "machine/resilience/checker_type.h"
#include "schedule/images.h"

namespace sagitta {

// Exact integer moments: the same for any order of images, and stable.
struct ExactMoments {
  std::int64_t n = 0;
  __extension__ __int128 sum = 0;
  __extension__ __int128 squares = 0;
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  std::int64_t largest = std::numeric_limits<std::int64_t>::min();

  void add(std::int64_t value) {
    ++n;
    sum += value;
    squares += static_cast<__int128>(value) * value;
  }
  // What is to be within bounds that hold all that was seen.
  void reach(std::int64_t low, std::int64_t high) {
    least = std::min(least, low);
    largest = std::max(largest, high);
  }
  double mean() const { return n == 0 ? 0 : static_cast<double>(sum) / static_cast<double>(n); }
  double deviation() const {
    if (n == 0) return 0;
    const auto scaled = static_cast<long double>(squares) * n - static_cast<long double>(sum) * sum;
    return static_cast<double>(std::sqrt(std::max(0.0L, scaled)) / n);
  }
};

// Moments of real numbers in one pass (Welford, Technometrics 1962), which is stable; the images
// are always taken in the same order.
struct RealMoments {
  std::int64_t n = 0;
  double average = 0;
  double squares = 0;  // of deviations from the average
  double least = std::numeric_limits<double>::infinity();
  double largest = -std::numeric_limits<double>::infinity();

  void add(double value) {
    ++n;
    const double from_old = value - average;
    average += from_old / static_cast<double>(n);
    squares += from_old * (value - average);
  }
  void reach(double low, double high) {
    least = std::min(least, low);
    largest = std::max(largest, high);
  }
  double mean() const { return average; }
  double deviation() const { return n == 0 ? 0 : std::sqrt(squares / static_cast<double>(n)); }
};

// Bounds are whole numbers of int32 for integers, float32 for real numbers; in between they lie
// further out.
template <typename Entry>
struct FitValues;

template <>
struct FitValues<Judged> {
  using Moments = ExactMoments;
  static std::int32_t saturate(double value) {
    return static_cast<std::int32_t>(
        std::clamp(value, static_cast<double>(INT32_MIN), static_cast<double>(INT32_MAX)));
  }
  static Bounds bounds(double low, double high) {
    return {saturate(std::floor(low)), saturate(std::ceil(high))};
  }
  static std::vector<Bounds>& of(LayerFit& fit) { return fit.bounds; }
};

template <>
struct FitValues<FloatJudged> {
  using Moments = RealMoments;
  static FloatBounds bounds(double low, double high) {
    constexpr float kMost = std::numeric_limits<float>::infinity();
    auto b = FloatBounds{static_cast<float>(low), static_cast<float>(high)};
    if (b.low > low) b.low = std::nextafter(b.low, -kMost);
    if (b.high < high) b.high = std::nextafter(b.high, kMost);
    return b;
  }
  static std::vector<FloatBounds>& of(LayerFit& fit) { return fit.float_bounds; }
};

// Whether a checker has bounds for a layer.
bool chosen(LayerChoice choice, const Layer& layer);
// A layer that sees its whole input at once, whatever operator the model writes it with.
bool is_dense(const Layer& layer);

// The largest `most` values seen.
class Largest {
 public:
  explicit Largest(std::size_t most) : most_(most) {}
  void add(double value) {
    if (heap_.size() < most_) {
      heap_.push(value);
    } else if (value > heap_.top()) {
      heap_.pop();
      heap_.push(value);
    }
  }
  double least() const { return heap_.empty() ? 0 : heap_.top(); }

 private:
  std::size_t most_;
  std::priority_queue<double, std::vector<double>, std::greater<>> heap_;
};

template <typename Entry>
class Fitter {
 public:
  using Values = FitValues<Entry>;
  using Judgements = std::vector<Entry>;  // of one layer and image

  Fitter(const Network& network, const FitRequest& request)
      : network_(&network), request_(request) {
    for (const Layer& layer : network.layers) {
      State& s = layers_.emplace_back();
      s.moments.resize(bound_count(request.key.checker.granularity, layer));
    }
  }

  const FitRequest& request() const { return request_; }

  void see_values(std::size_t l, const Judgements& judged) {
    for (const Entry& j : judged) {
      auto& m = layers_[l].moments[entry(l, j.pixel, j.channel)];
      ++layers_[l].samples;
      if (counted(j)) {
        if constexpr (kCounts) {
          for (int i = 0; i < j.differences; ++i) m.add(j.difference[static_cast<std::size_t>(i)]);
        }
        m.reach(j.second, j.first);
      } else {
        m.add(j.first);
        m.reach(j.first, j.first);
      }
    }
  }

  void begin_scores() {
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      State& s = layers_[l];
      if (!chosen(request_.key.plan.layers, network_->layers[l])) continue;
      for (const auto& m : s.moments) {
        s.mean.push_back(m.mean());
        s.deviation.push_back(m.deviation());
      }
      if (request_.key.plan.fit == BoundsFit::quantile) {
        const auto allowed = static_cast<std::size_t>(request_.key.plan.false_positives *
                                                      static_cast<double>(s.samples));
        s.scores = Largest(allowed + 1);
      }
      s.k = request_.key.plan.fit != BoundsFit::deviations ? 0
            : is_dense(network_->layers[l])                ? request_.key.plan.k_dense
                                                           : request_.key.plan.k_convolution;
      if (request_.key.plan.fit != BoundsFit::quantile) set_bounds(s);
    }
  }

  // Quantile: how far from the mean, in deviations, a neuron may be without blame.
  void see_scores(std::size_t l, const Judgements& judged) {
    State& s = layers_[l];
    for (const Entry& j : judged) s.scores.add(score(l, j));
  }

  void begin_counts() {
    if (request_.key.plan.fit != BoundsFit::quantile) return;
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      if (!chosen(request_.key.plan.layers, network_->layers[l])) continue;
      layers_[l].k = layers_[l].scores.least();
      set_bounds(layers_[l]);
    }
  }

  void count(std::size_t l, const Judgements& judged) {
    for (const Entry& j : judged) layers_[l].blamed += blames(l, j) ? 1 : 0;
  }

  bool wants_scores() const { return request_.key.plan.fit == BoundsFit::quantile; }
  bool sees(std::size_t l) const { return chosen(request_.key.plan.layers, network_->layers[l]); }

  ThresholdFit finish() const {
    ThresholdFit fit;
    fit.key = request_.key;
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      const Layer& layer = network_->layers[l];
      if (layer.kind != LayerKind::gemm) continue;
      const State& s = layers_[l];
      LayerFit f;
      f.layer = layer.name;
      f.dataflow = request_.array.dataflow_of(layer.name);
      f.samples = s.samples;
      f.k = s.k;
      f.blamed = s.blamed;
      f.mean = s.mean;
      f.deviation = s.deviation;
      f.mean.resize(s.moments.size());
      f.deviation.resize(s.moments.size());
      Values::of(f) = s.bounds;
      Values::of(f).resize(s.moments.size());  // of a layer that is not chosen: open
      fit.layers.push_back(std::move(f));
    }
    return fit;
  }

 private:
  // Integers may be judged by how many differences are out; real numbers have no such checker.
  static constexpr bool kCounts = std::is_same_v<Entry, Judged>;
  static bool counted([[maybe_unused]] const Entry& j) {
    if constexpr (kCounts) return j.counted();
    return false;
  }

  struct State {
    std::vector<typename Values::Moments> moments;
    std::int64_t samples = 0;
    std::vector<double> mean, deviation;  // of the moments, once all are in
    Largest scores{1};
    double k = 0;
    std::remove_reference_t<decltype(Values::of(std::declval<LayerFit&>()))> bounds;
    std::int64_t blamed = 0;
  };

  // Of layer `l`.
  std::size_t entry(std::size_t l, int pixel, int channel) const {
    return bound_index(request_.key.checker.granularity, network_->layers[l], channel, pixel);
  }

  void set_bounds(State& s) const {
    s.bounds.clear();
    for (std::size_t i = 0; i < s.moments.size(); ++i) {
      const auto& m = s.moments[i];
      if (m.n == 0) {
        s.bounds.emplace_back();
      } else if (request_.key.plan.fit != BoundsFit::extremes) {
        const double reach = s.k * s.deviation[i];
        s.bounds.push_back(Values::bounds(s.mean[i] - reach, s.mean[i] + reach));
      } else {
        s.bounds.push_back(
            Values::bounds(static_cast<double>(m.least), static_cast<double>(m.largest)));
      }
    }
  }

  double score(std::size_t l, const Entry& j) const {
    const State& s = layers_[l];
    const auto distance = [&](auto value, int channel) {
      const std::size_t i = entry(l, j.pixel, channel);
      return s.deviation[i] > 0 ? (static_cast<double>(value) - s.mean[i]) / s.deviation[i] : 0.0;
    };
    const double first = distance(j.first, j.channel);
    if (counted(j)) return std::max({first, -distance(j.second, j.channel), 0.0});
    if (j.second_channel < 0) return std::abs(first);
    const double second = distance(j.second, j.second_channel);
    if (request_.key.checker.spike && first * second >= 0) return 0;
    return std::min(std::abs(first), std::abs(second));
  }

  bool blames(std::size_t l, const Entry& j) const {
    const auto side = [&](auto value, int channel) {
      const auto& b = layers_[l].bounds[entry(l, j.pixel, channel)];
      return value < b.low ? -1 : value > b.high ? 1 : 0;
    };
    const int first = side(j.first, j.channel);
    if (counted(j)) return first > 0 || side(j.second, j.channel) < 0;
    if (j.second_channel < 0) return first != 0;
    const int second = side(j.second, j.second_channel);
    return request_.key.checker.spike ? first * second < 0 : first != 0 && second != 0;
  }

  const Network* network_;
  FitRequest request_;
  std::vector<State> layers_;
};

// All passes. `images`(wants, see) calls see(fitter, layer, judged) for every image and every layer
// that a fitter sees, of the fitters that are wanted.
template <typename Entry, typename Images>
std::vector<ThresholdFit> fit_in_passes(std::vector<Fitter<Entry>>& fitters, const Images& images) {
  using One = Fitter<Entry>;
  const auto pass = [&](auto wants, auto see) {
    if (std::any_of(fitters.begin(), fitters.end(), wants)) images(wants, see);
  };
  const auto all = [](const One&) { return true; };
  pass(all, [](One& f, std::size_t l, const auto& judged) { f.see_values(l, judged); });
  for (One& f : fitters) f.begin_scores();
  pass([](const One& f) { return f.wants_scores(); },
       [](One& f, std::size_t l, const auto& judged) { f.see_scores(l, judged); });
  for (One& f : fitters) f.begin_counts();
  pass(all, [](One& f, std::size_t l, const auto& judged) { f.count(l, judged); });
  std::vector<ThresholdFit> fits;
  fits.reserve(fitters.size());
  for (const One& f : fitters) fits.push_back(f.finish());
  return fits;
}

}  // namespace sagitta
