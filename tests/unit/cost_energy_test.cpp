// The energy bill of small machines, item by item: how often each thing happens, counted by hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <tuple>

#include "cost/components.h"
#include "cost/cost.h"
#include "support/costed.h"
#include "support/random_network.h"

namespace sagitta {
namespace {

using test::Costed;
using test::energy_item;
using test::gemm;
using test::with;

double count_of(const Costed& c, const char* block, const char* unit, const char* what) {
  return energy_item(c.energy, block, unit, what).count;
}

bool has_rotator(const Costed& c) {
  return std::any_of(c.energy.items.begin(), c.energy.items.end(),
                     [](const EnergyItem& i) { return i.what.starts_with("beat rotator"); });
}

// A 2 x 2 window over a 2 x 2 map: one output pixel of four taps.
Program pooling(int channels, const ArrayShape& array, const MemoryShape& memory = {}) {
  Network network;
  network.input = {2, 2, channels};
  Layer pool;
  pool.name = "pool";
  pool.kind = LayerKind::max_pool;
  pool.input = network.input;
  pool.window.kernel_h = pool.window.kernel_w = 2;
  pool.output = {1, 1, channels};
  network.layers.push_back(pool);
  return compile(network, array, memory, {}, "test");
}

// Layers "a" and "b", each a product of 4 channels by 4 for every pixel.
Network two_layers(int pixels) {
  test::Random random(1);
  Network network;
  network.input = {1, pixels, 4};
  for (const char* name : {"a", "b"}) {
    Layer layer = test::random_gemm(random, network.input, true);
    layer.name = name;
    layer.window = {};
    layer.input = layer.output = network.input;
    layer.weights = random.int8s(16);
    layer.bias.assign(4, 0);
    layer.scale.assign(4, FixedScale{1, 0});
    network.layers.push_back(layer);
  }
  return network;
}

TEST(CostEnergyItems, EveryColumnTileWaitsForTheDramLatency) {
  MemoryShape memory;
  memory.dram_latency = 5;
  const Costed c(gemm(2, 2, 4, {2, 2}, {}, memory));  // two column tiles
  EXPECT_EQ(count_of(c, "memory", "dma", "latency: 16-bit adder"), 2 * 5);
  EXPECT_EQ(count_of(c, "memory", "dma", "latency end: 16-bit comparator"), 2 * 5);
}

// Beats of 16 bytes fall into place where both a row of weights and the parameters in front of
// them are whole beats; a rotator of 16 places has four stages.
TEST(CostEnergyItems, ARotatorTurnsBeatsUnlessRowsAndParametersAreWholeOnes) {
  const Costed whole(gemm(2, 2, 16, {2, 16}, {}));  // rows of 16, 8 x 16 bytes of parameters
  EXPECT_FALSE(has_rotator(whole));
  const char* const rotator = "beat rotator: 128-bit 2-to-1 multiplexer";
  // Two bounds of 4 bytes more: 136 bytes of parameters and 2 rows of 16 are 11 beats; the image
  // is one.
  const Costed parameters(gemm(2, 2, 16, {2, 16}, with(false, true, false)));
  EXPECT_EQ(count_of(parameters, "memory", "dma", rotator), (1 + 11) * 4);
  // 16 bytes of parameters are one beat, but rows have 2 bytes.
  const Costed rows(gemm(2, 2, 2, {2, 2}, {}));
  EXPECT_EQ(count_of(rows, "memory", "dma", rotator), (1 + 2) * 4);
}

TEST(CostEnergyItems, APoolTapReadsAWideWord) {
  const Costed c(pooling(2, {2, 2}));
  // Four taps and one row of results, 2 x 8 bits each.
  EXPECT_EQ(count_of(c, "memory", "activation", "SRAM bit read"), (4 + 1) * 16);
  // Three channels on two columns: each tap is read in two tiles, and the results in two rows.
  const Costed wider(pooling(3, {2, 2}));
  EXPECT_EQ(count_of(wider, "memory", "activation", "SRAM bit read"), (2 * 4 + 2) * 16);
}

// A map of 2 x 2 pixels of 2 channels is 8 elements, 2 words of 4; the result is half of one.
TEST(CostEnergyItems, BanksReadWholeWords) {
  MemoryShape memory;
  memory.activation_banks = 2;
  memory.activation_port_bytes = 4;
  const Costed c(pooling(2, {2, 2}, memory));
  // Four taps and one row of results, a word of 32 bits each.
  EXPECT_EQ(count_of(c, "memory", "activation", "SRAM bit read"), (4 + 1) * 32);
  EXPECT_EQ(count_of(c, "memory", "activation", "SRAM bit written"), (8 + 2) * 8);
  // Each word is that of one of two readers.
  EXPECT_EQ(count_of(c, "memory", "activation", "word of a bank: 32-bit 2-to-1 multiplexer"), 5);
  // Two rows read 2 pixels of 2 channels: elements 0 and 2, then 1 and 3, one word each time.
  const Costed product(gemm(2, 2, 2, {2, 2}, {}, memory));
  EXPECT_EQ(count_of(product, "memory", "activation", "SRAM bit read"), 2 * 32);
  EXPECT_EQ(count_of(product, "memory", "activation", "crossbar: 8-bit 2-to-1 multiplexer"),
            4 * (2 * 4 - 1));
  EXPECT_EQ(count_of(product, "memory", "activation", "word served: 32-bit equality comparator"),
            4);
  // Sixteen lanes beside two rows.
  const Costed wide(pooling(16, {2, 16}, memory));
  EXPECT_EQ(count_of(wide, "memory", "activation", "crossbar, lanes: 8-bit 2-to-1 multiplexer"),
            4 * 16 * (2 * 4 - 1));
  // Four taps of two lanes that share the rows' multiplexers: the energy is theirs all the same.
  EXPECT_EQ(count_of(c, "memory", "activation", "crossbar, lanes: 8-bit 2-to-1 multiplexer"),
            4 * 2 * (2 * 4 - 1));
  EXPECT_EQ(count_of(c, "memory", "activation", "word served, lanes: 32-bit equality comparator"),
            4 * 2);
}

// A sequencer that waits for banks does no more than one that does not have to.
TEST(CostEnergyItems, CyclesThatWaitForBanksTakeNoControlEnergy) {
  MemoryShape bytes;
  bytes.activation_banks = bytes.activation_port_bytes = 1;
  const Costed ideal(pooling(2, {2, 2}));
  const Costed waits(pooling(2, {2, 2}, bytes));
  // Each of four taps and the row of results takes two cycles in place of one; the row's beat has
  // no more cycles than that by itself.
  EXPECT_EQ(waits.machine.cycle() - ideal.machine.cycle(), 4 + 1);
  EXPECT_EQ(count_of(waits, "control", "sequencer", "cycle count: 24-bit adder"),
            count_of(ideal, "control", "sequencer", "cycle count: 24-bit adder"));
}

// As many readers as `pending` has bits, in a mixture too: two rows, or four columns.
TEST(CostArea, BanksHaveACrossbarForEveryReaderOnce) {
  const Network network = two_layers(6);
  MemoryShape memory;
  memory.activation_banks = 2;
  memory.activation_port_bytes = 4;
  const auto readers = [&](const ArrayShape& array) {
    const Costed c(compile(network, array, memory, {}, "test"));
    double multiplexers = 0;
    double comparators = 0;
    for (const Component& k :
         components_of(c.program, c.machine.layout().classes(), test::tech())) {
      if (k.purpose.starts_with("crossbar")) multiplexers += k.instances;
      if (k.purpose.starts_with("word served")) comparators += k.instances;
    }
    EXPECT_EQ(multiplexers, comparators * (2 * 4 - 1));
    return comparators;
  };
  for (const Dataflow dataflow : {Dataflow::os, Dataflow::is}) {
    EXPECT_EQ(readers({2, 4, dataflow}), 4);
    EXPECT_EQ(readers({4, 2, dataflow}), dataflow == Dataflow::os ? 4 : 2);
  }
  EXPECT_EQ(readers({2, 4, Dataflow::os, false, {{"b", Dataflow::is}}}), 4);
  EXPECT_EQ(readers({4, 2, Dataflow::os, false, {{"b", Dataflow::is}}}), 4);
}

// What a mixture has is as long as the longest of its dataflows needs: four lanes, where the two
// rows of an output-stationary layer would do. What a layer has no use for takes nothing in it.
TEST(CostEnergyItems, LayersOfAMixtureLoadTheLanesThatTheyUse) {
  const ArrayShape array{2, 4, Dataflow::os, false, {{"b", Dataflow::is}}};
  const Costed c(compile(two_layers(8), array, {}, {}, "test"));
  const auto toggles = [&](const char* block, const char* unit) {
    return count_of(c, block, unit, "flip-flop toggle");
  };
  // Output stationary: four tiles of two pixels, four taps deep. Input stationary: two tiles of
  // four pixels in two folds of two taps each, and four channels stream through each fold.
  constexpr int kFeeds = 4 * 4, kPreloads = 2 * 2 * 2, kStreams = 2 * 2 * 4;
  // 8 bits, of which half change. Lane i has i skew registers.
  EXPECT_DOUBLE_EQ(toggles("array", "skew_a"), 4 * (1 * kFeeds + (1 + 2 + 3) * kPreloads));
  EXPECT_DOUBLE_EQ(toggles("array", "skew_b"), 4 * ((1 + 2 + 3) * kFeeds + 1 * kStreams));
  EXPECT_DOUBLE_EQ(toggles("memory", "weight"), 4 * (4 * kFeeds + 2 * kStreams));
  // The results leave in eight beats of four.
  EXPECT_DOUBLE_EQ(toggles("memory", "activation"), 4 * (2 * kFeeds + 4 * kPreloads + 4 * 8));
  // Three words, in setup and for every tile.
  EXPECT_DOUBLE_EQ(toggles("control", "position"), 16 * 3 * (2 * (1 + 4) + 4 * (1 + 2)));
}

TEST(CostEnergyItems, ThePoolRegistersAreLoadedInTheValidLanes) {
  const Costed c(pooling(3, {2, 2}));
  // Four taps with two lanes in use, four with one: six loads' worth of two registers of 8 bits,
  // and half of the bits change.
  EXPECT_EQ(count_of(c, "vector", "pool", "flip-flop toggle"), 0.5 * 16 * (4 * 2 + 4 * 1) / 2);
  EXPECT_EQ(count_of(c, "vector", "lane", "pool maximum: 8-bit comparator"), 4 * 2 + 4 * 1);
}

TEST(CostEnergyItems, TheActivationMemoryTakesTheWholeImageAndTheOutputs) {
  const Costed product(gemm(2, 2, 2, {2, 2}, {}));  // raw sums go elsewhere
  EXPECT_EQ(count_of(product, "memory", "activation", "SRAM bit written"), 4 * 8);
  const Costed pool(pooling(2, {2, 2}));
  EXPECT_EQ(count_of(pool, "memory", "activation", "SRAM bit written"), (8 + 2) * 8);
}

TEST(CostEnergyItems, EveryColumnTileBringsParametersAndWeights) {
  const Costed c(gemm(2, 2, 4, {2, 2}, {}));
  // Two tiles of 2 lanes x 2 words; 2 rows of 2 weights.
  EXPECT_EQ(count_of(c, "memory", "parameter", "SRAM bit written"), 2 * 2 * 2 * 32);
  EXPECT_EQ(count_of(c, "memory", "weight", "SRAM bit written"), 2 * 2 * 2 * 8);
  const Costed checksum(gemm(2, 2, 4, {2, 2}, with(true, false, false)));
  // The sum of the biases is one word a tile; a checksum weight has 9 bits.
  EXPECT_EQ(count_of(checksum, "memory", "parameter", "SRAM bit written"), 2 * (2 * 2 + 1) * 32);
  EXPECT_EQ(count_of(checksum, "resilience", "checksum", "SRAM bit written"), 2 * 2 * 9);
  EXPECT_EQ(count_of(checksum, "resilience", "checksum", "SRAM bit read"), 2 * 2 * 9);
}

// Not square, so that lanes are not taken for rows.
TEST(CostEnergyItems, LanesTakeTheirParametersOnceAColumnTile) {
  const Costed c(gemm(2, 2, 4, {2, 3}, {}));  // two tiles
  EXPECT_EQ(count_of(c, "memory", "parameter", "SRAM bit read"), 2 * 3 * 64);
  EXPECT_EQ(count_of(c, "memory", "parameter", "bank select: 64-bit 2-to-1 multiplexer"), 2 * 3);
  const Costed tall(gemm(2, 2, 4, {3, 2}, {}));
  EXPECT_EQ(count_of(tall, "memory", "parameter", "SRAM bit read"), 2 * 2 * 64);
}

TEST(CostEnergyItems, RowPositionsAreLoadedInSetupAndWithEveryRowTile) {
  const Costed c(gemm(5, 3, 4, {2, 2}, {}));
  // Two column tiles of three row tiles: six loads and two setups of 2 rows x 3 words.
  EXPECT_EQ(count_of(c, "control", "row", "flip-flop enable"), 2 * 96 * (2 * 3 + 2));
  EXPECT_EQ(count_of(c, "control", "row", "flip-flop toggle"), 0.5 * 2 * 96 * (2 * 3 + 2));
}

// docs/machine.md: with 64 cycles of latency the image is there in cycle 1 + 64 + 1 = 66. The
// weights are asked for a cycle after it, and their two beats follow its one: the wait that begins
// in cycle 1 ends with cycle 68, a stall of 67. Setup is 2 cycles, the tile 2 + 2 x 2 + 2 - 2,
// flush 5, loads 2, the store 2 beats and 64.
TEST(CostEnergyItems, ControlRestsInAStall) {
  const Costed c(gemm(2, 2, 2, {2, 2}, {}));
  constexpr int kStall = 67;
  constexpr int kActive = 1 + 2 + 6 + 5 + 2 + 2 + 64;
  ASSERT_EQ(c.machine.cycle(), kActive + kStall);
  EXPECT_EQ(count_of(c, "control", "sequencer", "cycle count: 24-bit adder"), kActive);
  // 131 bits of the DMA's control (transfer, done 16 each, two requests of valid 1, transfer and
  // wait 16, position 32, bank 1) take new data in an eighth of them, half of which changes; three
  // beats of 16 bytes come with a tag of 51 bits (three flags, address 32, count 16).
  EXPECT_EQ(count_of(c, "memory", "dma", "flip-flop toggle"),
            0.5 * (131 * kActive / 8.0 + (128 + 51) * 3));
}

// From 1 KB on, the price of a bit depends on the banks: more than 16 are dear. Only the activation
// memory has a port, and so a bank, for each row in each of its halves.
TEST(CostArea, OnlyTheActivationMemoryHasABankARow) {
  MemoryShape memory;
  memory.weight_rows = 512;
  const auto um2 = [&](int rows, const char* unit) {
    const Costed c(gemm(2, 2, 2, {rows, 2}, {}, memory));
    for (const CostItem& i : c.area.items) {
      if (i.kind == CostKind::sram && i.unit == unit) return i.area_um2 / i.count;
    }
    return 0.0;
  };
  EXPECT_NEAR(um2(8, "activation"), 0.379562, 1e-9);
  EXPECT_NEAR(um2(9, "activation"), 0.41008, 1e-9);
  EXPECT_NEAR(um2(8, "weight"), 0.379562, 1e-9);
  EXPECT_NEAR(um2(9, "weight"), 0.379562, 1e-9);
  memory.activation_banks = 8;
  EXPECT_NEAR(um2(9, "activation"), 0.379562, 1e-9);
  memory.activation_banks = 16;
  EXPECT_NEAR(um2(4, "activation"), 0.41008, 1e-9);
}

// Two layers of six pixels on four lanes: each vector reads a row of four pairs, and DMA brings six
// rows for each layer. Bounds of outputs share a word; raw sums meet none.
TEST(CostEnergyItems, BoundsANeuronAreReadBesideEachVector) {
  const auto costed = [](const Protection& p) {
    return Costed(compile(two_layers(6), {2, 4}, {}, p, "test"));
  };
  const Costed none = costed({});
  for (const Position position : {Position::sum, Position::output}) {
    Protection p;
    p.checkers = {
        {.kind = CheckerKind::range, .granularity = Granularity::neuron, .position = position}};
    const Costed c = costed(p);
    const int row = position == Position::sum ? 4 * 2 * 32 : 4 * 32;
    EXPECT_EQ(count_of(c, "resilience", "range", "SRAM bit read"), 2 * 6 * row);
    EXPECT_EQ(count_of(c, "resilience", "range", "SRAM bit written"), 2 * 6 * row);
    EXPECT_EQ(count_of(c, "resilience", "range", "row of the bounds: 24-bit adder"), 2 * 6);
    // The parameters are as many as without them.
    EXPECT_EQ(count_of(c, "memory", "parameter", "SRAM bit written"),
              count_of(none, "memory", "parameter", "SRAM bit written"));
  }
  Protection outputs;
  outputs.checkers = {{.kind = CheckerKind::range,
                       .granularity = Granularity::neuron,
                       .position = Position::output}};
  const Costed raw(gemm(2, 2, 2, {2, 2}, outputs));
  for (const EnergyItem& i : raw.energy.items) {
    EXPECT_FALSE(i.unit == "range" && i.what == "SRAM bit read" && i.count > 0);
  }
}

// A checker of maps writes and reads each vector of a 3 x 3 map once: of two lanes 32 bits and two
// counts of two, and an address. A map of one line goes past the memory.
TEST(CostEnergy, LinesOfMapsAreWrittenAndReadOnce) {
  const auto costed = [](int height, int width) {
    Network network;
    network.input = {height, width, 1};
    Layer& layer = network.layers.emplace_back();
    layer.name = "gemm";
    layer.input = layer.output = network.input;
    layer.weights = {1};
    layer.bias = {0};
    layer.scale = {FixedScale{}};
    Protection p;
    p.checkers = {{.kind = CheckerKind::gradient, .axis = Axis::map}};
    return Costed(compile(network, {2, 2}, {}, p, "test"));
  };
  for (const auto& [height, width, vectors] : {std::tuple{3, 3, 9}, {1, 9, 0}}) {
    const Costed c = costed(height, width);
    std::map<std::string, double> bits;
    for (const EnergyItem& i : c.energy.items) {
      if (i.block == "resilience" && i.unit == "gradient") bits[i.what] += i.count;
    }
    EXPECT_EQ(bits["SRAM bit read"], vectors * (2 * 32 + 2 * 4 + 32));
    EXPECT_EQ(bits["SRAM bit written"], vectors * (2 * 32 + 2 * 4 + 32));
    EXPECT_EQ(bits["bounds: 33-bit comparator"], 9 * 8) << "of one lane in use";
    EXPECT_EQ(bits["difference: 33-bit adder"], 9 * 2);
  }
}

}  // namespace
}  // namespace sagitta
