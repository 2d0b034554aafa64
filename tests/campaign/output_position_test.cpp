// Checkers at the output position in experiments: what a scheme says, what their bounds are fitted
// to, and how their suppressions are judged.
#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "campaign/thresholds.h"
#include "campaign/trial.h"
#include "network/reference.h"
#include "support/machine_cases.h"
#include "support/temporary_folder.h"

namespace sagitta {
namespace {

using nlohmann::json;
using test::Random;

Scheme scheme(const json& object) {
  return scheme_from(
      object, [](const std::string& key, const std::string& problem, const std::string& remedy) {
        throw std::runtime_error(key + ": " + problem + "; " + remedy);
      });
}
std::string error_of(const json& object) {
  try {
    scheme(object);
  } catch (const std::runtime_error& e) {
    return e.what();
  }
  return "";
}

TEST(OutputPosition, IsAnOptionOfEveryKindWithCheckers) {
  for (const char* kind : {"range-zero", "range-clamp", "gradient", "gradient-tuned", "median"}) {
    for (const Checker& c : scheme({{"kind", kind}}).blocks.checkers) {
      EXPECT_EQ(c.position, Position::sum) << kind;
    }
    const Scheme outputs = scheme({{"kind", kind}, {"position", "output"}, {"gate", "row"}});
    ASSERT_FALSE(outputs.blocks.checkers.empty());
    for (const Checker& c : outputs.blocks.checkers) {
      EXPECT_EQ(c.position, Position::output) << kind;
      EXPECT_EQ(c.gate, Gate::row);
    }
    EXPECT_TRUE(outputs.blocks.checks_outputs());
    EXPECT_FALSE(outputs.blocks.checksum) << "it comes too early for what strikes outputs";
    EXPECT_EQ(scheme(json::parse(scheme_json(outputs).dump())), outputs) << "written and read";
  }
}

TEST(OutputPosition, StandsBehindTheSumsInAChain) {
  const json sum = {{"kind", "range"}, {"gate", "row"}};
  const json output = {{"kind", "gradient"}, {"position", "output"}};
  const Scheme both = scheme({{"kind", "chain"}, {"checkers", {sum, output}}});
  EXPECT_TRUE(both.blocks.checksum) << "for the gate of the first";
  EXPECT_EQ(both.blocks.sum_checkers(), 1U);
  EXPECT_EQ(error_of({{"kind", "chain"}, {"checkers", {output, sum}}}),
            "checkers[1].position: a checker of sums stands behind one of outputs, where there are "
            "no sums any more; move it before the first checker with \"position\": \"output\", or "
            "give it that position");
}

class OutputFits : public testing::Test {
 protected:
  OutputFits() {
    Random random(7);
    network_.input = {5, 6, 3};
    do {
      network_.layers = {test::random_gemm(random, network_.input, false)};
    } while (network_.layers[0].columns() < 6 || network_.layers[0].output.width < 4 ||
             network_.layers[0].groups != 1);
    images_.shape = network_.input;
    images_.pixels = random.int8s(30 * network_.input.elements());
    images_.labels.assign(30, 0);
  }
  ThresholdFit fit_of(const Scheme& scheme, const ArrayShape& array) const {
    const FitKey key{scheme.blocks.checkers.at(0), scheme.bounds.at(0), false, array.columns};
    return fit_bounds(network_, images_, {{key, array}}, {}).at(0);
  }
  Network network_;
  ImageSet images_;
};

TEST_F(OutputFits, ExtremesAreThoseOfTheOutputs) {
  const Scheme range =
      scheme({{"kind", "range-zero"}, {"granularity", "channel"}, {"position", "output"}});
  const LayerFit fit = fit_of(range, {4, 4}).layers.at(0);
  const auto n = static_cast<std::size_t>(network_.layers[0].columns());
  std::vector<Bounds> expected(n, {INT32_MAX, INT32_MIN});
  for (int i = 0; i < images_.count(); ++i) {
    const auto y = run_network(network_, images_.image(i))[0].output;
    for (std::size_t at = 0; at < y.size(); ++at) {
      Bounds& b = expected[at % n];
      b = {std::min<std::int32_t>(b.low, y[at]), std::max<std::int32_t>(b.high, y[at])};
    }
  }
  EXPECT_EQ(fit.bounds, expected);
}

// The machine's checker acts on as many fault-free outputs as the fit says that it does.
TEST_F(OutputFits, TheMachineSuppressesWhatTheFitBlames) {
  for (const Dataflow dataflow : {Dataflow::os, Dataflow::ws, Dataflow::is}) {
    const ArrayShape array{3, 4, dataflow};
    const Scheme chain = scheme({{"kind", "chain"},
                                 {"checkers",
                                  {{{"kind", "gradient"},
                                    {"position", "output"},
                                    {"granularity", "channel"},
                                    {"rule", "spike"},
                                    {"bounds", "quantile"},
                                    {"false_positives", 0.2}}}}});
    ThresholdFile file;
    file.fits.push_back(fit_of(chain, array));
    const Program program = compile(network_, array, {}, protection_of(chain, array, file, ""), "");
    Machine machine(program);
    std::int64_t suppressed = 0;
    for (int i = 0; i < images_.count(); ++i) {
      const auto pixels = images_.image(i);
      machine.reset(pixels.data());
      ASSERT_TRUE(machine.run(1'000'000));
      suppressed += static_cast<std::int64_t>(machine.suppressions().size());
    }
    EXPECT_GT(suppressed, 20);
    EXPECT_EQ(suppressed, file.fits[0].layers[0].blamed) << to_string(dataflow);
  }
}

TEST(OutputThresholds, AFileTellsThePositionsApart) {
  const NetworkFolder folder =
      open_network(std::string(SAGITTA_SOURCE_DIR) + "/models/lenet5-mnist");
  const test::TemporaryFolder temporary;
  const std::string path = temporary / "t.json";
  Experiment experiment;
  experiment.calibration_images = 5;
  Configuration c;
  for (const char* position : {"sum", "output"}) {
    c.scheme = scheme({{"kind", "range-zero"}, {"position", position}});
    experiment.configurations.push_back(c);
  }
  const ThresholdFile file = calibrate(experiment, folder);
  ASSERT_EQ(file.fits.size(), 2U);
  write_thresholds(file, path);
  const ThresholdFile again = read_thresholds(path, folder);
  EXPECT_EQ(to_json(again), to_json(file));
  for (const Configuration& each : experiment.configurations) {
    const Protection p = protection_of(each.scheme, ArrayShape{16, 16}, again, path);
    const Bounds& b = p.checkers.at(0).layers.at(0).bounds.at(0);
    const bool outputs = p.checkers[0].position == Position::output;
    EXPECT_EQ(b.low >= -128 && b.high <= 127, outputs);
  }
}

// A flip of one output register, which a checker behind its check takes back: right. What else the
// checker then suppresses in that row was as in the fault-free run: wrong. Sums that a checker
// before them has suppressed play no part in that.
TEST(OutputTrials, SuppressionsAreJudgedByTheFaultFreeOutputs) {
  Random random(3);
  Network network;
  network.input = {1, 1, 4};
  network.layers = {Layer{}};
  Layer& layer = network.layers[0];
  layer.name = "gemm";
  layer.input = network.input;
  layer.output = {1, 1, 3};
  layer.weights.assign(12, 1);
  layer.bias = {40, -20, 5};
  layer.scale.assign(3, to_fixed_scale(1.0F, "test"));
  Protection p;
  p.checkers.push_back({.kind = CheckerKind::range, .layers = {{"gemm", {{0, 1000}}}}});
  p.checkers.push_back({.kind = CheckerKind::range,
                        .gate = Gate::row,
                        .layers = {{"gemm", {{3, 30}}}},
                        .position = Position::output});
  const Program program = compile(network, {2, 3}, {}, p, "test");
  TrialEngine engine(program, network);
  const std::vector<std::int8_t> image(4, 0);
  const CleanResult clean = engine.prepare(0, image, 0);
  EXPECT_EQ(clean.logits, (std::vector<std::int8_t>{40, 0, 5})) << "-20 became 0";
  EXPECT_EQ(clean.suppressed, 1);
  EXPECT_EQ(clean.mismatches, 0);
  Machine machine(program);
  machine.reset(image.data());
  while (!machine.vector().output(machine.state().now()).valid) machine.step();
  // 5 becomes 69: all three are outside then, and were 40, 0 and 5.
  const Fault flip{engine.sites().parse("vector.output.value[2]:6", "", ""), machine.cycle()};
  for (const bool from_reset : {false, true}) {
    const TrialResult result = engine.run(0, {flip}, from_reset);
    EXPECT_EQ(result.mismatches, 1) << "of the outputs' check";
    EXPECT_EQ(result.suppressed_right, 1) << "69";
    EXPECT_EQ(result.suppressed_wrong, 1 + 2) << "the sum, as always; 40 and 0";
    EXPECT_EQ(result.outcome, compare_logits(clean.logits, {0, 0, 0}, 0));
  }
}

// Shortcuts stay exact with checkers at both positions.
TEST(OutputTrials, ShortcutsAreExact) {
  for (int seed = 0; seed < 15; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(static_cast<std::uint64_t>(500 + seed));
    const Network network = test::random_network(random, 5);
    Protection p;
    p.checkers = {
        test::random_checker(random, network, CheckerKind::range, false),
        test::random_checker(random, network, CheckerKind::range, true, Position::output),
        test::random_checker(random, network, CheckerKind::gradient, false, Position::output)};
    const auto& variant =
        test::kVariants[static_cast<std::size_t>(seed) % std::size(test::kVariants)];
    const Program program = compile(network, variant.shape(3, 3), {}, p, "test");
    TrialEngine engine(program, network);
    const SiteSelection sites = engine.sites().select("logic", "test", "");
    engine.prepare(0, random.int8s(network.input.elements()), 0);
    for (int k = 0; k < 40; ++k) {
      SCOPED_TRACE("trial " + std::to_string(k));
      const auto faults =
          draw_faults(static_cast<std::uint64_t>(seed), k, 2, sites, engine.clean_cycles());
      const TrialResult fast = engine.run(k, faults);
      const TrialResult whole = engine.run(k, faults, true);
      EXPECT_EQ(fast.outcome, whole.outcome);
      EXPECT_EQ(fast.cycles, whole.cycles);
      EXPECT_EQ(fast.mismatches, whole.mismatches);
      EXPECT_EQ(fast.suppressed_right, whole.suppressed_right);
      EXPECT_EQ(fast.suppressed_wrong, whole.suppressed_wrong);
    }
  }
}

}  // namespace
}  // namespace sagitta
