#include "campaign/float_study.h"

#include <algorithm>

#include "base/error.h"
#include "campaign/campaign.h"

namespace sagitta {

std::string no_float_study(const Scheme& scheme) {
  const Protection& p = scheme.blocks;
  for (const Checker& c : p.checkers) {
    const std::string checker = std::string(c.kind.name()) + " checker";
    if (c.position == Position::output) return "its " + checker + " looks at int8 outputs";
    if (c.gate == Gate::cell) {
      return "its " + checker + " has the gate row-column, and real numbers have no checksums";
    }
    if (!FloatChecker::knows(c)) return "its " + checker + " has no rule for real numbers";
  }
  // All that is left of a protection without its checkers; their gates need no detector here.
  Protection plain;
  plain.name = p.name;
  plain.checkers = p.checkers;
  plain.checksum = !p.checkers.empty() && p.checksum;
  if (!(p == plain) || !scheme.hardened.empty()) return "it is registers or copies of hardware";
  return "";
}

void settle_float_plans(Experiment& experiment) {
  for (Configuration& c : experiment.configurations) {
    FaultPlan& f = c.fault;
    const bool listed =
        !f.list.empty() && f.of_registers() && read_fault_list(f.list).values == "fp32";
    if (listed) {
      f.level = "neuron";
      f.values = "fp32";
      f.population = "common";
    }
    if (!f.of_floats()) continue;
    const std::string why = no_float_study(c.scheme);
    if (why.empty()) continue;
    throw InputError(
        experiment.file, c.fault_place + (listed ? ".list" : ".values"),
        "fp32 is a study in software, in which scheme " + c.scheme.name + " has no place: " + why,
        "leave the scheme out, or use int32 or int8; in fp32 there are none, oracle and checkers "
        "of "
        "sums, among lanes or along lines, with the gates always, row and layer");
  }
}

}  // namespace sagitta
