// Waveforms read back against the machine's registers, by our own reader and by GTKWave's, and
// memory traces replayed against the memories.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/machine_cases.h"
#include "support/temporary_folder.h"
#include "support/vcd_reader.h"
#include "trace/trace.h"

namespace sagitta {
namespace {

using test::Random;
using test::Vcd;

// A machine with a random program, small enough that a waveform of everything is.
struct Case {
  test::MachineCase machine;
  std::int64_t cycles = 0;
  Case(Random& random, Dataflow dataflow)
      : machine(test::random_case(random, {random.between(1, 4), random.between(1, 4), dataflow})),
        cycles(schedule_of(machine.program, machine.image.data()).cycles) {}
};

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
  for (const Dataflow dataflow : test::kDataflows) {
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      SCOPED_TRACE(std::string(to_string(dataflow)) + " seed " + std::to_string(seed));
      Random random(40 + seed);
      const Case c(random, dataflow);
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
  for (const Dataflow dataflow : test::kDataflows) {
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      SCOPED_TRACE(std::string(to_string(dataflow)) + " seed " + std::to_string(seed));
      Random random(60 + seed);
      const Case c(random, dataflow);
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

// What is traced changes nothing, and nothing is left of a trace that was not finished.
TEST(Trace, ChangesNoRun) {
  const test::TemporaryFolder folder;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(80 + seed);
    const Case c(random, seed % 2 == 0 ? Dataflow::os : Dataflow::ws);
    Machine machine(c.machine.program);
    const SiteMap sites(machine.layout());
    const auto faults = test::random_faults(random, sites, c.cycles, random.between(0, 2));
    const CycleWindow whole{0, 3 * c.cycles};
    OutputFile memories(folder / "sram.csv");
    OutputFile dram(folder / "dram.csv");
    OutputFile vcd(folder / "run.vcd");
    MemoryTrace memory_trace(memories, true);
    DramTrace dram_trace(dram);
    using Names = std::vector<std::string>;
    Waveform waveform(vcd, sites, sites.select("logic", "", ""),
                      faults.empty() ? Names{"sagitta"} : Names{"golden", "faulty"}, 500);
    const TracedRun traced = trace(c.machine.program, c.machine.image.data(), faults, whole,
                                   {&waveform, &memory_trace, &dram_trace});
    machine.reset(c.machine.image.data());
    Injector injector(sites, faults);
    const bool done = test::run_with(machine, injector, 3 * c.cycles + 1);
    EXPECT_EQ(traced.finished, done);
    EXPECT_EQ(traced.cycles, machine.cycle());
    EXPECT_EQ(traced.logits, machine.logits());
    EXPECT_EQ(traced.raw_output, machine.raw_output());
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder / "")) {
    ADD_FAILURE() << entry.path() << " was left behind";
  }
}

// The rows of a CSV file, by column.
struct Csv {
  std::string header;
  std::vector<std::vector<std::string>> rows;
  explicit Csv(const std::string& path) {
    std::ifstream file(path);
    std::getline(file, header);
    for (std::string line; std::getline(file, line);) {
      std::stringstream fields(line);
      rows.emplace_back();
      for (std::string field; std::getline(fields, field, ',');) rows.back().push_back(field);
    }
  }
};

// Memories that begin as zeros and take all writes; every read must find there what it says. Reads
// see the old words in the cycle of a write.
struct Replay {
  std::map<std::string, std::map<std::int64_t, std::int64_t>> memories;  // "weight 0"
  std::map<std::string, std::int64_t> accesses;                          // "weight read"

