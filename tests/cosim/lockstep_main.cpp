// Runs the simulator and one shape of the RTL in lockstep: random programs, then random programs
// with one flip each, then with bursts of them. Every run has a seed of its own, counted up from
// --seed, and everything about the run follows from it.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cosim/built_shape.h"
#include "cosim/lockstep.h"
#include "cosim/waveform.h"
#include "support/random_network.h"

namespace sagitta::cosim {
namespace {

constexpr std::int64_t kFaultFreeBudget = 1'000'000;
constexpr std::int64_t kWaveCycles = 64;  // before the mismatch

// Register classes under one name: skew lanes and tree levels count as one.
struct Group {
  std::string path;
  std::vector<int> classes;
};

std::vector<Group> groups_of(const SiteMap& sites) {
  std::vector<Group> groups;
  std::map<std::string, std::size_t> known;
  for (std::size_t i = 0; i < sites.classes().size(); ++i) {
    std::string path;
    for (const char c : sites.classes()[i].path) {
      if (c < '0' || c > '9') path += c;
    }
    const auto [it, is_new] = known.emplace(path, groups.size());
    if (is_new) groups.push_back({path, {}});
    groups[it->second].classes.push_back(static_cast<int>(i));
  }
  return groups;
}

std::int64_t fault_free_cycles(const Case& c) {
  Machine machine(c.program);
  machine.reset(c.image.data());
  while (!machine.done() && machine.cycle() < kFaultFreeBudget) {
    machine.dma().set_dram_ready(c.dram_ready(machine.cycle()));
    machine.step();
  }
  return machine.cycle();
}

struct Options {
  int products = 10;
  int flips = 100;
  int bursts = 10;
  std::uint64_t seed = 1;
  std::string waves = ".";
  bool registers = false;
};

struct Totals {
  std::int64_t layers = 0;  // matrix products and pooling layers
  std::int64_t cycles = 0;
  std::int64_t hangs = 0;
  int mismatches = 0;
};

class Session {
 public:
  Session(const Options& options)
      : options_(options), lockstep_(built_shape(), built_model()), map_(lockstep_.registers()) {}

  void product(std::uint64_t seed) {
    const Case c = random_case(lockstep_.shape(), seed);
    count(c, {}, seed, kFaultFreeBudget, "--products 1 --flips 0");
  }

  // The flip's class goes round with the seed, so that every class is struck.
  void flip(std::uint64_t seed, const std::vector<Group>& groups) {
    const Case c = random_case(lockstep_.shape(), seed);
    const std::int64_t cycles = fault_free_cycles(c);
    test::Random random(~seed);
    Fault fault;
    fault.site.register_class = any_class(random, groups[seed % groups.size()]);
    const RegisterClass& r = class_of(fault);
    fault.site.element = any_element(random, r);
    fault.site.bit = random.between(0, r.width - 1);
    fault.cycle = static_cast<std::int64_t>(random.bits() % static_cast<std::uint64_t>(cycles));
    count(c, {fault}, seed, 2 * cycles + 200, "--products 0 --flips 1");
  }

  // Random contents in some registers of a class at a time, again and again: states that no single
  // flip leads to.
  void burst(std::uint64_t seed, const std::vector<Group>& groups) {
    constexpr int kBursts = 30;
    constexpr int kElements = 8;
    const Case c = random_case(lockstep_.shape(), seed);
    const std::int64_t cycles = fault_free_cycles(c);
    test::Random random(~seed);
    std::vector<Fault> faults;
    for (int i = 0; i < kBursts; ++i) {
      Fault fault;
      fault.cycle = static_cast<std::int64_t>(random.bits() % static_cast<std::uint64_t>(cycles));
      fault.site.register_class =
          any_class(random, groups[static_cast<std::size_t>(random.bits() % groups.size())]);
      const RegisterClass& r = class_of(fault);
      for (int e = random.between(1, kElements); e > 0; --e) {
        fault.site.element = any_element(random, r);
        for (fault.site.bit = 0; fault.site.bit < r.width; ++fault.site.bit) {
          if (random.chance(50)) faults.push_back(fault);
        }
      }
    }
    std::stable_sort(faults.begin(), faults.end(),
                     [](const Fault& x, const Fault& y) { return x.cycle < y.cycle; });
    count(c, faults, seed, 2 * cycles + 200, "--products 0 --flips 0 --bursts 1");
  }

  const RegisterMap& map() const { return map_; }
  const Totals& totals() const { return totals_; }

