// The one shape of the RTL that this program was built with (see CMakeLists.txt).
#pragma once

#include <memory>

#include "cosim/rtl_model.h"
#include "cosim/shape.h"

namespace sagitta::cosim {

Shape built_shape();
std::unique_ptr<RtlModel> built_model();

}  // namespace sagitta::cosim
