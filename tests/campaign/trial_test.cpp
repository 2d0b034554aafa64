// The trial engine: its shortcuts are exact, its draws are what they were, its classes are ordered.
#include "campaign/trial.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "campaign/fault_models.h"
#include "campaign/population.h"
#include "network/reference.h"
#include "support/machine_cases.h"

namespace sagitta {
namespace {

using test::Random;

// The fourth runs tiles again, the eighth runs each three times, where the array can.
Protection protection(int which, const ArrayShape& array) {
  Protection p;
  if (which == 1) p.pe_copies = PeCopies::all;
  p.checksum = which == 2 || which == 4;
  if (which == 5 || which == 6) p.arrays = 2;
  if (which == 7) p.arrays = 3;
  const bool can = !(array.overlap && array.has(Dataflow::os));
  if ((which == 4 || which == 6) && can) p.retries = 1;
  if (which == 8 && can) p.passes = 3;
  if (which == 2) {
    Checker& gradient = p.checkers.emplace_back(CheckerKind::gradient, Gate::row);
    gradient.layers.assign(8, {"", {{-20000, 20000}}});
  }
  if (which == 3) {
    Checker& range = p.checkers.emplace_back();
    range.granularity = Granularity::channel;
    range.layers.assign(8, {"", std::vector<Bounds>(64, {-300000, 300000})});
  }
  if (which == 4) p.arrays = 2;
  if (which == 5) p.arrays = 3;
  return p;
}

void expect_equal(const TrialResult& fast, const TrialResult& whole) {
  EXPECT_EQ(fast.outcome, whole.outcome)
      << to_string(fast.outcome) << " " << to_string(whole.outcome);
  EXPECT_EQ(fast.predicted_class, whole.predicted_class);
  EXPECT_EQ(fast.cycles, whole.cycles);
  EXPECT_EQ(fast.mismatches, whole.mismatches);
  EXPECT_EQ(fast.recomputed_tiles, whole.recomputed_tiles);
  EXPECT_EQ(fast.recompute_cycles, whole.recompute_cycles);
  EXPECT_EQ(fast.suppressed_right, whole.suppressed_right);
  EXPECT_EQ(fast.suppressed_wrong, whole.suppressed_wrong);
  ASSERT_EQ(fast.faults.size(), whole.faults.size());
  for (std::size_t i = 0; i < fast.faults.size(); ++i) {
    EXPECT_EQ(fast.faults[i].fired, whole.faults[i].fired);
    EXPECT_EQ(fast.faults[i].before, whole.faults[i].before);
    EXPECT_EQ(fast.faults[i].after, whole.faults[i].after);
  }
}

class TrialEngineOf : public testing::TestWithParam<test::ArrayVariant> {
 protected:
  // Where an operand is stationary, with so few partial sums that some layers are worked off in
  // parts.
  static MemoryShape memory() {
    MemoryShape m;
    if (GetParam().shape(2, 2).folds()) m.partial_rows = 7;
    return m;
  }
};

INSTANTIATE_TEST_SUITE_P(Dataflows, TrialEngineOf, testing::ValuesIn(test::kVariants),
                         [](const auto& variant) { return variant.param.name(); });

TEST_P(TrialEngineOf, CheckpointsAndConvergenceEqualWholeRuns) {
  std::map<Outcome, int> seen;
  int with_conflicts = 0;
  int told_and_right = 0;
  for (int seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(static_cast<std::uint64_t>(1000 + seed));
    // Several layers on a small array, so that a run has many checkpoints.
    Network network = test::random_network(random, 5);
    network.name = "random";
    const int rows = random.between(1, 5);
    const ArrayShape array =
        GetParam().shape(rows, random.between(1, 5), static_cast<std::uint64_t>(seed));
    MemoryShape shape = memory();
    if (random.chance(50)) {  // so few banks and so narrow that there are conflicts
      shape.activation_banks = random.between(1, 2);
      shape.activation_port_bytes = 1 << random.between(0, 2);
    }
    const Program program = compile(network, array, shape, protection(seed % 9, array), "test");
    TrialEngine engine(program, network);
    const SiteSelection sites = engine.sites().select(seed % 5 == 0 ? "all" : "logic", "test", "");
    const auto image = random.int8s(network.input.elements());
    const CleanResult clean = engine.prepare(0, image, 0);
    with_conflicts += std::any_of(clean.counters.begin(), clean.counters.end(),
                                  [](const LayerCounters& c) { return c.bank_stall_cycles > 0; })
                          ? 1
                          : 0;
    for (int k = 0; k < 40; ++k) {
      SCOPED_TRACE("trial " + std::to_string(k));
      const auto faults =
          draw_faults(static_cast<std::uint64_t>(seed), k, 1 + k % 5, sites, engine.clean_cycles());
      const TrialResult fast = engine.run(k, faults);
      expect_equal(fast, engine.run(k, faults, true));
      ++seen[fast.outcome];
      told_and_right += fast.outcome == Outcome::detected_uncorrected && fast.correct ? 1 : 0;
    }
  }
  // The comparison must not have been between runs in which nothing ever happened.
  EXPECT_GT(with_conflicts, 10);
  EXPECT_EQ(told_and_right, 0) << "a result that the machine says is wrong counts as wrong";
  EXPECT_GT(seen[Outcome::masked_idle], 100);
  EXPECT_GT(seen[Outcome::masked_logical], 100);
  EXPECT_GT(seen[Outcome::tolerable] + seen[Outcome::critical] + seen[Outcome::sdc1], 100);
  EXPECT_GT(seen[Outcome::hang], 10);
  EXPECT_GT(seen[Outcome::detected_corrected], 10);
  EXPECT_GT(seen[Outcome::detected_uncorrected], 3);
}

// Flips in words whose accesses are known: of a single one nothing runs until they are read, and
// what reads an activation in the midst of a layer is carried in software.
TEST_P(TrialEngineOf, FlipsOfMemoriesEqualWholeRuns) {
  int roads[kRoads] = {};
  std::map<Outcome, int> seen;
  for (int seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(static_cast<std::uint64_t>(7000 + seed));
    const Network network = test::random_network(random, random.between(1, 4));
    const int rows = random.between(1, 5);
    const ArrayShape array =
        GetParam().shape(rows, random.between(1, 5), static_cast<std::uint64_t>(seed));
    MemoryShape shape = memory();
    if (random.chance(30)) {
      shape.activation_banks = random.between(1, 2);
      shape.activation_port_bytes = 1 << random.between(0, 2);
    }
    const int scheme = seed % 3 == 0 ? seed / 3 % 9 : 0;
    const Program program = compile(network, array, shape, protection(scheme, array), "test");
    TrialEngine engine(program, network);
    const bool activations = seed % 2 == 0;
    const SiteSelection sites = engine.sites().select(
        activations ? "memory.activation.map**" : "memory.weight**,memory.parameter**", "test", "");
    const auto image = random.int8s(network.input.elements());
    engine.prepare(0, image, 0);
    for (int k = 0; k < 600; ++k) {
      SCOPED_TRACE("trial " + std::to_string(k));
      const auto faults = draw_faults(static_cast<std::uint64_t>(seed), k, k % 4 == 3 ? 2 : 1,
                                      sites, engine.clean_cycles());
      const TrialResult fast = engine.run(k, faults);
      if (is_masked(fast.outcome) && fast.road == Road::core && k % 16 != 0) continue;  // most
      const auto logits = engine.logits();
      expect_equal(fast, engine.run(k, faults, true));
      EXPECT_EQ(logits, engine.logits());
      ++seen[fast.outcome];
      if (activations) ++roads[static_cast<int>(fast.road)];
    }
  }
  EXPECT_GT(seen[Outcome::masked_idle] + seen[Outcome::masked_logical], 1000);
  EXPECT_GT(seen[Outcome::masked_downstream], 20);
  EXPECT_GT(seen[Outcome::tolerable] + seen[Outcome::critical] + seen[Outcome::sdc1], 100);
  EXPECT_GT(roads[static_cast<int>(Road::difference)], 50);
}

// A checkpoint may fall into the store phase, when part of the result has left the machine.
TEST_P(TrialEngineOf, ConvergenceKnowsWhatTheHostHasReceived) {
  Random random(21);
  const Network network = test::random_network(random, 2);
  MemoryShape far = memory();
  far.dram_latency = 2000;
  const Program program = compile(network, GetParam().shape(2, 2), far, {}, "test");
  TrialEngine engine(program, network);
  const SiteSelection sites = engine.sites().select("memory.activation.vector**", "test", "");
  engine.prepare(0, random.int8s(network.input.elements()), 0);
  // The store phase is the last: its beats, then the latency.
  const std::int64_t beats = (network.classes() + 1) / 2;
  int changed = 0;
  for (int k = 0; k < 300; ++k) {
    SCOPED_TRACE("trial " + std::to_string(k));
    auto faults = draw_faults(1, k, 1, sites, beats);
    faults[0].cycle += engine.clean_cycles() - far.dram_latency - beats;
    const TrialResult fast = engine.run(k, faults);
    expect_equal(fast, engine.run(k, faults, true));
    changed += fast.outcome >= Outcome::tolerable ? 1 : 0;
  }
  EXPECT_GT(changed, 50);
}

// Parity tells the host, which then trusts no result; SECDED corrects one upset and tells of two in
// a word. Both outcomes are those of whole runs.
TEST_P(TrialEngineOf, MemoryCodesCorrectOrTellTheHost) {
  std::map<MemoryCode, std::map<Outcome, int>> seen;
  for (int seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(static_cast<std::uint64_t>(4000 + seed));
    const Network network = test::random_network(random, 4);
    const auto image = random.int8s(network.input.elements());
    for (const MemoryCode code : {MemoryCode::none, MemoryCode::parity, MemoryCode::secded}) {
      Protection p;
      p.memory_code = code;
      const Program program = compile(network, GetParam().shape(2, 3), memory(), p, "test");
      TrialEngine engine(program, network);
      std::vector<std::int8_t> logits = engine.prepare(0, image, 0).logits;
      // The class is right, so that a result that nobody trusts counts as a loss.
      engine.prepare(0, image, top1(logits));
      const SiteSelection sites = engine.sites().select(
          "memory.activation.map**,memory.weight.bank**,memory.parameter.bank**", "test", "");
      for (int k = 0; k < 240; ++k) {
        SCOPED_TRACE("trial " + std::to_string(k));
        const auto faults =
            draw_faults(static_cast<std::uint64_t>(seed), k, 1, sites, engine.clean_cycles());
        const TrialResult fast = engine.run(k, faults);
        if (k < 20) expect_equal(fast, engine.run(k, faults, true));
        ++seen[code][fast.outcome];
        EXPECT_EQ(fast.predicted_class < 0, fast.outcome == Outcome::detected_uncorrected);
        EXPECT_EQ(fast.correct, fast.predicted_class == top1(logits));
      }
    }
  }
  auto& none = seen[MemoryCode::none];
  EXPECT_GT(none[Outcome::tolerable] + none[Outcome::critical], 10);
  EXPECT_EQ(none[Outcome::detected_uncorrected] + none[Outcome::detected_corrected], 0);
  auto& parity = seen[MemoryCode::parity];
  EXPECT_GT(parity[Outcome::detected_uncorrected], 20);
  EXPECT_EQ(parity[Outcome::tolerable] + parity[Outcome::critical], 0);
  auto& secded = seen[MemoryCode::secded];
  EXPECT_GT(secded[Outcome::detected_corrected], 20);
  EXPECT_EQ(secded[Outcome::detected_uncorrected], 0);
  EXPECT_EQ(secded[Outcome::tolerable] + secded[Outcome::critical], 0);
}

// Bounds so tight that the fault-free run itself suppresses values and raises alarms.
TEST_P(TrialEngineOf, CountsGoOnAfterConvergence) {
  for (int seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(static_cast<std::uint64_t>(3000 + seed));
    const Network network = test::random_network(random, 5);
    Protection p;
    p.checkers.emplace_back().layers.assign(8, {"", {{-60000, 60000}}});
    const Program program = compile(network, GetParam().shape(3, 3), memory(), p, "test");
    TrialEngine engine(program, network);
    const SiteSelection sites = engine.sites().select("logic", "test", "");
    engine.prepare(0, random.int8s(network.input.elements()), 0);
    for (int k = 0; k < 40; ++k) {
      SCOPED_TRACE("trial " + std::to_string(k));
      const auto faults =
          draw_faults(static_cast<std::uint64_t>(seed), k, 1, sites, engine.clean_cycles());
      expect_equal(engine.run(k, faults), engine.run(k, faults, true));
    }
  }
}

TEST_P(TrialEngineOf, TrialWithoutFaultsIsTheReference) {
  Random random(7);
  const Network network = test::random_network(random);
  const Program program = compile(network, GetParam().shape(3, 4), memory(), {}, "test");
  TrialEngine engine(program, network);
  const auto image = random.int8s(network.input.elements());
  const CleanResult clean = engine.prepare(0, image, 0);
  EXPECT_EQ(clean.logits, run_network(network, image).back().output);
  const TrialResult result = engine.run(0, {});
  EXPECT_EQ(result.outcome, Outcome::not_fired);
  EXPECT_EQ(result.correct, clean.correct);
}

// Nothing ends a run while a bit is stuck; behind that it may.
TEST_P(TrialEngineOf, StuckBitsEqualWholeRuns) {
  std::map<Road, int> roads;
  std::map<Outcome, int> seen;
  for (int seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(static_cast<std::uint64_t>(4000 + seed));
    const Network network = test::random_network(random, 4);
    const ArrayShape array = GetParam().shape(random.between(1, 4), random.between(1, 4),
                                              static_cast<std::uint64_t>(seed));
    const Program program = compile(network, array, memory(), protection(seed % 9, array), "test");
    TrialEngine engine(program, network);
    engine.prepare(0, random.int8s(network.input.elements()), 0);
    // Control hangs most often.
    const SiteSelection sites =
        engine.sites().select(seed % 3 == 0 ? "control.**" : "logic", "test", "");
    for (int k = 0; k < 20; ++k) {
      SCOPED_TRACE("trial " + std::to_string(k));
      FaultPlan plan;
      const char* const models[] = {"intermittent", "stuck-at-0", "stuck-at-1"};
      plan.model = models[k % 3];
      plan.seed = static_cast<std::uint64_t>(seed);
      plan.duration = 1 + k;
      plan.upsets = k % 7 == 6 ? 2 : 1;
      const auto faults =
          draw_register_faults(plan, k, engine.sites(), sites, engine.clean_cycles());
      const TrialResult fast = engine.run(k, faults);
      expect_equal(fast, engine.run(k, faults, true));
      ++roads[fast.road];
      ++seen[fast.outcome];
    }
  }
  EXPECT_GT(roads[Road::core], 100);
  EXPECT_GT(roads[Road::machine], 100);
  EXPECT_GT(seen[Outcome::hang], 10);
  EXPECT_GT(seen[Outcome::not_fired], 10);
}

TEST_P(TrialEngineOf, AStuckBitIsIdleIfItNeverChangesInUse) {
  Random random(11);
  const Network network = test::random_network(random, 2);
  const Program program = compile(network, GetParam().shape(2, 2), memory(), {}, "test");
  TrialEngine engine(program, network);
  engine.prepare(0, random.int8s(network.input.elements()), 0);
  const Site sum = engine.sites().parse("array.pe[0][0].acc:0", "", "");
  const auto outcome = [&](const Fault& fault) {
    const TrialResult fast = engine.run(0, {fault});
    expect_equal(fast, engine.run(0, {fault}, true));
    EXPECT_EQ(fast.faults_fired, 1);
    return fast.outcome;
  };
  // No tile is in the array yet.
  EXPECT_EQ(outcome({sum, 0}), Outcome::masked_idle);
  EXPECT_EQ(outcome({sum, 0, false, FaultKind::stuck1, 3}), Outcome::masked_idle);
  EXPECT_NE(outcome({sum, 0, false, FaultKind::stuck1, kToTheEnd}), Outcome::masked_idle);
  // Of those that change nothing, too, some are forced later, in use.
  const SiteSelection array = engine.sites().select("array.**", "", "");
  std::map<Outcome, int> seen;
  for (std::int64_t i = 0; i < array.bits(); ++i) {
    for (const FaultKind kind : {FaultKind::stuck0, FaultKind::stuck1}) {
      ++seen[engine.run(0, {{array.at(i), 0, false, kind, kToTheEnd}}).outcome];
    }
  }
  EXPECT_GT(seen[Outcome::masked_logical], 0);
}

TEST_P(TrialEngineOf, FaultAfterTheEndDoesNotFire) {
  Random random(8);
  const Network network = test::random_network(random);
  const Program program = compile(network, GetParam().shape(3, 4), memory(), {}, "test");
  TrialEngine engine(program, network);
  engine.prepare(0, random.int8s(network.input.elements()), 0);
  const TrialResult result = engine.run(0, {{{0, 0, 0}, engine.clean_cycles() + 5}});
  EXPECT_EQ(result.outcome, Outcome::not_fired);
  EXPECT_FALSE(result.faults[0].fired);
}

TEST(Draws, ArePureFunctionsOfSeedAndTrial) {
  Random random(9);
  const Network network = test::random_network(random);
  const Program program = compile(network, {3, 4}, {}, {}, "test");
  TrialEngine engine(program, network);
  const SiteSelection sites = engine.sites().select("all", "test", "");
  const auto a = draw_faults(1, 17, 8, sites, 1000);
  const auto b = draw_faults(1, 17, 8, sites, 1000);
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].site, b[i].site);
    EXPECT_EQ(a[i].cycle, b[i].cycle);
  }
  // More upsets keep the first ones.
  const auto more = draw_faults(1, 17, 16, sites, 1000);
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i].site, more[i].site);
  EXPECT_NE(draw_faults(2, 17, 1, sites, 1'000'000)[0].cycle,
            draw_faults(1, 17, 1, sites, 1'000'000)[0].cycle);
  EXPECT_NE(draw_faults(1, 18, 1, sites, 1'000'000)[0].cycle,
            draw_faults(1, 17, 1, sites, 1'000'000)[0].cycle);
}

