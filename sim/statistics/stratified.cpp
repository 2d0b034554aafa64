#include "statistics/stratified.h"

#include <algorithm>
#include <boost/math/tools/roots.hpp>
#include <cmath>
#include <stdexcept>
#include <utility>

namespace sagitta {
namespace {

// A stratum as an upper bound sees it.
struct Term {
  double weight;
  double p;          // observed
  double event = 0;  // what one event adds to p
  double size = 0;   // effective trials; 0: none were made
  double most = 1;   // what the proportion can be, given what was seen
};

// What a proportion of p takes from the budget z^2.
double squared_score(const Term& t, double p) {
  if (p == t.p) return 0;
  return t.size * (p - t.p) * (p - t.p) / (p * (1 - p));
}

// The p >= t.p at which the squared score per trial, p0^2 / p + (1 - p0)^2 / (1 - p) - 1 with the
// observed p0, has the derivative `slope`. It is convex, so there is one.
double proportion_at(double p0, double slope) {
  if (p0 == 1) return 1;
  if (p0 == 0) return slope > 1 ? 1 - 1 / std::sqrt(slope) : 0;
  const double q0 = 1 - p0;
  // (q0 / q)^2 = slope + (p0 / p)^2 lies between slope and slope + 1.
  const double low = slope > 1 ? std::max(p0, 1 - q0 / std::sqrt(slope)) : p0;
  double high = 1 - q0 / std::sqrt(1 + slope);
  if (slope < 1) high = std::min(high, p0 / std::sqrt(1 - slope));
  if (!(low < high)) return low;
  const auto excess = [&](double p) {
    const double a = q0 / (1 - p);
    const double b = p0 / p;
    return std::make_pair(a * a - b * b - slope, 2 * (a * a / (1 - p) + b * b / p));
  };
  constexpr int kBits = 40;
  return boost::math::tools::newton_raphson_iterate(excess, high, low, high, kBits);
}

Term term_of(const Stratum& s, double count) {
  const auto n = static_cast<double>(s.n);
  Term t{s.weight, count / n, 1 / n, n};
  if (std::isfinite(s.population)) {
    t.size *= (s.population - 1) / (s.population - n);
    t.most = 1 - (n - count) / s.population;
  }
  return t;
}

// The strata that are not exhausted, and from which every stratum's uncertainty comes.
std::vector<Term> open_terms(const std::vector<Stratum>& strata, bool flipped) {
  std::vector<Term> terms;
  Term single{0, 0, 0};  // all strata of one trial together
  double most = 0;
  double events = 0;
  for (const Stratum& s : strata) {
    const auto n = static_cast<double>(s.n);
    if (n == 0 || n == s.population || s.weight == 0) continue;
    const Term t = term_of(s, static_cast<double>(flipped ? s.n - s.count : s.count));
    if (s.n > 1) {
      terms.push_back(t);
      continue;
    }
    single.weight += t.weight;
    events += t.weight * t.p;
    most += t.weight * t.most;
    single.event = std::max(single.event, t.weight);
  }
  if (single.weight > 0) {
    single.p = events / single.weight;
    single.most = most / single.weight;
    single.event /= single.weight;
    single.size = 1 / single.event;
    terms.push_back(single);
  }
  return terms;
}

// What the header calls corrections, but for finite populations.
void correct(std::vector<Term>& terms) {
  double variance = 0;
  for (const Term& t : terms) variance += t.weight * t.weight / t.size;
  Term* coarsest = nullptr;
  for (Term& t : terms) {
    const double share = t.weight * t.weight / t.size / variance;
    t.size *= 1 - (1 - share) * t.event;
    const bool room = t.p + t.event / 2 <= t.most;
    if (room && (!coarsest || t.weight * t.event > coarsest->weight * coarsest->event)) {
      coarsest = &t;
    }
  }
  if (coarsest) coarsest->p += coarsest->event / 2;
}

// The proportions that make sum W p largest while their squared scores sum to no more than
// `budget`: at the best point all marginal costs per weight are alike, so one number finds them.
std::vector<double> largest(const std::vector<Term>& terms, double budget) {
  std::vector<double> p(terms.size());
  const auto spend = [&](double log_gain) {
    double sum = 0;
    for (std::size_t i = 0; i < terms.size(); ++i) {
      const Term& t = terms[i];
      p[i] = std::min(t.most, proportion_at(t.p, std::exp(log_gain) * t.weight / t.size));
      sum += squared_score(t, p[i]);
    }
    return sum - budget;
  };
  double scale = 0;  // the slope of the steepest term is exp(log_gain)
  for (const Term& t : terms) {
    if (t.p < t.most) scale = std::max(scale, t.weight / t.size);
  }
  // Steps up, since far beyond the budget a squared score is infinite.
  constexpr double kStep = 8;
  constexpr double kSteepest = 80;  // there all proportions stand at the most they can be
  const double origin = scale > 0 ? -std::log(scale) : 0;
  double above = kStep;
  while (spend(origin + above) <= 0) {
    if (above >= kSteepest) return p;
    above += kStep;
  }
  double below = above - kStep;
  while (spend(origin + below) > 0) below -= kStep;
  std::uintmax_t iterations = 200;
  const auto found =
      boost::math::tools::toms748_solve(spend, origin + below, origin + above,
                                        boost::math::tools::eps_tolerance<double>(40), iterations);
  spend(found.second);  // the side that spends at least the budget
  return p;
}

void check(const std::vector<Stratum>& strata) {
  for (const Stratum& s : strata) {
    if (!(s.weight >= 0) || std::isinf(s.weight)) throw std::invalid_argument("a stratum's weight");
    if (s.count < 0 || s.n < s.count || !(static_cast<double>(s.n) <= s.population)) {
      throw std::invalid_argument("a stratum needs 0 <= count <= n <= population");
    }
  }
}

}  // namespace

Proportion stratified(const std::vector<Stratum>& strata, double confidence) {
  check(strata);
  const double z = normal_quantile(0.5 + confidence / 2);
  Proportion result{0, 0, 0, 0, 0};
  double seen = 0;
  double unseen = 0;
  for (const Stratum& s : strata) {
    result.count += s.count;
    result.n += s.n;
    (s.n > 0 ? seen : unseen) += s.weight;
    if (s.n == 0) continue;
    const double part = s.weight * static_cast<double>(s.count) / static_cast<double>(s.n);
    result.value += part;
    if (static_cast<double>(s.n) == s.population) {
      result.low += part;
      result.high += part;
    }
  }
  if (seen > 0) result.value *= 1 + unseen / seen;
  result.high += unseen;
  for (const bool flipped : {false, true}) {
    std::vector<Term> terms = open_terms(strata, flipped);
    correct(terms);
    const std::vector<double> p = largest(terms, z * z);
    for (std::size_t i = 0; i < terms.size(); ++i) {
      (flipped ? result.low : result.high) += terms[i].weight * (flipped ? 1 - p[i] : p[i]);
    }
  }
  // Where both ends are known, their sums may differ from the estimate's in the last place.
  result.low = std::min(result.low, result.value);
  result.high = std::max(result.high, result.value);
  return result;
}

}  // namespace sagitta
