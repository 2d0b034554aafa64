// Faults that are taken to act alike do: each member of a class has its representative's result.
// The audit that exhaustive samples rest on.
#include "campaign/fault_classes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "campaign/trial.h"
#include "support/machine_cases.h"

namespace sagitta {
namespace {

using test::Random;

// Everything of a result but the cycle that was struck.
std::string text(const TrialResult& t, const std::vector<std::int8_t>& logits) {
  std::string all = fmt::format(
      "{} class {} of {} correct {} cycles {} layer {} mismatches {} again {} {} suppressed {} {}",
      to_string(t.outcome), t.predicted_class, t.reference_class, t.correct, t.cycles, t.layer,
      t.mismatches, t.recomputed_tiles, t.recompute_cycles, t.suppressed_right, t.suppressed_wrong);
  for (const FaultRecord& f : t.faults) {
    all += fmt::format(" {} {}->{}", f.fired, f.before, f.after);
  }
  for (const std::int8_t l : logits) all += fmt::format(" {}", l);
  return all;
}

// A small network on a small array, of at most a few hundred cycles.
test::MachineCase small_case(Random& random, const ArrayShape& array) {
  test::MachineCase c;
  do {
    c.network = test::random_network(random, 2);
    c.image = random.int8s(c.network.input.elements());
    Protection p;
    if (random.chance(50)) test::random_detector(random, array, p);
    c.program = compile(c.network, array, test::random_memory(random, array), p, "test");
  } while (TrialEngine(c.program, c.network).clean_cycles() > 1500);
  return c;
}

class FaultClassesOf : public testing::TestWithParam<test::ArrayVariant> {};

INSTANTIATE_TEST_SUITE_P(Dataflows, FaultClassesOf, testing::ValuesIn(test::kVariants),
                         [](const auto& variant) { return variant.param.name(); });

// Every point of the fault space of some words of each memory, one by one from reset, beside the
// trial that stands for it.
TEST_P(FaultClassesOf, MembersHaveTheResultOfTheirClass) {
  std::map<Outcome, std::int64_t> outcomes;
  std::int64_t classes_run = 0, members_run = 0;
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    Random random(seed);
    const ArrayShape array = GetParam().shape(random.between(1, 3), random.between(1, 3), seed);
    const test::MachineCase c = small_case(random, array);
    TrialEngine engine(c.program, c.network);
    engine.prepare(0, c.image, 0);
    for (const char* memory :
         {"memory.activation.map[0].element[]", "memory.activation.map[1].element[]",
          "memory.weight.bank[].row[].lane[]", "resilience.checksum.weight.bank[].row[]"}) {
      std::string glob = memory;
      for (std::size_t at = 0; (at = glob.find("[]", at)) != std::string::npos; at += 3) {
        glob.replace(at, 2, "[*]");
      }
      SiteSelection all;
      try {
        all = engine.sites().select(glob, "", "");
      } catch (const std::exception&) {
        continue;  // this machine has no such memory
      }
      // A bit of some word, chosen among all of the memory's.
      for (int word = 0; word < 4; ++word) {
        const Site site = all.at(
            static_cast<std::int64_t>(random.bits() % static_cast<std::uint64_t>(all.bits())));
        const FaultClasses classes(c.program,
                                   engine.sites().select(engine.sites().path(site), "", ""), 1);
        ASSERT_EQ(classes.points(), engine.clean_cycles());
        ASSERT_LT(classes.count(), classes.points());
        std::int64_t points = 0;
        for (std::int64_t k = 0; k < classes.count(); ++k) {
          const FaultClasses::Class one = classes.at(k);
          ASSERT_EQ(one.fault.site, site);
          ASSERT_EQ(one.fault.cycle, points + one.cycles - 1) << "they follow each other";
          points += one.cycles;
          const TrialResult r = engine.run(k, {one.fault});
          const std::string expected = text(r, engine.logits());
          outcomes[r.outcome] += one.cycles;
          ++classes_run;
          for (std::int64_t back = 1; back < one.cycles; ++back) {
            // All of a short class, and of a long one both ends and some between.
            if (one.cycles > 12 && back > 4 && back < one.cycles - 4 && random.chance(90)) continue;
            const Fault member{site, one.fault.cycle - back};
            const TrialResult m = engine.run(k, {member}, true);
            ASSERT_EQ(text(m, engine.logits()), expected)
                << "seed " << seed << ": " << engine.sites().path(site) << "@" << member.cycle
                << " of a class that ends in " << one.fault.cycle;
            ++members_run;
          }
        }
        EXPECT_EQ(points, classes.points());
      }
    }
  }
  EXPECT_GT(members_run, 5 * classes_run) << "few were left out";
  EXPECT_GT(outcomes[Outcome::masked_idle], 0);
  EXPECT_GT(outcomes.size(), 2U);
}

// Other registers: each cycle by itself, in order; a mask takes its bits alone, images follow.
TEST(FaultClasses, OtherRegistersAreOneClassACycle) {
  Random random(1);
  const test::MachineCase c = small_case(random, {2, 2, Dataflow::os, false});
  TrialEngine engine(c.program, c.network);
  const std::int64_t cycles = engine.clean_cycles();
  const SiteSelection some =
      engine.sites().select("array.pe[*][0].acc:3,array.pe[*][0].acc:9", "", "");
  const FaultClasses classes(c.program, some, 3);
  EXPECT_EQ(classes.count(), 3 * 2 * 2 * cycles);
  EXPECT_EQ(classes.points(), classes.count());
  std::map<std::string, int> seen;
  for (std::int64_t k = 0; k < classes.count(); ++k) {
    const FaultClasses::Class one = classes.at(k);
    EXPECT_EQ(one.cycles, 1);
    EXPECT_EQ(one.image, k / (4 * cycles));
    ++seen[fmt::format("{} {} {}", one.image, engine.sites().path(one.fault.site),
                       one.fault.cycle)];
  }
  EXPECT_EQ(static_cast<std::int64_t>(seen.size()), classes.count()) << "each of them once";
  EXPECT_TRUE(seen.contains(fmt::format("2 array.pe[1][0].acc:9 {}", cycles - 1)));
}

}  // namespace
}  // namespace sagitta
