#include "campaign/fault_classes.h"

#include <algorithm>
#include <bit>
#include <stdexcept>
#include <tuple>

#include "machine/machine.h"

namespace sagitta {
namespace {

// What decides whether a word is in use (Activity), but for how much of a transfer has arrived.
auto stretch_of(const Activity::Moment& m) {
  const auto phase = static_cast<Phase>(m.phase);
  return std::make_tuple(m.arriving, m.transfers, m.column_tile, m.layer, m.weight_bank, m.dataflow,
                         phase == Phase::done, phase == Phase::load || phase == Phase::store);
}

}  // namespace

FaultClasses::FaultClasses(const Program& program, const SiteSelection& selection, int images)
    : sites_(Machine(program).layout()),
      activity_(sites_, program),
      use_(program,
           [this](const Machine& machine) {
             moments_.push_back(Activity::moment(machine));
             layers_.push_back(machine.layer());
           }),
      runs_(selection.runs()),
      images_(images) {
  for (std::size_t t = 0; t < moments_.size(); ++t) {
    if (t == 0 || stretch_of(moments_[t]) != stretch_of(moments_[t - 1]) ||
        moments_[t].arrived < moments_[t - 1].arrived || layers_[t] != layers_[t - 1]) {
      stretches_.push_back(static_cast<std::int64_t>(t));
    }
  }
  const auto add = [this](const Part& part, std::int64_t bits) {
    parts_.push_back(part);
    cumulative_.push_back(of_image() + bits * part.classes_of_bit);
  };
  std::int64_t bits = 0;
  for (std::size_t r = 0; r < runs_.size(); ++r) {
    const SiteSelection::Run& run = runs_[r];
    const std::int64_t width = std::popcount(run.mask);
    bits += run.bits();
    const RegisterClass& registers = sites_.classes()[static_cast<std::size_t>(run.register_class)];
    if (!collapses(registers, run.register_class, run.first)) {
      add({r, run.first, use_.cycles(), false}, run.bits());
      continue;
    }
    for (std::int64_t e = run.first; e < run.first + run.count; ++e) {
      const auto ends = static_cast<std::int64_t>(ends_of(run.register_class, e).size());
      add({r, e, ends, true}, width);
    }
  }
  points_ = bits * use_.cycles() * images_;
}

// A word of a memory whose accesses are known, and whether it is in use without a machine.
bool FaultClasses::collapses(const RegisterClass& registers, int register_class,
                             std::int64_t element) const {
  return activity_.of_moment(register_class) && registers.element_bytes == 1 &&
         use_.knows(registers.offset + static_cast<std::size_t>(registers.place(element)));
}

// The last cycle of each interval of a word: in which it is accessed, or behind which it is no
// longer in use, or in use again, or another layer is at work.
std::vector<std::int64_t> FaultClasses::ends_of(int register_class, std::int64_t element) const {
  const RegisterClass& registers = sites_.classes()[static_cast<std::size_t>(register_class)];
  const std::size_t byte = registers.offset + static_cast<std::size_t>(registers.place(element));
  std::vector<std::int64_t> ends;
  for (MemoryUse::Access a = use_.next(byte, 0); a.cycle >= 0; a = use_.next(byte, a.cycle + 1)) {
    ends.push_back(a.cycle);
  }
  const auto in_use = [&](std::int64_t cycle) {
    return activity_.in_use(moments_[static_cast<std::size_t>(cycle)],
                            {register_class, element, 0});
  };
  bool used = in_use(0);
  for (std::size_t i = 0; i < stretches_.size(); ++i) {
    const std::int64_t begin = stretches_[i];
    const std::int64_t end = i + 1 < stretches_.size() ? stretches_[i + 1] : use_.cycles();
    const auto at = static_cast<std::size_t>(begin);
    const bool now = in_use(begin);
    if (i > 0 && (now != used || layers_[at] != layers_[at - 1])) ends.push_back(begin - 1);
    used = in_use(end - 1);
    if (used == now) continue;
    // In a stretch a word comes into use once, as it arrives.
    std::int64_t before = begin, after = end - 1;
    while (after - before > 1) {
      const std::int64_t middle = before + (after - before) / 2;
      (in_use(middle) == now ? before : after) = middle;
    }
    ends.push_back(before);
  }
  ends.push_back(use_.cycles() - 1);
  std::sort(ends.begin(), ends.end());
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
  return ends;
}

FaultClasses::Class FaultClasses::at(std::int64_t k) const {
  const std::int64_t each = of_image();
  if (each == 0 || k < 0 || k >= count()) throw std::invalid_argument("there is no such class");
  Class found;
  found.image = static_cast<int>(k / each);
  k %= each;
  const auto index = static_cast<std::size_t>(
      std::upper_bound(cumulative_.begin(), cumulative_.end(), k) - cumulative_.begin());
  if (index > 0) k -= cumulative_[index - 1];
  const Part& part = parts_[index];
  SiteSelection::Run run = runs_[part.run];
  if (run.mask == 0) throw std::logic_error("a selection has a run without bits");
  const std::int64_t of_bit = std::max<std::int64_t>(1, part.classes_of_bit);  // a run has cycles
  const std::int64_t place = k % of_bit;
  k /= of_bit;
  run.first = part.first;
  found.fault.site = run.at(k);
  found.fault.cycle = place;
  if (!part.intervals) return found;
  if (known_ != index) {
    ends_ = ends_of(run.register_class, part.first);
    known_ = index;
  }
  const auto interval = static_cast<std::size_t>(place);
  found.fault.cycle = ends_[interval];
  found.cycles = ends_[interval] - (interval == 0 ? -1 : ends_[interval - 1]);
  return found;
}

}  // namespace sagitta
