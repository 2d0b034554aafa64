// Late data change cycle counts and nothing else: DRAM that pauses at random leaves every value,
// every useful operation and every word written as it is.
#include <string_view>

#include <gtest/gtest.h>

#include "network/reference.h"
#include "support/machine_cases.h"

namespace sagitta {
namespace {

using test::Random;

// Runs with pauses in `percent` of the cycles.
void run_with_pauses(Machine& machine, Random& random, int percent) {
  while (!machine.done() && machine.cycle() < 10'000'000) {
    machine.dma().set_dram_ready(!random.chance(percent));
    machine.step();
  }
  machine.dma().set_dram_ready(true);
  ASSERT_TRUE(machine.done());
}

// What happened, less the waiting; and without DMA, which may bring a layer's weights in this layer
// or in the one before.
LayerCounters without_waiting(LayerCounters c) {
  c.cycles -= c.dram_stall_cycles;
  c.dram_stall_cycles = 0;
  for (const Counter& counter : counters()) {
    if (std::string_view(counter.group) == "dma") c.*counter.member = 0;
  }
  return c;
}

std::int64_t dma_bytes(const Machine& machine) {
  std::int64_t n = 0;
  for (const LayerCounters& c : machine.counters()) n += c.dma_bytes;
  return n;
}

TEST(Stalls, ChangeNoValueAndNoCountButTime) {
  int longer = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(60'000 + seed);
    const int rows = random.between(1, 9);
    const ArrayShape array =
        test::kVariants[seed % std::size(test::kVariants)].shape(rows, random.between(1, 9), seed);
    const test::MachineCase c = test::random_case(random, array);
    Machine steady(c.program);
    steady.reset(c.image.data());
    ASSERT_TRUE(steady.run(10'000'000));
    Machine machine(c.program);
    for (const int percent : {20, 90}) {
      machine.reset(c.image.data());
      run_with_pauses(machine, random, percent);
      ASSERT_EQ(machine.logits(), steady.logits());
      ASSERT_EQ(machine.raw_output(), steady.raw_output());
      ASSERT_GE(machine.cycle(), steady.cycle());
      longer += percent == 90 && machine.cycle() > steady.cycle() ? 1 : 0;
      ASSERT_EQ(machine.suppressions().size(), steady.suppressions().size());
      ASSERT_EQ(dma_bytes(machine), dma_bytes(steady));
      for (std::size_t i = 0; i + 1 < steady.counters().size(); ++i) {
        ASSERT_TRUE(test::same_counters(without_waiting(machine.counters()[i]),
                                        without_waiting(steady.counters()[i])))
            << "layer " << i;
      }
    }
  }
  EXPECT_GT(longer, 380) << "of 400: frequent pauses should show nearly always";
}

// A machine that is never given a beat waits, and goes on when it is.
TEST(Stalls, TheMachineWaitsAsLongAsItTakes) {
  Random random(1);
  const auto image = random.int8s(4 * 6);
  const Program program = compile_gemm(4, 6, 5, random.int8s(6 * 5), {4, 4}, {}, {});
  Machine machine(program);
  machine.reset(image.data());
  machine.dma().set_dram_ready(false);
  EXPECT_FALSE(machine.run(5000));
  EXPECT_EQ(machine.phase(), Phase::wait);
  machine.dma().set_dram_ready(true);
  EXPECT_TRUE(machine.run(10'000));
  EXPECT_EQ(machine.counters()[0].macs, 4 * 6 * 5);
}

}  // namespace
}  // namespace sagitta
