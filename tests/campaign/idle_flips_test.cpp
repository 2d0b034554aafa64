// A flip that the fault model calls idle struck a register that was not in use: nothing that comes
// after may know of it. Every dataflow, overlap, banks and scheme; random flips of every register.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "campaign/activity.h"
#include "support/machine_cases.h"

namespace sagitta {
namespace {

using test::Random;

// Two runs that differ by a flip, step by step.
class Twins {
 public:
  Twins(const Program& program, const std::vector<std::int8_t>& image)
      : clean_(program), struck_(program), sites_(clean_.layout()) {
    clean_.reset(image.data());  // where DRAM has it
    struck_.reset(image.data());
    for (const RegisterClass& c : sites_.classes()) {
      const bool data = c.path.starts_with("memory.dma.data[]");
      if (c.path.starts_with("control.") || c.path.ends_with(".valid") ||
          (c.path.starts_with("memory.dma.") && !data)) {
        control_.push_back(&c);
      }
    }
  }

  const SiteMap& sites() const { return sites_; }

  // What becomes different after the flip, or nothing. `before`: the state in its cycle.
  std::string follow(const Machine::Snapshot& before, const Site& site) {
    clean_.restore(before);
    struck_.restore(before);
    const auto& registers = sites_.classes()[static_cast<std::size_t>(site.register_class)];
    flip_bit(struck_.state(), registers, site.element, site.bit);
    struck_.touch();
    while (!clean_.done()) {
      const std::string seen = visible();
      if (!seen.empty()) return seen + " in cycle " + std::to_string(clean_.cycle());
      clean_.step();
      struck_.step();
      if (test::same_state(clean_, struck_)) break;  // so is all that follows
    }
    return test::difference(clean_, struck_);
  }

 private:
  // Control, sums as the biases are added, results as they are written.
  std::string visible() {
    for (const RegisterClass* c : control_) {
      for (std::int64_t e = 0; e < c->elements(); ++e) {
        if (read_register(clean_.state(), *c, e) != read_register(struck_.state(), *c, e)) {
          return c->path;
        }
      }
    }
    const int lanes = clean_.sequencer().lanes(clean_.control());
    const auto same = [lanes](const auto& a, const auto& b) {
      return !a.valid || (a.address == b.address && std::equal(a.value, a.value + lanes, b.value));
    };
    const std::byte* clean = clean_.state().now();
    const std::byte* struck = struck_.state().now();
    if (!same(clean_.vector().sums(clean), struck_.vector().sums(struck))) return "sums";
    if (!same(clean_.vector().output(clean), struck_.vector().output(struck))) return "outputs";
    if (!same(clean_.written(), struck_.written())) return "results";
    return "";
  }

  Machine clean_, struck_;
  SiteMap sites_;
  std::vector<const RegisterClass*> control_;
};

class IdleFlips : public testing::TestWithParam<test::ArrayVariant> {};

INSTANTIATE_TEST_SUITE_P(Dataflows, IdleFlips, testing::ValuesIn(test::kVariants),
                         [](const auto& variant) { return variant.param.name(); });

// Strikes a machine `flips` times, each time on its own, where `strikes` says so; how many of the
// flips were idle.
template <typename Strikes>
int follow_idle_flips(const test::MachineCase& c, Random& random, int flips, Strikes strikes) {
  Twins twins(c.program, c.image);
  const Activity activity(twins.sites(), c.program);
  Machine machine(c.program);
  machine.reset(c.image.data());
  EXPECT_TRUE(machine.run(1'000'000));
  auto faults = test::random_faults(random, twins.sites(), machine.cycle(), flips);
  std::erase_if(faults, [&](const Fault& f) { return !strikes(twins.sites().path(f.site)); });
  std::sort(faults.begin(), faults.end(),
            [](const Fault& a, const Fault& b) { return a.cycle < b.cycle; });
  machine.reset(c.image.data());
  Machine::Snapshot before;
  int idle = 0;
  for (const Fault& f : faults) {
    machine.run(f.cycle);
    if (activity.in_use(machine, f.site)) continue;
    ++idle;
    machine.save(before);
    EXPECT_EQ(twins.follow(before, f.site), "") << twins.sites().path(f.site) << "@" << f.cycle;
  }
  return idle;
}

TEST_P(IdleFlips, ChangeNothingThatFollows) {
  constexpr int kMachines = 25;
  constexpr int kFlips = 200;  // of each machine, idle or not
  int idle = 0;
  for (std::uint64_t seed = 0; seed < kMachines; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(90'000 + seed);
    const int rows = random.between(1, 5);
    const test::MachineCase c =
        test::random_case(random, GetParam().shape(rows, random.between(1, 5), seed));
    idle += follow_idle_flips(c, random, kFlips, [](const std::string&) { return true; });
  }
  // About half of the registers have nothing to do at a random time.
  EXPECT_GT(idle, kMachines * kFlips / 5);
}

// Chains of checkers, which random machines seldom have in full.
TEST_P(IdleFlips, OfCheckersChangeNothingThatFollows) {
  int idle = 0;
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(95'000 + seed);
    const ArrayShape array = GetParam().shape(random.between(1, 4), random.between(1, 5), seed);
    test::MachineCase c;
    c.network = test::random_network(random);
    c.image = random.int8s(c.network.input.elements());
    Protection p;
    p.checksum = true;
    for (const CheckerKind kind :
         {CheckerKind::gradient, CheckerKind::range, CheckerKind::median, CheckerKind::gradient}) {
      p.checkers.push_back(test::random_checker(random, c.network, kind, false));
    }
    p.checkers[1].gate = p.checkers[3].gate = Gate::layer;
    if (!array.has(Dataflow::is)) {
      p.checkers[0].axis = Axis::line;
      p.checkers[3].axis = Axis::map;
    }
    test::random_neurons(random, c.network, array, p);
    c.program = compile(c.network, array, test::random_memory(random, array), p, "test");
    idle += follow_idle_flips(c, random, 800, [](const std::string& path) {
      return path.starts_with("resilience.") && !path.starts_with("resilience.checksum");
    });
  }
  EXPECT_GT(idle, 500);
}

}  // namespace
}  // namespace sagitta
