// A trial that was replayed, beside what the store holds of it: docs/formats.md has the document.
#pragma once

#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "campaign/campaign.h"

namespace sagitta {

// What the store holds of the trial; empty: nothing.
struct StoredTrial {
  std::optional<TrialResult> trial;
  std::optional<CleanResult> clean;  // of its image
  bool names_faults = false;         // otherwise only their numbers are there
};
StoredTrial find_stored(const Campaign& campaign, const Store& store, int configuration,
                        std::int64_t trial);

// `as_stored` in it is null where there is nothing to compare with. The road is not compared: it
// says what a result took, and a replay is always the whole run.
nlohmann::ordered_json replay_document(const Campaign& campaign, int configuration,
                                       const Replay& replay, const StoredTrial& stored);
std::string replay_text(const nlohmann::ordered_json& document);

}  // namespace sagitta
