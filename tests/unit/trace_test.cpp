// Memory traces replayed against the memories, DRAM traces against the transfers, and that tracing
// changes no run.
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/temporary_folder.h"
#include "support/traced_case.h"

namespace sagitta {
namespace {

using test::Random;
using Case = test::TracedCase;

// What is traced changes nothing, and nothing is left of a trace that was not finished.
TEST(Trace, ChangesNoRun) {
  const test::TemporaryFolder folder;
  for (std::uint64_t seed = 0; seed < 24; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(80 + seed);
    const Case c(random, test::kDataflows[seed % 3]);
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

// What the replay has in place of a register, by the addresses that docs/trace.md gives.
std::optional<std::int64_t> expected(Replay& replay, const RegisterClass& r,
                                     const std::vector<int>& index, const Program& program) {
  const int columns = program.array.columns;
  const int lane_words = program.parameters.lane_words;
  const int tile_words = program.parameters.tile_words;
  const bool is = program.array.dataflow == Dataflow::is;
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
    return replay.at("weight", index[0],
                     std::int64_t{index[1]} * program.array.weight_lanes() + index[2]);
  }
  if (r.path == "memory.parameter.bank[].lane[].word[]") {
    const std::int64_t at = (is ? tile_words : 0) + std::int64_t{index[1]} * lane_words + index[2];
    return word("parameter", index[0], at, 4);
  }
  if (r.path == "memory.parameter.bank[].tile_word[]") {
    const std::int64_t at = (is ? 0 : std::int64_t{columns} * lane_words) + index[1];
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

// The accesses of a run, replayed, and the memories that they leave against the machine's.
Csv replay_run(const Case& c, const std::vector<Fault>& faults, Replay& replay,
               const std::string& path) {
  const Program& program = c.machine.program;
  const std::int64_t budget = 2 * c.cycles;
  OutputFile file(path);
  MemoryTrace memories(file, true);
  trace(program, c.machine.image.data(), faults, {0, budget - 1}, {nullptr, &memories});
  file.close();
  file.take_name();
  Csv csv(path);
  replay.run(csv);

  Machine machine(program);
  const SiteMap sites(machine.layout());
  Injector injector(sites, faults);
  machine.reset(c.machine.image.data());
  test::run_with(machine, injector, budget);
  for (std::size_t k = 0; k < sites.classes().size(); ++k) {
    const RegisterClass& r = sites.classes()[k];
    if (r.storage != Storage::sram) continue;
    for (std::int64_t e = 0; e < r.elements(); ++e) {
      const auto index = sites.indices({static_cast<int>(k), e, 0});
      const auto value = expected(replay, r, index, program);
      EXPECT_TRUE(value.has_value()) << r.path << " has no trace";
      EXPECT_EQ(value.value_or(0), read_register(machine.state(), r, e))
          << sites.element_path(static_cast<int>(k), e);
      if (testing::Test::HasFailure()) return csv;
    }
  }
  return csv;
}

TEST(Trace, MemoryAccessesReplayEveryMemory) {
  const test::TemporaryFolder folder;
  for (const Dataflow dataflow : test::kDataflows) {
    std::set<std::string> kinds;
    int batches = 0;
    int third_banks = 0;
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
      SCOPED_TRACE(std::string(to_string(dataflow)) + " seed " + std::to_string(seed));
      Random random(300 + seed);
      const Case c(random, dataflow);
      const Program& program = c.machine.program;
      Replay replay;
      const Csv csv = replay_run(c, {}, replay, folder / "sram.csv");
      if (HasFailure()) return;
      ASSERT_EQ(csv.header, "cycle,memory,bank,access,address,count,values");
      for (const auto& [kind, count] : replay.accesses) kinds.insert(kind);
      batches += program.batch > 1 ? 1 : 0;
      third_banks += replay.memories.contains("activation 2") ? 1 : 0;

      const LayerCounters total = schedule_of(program, c.machine.image.data()).counters;
      ASSERT_EQ(replay.accesses["weight read"], total.weight_row_reads);
      if (program.raw_output) {  // a product has no padding
        std::int64_t elements = 0;
        for (const auto& row : csv.rows) {
          if (row[1] == "activation" && row[3] == "read") elements += std::stoll(row[5]);
        }
        ASSERT_EQ(elements, total.activation_reads);
      }
    }
    // Partial sums where an operand is stationary; checksum weights where activations are not.
    EXPECT_EQ(kinds.size(), dataflow == Dataflow::os   ? 10U
                            : dataflow == Dataflow::ws ? 14U
                                                       : 12U)
        << to_string(dataflow) << ": every memory is read and written";
    EXPECT_GT(batches, 0) << to_string(dataflow);
    EXPECT_GT(third_banks, 0) << to_string(dataflow);
  }
}

// Wherever faults send an access: what is listed is what reaches the memories. Flips of memory bits
// themselves are no accesses. With one column a checksum weight has no bits in its upper byte.
TEST(Trace, MemoryAccessesReplayUnderFaults) {
  const test::TemporaryFolder folder;
  for (const Dataflow dataflow : test::kDataflows) {
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
      SCOPED_TRACE(std::string(to_string(dataflow)) + " seed " + std::to_string(seed));
      Random random(500 + seed);
      const Case c(random, dataflow);
      const Machine machine(c.machine.program);
      const SiteMap sites(machine.layout());
      std::vector<Fault> faults = test::random_faults(random, sites, c.cycles, 6);
      std::erase_if(faults, [&](const Fault& f) {
        const auto k = static_cast<std::size_t>(f.site.register_class);
        return sites.classes()[k].storage == Storage::sram;
      });
      if (faults.empty() || c.machine.program.array.columns == 1) continue;
      Replay replay;
      replay_run(c, faults, replay, folder / "sram.csv");
      if (HasFailure()) {
        for (const Fault& f : faults) ADD_FAILURE() << sites.path(f.site) << "@" << f.cycle;
        return;
      }
    }
  }
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
