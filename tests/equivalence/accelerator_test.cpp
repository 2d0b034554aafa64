// The SystemC accelerator against the same blocks stepped without the kernel: the whole state,
// every cycle, with and without faults.
#include "machine/accelerator.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/machine_cases.h"
#include "support/one_process.h"

namespace sagitta {
namespace {

using test::Random;

// Steps a plain machine beside the SystemC one: called at every commit of the latter.
class Shadow : public MachineObserver {
 public:
  Shadow(Machine& plain, Injector& strikes) : plain_(plain), strikes_(strikes) {}

  void observe(const Machine& clocked) override {
    if (!wrong_.empty()) return;
    if (clocked.cycle() != plain_.cycle()) {
      wrong_ = fmt::format("cycle {} beside {}", clocked.cycle(), plain_.cycle());
      return;
    }
    if (strikes_.next_cycle() == plain_.cycle()) {
      strikes_.strike(plain_.state(), plain_.cycle());
      plain_.touch();
    }
    // Memories are updated in place within a cycle, so both are looked at once all blocks have
    // stepped and before the clock edge.
    AtCommit at_commit(clocked, wrong_);
    plain_.set_observer(&at_commit);
    plain_.step();
    plain_.set_observer(nullptr);
  }
  const std::string& wrong() const { return wrong_; }

