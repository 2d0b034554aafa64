// Conservation laws of the counters on random machines, and that each law can fail; and what the
// states of a cycle add up to by the closed forms of docs/machine.md.
#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "schedule/conservation.h"
#include "support/closed_form.h"
#include "support/machine_cases.h"

namespace sagitta {
namespace {

using test::Random;
using Counts = std::vector<LayerCounters>;

ArrayShape random_array(Random& random, Dataflow dataflow) {
  return {random.between(1, 9), random.between(1, 9), dataflow};
}

TEST(Conservation, HoldsOnRandomMachines) {
  for (const test::ArrayVariant& variant : test::kVariants) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
      SCOPED_TRACE(variant.name() + " seed " + std::to_string(seed));
      Random random(5000 + seed);
      const ArrayShape array = random_array(random, variant.dataflow);
      const test::MachineCase c =
          test::random_case(random, variant.shape(array.rows, array.columns, seed));
      Machine machine(c.program);
      machine.reset(c.image.data());
      ASSERT_TRUE(machine.run(10'000'000));
      ASSERT_NO_THROW(check_conservation(c.program, machine.counters(), machine.cycle()));
    }
  }
}

// The message that the laws give when a run's counts are changed; "" when they hold.
std::string broken(const Program& program, const Machine& machine,
                   const std::function<void(Counts&, std::int64_t& cycles)>& change) {
  Counts counts = machine.counters();
  std::int64_t cycles = machine.cycle();
  change(counts, cycles);
  try {
    check_conservation(program, counts, cycles);
  } catch (const ConservationError& e) {
    return e.what();
  }
  return "";
}

// One count too many in a layer breaks the law that it belongs to, and the message says which.
TEST(Conservation, EveryLawCanFail) {
  Random random(1);
  // Two gemm layers on a small array, so that weights are folded and columns tiled.
  for (const Dataflow dataflow : test::kDataflows) {
    Network network;
    network.input = {4, 4, 3};
    network.layers.push_back(test::random_gemm(random, network.input, false));
    network.layers.push_back(test::random_gemm(random, network.layers[0].output, true));
    network.layers[0].name = "first";
    network.layers[1].name = "second";
    MemoryShape shape;
    shape.activation_banks = dataflow == Dataflow::ws ? 0 : 2;
    shape.activation_port_bytes = 1;
    const Program program = compile(network, {2, 3, dataflow}, shape, {}, "test");
    Machine machine(program);
    const auto image = random.int8s(network.input.elements());
    machine.reset(image.data());
    ASSERT_TRUE(machine.run(1'000'000));
    ASSERT_EQ(broken(program, machine, [](Counts&, std::int64_t&) {}), "");

    using C = LayerCounters;
    const struct {
      std::int64_t C::*member;
      const char* law;
    } in_a_layer[] = {
        {&C::cycles, "busy + stall + idle = cycles"},
        {&C::feed_cycles, "busy + stall + idle = cycles"},
        {&C::pool_cycles, "busy + stall + idle = cycles"},
        {&C::dram_stall_cycles, "busy + stall + idle = cycles"},
        {&C::bank_stall_cycles, "busy + stall + idle = cycles"},
        {&C::control_cycles, "busy + stall + idle = cycles"},
        {&C::setup_cycles, "busy + stall + idle = cycles"},
        {&C::preload_cycles, "busy + stall + idle = cycles"},
        {&C::fill_cycles, "busy + stall + idle = cycles"},
        {&C::drain_cycles, "busy + stall + idle = cycles"},
        {&C::verify_cycles, "busy + stall + idle = cycles"},
        {&C::settle_cycles, "busy + stall + idle = cycles"},
        {&C::flush_cycles, "busy + stall + idle = cycles"},
        {&C::store_cycles, "busy + stall + idle = cycles"},
        {&C::dma_burst_cycles, "DMA burst + latency + blocked + idle = cycles"},
        {&C::dma_latency_cycles, "DMA burst + latency + blocked + idle = cycles"},
        {&C::dma_blocked_cycles, "DMA burst + latency + blocked + idle = cycles"},
        {&C::dma_idle_cycles, "DMA burst + latency + blocked + idle = cycles"},
        {&C::macs, "MACs = M N K"},
        {&C::activation_writes, "elements written = M N"},
        {&C::accumulator_writes, "elements written = M N"},
        {&C::partial_writes, "partial sums written = M N (folds - 1)"},
        {&C::partial_reads, "partial sums read = written"},
        {&C::dram_read_bytes, "bytes read from DRAM = transfers"},
        {&C::dma_bytes, "bytes sent by DMA = transfers"},
        {&C::activation_dma_bytes, "bytes taken by the scratchpads = transfers"},
        {&C::weight_dma_bytes, "bytes taken by the scratchpads = transfers"},
        {&C::store_beats, "beats to the host = ceil(results / columns)"},
    };
    using M = std::function<void(Counts&, std::int64_t&)>;
    const MemoryShape& memory = program.memory;
    const M more_words = [&](Counts& counts, std::int64_t&) {
      counts[1].activation_words += memory.activation_banks * counts[1].cycles + 1;
    };
    EXPECT_NE(broken(program, machine, more_words).find("second: words read <= banks x cycles"),
              std::string::npos);
    const M fewer_words = [](Counts& counts, std::int64_t&) {
      counts[1].activation_words = counts[1].bank_stall_cycles - 1;
    };
    EXPECT_NE(broken(program, machine, fewer_words).find("second: bank stalls <= words read"),
              std::string::npos);
    for (const auto& each : in_a_layer) {
      for (const int by : {1, -1}) {
        const std::string message = broken(
            program, machine, [&](Counts& counts, std::int64_t&) { counts[1].*each.member += by; });
        EXPECT_NE(message.find(each.law), std::string::npos) << each.law << ": " << message;
        const bool of_run =
            std::string(each.law).find("bytes") == 0 || std::string(each.law).find("beats") == 0;
        EXPECT_NE(message.find(of_run ? "run: " : "layer second: "), std::string::npos) << message;
      }
    }
    // What only the whole run shows.
    EXPECT_NE(broken(program, machine, [](Counts&, std::int64_t& cycles) { ++cycles; })
                  .find("cycles of layers and outside = cycles"),
              std::string::npos);
    EXPECT_NE(broken(program, machine,
                     [](Counts& counts, std::int64_t&) {
                       ++counts[0].activation_dma_bytes;
                       --counts[0].weight_dma_bytes;
                     })
                  .find("bytes taken by the activation scratchpad = image"),
              std::string::npos);
    EXPECT_NE(broken(program, machine, [](Counts& counts, std::int64_t&) { counts.pop_back(); })
                  .find("counts = layers + 1"),
              std::string::npos);
    // The figures stand in the message.
    const std::string message =
        broken(program, machine, [](Counts& counts, std::int64_t&) { ++counts[0].macs; });
    const std::int64_t macs = machine.counters()[0].macs;
    EXPECT_NE(message.find(std::to_string(macs + 1) + " against " + std::to_string(macs)),
              std::string::npos)
        << message;
  }
}

