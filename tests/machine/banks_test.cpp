// Banks of the activation scratchpad: an access takes as many cycles as its busiest bank has words
// to deliver, values stay what they are, and a corrupt `pending` does what docs/machine.md says.
#include <string_view>

#include <gtest/gtest.h>

#include "support/gemm_case.h"

namespace sagitta {
namespace {

using test::FaultyRuns;
using test::Random;

MemoryShape with_banks(int banks, int port_bytes) {
  MemoryShape memory;
  memory.activation_banks = banks;
  memory.activation_port_bytes = port_bytes;
  memory.dram_latency = 0;
  memory.dram_bytes_per_cycle = 1024;
  return memory;
}

// What happened, less the waiting for banks, and for DMA, which may have more time to hide in; and
// without DMA, which may bring a layer's weights in this layer or in the one before.
LayerCounters without_waiting(LayerCounters c) {
  c.cycles -= c.stall_cycles();
  c.dram_stall_cycles = c.bank_stall_cycles = c.activation_words = 0;
  for (const Counter& counter : counters()) {
    if (std::string_view(counter.group) == "dma") c.*counter.member = 0;
  }
  return c;
}

// One bank of single bytes is the slowest memory there is; then any other one. All that banks cost
// is counted as stalls, with overlap too: busy and idle cycles, each by its reason, stay.
TEST(Banks, ChangeNoValueAndNoCountButStalls) {
  for (const test::ArrayVariant& variant : test::kVariants) {
    int slower = 0;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
      SCOPED_TRACE(variant.name() + " seed " + std::to_string(seed));
      Random random(80'000 + seed);
      const int rows = random.between(1, 9);
      test::MachineCase c = test::random_case(random, variant.shape(rows, random.between(1, 9)));
      MemoryShape& memory = c.program.memory;
      memory.activation_banks = 0;
      Machine ideal(c.program);
      ideal.reset(c.image.data());
      ASSERT_TRUE(ideal.run(10'000'000));
      memory.activation_banks = seed % 2 == 0 ? 1 : 1 << random.between(0, 4);
      memory.activation_port_bytes = seed % 2 == 0 ? 1 : 1 << random.between(0, 3);
      Machine banked(c.program);
      banked.reset(c.image.data());
      ASSERT_TRUE(banked.run(10'000'000));
      ASSERT_EQ(banked.logits(), ideal.logits());
      ASSERT_EQ(banked.raw_output(), ideal.raw_output());
      ASSERT_EQ(banked.mismatches(), ideal.mismatches());
      ASSERT_EQ(banked.suppressions().size(), ideal.suppressions().size());
      ASSERT_GE(banked.cycle(), ideal.cycle());
      slower += banked.cycle() > ideal.cycle() ? 1 : 0;
      for (std::size_t i = 0; i < ideal.counters().size(); ++i) {
        ASSERT_EQ(ideal.counters()[i].activation_words, 0);
        ASSERT_TRUE(test::same_counters(without_waiting(banked.counters()[i]),
                                        without_waiting(ideal.counters()[i])))
            << "layer " << i;
      }
    }
    EXPECT_GT(slower, 40) << variant.name();
  }
}

std::int64_t feed_cycles(const Program& program) {  // with the waiting
  Machine machine(program);
  const std::vector<std::int8_t> a(static_cast<std::size_t>(program.input.elements()), 1);
  machine.reset(a.data());
  EXPECT_TRUE(machine.run(100'000));
  const LayerCounters& c = machine.counters()[0];
  EXPECT_EQ(c.feed_cycles, program.layers[0].depth);
  return c.feed_cycles + c.bank_stall_cycles;
}

// 4 rows read 4 pixels of K channels each, so that in cycle k they ask for elements k, K + k, 2 K +
// k and 3 K + k.
TEST(Banks, AnAccessTakesAsLongAsItsBusiestBank) {
  Random random(1);
  const auto cycles = [&](int k, int banks, int port_bytes) {
    return feed_cycles(
        compile_gemm(4, k, 2, random.int8s(k * 2), {4, 2}, with_banks(banks, port_bytes), {}));
  };
  EXPECT_EQ(cycles(8, 1, 1), 8 * 4) << "one bank, four words";
  EXPECT_EQ(cycles(8, 2, 1), 8 * 4) << "the stride is a multiple of the banks: all in one";
  EXPECT_EQ(cycles(7, 2, 1), 7 * 2) << "two even, two odd";
  EXPECT_EQ(cycles(7, 4, 1), 7) << "every row a bank of its own";
  EXPECT_EQ(cycles(8, 4, 8), 8) << "a word is a pixel, pixel r in bank r";
  EXPECT_EQ(cycles(8, 2, 8), 8 * 2);
  EXPECT_EQ(cycles(8, 1, 16), 8 * 2) << "two rows share a word and are served at once";
  EXPECT_EQ(cycles(8, 1, 32), 8) << "all four do";
  EXPECT_EQ(cycles(8, 0, 0), 8) << "a port a row";
  // Words of 2: pixels of 3 channels begin in words 0, 1 (and a half), 3, 4 (and a half). k = 0
  // asks for elements 0, 3, 6, 9: words 0, 1, 3, 4; k = 1 for 1, 4, 7, 10: words 0, 2, 3, 5; k = 2
  // for 2, 5, 8, 11: words 1, 2, 4, 5. Of two banks each has two of them.
  EXPECT_EQ(cycles(3, 2, 2), 3 * 2);
  // Of four: words 0, 4 in bank 0; then none twice; then words 1, 5 in bank 1.
  EXPECT_EQ(cycles(3, 4, 2), 2 + 1 + 2);
}

// A tap of a pooling layer asks for neighbouring channels, a beat to the host for neighbouring
// results.
TEST(Banks, NeighboursTakeAWordAfterTheOther) {
  Network network;
  network.input = {2, 2, 6};
  Layer pool;
  pool.name = "pool";
  pool.kind = LayerKind::max_pool;
  pool.input = network.input;
  pool.window.kernel_h = pool.window.kernel_w = 2;
  pool.window.pad_bottom = 1;
  pool.output = {2, 1, 6};
  network.layers.push_back(pool);
  const auto stalls = [&](int banks, int port_bytes) {
    const Program program = compile(network, {2, 8}, with_banks(banks, port_bytes), {}, "test");
    Machine machine(program);
    const std::vector<std::int8_t> image(24, 1);
    machine.reset(image.data());
    EXPECT_TRUE(machine.run(100'000));
    EXPECT_EQ(machine.counters()[0].pool_cycles, 2 * 4);
    return std::pair(machine.counters()[0].bank_stall_cycles,
                     machine.counters()[1].bank_stall_cycles);
  };
  // Pixel 0 has taps at elements 0, 6, 12, 18, pixel 1 at 12, 18 and two in the padding, which take
  // a cycle each. 12 results go to the host in beats of 8 and 4.
  EXPECT_EQ(stalls(1, 1), std::pair(6L * 5, 7L + 3)) << "a cycle a byte";
  EXPECT_EQ(stalls(2, 1), std::pair(6L * 2, 3L + 1));
  EXPECT_EQ(stalls(8, 1), std::pair(0L, 0L));
  // Words of 4: 6 elements from 0 on lie in words 0, 1, from 6 on in 1, 2, from 12 on in 3, 4, from
  // 18 on in 4, 5; results 0 to 7 in two words, 8 to 11 in one.
  EXPECT_EQ(stalls(1, 4), std::pair(6L, 1L));
  EXPECT_EQ(stalls(2, 4), std::pair(0L, 0L));
  EXPECT_EQ(stalls(1, 8), std::pair(6L / 2, 0L)) << "words 0; 0 and 1; 1 and 2; 2";
}

// 2 x 3 times 3 x 2 with a scale of 1, on 2 x 2 and one bank of bytes: each product's operands come
// in two cycles, row 0 first.
class CorruptPending : public testing::Test {
 protected:
  static Program two_rows(int columns) {
    Network network;
    network.input = {1, 2, 3};
    Layer layer;
    layer.name = "gemm";
    layer.input = network.input;
    layer.output = {1, 2, 2};
    layer.weights = {1, -2, 3, 4, -5, 6};
    layer.bias = {5, -7};
    layer.scale.assign(2, to_fixed_scale(1.0F, "test"));
    network.layers.push_back(layer);
    return compile(network, {2, columns}, with_banks(1, 1), {}, "test");
  }
  using Values = std::vector<std::int8_t>;
  const Values image_ = {1, 2, 3, 4, 5, 6};
  // 1 + 6 - 15 + 5, -2 + 8 + 18 - 7; 4 + 15 - 30 + 5, -8 + 20 + 36 - 7.
  const Values clean_ = {-3, 17, -6, 41};

  struct Result {
    Values logits;
    std::int64_t later;  // cycles more than without the fault
  };
  // Strikes in cycle `cycle` of the feed.
  Result struck(const std::vector<std::string>& sites, int cycle, int columns = 2) {
    const Program program = two_rows(columns);
    Machine machine(program);
    machine.reset(image_.data());
    while (machine.phase() != Phase::feed) machine.step();
    FaultyRuns runs(program, image_);
    EXPECT_EQ(runs.clean().logits, clean_);
    std::vector<Fault> faults;
    for (const std::string& site : sites) {
      faults.push_back({runs.site("memory.activation.pending" + site), machine.cycle() + cycle});
    }
    EXPECT_TRUE(runs.run(faults));
    return {runs.machine().logits(), runs.machine().cycle() - runs.cycles()};
  }
};

TEST_F(CorruptPending, WhoIsTakenForServedKeepsWhatItsRegisterHad) {
  // Cycle 0 is taken for a second one in which only row 0 waits; row 1's register holds zero.
  const Result first = struck({"[0]:0"}, 0);
  EXPECT_EQ(first.logits, (Values{clean_[0], clean_[1], -6 - 4 * 1, 41 - 4 * -2}));
  EXPECT_EQ(first.later, -1);
  // Cycle 2, the next product's first: row 0 keeps its first operand, 1 in place of 2.
  const Result second = struck({"[1]:0"}, 2);
  EXPECT_EQ(second.logits, (Values{-3 - 3, 17 - 4, clean_[2], clean_[3]}));
  EXPECT_EQ(second.later, -1);
}

TEST_F(CorruptPending, WhoIsTakenForWaitingIsServedOnceMore) {
  for (const std::vector<std::string>& sites :
       {std::vector<std::string>{"[0]:0"}, std::vector<std::string>{"[1]:0"}}) {
    // In cycle 1 row 1 waits. With row 0 too both are served once more; with neither, the access
    // begins anew.
    const Result r = struck(sites, 1);
    EXPECT_EQ(r.logits, clean_);
    EXPECT_EQ(r.later, 1);
  }
}

TEST_F(CorruptPending, WhoDoesNotReadDoesNotWait) {
  // Only lane 2 of the wide port is left to be served, which reads nothing: both rows keep zero.
  const Result r = struck({"[2]:0"}, 0, 3);
  EXPECT_EQ(r.logits, (Values{-3 - 1, 17 + 2, -6 - 4, 41 + 8}));
  EXPECT_EQ(r.later, -1);
  // Nobody reads in the cycle before the feed.
  const Result before = struck({"[0]:0"}, -1);
  EXPECT_EQ(before.logits, clean_);
  EXPECT_EQ(before.later, 0);
}

}  // namespace
}  // namespace sagitta