 private:
  struct AtCommit : MachineObserver {
    AtCommit(const Machine& clocked, std::string& wrong) : clocked_(clocked), wrong_(wrong) {}
    void observe(const Machine& plain) override {
      if (!test::same_state(plain, clocked_)) {
        wrong_ = fmt::format("state differs in cycle {}", plain.cycle());
      }
    }
    const Machine& clocked_;
    std::string& wrong_;
  };
  Machine& plain_;
  Injector& strikes_;
  std::string wrong_;
};

std::int64_t clean_cycles(const test::MachineCase& c) {
  Machine machine(c.program);
  machine.reset(c.image.data());
  machine.run(10'000'000);
  return machine.cycle();
}

ArrayShape random_shape(Random& random, const test::ArrayVariant& variant, int most) {
  const int rows = random.between(1, most);
  const int columns = random.between(1, most);
  return variant.shape(rows, columns, random.bits() % 1000);
}

class AcceleratorOf : public testing::TestWithParam<test::ArrayVariant> {};

INSTANTIATE_TEST_SUITE_P(Dataflows, AcceleratorOf, testing::ValuesIn(test::kVariants),
                         [](const auto& variant) { return variant.param.name(); });

// One run each without faults, with faults, and without again, on one elaborated accelerator.
std::string compare(const test::MachineCase& c, Random& random) {
  const std::int64_t clean = clean_cycles(c);
  const std::int64_t budget = 2 * clean + 100;
  Accelerator accelerator("accelerator", c.program);
  Machine& clocked = accelerator.machine();
  Machine plain(c.program);
  const SiteMap sites(plain.layout());
  for (int run = 0; run < 4; ++run) {
    std::vector<Fault> faults;
    if (run % 2 == 1) faults = test::random_faults(random, sites, clean, random.between(1, 6));
    if (run == 3) faults[0].cycle = 0;  // the first cycle can be struck as well
    Injector strikes(sites, faults);
    Injector plain_strikes(sites, faults);
    Shadow shadow(plain, plain_strikes);
    clocked.reset(c.image.data());
    plain.reset(c.image.data());
    clocked.set_observer(&shadow);
    InjectorModule::Strike strike;
    if (!faults.empty()) {
      strike = [&] {
        if (strikes.next_cycle() == clocked.cycle()) {
          strikes.strike(clocked.state(), clocked.cycle());
          clocked.touch();
        }
        return strikes.next_cycle() >= 0;
      };
    }
    accelerator.run(budget, strike);
    clocked.set_observer(nullptr);
    if (!shadow.wrong().empty()) return fmt::format("run {}: {}", run, shadow.wrong());
    const std::string differs = test::difference(clocked, plain);
    if (!differs.empty()) return fmt::format("run {}: {}", run, differs);
    if (!test::same_state(clocked, plain)) return fmt::format("run {}: last state", run);
    for (std::size_t i = 0; i < faults.size(); ++i) {
      const FaultRecord& s = strikes.records()[i];
      const FaultRecord& p = plain_strikes.records()[i];
      if (s.fired != p.fired || s.before != p.before || s.after != p.after) {
        return fmt::format("run {}: fault {} in cycle {}: fired {} beside {}", run, i, s.cycle,
                           s.fired, p.fired);
      }
    }
  }
  return "";
}

TEST_P(AcceleratorOf, EqualsThePlainMachineInEveryCycleWithFaults) {
  for (std::uint64_t seed = 0; seed < 120; ++seed) {
    Random random(20'000 + seed);
    const ArrayShape shape =
        seed == 0 ? GetParam().shape(1, 1) : random_shape(random, GetParam(), 9);
    const test::MachineCase c = test::random_case(random, shape);
    EXPECT_EQ(test::in_child([&] { return compare(c, random); }), "") << "seed " << seed;
  }
}

TEST_P(AcceleratorOf, EqualsThePlainMachineOnLongThinArrays) {
  for (const ArrayShape& shape : {GetParam().shape(256, 3), GetParam().shape(3, 256)}) {
    Random random(7);
    test::MachineCase c;
    c.network.input = {9, 40, 2};
    c.network.layers.push_back(test::random_gemm(random, c.network.input, false));
    c.network.layers.push_back(test::random_gemm(random, c.network.layers[0].output, true));
    c.network.layers[0].name = "gemm0";
    c.network.layers[1].name = "gemm1";
    c.image = random.int8s(c.network.input.elements());
    Protection p;
    p.checksum = true;
    p.checkers = {test::random_checker(random, c.network, CheckerKind::gradient, true)};
    c.program = compile(c.network, shape, {}, p, "test");
    EXPECT_EQ(test::in_child([&] { return compare(c, random); }), "");
  }
}

// Stopping after every cycle, as a single-stepping user would.
TEST_P(AcceleratorOf, MayBeRunCycleByCycle) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Random random(30'000 + seed);
    const test::MachineCase c = test::random_case(random, random_shape(random, GetParam(), 5));
    EXPECT_EQ(test::in_child([&]() -> std::string {
                Accelerator accelerator("accelerator", c.program);
                Machine plain(c.program);
                accelerator.machine().reset(c.image.data());
                plain.reset(c.image.data());
                while (!plain.done()) {
                  plain.step();
                  const bool done = accelerator.run(plain.cycle());
                  if (done != plain.done()) return "done at another cycle";
                  if (!test::same_state(accelerator.machine(), plain)) {
                    return "state differs in cycle " + std::to_string(plain.cycle());
                  }
                }
                return test::difference(accelerator.machine(), plain);
              }),
              "")
        << "seed " << seed;
  }
}

// A run that ends before its faults are due leaves nothing behind for the next one.
TEST_P(AcceleratorOf, StrikesNeverReachTheNextRun) {
  Random random(3);
  const test::MachineCase c = test::random_case(random, GetParam().shape(3, 4));
  EXPECT_EQ(
      test::in_child([&]() -> std::string {
        Accelerator accelerator("accelerator", c.program);
        Machine& machine = accelerator.machine();
        int calls = 0;
        machine.reset(c.image.data());
        accelerator.run(5, [&] { return ++calls > 0; });
        if (calls != 5) return fmt::format("{} calls in 5 cycles", calls);
        machine.reset(c.image.data());
        if (!accelerator.run(1'000'000)) return "not done";
        if (calls != 5) return "a strike of the run before was called";
        std::vector<std::int64_t> cycles;
        machine.reset(c.image.data());
        accelerator.run(7);  // out of budget: the next run has to start with cycle 0 all the same
        machine.reset(c.image.data());
        accelerator.run(3, [&] {
          cycles.push_back(machine.cycle());
          return true;
        });
        return cycles == std::vector<std::int64_t>{0, 1, 2} ? "" : "not called in cycles 0, 1, 2";
      }),
      "");
}

}  // namespace
}  // namespace sagitta