TEST(Draws, AreUniformOverBitsAndCycles) {
  Random random(10);
  const Network network = test::random_network(random);
  const Program program = compile(network, {2, 2}, {}, {}, "test");
  TrialEngine engine(program, network);
  const SiteSelection sites = engine.sites().select("array.pe**", "test", "");
  ASSERT_EQ(sites.bits(), 4 * (8 + 8 + 32));
  std::map<int, int> by_class;
  constexpr int kDraws = 40000;
  for (const Fault& f : draw_faults(3, 0, kDraws, sites, 100)) {
    ++by_class[f.site.register_class];
    EXPECT_LT(f.cycle, 100);
  }
  ASSERT_EQ(by_class.size(), 3U);
  for (const auto& [index, count] : by_class) {
    const double expected =
        kDraws * engine.sites().classes()[static_cast<std::size_t>(index)].bits() / 192.0;
    EXPECT_NEAR(count, expected, 5 * std::sqrt(expected));
  }
}

// Both halves of the range, in fair shares: ten equal bins, each within five standard deviations.
TEST(Draws, CoverAllImagesAndAllCycles) {
  Random random(12);
  const Network network = test::random_network(random);
  const Program program = compile(network, {2, 2}, {}, {}, "test");
  TrialEngine engine(program, network);
  const SiteSelection sites = engine.sites().select("all", "test", "");
  constexpr int kDraws = 20000;
  std::vector<int> images(10, 0);
  std::vector<int> cycles(10, 0);
  for (int k = 0; k < kDraws; ++k) ++images[static_cast<std::size_t>(draw_image(4, k, 10))];
  for (const Fault& f : draw_faults(4, 0, kDraws, sites, 1000)) {
    ++cycles[static_cast<std::size_t>(f.cycle / 100)];
  }
  for (int bin = 0; bin < 10; ++bin) {
    EXPECT_NEAR(images[static_cast<std::size_t>(bin)], kDraws / 10, 5 * std::sqrt(kDraws * 0.09));
    EXPECT_NEAR(cycles[static_cast<std::size_t>(bin)], kDraws / 10, 5 * std::sqrt(kDraws * 0.09));
  }
}

