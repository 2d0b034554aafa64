// Which schemes a machine of which dataflows can have.
#pragma once

#include <string>

#include "schedule/program.h"

namespace sagitta {

// Throws InputError for a scheme that the array's dataflows have no place for, or whose chain does
// not follow the drain path. `where`: the file that asks for it.
void check_scheme(const Protection& protection, const ArrayShape& array, const std::string& where);

}  // namespace sagitta
