// What is left out for speed changes nothing: idle blocks that skip their steps, unvoted copies
// that are known to be equal, and continuation from a snapshot.
#include <gtest/gtest.h>

#include "machine/machine.h"
#include "support/machine_cases.h"

namespace sagitta {
namespace {

using test::Random;

ArrayShape random_shape(Random& random, const test::ArrayVariant& variant) {
  const int rows = random.between(1, 9);
  const int columns = random.between(1, 9);
  return variant.shape(rows, columns, random.bits() % 1000);
}

std::int64_t clean_cycles(const test::MachineCase& c) {
  Machine machine(c.program);
  machine.reset(c.image.data());
  EXPECT_TRUE(machine.run(1'000'000));
  return machine.cycle();
}

class Shortcuts : public testing::TestWithParam<test::ArrayVariant> {};

INSTANTIATE_TEST_SUITE_P(Dataflows, Shortcuts, testing::ValuesIn(test::kVariants),
                         [](const auto& variant) { return variant.param.name(); });

// touch() says that the state may have been changed from outside, so nothing may be skipped.
TEST_P(Shortcuts, SkippedStepsAreExactInEveryCycleWithFaults) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(1000 + seed);
    const test::MachineCase c = test::random_case(random, random_shape(random, GetParam()));
    const std::int64_t clean = clean_cycles(c);
    Machine skipping(c.program);
    Machine whole(c.program);
    const SiteMap sites(skipping.layout());
    const auto faults = test::random_faults(random, sites, clean, random.between(0, 6));
    Injector strikes(sites, faults);
    Injector same_strikes(sites, faults);
    skipping.reset(c.image.data());
    whole.reset(c.image.data());
    const std::int64_t budget = 2 * clean + 100;  // a fault may make it hang
    while (!skipping.done() && skipping.cycle() < budget) {
      if (strikes.next_cycle() == skipping.cycle()) {
        strikes.strike(skipping.state(), skipping.cycle());
        skipping.touch();
        same_strikes.strike(whole.state(), whole.cycle());
      }
      whole.touch();
      skipping.step();
      whole.step();
      ASSERT_TRUE(test::same_state(skipping, whole)) << "cycle " << skipping.cycle();
    }
    ASSERT_EQ(test::difference(skipping, whole), "");
  }
}

// The part of a TMR array that skips is the vote over equal copies.
TEST_P(Shortcuts, UnvotedCopiesAreExactUnderManyFlips) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(5000 + seed);
    test::MachineCase c;
    c.network = test::random_network(random);
    c.image = random.int8s(c.network.input.elements());
    Protection p;
    p.pe_copies = PeCopies::all;
    const ArrayShape array = random_shape(random, GetParam());
    c.program = compile(c.network, array, test::random_memory(random, array), p, "test");
    const std::int64_t clean = clean_cycles(c);
    Machine skipping(c.program);
    Machine whole(c.program);
    const SiteMap sites(skipping.layout());
    const SiteSelection copies = sites.select("array.pe**", "", "");
    skipping.reset(c.image.data());
    whole.reset(c.image.data());
    while (!skipping.done() && skipping.cycle() <= clean) {
      if (random.chance(10)) {
        const Site s = copies.at(
            static_cast<std::int64_t>(random.bits() % static_cast<std::uint64_t>(copies.bits())));
        const auto& r = sites.classes()[static_cast<std::size_t>(s.register_class)];
        flip_bit(skipping.state(), r, s.element, s.bit);
        flip_bit(whole.state(), r, s.element, s.bit);
        skipping.touch();
      }
      whole.touch();
      skipping.step();
      whole.step();
      ASSERT_TRUE(test::same_state(skipping, whole)) << "cycle " << skipping.cycle();
    }
    ASSERT_EQ(test::difference(skipping, whole), "");
  }
}

// Runs from the current cycle to the end or `budget`, collecting every state on the way.
std::vector<std::vector<std::byte>> follow(Machine& machine, Injector& strikes,
                                           std::int64_t budget) {
  std::vector<std::vector<std::byte>> states;
  while (!machine.done() && machine.cycle() < budget) {
    test::run_with(machine, strikes, machine.cycle() + 1);
    states.push_back(test::state_of(machine));
  }
  return states;
}

TEST_P(Shortcuts, ASnapshotContinuesIdentically) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(9000 + seed);
    const test::MachineCase c = test::random_case(random, random_shape(random, GetParam()));
    const std::int64_t clean = clean_cycles(c);
    Machine machine(c.program);
    const SiteMap sites(machine.layout());
    machine.reset(c.image.data());
    // Late cycles as often as all others: in the last ones results are on their way to the host.
    const int cut = random.chance(50)
                        ? random.between(0, static_cast<int>(clean))
                        : static_cast<int>(clean) -
                              random.between(0, std::min<int>(12, static_cast<int>(clean)));
    machine.run(cut);
    Machine::Snapshot snapshot;
    machine.save(snapshot);
    ASSERT_TRUE(machine.equals(snapshot));
    std::vector<Fault> later;
    for (const Fault& f : test::random_faults(random, sites, clean, random.between(0, 3))) {
      if (f.cycle >= cut) later.push_back(f);
    }
    const std::int64_t budget = 2 * clean + 100;
    Injector first(sites, later);
    const auto expected = follow(machine, first, budget);

    // On the same machine, and on a fresh one that has run something else before.
    Machine other(c.program);
    const auto other_image = random.int8s(static_cast<int>(c.image.size()));
    other.reset(other_image.data());
    other.run(random.between(0, static_cast<int>(clean)));
    other.reset(c.image.data());
    Machine again(c.program);
    again.reset(c.image.data());
    again.run(clean);
    for (Machine* m : {&other, &again}) {
      m->restore(snapshot);
      ASSERT_EQ(m->cycle(), cut);
      ASSERT_TRUE(m->equals(snapshot));
      Injector strikes(sites, later);
      ASSERT_TRUE(follow(*m, strikes, budget) == expected);
      ASSERT_EQ(test::difference(*m, machine), "");
    }
    machine.restore(snapshot);
    Injector strikes(sites, later);
    ASSERT_TRUE(follow(machine, strikes, budget) == expected);
    ASSERT_EQ(test::difference(machine, other), "");
  }
}

}  // namespace
}  // namespace sagitta
