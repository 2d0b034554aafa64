// Trials of a store as text, one line each: docs/store.md has the columns.
#pragma once

#include <functional>
#include <string_view>

#include <nlohmann/json.hpp>

#include "campaign/store.h"
#include "campaign/trial.h"

namespace sagitta {

enum class ExportFormat : std::uint8_t { csv, jsonl };

// Hands the text to `write`, piece by piece: configuration by configuration, in the order of
// trials. It depends on the experiment alone, not on when, where or by how many it was run.
void export_trials(const Store& store, ExportFormat format,
                   const std::function<void(std::string_view)>& write);

// A fault of a register and what became of it: site, cycle, kind (flip, stuck0 or stuck1), last (of
// a stuck bit its last cycle; null: the run's, or a flip), fired, before, after.
nlohmann::ordered_json record_json(const SiteMap& sites, const FaultRecord& record);

// Trials that the experiment of the store asks of it, all configurations together.
std::int64_t trials_planned(const Store& store);

}  // namespace sagitta