TEST(Outcomes, LogitsThatDifferAreClassedInOrder) {
  const std::vector<std::int8_t> reference = {10, 60, 50, 40, 30, 20, 5};
  EXPECT_EQ(compare_logits(reference, {11, 60, 50, 40, 30, 20, 5}, 1), Outcome::tolerable);
  EXPECT_EQ(compare_logits(reference, {99, 60, 50, 40, 30, 20, 5}, 1), Outcome::critical);
  EXPECT_EQ(compare_logits(reference, {10, 60, 99, 40, 30, 20, 5}, 0), Outcome::sdc1);
  EXPECT_EQ(compare_logits(reference, {99, 60, 50, 40, 30, 20, 5}, 3), Outcome::sdc5);
  // A wrong class that becomes the right one is still a silent corruption.
  EXPECT_EQ(compare_logits(reference, {10, 60, 99, 40, 30, 20, 5}, 2), Outcome::sdc1);
}

// sdc5: five classes stood before the new one in the fault-free order, in which equal logits stand
// by index. Here classes 1 to 6 are equal, behind class 0.
TEST(Outcomes, EqualLogitsRankByIndex) {
  const std::vector<std::int8_t> reference = {60, 50, 50, 50, 50, 50, 50};
  for (int winner = 1; winner < 7; ++winner) {
    auto logits = reference;
    logits[static_cast<std::size_t>(winner)] = 99;
    EXPECT_EQ(compare_logits(reference, logits, winner), winner < 5 ? Outcome::sdc1 : Outcome::sdc5)
        << winner;
  }
}

