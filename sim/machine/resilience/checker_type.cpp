#include "machine/resilience/checker_type.h"

#include <algorithm>
#include <stdexcept>

namespace sagitta {

// checker_list.inc, made by the build, names the files in checkers/.
#define SAGITTA_CHECKER(name) CheckerType name##_checker();
#include "checker_list.inc"
#undef SAGITTA_CHECKER

const std::vector<CheckerType>& checker_types() {
  static const std::vector<CheckerType> types = {
#define SAGITTA_CHECKER(name) name##_checker(),
#include "checker_list.inc"
#undef SAGITTA_CHECKER
  };
  return types;
}

const CheckerType& checker_type(const CheckerKind& kind) {
  const auto& types = checker_types();
  const auto found = std::find_if(types.begin(), types.end(),
                                  [&kind](const CheckerType& t) { return t.kind == kind; });
  if (found != types.end()) return *found;
  throw std::logic_error("there is no checker " + std::string(kind.name()));
}

void add_row_counter(const Checker& checker, std::vector<OperatorUse>& list) {
  if (checker.granularity != Granularity::neuron) return;
  list.push_back({"row of the bounds", OperatorUse::Kind::adder, 24, 1, false});
  list.push_back({"end of an image", OperatorUse::Kind::equality, 24, 1, false});
}

}  // namespace sagitta
