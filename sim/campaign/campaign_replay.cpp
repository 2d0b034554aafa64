// Campaign's trials one by one, for `sagitta replay`.
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "campaign/campaign.h"

namespace sagitta {
namespace {

std::vector<float> as_floats(const std::vector<std::int8_t>& codes) {
  return {codes.begin(), codes.end()};
}

}  // namespace

Replay Campaign::replay(int configuration, std::int64_t trial, const Store& store) {
  const int machine = machine_of(configuration);
  plan_trials(machine);  // of a study: -1, no machine
  const auto index = static_cast<std::size_t>(configuration);
  // As far as the store's trials tell.
  while (trial >= sources_[index].decided &&
         store.sums(configuration).runs >= sources_[index].decided && decide_more(index, store)) {
  }
  if (trial < 0 || trial >= sources_[index].decided) {
    throw InputError("--trial", "",
                     fmt::format("{} is not one of the {} trials of configuration {}", trial,
                                 sources_[index].decided, configuration),
                     "trials are counted from 0");
  }
  const int image = image_of(configuration, trial);
  const int label = images_.labels[static_cast<std::size_t>(image)];
  Replay replay;
  if (const int study = study_of(configuration); study >= 0) {
    FloatEngine engine(studies_[static_cast<std::size_t>(study)]);
    replay.clean = as_clean(engine.prepare(image, images_.image(image), label));
    replay.reference = engine.logits();
    replay.trial = engine.run_trial(trial, neurons_of(configuration, trial), true);
    replay.logits = engine.logits();
    return replay;
  }
  const MachinePlan& plan = machines_[static_cast<std::size_t>(machine)];
  replay.engine = std::make_unique<TrialEngine>(plan.program, *plan.network, Engine::machine);
  TrialEngine& engine = *replay.engine;
  engine.set_oracle(plan.scheme.oracle);
  replay.clean = engine.prepare(image, images_.image(image), label);
  replay.reference = as_floats(replay.clean.logits);
  replay.faults = faults_of(engine, configuration, trial);
  replay.trial = engine.run_trial(trial, replay.faults, true);
  if (const auto& sampler = sources_[index].sampler) {
    const Sampler::Point point = sampler->point(trial);
    replay.trial.stratum = point.stratum;
    replay.trial.weight = point.weight;
  }
  replay.logits = as_floats(engine.logits());
  return replay;
}

}  // namespace sagitta
