// Waveforms read back against the machine's registers, by our own reader and by GTKWave's.
#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>

#include "support/temporary_folder.h"
#include "support/traced_case.h"
#include "support/vcd_reader.h"

namespace sagitta {
namespace {

using test::Random;
using Case = test::TracedCase;
using test::Vcd;

TracedRun record(const Case& c, const std::vector<Fault>& faults, const std::string& scope,
                 const CycleWindow& window, const std::string& path, double clock_mhz = 500) {
  const Machine machine(c.machine.program);
  const SiteMap sites(machine.layout());
  OutputFile file(path);
  using Names = std::vector<std::string>;
  Waveform waveform(file, sites, sites.select(scope, "", ""),
                    faults.empty() ? Names{"sagitta"} : Names{"golden", "faulty"}, clock_mhz);
  const TracedRun run =
      trace(c.machine.program, c.machine.image.data(), faults, window, {&waveform});
  file.close();
  file.take_name();
  return run;
}

// Every register of `run` at every cycle of the window, at two units of time a cycle.
void expect_registers(const Vcd& vcd, const std::string& run, const Case& c,
                      const std::vector<Fault>& faults, const CycleWindow& window) {
  Machine machine(c.machine.program);
  const SiteMap sites(machine.layout());
  Injector injector(sites, faults);
  machine.reset(c.machine.image.data());
  for (std::int64_t cycle = 0; cycle <= window.last; ++cycle) {
    if (!machine.done() && injector.next_cycle() == cycle) {
      injector.strike(machine.state(), cycle);
      machine.touch();
    }
    if (cycle >= window.first) {
      ASSERT_EQ(vcd.at("cycle", 2 * cycle), static_cast<std::uint64_t>(cycle));
      for (std::size_t k = 0; k < sites.classes().size(); ++k) {
        const RegisterClass& r = sites.classes()[k];
        const std::uint64_t mask =
            r.width == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << r.width) - 1;
        for (std::int64_t e = 0; e < r.elements(); ++e) {
          const std::string path = run + "." + sites.element_path(static_cast<int>(k), e);
          ASSERT_EQ(vcd.at(path, 2 * cycle),
                    static_cast<std::uint64_t>(read_register(machine.state(), r, e)) & mask)
              << path << " in cycle " << cycle;
        }
      }
    }
    if (!machine.done()) machine.step();
  }
}

CycleWindow random_window(Random& random, std::int64_t cycles) {
  const auto last = static_cast<int>(cycles) - 1;
  const int first = random.between(0, last);
  return {first, std::min(last, first + random.between(0, 60))};
}

TEST(Waveform, EqualsEveryRegisterInEveryCycle) {
  const test::TemporaryFolder folder;
  for (const test::ArrayVariant& flow : test::kFlows) {
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      SCOPED_TRACE(flow.name() + " seed " + std::to_string(seed));
      Random random(40 + seed);
      const Case c(random, flow);
      const CycleWindow window = random_window(random, c.cycles);
      const std::string path = folder / "run.vcd";
      record(c, {}, "all", window, path);
      const Vcd vcd(path);
      ASSERT_EQ(vcd.timescale(), "1ns");
      const Machine machine(c.machine.program);
      const SiteMap sites(machine.layout());
      std::size_t registers = 1;  // cycle
      for (const RegisterClass& r : sites.classes()) {
        registers += static_cast<std::size_t>(r.elements());
      }
      ASSERT_EQ(vcd.variables().size(), registers);
      ASSERT_EQ(vcd.times().back(), 2 * (window.last + 1)) << "the last cycle is a whole one";
      expect_registers(vcd, "sagitta", c, {}, window);
    }
  }
}

TEST(Waveform, ShowsTheRunUnderFaultsBesideTheOther) {
  const test::TemporaryFolder folder;
  for (const test::ArrayVariant& flow : test::kFlows) {
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      SCOPED_TRACE(flow.name() + " seed " + std::to_string(seed));
      Random random(60 + seed);
      const Case c(random, flow);
      const CycleWindow window = random_window(random, c.cycles);
      const Machine machine(c.machine.program);
      const SiteMap sites(machine.layout());
      std::vector<Fault> faults = test::random_faults(random, sites, c.cycles, 3);
      faults[0].cycle = window.first;  // one at the edge of what is seen
      const std::string path = folder / "run.vcd";
      record(c, faults, "all", window, path);
      const Vcd vcd(path);
      expect_registers(vcd, "golden", c, {}, window);
      expect_registers(vcd, "faulty", c, faults, window);
    }
  }
}

