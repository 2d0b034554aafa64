// Which of the masked classes a trial belongs to, against oracles that do not use the engine's
// own notion of activity or reach.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>

#include "campaign/trial.h"
#include "support/random_network.h"

namespace sagitta {
namespace {

using test::Random;

// One dense layer, 6 inputs by 3 outputs, on an array of 2 x 5: row 1 and lanes 3 and 4 are idle.
Network dense_layer(Random& random) {
  Network network;
  network.name = "dense";
  network.input = {1, 1, 6};
  Layer layer = test::random_gemm(random, network.input, true);
  layer.output.channels = 3;
  layer.weights = random.int8s(6 * 3);
  layer.bias.assign(3, 0);
  layer.input_zero_point = 0;
  layer.output_zero_point = 0;
  layer.has_relu = false;
  layer.output_min = -128;
  layer.scale.assign(3, to_fixed_scale(0.001F, "test"));
  network.layers.push_back(layer);
  return network;
}

// Layers of these names, each a product of 4 channels by 4 for each of 6 pixels.
Network pointwise_layers(Random& random, const std::vector<std::string>& names) {
  Network network;
  network.name = "pointwise";
  network.input = {1, 6, 4};
  for (const std::string& name : names) {
    Layer layer = test::random_gemm(random, {1, 1, 4}, true);
    layer.name = name;
    layer.input = layer.output = network.input;
    layer.weights = random.int8s(4 * 4);
    layer.bias.assign(4, 0);
    layer.scale.assign(4, to_fixed_scale(0.01F, "test"));
    network.layers.push_back(layer);
  }
  return network;
}

TEST(MaskClasses, IdleIsAPeOfNoOutputAndLogicalOneWhoseProductsAreZero) {
  Random random(31);
  const Network network = dense_layer(random);
  const Program program = compile(network, {2, 5}, {}, {}, "test");
  TrialEngine engine(program, network);
  engine.prepare(0, std::vector<std::int8_t>(6, 0), 0);  // 0 x weight = 0, whatever the weight
  std::map<Outcome, int> unused;
  std::map<Outcome, int> used;
  for (int row = 0; row < 2; ++row) {
    for (int lane = 0; lane < 5; ++lane) {
      const std::string path =
          "array.pe[" + std::to_string(row) + "][" + std::to_string(lane) + "].b:3";
      const Site site = engine.sites().parse(path, "test", "");
      for (std::int64_t cycle = 0; cycle < engine.clean_cycles(); ++cycle) {
        const Outcome outcome = engine.run(0, {{site, cycle}}).outcome;
        ++(row < 1 && lane < 3 ? used : unused)[outcome];
      }
    }
  }
  // A PE without an output is idle in every cycle of the inference.
  EXPECT_EQ(unused[Outcome::masked_idle], 7 * engine.clean_cycles());
  // One with an output is idle too, except while the array runs: K + 2R' + C' - 2 cycles a tile
  // (docs/machine.md), and the two cycles from the sequencer's command to the array at each end.
  const std::int64_t tile = 6 + 2 * 1 + 3 - 2;
  EXPECT_GE(used[Outcome::masked_logical], 3 * tile);
  EXPECT_LE(used[Outcome::masked_logical], 3 * (tile + 4));
  EXPECT_EQ(used[Outcome::masked_logical] + used[Outcome::masked_idle], 3 * engine.clean_cycles());
}

// A stage of the drain path is in use while its valid bit says so, whatever tile the sequencer is
// at; a flip there that comes to nothing is logical. Otherwise it is idle.
TEST(MaskClasses, ADrainStageIsInUseWhileItHoldsAVector) {
  Random random(34);
  Network network;
  network.name = "tiles";
  network.input = {1, 9, 2};  // 9 pixels on 2 rows: five row tiles, each drained behind the next
  Layer layer = test::random_gemm(random, {1, 1, 2}, true);
  layer.input = network.input;
  layer.output = {1, 9, 3};
  layer.weights = random.int8s(2 * 3);
  layer.bias.assign(3, 0);
  layer.scale.assign(3, to_fixed_scale(0.001F, "test"));
  network.layers.push_back(layer);
  Protection p;
  p.checksum = true;
  p.checkers.emplace_back(CheckerKind::gradient, Gate::row).layers = {{"", {{-100'000, 100'000}}}};
  const Program program = compile(network, {2, 5}, {}, p, "test");
  TrialEngine engine(program, network);
  const auto image = random.int8s(network.input.elements());
  engine.prepare(0, image, 0);
  const auto stage_and_register = {
      std::pair{"vector.requantise", "product[1]:0"},
      std::pair{"vector.bias_add", "sum[1]:0"},
      std::pair{"resilience.gradient.difference", "gradient[1]:3"},
      std::pair{"resilience.gradient.result", "sum[2]:0"},
      std::pair{"resilience.checksum.delay[1]", "sum[0]:0"},
  };
  for (const auto& [stage, name] : stage_and_register) {
    SCOPED_TRACE(stage);
    const Site site = engine.sites().parse(std::string(stage) + "." + name, "test", "");
    const Site valid = engine.sites().parse(std::string(stage) + ".valid:0", "test", "");
    const auto& valid_class =
        engine.sites().classes()[static_cast<std::size_t>(valid.register_class)];
    std::vector<bool> holds;  // in every cycle of the fault-free run
    Machine machine(program);
    machine.reset(image.data());
    while (!machine.done()) {
      holds.push_back(read_register(machine.state(), valid_class, 0) != 0);
      machine.step();
    }
    int live = 0;
    for (std::size_t cycle = 0; cycle < holds.size(); ++cycle) {
      const Outcome outcome = engine.run(0, {{site, static_cast<std::int64_t>(cycle)}}).outcome;
      if (holds[cycle]) {
        EXPECT_NE(outcome, Outcome::masked_idle) << "cycle " << cycle;
        live += outcome == Outcome::masked_logical ? 1 : 0;
      } else {
        EXPECT_EQ(outcome, Outcome::masked_idle) << "cycle " << cycle;
      }
    }
    // A changed sum raises the checksum's flag: not masked.
    EXPECT_EQ(live > 0, std::string(stage) != "vector.bias_add");
  }
}

// One copy of three is never seen, so that every strike on it is masked: logical from the tile's
// first product until its last row has left, in which the sequencer is at the next tile already.
TEST(MaskClasses, APeIsInUseUntilItsTileHasDrained) {
  Random random(35);
  const Network network = dense_layer(random);
  Protection p;
  p.pe_copies = PeCopies::all;
  const Program program = compile(network, {2, 5}, {}, p, "test");
  TrialEngine engine(program, network);
  const auto image = random.int8s(6);
  engine.prepare(0, image, 0);
  Machine machine(program);
  machine.record_tiles(true);
  machine.reset(image.data());
  while (!machine.done()) machine.step();
  ASSERT_EQ(machine.tiles().size(), 1U);
  const Site site = engine.sites().parse("array.pe[0][0].acc.copy[0]:5", "test", "");
  for (std::int64_t c = machine.tiles()[0].start_cycle; c <= machine.tiles()[0].end_cycle; ++c) {
    EXPECT_EQ(engine.run(0, {{site, c}}).outcome, Outcome::masked_logical) << "cycle " << c;
  }
}

// Weights are in use from their delivery on, during the layers before theirs too.
TEST(MaskClasses, AWeightIsInUseFromItsDeliveryOn) {
  Random random(36);
  Network network;
  network.name = "prefetch";
  network.input = {1, 8, 1};
  Layer first = test::random_gemm(random, {1, 1, 1}, true);
  first.input = network.input;
  first.output = {1, 8, 2};
  first.weights = random.int8s(2);
  first.bias.assign(2, 0);
  first.scale.assign(2, to_fixed_scale(0.01F, "test"));
  network.layers.push_back(first);
  Layer pool;
  pool.name = "pool";
  pool.kind = LayerKind::max_pool;
  pool.input = first.output;
  pool.window.kernel_w = pool.window.stride_w = 2;
  pool.output = {1, 4, 2};
  network.layers.push_back(pool);
  Layer second = test::random_gemm(random, {1, 1, 8}, true);
  second.name = "second";
  second.output.channels = 2;
  second.weights = random.int8s(16);
  second.bias.assign(2, 0);
  second.scale.assign(2, to_fixed_scale(0.001F, "test"));
  network.layers.push_back(second);
  MemoryShape memory;  // quick, so that the weights are there before the pooling
  memory.dram_latency = 0;
  memory.dram_bytes_per_cycle = 32;
  const Program program = compile(network, {2, 3}, memory, {}, "test");
  TrialEngine engine(program, network);
  const auto image = random.int8s(8);
  engine.prepare(0, image, 0);

  Machine machine(program);
  machine.record_tiles(true);
  machine.reset(image.data());
  std::int64_t delivered = -1;  // transfers: image, first's tile, second's tile
  std::int64_t pooling = -1;
  while (!machine.done()) {
    const DmaState& dma = machine.dma().state(machine.state().now());
    if (delivered < 0 && dma.done == 3) delivered = machine.cycle();
    if (machine.phase() == Phase::pool) pooling = machine.cycle();
    machine.step();
  }
  const std::int64_t used = machine.tiles().back().start_cycle;
  ASSERT_LT(delivered, pooling) << "the weights must be there before the pooling ends";
  const auto outcome = [&](int row, int lane, std::int64_t cycle) {
    const Site site = engine.sites().parse("memory.weight.bank[1].row[" + std::to_string(row) +
                                               "].lane[" + std::to_string(lane) + "]:0",
                                           "test", "");
    return engine.run(0, {{site, cycle}}).outcome;
  };
  for (std::int64_t cycle = delivered; cycle < used - 2; ++cycle) {
    EXPECT_NE(outcome(7, 1, cycle), Outcome::masked_idle) << "cycle " << cycle;
    EXPECT_EQ(outcome(8, 1, cycle), Outcome::masked_idle) << "K = 8, cycle " << cycle;
    EXPECT_EQ(outcome(7, 2, cycle), Outcome::masked_idle) << "N = 2, cycle " << cycle;
  }
  EXPECT_EQ(outcome(7, 1, 0), Outcome::masked_idle) << "DMA has yet to write it";
}

// A mixture's layers leave each other's registers idle. What is in use changes with the layer: an
// activation is read for each row (os, ws) or each column (is), on an array of 2 x 5.
TEST(MaskClasses, AMixtureUsesWhatTheLayersDataflowHas) {
  Random random(37);
  const Network network = pointwise_layers(random, {"outputs", "weights", "inputs"});
  const ArrayShape array{
      2, 5, Dataflow::os, true, {{"weights", Dataflow::ws}, {"inputs", Dataflow::is}}};
  const Program program = compile(network, array, {}, {}, "test");
  TrialEngine engine(program, network);
  const auto image = random.int8s(network.input.elements());
  engine.prepare(0, image, 0);
  std::vector<int> layer_of;  // by cycle; 3: none
  Machine machine(program);
  machine.reset(image.data());
  for (; !machine.done(); machine.step()) layer_of.push_back(machine.layer());
  // Whether a register is in use in some cycle of each layer.
  const auto used = [&](const std::string& path) {
    const Site site = engine.sites().parse(path, "test", "");
    std::array<bool, 4> in_use{};
    for (std::size_t cycle = 0; cycle < layer_of.size(); ++cycle) {
      const Outcome outcome = engine.run(0, {{site, static_cast<std::int64_t>(cycle)}}).outcome;
      if (outcome != Outcome::masked_idle) in_use[static_cast<std::size_t>(layer_of[cycle])] = true;
    }
    EXPECT_FALSE(in_use[3]) << path;
    return std::array<bool, 3>{in_use[0], in_use[1], in_use[2]};
  };
  using Layers = std::array<bool, 3>;
  EXPECT_EQ(used("array.pe[0][0].a:0"), (Layers{true, true, true}));
  EXPECT_EQ(used("array.pe[0][0].drain:0"), (Layers{true, false, false}));
  EXPECT_EQ(used("array.pe[0][0].next:0"), (Layers{false, true, true}));
  EXPECT_EQ(used("array.deskew[0][0]:0"), (Layers{false, true, true}));
  EXPECT_EQ(used("memory.partial.read[0]:0"), (Layers{false, true, true}));
  EXPECT_EQ(used("memory.parameter.wait[1][0]:0"), (Layers{false, false, true}));
  EXPECT_EQ(used("memory.activation.read[1]:0"), (Layers{true, true, true}));
  EXPECT_EQ(used("memory.activation.read[3]:0"), (Layers{false, false, true}));
  EXPECT_EQ(used("memory.weight.read[1]:0"), (Layers{true, true, true}));
  EXPECT_EQ(used("memory.weight.read[3]:0"), (Layers{true, true, false}));
}

// Input stationary the column's weights are sums of activations, which the machine makes itself:
// the places beside such a tile's weights are never read. Those of the tile before it are.
TEST(MaskClasses, AChecksumWeightIsInUseWhereTheColumnReadsIt) {
  for (const Dataflow first : {Dataflow::os, Dataflow::ws}) {
    SCOPED_TRACE(to_string(first));
    Random random(38);
    const Network network = pointwise_layers(random, {"first", "inputs"});
    Protection p;
    p.checksum = true;
    const ArrayShape array{2, 5, first, false, {{"inputs", Dataflow::is}}};
    const Program program = compile(network, array, {}, p, "test");
    ASSERT_EQ(program.transfers.size(), 3U) << "the image, then a tile for each bank";
    TrialEngine engine(program, network);
    auto image = random.int8s(network.input.elements());
    for (std::size_t i = 0; i < image.size(); i += 4)
      image[i] = 0;  // row 0 meets nothing but zeros
    engine.prepare(0, image, 0);
    const auto masked = [&](int bank) {
      const std::string path =
          "resilience.checksum.weight.bank[" + std::to_string(bank) + "].row[0]:2";
      const Site site = engine.sites().parse(path, "test", "");
      std::map<Outcome, std::int64_t> cycles;
      for (std::int64_t cycle = 0; cycle < engine.clean_cycles(); ++cycle) {
        ++cycles[engine.run(0, {{site, cycle}}).outcome];
      }
      return cycles;
    };
    auto read = masked(0);
    EXPECT_GT(read[Outcome::masked_logical], 0);
    EXPECT_EQ(read[Outcome::masked_logical] + read[Outcome::masked_idle], engine.clean_cycles());
    EXPECT_EQ(masked(1)[Outcome::masked_idle], engine.clean_cycles());
  }
}

// A register counts as struck in use when it was in use in the cycle of its own strike, not in that
// of another fault of the same trial.
TEST(MaskClasses, EachFaultIsJudgedInTheCycleInWhichItStrikes) {
  Random random(32);
  const Network network = dense_layer(random);
  const Program program = compile(network, {2, 5}, {}, {}, "test");
  TrialEngine engine(program, network);
  engine.prepare(0, std::vector<std::int8_t>(6, 0), 0);
  const Site idle = engine.sites().parse("array.pe[1][4].b:3", "test", "");
  const Site live = engine.sites().parse("array.pe[0][0].b:3", "test", "");
  const auto outcome = [&](const std::vector<Fault>& faults) {
    return engine.run(0, faults).outcome;
  };
  std::int64_t at_work = 0;  // a cycle in which the array has work
  while (outcome({{live, at_work}}) != Outcome::masked_logical) {
    ASSERT_LT(++at_work, engine.clean_cycles());
  }
  const std::int64_t at_rest = engine.clean_cycles() - 1;
  const std::int64_t never = engine.clean_cycles() + 5;
  ASSERT_EQ(outcome({{live, at_rest}}), Outcome::masked_idle);
  ASSERT_EQ(outcome({{idle, at_work}}), Outcome::masked_idle);
  EXPECT_EQ(outcome({{idle, at_work}, {live, at_rest}}), Outcome::masked_idle);
  EXPECT_EQ(outcome({{idle, at_work}, {live, never}}), Outcome::masked_idle);
  EXPECT_EQ(outcome({{idle, at_work}, {live, at_work}}), Outcome::masked_logical);
  EXPECT_EQ(outcome({{live, at_work}, {idle, at_rest}}), Outcome::masked_logical);
  EXPECT_EQ(outcome({{idle, 0}, {live, at_work}}), Outcome::masked_logical);
}

// The cycles in which a flip of `path` changes a value that the unit passes on.
std::vector<std::int64_t> acting_cycles(TrialEngine& engine, const std::string& path) {
  const Site site = engine.sites().parse(path, "test", "");
  std::vector<std::int64_t> cycles;
  for (std::int64_t cycle = 0; cycle < engine.clean_cycles(); ++cycle) {
    const Outcome outcome = engine.run(0, {{site, cycle}}).outcome;
    if (outcome != Outcome::masked_idle && outcome != Outcome::masked_logical) {
      cycles.push_back(cycle);
    }
  }
  return cycles;
}

// The expected class of a sum that became `struck`, in real numbers, without the integer kernels.
Outcome expected_class(const Layer& layer, double scale, std::int32_t clean, std::int32_t struck) {
  const double rounded_clean = std::nearbyint(clean * scale);
  const double rounded_struck = std::nearbyint(struck * scale);
  if (rounded_clean == rounded_struck) return Outcome::masked_requantise;
  const auto clamp = [&layer](double v) {
    return std::clamp(v + layer.output_zero_point, double(layer.output_min),
                      double(layer.output_max));
  };
  return clamp(rounded_clean) == clamp(rounded_struck) ? Outcome::masked_activation
                                                       : Outcome::tolerable;
}

TEST(MaskClasses, RequantiseRoundsTheDifferenceAwayAndActivationCutsIt) {
  constexpr double kScale = 1.0 / 64;  // exact in float32, so that the oracle's products are too
  std::map<Outcome, int> seen;
  for (int seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(static_cast<std::uint64_t>(400 + seed));
    Network network = dense_layer(random);
    Layer& layer = network.layers[0];
    layer.has_relu = true;
    layer.output_min = 0;
    layer.scale.assign(3, to_fixed_scale(static_cast<float>(kScale), "test"));
    for (auto& w : layer.weights) w = static_cast<std::int8_t>(random.between(-20, 20));
    for (auto& b : layer.bias) b = random.between(-4000, 4000);
    std::vector<std::int8_t> image(6);
    for (auto& x : image) x = static_cast<std::int8_t>(random.between(-20, 20));
    const LayerValues values = run_network(network, image).back();

    const Program program = compile(network, {2, 5}, {}, {}, "test");
    TrialEngine engine(program, network);
    engine.prepare(0, image, 0);
    // The register holds the sums of the one row in one cycle only.
    const auto cycles = acting_cycles(engine, "vector.bias_add.sum[0]:31");
    ASSERT_EQ(cycles.size(), 1U);
    for (int lane = 0; lane < 3; ++lane) {
      const std::int32_t clean = values.sums[static_cast<std::size_t>(lane)];
      for (int bit = 0; bit < 32; ++bit) {
        const Site site = engine.sites().parse(
            "vector.bias_add.sum[" + std::to_string(lane) + "]:" + std::to_string(bit), "test", "");
        const auto struck = static_cast<std::int32_t>(static_cast<std::uint32_t>(clean) ^
                                                      (std::uint32_t{1} << bit));
        const Outcome outcome = std::min(engine.run(0, {{site, cycles[0]}}).outcome,
                                         Outcome::tolerable);  // that or worse: a logit changed
        EXPECT_EQ(outcome, expected_class(layer, kScale, clean, struck))
            << to_string(outcome) << " lane " << lane << " bit " << bit << " sum " << clean;
        ++seen[outcome];
      }
    }
  }
  EXPECT_GT(seen[Outcome::masked_requantise], 50);
  EXPECT_GT(seen[Outcome::masked_activation], 50);
  EXPECT_GT(seen[Outcome::tolerable], 50);
}

// A changed output that the next layer does not pass on: its weight is zero.
TEST(MaskClasses, DownstreamIsAChangedOutputThatALaterLayerIgnores) {
  Random random(33);
  Network network = dense_layer(random);
  Layer second = test::random_gemm(random, {1, 1, 3}, true);
  second.output.channels = 2;
  second.weights = {5, -7, 0, 0, 3, 2};  // output 1 of the first layer meets only zeros
  second.bias.assign(2, 0);
  second.input_zero_point = 0;
  second.scale.assign(2, to_fixed_scale(0.1F, "test"));
  second.name = "second";
  network.layers.push_back(second);
  const Program program = compile(network, {2, 5}, {}, {}, "test");
  TrialEngine engine(program, network);
  engine.prepare(0, random.int8s(6), 0);
  // Once in the first layer, where nothing comes of it; once in the second, which writes logits.
  const std::string path = "vector.bias_add.sum[1]:18";
  const auto cycles = acting_cycles(engine, path);
  ASSERT_EQ(cycles.size(), 2U);
  const Site site = engine.sites().parse(path, "test", "");
  EXPECT_EQ(engine.run(0, {{site, cycles[0]}}).outcome, Outcome::masked_downstream);
  EXPECT_GE(engine.run(0, {{site, cycles[1]}}).outcome, Outcome::tolerable);
}

}  // namespace
}  // namespace sagitta
