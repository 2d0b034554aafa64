// Campaign's samples: how many trials a configuration has, and which; what its rates are made of.
#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/interval.h"
#include "campaign/campaign.h"
#include "statistics/confidence_sequence.h"

namespace sagitta {
namespace {

// A sequence is looked at after this many trials, and then each time there are a fifth more: an
// image's fault-free run is done again for each look.
constexpr std::int64_t kFirstLook = 1000;
constexpr std::int64_t kMoreEachLook = 5;
constexpr double kMostTrials = 1e9;

}  // namespace

// Where the sample says how many, or the plan does.
void Campaign::count_trials(std::size_t configuration) {
  FaultPlan& f = experiment_.configurations[configuration].fault;
  TrialSource& source = sources_[configuration];
  const SamplePlan& sample = f.sample;
  const bool single = f.draws_events() && f.upsets == 1 && f.model == "seu";
  if (single) {
    source.population = static_cast<double>(source.sites.bits()) *
                        static_cast<double>(source.cycles) * images_.count();
  }
  const auto too_many = [&](double n) {
    if (n <= kMostTrials) return;
    throw InputError(
        experiment_.file, experiment_.configurations[configuration].fault_place + ".sample.error",
        fmt::format("{} at {} needs {:.1e} trials", sample.error, sample.confidence, n),
        fmt::format("{:.0e} are the most: widen it", kMostTrials));
  };
  if (sample.sequence) {
    too_many(sequence_size(sample.error, sample.confidence));
    source.planned = sequence_size(sample.error, sample.confidence) / 4;
    source.decided = kFirstLook;
    f.trials = source.decided;
    return;
  }
  if (sample.error > 0) {
    // More than one upset, other models, elements: the population is as good as infinite.
    const double z = normal_quantile((1 + sample.confidence) / 2);
    const double of_all = z * z / (4 * sample.error * sample.error);
    too_many(single ? std::min(of_all, source.population) : of_all);
    const double n = static_cast<double>(
        sample_size(single ? source.population : 1e300, sample.error, sample.confidence));
    f.trials = static_cast<std::int64_t>(n);
  }
  source.decided = f.trials;
}

// `program`, `engine`: of the machine whose fault space is sampled.
void Campaign::plan_sample(std::size_t configuration, const Program& program, TrialEngine& engine) {
  count_trials(configuration);
  FaultPlan& f = experiment_.configurations[configuration].fault;
  TrialSource& source = sources_[configuration];
  // Points of a finite population are drawn without replacement, as its size of a sample asks.
  const bool finite = f.sample.error > 0 && !f.sample.sequence && source.population > 0;
  if (f.sample.method == SamplePlan::Method::uniform && !finite) return;
  if (f.sample.method == SamplePlan::Method::exhaustive && source.hardening.thins()) {
    throw InputError(experiment_.file, "$.scheme",
                     "hardened cells that resist some upsets make a draw of each fault",
                     "use a hardened_factor of 0 or 1, or another sample than exhaustive");
  }
  SampledRun run;
  run.cycles = source.cycles;
  run.images = images_.count();
  if (f.sample.by.layer) {
    run.layer_begins = engine.layer_begins();
    for (const Layer& layer : network().layers) run.layer_names.push_back(layer.name);
  }
  source.sampler = make_sampler(experiment_, experiment_.configurations[configuration], program,
                                engine.sites(), source.sites, run);
  source.decided = source.sampler->trials();
  if (f.trials == 0) f.trials = source.decided;
}

std::vector<PlannedTrials> Campaign::planned() {
  plan_trials();
  std::vector<PlannedTrials> planned;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    planned.push_back({sources_[i].decided, experiment_.configurations[i].fault.sample.adapts(),
                       sources_[i].population});
  }
  return planned;
}

void Campaign::refuse_shards() const {
  if (store_options_.shard.whole()) return;
  for (const Configuration& c : experiment_.configurations) {
    if (!c.fault.sample.adapts()) continue;
    throw InputError(experiment_.file, "$.fault.sample",
                     "what comes next depends on all trials before it, which no part has",
                     "leave --shard out, or use a plan that is fixed: stop \"fixed\", allocation "
                     "\"proportional\"");
  }
}

// Once the trials that were decided are there: whether more are to be run.
bool Campaign::decide_more(std::size_t configuration, const Store& store) {
  FaultPlan& f = experiment_.configurations[configuration].fault;
  TrialSource& source = sources_[configuration];
  const int index = static_cast<int>(configuration);
  const std::int64_t before = source.decided;
  if (f.sample.sequence) {
    const OutcomeSums s = store.sums_of_strata(index, 0, before, 1).front();
    const Proportion sdc =
        confidence_sequence(s.count(is_sdc), s.trials, source.planned, f.sample.confidence);
    if ((sdc.high - sdc.low) / 2 > f.sample.error) {
      source.decided += (before + kMoreEachLook - 1) / kMoreEachLook;
    }
    f.trials = source.decided;
  } else if (source.sampler && before == source.sampler->pilots()) {
    std::vector<std::int64_t> events;
    for (const OutcomeSums& s :
         store.sums_of_strata(index, 0, before, source.sampler->strata().size())) {
      events.push_back(s.count(is_sdc));
    }
    source.sampler->allocate(events);
    source.decided = source.sampler->trials();
  }
  return source.decided != before;
}

std::int64_t Campaign::pilots_of(std::size_t configuration) const {
  if (configuration >= sources_.size()) return 0;  // not planned yet
  const auto& sampler = sources_[configuration].sampler;
  return sampler ? sampler->pilots() : 0;
}

FaultResult Campaign::result_of(std::size_t configuration) const {
  const TrialSource& source = sources_[configuration];
  const int index = static_cast<int>(configuration);
  std::vector<RatedStratum> strata{{}};
  if (source.sampler) {
    strata.clear();
    for (const Sampler::Stratum& s : source.sampler->strata()) {
      strata.push_back({s.weight, s.population, s.probability});
    }
  }
  FaultResult result;
  result.pilots = pilots_of(configuration);
  static_cast<TrialSums&>(result) = store_->sums(index, result.pilots);
  const std::size_t count = strata.size();
  result.rates = Rates(experiment_.configurations[configuration].fault.sample, std::move(strata),
                       source.planned);
  result.rates.set(store_->sums_of_strata(index, result.pilots, source.decided, count));
  result.population = source.population;
  result.sites = source.sites.bits();
  result.cycles = source.cycles;
  result.elements = source.elements;
  return result;
}

}  // namespace sagitta
