#include "campaign/population.h"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <string>

#include "machine/machine.h"

namespace sagitta {

std::vector<PhaseSpan> phases_of(const Program& program) {
  Machine machine(program);
  const std::vector<std::int8_t> blank(static_cast<std::size_t>(program.input.elements()));
  machine.reset(blank.data());
  std::vector<PhaseSpan> phases;
  std::int64_t begin = 0;
  while (!machine.done()) {
    const Phase phase = machine.phase();
    const bool first = machine.pass() == 0;
    const bool again = machine.again();
    machine.step();
    if (machine.phase() == phase) continue;
    const bool counts = phase == Phase::flush ? !again : phase != Phase::verify && first;
    if (counts) phases.push_back({begin, machine.cycle()});
    begin = machine.cycle();
  }
  return phases;
}

CommonPopulation::CommonPopulation(const Program& base, const SiteMap& base_sites,
                                   const Program& target, const SiteMap& target_sites)
    : base_sites_(base_sites), base_phases_(phases_of(base)), target_phases_(phases_of(target)) {
  if (base_phases_.size() != target_phases_.size()) {
    throw std::logic_error("the two machines do not go through the same phases");
  }
  std::map<std::string, int> by_path;
  for (std::size_t i = 0; i < target_sites.classes().size(); ++i) {
    by_path[target_sites.classes()[i].path] = static_cast<int>(i);
  }
  for (const RegisterClass& c : base_sites.classes()) {
    auto it = by_path.find(c.path);
    if (it == by_path.end()) it = by_path.find(c.path + ".copy[]");
    if (it == by_path.end()) {
      throw std::logic_error("the protected machine has no register " + c.path);
    }
    const RegisterClass& target_class =
        target_sites.classes()[static_cast<std::size_t>(it->second)];
    classes_.push_back({it->second, c.extents, target_class.extents});
  }
}

Fault CommonPopulation::carry(const Fault& fault) const {
  const auto after =
      std::upper_bound(base_phases_.begin(), base_phases_.end(), fault.cycle,
                       [](std::int64_t cycle, const PhaseSpan& p) { return cycle < p.begin; });
  const auto phase = static_cast<std::size_t>(after - base_phases_.begin()) - 1;
  const PhaseSpan& carried_to = target_phases_[phase];
  const Target& target = classes_[static_cast<std::size_t>(fault.site.register_class)];
  Fault carried = fault;
  carried.cycle =
      std::min(carried_to.end - 1, carried_to.begin + (fault.cycle - base_phases_[phase].begin));
  if (fault.last >= 0 && fault.last != kToTheEnd) {
    carried.last = carried.cycle + (fault.last - fault.cycle);
  }
  carried.site.register_class = target.register_class;
  // The same indices; a class may be longer in the protected machine, and copies come last.
  std::vector<std::int64_t> indices(target.extents.size(), 0);
  std::int64_t rest = fault.site.element;
  for (std::size_t i = target.base_extents.size(); i-- > 0;) {
    indices[i] = rest % target.base_extents[i];
    rest /= target.base_extents[i];
  }
  carried.site.element = 0;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    carried.site.element = carried.site.element * target.extents[i] + indices[i];
  }
  return carried;
}

}  // namespace sagitta
