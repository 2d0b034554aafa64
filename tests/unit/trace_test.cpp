// That tracing changes no run, DRAM traces against the transfers, the length of memory traces, and
// the files and globs.
#include <filesystem>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "support/csv_rows.h"
#include "support/temporary_folder.h"
#include "support/traced_case.h"

namespace sagitta {
namespace {

using test::Csv;
using test::Random;
using Case = test::TracedCase;

// What is traced changes nothing, and nothing is left of a trace that was not finished.
TEST(Trace, ChangesNoRun) {
  const test::TemporaryFolder folder;
  for (std::uint64_t seed = 0; seed < 24; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(80 + seed);
    const Case c(random, test::kFlows[seed % std::size(test::kFlows)]);
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

TEST(Trace, DramAccessesAddUpToTheTransfers) {
  const test::TemporaryFolder folder;
  for (const test::ArrayVariant& flow : test::kFlows) {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      SCOPED_TRACE(flow.name() + " seed " + std::to_string(seed));
      Random random(700 + seed);
      const Case c(random, flow);
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

// The estimate by which `sagitta trace` refuses a file, over what the trace of a run takes.
double estimated_share(const Program& program, const std::vector<std::int8_t>& image, bool values,
                       const std::string& path) {
  const Schedule schedule = schedule_of(program, image.data());
  OutputFile file(path);
  MemoryTrace memories(file, values);
  trace(program, image.data(), {}, {0, schedule.cycles}, {nullptr, &memories});
  file.close();
  return MemoryTrace::estimate(schedule.counters, program, values) /
         static_cast<double>(file.bytes());
}

// Words of banks are as long as they are, whatever the array's columns. Without banks padding is
// counted as if it were read: networks this small have much of it.
TEST(Trace, MemoryTraceIsAboutAsLongAsEstimated) {
  const test::TemporaryFolder folder;
  constexpr int kRuns = 12;
  for (const test::ArrayVariant& flow : test::kFlows) {
    for (const int port_bytes : {0, 1, 64}) {
      for (const bool values : {false, true}) {
        SCOPED_TRACE(fmt::format("{}, words of {}{}", flow.name(), port_bytes,
                                 values ? ", with values" : ""));
        double mean = 0;
        for (std::uint64_t seed = 0; seed < kRuns; ++seed) {
          Random random(700 + seed);
          const int rows = random.between(2, 6);
          const ArrayShape array = flow.shape(rows, random.between(2, 6), seed);
          const Network network = test::random_network(random, 3);
          MemoryShape memory;
          if (port_bytes > 0) memory.activation_banks = 1 << random.between(0, 3);
          memory.activation_port_bytes = port_bytes;
          const Program program = compile(network, array, memory, {}, "test");
          const auto image = random.int8s(network.input.elements());
          const double share = estimated_share(program, image, values, folder / "sram.csv");
          EXPECT_GT(share, 0.5) << "seed " << seed;
          EXPECT_LT(share, 2.5) << "seed " << seed;
          mean += share / kRuns;
        }
        EXPECT_GT(mean, 0.8);
        EXPECT_LT(mean, port_bytes > 0 ? 1.2 : 1.5);
      }
    }
  }
}

}  // namespace
}  // namespace sagitta
