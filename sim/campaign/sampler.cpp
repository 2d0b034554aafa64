#include "campaign/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/philox.h"
#include "campaign/fault_classes.h"
#include "campaign/trial.h"
#include "statistics/allocation.h"

namespace sagitta {
namespace {

// More than anybody runs, and what a plan may ask for.
constexpr std::int64_t kMostTrials = 1'000'000'000;

// Where `k` falls among pieces of these cumulative sizes, and its place in the piece.
std::pair<std::size_t, std::int64_t> piece(const std::vector<std::int64_t>& cumulative,
                                           std::int64_t k) {
  const auto at = static_cast<std::size_t>(
      std::upper_bound(cumulative.begin(), cumulative.end(), k) - cumulative.begin());
  return {at, at == 0 ? k : k - cumulative[at - 1]};
}

std::vector<std::int64_t> cumulative(std::vector<std::int64_t> sizes) {
  std::partial_sum(sizes.begin(), sizes.end(), sizes.begin());
  return sizes;
}

// Pilots take the strata's points from behind, the others from the front, so that a stratum can be
// exhausted by the latter.
class Stratified : public Sampler {
 public:
  Stratified(const FaultPlan& plan, SamplingPlan points) : plan_(plan), points_(std::move(points)) {
    std::vector<std::int64_t> pilots;
    for (const SampledStratum& s : points_.strata()) {
      strata_.push_back({s.name, static_cast<double>(s.population), s.weight, 1});
      pilots.push_back(plan.sample.neyman ? std::min(plan.sample.pilot, s.population) : 0);
    }
    pilot_ends_ = cumulative(pilots);
    pilots_ = pilot_ends_.back();
    if (pilots_ == 0) spread(std::vector<double>(strata_.size(), 1));
  }

  std::int64_t trials() const override { return pilots_ + (ends_.empty() ? 0 : ends_.back()); }

  void allocate(const std::vector<std::int64_t>& events) override {
    std::vector<double> deviations;
    for (std::size_t h = 0; h < strata_.size(); ++h) {
      const std::int64_t n = pilot_ends_[h] - (h == 0 ? 0 : pilot_ends_[h - 1]);
      deviations.push_back(pilot_deviation(events[h], n));
    }
    spread(deviations);
  }

  Point point(std::int64_t trial) const override {
    const bool pilot = trial < pilots_;
    const auto [h, k] = pilot ? piece(pilot_ends_, trial) : piece(ends_, trial - pilots_);
    const std::int64_t population = points_.strata()[h].population;
    const SampledPoint p = points_.draw(plan_.seed, h, pilot ? population - 1 - k : k);
    return {p.fault, static_cast<int>(p.image), static_cast<int>(h), 1};
  }

 private:
  void spread(const std::vector<double>& deviations) {
    std::vector<StratumPlan> plans;
    for (std::size_t h = 0; h < strata_.size(); ++h) {
      plans.push_back({strata_[h].weight, points_.strata()[h].population, deviations[h]});
    }
    ends_ = cumulative(neyman_allocation(plans, plan_.trials, plan_.sample.floor));
  }

  FaultPlan plan_;
  SamplingPlan points_;
  std::vector<std::int64_t> pilot_ends_, ends_;  // by stratum, cumulative
};

class Exhaustive : public Sampler {
 public:
  explicit Exhaustive(std::unique_ptr<FaultClasses> classes) : classes_(std::move(classes)) {
    strata_.push_back({"all", static_cast<double>(classes_->points()), 1, 1});
  }
  std::int64_t trials() const override { return classes_->count(); }
  Point point(std::int64_t trial) const override {
    const FaultClasses::Class c = classes_->at(trial);
    return {c.fault, c.image, 0, c.cycles};
  }

