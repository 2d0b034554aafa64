// Machines whose layers have different dataflows: what they are built of, what the compiler makes
// of an experiment's choice, and what a corrupt choice does.
#include <array>
#include <map>

#include <gtest/gtest.h>

#include "fault/injector.h"
#include "fault/site.h"
#include "network/reference.h"
#include "support/machine_cases.h"

namespace sagitta {
namespace {

using test::Random;
using enum Dataflow;

Layer dense(Random& random, const std::string& name, const FeatureShape& input, int channels) {
  Layer layer = test::random_gemm(random, input, true);
  layer.name = name;
  layer.output.channels = channels;
  layer.weights = random.int8s(layer.depth() * channels);
  layer.bias.assign(static_cast<std::size_t>(channels), 7);
  layer.scale.assign(static_cast<std::size_t>(channels), to_fixed_scale(0.004F, "test"));
  return layer;
}

// Three dense layers named a, b, c with pooling in between.
Network three_layers(Random& random) {
  Network network;
  network.input = {1, 1, 3};
  network.layers.push_back(dense(random, "a", network.input, 3));
  network.layers.push_back(dense(random, "b", network.layers[0].output, 3));
  Layer pool = test::random_pool(random, network.layers[1].output);
  pool.name = "pool";
  network.layers.push_back(pool);
  network.layers.push_back(dense(random, "c", pool.output, 2));
  return network;
}

using Totals = std::map<std::string, std::int64_t>;

// Bits by the first two components of their path, and of all SRAM.
Totals count(const Program& program) {
  const Machine machine(program);
  Totals totals;
  for (const RegisterClass& c : machine.layout().classes()) {
    const std::size_t end = c.path.find_first_of(".[", c.path.find('.') + 1);
    totals[c.path.substr(0, end)] += c.bits();
    if (c.storage == Storage::sram) totals["sram"] += c.bits();
  }
  return totals;
}

constexpr int kActivationBytes = 16, kWeightRows = 4, kPartialRows = 4, kBeat = 4;

// Two rows and three columns, so that what is as long as the longer of both shows.
Program union_program(bool overlap, const Protection& p) {
  Random random(1);
  MemoryShape memory;
  memory.activation_bytes = kActivationBytes;
  memory.weight_rows = kWeightRows;
  memory.partial_rows = kPartialRows;
  memory.dram_bytes_per_cycle = kBeat;
  const ArrayShape array{2, 3, os, overlap, {{"b", ws}, {"c", is}}};
  return compile(three_layers(random), array, memory, p, "test");
}

// All three dataflows, counted by hand; docs/machine.md has the registers of each.
Totals union_by_hand() {
  Totals t;
  t["array.pe"] = 6 * (8 + 8 + 32);
  t["array.skew_a"] = (1 + 2) * 8;  // of two rows (os, ws) or three columns (is)
  t["array.skew_b"] = (1 + 2) * 8;  // of three columns or two rows
  t["array.load"] = 2;
  t["array.deskew"] = (2 + 1) * 32;
  const int config = 16 + 4 * 24 + 4 * 16 + 24 + 24 + 16 + 16 + 8 + 8 + 24 +
                     6 * 32                   // every layer's
                     + 24 + 24 + 32           // tile_y, _x, _address: os, is
                     + 24 + 24 + 32           // depth; tile_channels, tile_output: is
                     + 2                      // dataflow
                     + 4 * 8 + 2 + 1 + 3 * 1  // zero points, range, operation, raw, banks
                     + 24 + 24 + 6 + 8;       // taps
  const int walking = 4 + 8 + 1 + 16 + 3 * 24 + 32 + 24 + 32  // phase to output_address, group
                      + 24 + 24 + 8 + 8 + 24 + 32 + 24 + 3 * 32 + 24  // taps, weight_row, walker
                      + 24 + 3 * 32;                                  // first_depth, part
  const int delayed = 2 * 2 + 2 * 1 + 2 * 32 + 1 + 9 + 5 + 4 + 2 * 32 + 1  // as in os
                      + 1 + 4;                                             // load1, tag1
  t["control.sequencer"] = config + walking + delayed;
  t["control.position"] = 3 * 3 * 32;
  t["control.tag"] = (2 + 3) * 4;
  t["memory.dma"] = 16 + 16 + 2 * (1 + 16 + 16) + 32 + 1 + 3 + 32 + 16 + kBeat * 8 + 32;  // header
  t["memory.activation"] = 2 * kActivationBytes * 8 + 3 * 8 + 3 * 8;
  t["memory.weight"] = 2 * kWeightRows * 3 * 8 + 3 * 8;
  // Four channels (is) are more than three lanes; the scale waits a cycle.
  t["memory.parameter"] = 2 * (4 * 2) * 32 + 2 * 32 + 30;
  t["memory.partial"] = kPartialRows * 3 * 32 + 3 * 32 + 24 + 24 + 32 + 3 * 32 + 32 + 1;
  t["vector.bias"] = 3 * 32;
  t["vector.scale"] = 3 * 24;
  t["vector.shift"] = 3 * 6;
  t["vector.bias_add"] = 3 * 32 + 32 + 1;
  t["vector.requantise"] = 3 * 56 + 32 + 1 + 6;  // the shift of the channel: is
  t["vector.output"] = 3 * 8 + 32 + 1;
  t["vector.pool"] = 3 * 8;
  t["sram"] =
      2 * kActivationBytes * 8 + 2 * kWeightRows * 3 * 8 + 2 * (4 * 2) * 32 + kPartialRows * 3 * 32;
  return t;
}

TEST(Mixture, SiteTotalsByHand) {
  EXPECT_EQ(count(union_program(false, {})), union_by_hand());
}

TEST(Mixture, SiteTotalsWithOverlapTmrAndChecksum) {
  Protection p;
  p.pe_copies = PeCopies::all;
  p.checksum = true;
  Totals t = union_by_hand();
  t["array.pe"] = 3 * 6 * (8 + 8 + 32 + 1 + 32 + 8);  // swap, drain, next
  t["array.skew_swap"] = 1;
  t["control.sequencer"] += 1 + 9 + 9 + 9 - 2 * 2;  // swap1, drain_wait, drain_left, ahead; modes
  t["control.next_row"] = 2 * 3 * 32;
  constexpr int kStage = 3 * 32 + 32 + 1;
  t["resilience.checksum"] = 8 + 1                              // skew, skew_swap
                             + 2 * (8 + 10 + 32 + 1 + 32 + 10)  // a, b, acc, swap, drain, next
                             + 32 + 2 * 32                  // bias_sum; wait, as long as ws needs
                             + kPartialRows * 32 + 32 + 32  // partial sums, read, finished
                             + 2 * 9 + 10                   // input_tree
                             + 2 * (2 * 8 + 1 + 1)          // late_weight, _load, _swap
                             + 3 * 32                       // expected
                             + (2 + 1) * 32 + 2 * kStage + kStage + 1  // tree, delays, output
                             + (2 * kWeightRows + 1) * 10;             // weights, read
  // Bias sum of a tile, and two of a channel; the scale waits three cycles longer.
  t["memory.parameter"] = 2 * (4 * 4 + 1) * 32 + 4 * 32 + 32 + 4 * 30;
  t["sram"] += 2 * (4 * 2 + 1) * 32 + kPartialRows * 32 + 2 * kWeightRows * 10;
  EXPECT_EQ(count(union_program(true, p)), t);
}

// Only what the network's layers with a product ask for is built.
TEST(Mixture, TheMachineHasTheDataflowsThatItsLayersNeed) {
  Random random(2);
  const Network network = three_layers(random);
  const auto array = [&](Dataflow usual, std::map<std::string, Dataflow> layers) {
    return compile(network, {2, 2, usual, false, std::move(layers)}, {}, {}, "test").array;
  };
  const ArrayShape weights{2, 2, ws};
  EXPECT_EQ(array(ws, {}), weights);
  EXPECT_EQ(array(os, {{"a", ws}, {"b", ws}, {"c", ws}}), weights) << "nothing is left for os";
  EXPECT_EQ(array(ws, {{"a", ws}}), weights);
  // The first in the order os, ws, is stands for the layers that are not named.
  EXPECT_EQ(array(is, {{"c", os}}), (ArrayShape{2, 2, os, false, {{"a", is}, {"b", is}}}));
  EXPECT_FALSE(weights.mixed());
  EXPECT_TRUE(array(is, {{"c", os}}).mixed());
}

TEST(Mixture, EachLayerHasItsDataflowAndPoolingTheFirst) {
  const Program program = union_program(false, {});
  ASSERT_EQ(program.layers.size(), 4U);
  EXPECT_EQ(program.dataflow(0), os);
  EXPECT_EQ(program.dataflow(1), ws);
  EXPECT_EQ(program.dataflow(2), os) << "pooling";
  EXPECT_EQ(program.dataflow(3), is);
}

// The register of a machine of two dataflows holds four codes. One that the machine has not acts as
// the first: the same run as with that code, whatever the cycle in which a fault leaves it.
TEST(Mixture, AnUnknownDataflowActsAsTheFirst) {
  Random random(3);
  const Network network = three_layers(random);
  const auto image = random.int8s(3);
  for (const Dataflow other : {ws, is}) {
    const Program program = compile(network, {2, 3, os, true, {{"b", other}}}, {}, {}, "test");
    const int absent = other == ws ? 2 : 1;
    std::int64_t changed = 0;
    Machine clean(program);
    clean.reset(image.data());
    ASSERT_TRUE(clean.run(100'000));
    for (std::int64_t cycle = 0; cycle < clean.cycle(); ++cycle) {
      std::vector<std::vector<std::int8_t>> logits;
      std::vector<std::int64_t> cycles;
      for (const int code : {0, absent, 3}) {
        Machine machine(program);
        const SiteMap sites(machine.layout());
        const Site site = sites.parse("control.sequencer.config.dataflow:0", "", "");
        const auto& registers = sites.classes()[static_cast<std::size_t>(site.register_class)];
        machine.reset(image.data());
        ASSERT_FALSE(machine.run(cycle));
        *machine.state().address(registers, 0) = static_cast<std::byte>(code);
        machine.touch();
        machine.run(2 * clean.cycle());
        logits.push_back(machine.logits());
        cycles.push_back(machine.cycle());
      }
      ASSERT_EQ(logits[1], logits[0]) << "cycle " << cycle;
      ASSERT_EQ(logits[2], logits[0]) << "cycle " << cycle;
      ASSERT_EQ(cycles[1], cycles[0]) << "cycle " << cycle;
      ASSERT_EQ(cycles[2], cycles[0]) << "cycle " << cycle;
      changed += logits[0] != clean.logits() || cycles[0] != clean.cycle() ? 1 : 0;
    }
    EXPECT_GT(changed, 10) << "layer b must suffer";
  }
}

// A layer leaves the second registers of other dataflows alone, where a flip stays for as long as
// the layer runs (docs/machine.md, "holds").
TEST(Mixture, SecondRegistersHoldInLayersThatDoNotUseThem) {
  Protection p;
  p.checksum = true;
  const Program program = union_program(true, p);
  Random random(5);
  const auto image = random.int8s(3);
  for (const std::string pe : {"array.pe[1][1].", "resilience.checksum.pe[1]."}) {
    for (const int layer : {0, 1, 2, 3}) {
      const bool outputs = program.dataflow(static_cast<std::size_t>(layer)) == os;
      Machine machine(program);
      const SiteMap sites(machine.layout());
      const Site site = sites.parse(pe + (outputs ? "next:0" : "drain:0"), "", "");
      const auto& registers = sites.classes()[static_cast<std::size_t>(site.register_class)];
      const auto value = [&] { return read_register(machine.state(), registers, site.element); };
      machine.reset(image.data());
      while (machine.layer() != layer) machine.step();
      *machine.state().address(registers, site.element) ^= std::byte{1};
      machine.touch();
      const std::int64_t struck = value();
      for (; machine.layer() == layer; machine.step()) {
        ASSERT_EQ(value(), struck)
            << sites.path(site) << " layer " << layer << " cycle " << machine.cycle();
      }
    }
  }
}

// Input stationary, the checksum column adds up activations. In other layers its tree is empty, but
// for what an earlier layer left in its two stages.
TEST(Mixture, TheChecksumAddsUpInputsInInputStationaryLayersOnly) {
  Random random(6);
  Protection p;
  p.checksum = true;
  const ArrayShape array{2, 3, os, false, {{"a", is}, {"b", ws}}};
  const Program program = compile(three_layers(random), array, {}, p, "test");
  Machine machine(program);
  const std::vector<std::int8_t> image = {11, 22, 33};
  machine.reset(image.data());
  std::array<int, 5> full{};  // cycles, by layer; the last entry is for those of no layer
  for (int since = 0, layer = -1; !machine.done(); machine.step(), ++since) {
    if (machine.layer() != layer) since = 0;
    layer = machine.layer();
    bool any = false;
    for (const RegisterClass& c : machine.layout().classes()) {
      if (!c.path.starts_with("resilience.checksum.input_tree")) continue;
      for (std::int64_t i = 0; i < c.elements(); ++i) {
        any = any || read_register(machine.state(), c, i) != 0;
      }
    }
    if (since >= 2 && any) ++full.at(static_cast<std::size_t>(layer));
  }
  EXPECT_GT(full[0], 0);
  EXPECT_EQ((std::array{full[1], full[2], full[3], full[4]}), (std::array{0, 0, 0, 0}));
}

// Bounds act on sums, whichever dataflow they come from: a mixture suppresses what each of its
// dataflows alone does. Tight bounds of layers and of channels, so that much is suppressed.
TEST(Mixture, BoundsSuppressTheSameInEveryDataflow) {
  std::size_t suppressed = 0;
  for (std::uint64_t seed = 0; seed < 120; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(300 + seed);
    const Network network = test::random_network(random, 5);
    Protection p;
    p.checksum = seed % 3 == 0;
    p.checkers = {test::random_checker(random, network, CheckerKind::range, false)};
    const auto image = random.int8s(network.input.elements());
    const int rows = random.between(1, 6);
    const int columns = random.between(1, 6);
    const auto run = [&](const ArrayShape& array) {
      const Program program = compile(network, array, {}, p, "test");
      Machine machine(program);
      machine.reset(image.data());
      EXPECT_TRUE(machine.run(1'000'000));
      suppressed += machine.suppressions().size();
      return std::pair{machine.logits(), machine.suppressions().size()};
    };
    const auto expected = run({rows, columns});
    for (const Dataflow flow : {ws, is}) ASSERT_EQ(run({rows, columns, flow}), expected);
    for (const test::ArrayVariant& variant : test::kVariants) {
      ASSERT_EQ(run(variant.shape(rows, columns, seed)), expected) << variant.name();
    }
  }
  EXPECT_GT(suppressed, 10'000U);
}

// What one layer leaves behind must not reach the next: every pair of dataflows, back to back, with
// arrays so large that much of them is at rest, and as little time in between as there can be.
TEST(Mixture, EveryPairOfDataflowsBackToBack) {
  MemoryShape fast;
  fast.dram_latency = 0;
  fast.dram_bytes_per_cycle = 1024;
  for (const Dataflow first : test::kDataflows) {
    for (const Dataflow second : test::kDataflows) {
      for (std::uint64_t seed = 0; seed < 60; ++seed) {
        SCOPED_TRACE(std::string(to_string(first)) + " then " + to_string(second) + " seed " +
                     std::to_string(seed));
        Random random(100 + seed);
        Network network;
        network.input = {random.between(1, 5), random.between(1, 5), random.between(1, 3)};
        FeatureShape shape = network.input;
        for (int i = 0; i < 4; ++i) {  // first, second, first, second
          network.layers.push_back(test::random_gemm(random, shape, random.chance(40)));
          network.layers.back().name = "gemm" + std::to_string(i);
          shape = network.layers.back().output;
        }
        const ArrayShape array{random.between(1, 24),
                               random.between(1, 24),
                               first,
                               random.chance(50),
                               {{"gemm1", second}, {"gemm3", second}}};
        Protection p = test::random_scheme(random, network, array);
        p.checkers.clear();
        const Program program = compile(network, array, fast, p, "test");
        const auto image = random.int8s(network.input.elements());
        Machine machine(program);
        for (int run = 0; run < 2; ++run) {
          machine.reset(image.data());
          ASSERT_TRUE(machine.run(1'000'000));
          ASSERT_EQ(machine.logits(), run_network(network, image).back().output);
          ASSERT_EQ(machine.mismatches(), 0);
        }
      }
    }
  }
}

}  // namespace
}  // namespace sagitta
