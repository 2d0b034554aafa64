// The clocked machine against the integer reference executor, bit for bit.
#include "machine/machine.h"

#include <gtest/gtest.h>

#include "network/reference.h"
#include "support/machine_cases.h"

namespace sagitta {
namespace {

using test::Random;

constexpr std::int64_t kBudget = 10'000'000;

Checker wide_open(Granularity granularity, Gate gate) {
  Checker c;
  c.present = true;
  c.granularity = granularity;
  c.gate = gate;
  return c;
}

// Every combination of protection blocks with bounds that never fire: an idle scheme must change
// nothing.
Protection random_protection(Random& random) {
  Protection p;
  p.tmr_pe = random.chance(30);
  p.checksum = random.chance(50);
  const auto granularity = [&] {
    return random.chance(50) ? Granularity::layer : Granularity::channel;
  };
  const auto gate = [&] { return p.checksum && random.chance(50) ? Gate::row : Gate::always; };
  if (random.chance(50)) p.range = wide_open(granularity(), gate());
  if (random.chance(50)) p.gradient = wide_open(granularity(), gate());
  return p;
}

TEST(Machine, EqualsReferenceOnRandomNetworksArraysAndSchemes) {
  for (int seed = 0; seed < 1200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(static_cast<std::uint64_t>(seed));
    const Network network = test::random_network(random);
    const auto& variant =
        test::kVariants[static_cast<std::size_t>(seed) % std::size(test::kVariants)];
    const int rows = random.between(1, 9);
    const ArrayShape array = variant.shape(rows, random.between(1, 9));
    MemoryShape memory;
    memory.dram_latency = random.between(0, 20);
    memory.dram_bytes_per_cycle = random.between(1, 40);
    if (random.chance(50)) memory.partial_rows = random.between(1, 12);
    const Program program = compile(network, array, memory, random_protection(random), "test");
    Machine machine(program);
    for (int repeat = 0; repeat < 2; ++repeat) {
      const auto image = random.int8s(network.input.elements());
      machine.reset(image.data());
      ASSERT_TRUE(machine.run(kBudget));
      const auto expected = run_network(network, image);
      ASSERT_EQ(machine.logits(), expected.back().output);
      ASSERT_EQ(machine.mismatches(), 0) << "false alarm";
      std::int64_t macs = 0;
      std::int64_t cycles = 0;
      for (const auto& c : machine.counters()) {
        macs += c.macs;
        cycles += c.cycles;
        ASSERT_GE(c.stall_cycles, 0);
      }
      std::int64_t expected_macs = 0;
      for (const auto& layer : network.layers) expected_macs += layer.macs();
      ASSERT_EQ(macs, expected_macs);
      ASSERT_EQ(cycles, machine.cycle());
    }
  }
}

}  // namespace
}  // namespace sagitta
