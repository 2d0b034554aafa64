// Trials in real numbers: what is flipped, what is computed with it, and how it is classed.
#include "campaign/float_trial.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>

#include "base/error.h"
#include "support/machine_cases.h"

namespace sagitta {
namespace {

using test::Random;

float flipped(float value, int bit) {
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) ^ 1U << bit);
}

std::vector<std::uint32_t> bits_of(const std::vector<float>& values) {
  std::vector<std::uint32_t> bits;
  for (const float v : values) bits.push_back(std::bit_cast<std::uint32_t>(v));
  return bits;
}

Network random_real_network(Random& random, int most = 5) {
  Network network = test::random_network(random, most);
  network.input_scale = 0.02F;
  for (Layer& layer : network.layers) layer.output_scale = 0.05F;
  return network;
}

// Bounds about as wide as the sums of this image are spread.
FloatPlan random_plan(Random& random, const Network& network,
                      const std::vector<FloatValues>& clean) {
  FloatPlan plan;
  plan.array = {1, random.between(1, 6)};
  if (random.chance(30)) plan.array.dataflow = Dataflow::is;
  plan.network = hold_float_network(network);
  for (const Layer& layer : network.layers) {
    ChannelOrder& order = plan.channels.emplace_back();
    if (layer.kind != LayerKind::gemm || random.chance(50)) continue;
    for (int c = 0; c < layer.columns(); ++c) {
      order.insert(order.begin() + random.between(0, c), c);
    }
  }
  for (int i = random.between(0, 3); i > 0; --i) {
    const CheckerKind kinds[] = {CheckerKind::range, CheckerKind::gradient, CheckerKind::median};
    FloatCheckerPlan& c = plan.checkers.emplace_back();
    c.checker = test::random_checker(random, network, kinds[random.between(0, 2)], true);
    if (c.checker.kind == CheckerKind::gradient && plan.array.dataflow != Dataflow::is &&
        random.chance(30)) {
      c.checker.axis = Axis::line;
    }
    for (std::size_t l = 0; l < network.layers.size(); ++l) {
      auto& bounds = c.bounds.emplace_back();
      const bool channels = c.checker.granularity == Granularity::channel;
      if (network.layers[l].kind != LayerKind::gemm) continue;
      float spread = 0;
      for (const float v : clean[l].sums) spread = std::max(spread, std::abs(v));
      for (int b = channels ? network.layers[l].columns() : 1; b > 0; --b) {
        const auto part = [&] {
          return spread * static_cast<float>(random.between(30, 120)) / 100;
        };
        bounds.push_back({-part(), part()});
      }
    }
  }
  return plan;
}

std::vector<NeuronFault> random_faults(Random& random, const Network& network) {
  std::vector<NeuronFault> faults;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    if (network.layers[l].kind != LayerKind::gemm) continue;
    for (int i = random.between(0, 2); i > 0; --i) {
      faults.push_back({static_cast<int>(l),
                        random.between(0, network.layers[l].output.elements() - 1),
                        random.between(0, 31)});
    }
  }
  return faults;
}

bool has_neurons(const Network& network) {
  return std::any_of(network.layers.begin(), network.layers.end(),
                     [](const Layer& l) { return l.kind == LayerKind::gemm; });
}