  void run(const Csv& csv) {
    for (std::size_t first = 0; first < csv.rows.size();) {
      std::size_t end = first;
      while (end < csv.rows.size() && csv.rows[end][0] == csv.rows[first][0]) ++end;
      for (const char* access : {"read", "write"}) {
        for (std::size_t i = first; i < end; ++i) {
          if (csv.rows[i][3] == access) apply(csv.rows[i]);
        }
      }
      if (testing::Test::HasFatalFailure()) return;
      first = end;
    }
  }
  void apply(const std::vector<std::string>& row) {
    auto& memory = memories[row[1] + " " + row[2]];
    const std::int64_t first = std::stoll(row[4]);
    std::int64_t at = first;
    std::stringstream values(row[6]);
    for (std::int64_t value = 0; values >> value; ++at) {
      if (row[3] == "write") {
        memory[at] = value;
      } else {
        ASSERT_EQ(memory[at], value) << row[1] << " address " << at << " in cycle " << row[0];
      }
    }
    ASSERT_EQ(at - first, std::stoll(row[5])) << "count of values in cycle " << row[0];
    ASSERT_GT(at, first);
    ++accesses[row[1] + " " + row[3]];
  }
  std::int64_t at(const std::string& memory, int bank, std::int64_t address) {
    return memories[memory + " " + std::to_string(bank)][address];
  }
};

// What the replay has in place of a register, by the addresses that docs/formats.md gives.
std::optional<std::int64_t> expected(Replay& replay, const RegisterClass& r,
                                     const std::vector<int>& index, const Program& program) {
  const int columns = program.array.columns;
  const auto word = [&](const char* memory, int bank, std::int64_t address, int bytes) {
    std::uint64_t value = 0;  // little endian
    for (int i = 0; i < bytes; ++i) {
      value |= static_cast<std::uint64_t>(replay.at(memory, bank, address * bytes + i)) << 8 * i;
    }
    return static_cast<std::int64_t>(value);
  };
  if (r.path == "memory.activation.bank[].word[]")
    return replay.at("activation", index[0], index[1]);
  if (r.path == "memory.weight.bank[].row[].lane[]") {
    return replay.at("weight", index[0], std::int64_t{index[1]} * columns + index[2]);
  }
  if (r.path == "memory.parameter.bank[].lane[].word[]") {
    const std::int64_t at = std::int64_t{index[1]} * program.parameters.lane_words + index[2];
    return word("parameter", index[0], at, 4);
  }
  if (r.path == "memory.parameter.bank[].tile_word[]") {
    const std::int64_t at = std::int64_t{columns} * program.parameters.lane_words + index[1];
    return word("parameter", index[0], at, 4);
  }
  if (r.path == "resilience.checksum.weight.bank[].row[]") {
    return static_cast<std::int16_t>(word("checksum", index[0], index[1], 2));
  }
  if (r.path == "memory.partial.row[].lane[]") {
    return replay.at("partial", 0, std::int64_t{index[0]} * columns + index[1]);
  }
  if (r.path == "resilience.checksum.partial.row[]") {
    return replay.at("checksum-partial", 0, index[0]);
  }
  if (r.path == "memory.accumulator.word[]") return replay.at("accumulator", 0, index[0]);
  return std::nullopt;
}

TEST(Trace, MemoryAccessesReplayEveryMemory) {
  const test::TemporaryFolder folder;
  std::set<std::string> kinds;
  for (const Dataflow dataflow : test::kDataflows) {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      SCOPED_TRACE(std::string(to_string(dataflow)) + " seed " + std::to_string(seed));
      Random random(300 + seed);
      const Case c(random, dataflow);
      OutputFile file(folder / "sram.csv");
      MemoryTrace memories(file, true);
      trace(c.machine.program, c.machine.image.data(), {}, {0, c.cycles}, {nullptr, &memories});
      file.close();
      file.take_name();
      const Csv csv(folder / "sram.csv");
      ASSERT_EQ(csv.header, "cycle,memory,bank,access,address,count,values");
      Replay replay;
      replay.run(csv);
      if (HasFatalFailure()) return;
      for (const auto& [kind, count] : replay.accesses) kinds.insert(kind);

      Machine machine(c.machine.program);
      machine.reset(c.machine.image.data());
      ASSERT_TRUE(machine.run(c.cycles));
      const SiteMap sites(machine.layout());
      for (std::size_t k = 0; k < sites.classes().size(); ++k) {
        const RegisterClass& r = sites.classes()[k];
        if (r.storage != Storage::sram) continue;
        for (std::int64_t e = 0; e < r.elements(); ++e) {
          const auto index = sites.indices({static_cast<int>(k), e, 0});
          const auto value = expected(replay, r, index, c.machine.program);
          ASSERT_TRUE(value.has_value()) << r.path << " has no trace";
          ASSERT_EQ(*value, read_register(machine.state(), r, e))
              << sites.element_path(static_cast<int>(k), e);
        }
      }
      LayerCounters total;
      for (const LayerCounters& l : machine.counters()) total += l;
      ASSERT_EQ(replay.accesses["weight read"], total.weight_row_reads);
      if (c.machine.program.raw_output) {  // a product has no padding
        std::int64_t elements = 0;
        for (const auto& row : csv.rows) {
          if (row[1] == "activation" && row[3] == "read") elements += std::stoll(row[5]);
        }
        ASSERT_EQ(elements, total.activation_reads);
      }
    }
  }
  EXPECT_EQ(kinds.size(), 14U) << "seven memories are read and written";
}

TEST(Trace, DramAccessesAddUpToTheTransfers) {
  const test::TemporaryFolder folder;
  for (const Dataflow dataflow : test::kDataflows) {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      SCOPED_TRACE(std::string(to_string(dataflow)) + " seed " + std::to_string(seed));
      Random random(700 + seed);
      const Case c(random, dataflow);
      const Program& program = c.machine.program;
      OutputFile file(folder / "dram.csv");
      DramTrace dram(file);
      trace(program, c.machine.image.data(), {}, {0, c.cycles}, {nullptr, nullptr, &dram});
      file.close();
      file.take_name();
      const Csv csv(folder / "dram.csv");
      ASSERT_EQ(csv.header, "cycle,access,what,transfer,offset,bytes");
      // Each transfer from its first byte to its last, a beat at a time, in order.
      std::vector<std::int64_t> arrived(program.transfers.size());
      std::int64_t stored = 0;
      std::int64_t before = -1;
      for (const auto& row : csv.rows) {
        ASSERT_GE(std::stoll(row[0]), before);
        before = std::stoll(row[0]);
        const auto transfer = static_cast<std::size_t>(std::stoll(row[3]));
        const std::int64_t bytes = std::stoll(row[5]);
        ASSERT_GT(bytes, 0);
        std::int64_t& so_far = row[2] == "result" ? stored : arrived.at(transfer);
        ASSERT_EQ(std::stoll(row[4]), so_far);
        so_far += bytes;
        ASSERT_EQ(row[1], row[2] == "result" ? "write" : "read");
        ASSERT_EQ(row[2] == "image", row[1] == "read" && transfer == 0);
        if (row[1] == "read") {
          ASSERT_LE(bytes, program.memory.dram_bytes_per_cycle);
        }
      }
      for (std::size_t t = 0; t < arrived.size(); ++t) {
        ASSERT_EQ(arrived[t], program.transfers[t].size) << "transfer " << t;
      }
      ASSERT_EQ(stored, program.logits * (program.raw_output ? 4 : 1));
    }
  }
}