class CommonPopulationOf : public testing::TestWithParam<test::ArrayVariant> {};

INSTANTIATE_TEST_SUITE_P(Dataflows, CommonPopulationOf, testing::ValuesIn(test::kVariants),
                         [](const auto& variant) { return variant.param.name(); });

TEST_P(CommonPopulationOf, CarriesFaultsToTheSamePhaseAndCopyZero) {
  Random random(11);
  const Network network = test::random_network(random, 5);
  const Program base = compile(network, GetParam().shape(3, 3), {}, {}, "test");
  for (int which = 1; which < 9; ++which) {
    const ArrayShape array = GetParam().shape(3, 3);
    const Program target = compile(network, array, {}, protection(which, array), "test");
    TrialEngine base_engine(base, network);
    TrialEngine target_engine(target, network);
    const CommonPopulation population(base, base_engine.sites(), target, target_engine.sites());
    const auto phases = [&](Machine& machine) {
      std::vector<Phase> all;
      const std::vector<std::int8_t> blank(static_cast<std::size_t>(network.input.elements()));
      machine.reset(blank.data());
      while (!machine.done()) {
        all.push_back(machine.phase());
        machine.step();
      }
      return all;
    };
    const auto base_phases = phases(base_engine.machine());
    const auto target_phases = phases(target_engine.machine());
    const SiteSelection sites = base_engine.sites().select("all", "test", "");
    for (const Fault& f :
         draw_faults(5, 0, 500, sites, static_cast<std::int64_t>(base_phases.size()))) {
      const Fault carried = population.carry(f);
      ASSERT_LT(carried.cycle, static_cast<std::int64_t>(target_phases.size()));
      EXPECT_EQ(target_phases[static_cast<std::size_t>(carried.cycle)],
                base_phases[static_cast<std::size_t>(f.cycle)]);
      // The same number of cycles into that phase, or its last cycle.
      const auto into = [](const std::vector<Phase>& all, std::int64_t cycle) {
        std::int64_t n = 0;
        while (cycle - n > 0 &&
               all[static_cast<std::size_t>(cycle - n - 1)] == all[static_cast<std::size_t>(cycle)])
          ++n;
        return n;
      };
      const auto next = static_cast<std::size_t>(carried.cycle) + 1;
      const bool last =
          next == target_phases.size() || target_phases[next] != target_phases[next - 1];
      const std::int64_t offset = into(target_phases, carried.cycle);
      EXPECT_TRUE(offset == into(base_phases, f.cycle) ||
                  (last && offset < into(base_phases, f.cycle)));
      std::string path = base_engine.sites().path(f.site);
      if (which == 1 && path.starts_with("array.pe")) path.insert(path.find(':'), ".copy[0]");
      EXPECT_EQ(target_engine.sites().path(carried.site), path);
    }
  }
}

}  // namespace
}  // namespace sagitta