std::int64_t total(const Machine& machine, std::int64_t LayerCounters::*member) {
  std::int64_t n = 0;
  for (const LayerCounters& c : machine.counters()) n += c.*member;
  return n;
}

// Cycles by state, for products of M x K x N, from the table of phases in docs/machine.md.
TEST(Conservation, StatesOfAProductEqualTheClosedForm) {
  for (const Dataflow dataflow : test::kDataflows) {
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
      SCOPED_TRACE(std::string(to_string(dataflow)) + " seed " + std::to_string(seed));
      Random random(900 + seed);
      const ArrayShape array = random_array(random, dataflow);
      const int m = random.between(1, 25);
      const int k = random.between(1, 25);
      const int n = random.between(1, 25);
      const auto a = random.int8s(m * k);
      const Program program =
          compile_gemm(m, k, n, random.int8s(k * n), array, test::random_memory(random, array), {});
      Machine machine(program);
      machine.reset(a.data());
      ASSERT_TRUE(machine.run(1'000'000));
      const LayerCounters& c = machine.counters()[0];
      std::int64_t setup = 0, preload = 0, feed = 0, fill = 0, drain = 0, settle = 0, flush = 0;
      const bool is = dataflow == Dataflow::is;
      const auto partial_rows = static_cast<int>(program.memory.partial_rows);
      const int channels = is ? std::min(n, partial_rows) : array.columns;
      const std::int64_t tiles = test::ceil_div(n, channels);
      for (int column = 0; column < n; column += channels) {
        const int lanes = std::min(channels, n - column);
        if (dataflow == Dataflow::os) {
          setup += std::max(std::min(array.rows, m), lanes);
          flush += 5;
          for (int row = 0; row < m; row += array.rows) {
            const int rows = std::min(array.rows, m - row);
            feed += k;
            fill += rows + lanes - 2;
            drain += rows;
          }
        } else {
          // Parts of a column tile's pixels, or tiles of pixels.
          const std::int64_t parts = test::ceil_div(m, is ? array.columns : partial_rows);
          const std::int64_t folds = test::ceil_div(k, array.rows);
          if (is) setup += std::min(array.columns, m);
          preload += parts * folds * array.rows + (is ? 0 : std::max(0, lanes - array.rows));
          feed += is ? parts * folds * lanes : folds * m;
          settle += parts * (folds - 1) * (array.rows - 1);
          flush += parts * (5 + array.rows + array.columns);
        }
      }
      ASSERT_EQ(c.setup_cycles, setup);
      ASSERT_EQ(c.preload_cycles, preload);
      ASSERT_EQ(c.feed_cycles, feed);
      ASSERT_EQ(c.fill_cycles, fill);
      ASSERT_EQ(c.drain_cycles, drain);
      ASSERT_EQ(c.settle_cycles, settle);
      ASSERT_EQ(c.flush_cycles, flush);
      ASSERT_EQ(c.pool_cycles, 0);
      ASSERT_EQ(c.control_cycles, tiles) << "the one cycle of a wait";
      const LayerCounters& outside = machine.counters()[1];
      ASSERT_EQ(outside.control_cycles, 2) << "one layer loaded, one not found";
      ASSERT_EQ(outside.store_cycles, test::store_cycles(m * n, 4, array, program.memory));
      ASSERT_EQ(outside.busy_cycles() + outside.stall_cycles(), 0);

      // A beat takes a cycle. One request at a time, DMA decides in a cycle and waits for DRAM;
      // with more, part of that passes behind the beats of others.
      std::int64_t beats = 0;
      for (const Transfer& t : program.transfers) {
        beats += test::ceil_div(t.size, program.memory.dram_bytes_per_cycle);
      }
      const auto transfers = static_cast<std::int64_t>(program.transfers.size());
      const std::int64_t uncovered = transfers * (1 + program.memory.dram_latency);
      const std::int64_t latency = total(machine, &LayerCounters::dma_latency_cycles);
      ASSERT_EQ(total(machine, &LayerCounters::dma_burst_cycles), beats);
      if (program.memory.dma_queue == 1) {
        ASSERT_EQ(latency, uncovered);
      } else {
        ASSERT_LE(latency, uncovered);
        ASSERT_GE(latency, 1 + program.memory.dram_latency) << "nothing covers the image's";
      }
    }
  }
}

