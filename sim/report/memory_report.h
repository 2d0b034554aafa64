// The sizes of a machine's memories, and who chose them.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "campaign/campaign.h"

namespace sagitta {

// {name: {size, default, area_um2}} of the memories that an experiment may leave to be sized:
// `asked` as the experiment has it, 0 where it does, `built` as the machine is.
nlohmann::ordered_json memory_json(const MemoryShape& asked, const MemoryShape& built,
                                   const AreaBill& area);

// From the "configurations" of a results document: a line for each memory sized by default that is
// larger than the array, once for all schemes.
std::string memory_notes(const nlohmann::ordered_json& configurations);

}  // namespace sagitta