// A trial computes the network with the bits flipped, and each checker behind its gate in turn:
// done again from the network alone. Shortcuts change nothing.
TEST(FloatTrials, ComputeTheNetworkWithTheBitsFlipped) {
  int changed = 0, suppressed = 0, right = 0, trials = 0;
  for (int seed = 0; seed < 250; ++seed) {
    SCOPED_TRACE(seed);
    Random random(static_cast<std::uint64_t>(seed));
    const Network network = random_real_network(random);
    if (!has_neurons(network)) continue;
    const auto image = random.int8s(network.input.elements());
    const FloatNetwork real(network);
    const FloatPlan plan = random_plan(random, network, real.run(image));
    FloatEngine engine(plan);
    const FloatClean clean = engine.prepare(3, image, random.between(0, network.classes() - 1));
    const auto fault_free = engine.logits();
    for (int k = 0; k < 8; ++k) {
      const auto faults = random_faults(random, network);
      std::int64_t replaced = 0;
      const auto expected = real.run(image, [&](std::size_t layer, std::vector<float>& sums) {
        const ChannelLanes lanes(network.layers[layer], plan.array, plan.channels[layer]);
        std::vector<bool> flagged(static_cast<std::size_t>(lanes.rows()));
        for (const NeuronFault& f : faults) {
          const auto at = static_cast<std::size_t>(f.element);
          if (f.layer != static_cast<int>(layer)) continue;
          sums[at] = flipped(sums[at], f.bit);
          // The row that this neuron leaves the array in: a pixel's tile of channels.
          flagged[static_cast<std::size_t>(lanes.row_of()[at])] =
              std::count(faults.begin(), faults.end(), f) == 1 ||
              flagged[static_cast<std::size_t>(lanes.row_of()[at])];
        }
        for (const FloatCheckerPlan& c : plan.checkers) {
          std::vector<bool> open = flagged;
          if (c.checker.gate == Gate::layer) {
            for (std::size_t r = 1; r < open.size(); ++r) open[r] = open[r] || open[r - 1];
          }
          if (c.checker.gate == Gate::always) open.assign(open.size(), true);
          for (const auto& [element, value] :
               FloatChecker(c.checker, lanes, c.bounds[layer]).replacements(sums, open)) {
            sums[static_cast<std::size_t>(element)] = value;
            ++replaced;
          }
        }
      });
      const TrialResult t = engine.run_trial(k, faults);
      ASSERT_EQ(bits_of(engine.logits()), bits_of(expected.back().output));
      EXPECT_EQ(t.predicted_class, top1(expected.back().output));
      EXPECT_EQ(t.suppressed_right + t.suppressed_wrong, replaced);
      const TrialResult again = engine.run_trial(k, faults, true);
      EXPECT_EQ(bits_of(engine.logits()), bits_of(expected.back().output));
      EXPECT_EQ(t.outcome, again.outcome);
      EXPECT_EQ(t.suppressed_right, again.suppressed_right);
      EXPECT_EQ(t.suppressed_wrong, again.suppressed_wrong);
      EXPECT_EQ(t.faults_fired, again.faults_fired);
      ++trials;
      changed += bits_of(engine.logits()) != bits_of(fault_free) ? 1 : 0;
      suppressed += static_cast<int>(replaced);
      right += static_cast<int>(t.suppressed_right);
      if (testing::Test::HasFailure()) return;
    }
    const TrialResult none = engine.run_trial(0, {});
    EXPECT_EQ(none.outcome, Outcome::not_fired);
    EXPECT_EQ(none.suppressed_right, 0);
    EXPECT_EQ(none.suppressed_wrong, clean.suppressed);
  }
  EXPECT_GT(trials, 1000);
  EXPECT_GT(changed, 500);
  EXPECT_GT(suppressed, 5000);
  EXPECT_GT(right, 500);
}

// Every bit of one sum: exactly that bit differs, and nothing else is struck.
TEST(FloatTrials, RecordsSayWhatWasFlipped) {
  Random random(3);
  Network network;
  network.input = {2, 3, 4};
  network.layers.push_back(test::random_gemm(random, network.input, true));
  FloatPlan plan;
  plan.array = {1, 4};
  plan.network = hold_float_network(network);
  plan.channels.resize(1);
  FloatEngine engine(plan);
  const auto image = random.int8s(24);
  engine.prepare(0, image, 0);
  const auto sums = plan.network->run(image)[0].sums;
  for (int n = 0; n < network.classes(); ++n) {
    for (int bit = 0; bit < 32; ++bit) {
      const NeuronFault fault{0, n, bit};
      const TrialResult t = engine.run_trial(5, {fault});
      ASSERT_EQ(t.floats.size(), 1U);
      const FloatRecord& r = t.floats[0];
      EXPECT_EQ(r.fault, fault);
      EXPECT_TRUE(r.fired);
      const auto i = static_cast<std::size_t>(n);
      EXPECT_EQ(std::bit_cast<std::uint32_t>(r.before), std::bit_cast<std::uint32_t>(sums[i]));
      EXPECT_EQ(std::bit_cast<std::uint32_t>(r.after),
                std::bit_cast<std::uint32_t>(sums[i]) ^ 1U << bit);
    }
  }
  const NeuronFault fault{0, 0, 30};
  const TrialResult twice = engine.run_trial(0, {fault, fault});
  EXPECT_EQ(twice.outcome, Outcome::not_fired) << "two flips of the same bit cancel";
  EXPECT_EQ(twice.faults_drawn, 2);
  EXPECT_EQ(twice.faults_fired, 0);
  EXPECT_EQ(engine.run_trial(0, {fault, fault, fault}).faults_fired, 1);
  engine.keep_records(false);
  EXPECT_TRUE(engine.run_trial(0, {fault}).floats.empty());
}

