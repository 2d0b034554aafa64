#include "schedule/dataflow_use.h"

#include <algorithm>
#include <initializer_list>

namespace sagitta {

bool used_in(const std::string& register_path, Dataflow dataflow) {
  const std::string path = as_first_array(register_path);
  const auto starts = [&path](std::initializer_list<const char*> prefixes) {
    return std::any_of(prefixes.begin(), prefixes.end(),
                       [&path](const char* prefix) { return path.starts_with(prefix); });
  };
  if (starts({"array.pe", "resilience.checksum.pe"})) {
    if (path.find(".drain") != std::string::npos) return dataflow == Dataflow::os;
    if (path.find(".next") != std::string::npos) return dataflow != Dataflow::os;
  }
  if (starts({"array.load", "array.deskew", "control.tag", "memory.partial",
              "resilience.checksum.partial", "resilience.checksum.wait"})) {
    return dataflow != Dataflow::os;
  }
  if (starts({"control.next_row"})) return dataflow == Dataflow::ws;
  if (starts({"memory.parameter.wait", "vector.requantise.shift", "resilience.checksum.input_tree",
              "resilience.checksum.late"})) {
    return dataflow == Dataflow::is;
  }
  // Checksum weights: a stationary activation's sums are made in the machine.
  if (starts({"resilience.checksum.weight"})) return dataflow != Dataflow::is;
  return true;
}

}  // namespace sagitta
