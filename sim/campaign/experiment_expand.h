// The cross product of an experiment's lists, and the way back into JSON.
#pragma once

#include <vector>

#include <nlohmann/json.hpp>

#include "campaign/experiment.h"
#include "campaign/experiment_source.h"

namespace sagitta {

// Configurations in the order rows, cols, dataflow, overlap, scheme, sites, population, upsets,
// options of models, model, trials, seed, list (the last one changes fastest), and the keys
// "array", "scheme" and "fault" that expand to the same again. Throws InputError when two schemes
// or two arrays cannot be told apart.
// NOLINTNEXTLINE(bugprone-exception-escape): the JSON library does not declare all of its moves
struct Expansion {
  std::vector<Configuration> configurations;
  nlohmann::ordered_json array, scheme, fault;
};

Expansion expand(const ExperimentSource& source);

}  // namespace sagitta
