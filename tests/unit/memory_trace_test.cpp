// Memory traces: replayed, and held against what the machine reads and what its memories hold.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "support/csv_rows.h"
#include "support/temporary_folder.h"
#include "support/traced_case.h"

namespace sagitta {
namespace {

using test::Csv;
using test::Random;
using Case = test::TracedCase;

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
  // Takes the element out, so that what remains at last are elements that no memory has.
  std::int64_t take(const std::string& memory, int bank, std::int64_t address) {
    auto& bank_elements = memories[memory + " " + std::to_string(bank)];
    const auto found = bank_elements.find(address);
    if (found == bank_elements.end()) return 0;
    const std::int64_t value = found->second;
    bank_elements.erase(found);
    return value;
  }
};

// What the replay has in place of a register, by the addresses that docs/trace.md gives.
std::optional<std::int64_t> expected(Replay& replay, const RegisterClass& r,
                                     const std::vector<int>& index, const Program& program) {
  const int columns = program.array.columns;
  const int lane_words = program.parameters.lane_words;
  const int tile_words = program.parameters.tile_words;
  const bool is = program.array.has(Dataflow::is);
  const auto word = [&](const char* memory, int bank, std::int64_t address, int bytes) {
    std::uint64_t value = 0;  // little endian
    for (int i = 0; i < bytes; ++i) {
      value |= static_cast<std::uint64_t>(replay.take(memory, bank, address * bytes + i)) << 8 * i;
    }
    return static_cast<std::int64_t>(value);
  };
  if (r.path == "memory.activation.map[].element[]")
    return replay.take("activation", index[0], index[1]);
  if (r.path == "memory.weight.bank[].row[].lane[]") {
    return replay.take("weight", index[0],
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
    return replay.take("partial", 0, std::int64_t{index[0]} * columns + index[1]);
  }
  if (r.path == "memory.vote.bank[].row[].lane[]") {
    return replay.take("vote", index[0], std::int64_t{index[1]} * columns + index[2]);
  }
  if (r.path == "resilience.columns.buffer.row[].word[]") {
    return replay.take("columns", 0, std::int64_t{index[0]} * (columns + 2) + index[1]);
  }
  if (r.path == "resilience.checksum.partial.row[]") {
    return replay.take("checksum-partial", 0, index[0]);
  }
  if (const std::size_t end = r.path.find(".line[].lane[]"); end != std::string::npos) {
    const std::size_t block = std::string("resilience.").size();
    return replay.take(r.path.substr(block, end - block) + "-line", 0,
                       std::int64_t{index[0]} * columns + index[1]);
  }
  if (const std::size_t end = r.path.find(".bounds.bank[]"); end != std::string::npos) {
    const std::size_t block = std::string("resilience.").size();
    const std::string memory = r.path.substr(block, end - block) + "-bounds";
    const std::int64_t row = std::int64_t{index[1]} * columns + index[2];
    return word(memory.c_str(), index[0], row * r.extents.back() + index[3], 4);
  }
  if (r.path == "memory.accumulator.word[]") return replay.take("accumulator", 0, index[0]);
  return std::nullopt;
}

// A port of a memory, with the registers that take what it reads.
struct ReadPort {
  std::string name;
  std::string path;  // which others may begin with
  int bytes;         // that the trace lists one by one; 0: whole elements
  std::vector<const RegisterClass*> registers{};
  std::vector<std::int64_t> listed{}, before{};
  std::vector<std::int64_t> addresses{};           // of accesses
  std::vector<std::vector<std::int64_t>> words{};  // what each of them reads

  bool of_bounds() const { return name.ends_with("-bounds"); }
  // Of byte `i` that is listed, what the registers take: of outputs' bounds nine bits each.
  std::int64_t mask(std::size_t i) const {
    const bool nine = of_bounds() && !registers.empty() && registers[0]->width == 9;
    return bytes == 0 && !of_bounds() ? -1 : nine && i % 2 == 1 ? 1 : 0xFF;
  }
  std::vector<std::int64_t> values(Machine& machine) const {
    std::vector<std::int64_t> all;
    if (of_bounds()) {  // of each lane the low one, then the high one
      for (std::int64_t lane = 0; !registers.empty() && lane < registers[0]->elements(); ++lane) {
        for (const RegisterClass* r : registers) {
          const std::int64_t value = read_register(machine.state(), *r, lane);
          const int count = r->width == 32 ? 4 : 2;
          for (int i = 0; i < count; ++i) {
            all.push_back(value >> 8 * i & mask(static_cast<std::size_t>(i)));
          }
        }
      }
      return all;
    }
    for (const RegisterClass* r : registers) {
      for (std::int64_t e = 0; e < r->elements(); ++e) {
        const std::int64_t value = read_register(machine.state(), *r, e);
        if (bytes == 0) all.push_back(value);
        for (int i = 0; i < bytes; ++i) all.push_back(value >> 8 * i & 0xFF);
      }
    }
    return all;
  }
};

std::vector<ReadPort> read_ports(const SiteMap& sites) {
  std::vector<ReadPort> ports{{"activation", "memory.activation.read[]", 0},
                              {"activation, wide", "memory.activation.vector[]", 0},
                              {"weight", "memory.weight.read[]", 0},
                              {"checksum", "resilience.checksum.weight.read", 2},
                              {"parameter", "memory.parameter.lane_read[]", 4},
                              {"parameter, tile", "memory.parameter.tile_read[]", 4},
                              {"partial", "memory.partial.read[]", 0},
                              {"vote", "memory.vote.read[][]", 0},
                              {"checksum-partial", "resilience.checksum.partial.read", 0},
                              {"columns", "resilience.columns.read.", 0},
                              {"accumulator", "memory.accumulator.vector[]", 0}};
  for (const std::string checker : {"gradient", "gradient_2", "gradient_3", "gradient_4"}) {
    ports.push_back({checker + "-line", "resilience." + checker + ".above.sum[]", 0});
  }
  for (const std::string kind : {"range", "gradient"}) {
    for (const std::string number : {"", "_2", "_3", "_4", "_5"}) {
      ports.push_back({kind + number + "-bounds", "resilience." + kind + number + ".", 4});
    }
  }
  for (ReadPort& port : ports) {
    const bool a_neuron =
        port.of_bounds() &&
        std::any_of(sites.classes().begin(), sites.classes().end(), [&](const RegisterClass& r) {
          return r.path.starts_with(port.path + "bounds.");
        });
    if (port.of_bounds() && !a_neuron) continue;  // they come with the parameters
    for (const RegisterClass& r : sites.classes()) {
      if (port.of_bounds()) {
        const bool bound = r.path == port.path + "low[]" || r.path == port.path + "high[]";
        if (bound) port.registers.push_back(&r);
        continue;
      }
      const bool of_port = r.path.starts_with(port.path) && !r.path.ends_with(".valid");
      if (of_port) port.registers.push_back(&r);
    }
  }
  return ports;
}

// The port through which a row of the trace reads.
std::string port_of(const std::vector<std::string>& row, const Machine& machine) {
  const Phase phase = machine.phase();
  if (row[1] == "activation" && (phase == Phase::pool || phase == Phase::store)) {
    return "activation, wide";
  }
  if (row[1] != "parameter") return row[1];
  const Program& program = machine.program();
  const ParameterFormat& format = program.parameters;
  const std::int64_t word = std::stoll(row[4]) / 4;
  const bool tile = program.array.has(Dataflow::is)
                        ? word < format.tile_words
                        : word >= std::int64_t{program.array.columns} * format.lane_words;
  return tile ? "parameter, tile" : "parameter";
}

// What a cycle's reads list must stand in the read registers, in order. A port that does not read
// takes zero or padding, or keeps what it had.
void expect_read(const std::vector<std::int64_t>& listed, const std::vector<std::int64_t>& before,
                 const std::vector<std::int64_t>& after, std::int64_t padding) {
  std::size_t found = 0;
  for (std::size_t i = 0; i < after.size(); ++i) {
    if (found < listed.size() && after[i] == listed[found]) {
      ++found;
    } else {
      EXPECT_TRUE(after[i] == 0 || after[i] == padding || after[i] == before[i])
          << "port " << i << " holds " << after[i] << ", which no access has read";
    }
  }
  EXPECT_EQ(found, listed.size()) << "an access lists what was not read";
}

// A cycle's words from the banks: each starts at a multiple of their size, in a bank of its own,
// and holds something that a register takes; and registers take nothing else.
void expect_words(const std::vector<std::int64_t>& addresses,
                  const std::vector<std::vector<std::int64_t>>& words, const MemoryShape& memory,
                  const std::vector<std::int64_t>& before, const std::vector<std::int64_t>& after,
                  std::int64_t padding) {
  std::set<std::int64_t> banks;
  for (const std::int64_t address : addresses) {
    EXPECT_EQ(address % memory.activation_port_bytes, 0);
    EXPECT_TRUE(
        banks.insert(address / memory.activation_port_bytes % memory.activation_banks).second)
        << "two words from the bank of address " << address;
  }
  std::set<std::int64_t> delivered;
  for (const auto& word : words) {
    EXPECT_TRUE(std::any_of(word.begin(), word.end(), [&](std::int64_t value) {
      return std::find(after.begin(), after.end(), value) != after.end();
    })) << "an access lists what was not read";
    delivered.insert(word.begin(), word.end());
  }
  for (std::size_t i = 0; i < after.size(); ++i) {
    EXPECT_TRUE(delivered.contains(after[i]) || after[i] == 0 || after[i] == padding ||
                after[i] == before[i])
        << "port " << i << " holds " << after[i] << ", which no access has read";
  }
}

// Holds the trace against the machine itself: what is read is in the read registers a cycle later.
void expect_reads(Machine& machine, Injector& injector, std::int64_t budget, const Csv& csv) {
  const SiteMap sites(machine.layout());
  std::vector<ReadPort> ports = read_ports(sites);
  std::size_t row = 0;
  while (!machine.done() && machine.cycle() < budget) {
    if (injector.next_cycle() == machine.cycle()) {
      injector.strike(machine.state(), machine.cycle());
      machine.touch();
      if (machine.done()) break;  // by a flip of the phase: nothing of this cycle is traced
    }
    for (ReadPort& port : ports) {
      port.listed.clear();
      port.addresses.clear();
      port.words.clear();
      port.before = port.values(machine);
    }
    for (; row < csv.rows.size() && std::stoll(csv.rows[row][0]) == machine.cycle(); ++row) {
      if (csv.rows[row][3] != "read") continue;
      const std::string name = port_of(csv.rows[row], machine);
      const auto port = std::find_if(ports.begin(), ports.end(),
                                     [&](const ReadPort& p) { return p.name == name; });
      ASSERT_NE(port, ports.end()) << name;
      std::stringstream values(csv.rows[row][6]);
      port->addresses.push_back(std::stoll(csv.rows[row][4]));
      port->words.emplace_back();
      for (std::int64_t value = 0; values >> value;) {
        port->listed.push_back(value & port->mask(port->words.back().size()));
        port->words.back().push_back(value);
      }
    }
    const std::int64_t padding = machine.control().config.input_zero_point;
    machine.step();
    for (const ReadPort& port : ports) {
      // Before a first fold the detector's register takes the biases instead.
      if (port.name == "checksum-partial" && port.listed.empty()) continue;
      SCOPED_TRACE(port.name + " in cycle " + std::to_string(machine.cycle() - 1));
      const MemoryShape& memory = machine.program().memory;
      if (memory.activation_banks > 0 && port.name.starts_with("activation")) {
        expect_words(port.addresses, port.words, memory, port.before, port.values(machine),
                     padding);
      } else {
        expect_read(port.listed, port.before, port.values(machine), padding);
      }
    }
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_EQ(row, csv.rows.size());
}

// The accesses of a run, replayed; then what they read and the memories that they leave against the
// machine's.
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
  expect_reads(machine, injector, budget, csv);
  for (std::size_t k = 0; k < sites.classes().size(); ++k) {
    const RegisterClass& r = sites.classes()[k];
    // Check bits go where their words go, unnamed.
    const bool check = r.path.find("_check[]") != std::string::npos;
    // So does what a checker of maps keeps beside a vector.
    const bool beside = r.path.find(".line[].") != std::string::npos && !r.path.ends_with("lane[]");
    if (r.storage != Storage::sram || check || beside) continue;
    for (std::int64_t e = 0; e < r.elements(); ++e) {
      const auto index = sites.indices({static_cast<int>(k), e, 0});
      const auto value = expected(replay, r, index, program);
      EXPECT_TRUE(value.has_value()) << r.path << " has no trace";
      EXPECT_EQ(value.value_or(0), read_register(machine.state(), r, e))
          << sites.element_path(static_cast<int>(k), e);
      if (testing::Test::HasFailure()) return csv;
    }
  }
  for (const auto& [memory, elements] : replay.memories) {
    EXPECT_TRUE(elements.empty()) << "beyond " << memory << ": " << elements.begin()->first;
  }
  return csv;
}

TEST(Trace, MemoryAccessesReplayEveryMemory) {
  const test::TemporaryFolder folder;
  for (const test::ArrayVariant& flow : test::kFlows) {
    std::set<std::string> kinds;
    int batches = 0;
    int third_maps = 0;
    int banked = 0;
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
      SCOPED_TRACE(flow.name() + " seed " + std::to_string(seed));
      Random random(300 + seed);
      const Case c(random, flow);
      const Program& program = c.machine.program;
      Replay replay;
      const Csv csv = replay_run(c, {}, replay, folder / "sram.csv");
      if (HasFailure()) return;
      ASSERT_EQ(csv.header, "cycle,memory,bank,access,address,count,values");
      for (const auto& [kind, count] : replay.accesses) kinds.insert(kind);
      batches += program.batch > 1 ? 1 : 0;
      third_maps += replay.memories.contains("activation 2") ? 1 : 0;

      LayerCounters total;
      for (const LayerCounters& layer : schedule_of(program, c.machine.image.data()).counters) {
        total += layer;
      }
      ASSERT_EQ(replay.accesses["weight read"], total.weight_row_reads);
      std::int64_t elements = 0;
      for (const auto& row : csv.rows) {
        if (row[1] == "activation" && row[3] == "read") elements += std::stoll(row[5]);
      }
      if (program.memory.activation_banks > 0) {
        ASSERT_EQ(replay.accesses["activation read"], total.activation_words);
        ++banked;
      } else if (program.raw_output) {  // a product has no padding
        ASSERT_EQ(elements, total.activation_reads);
      }
    }
    // Lines of maps and bounds a neuron, where vectors are pixels.
    const bool pixels = !flow.shape(2, 2).has(Dataflow::is);
    for (const char* kind : {"gradient-line", "gradient-bounds", "range-bounds"}) {
      for (const char* access : {" read", " write"}) {
        EXPECT_EQ(kinds.contains(kind + std::string(access)), pixels) << flow.name() << kind;
      }
    }
    std::erase_if(kinds, [](const std::string& kind) {
      return kind.starts_with("gradient") || kind.starts_with("range");
    });
    // The buffer of checksums of columns is output stationary only. Partial sums where an operand
    // is stationary; checksum weights where activations are not.
    const ArrayShape array = flow.shape(2, 2);
    EXPECT_EQ(kinds.size(), !array.folds()             ? 14U  // rows that wait for their columns
                            : array.only(Dataflow::is) ? 14U
                                                       : 16U)
        << flow.name() << ": every memory is read and written";
    EXPECT_GT(batches, 0) << flow.name();
    EXPECT_GT(third_maps, 0) << flow.name();
    EXPECT_GT(banked, 0) << flow.name();
  }
}

// Wherever faults send an access: what is listed is what reaches the memories. Flips of memory bits
// themselves are no accesses. With one column a checksum weight has no bits in its upper byte.
TEST(Trace, MemoryAccessesReplayUnderFaults) {
  const test::TemporaryFolder folder;
  for (const test::ArrayVariant& flow : test::kFlows) {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
      SCOPED_TRACE(flow.name() + " seed " + std::to_string(seed));
      Random random(500 + seed);
      const Case c(random, flow);
      const Machine machine(c.machine.program);
      const SiteMap sites(machine.layout());
      std::vector<Fault> faults = test::random_faults(random, sites, c.cycles, 6);
      if (seed % 3 != 0) {  // beats that bring anything, to anywhere; banks that do not exist
        const std::string registers = seed % 3 == 1 ? "memory.dma.data" : "put_bank";
        faults = test::random_faults(random, sites, c.cycles, 4000);
        std::erase_if(faults, [&](const Fault& f) {
          return sites.path(f.site).find(registers) == std::string::npos;
        });
      }
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

}  // namespace
}  // namespace sagitta