// A third column tile waits for a bank: DMA has fetched two and idles only when it has all.
TEST(Conservation, DmaIsBlockedUntilABankIsFree) {
  Random random(3);
  MemoryShape memory;
  memory.dram_latency = 4;
  memory.dram_bytes_per_cycle = 64;
  const auto a = random.int8s(6 * 5);
  const auto run = [&](int n) {
    const Program program = compile_gemm(6, 5, n, random.int8s(5 * n), {3, 2}, memory, {});
    Machine machine(program);
    machine.reset(a.data());
    EXPECT_TRUE(machine.run(100'000));
    return total(machine, &LayerCounters::dma_blocked_cycles);
  };
  EXPECT_EQ(run(4), 0) << "two column tiles, two banks";
  // Two requests at a time, 4 cycles of latency, one beat each (30 bytes, and 26 of a tile: 2 lanes
  // x 8 bytes + 5 x 2). The image, asked for in cycle 0, comes in 5; weights 0, asked for in 1,
  // come in 6; weights 1 find room in the queue in 6 and come in 11, so from cycle 12 on weights 2
  // are all that is left, and blocked. Column tile 0 waits until it sees transfer 1 complete in
  // cycle 7, then takes 3 of setup, twice 5 + 2 x 3 + 2 - 2 and 5 of flush, and ends with cycle 7 +
  // 3 + 22 + 5 = 37.
  EXPECT_EQ(run(6), 38 - 12);
}

TEST(CounterTable, NamesEveryMemberOnce) {
  LayerCounters c;
  std::set<std::string> names;
  for (const Counter& each : counters()) {
    EXPECT_TRUE(names.insert(each.name).second) << each.name;
    EXPECT_NE(std::string(each.unit), "");
    EXPECT_NE(std::string(each.description), "");
    EXPECT_EQ(c.*each.member, 0) << each.name << " shares a member with another";
    c.*each.member = 1;
  }
  for (const DerivedCounter& each : derived_counters()) {
    EXPECT_TRUE(names.insert(each.name).second) << each.name;
  }
}

// Sums and ratios against the formulas that stand beside them.
TEST(CounterTable, DerivedValues) {
  LayerCounters c;
  std::int64_t next = 1;
  for (const Counter& each : counters()) c.*each.member = next++;
  const double pes = 12;
  std::map<std::string, double> value;
  for (const DerivedCounter& each : derived_counters()) value[each.name] = each.value(c, pes);
  ASSERT_EQ(value.size(), 10U);
  EXPECT_EQ(value.at("busy_cycles"), 2 + 3);
  EXPECT_EQ(value.at("idle_cycles"), 6 + 7 + 8 + 9 + 10 + 11 + 12 + 13 + 14);
  EXPECT_DOUBLE_EQ(value.at("busy_fraction"), 5.0 / 1);
  EXPECT_EQ(value.at("stall_cycles"), 4 + 5);
  EXPECT_DOUBLE_EQ(value.at("stall_fraction"), 9.0 / 1);
  EXPECT_DOUBLE_EQ(value.at("bank_stall_fraction"), 5.0 / 1);
  EXPECT_DOUBLE_EQ(value.at("utilization"), 15.0 / 12);
  EXPECT_DOUBLE_EQ(value.at("feed_utilization"), 15.0 / (2 * 12));
  EXPECT_DOUBLE_EQ(value.at("dram_bytes_per_cycle"), 30.0 / 1);
  EXPECT_DOUBLE_EQ(value.at("macs_per_dram_byte"), 15.0 / 30);
  for (const DerivedCounter& each : derived_counters()) {
    EXPECT_EQ(each.value({}, pes), 0) << each.name << ": nothing happened, and no division by zero";
  }
}

}  // namespace
}  // namespace sagitta