 private:
  static int any_class(test::Random& random, const Group& group) {
    return group.classes[random.bits() % group.classes.size()];
  }
  const RegisterClass& class_of(const Fault& fault) const {
    return map_.sites().classes()[static_cast<std::size_t>(fault.site.register_class)];
  }
  static std::int64_t any_element(test::Random& random, const RegisterClass& r) {
    return static_cast<std::int64_t>(random.bits() % static_cast<std::uint64_t>(r.elements()));
  }

  // Runs a case and reports it. `again`: the options that repeat it.
  void count(const Case& c, const std::vector<Fault>& faults, std::uint64_t seed,
             std::int64_t budget, const char* again) {
    const RunResult r = lockstep_.run(c, faults, budget);
    totals_.layers += static_cast<std::int64_t>(c.program.layers.size());
    totals_.cycles += r.cycles;
    if (!r.done && !r.mismatch) ++totals_.hangs;
    if (faults.empty() && !r.done && !r.mismatch) {
      fmt::print("{} seed {}: not done after {} cycles\n", lockstep_.shape().name, seed, budget);
      ++totals_.mismatches;
    }
    if (!r.mismatch) return;
    ++totals_.mismatches;
    const Mismatch& m = *r.mismatch;
    fmt::print("MISMATCH {} seed {} cycle {}: {} is {:#x} in the simulator, {:#x} in the RTL\n",
               lockstep_.shape().name, seed, m.cycle, m.what, m.simulator, m.rtl);
    for (const Fault& fault : faults) {
      if (fault.cycle <= m.cycle)
        fmt::print("  after {}@{}\n", map_.sites().path(fault.site), fault.cycle);
    }
    const std::string prefix =
        (std::filesystem::path(options_.waves) / fmt::format("{}-{}", lockstep_.shape().name, seed))
            .string();
    Waveforms waves(map_);
    lockstep_.run(c, faults, m.cycle, [&](const Machine& machine, std::int64_t cycle) {
      if (cycle >= m.cycle - kWaveCycles) waves.sample(machine, cycle);
    });
    waves.write(prefix);
    fmt::print("  again: lockstep_{} --seed {} {}\n", lockstep_.shape().name, seed, again);
    fmt::print("  waveforms: {}.simulator.vcd {}.rtl.vcd\n", prefix, prefix);
  }

  Options options_;
  Lockstep lockstep_;
  const RegisterMap& map_;
  Totals totals_;
};

// One line a register of the RTL: its name, its bits, the site's class and what stores it.
int list_registers(const RegisterMap& map) {
  for (const RtlRegister& r : map.rtl_registers()) {
    const RegisterClass& c = map.sites().classes()[static_cast<std::size_t>(r.register_class)];
    fmt::print("{} {} {} {}\n", r.name, r.bits, c.path,
               c.storage == Storage::sram ? "sram" : "flip-flop");
  }
  return 0;
}

int run(const Options& options) {
  constexpr int kMostMismatches = 3;  // reported before giving up
  Session session(options);
  if (options.registers) return list_registers(session.map());
  const std::vector<Group> groups = groups_of(session.map().sites());
  std::uint64_t seed = options.seed;
  int products = 0;
  for (; products < options.products && session.totals().mismatches < kMostMismatches; ++products) {
    session.product(seed++);
  }
  seed = options.seed;
  int flips = 0;
  for (; flips < options.flips && session.totals().mismatches < kMostMismatches; ++flips) {
    session.flip(seed++, groups);
  }
  seed = options.seed;
  int bursts = 0;
  for (; bursts < options.bursts && session.totals().mismatches < kMostMismatches; ++bursts) {
    session.burst(seed++, groups);
  }
  const Totals& t = session.totals();
  // The line that scripts/cosim adds up.
  const auto struck = std::min(groups.size(), static_cast<std::size_t>(flips));
  fmt::print("{:<16} {:>8} {:>8} {:>6} {:>6} {:>9} {:>7} {:>9} {:>6} {:>10}\n", built_shape().name,
             session.map().bits(), products, flips, bursts,
             fmt::format("{}/{}", struck, groups.size()), t.layers, t.cycles, t.hangs,
             t.mismatches);
  return t.mismatches == 0 ? 0 : 1;
}

}  // namespace
}  // namespace sagitta::cosim

int main(int argc, char** argv) {
  CLI::App app("Simulator and RTL in lockstep");
  sagitta::cosim::Options options;
  app.add_option("--products", options.products, "random programs without a fault");
  app.add_option("--flips", options.flips, "random programs with one flip each");
  app.add_option("--bursts", options.bursts, "random programs with random register contents");
  app.add_option("--seed", options.seed, "seed of the first run; counted up");
  app.add_option("--waves", options.waves, "folder for the waveforms of a mismatch");
  app.add_flag("--registers", options.registers, "only list the registers and where they lie");
  CLI11_PARSE(app, argc, argv);
  return sagitta::cosim::run(options);
}
