// Trials of machines that run tiles again: their classes, and the shortcuts of runs that were held
// up by a tile.
#include <cstdint>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "campaign/trial.h"
#include "support/machine_cases.h"

namespace sagitta {
namespace {

using test::Random;

Protection recompute() {
  Protection p;
  p.checksum = true;
  p.retries = 1;
  return p;
}

// Three products of 36 pixels, so that a run has many checkpoints.
Network network(Random& random) {
  Network net;
  net.input = {6, 6, 4};
  FeatureShape shape = net.input;
  for (int i = 0; i < 3; ++i) {
    Layer l;
    l.name = "gemm" + std::to_string(i);
    l.input = shape;
    l.output = {6, 6, 5};
    l.weights = random.int8s(l.depth() * l.columns());
    for (int n = 0; n < l.columns(); ++n) {
      l.bias.push_back(random.between(-2000, 2000));
      l.scale.push_back(to_fixed_scale(0.004F, "test"));
    }
    l.output_min = -128;
    l.output_max = 127;
    shape = l.output;
    net.layers.push_back(l);
  }
  return net;
}

class RecomputeTrials : public testing::TestWithParam<Dataflow> {
 protected:
  RecomputeTrials() {
    const auto image = random_.int8s(network_.input.elements());
    clean_ = engine_.prepare(0, image, 0);
  }
  static MemoryShape memory() {
    MemoryShape m;
    m.dram_latency = 40;
    m.partial_rows = GetParam() == Dataflow::os ? 0 : 12;
    return m;
  }
  Site site(const std::string& path) { return engine_.sites().parse(path, "", ""); }

  Random random_{31};
  Network network_ = network(random_);
  Program program_ = compile(network_, {2, 2, GetParam()}, memory(), recompute(), "test");
  TrialEngine engine_{program_, network_};
  CleanResult clean_;
};

INSTANTIATE_TEST_SUITE_P(Dataflows, RecomputeTrials, testing::ValuesIn(test::kDataflows),
                         [](const auto& d) { return std::string(to_string(d.param)); });

TEST_P(RecomputeTrials, AFlipOfASumIsCorrectedAndTheRestOfTheRunSkipped) {
  const SiteSelection sums = engine_.sites().select("array.pe[*][*].acc", "", "");
  int corrected = 0, early = 0;
  for (int k = 0; k < 150; ++k) {
    const auto faults = draw_faults(3, k, 1, sums, engine_.clean_cycles());
    const TrialResult fast = engine_.run(k, faults);
    const bool stopped = engine_.machine().cycle() < fast.cycles;
    if (fast.recomputed_tiles == 0) continue;
    const TrialResult whole = engine_.run(k, faults, true);
    ASSERT_EQ(fast.outcome, Outcome::detected_corrected);
    ASSERT_EQ(whole.outcome, Outcome::detected_corrected);
    ASSERT_EQ(fast.cycles, whole.cycles);
    ASSERT_EQ(fast.mismatches, whole.mismatches);
    ASSERT_EQ(fast.recomputed_tiles, 1);
    // DRAM may catch up meanwhile.
    ASSERT_LE(fast.cycles, clean_.cycles + fast.recompute_cycles);
    ASSERT_GT(fast.cycles, clean_.cycles);
    ++corrected;
    early += stopped ? 1 : 0;
  }
  EXPECT_GT(corrected, 30);
  EXPECT_GT(early, corrected / 2);
}

// The result is not used, so that it counts as wrong even where it is right.
TEST_P(RecomputeTrials, ATileThatFailsInItsLastTryIsTold) {
  const bool is = GetParam() == Dataflow::is;
  const Site word = site(is ? "memory.parameter.bank[0].lane[0].word[0]:9"
                            : "memory.weight.bank[0].row[1].lane[0]:6");
  // Column tile 0's are there once the first tile has begun; they are used again and again.
  const TrialResult result = engine_.run(0, {{word, clean_.cycles / 12}});
  EXPECT_EQ(result.outcome, Outcome::detected_uncorrected);
  EXPECT_GT(result.recomputed_tiles, 0);
  EXPECT_FALSE(result.correct);
  EXPECT_EQ(result.predicted_class, -1);
  const TrialResult status =
      engine_.run(0, {{site("resilience.recompute.uncorrected:0"), clean_.cycles / 2}});
  EXPECT_EQ(engine_.machine().logits(), clean_.logits);
  EXPECT_EQ(status.outcome, Outcome::detected_uncorrected);
  EXPECT_FALSE(status.correct);
  EXPECT_EQ(status.cycles, clean_.cycles);
}

// The worst that can happen is not a hang: every tile of the run fails in every try.
TEST_P(RecomputeTrials, TheBudgetHoldsAllTries) {
  Program broken = program_;
  const auto lanes = static_cast<std::size_t>(4 * 2 * program_.parameters.lane_words);
  for (std::size_t t = 1; t < broken.transfers.size(); ++t) {
    auto& bytes = broken.transfers[t].bytes;
    if (GetParam() != Dataflow::is) {
      ++bytes[lanes];  // the sum of the biases, behind two lanes' words
      continue;
    }
    // Words 2 and 3 of every channel.
    for (std::int64_t at = 0; at < broken.transfers[t].header; at += 4 * 4) {
      ++bytes[static_cast<std::size_t>(at + 8)];
      ++bytes[static_cast<std::size_t>(at + 12)];
    }
  }
  const std::int64_t budget = TrialEngine::budget(clean_.cycles, program_.protection.retries);
  Machine machine(broken);
  const std::vector<std::int8_t> image(static_cast<std::size_t>(network_.input.elements()), 1);
  machine.reset(image.data());
  EXPECT_TRUE(machine.run(budget));
  EXPECT_TRUE(machine.uncorrected());
  EXPECT_GT(machine.cycle(), clean_.cycles * 3 / 2);
  EXPECT_EQ(TrialEngine::budget(500, 0), 2 * 500 + 1000);
}

}  // namespace
}  // namespace sagitta
