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

Replay Campaign::replay(int configuration, std::int64_t trial) {
  // Not read_plans(): one trial needs no room on the disk.
  if (sources_.empty()) with_origins(experiment_, [this] { read_sources(); });
  const Configuration& c = experiment_.configurations.at(static_cast<std::size_t>(configuration));
  if (trial < 0 || trial >= c.fault.trials) {
    throw InputError("--trial", "",
                     fmt::format("{} is not one of the {} trials of configuration {}", trial,
                                 c.fault.trials, configuration),
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
  const int machine = machine_of(configuration);
  plan_trials(machine);
  const MachinePlan& plan = machines_[static_cast<std::size_t>(machine)];
  replay.engine = std::make_unique<TrialEngine>(plan.program, *plan.network, Engine::machine);
  TrialEngine& engine = *replay.engine;
  engine.set_oracle(plan.scheme.oracle);
  replay.clean = engine.prepare(image, images_.image(image), label);
  replay.reference = as_floats(replay.clean.logits);
  replay.faults = faults_of(engine, configuration, trial);
  replay.trial = engine.run_trial(trial, replay.faults, true);
  replay.logits = as_floats(engine.logits());
  return replay;
}

}  // namespace sagitta