// GTKWave's own converters read the file, and what they write says the same.
TEST(Waveform, GtkwaveReadsTheSame) {
  const test::TemporaryFolder folder;
  Random random(7);
  const Case c(random, Dataflow::ws);
  const Machine machine(c.machine.program);
  const SiteMap sites(machine.layout());
  const auto faults = test::random_faults(random, sites, 40, 2);
  record(c, faults, "all", {0, 60}, folder / "run.vcd");
  const auto shell = [&](const std::string& command) {
    return std::system(("cd '" + (folder / "") + "' && " + command + " >log 2>&1").c_str());
  };
  ASSERT_EQ(shell("vcd2fst run.vcd run.fst"), 0) << "scripts/setup --with-tests installs gtkwave";
  ASSERT_EQ(shell("fst2vcd -f run.fst -o again.vcd"), 0);
  const Vcd ours(folder / "run.vcd");
  const Vcd theirs(folder / "again.vcd");
  EXPECT_EQ(theirs.timescale(), ours.timescale());
  ASSERT_EQ(theirs.variables().size(), ours.variables().size());
  for (const auto& [path, variable] : ours.variables()) {
    ASSERT_TRUE(theirs.variables().contains(path)) << path;
    ASSERT_EQ(theirs.variables().at(path).width, variable.width) << path;
    ASSERT_EQ(theirs.variables().at(path).type, variable.type) << path;
    for (std::int64_t time = 0; time <= 120; time += 2) {
      ASSERT_EQ(theirs.at(path, time), ours.at(path, time)) << path << " at " << time;
    }
  }
}

TEST(Waveform, WritesChangesOnlyAndTypesBySign) {
  const test::TemporaryFolder folder;
  Random random(9);
  const Case c(random, Dataflow::os);
  record(c, {}, "array.pe[0][0].*,control.sequencer.phase,control.sequencer.output_address",
         {0, c.cycles - 1}, folder / "run.vcd");
  const Vcd vcd(folder / "run.vcd");
  const auto& variables = vcd.variables();
  EXPECT_EQ(variables.at("sagitta.control.sequencer.phase").type, "reg");
  EXPECT_EQ(variables.at("sagitta.control.sequencer.output_address").type, "integer");
  for (const auto& [path, variable] : variables) {
    const auto times = vcd.changes_of(path);
    for (std::size_t i = 1; i < times.size(); ++i) {
      ASSERT_NE(vcd.at(path, times[i]), vcd.at(path, times[i] - 1)) << path << " at " << times[i];
    }
  }
}

TEST(Waveform, TimeFollowsTheClock) {
  const test::TemporaryFolder folder;
  Random random(11);
  const Case c(random, Dataflow::os);
  const struct {
    double mhz;
    const char* unit;
    std::int64_t fifth;  // the time of cycle 5
  } clocks[] = {{500, "1ns", 10},   {1000, "1ns", 5},       {800, "1ps", 6250},
                {64, "1ps", 78125}, {300, "1fs", 16666667}, {3e5, "1fs", 16667}};
  for (const auto& clock : clocks) {
    record(c, {}, "control.sequencer.phase", {5, 9}, folder / "run.vcd", clock.mhz);
    const Vcd vcd(folder / "run.vcd");
    EXPECT_EQ(vcd.timescale(), clock.unit) << clock.mhz;
    ASSERT_EQ(vcd.times().size(), 6U);
    EXPECT_EQ(vcd.times()[0], clock.fifth) << clock.mhz;
  }
}

TEST(Waveform, EstimateIsNearTheSize) {
  const test::TemporaryFolder folder;
  Random random(13);
  const Case c(random, Dataflow::os);
  const Machine machine(c.machine.program);
  const SiteMap sites(machine.layout());
  record(c, {}, "array.**", {0, c.cycles - 1}, folder / "run.vcd");
  const auto size = static_cast<double>(std::filesystem::file_size(folder / "run.vcd"));
  const double estimate = Waveform::estimate(sites, sites.select("array.**", "", ""), 1, c.cycles);
  EXPECT_GT(estimate, size);
  EXPECT_LT(estimate, 30 * size);
}

}  // namespace
}  // namespace sagitta
