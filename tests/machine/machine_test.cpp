// The clocked machine against the integer reference executor, bit for bit.
#include "machine/machine.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

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
  std::map<std::string, int> kinds;
  for (int seed = 0; seed < 2400; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(static_cast<std::uint64_t>(seed));
    const Network network = test::random_network(random, seed % 4 < 2 ? 4 : 8);
    const auto& variant =
        test::kVariants[static_cast<std::size_t>(seed) % std::size(test::kVariants)];
    const int rows = random.between(1, 9);
    const ArrayShape array =
        variant.shape(rows, random.between(1, 9), static_cast<std::uint64_t>(seed));
    MemoryShape memory;
    memory.dram_latency = random.between(0, 20);
    memory.dram_bytes_per_cycle = random.between(1, 40);
    if (random.chance(50)) memory.partial_rows = random.between(1, 12);
    test::random_banks(random, memory);
    const int batch = random.chance(60) ? 1 : random.between(2, 5);
    const Program program =
        compile(network, array, memory, random_protection(random), "test", batch);
    for (const Layer& layer : network.layers) {
      ++kinds[layer.kind == LayerKind::gemm && layer.groups > 1 ? "groups" : to_string(layer.kind)];
    }
    for (std::size_t i = 1; i < program.layers.size(); ++i) {  // each after each
      const auto gemm = static_cast<std::uint8_t>(LayerOperation::gemm);
      if (!program.array.mixed()) break;
      if (program.layers[i - 1].operation != gemm || program.layers[i].operation != gemm) continue;
      ++kinds[fmt::format("{} after {}", to_string(program.dataflow(i)),
                          to_string(program.dataflow(i - 1)))];
    }
    ++kinds[batch > 1 ? "batch" : "single"];
    ++kinds[std::to_string(program.activation_maps) + " maps"];
    Machine machine(program);
    for (int repeat = 0; repeat < 2; ++repeat) {
      std::vector<std::int8_t> images;
      std::vector<std::int8_t> expected;
      for (int i = 0; i < batch; ++i) {
        const auto image = random.int8s(network.input.elements());
        images.insert(images.end(), image.begin(), image.end());
        const auto output = run_network(network, image).back().output;
        expected.insert(expected.end(), output.begin(), output.end());
      }
      machine.reset(images.data());
      ASSERT_TRUE(machine.run(kBudget));
      ASSERT_EQ(machine.logits(), expected);
      ASSERT_EQ(machine.mismatches(), 0) << "false alarm";
      std::int64_t macs = 0;
      std::int64_t cycles = 0;
      for (const auto& c : machine.counters()) {
        macs += c.macs;
        cycles += c.cycles;
        ASSERT_GE(c.dram_stall_cycles, 0);
        if (c.bank_stall_cycles > 0) ++kinds["bank conflicts"];
      }
      std::int64_t expected_macs = 0;
      for (const auto& layer : network.layers) expected_macs += batch * layer.macs();
      ASSERT_EQ(macs, expected_macs);
      ASSERT_EQ(cycles, machine.cycle());
    }
  }
  for (const char* kind :
       {"gemm",           "groups",      "max_pool",    "average_pool", "add",
        "batch",          "single",      "2 maps",      "3 maps",       "4 maps",
        "bank conflicts", "os after os", "os after ws", "os after is",  "ws after os",
        "ws after ws",    "ws after is", "is after os", "is after ws",  "is after is"}) {
    EXPECT_GE(kinds[kind], 10) << kind;
  }
}

}  // namespace
}  // namespace sagitta
