// A machine without a data path keeps the same time as the whole one.
#include <gtest/gtest.h>

#include "support/machine_cases.h"

namespace sagitta {
namespace {

using test::Random;

// The network's shapes alone.
Network without_values(Network network) {
  for (Layer& layer : network.layers) {
    layer.weights.clear();
    layer.bias.clear();
    layer.scale.clear();
  }
  return network;
}

void expect_same_time(const Machine& whole, const Machine& timing) {
  ASSERT_EQ(timing.cycle(), whole.cycle());
  ASSERT_EQ(timing.tiles().size(), whole.tiles().size());
  for (std::size_t i = 0; i < whole.tiles().size(); ++i) {
    const TileRecord& w = whole.tiles()[i];
    const TileRecord& t = timing.tiles()[i];
    ASSERT_EQ(std::tuple(t.layer, t.row, t.column, t.fold, t.start_cycle, t.end_cycle),
              std::tuple(w.layer, w.row, w.column, w.fold, w.start_cycle, w.end_cycle))
        << "tile " << i;
  }
  ASSERT_EQ(timing.counters().size(), whole.counters().size());
  for (std::size_t i = 0; i < whole.counters().size(); ++i) {
    LayerCounters expected = whole.counters()[i];
    expected.mismatches = expected.suppressed = 0;  // what values decide
    ASSERT_TRUE(test::same_counters(timing.counters()[i], expected)) << "layer " << i;
  }
}

// Every dataflow, scheme, memory timing; the whole machine has values, the other has none.
TEST(TimingOnly, EqualsTheWholeMachineInCyclesStallsTilesAndCounters) {
  std::int64_t stalls = 0;
  std::int64_t suppressed = 0;
  for (const test::ArrayVariant& flow : test::kFlows) {
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
      SCOPED_TRACE(flow.name() + " seed " + std::to_string(seed));
      Random random(52'000 + seed);
      const int rows = random.between(1, 12);
      const ArrayShape array =
          flow.with_overlap(seed % 2 == 1).shape(rows, random.between(1, 12), seed);
      const Network network = test::random_network(random, 5);
      const MemoryShape memory = test::random_memory(random, array);
      Protection protection = test::random_scheme(random, network, array);
      test::random_neurons(random, network, array, protection);
      const int batch = random.chance(60) ? 1 : random.between(2, 4);
      const auto image = random.int8s(batch * network.input.elements());
      const Program program = compile(network, array, memory, protection, "test", batch);
      Machine whole(program);
      whole.record_tiles(true);
      whole.reset(image.data());
      ASSERT_TRUE(whole.run(10'000'000));

      const Program shapes =
          compile(without_values(network), array, memory, protection, "test", batch);
      for (std::size_t t = 1; t < shapes.transfers.size(); ++t) {
        ASSERT_TRUE(shapes.transfers[t].bytes.empty());
        ASSERT_EQ(shapes.transfers[t].size, program.transfers[t].size);
      }
      Machine timing(shapes, DataPath::none);
      timing.record_tiles(true);
      timing.reset(nullptr);
      ASSERT_TRUE(timing.run(10'000'000));
      expect_same_time(whole, timing);
      for (const LayerCounters& c : whole.counters()) {
        stalls += c.stall_cycles();
        suppressed += c.suppressed;
      }
    }
  }
  EXPECT_GT(stalls, 0);
  EXPECT_GT(suppressed, 0) << "no scheme was at work";
}

// Not only in the end: every count at every cycle, so that each write falls into the same cycle.
TEST(TimingOnly, CountsTheSameInEveryCycle) {
  for (const test::ArrayVariant& flow : test::kFlows) {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      SCOPED_TRACE(flow.name() + " seed " + std::to_string(seed));
      Random random(55'000 + seed);
      const int rows = random.between(1, 8);
      const ArrayShape array = flow.shape(rows, random.between(1, 8), seed);
      const Network network = test::random_network(random, 3);
      const Program program = compile(network, array, test::random_memory(random, array),
                                      test::random_scheme(random, network, array), "test");
      const auto image = random.int8s(network.input.elements());
      Machine whole(program);
      Machine timing(program, DataPath::none);
      whole.reset(image.data());
      timing.reset(nullptr);
      while (!whole.done()) {
        whole.step();
        timing.step();
        expect_same_time(whole, timing);
        if (HasFatalFailure()) return;
      }
    }
  }
}

// Bare products keep int32 sums, whose way to the host takes other times.
TEST(TimingOnly, EqualsTheWholeMachineOnRawProducts) {
  for (const test::ArrayVariant& flow : test::kFlows) {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
      SCOPED_TRACE(flow.name() + " seed " + std::to_string(seed));
      Random random(53'000 + seed);
      const int rows = random.between(1, 12);
      const ArrayShape array =
          flow.with_overlap(seed % 2 == 1).shape(rows, random.between(1, 12), seed);
      const int m = random.between(1, 30);
      const int k = random.between(1, 30);
      const int n = random.between(1, 30);
      Protection p;
      test::random_detector(random, array, p);
      const Program program =
          compile_gemm(m, k, n, random.int8s(k * n), array, test::random_memory(random, array), p);
      const auto image = random.int8s(m * k);
      Machine whole(program);
      whole.record_tiles(true);
      whole.reset(image.data());
      ASSERT_TRUE(whole.run(10'000'000));
      Machine timing(program, DataPath::none);
      timing.record_tiles(true);
      timing.reset(nullptr);
      ASSERT_TRUE(timing.run(10'000'000));
      expect_same_time(whole, timing);
    }
  }
}

// A program without bytes on the whole machine: DRAM holds zeros.
TEST(TimingOnly, WithoutBytesDramHoldsZeros) {
  Random random(54'000);
  const Network network = without_values(test::random_network(random, 3));
  const Program program = compile(network, {4, 4}, {}, {}, "test");
  Machine machine(program);
  machine.reset(nullptr);
  while (!machine.done()) {
    const std::byte* now = machine.state().now();
    for (int i = 0; i < program.memory.dram_bytes_per_cycle; ++i) {
      ASSERT_EQ(machine.dma().data(now)[i], 0);
    }
    machine.step();
  }
  EXPECT_EQ(machine.logits().size(), static_cast<std::size_t>(network.classes()));
}

}  // namespace
}  // namespace sagitta
