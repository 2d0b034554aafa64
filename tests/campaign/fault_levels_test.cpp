// Faults of neurons and weights: their draws, where they strike the machine, and that a struck
// machine computes what the integer reference computes with the same bits flipped.
#include "campaign/fault_levels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>

#include "base/error.h"
#include "campaign/level_strikes.h"
#include "campaign/trial.h"
#include "schedule/images.h"
#include "support/machine_cases.h"

namespace sagitta {
namespace {

using test::Random;

// Computed apart from this program: Philox4x32-10 after its paper, and for each draw u the largest
// gap g with u < (1 - p)^g 2^64, in rational arithmetic.
TEST(LevelDraws, AreKnown) {
  using Hits = std::vector<std::int64_t>;
  EXPECT_EQ(draw_hits(Stream(1, 0, Purpose::neuron), 0.25, 40),
            (Hits{1, 4, 8, 12, 13, 14, 19, 20, 21, 22, 26, 28, 34, 35}));
  EXPECT_EQ(draw_hits(Stream(1, 17, Purpose::neuron), 0.25, 40),
            (Hits{4, 10, 11, 12, 15, 22, 25, 27}));
  EXPECT_EQ(draw_hits(Stream(7, 3, Purpose::neuron), 0.0078125, 1000),
            (Hits{2, 76, 175, 347, 508, 710, 779, 881}));
  EXPECT_EQ(draw_hits(Stream(9, 5, Purpose::weight), 0.5, 24),
            (Hits{0, 2, 6, 8, 9, 12, 14, 15, 18, 19, 20, 21, 22}));
}

TEST(LevelDraws, EverythingOrNothing) {
  std::vector<std::int64_t> all(1000);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
  EXPECT_EQ(draw_hits(Stream(1, 0, Purpose::neuron), 1, 1000), all);
  EXPECT_TRUE(draw_hits(Stream(1, 0, Purpose::neuron), 0x1p-70, 1'000'000).empty());
  EXPECT_TRUE(draw_hits(Stream(1, 0, Purpose::neuron), 0.5, 0).empty());
}

// Each element is hit as often as every other one, and a neighbour's hit says nothing about it:
// exact binomial laws, each count within five standard deviations.
TEST(LevelDraws, AreIndependentAndOfTheRate) {
  constexpr int kElements = 40;
  constexpr int kTrials = 20000;
  for (const double rate : {0.003, 0.1, 0.6}) {
    SCOPED_TRACE(rate);
    std::vector<int> hit(kElements, 0);
    int pairs = 0;
    for (int k = 0; k < kTrials; ++k) {
      const auto hits =
          draw_hits(Stream(5, static_cast<std::uint64_t>(k), Purpose::neuron), rate, kElements);
      for (std::size_t i = 0; i < hits.size(); ++i) {
        ++hit[static_cast<std::size_t>(hits[i])];
        pairs += i > 0 && hits[i] == hits[i - 1] + 1 ? 1 : 0;
      }
    }
    const auto expect = [](double count, double n, double p) {
      EXPECT_NEAR(count, n * p, 5 * std::sqrt(n * p * (1 - p)));
    };
    double total = 0;
    for (const int count : hit) {
      total += count;
      expect(count, kTrials, rate);
    }
    expect(total, double{kTrials} * kElements, rate);
    // Of one element three pairs share draws, so their number varies up to three times as much.
    const double n = double{kTrials} * (kElements - 1);
    EXPECT_NEAR(pairs, n * rate * rate, 5 * std::sqrt(3 * n * rate * rate));
  }
}

// A layer of 2 x 3 weights and one neuron map of 4, then a pool, then a dense layer of 1.
Network small_network() {
  Network network;
  network.input = {2, 2, 2};
  Layer first;
  first.name = "first";
  first.input = network.input;
  first.output = {2, 2, 3};
  first.weights = {1, 2, 3, 4, 5, 6};
  first.bias = {7, 8, 9};
  first.scale.assign(3, to_fixed_scale(0.5F, "test"));
  Layer pool;
  pool.name = "pool";
  pool.kind = LayerKind::max_pool;
  pool.input = first.output;
  pool.window.kernel_h = pool.window.kernel_w = 2;
  pool.output = {1, 1, 3};
  Layer last;
  last.name = "last";
  last.input = pool.output;
  last.output = {1, 1, 2};
  last.weights = {1, -2, 3, -4, 5, -6};
  last.bias = {1, 2};
  last.scale.assign(2, to_fixed_scale(0.25F, "test"));
  network.layers = {first, pool, last};
  return network;
}

TEST(LevelDraws, NumberTheElementsOfLayersWithAProduct) {
  const Network network = small_network();
  EXPECT_EQ(neuron_count(network), 12 + 2);
  EXPECT_EQ(weight_count(network), 6 + 6);
  const auto neurons = draw_neuron_faults(1, 0, 1, NeuronValues::int8, network);
  ASSERT_EQ(neurons.size(), 14U);
  EXPECT_EQ(neurons[11].layer, 0);
  EXPECT_EQ(neurons[11].element, 11);
  EXPECT_EQ(neurons[13].layer, 2);
  EXPECT_EQ(neurons[13].element, 1);
  const std::vector<int> bits8{6, 2, 3, 6, 7, 3, 7, 6};
  const std::vector<int> bits32{25, 10, 13, 27, 30, 12, 31, 25};
  const auto sums = draw_neuron_faults(1, 0, 1, NeuronValues::int32, network);
  for (std::size_t i = 0; i < bits8.size(); ++i) {
    EXPECT_EQ(neurons[i].bit, bits8[i]);
    EXPECT_EQ(sums[i].bit, bits32[i]);
  }
  const auto weights = draw_weight_faults(1, 0, 1, network);
  ASSERT_EQ(weights.size(), 12U);
  EXPECT_EQ(weights[5].layer, 0);
  EXPECT_EQ(weights[5].k, 1);
  EXPECT_EQ(weights[5].n, 2);
  EXPECT_EQ(weights[9].layer, 2);
  EXPECT_EQ(weights[9].k, 1);
  EXPECT_EQ(weights[9].n, 1);
}

TEST(LevelDraws, HitTheSameNeuronsInEitherValue) {
  Random random(3);
  const Network network = test::random_network(random, 5);
  for (int k = 0; k < 50; ++k) {
    const auto sums = draw_neuron_faults(2, k, 0.1, NeuronValues::int32, network);
    const auto outputs = draw_neuron_faults(2, k, 0.1, NeuronValues::int8, network);
    ASSERT_EQ(sums.size(), outputs.size());
    for (std::size_t i = 0; i < sums.size(); ++i) {
      EXPECT_EQ(sums[i].layer, outputs[i].layer);
      EXPECT_EQ(sums[i].element, outputs[i].element);
      EXPECT_LT(outputs[i].bit, 8);
    }
  }
}

TEST(WeightPaths, ReadWhatTheyWrite) {
  Network network = small_network();
  network.layers[0].name = "/a[0]:b.c";
  for (const WeightFault& f : draw_weight_faults(3, 1, 1, network)) {
    const std::string path = weight_path(network, f);
    EXPECT_TRUE(is_weight_path(path));
    EXPECT_EQ(parse_weight_path(network, path, "f", "w"), f) << path;
  }
  EXPECT_FALSE(is_weight_path("memory.weight.bank[0].row[1].lane[2]:3@4"));
  EXPECT_EQ(weight_path(network, {2, 1, 0, 7}), "weights.last[1][0]:7");
  for (const char* bad :
       {"weights.last[1][0]", "weights.last[1]:7", "weights.last[1][x]:7", "weights.last[1][0]:x",
        "weights.last[3][0]:7", "weights.last[0][2]:7", "weights.last[1][0]:8", "weights.",
        "weights.pool[0][0]:1", "weights.lost[0][0]:1", "weights.last[1][0]:7@3"}) {
    EXPECT_THROW(parse_weight_path(network, bad, "f", "w"), InputError) << bad;
  }
}

// What the network computes with bits flipped, in software.
std::vector<LayerValues> flipped(Network network, const std::vector<std::int8_t>& image,
                                 const TrialFaults& faults) {
  for (const WeightFault& f : faults.weights) {
    Layer& layer = network.layers[static_cast<std::size_t>(f.layer)];
    std::int8_t& weight =
        layer.weights[static_cast<std::size_t>(f.k) * static_cast<std::size_t>(layer.columns()) +
                      static_cast<std::size_t>(f.n)];
    weight = static_cast<std::int8_t>(weight ^ 1 << f.bit);
  }
  std::vector<LayerValues> values;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer& layer = network.layers[l];
    const auto operand = [&](std::size_t which) -> const std::vector<std::int8_t>& {
      const int from = network.source(l, which);
      return from < 0 ? image : values[static_cast<std::size_t>(from)].output;
    };
    values.push_back(layer.kind == LayerKind::add ? run_layer(layer, operand(0), operand(1))
                                                  : run_layer(layer, operand(0)));
    for (const NeuronFault& f : faults.neurons) {
      if (f.layer != static_cast<int>(l)) continue;
      const auto at = static_cast<std::size_t>(f.element);
      std::int8_t& output = values[l].output[at];
      if (faults.values == NeuronValues::int8) {
        output = static_cast<std::int8_t>(output ^ 1 << f.bit);
        continue;
      }
      std::int32_t& sum = values[l].sums[at];
      sum = static_cast<std::int32_t>(static_cast<std::uint32_t>(sum) ^ 1U << f.bit);
      output = requantise(sum, layer.scale[at % static_cast<std::size_t>(layer.columns())],
                          layer.output_zero_point, layer.output_min, layer.output_max);
    }
  }
  return values;
}

// A scheme may have channels in another order: the same neurons and weights lie elsewhere there.
TEST(LevelDraws, FollowTheOrderOfChannels) {
  int moved_layers = 0, changed = 0;
  for (int seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(static_cast<std::uint64_t>(900 + seed));
    const Network network = test::random_network(random, 6);
    std::vector<ChannelOrder> orders;
    for (const ChannelGroup& group : channel_groups(network)) {
      ChannelOrder& order = orders.emplace_back();
      for (int c = 0; c < group.channels; ++c) {
        order.insert(order.begin() + random.between(0, static_cast<int>(order.size())), c);
      }
      moved_layers += static_cast<int>(group.members.size());
    }
    const Network other = reordered(network, orders);
    const std::vector<LayerOrder> places = layer_orders(network, orders);
    const auto image = random.int8s(network.input.elements());
    const auto clean = run_network(network, image).back().output;
    for (int k = 0; k < 6; ++k) {
      TrialFaults faults;
      faults.values = k % 2 == 0 ? NeuronValues::int32 : NeuronValues::int8;
      faults.neurons = draw_neuron_faults(1, k, 0.1, faults.values, network);
      faults.weights = draw_weight_faults(1, k, 0.1, network);
      const auto expected = flipped(network, image, faults).back().output;
      move(places, network, faults);
      EXPECT_EQ(flipped(other, image, faults).back().output, expected);
      changed += expected != clean ? 1 : 0;
    }
  }
  EXPECT_GT(moved_layers, 20);
  EXPECT_GT(changed, 100);
}

// The values that pass through the machine.
class Seen : public MachineObserver {
 public:
  explicit Seen(const Network& network) : values(network.layers.size()) {
    for (std::size_t l = 0; l < values.size(); ++l) {
      const auto elements = static_cast<std::size_t>(network.layers[l].output.elements());
      const bool gemm = network.layers[l].kind == LayerKind::gemm;
      values[l] = {std::vector<std::int32_t>(gemm ? elements : 0),
                   std::vector<std::int8_t>(elements)};
    }
  }
  void observe(const Machine& machine) override {
    const auto l = static_cast<std::size_t>(machine.layer());
    if (l >= values.size()) return;
    const std::byte* now = machine.state().now();
    const auto keep = [&](auto vector, auto& to) {
      for (int c = 0; vector.valid && c < machine.sequencer().lanes(machine.control()); ++c) {
        const auto at = vector.address + c * machine.sequencer().lane_step(machine.control());
        to.at(static_cast<std::size_t>(at)) = vector.value[c];
      }
    };
    keep(machine.vector().sums(now), values[l].sums);
    keep(machine.vector().output(now), values[l].output);
  }
  std::vector<LayerValues> values;
};

class LevelsOf : public testing::TestWithParam<test::ArrayVariant> {
 protected:
  struct Case {
    Network network;
    Program program;
    std::vector<std::int8_t> image;
  };
  static Case unprotected(int seed) {
    Random random(static_cast<std::uint64_t>(5000 + seed));
    Case c;
    c.network = test::random_network(random, 5);
    const ArrayShape array = GetParam().shape(random.between(1, 5), random.between(1, 5),
                                              static_cast<std::uint64_t>(seed));
    c.program = compile(c.network, array, test::random_memory(random, array), {}, "test");
    c.image = random.int8s(c.network.input.elements());
    return c;
  }
  static TrialFaults draw(int seed, int k, const Network& network) {
    constexpr double kRates[] = {0.002, 0.02, 0.3, 1};
    const double rate = kRates[k / 3 % 4];
    const auto s = static_cast<std::uint64_t>(seed);
    TrialFaults faults;
    faults.values = k % 3 == 0 ? NeuronValues::int32 : NeuronValues::int8;
    if (k % 3 < 2) faults.neurons = draw_neuron_faults(s, k, rate, faults.values, network);
    if (k % 3 == 2) faults.weights = draw_weight_faults(s, k, rate, network);
    return faults;
  }
};

INSTANTIATE_TEST_SUITE_P(Dataflows, LevelsOf, testing::ValuesIn(test::kVariants),
                         [](const auto& variant) { return variant.param.name(); });

// Every sum and output of every layer.
TEST_P(LevelsOf, StruckMachineComputesWhatTheReferenceDoes) {
  int changed = 0;
  for (int seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Case c = unprotected(seed);
    Machine machine(c.program);
    const SiteMap sites(machine.layout());
    NeuronStrikes neurons(sites, c.network);
    WeightFlips weights(c.program, c.network);
    const auto clean = run_network(c.network, c.image);
    for (int k = 0; k < 12; ++k) {
      SCOPED_TRACE("trial " + std::to_string(k));
      const TrialFaults faults = draw(seed, k, c.network);
      const auto expected = flipped(c.network, c.image, faults);
      neurons.begin(faults.values, faults.neurons, true);
      weights.apply(faults.weights);
      Seen seen(c.network);
      machine.set_observer(&seen);
      machine.reset(c.image.data());
      while (!machine.done()) {
        neurons.strike(machine);
        machine.step();
      }
      for (std::size_t l = 0; l < expected.size(); ++l) {
        ASSERT_EQ(seen.values[l].sums, expected[l].sums) << c.network.layers[l].name;
        ASSERT_EQ(seen.values[l].output, expected[l].output) << c.network.layers[l].name;
      }
      EXPECT_EQ(machine.logits(), expected.back().output);
      EXPECT_FALSE(neurons.pending());
      EXPECT_EQ(neurons.fired(), static_cast<std::int64_t>(faults.neurons.size()));
      EXPECT_EQ(weights.fired(machine), static_cast<std::int64_t>(faults.weights.size()));
      changed += expected.back().output != clean.back().output ? 1 : 0;
      for (const FaultRecord& r : neurons.records()) {
        EXPECT_EQ(r.before ^ r.after, r.site.bit == bits_of(faults.values) - 1
                                          ? -(std::int64_t{1} << r.site.bit)
                                          : std::int64_t{1} << r.site.bit);
      }
    }
  }
  EXPECT_GT(changed, 30);
}

// Every weight lies where it is said to, in a byte of its own; nothing else changes.
TEST_P(LevelsOf, EachWeightIsOneByteOfTheProgram) {
  for (int seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Case c = unprotected(seed);
    const Program before = c.program;
    {
      WeightFlips weights(c.program, c.network);
      const auto all = draw_weight_faults(static_cast<std::uint64_t>(seed), 0, 1, c.network);
      weights.apply(all);
      Machine machine(c.program);
      const auto records = weights.records(machine);
      for (std::size_t i = 0; i < all.size(); ++i) {
        const Layer& layer = c.network.layers[static_cast<std::size_t>(all[i].layer)];
        EXPECT_EQ(records[i].before,
                  layer.weights[static_cast<std::size_t>(all[i].k * layer.columns() + all[i].n)]);
      }
      std::size_t differ = 0;
      for (std::size_t t = 0; t < before.transfers.size(); ++t) {
        for (std::size_t b = 0; b < before.transfers[t].bytes.size(); ++b) {
          differ += before.transfers[t].bytes[b] != c.program.transfers[t].bytes[b] ? 1 : 0;
        }
      }
      EXPECT_EQ(differ, all.size());
    }
    for (std::size_t t = 0; t < before.transfers.size(); ++t) {
      EXPECT_EQ(before.transfers[t].bytes, c.program.transfers[t].bytes);
    }
  }
}

// The engine's shortcuts, under every scheme that a machine can have.
TEST_P(LevelsOf, TrialsEqualWholeRuns) {
  std::map<Outcome, int> seen;
  for (int seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(static_cast<std::uint64_t>(7000 + seed));
    const Network network = test::random_network(random, 6);
    const ArrayShape array = GetParam().shape(random.between(1, 4), random.between(1, 4),
                                              static_cast<std::uint64_t>(seed));
    const Program program = compile(network, array, test::random_memory(random, array),
                                    test::random_scheme(random, network, array), "test");
    TrialEngine engine(program, network);
    engine.prepare(0, random.int8s(network.input.elements()), 0);
    for (int k = 0; k < 12; ++k) {
      SCOPED_TRACE("trial " + std::to_string(k));
      TrialFaults faults = draw(seed, k, network);
      if (k == 7) {  // two levels at once, and registers
        faults.weights = draw_weight_faults(1, k, 0.1, network);
        faults.registers =
            draw_faults(1, k, 2, engine.sites().select("all", "test", ""), engine.clean_cycles());
      }
      const TrialResult fast = engine.run_trial(k, faults);
      const TrialResult whole = engine.run_trial(k, faults, true);
      EXPECT_EQ(fast.outcome, whole.outcome)
          << to_string(fast.outcome) << " " << to_string(whole.outcome);
      EXPECT_EQ(fast.predicted_class, whole.predicted_class);
      EXPECT_EQ(fast.cycles, whole.cycles);
      EXPECT_EQ(fast.mismatches, whole.mismatches);
      EXPECT_EQ(fast.suppressed_right, whole.suppressed_right);
      EXPECT_EQ(fast.suppressed_wrong, whole.suppressed_wrong);
      EXPECT_EQ(fast.faults_drawn, whole.faults_drawn);
      EXPECT_EQ(fast.faults_fired, whole.faults_fired);
      if (faults.registers.empty()) {
        EXPECT_NE(fast.outcome, Outcome::masked_idle);
        EXPECT_EQ(fast.faults_fired, fast.faults_drawn);
        EXPECT_EQ(fast.outcome == Outcome::not_fired, fast.faults_drawn == 0);
      }
      ASSERT_EQ(fast.faults.size(), whole.faults.size());
      for (std::size_t i = 0; i < fast.faults.size(); ++i) {
        EXPECT_EQ(fast.faults[i].site, whole.faults[i].site);
        EXPECT_EQ(fast.faults[i].cycle, whole.faults[i].cycle);
        EXPECT_EQ(fast.faults[i].before, whole.faults[i].before);
        EXPECT_EQ(fast.faults[i].after, whole.faults[i].after);
      }
      ++seen[fast.outcome];
      // The records as register faults and weights' paths are the same trial.
      TrialFaults replay;
      for (const FaultRecord& r : fast.faults) replay.registers.push_back({r.site, r.cycle});
      for (const WeightRecord& r : fast.weights) replay.weights.push_back(r.fault);
      const TrialResult again = engine.run_trial(k, replay);
      EXPECT_EQ(again.outcome, fast.outcome);
      EXPECT_EQ(again.predicted_class, fast.predicted_class);
      EXPECT_EQ(again.faults_fired, fast.faults_fired);
    }
  }
  EXPECT_GT(seen[Outcome::detected_corrected], 0);
  EXPECT_GT(seen[Outcome::masked_downstream], 0);
  EXPECT_GT(seen[Outcome::not_fired], 0);
  EXPECT_GT(seen[Outcome::tolerable] + seen[Outcome::critical] + seen[Outcome::sdc1], 50);
}

// A trial in the middle of others leaves nothing behind: weights are as they were.
TEST_P(LevelsOf, WeightsAreRestored) {
  Case c = unprotected(3);
  TrialEngine engine(c.program, c.network);
  const CleanResult clean = engine.prepare(0, c.image, 0);
  engine.run_trial(0, {.weights = draw_weight_faults(1, 0, 1, c.network)});
  EXPECT_EQ(engine.prepare(0, c.image, 0).logits, clean.logits);
  EXPECT_EQ(engine.run(1, {}).outcome, Outcome::not_fired);
}

// One layer of 8 sums a vector; the unit sees an int32 flip and not one of the output behind it.
class UnitSees : public testing::TestWithParam<test::ArrayVariant> {
 protected:
  static TrialResult struck(const Protection& protection, NeuronValues values, int bit) {
    Random random(5);
    Network network;
    network.input = {1, 1, 8};
    network.layers.push_back(test::random_gemm(random, network.input, true));
    network.layers[0].output.channels = 8;
    network.layers[0].weights = random.int8s(64);
    network.layers[0].bias.assign(8, 1000);
    network.layers[0].scale.assign(8, to_fixed_scale(0.001F, "test"));
    const Program program = compile(network, GetParam().shape(4, 8), {}, protection, "test");
    TrialEngine engine(program, network);
    engine.prepare(0, random.int8s(8), 0);
    return engine.run_trial(0, {.values = values, .neurons = {{0, 5, bit}}});
  }
};

INSTANTIATE_TEST_SUITE_P(Dataflows, UnitSees, testing::ValuesIn(test::kVariants),
                         [](const auto& variant) { return variant.param.name(); });

TEST_P(UnitSees, TheSumButNotTheOutput) {
  Protection range;
  range.checkers.emplace_back().layers.assign(8, {"", {{-1'000'000, 1'000'000}}});
  TrialResult t = struck(range, NeuronValues::int32, 30);
  EXPECT_EQ(t.suppressed_right, 1);
  EXPECT_EQ(t.suppressed_wrong, 0);
  EXPECT_EQ(t.faults_fired, 1);
  EXPECT_EQ(struck(range, NeuronValues::int8, 7).suppressed_right, 0);

  // Nothing is within these bounds, but the gate opens for rows whose checksum failed only.
  Protection gated;
  gated.checksum = true;
  Checker& checker = gated.checkers.emplace_back(CheckerKind::range, Gate::row);
  checker.layers.assign(8, {"", {{1, 0}}});
  t = struck(gated, NeuronValues::int32, 3);
  EXPECT_EQ(t.mismatches, 1);
  EXPECT_EQ(t.suppressed_right, 1);
  const bool pixels_in_lanes = GetParam().shape(4, 8).only(Dataflow::is);
  EXPECT_LE(t.suppressed_wrong, 7);
  if (pixels_in_lanes) {
    EXPECT_EQ(t.suppressed_wrong, 0);  // the row is one channel of one pixel
  }
  t = struck(gated, NeuronValues::int8, 3);
  EXPECT_EQ(t.mismatches, 0);
  EXPECT_EQ(t.suppressed_right + t.suppressed_wrong, 0);
}

// The checksum's weights are those of the true weights.
TEST(WeightFaults, AreSeenByTheChecksum) {
  Random random(17);
  Network network;
  network.input = {1, 1, 8};
  network.layers.push_back(test::random_gemm(random, network.input, true));
  Protection protection;
  protection.checksum = true;
  for (const Dataflow dataflow : {Dataflow::os, Dataflow::ws}) {
    const Program program = compile(network, {4, 8, dataflow}, {}, protection, "test");
    TrialEngine engine(program, network);
    engine.prepare(0, std::vector<std::int8_t>(8, 3), 0);
    const TrialResult t = engine.run_trial(0, {.weights = {{0, 2, 0, 6}}});
    EXPECT_EQ(t.mismatches, 1);
    ASSERT_EQ(t.weights.size(), 1U);
    EXPECT_TRUE(t.weights[0].fired);
  }
}

TEST(Records, AreKeptOnDemandAndCountedAlways) {
  Random random(19);
  const Network network = test::random_network(random, 4);
  const Program program = compile(network, {3, 4}, {}, {}, "test");
  TrialEngine engine(program, network);
  engine.prepare(0, random.int8s(network.input.elements()), 0);
  engine.keep_records(false);
  TrialFaults faults;
  faults.neurons = draw_neuron_faults(1, 0, 1, NeuronValues::int8, network);
  faults.weights = draw_weight_faults(1, 0, 1, network);
  const TrialResult t = engine.run_trial(0, faults);
  EXPECT_TRUE(t.faults.empty());
  EXPECT_TRUE(t.weights.empty());
  EXPECT_EQ(t.faults_drawn, neuron_count(network) + weight_count(network));
  EXPECT_EQ(t.faults_fired, t.faults_drawn);
}

}  // namespace
}  // namespace sagitta