// Two layers of one input: sums 2, -4, 6, 0 with a ReLU; then 1 x 4 and 2 x 4 weights.
Network small() {
  Network network;
  network.input = {1, 1, 1};
  Layer first;
  first.name = "first";
  first.input = network.input;
  first.output = {1, 1, 4};
  first.weights = {2, -4, 6, 0};
  first.bias.assign(4, 0);
  first.scale.assign(4, to_fixed_scale(1.0F, "test"));
  first.has_relu = true;
  first.output_min = first.output_zero_point = 0;
  Layer second = first;
  second.name = "second";
  second.has_relu = false;
  second.output_min = -128;
  second.input = first.output;
  second.output = {1, 1, 2};
  second.weights = {1, 0, 0, 0, 0, 1, 0, 1};  // [4][2]
  second.bias.assign(2, 0);
  second.scale.assign(2, to_fixed_scale(1.0F, "test"));
  network.layers = {first, second};
  return network;
}

class SmallTrials : public testing::Test {
 protected:
  SmallTrials() {
    plan_.array = {1, 4};
    plan_.network = hold_float_network(small());
    plan_.channels.resize(2);
  }
  TrialResult trial(const std::vector<NeuronFault>& faults, int label = 1) {
    FloatEngine engine(plan_);
    engine.prepare(0, {1}, label);
    EXPECT_EQ(engine.logits(), (std::vector<float>{2, 6}));
    return engine.run_trial(0, faults);
  }
  void protect(const Checker& checker, const FloatBounds& bounds) {
    plan_.checkers.push_back({checker, {{bounds}, {FloatBounds{-100, 100}}}});
  }
  FloatPlan plan_;
};

TEST_F(SmallTrials, EndInTheClassesOfAllTrials) {
  constexpr int kSign = 31, kExponent = 30;
  EXPECT_EQ(trial({}).outcome, Outcome::not_fired);
  EXPECT_EQ(trial({{0, 1, 0}}).outcome, Outcome::masked_activation) << "ReLU";
  EXPECT_EQ(trial({{0, 3, kSign}}).outcome, Outcome::masked_logical) << "-0 equals 0";
  EXPECT_EQ(trial({{0, 0, 0}}).outcome, Outcome::tolerable);
  EXPECT_EQ(trial({{1, 0, 23 + 1}}).outcome, Outcome::critical) << "2 to 8";
  EXPECT_EQ(trial({{1, 0, 23 + 1}}, 0).outcome, Outcome::sdc1);
  EXPECT_EQ(trial({{0, 2, kSign}}).outcome, Outcome::critical) << "6 to 0";
  // 2^1 1.0 with the exponent's highest bit off: 2 to 2^-127; on at 6: 6 2^-128.
  const TrialResult t = trial({{0, 2, kExponent}});
  EXPECT_EQ(t.outcome, Outcome::critical);
  EXPECT_EQ(t.predicted_class, 0);
  EXPECT_FALSE(t.correct);
  EXPECT_TRUE(t.reference_correct);
}

// An output of the first layer that the second one does not look at.
TEST_F(SmallTrials, DifferencesDieDownstream) {
  Network network = small();
  network.layers[1].weights[6] = network.layers[1].weights[7] = 0;
  plan_.network = hold_float_network(network);
  EXPECT_EQ(trial({{0, 3, 5}}).outcome, Outcome::masked_downstream) << "0 to a denormal";
}

// 1.5 has all exponent bits but the highest, so that a flip of that makes a NaN, which wins.
TEST_F(SmallTrials, ANanIsTheLargestLogit) {
  Network network = small();
  network.layers[1].scale.assign(2, to_fixed_scale(0.25F, "test"));
  plan_.network = hold_float_network(network);
  FloatEngine engine(plan_);
  engine.prepare(0, {1}, 1);
  EXPECT_EQ(engine.logits(), (std::vector<float>{0.5, 1.5}));
  const TrialResult t = engine.run_trial(0, {{1, 1, 30}});
  EXPECT_TRUE(std::isnan(engine.logits()[1]));
  EXPECT_EQ(t.outcome, Outcome::tolerable);
}

