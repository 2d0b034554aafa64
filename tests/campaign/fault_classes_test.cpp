// Faults that are taken to act alike do: each member of a class has its representative's result.
// The audit that exhaustive samples rest on.
#include "campaign/fault_classes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
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

using Protect = std::function<Protection(Random&, const Network&, const ArrayShape&)>;

Protection some_detector(Random& random, const Network& /*network*/, const ArrayShape& array) {
  Protection p;
  if (random.chance(50)) test::random_detector(random, array, p);
  return p;
}

// A small network on a small array, of at most a few hundred cycles.
test::MachineCase small_case(Random& random, const ArrayShape& array,
                             const Protect& protect = some_detector) {
  test::MachineCase c;
  do {
    c.network = test::random_network(random, 2);
    c.image = random.int8s(c.network.input.elements());
    const Protection p = protect(random, c.network, array);
    c.program = compile(c.network, array, test::random_memory(random, array), p, "test");
  } while (TrialEngine(c.program, c.network).clean_cycles() > 1500);
  return c;
}

// The memories whose words are taken together, those of them that the machine has.
std::vector<SiteSelection> memories_of(const SiteMap& sites) {
  std::vector<SiteSelection> all;
  for (const char* memory :
       {"memory.activation.map[0].element[]", "memory.activation.map[1].element[]",
        "memory.weight.bank[].row[].lane[]", "resilience.checksum.weight.bank[].row[]"}) {
    std::string glob = memory;
    for (std::size_t at = 0; (at = glob.find("[]", at)) != std::string::npos; at += 3) {
      glob.replace(at, 2, "[*]");
    }
    try {
      all.push_back(sites.select(glob, "", ""));
    } catch (const InputError&) {
      continue;
    }
  }
  return all;
}

Site random_site(Random& random, const SiteSelection& of) {
  return of.at(static_cast<std::int64_t>(random.bits() % static_cast<std::uint64_t>(of.bits())));
}

struct Audit {
  std::map<Outcome, std::int64_t> outcomes;  // by points of the fault space
  std::int64_t classes_run = 0, members_run = 0;
  std::int64_t shown = 0;  // results in which a protection shows
};

// The members of a class, run from reset, beside the trial that stands for it.
TrialResult audit(TrialEngine& engine, const FaultClasses::Class& one, Random& random,
                  Audit& audit) {
  TrialResult r = engine.run(0, {one.fault});
  const std::string expected = text(r, engine.logits());
  audit.outcomes[r.outcome] += one.cycles;
  ++audit.classes_run;
  for (std::int64_t back = 1; back < one.cycles; ++back) {
    // All of a short class, and of a long one both ends and some between.
    if (one.cycles > 12 && back > 4 && back < one.cycles - 4 && random.chance(90)) continue;
    const Fault member{one.fault.site, one.fault.cycle - back};
    const TrialResult m = engine.run(0, {member}, true);
    EXPECT_EQ(text(m, engine.logits()), expected)
        << engine.sites().path(member.site) << "@" << member.cycle << " of a class that ends in "
        << one.fault.cycle;
    ++audit.members_run;
  }
  return r;
}

class FaultClassesOf : public testing::TestWithParam<test::ArrayVariant> {};

INSTANTIATE_TEST_SUITE_P(Dataflows, FaultClassesOf, testing::ValuesIn(test::kVariants),
                         [](const auto& variant) { return variant.param.name(); });

// Every point of the fault space of some words of each memory, one by one from reset, beside the
// trial that stands for it.
TEST_P(FaultClassesOf, MembersHaveTheResultOfTheirClass) {
  Audit all;
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const ArrayShape array = GetParam().shape(random.between(1, 3), random.between(1, 3), seed);
    const test::MachineCase c = small_case(random, array);
    TrialEngine engine(c.program, c.network);
    engine.prepare(0, c.image, 0);
    for (const SiteSelection& memory : memories_of(engine.sites())) {
      // A bit of some word, chosen among all of the memory's.
      for (int word = 0; word < 4; ++word) {
        const Site site = random_site(random, memory);
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
          audit(engine, one, random, all);
          ASSERT_FALSE(HasFailure());
        }
        EXPECT_EQ(points, classes.points());
      }
    }
  }
  EXPECT_GT(all.members_run, 5 * all.classes_run) << "few were left out";
  EXPECT_GT(all.outcomes[Outcome::masked_idle], 0);
  EXPECT_GT(all.outcomes.size(), 2U);
}

bool corrects(const TrialResult& t) {
  return t.outcome == Outcome::detected_corrected;
}
bool tells(const TrialResult& t) {
  return t.outcome == Outcome::detected_uncorrected;
}
bool suppresses(const TrialResult& t) {
  return t.suppressed_right > 0;
}
bool changes(const TrialResult& t) {  // copies do not help what comes from memories
  return t.predicted_class >= 0 && t.outcome >= Outcome::tolerable;
}

struct Protected {
  const char* name;
  Protect protect;
  bool (*shows)(const TrialResult&);  // in a result, that faults meet it
};

class FaultClassesBehind : public testing::TestWithParam<Protected> {};

