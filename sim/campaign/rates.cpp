#include "campaign/rates.h"

#include <algorithm>
#include <utility>

#include "statistics/confidence_sequence.h"
#include "statistics/importance.h"
#include "statistics/stratified.h"

namespace sagitta {
namespace {

using Method = SamplePlan::Method;

// All of the population: nothing is estimated.
Proportion exact(std::int64_t count, std::int64_t n) {
  if (n == 0) return {};
  const double share = static_cast<double>(count) / static_cast<double>(n);
  return {share, share, share, count, n};
}

}  // namespace

std::int64_t OutcomeSums::count(bool (*which)(Outcome)) const {
  std::int64_t n = 0;
  for (int i = 0; i < kOutcomes; ++i) {
    if (which(static_cast<Outcome>(i))) n += outcomes[static_cast<std::size_t>(i)];
  }
  return n;
}

Rates::Rates(SamplePlan plan, std::vector<RatedStratum> strata, double planned)
    : plan_(std::move(plan)),
      strata_(std::move(strata)),
      planned_(planned),
      sums_(strata_.size()) {}

Proportion Rates::of(bool (*which)(Outcome)) const {
  return of([which](const OutcomeSums& s) { return s.count(which); });
}

Proportion Rates::of(const std::function<std::int64_t(const OutcomeSums&)>& count) const {
  std::vector<Counted> all;
  for (const OutcomeSums& s : sums_) all.push_back({count(s), s.trials});
  return plan_.method == Method::importance ? importance(all) : within(all);
}

// Of what is common the complement is estimated: the interval is one for rare events.
Proportion Rates::importance(const std::vector<Counted>& counts) const {
  Counted all;
  for (const Counted& c : counts) {
    all.count += c.count;
    all.n += c.n;
  }
  if (2 * all.count > all.n) {
    std::vector<Counted> others = counts;
    for (Counted& c : others) c.count = c.n - c.count;
    const Proportion other = importance(others);
    return {1 - other.value, 1 - other.high, 1 - other.low, all.count, all.n};
  }
  std::vector<WeightedTrials> trials;
  double most = 0;
  for (std::size_t h = 0; h < counts.size(); ++h) {
    const double weight = strata_[h].weight / strata_[h].probability;
    trials.push_back({weight, counts[h].count, counts[h].n});
    most = std::max(most, weight);
  }
  const ImportanceEstimate e = importance_estimate(trials, most);
  return {std::min(e.value, 1.0), e.low, e.high, e.count, e.n};
}

double Rates::effective_size() const {
  std::vector<WeightedTrials> trials;
  double most = 0;
  for (std::size_t h = 0; h < sums_.size(); ++h) {
    const double weight = strata_[h].weight / strata_[h].probability;
    trials.push_back({weight, 0, sums_[h].trials});
    most = std::max(most, weight);
  }
  return importance_estimate(trials, most).effective_size;
}

Proportion Rates::within(const std::vector<Counted>& part) const {
  if (plan_.method == Method::uniform) {
    const Counted& all = part.front();
    return plan_.sequence ? confidence_sequence(all.count, all.n, planned_)
                          : wilson(all.count, all.n);
  }
  if (plan_.method == Method::exhaustive) return exact(part.front().count, part.front().n);
  std::vector<Stratum> strata;
  double total = 0;
  for (std::size_t h = 0; h < part.size(); ++h) {
    if (part[h].n == 0) continue;
    const double share = static_cast<double>(part[h].n) / static_cast<double>(sums_[h].trials);
    Stratum s;
    s.weight = strata_[h].weight * share;
    // Trials of an importance sample are drawn with replacement.
    if (plan_.method == Method::stratified) {
      s.population = std::max(strata_[h].population * share, static_cast<double>(part[h].n));
    }
    s.count = part[h].count;
    s.n = part[h].n;
    total += s.weight;
    strata.push_back(s);
  }
  if (strata.empty()) return {};
  for (Stratum& s : strata) s.weight /= total;
  return stratified(strata);
}

const char* Rates::interval() const {
  switch (plan_.method) {
    case Method::stratified:
      return "stratified score";
    case Method::exhaustive:
      return "none: nothing is estimated";
    case Method::importance:
      return "gamma (Fay and Feuer)";
    default:
      return plan_.sequence ? "confidence sequence (beta-binomial mixture)" : "Wilson score";
  }
}

}  // namespace sagitta