TEST_F(SmallTrials, CheckersAndTheOracleCorrect) {
  protect({.kind = CheckerKind::range, .suppress = Suppress::clamp}, {-10, 6});
  const TrialResult clamped = trial({{0, 2, 23 + 1}});  // 6 to 24
  EXPECT_EQ(clamped.outcome, Outcome::detected_corrected);
  EXPECT_EQ(clamped.suppressed_right, 1);
  EXPECT_EQ(clamped.suppressed_wrong, 0);
  plan_.checkers.clear();
  protect({.kind = CheckerKind::range}, {-10, 5});  // 6 becomes 0 on clean data, too
  FloatEngine engine(plan_);
  EXPECT_EQ(engine.prepare(0, {1}, 1).suppressed, 1);
  EXPECT_EQ(engine.logits(), (std::vector<float>{2, 0}));
  const TrialResult wrong = engine.run_trial(0, {{1, 0, 0}});
  EXPECT_EQ(wrong.suppressed_right, 0);
  EXPECT_EQ(wrong.suppressed_wrong, 1);

  plan_.checkers.clear();
  plan_.scheme.oracle = true;
  const TrialResult zeroed = trial({{0, 3, 30}});
  EXPECT_EQ(zeroed.outcome, Outcome::detected_corrected);
  EXPECT_EQ(zeroed.suppressed_right, 1);
  EXPECT_EQ(trial({{0, 2, 0}}).outcome, Outcome::critical) << "zeroed, whatever the harm";
  EXPECT_EQ(trial({{0, 2, 0}, {0, 2, 7}}).suppressed_right, 1) << "one neuron, two flips";
}

// Behind a gate the checker acts in rows with a struck sum only; that of a layer stays open.
TEST_F(SmallTrials, GatesOpenWhereASumWasStruck) {
  plan_.array = {1, 2};  // rows of the first layer: 2, -4 and 6, 0
  for (const Gate gate : {Gate::always, Gate::row, Gate::layer}) {
    plan_.checkers.clear();
    protect({.kind = CheckerKind::range, .gate = gate}, {0, 1});  // only 0 and 1 are within
    const auto suppressed = [&](int element) {
      FloatEngine engine(plan_);
      engine.prepare(0, {1}, 0);
      const TrialResult t = engine.run_trial(0, {{0, element, 0}});
      return t.suppressed_right + t.suppressed_wrong;
    };
    EXPECT_EQ(suppressed(0), gate == Gate::row ? 2 : 3) << to_string(gate);
    EXPECT_EQ(suppressed(2), gate == Gate::always ? 3 : 1) << to_string(gate);
  }
}

TEST(FloatFaults, AreThoseOfInt32) {
  Random random(1);
  const Network network = random_real_network(random, 8);
  int drawn = 0;
  for (int k = 0; k < 50; ++k) {
    const auto real = draw_neuron_faults(4, k, 0.3, NeuronValues::fp32, network);
    EXPECT_EQ(real, draw_neuron_faults(4, k, 0.3, NeuronValues::int32, network));
    drawn += static_cast<int>(real.size());
  }
  EXPECT_GT(drawn, 50);
}

TEST(FloatFaults, HaveNamesThatAreReadAgain) {
  Random random(2);
  for (int i = 0; i < 20; ++i) {
    Network network = test::random_network(random, 8);
    for (Layer& layer : network.layers) layer.name += " [1]:2";
    for (const NeuronFault& f : draw_neuron_faults(1, i, 0.2, NeuronValues::fp32, network)) {
      EXPECT_EQ(parse_neuron_path(network, neuron_path(network, f), "", ""), f);
    }
  }
  Network network = small();
  network.layers[0].output = {2, 3, 4};
  EXPECT_EQ(neuron_path(network, {0, 4 * (3 + 2) + 1, 31}), "neurons.first[1][2][1]:31");
  const auto refused = [&](const std::string& text) -> std::string {
    try {
      parse_neuron_path(network, text, "faults.json", "$.trials[0]");
    } catch (const InputError& e) {
      return e.what();
    }
    return "";
  };
  for (const char* bad : {"neurons.first[1][2]:3", "neurons.first[1][2][-1]:3", "neurons.first:3",
                          "neurons.first[1][2][1]", "neurons.first[1][2][1]:x", "neurons.:1"}) {
    EXPECT_NE(refused(bad).find("is not a neuron's bit"), std::string::npos) << refused(bad);
  }
  for (const char* out : {"neurons.first[2][0][0]:0", "neurons.first[0][3][0]:0",
                          "neurons.first[0][0][4]:0", "neurons.first[0][0][0]:32"}) {
    EXPECT_NE(refused(out).find("is not one of 2 x 3 x 4 neurons of 32 bits"), std::string::npos)
        << refused(out);
  }
  EXPECT_NE(refused("neurons.fisrt[0][0][0]:1").find("'fisrt' is no layer with neurons"),
            std::string::npos)
      << refused("neurons.fisrt[0][0][0]:1");
}

}  // namespace
}  // namespace sagitta
