// What became of single upsets by what they struck: register class, bit, layer, PE.
#pragma once

#include <nlohmann/json.hpp>

#include "campaign/campaign.h"

namespace sagitta {

// Of a configuration whose trials have one upset in a register each. Groups without a trial are
// left out; each has `trials` and, of these, `masked`, `corrected`, `tolerable`, `sdc`, `hang` and
// `uncorrected` (told to the host).
nlohmann::ordered_json breakdown(const Campaign& campaign, int configuration);

}  // namespace sagitta
