// Trials of a store as text, one line each: docs/store.md has the columns.
#pragma once

#include <functional>
#include <string_view>

#include "campaign/store.h"

namespace sagitta {

enum class ExportFormat : std::uint8_t { csv, jsonl };

// Hands the text to `write`, piece by piece: configuration by configuration, in the order of
// trials. It depends on the experiment alone, not on when, where or by how many it was run.
void export_trials(const Store& store, ExportFormat format,
                   const std::function<void(std::string_view)>& write);

// Trials that the experiment of the store asks of it, all configurations together.
std::int64_t trials_planned(const Store& store);

}  // namespace sagitta
