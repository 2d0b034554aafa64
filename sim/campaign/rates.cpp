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
  return within(all, true);
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

Proportion Rates::within(const std::vector<Counted>& part, bool reaches_all) const {
  if (plan_.method == Method::uniform) {
    const Counted& all = part.front();
    if (plan_.sequence) return confidence_sequence(all.count, all.n, planned_);
    if (strata_.front().population == 0) return wilson(all.count, all.n);
  }
  if (plan_.method == Method::exhaustive) return exact(part.front().count, part.front().n);
  std::vector<Stratum> strata;
  double total = 0;
  for (std::size_t h = 0; h < part.size(); ++h) {
    const bool unseen = sums_[h].trials == 0;
    if (unseen ? !reaches_all : part[h].n == 0) continue;
    const double share =
        unseen ? 1 : static_cast<double>(part[h].n) / static_cast<double>(sums_[h].trials);
    Stratum s;
    s.weight = strata_[h].weight * share;
    // Trials of an importance sample are drawn with replacement.
    if (plan_.method != Method::importance) {
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
      return "stratified score, given each stratum's draws";
    default:
      if (plan_.sequence) return "confidence sequence (beta-binomial mixture)";
      return strata_.front().population == 0 ? "Wilson score" : "score, finite population";
  }
}

}  // namespace sagitta