 private:
  std::unique_ptr<FaultClasses> classes_;
};

// A trial falls in a stratum with a probability of its choice, and in it on any point alike.
class Importance : public Sampler {
 public:
  Importance(const FaultPlan& plan, std::vector<SiteSelection> parts,
             const std::vector<double>& factors, const SampledRun& run)
      : seed_(plan.seed), trials_(plan.trials), run_(run), parts_(std::move(parts)) {
    double bits = 0;
    double drawn = 0;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      bits += static_cast<double>(parts_[i].bits());
      drawn += factors[i] * static_cast<double>(parts_[i].bits());
    }
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const auto mine = static_cast<double>(parts_[i].bits());
      const std::string name =
          i < plan.sample.emphasis.size() ? plan.sample.emphasis[i].sites : "others";
      strata_.push_back({name, mine * static_cast<double>(run.cycles * run.images), mine / bits,
                         factors[i] * mine / drawn});
    }
  }
  std::int64_t trials() const override { return trials_; }
  Point point(std::int64_t trial) const override {
    const auto k = static_cast<std::uint64_t>(trial);
    Stream site(seed_, k, Purpose::fault_site);
    Stream cycle(seed_, k, Purpose::fault_cycle);
    double u = site.unit();
    std::size_t h = 0;
    while (h + 1 < strata_.size() && u >= strata_[h].probability) u -= strata_[h++].probability;
    const auto bit = site.below(static_cast<std::uint64_t>(parts_[h].bits()));
    const auto at = cycle.below(static_cast<std::uint64_t>(run_.cycles));
    return {{parts_[h].at(static_cast<std::int64_t>(bit)), static_cast<std::int64_t>(at)},
            draw_image(seed_, trial, static_cast<int>(run_.images)),
            static_cast<int>(h),
            1};
  }

 private:
  std::uint64_t seed_;
  std::int64_t trials_;
  SampledRun run_;
  std::vector<SiteSelection> parts_;
};

// Of the selection what each emphasis names and none before it does, then the others.
std::unique_ptr<Sampler> make_importance(const Experiment& experiment,
                                         const Configuration& configuration, const SiteMap& sites,
                                         SiteSelection rest, const SampledRun& run) {
  const FaultPlan& plan = configuration.fault;
  std::vector<SiteSelection> parts;
  std::vector<double> factors;
  for (std::size_t i = 0; i < plan.sample.emphasis.size(); ++i) {
    const SamplePlan::Emphasis& e = plan.sample.emphasis[i];
    const std::string where =
        fmt::format("{}.sample.emphasis[{}].sites", configuration.fault_place, i);
    const SiteSelection others = rest.without(sites.select(e.sites, experiment.file, where));
    parts.push_back(rest.without(others));
    factors.push_back(e.factor);
    if (parts.back().bits() == 0) {
      throw InputError(
          experiment.file, where,
          fmt::format("'{}' has no bit that may be hit and is not named before it", e.sites),
          "remove it, or widen \"sites\" of the fault plan");
    }
    rest = others;
  }
  if (rest.bits() > 0) {
    parts.push_back(rest);
    factors.push_back(1);
  }
  return std::make_unique<Importance>(plan, std::move(parts), factors, run);
}

}  // namespace

std::unique_ptr<Sampler> make_sampler(const Experiment& experiment,
                                      const Configuration& configuration, const Program& program,
                                      const SiteMap& sites, const SiteSelection& selection,
                                      const SampledRun& run) {
  FaultPlan plan = configuration.fault;
  const auto fail = [&](const char* key, const std::string& problem, const std::string& remedy) {
    throw InputError(experiment.file, configuration.fault_place + ".sample." + key, problem,
                     remedy);
  };
  if (plan.sample.method == SamplePlan::Method::importance) {
    return make_importance(experiment, configuration, sites, selection, run);
  }
  if (plan.sample.method == SamplePlan::Method::exhaustive) {
    auto classes = std::make_unique<FaultClasses>(program, selection, static_cast<int>(run.images));
    if (classes->count() > kMostTrials) {
      fail("method",
           fmt::format("exhaustive means {:.1e} faults, {:.1e} of them in classes of their own",
                       static_cast<double>(classes->points()),
                       static_cast<double>(classes->count())),
           fmt::format("keep to {:.0e}: fewer \"sites\" or \"images\", a smaller array or network",
                       static_cast<double>(kMostTrials)));
    }
    return std::make_unique<Exhaustive>(std::move(classes));
  }
  if (plan.sample.method == SamplePlan::Method::uniform) {  // one stratum
    plan.sample.neyman = false;
    plan.sample.floor = 1;
  }
  SamplingPlan points(sites, selection, run, plan.sample.by);
  const auto strata = static_cast<std::int64_t>(points.strata().size());
  if (strata * plan.sample.floor > plan.trials) {
    fail("floor",
         fmt::format("{} strata with {} trials each are more than {} trials", strata,
                     plan.sample.floor, plan.trials),
         "ask for more trials, for fewer strata with \"by\", or for a lower \"floor\"");
  }
  double population = 0;
  for (const SampledStratum& s : points.strata()) population += static_cast<double>(s.population);
  if (population < static_cast<double>(plan.trials)) {
    fail("method", fmt::format("there are {:.0f} faults, and {} trials", population, plan.trials),
         "use \"exhaustive\", which runs each of them once");
  }
  return std::make_unique<Stratified>(plan, std::move(points));
}

}  // namespace sagitta
