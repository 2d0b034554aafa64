// Cycle counts against closed forms (support/closed_form.h, docs/machine.md), complete in cycle N
// and not in N - 1.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/closed_form.h"
#include "support/machine_cases.h"

namespace sagitta {
namespace {

using test::Random;

// DRAM that never keeps the machine waiting, except for the image and the first weights.
MemoryShape fast_memory() {
  MemoryShape memory;
  memory.dram_latency = 0;
  memory.dram_bytes_per_cycle = 65'535;
  return memory;
}

ArrayShape random_array(Random& random, std::uint64_t seed) {
  const int rows = random.between(1, 9);
  return test::kVariants[seed % std::size(test::kVariants)].shape(rows, random.between(1, 9), seed);
}

Layer gemm_layer(int m, int k, int n) {
  Layer layer;
  layer.name = "gemm";
  layer.input = {1, m, k};
  layer.output = {1, m, n};
  return layer;
}

struct Outcome {
  std::int64_t cycles = 0;
  std::vector<LayerCounters> counters;
  std::vector<TileRecord> tiles;
};

Outcome run(const Program& program, const std::vector<std::int8_t>& image) {
  Machine machine(program);
  machine.record_tiles(true);
  machine.reset(image.data());
  EXPECT_TRUE(machine.run(100'000'000));
  const Outcome result{machine.cycle(), machine.counters(), machine.tiles()};
  machine.reset(image.data());
  EXPECT_FALSE(machine.run(result.cycles - 1)) << "already done one cycle earlier";
  EXPECT_TRUE(machine.run(result.cycles));
  return result;
}

// The worked example of docs/machine.md: 20 x 9 times 9 x 6 on 8 x 4.
TEST(Timing, WorkedExample) {
  Random random(1);
  const auto image = random.int8s(20 * 9);
  const Outcome r =
      run(compile_gemm(20, 9, 6, random.int8s(9 * 6), {8, 4}, fast_memory(), {}), image);
  ASSERT_EQ(r.tiles.size(), 6U);
  for (const TileRecord& t : r.tiles) {
    fmt::print("tile row {:2} column {}: start_cycle {:3} end_cycle {:3}\n", t.row, t.column,
               t.start_cycle, t.end_cycle);
  }
  fmt::print("layer {} cycles, {} of them stalls; run {} cycles\n", r.counters[0].cycles,
             r.counters[0].stall_cycles(), r.cycles);
  // load 1, wait 3 (the image is asked for in cycle 0, comes in 1, the first weights in 2), setup
  // 8, then pe[0][0] two cycles later.
  EXPECT_EQ(r.tiles[0].start_cycle, 1 + 3 + 8 + 2);
  EXPECT_EQ(r.tiles[0].end_cycle, 14 + (9 + 2 * 8 + 4 - 2) - 1);
  EXPECT_EQ(r.tiles[1].start_cycle, r.tiles[0].end_cycle + 1);
  EXPECT_EQ(r.tiles[2].end_cycle - r.tiles[2].start_cycle + 1, 9 + 2 * 4 + 4 - 2);
  EXPECT_EQ(r.tiles[5].end_cycle - r.tiles[5].start_cycle + 1, 9 + 2 * 4 + 2 - 2);
  const std::int64_t first = 8 + 27 + 27 + 19 + 5;
  const std::int64_t second = 8 + 25 + 25 + 17 + 5;
  EXPECT_EQ(r.counters[0].cycles, 3 + first + 1 + second);
  EXPECT_EQ(r.counters[0].stall_cycles(), 2);
  // Two loads, the layer, 120 sums in 30 beats of 4, one cycle of latency.
  EXPECT_EQ(r.cycles, 2 + (3 + first + 1 + second) + 30 + 1);
}

TEST(Timing, OneTileEqualsTheClosedForm) {
  Random random(2);
  for (int i = 0; i < 200; ++i) {
    const ArrayShape array{random.between(1, 12), random.between(1, 12)};
    const int m = random.between(1, array.rows);
    const int k = random.between(1, 30);
    const int n = random.between(1, array.columns);
    const auto image = random.int8s(m * k);
    Protection p;
    p.checksum = random.chance(50);
    const Outcome r =
        run(compile_gemm(m, k, n, random.int8s(k * n), array, fast_memory(), p), image);
    ASSERT_EQ(r.tiles.size(), 1U);
    ASSERT_EQ(r.tiles[0].end_cycle - r.tiles[0].start_cycle + 1, k + 2 * m + n - 2);
    ASSERT_EQ(r.counters[0].stall_cycles(), 2);
    ASSERT_EQ(r.counters[0].cycles - r.counters[0].stall_cycles(),
              1 + std::max(m, n) + (k + 2 * m + n - 2) + 5 +
                  (p.checksum ? test::ceil_log2(array.columns) + 1 : 0));
    ASSERT_EQ(r.counters[0].cycles - 2,
              test::layer_cycles(gemm_layer(m, k, n), array, fast_memory(), p));
  }
}

// Without stalls only the very first wait is longer than a cycle: the image, then the weights.
TEST(Timing, NetworksWithoutStallsEqualTheClosedForm) {
  for (std::uint64_t seed = 0; seed < 1100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(100 + seed);
    const Network network = test::random_network(random);
    const ArrayShape array = random_array(random, seed);
    const Protection p = test::random_scheme(random, network, array);
    const int batch = random.chance(70) ? 1 : random.between(2, 4);
    const auto image = random.int8s(batch * network.input.elements());
    const Program program = compile(network, array, fast_memory(), p, "test", batch);
    const Outcome r = run(program, image);
    const auto count = static_cast<std::int64_t>(network.layers.size());
    std::int64_t total = count + 1;  // loads
    for (std::size_t i = 0; i < network.layers.size(); ++i) {
      const Layer& layer = network.layers[i];
      const std::int64_t first_wait = i > 0 ? 0 : layer.kind == LayerKind::gemm ? 2 : 1;
      ASSERT_EQ(r.counters[i].stall_cycles(), first_wait);
      ASSERT_EQ(r.counters[i].cycles,
                first_wait + test::layer_cycles(layer, test::array_of(network.layers, array, layer),
                                                program.memory, p, batch));
      total += r.counters[i].cycles;
    }
    total += test::store_cycles(batch * network.classes(), 1, array, fast_memory());
    ASSERT_EQ(r.cycles, total);
  }
}

TEST(Timing, NetworksAndProductsWithStallsEqualTheClosedForm) {
  for (std::uint64_t seed = 0; seed < 1650; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(7000 + seed);
    const ArrayShape array = random_array(random, seed);
    const bool product = random.chance(30);
    Network network;
    if (product) {
      network.layers.push_back(
          gemm_layer(random.between(1, 20), random.between(1, 20), random.between(1, 30)));
      network.input = network.layers[0].input;
    } else {
      network = test::random_network(random, 5);
    }
    const Layer& l = network.layers[0];
    MemoryShape memory = test::random_memory(random, array);
    if (array.only(Dataflow::is) && random.chance(50)) {
      // No more weights than a few channels have: that many channels make a column tile.
      int deepest = 1;
      for (const Layer& layer : network.layers) {
        if (layer.kind == LayerKind::gemm) deepest = std::max(deepest, layer.depth());
      }
      memory.weight_rows =
          test::ceil_div(deepest, array.rows) * random.between(1, 4) + random.between(0, 2);
    }
    if (seed % 4 == 0) memory.dma_queue = random.between(4, 8);
    Protection p = product ? Protection{} : test::random_scheme(random, network, array);
    test::random_neurons(random, network, array, p);
    const int batch = product || random.chance(70) ? 1 : random.between(2, 4);
    const Program program =
        product ? compile_gemm(l.rows(), l.depth(), l.columns(),
                               random.int8s(l.depth() * l.columns()), array, memory, p)
                : compile(network, array, memory, p, "test", batch);
    const auto image = random.int8s(batch * network.input.elements());
    const Outcome r = run(program, image);
    const test::Timing t = test::timing(network.layers, array, program.memory, p, product, batch);

    ASSERT_EQ(r.cycles, t.total);
    std::int64_t sum = 0;
    for (const LayerCounters& c : r.counters) sum += c.cycles;
    ASSERT_EQ(sum, r.cycles) << "cycles are lost between layers";
    for (std::size_t i = 0; i < network.layers.size(); ++i) {
      ASSERT_EQ(r.counters[i].cycles, t.layer_cycles[i]) << "layer " << i;
      ASSERT_EQ(r.counters[i].dram_stall_cycles, t.dram_stalls[i]) << "layer " << i;
    }
    for (std::size_t i = 0; i < r.counters.size(); ++i) {
      ASSERT_EQ(r.counters[i].bank_stall_cycles, t.bank_stalls[i]) << "layer " << i;
      ASSERT_EQ(r.counters[i].activation_words, t.words[i]) << "layer " << i;
    }
    ASSERT_EQ(r.tiles.size(), t.tiles.size());
    for (std::size_t i = 0; i < t.tiles.size(); ++i) {
      ASSERT_EQ(r.tiles[i].layer, t.tiles[i].layer);
      ASSERT_EQ(r.tiles[i].row, t.tiles[i].row);
      ASSERT_EQ(r.tiles[i].column, t.tiles[i].column);
      ASSERT_EQ(r.tiles[i].fold, t.tiles[i].fold);
      ASSERT_EQ(r.tiles[i].start_cycle, t.tiles[i].start) << "tile " << i;
      ASSERT_EQ(r.tiles[i].end_cycle, t.tiles[i].end) << "tile " << i;
    }
  }
}

// What the start and end cycles mean, looked up in the registers: pe[0][0] holds product 0 from
// start_cycle on, and in end_cycle the last row stands at the top of the array.
TEST(Timing, TileCyclesAreThoseOfTheRegisters) {
  const std::vector<std::int8_t> a{11, 1, 1, 2, 1, 1, 3, 1, 1, 14, 1, 1, 5, 1, 1};  // 5 x 3
  const std::vector<std::int8_t> b{100, 1, 1, 1, 1, 1};                             // 3 x 2
  const Program program = compile_gemm(5, 3, 2, b, {3, 2}, fast_memory(), {});
  Machine machine(program);
  const SiteMap sites(machine.layout());
  const auto read = [&](const char* path) {
    const Site s = sites.parse(path, "", "");
    return read_register(machine.state(),
                         sites.classes()[static_cast<std::size_t>(s.register_class)], s.element);
  };
  const std::vector<TileRecord> tiles = run(program, a).tiles;
  ASSERT_EQ(tiles.size(), 2U);
  const int first_operand[] = {11, 14};
  const int last_result[] = {3 * 100 + 2, 5 * 100 + 2};  // row 2, row 4, column 0
  for (std::size_t i = 0; i < 2; ++i) {
    machine.reset(a.data());
    machine.run(tiles[i].start_cycle - 1);
    EXPECT_NE(read("array.pe[0][0].b:0"), 100);
    machine.run(tiles[i].start_cycle);
    EXPECT_EQ(read("array.pe[0][0].a:0"), first_operand[i]);
    EXPECT_EQ(read("array.pe[0][0].b:0"), 100);
    EXPECT_EQ(read("array.pe[0][0].acc:0"), 0) << "cleared for product 0";
    machine.run(tiles[i].end_cycle);
    EXPECT_EQ(read("array.pe[0][0].acc:0"), last_result[i]);
    EXPECT_EQ(read("control.sequencer.drain2:0"), 1);
    EXPECT_EQ(read("control.sequencer.mode2:0"), static_cast<int>(ArrayMode::shift_clear));
  }
}

}  // namespace
}  // namespace sagitta
