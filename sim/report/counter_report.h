// Counters as JSON and as tables. Their names, units and meanings come from base/counters.h.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/counters.h"

namespace sagitta {

LayerCounters sum(const std::vector<LayerCounters>& counters);

// {name: value}, counts first, then what is derived from them. `pes`: rows x columns.
nlohmann::ordered_json counters_json(const LayerCounters& c, double pes);
// {name: {unit, description, formula where it is derived}}.
nlohmann::ordered_json counter_meanings();

// One table for each group of counters, a row a layer, one for what is outside of layers and one
// for the run; columns in which nothing was counted are left out.
std::string counters_table(const std::vector<std::string>& layers,
                           const std::vector<LayerCounters>& counters, bool colour);
// Every counter with unit, meaning and formula.
std::string counter_meanings_table(bool colour);

}  // namespace sagitta