INSTANTIATE_TEST_SUITE_P(
    Protections, FaultClassesBehind,
    testing::Values(Protected{"Secded",
                              [](Random&, const Network&, const ArrayShape&) {
                                Protection p;
                                p.memory_code = MemoryCode::secded;
                                return p;
                              },
                              corrects},
                    Protected{"Parity",
                              [](Random&, const Network&, const ArrayShape&) {
                                Protection p;
                                p.memory_code = MemoryCode::parity;
                                return p;
                              },
                              tells},
                    Protected{"RangeCheckers",
                              [](Random& random, const Network& network, const ArrayShape&) {
                                Protection p;
                                p.checkers = {test::random_checker(random, network,
                                                                   CheckerKind::range, false)};
                                return p;
                              },
                              suppresses},
                    Protected{"CopiesOfRegisters",
                              [](Random&, const Network&, const ArrayShape&) {
                                Protection p;
                                p.pe_copies = PeCopies::registers;
                                return p;
                              },
                              changes},
                    Protected{"ThreeArrays",
                              [](Random&, const Network&, const ArrayShape&) {
                                Protection p;
                                p.arrays = 3;
                                return p;
                              },
                              changes},
                    Protected{"Mixtures",
                              [](Random& random, const Network& network, const ArrayShape& array) {
                                Protection p = test::random_scheme(random, network, array);
                                p.memory_code = test::random_code(random, p);
                                return p;
                              },
                              suppresses}),
    [](const auto& protection) { return protection.param.name; });

// The same of protected machines, and of words of which several bits may be struck.
TEST_P(FaultClassesBehind, MembersHaveTheResultOfTheirClass) {
  Audit all;
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    SCOPED_TRACE(seed);
    Random random(100 + seed);
    const ArrayShape array =
        test::kFlows[seed % 5].shape(random.between(1, 3), random.between(1, 3), seed);
    const test::MachineCase c = small_case(random, array, GetParam().protect);
    TrialEngine engine(c.program, c.network);
    engine.prepare(0, c.image, 0);
    for (const SiteSelection& memory : memories_of(engine.sites())) {
      for (int word = 0; word < 2; ++word) {
        const Site site = random_site(random, memory);
        const std::string path = engine.sites().element_path(site.register_class, site.element);
        const SiteSelection bits = engine.sites().select(path + ":1," + path + ":6", "", "");
        const FaultClasses classes(c.program, bits, 1);
        ASSERT_EQ(classes.points(), 2 * engine.clean_cycles());
        for (std::int64_t k = 0; k < classes.count(); ++k) {
          const FaultClasses::Class one = classes.at(k);
          ASSERT_EQ(one.fault.site.bit, k < classes.count() / 2 ? 1 : 6);
          if (one.cycles == 1 && random.chance(95)) continue;  // it has no other member
          all.shown += GetParam().shows(audit(engine, one, random, all)) ? 1 : 0;
          ASSERT_FALSE(HasFailure());
        }
      }
    }
  }
  EXPECT_GT(all.members_run, 5 * all.classes_run) << "few were left out";
  EXPECT_GT(all.outcomes[Outcome::masked_idle], 0);
  EXPECT_GT(all.shown, 0);
}

// Words whose masks have bits apart from each other, masks that differ from word to word, and words
// that lie apart: each bit has the classes that it has alone, whatever was asked for before.
TEST(FaultClasses, BitsOfMasksHaveTheClassesTheyHaveAlone) {
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    SCOPED_TRACE(seed);
    Random random(200 + seed);
    const test::MachineCase c = small_case(random, test::kFlows[seed].shape(2, 3, seed));
    const TrialEngine engine(c.program, c.network);
    const SiteMap& sites = engine.sites();
    const std::string weights = "memory.weight.bank[0].row[0..1].lane[*]";
    const SiteSelection some = sites.select(
        weights + ":0," + weights + ":3,memory.weight.bank[0].row[1].lane[1]:6," +
            "memory.activation.map[0].element[0]:2,memory.activation.map[0].element[2..3]:7," +
            "memory.activation.map[0].element[2]:0,array.pe[0][*].a:1,array.pe[0][*].a:5",
        "", "");
    constexpr int kImages = 2;
    std::vector<std::string> alone;
    const auto add = [&sites](std::vector<std::string>& to, const FaultClasses::Class& one) {
      to.push_back(fmt::format("{} {}@{} {}", one.image, sites.path(one.fault.site),
                               one.fault.cycle, one.cycles));
    };
    std::int64_t points = 0;
    for (std::int64_t i = 0; i < some.bits(); ++i) {
      const FaultClasses classes(c.program, sites.select(sites.path(some.at(i)), "", ""), kImages);
      points += classes.points();
      for (std::int64_t k = 0; k < classes.count(); ++k) add(alone, classes.at(k));
    }
    const FaultClasses forward(c.program, some, kImages);
    EXPECT_EQ(forward.points(), points);
    ASSERT_EQ(forward.count(), static_cast<std::int64_t>(alone.size()));
    std::vector<std::string> in_order;
    for (std::int64_t k = 0; k < forward.count(); ++k) add(in_order, forward.at(k));
    // Nothing is known beforehand of the words that come next.
    const FaultClasses shuffled(c.program, some, kImages);
    for (std::int64_t i = 0; i < 3 * shuffled.count(); ++i) {
      const auto k =
          static_cast<std::size_t>(random.bits() % static_cast<std::uint64_t>(shuffled.count()));
      std::vector<std::string> one;
      add(one, shuffled.at(static_cast<std::int64_t>(k)));
      ASSERT_EQ(one.front(), in_order[k]) << "class " << k << " of another order";
    }
    std::sort(alone.begin(), alone.end());
    std::sort(in_order.begin(), in_order.end());
    EXPECT_EQ(in_order, alone);
  }
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