TEST(Trace, OutputFileLeavesNothingUnlessFinished) {
  const test::TemporaryFolder folder;
  {
    OutputFile file(folder / "a");
    file.write("half");
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder / ""));
  OutputFile file(folder / "a");
  file.write("whole");
  file.close();
  EXPECT_FALSE(std::filesystem::exists(folder / "a"));
  file.take_name();
  EXPECT_EQ(Csv(folder / "a").header, "whole");
  EXPECT_EQ(file.bytes(), 5);
  EXPECT_THROW(OutputFile(folder / "no/such/folder"), InputError);
}

// Index ranges in globs, for scopes and for fault sites alike.
TEST(Glob, IndexRanges) {
  EXPECT_TRUE(glob_match("a.pe[2..5][*].b", "a.pe[2][7].b"));
  EXPECT_TRUE(glob_match("a.pe[2..5][*].b", "a.pe[5][0].b"));
  EXPECT_TRUE(glob_match("a.pe[8..12][0..0].b", "a.pe[10][0].b"));
  EXPECT_TRUE(glob_match("**[8..12]", "a.pe[10]"));
  EXPECT_FALSE(glob_match("a.pe[2..5][*].b", "a.pe[1][7].b"));
  EXPECT_FALSE(glob_match("a.pe[2..5][*].b", "a.pe[6][7].b"));
  EXPECT_FALSE(glob_match("a.pe[2..5][*].b", "a.pe[25][7].b"));
  EXPECT_FALSE(glob_match("a.pe[5..2]", "a.pe[3]"));
  EXPECT_FALSE(glob_match("a.pe[2..5]", "a.pe"));
  EXPECT_FALSE(glob_match("a.pe[2..x]", "a.pe[2]"));
  EXPECT_FALSE(glob_match("a.pe[2..5", "a.pe[2]"));

  const Program program = compile_gemm(2, 2, 2, {1, 2, 3, 4}, {6, 4}, {}, {});
  const Machine machine(program);
  const SiteMap sites(machine.layout());
  EXPECT_EQ(sites.select("array.pe[0..3][1..2].a", "", "").bits(), 4 * 2 * 8);
  EXPECT_EQ(sites.select("array.pe[4..99][*].acc:31", "", "").bits(), 2 * 4);
}

}  // namespace
}  // namespace sagitta
