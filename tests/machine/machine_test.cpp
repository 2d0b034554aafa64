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

// Every combination of protection blocks with bounds that never fire: an idle scheme must change
// nothing.
Protection random_protection(Random& random) {
  Protection p;
  test::random_copies(random, p);
  p.checksum = random.chance(50);
  const auto granularity = [&] {
    return random.chance(50) ? Granularity::layer : Granularity::channel;
  };
  const auto gate = [&] { return p.checksum && random.chance(50) ? Gate::row : Gate::always; };
  for (const CheckerKind kind : {CheckerKind::range, CheckerKind::gradient, CheckerKind::range}) {
    if (random.chance(50)) p.checkers.emplace_back(kind, gate(), granularity());
  }
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

// Sizes left out (docs/formats.md): the smallest power of two that does, partial sums up to 1,024.
TEST(Memory, PartialSumsDefaultToTheLargestLayerUpToALimit) {
  const auto rows = [](int m, int n, Dataflow dataflow, std::int64_t asked = 0) {
    MemoryShape memory;
    memory.partial_rows = asked;
    const std::vector<std::int8_t> b(static_cast<std::size_t>(n));
    return compile_gemm(m, 1, n, b, {2, 2, dataflow}, memory, {}).memory.partial_rows;
  };
  EXPECT_EQ(rows(1, 100, Dataflow::ws), 1);  // pixels ...
  EXPECT_EQ(rows(8, 100, Dataflow::ws), 8);
  EXPECT_EQ(rows(9, 100, Dataflow::ws), 16);
  EXPECT_EQ(rows(513, 1, Dataflow::ws), 1024);
  EXPECT_EQ(rows(1025, 1, Dataflow::ws), 1024);
  EXPECT_EQ(rows(100, 9, Dataflow::is), 16);  // ... or channels
  EXPECT_EQ(rows(1, 2000, Dataflow::is), 1024);
  EXPECT_EQ(rows(2000, 1, Dataflow::ws, 3), 3);
  EXPECT_EQ(rows(9, 9, Dataflow::os), 0);
  EXPECT_EQ(rows(9, 9, Dataflow::os, 5), 0);
}

TEST(Memory, PartialSumsOfAMixtureSuitEachLayersDataflow) {
  Random random(1);
  Network network;  // 20 pixels: 3 channels, then 5, 2 and 9 of them
  network.input = {4, 5, 3};
  FeatureShape shape = network.input;
  for (const int channels : {5, 2, 9}) {
    Layer layer = test::random_gemm(random, {1, 1, shape.channels}, true);
    layer.name = std::to_string(channels);
    layer.input = shape;
    shape.channels = channels;
    layer.output = shape;
    layer.weights = random.int8s(layer.depth() * channels);
    layer.bias.assign(static_cast<std::size_t>(channels), 0);
    layer.scale.assign(static_cast<std::size_t>(channels), FixedScale{1, 0});
    network.layers.push_back(layer);
  }
  const auto rows = [&](std::map<std::string, Dataflow> layers, int batch) {
    const ArrayShape array{2, 2, Dataflow::os, false, std::move(layers)};
    return compile(network, array, {}, {}, "test", batch).memory.partial_rows;
  };
  EXPECT_EQ(rows({{"5", Dataflow::is}, {"2", Dataflow::is}}, 1), 8);
  EXPECT_EQ(rows({{"5", Dataflow::is}, {"2", Dataflow::ws}}, 1), 32);
  EXPECT_EQ(rows({{"5", Dataflow::is}, {"2", Dataflow::ws}}, 3), 64);
  EXPECT_EQ(rows({{"9", Dataflow::is}}, 3), 16) << "channels are those of every image";
}

// A bank of weights holds a column tile: of K rows, or (is) of every fold of every channel, on two
// rows here.
TEST(Memory, WeightRowsDefaultToTheLargestTile) {
  const auto rows = [](int k, int n, Dataflow dataflow) {
    const std::vector<std::int8_t> b(static_cast<std::size_t>(k) * n);
    return compile_gemm(1, k, n, b, {2, 2, dataflow}, {}, {}).memory.weight_rows;
  };
  EXPECT_EQ(rows(3, 40, Dataflow::os), 64) << "the least";
  EXPECT_EQ(rows(65, 40, Dataflow::os), 128);
  EXPECT_EQ(rows(65, 40, Dataflow::ws), 128);
  EXPECT_EQ(rows(9, 40, Dataflow::is), 256) << "5 folds of 40 channels";
  EXPECT_EQ(rows(9, 2000, Dataflow::is), 8192) << "5 folds of 1,024 channels";
}

}  // namespace
}  // namespace sagitta
