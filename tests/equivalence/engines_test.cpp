// A trial is by definition a run of the whole SystemC machine. The fast engine's outcomes, logits,
// fault records and counts are the same, for faults of every register class, on every dataflow and
// under random schemes. SAGITTA_ENGINE_TRIALS sets how many trials are compared in all;
// scripts/engines runs ten times as many.
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "campaign/fault_models.h"
#include "campaign/trial.h"
#include "support/machine_cases.h"
#include "support/one_process.h"

namespace sagitta {
namespace {

using test::Random;

constexpr int kTrialsOfACase = 40;

// Filled by the children.
struct Seen {
  std::int64_t roads[3];
  std::int64_t outcomes[32];
  std::int64_t stuck[3];    // trials with a stuck bit, of these those it fired in, and hangs
  std::int64_t classes[2];  // register classes of the machines, and those of them that were struck
};

class Shared {
 public:
  Shared()
      : seen_(static_cast<Seen*>(mmap(nullptr, sizeof(Seen), PROT_READ | PROT_WRITE,
                                      MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {}
  ~Shared() { munmap(seen_, sizeof(Seen)); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  Seen& operator*() const { return *seen_; }
  std::int64_t outcome(Outcome o) const { return seen_->outcomes[static_cast<int>(o)]; }

 private:
  Seen* seen_;
};

std::string difference(const TrialResult& fast, const TrialResult& whole) {
  const auto differ = [](const char* what, auto a, auto b) {
    return fmt::format("{}: {} in the fast engine, {} on the machine", what, a, b);
  };
  if (fast.outcome != whole.outcome) {
    return differ("outcome", to_string(fast.outcome), to_string(whole.outcome));
  }
  const auto compare = [&](const char* what, std::int64_t a, std::int64_t b) {
    return a == b ? std::string() : differ(what, a, b);
  };
  for (const std::string& text :
       {compare("predicted class", fast.predicted_class, whole.predicted_class),
        compare("reference class", fast.reference_class, whole.reference_class),
        compare("correct", fast.correct, whole.correct),
        compare("cycles", fast.cycles, whole.cycles), compare("layer", fast.layer, whole.layer),
        compare("mismatches", fast.mismatches, whole.mismatches),
        compare("recomputed tiles", fast.recomputed_tiles, whole.recomputed_tiles),
        compare("recompute cycles", fast.recompute_cycles, whole.recompute_cycles),
        compare("suppressed right", fast.suppressed_right, whole.suppressed_right),
        compare("suppressed wrong", fast.suppressed_wrong, whole.suppressed_wrong),
        compare("faults fired", fast.faults_fired, whole.faults_fired)}) {
    if (!text.empty()) return text;
  }
  const auto same_fault = [](const FaultRecord& a, const FaultRecord& b) {
    return a.site == b.site && a.cycle == b.cycle && a.fired == b.fired && a.before == b.before &&
           a.after == b.after && a.kind == b.kind && a.last == b.last;
  };
  if (!std::equal(fast.faults.begin(), fast.faults.end(), whole.faults.begin(), whole.faults.end(),
                  same_fault)) {
    return "fault records";
  }
  const auto same_weight = [](const WeightRecord& a, const WeightRecord& b) {
    return a.fired == b.fired && a.before == b.before && a.after == b.after;
  };
  return std::equal(fast.weights.begin(), fast.weights.end(), whole.weights.begin(),
                    whole.weights.end(), same_weight)
             ? ""
             : "weight records";
}

// What any fault model draws, over all bits or those of one register class; now and then a second
// fault on a bit that has one.
std::vector<Fault> random_model(Random& random, const SiteMap& sites, std::int64_t cycles) {
  FaultPlan plan;
  const char* const models[] = {"mbu", "stuck-at-0", "stuck-at-1", "intermittent", "rate"};
  plan.model = models[random.between(0, 4)];
  plan.seed = random.bits();
  plan.upsets = random.chance(80) ? 1 : random.between(2, 4);
  plan.cluster_size = random.between(2, 8);
  plan.onset = random.chance(30) ? "start" : "drawn";
  plan.duration = random.chance(80) ? random.between(1, 60) : cycles;
  const auto& classes = sites.classes();
  std::string globs = "all";
  if (random.chance(60)) {
    globs =
        classes[static_cast<std::size_t>(random.between(0, static_cast<int>(classes.size()) - 1))]
            .path;
    for (std::size_t at = 0; (at = globs.find("[]", at)) != std::string::npos; ++at) {
      globs.insert(at + 1, "*");
    }
    const bool in_pe = globs.starts_with("array.pe[*][*]");
    if (in_pe && random.chance(60)) plan.cluster_along = random.chance(50) ? "row" : "column";
  }
  const SiteSelection selection = sites.select(globs, "", "");
  plan.rate = random.between(1, 30) / 10.0 / static_cast<double>(selection.bits() * cycles);
  plan.rate = std::min(plan.rate, 1.0);
  std::vector<Fault> faults = draw_register_faults(plan, 0, sites, selection, cycles);
  if (!faults.empty() && random.chance(15)) {
    Fault second = faults[0];
    second.kind = static_cast<FaultKind>(random.between(0, 2));
    second.cycle += random.between(0, 3);
    second.last = second.kind == FaultKind::flip ? -1 : second.cycle + random.between(0, 20);
    faults.insert(random.chance(50) ? faults.begin() : faults.end(), second);
  }
  return faults;
}

// Mostly one flip; now and then several, those of other models, or of the other levels.
TrialFaults random_trial(Random& random, const TrialEngine& engine, const test::MachineCase& c,
                         std::int64_t cycles) {
  TrialFaults faults;
  const int kind = random.between(1, 10);
  const std::uint64_t seed = random.bits();
  if (kind == 1) {
    faults.values = random.chance(50) ? NeuronValues::int8 : NeuronValues::int32;
    faults.neurons = draw_neuron_faults(seed, 0, 0.02, faults.values, c.network);
  } else if (kind == 2) {
    faults.weights = draw_weight_faults(seed, 0, 0.01, c.network);
  } else if (kind <= 5) {
    faults.registers = random_model(random, engine.sites(), cycles);
    for (Fault& f : faults.registers) f.resisted = random.chance(3);
  } else {
    const int flips = kind < 9 ? 1 : random.between(2, 5);
    // As many in large memories as they have bits, or in every register class.
    faults.registers =
        random.chance(40)
            ? draw_faults(seed, 0, flips, engine.sites().select("all", "", ""), cycles)
            : test::random_faults(random, engine.sites(), cycles, flips);
  }
  return faults;
}

std::string compare(const test::MachineCase& c, Random& random, Seen& seen) {
  TrialEngine fast(c.program, c.network);
  TrialEngine whole(c.program, c.network, Engine::machine);
  const int label = random.between(0, c.network.classes() - 1);
  const CleanResult clean = fast.prepare(0, c.image, label);
  if (whole.prepare(0, c.image, label).logits != clean.logits) return "fault-free logits";
  std::set<int> struck;
  for (int k = 0; k < kTrialsOfACase; ++k) {
    const TrialFaults faults = random_trial(random, fast, c, clean.cycles);
    const TrialResult a = fast.run_trial(k, faults);
    const TrialResult b = whole.run_trial(k, faults);
    std::string text = difference(a, b);
    if (text.empty() && fast.logits() != whole.logits() && b.outcome != Outcome::hang) {
      text = "logits";
    }
    if (!text.empty()) {
      for (const Fault& f : faults.registers) {
        text += " " + fault_text(fast.sites(), f);
      }
      return fmt::format("trial {} of {} neurons, {} weights, road {}, cycles {} of {}: {}", k,
                         faults.neurons.size(), faults.weights.size(), to_string(a.road), a.cycles,
                         clean.cycles, text);
    }
    if (b.road != Road::machine) return "the machine's road";
    ++seen.roads[static_cast<int>(a.road)];
    ++seen.outcomes[static_cast<int>(a.outcome)];
    const bool stuck = std::any_of(faults.registers.begin(), faults.registers.end(),
                                   [](const Fault& f) { return f.kind != FaultKind::flip; });
    if (stuck) {
      ++seen.stuck[0];
      seen.stuck[1] += a.faults_fired > 0 ? 1 : 0;
      seen.stuck[2] += a.outcome == Outcome::hang ? 1 : 0;
    }
    for (const Fault& f : faults.registers) struck.insert(f.site.register_class);
  }
  seen.classes[0] += static_cast<std::int64_t>(fast.sites().classes().size());
  seen.classes[1] += static_cast<std::int64_t>(struck.size());
  return "";
}

// Several layers, so that differences have some to go through; every other machine has no checker
// that acts on its own, so that they may be carried.
test::MachineCase layered_case(Random& random, const ArrayShape& array) {
  test::MachineCase c;
  c.network = test::random_network(random, random.between(2, 6));
  c.image = random.int8s(c.network.input.elements());
  Protection p;
  if (random.chance(50)) {
    p = test::random_scheme(random, c.network, array);
  } else if (random.chance(70)) {
    test::random_detector(random, array, p);
  }
  for (Checker& checker : p.checkers) {
    const bool may = checker.kind == CheckerKind::gradient && !array.has(Dataflow::is);
    if (!may || !random.chance(40)) continue;
    checker.axis = random.chance(50) || p.cells_from(0) ? Axis::line : Axis::map;
    p.retries = 0;
  }
  if (p.maps() == 0) p.memory_code = test::random_code(random, p);
  test::random_neurons(random, c.network, array, p);
  c.program = compile(c.network, array, test::random_memory(random, array), p, "test");
  return c;
}

std::int64_t trials_of_a_variant() {
  const char* all = std::getenv("SAGITTA_ENGINE_TRIALS");
  const std::int64_t trials = all == nullptr ? 11000 : std::strtoll(all, nullptr, 10);
  const auto variants = static_cast<std::int64_t>(std::size(test::kVariants));
  return (trials + variants - 1) / variants;
}

class EnginesOf : public testing::TestWithParam<test::ArrayVariant> {};

INSTANTIATE_TEST_SUITE_P(Dataflows, EnginesOf, testing::ValuesIn(test::kVariants),
                         [](const auto& variant) { return variant.param.name(); });

TEST_P(EnginesOf, GiveTheSameForEveryTrial) {
  const Shared seen;
  const std::int64_t trials = trials_of_a_variant();
  std::int64_t done = 0;
  for (std::uint64_t seed = 0; done < trials; ++seed) {
    Random random(seed);
    const int rows = random.between(1, 5);
    const ArrayShape array = GetParam().shape(rows, random.between(1, 5), seed);
    const test::MachineCase c = layered_case(random, array);
    const std::string wrong = test::in_child([&] { return compare(c, random, *seen); });
    ASSERT_EQ(wrong, "") << "seed " << seed;
    done += kTrialsOfACase;
  }
  std::printf("%ld trials: %ld by the core, %ld with differences carried, %ld on the machine\n",
              static_cast<long>(done), static_cast<long>((*seen).roads[0]),
              static_cast<long>((*seen).roads[1]), static_cast<long>((*seen).roads[2]));
  EXPECT_GT((*seen).roads[0], done / 4);
  EXPECT_GT((*seen).roads[1], done / 200);
  EXPECT_GT((*seen).roads[2], 0);
  EXPECT_GT(seen.outcome(Outcome::masked_idle), 0);
  EXPECT_GT(seen.outcome(Outcome::masked_logical), 0);
  EXPECT_GT(seen.outcome(Outcome::tolerable) + seen.outcome(Outcome::critical) +
                seen.outcome(Outcome::sdc1) + seen.outcome(Outcome::sdc5),
            done / 50);
  EXPECT_GT((*seen).classes[1], 0);
  EXPECT_GT((*seen).stuck[0], done / 10);
  EXPECT_GT((*seen).stuck[1], done / 20);
  EXPECT_GT((*seen).stuck[2], 0);
}

}  // namespace
}  // namespace sagitta
