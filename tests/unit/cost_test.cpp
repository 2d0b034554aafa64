// Area and energy: hand counts of a 2 x 2 machine, sums, monotonicity, overheads.
#include "cost/cost.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <tuple>

#include "cost/operators.h"
#include "support/costed.h"
#include "support/machine_cases.h"

namespace sagitta {
namespace {

using test::Costed;
using test::energy_item;
using test::gemm;
using test::kMhz;
using test::tech;
using test::with;

Costed two_by_two(const Protection& protection) {
  return Costed(gemm(2, 2, 2, {2, 2}, protection));
}

double area_of_kind(const AreaBill& bill, const std::string& block, CostKind kind) {
  double sum = 0;
  for (const CostItem& i : bill.items) sum += i.block == block && i.kind == kind ? i.area_um2 : 0;
  return sum;
}

double count_of(const AreaBill& bill, const std::string& block, const std::string& unit,
                const std::string& what) {
  for (const CostItem& i : bill.items) {
    if (i.block == block && i.unit == unit && i.what == what) return i.count;
  }
  return 0;
}

// The figures below are those of the file's sources, multiplied out by hand.
constexpr double kFlipFlop = 5.32, kMux = 1.862, kAnd = 1.064, kCompare = 3.192, kEqual = 2.394;
constexpr double kVoter = 2.66, kAdd32 = 137, kMultiply8 = 282;
double add(int bits) {
  return 2.33333 + 4.20833 * bits;
}
double multiply(int a, int b) {
  return kMultiply8 / 64 * a * b;
}

TEST(CostArea, ArrayOfTwoByTwoByHand) {
  const Costed c = two_by_two({});
  // 4 PEs of a, b (8 bits) and acc (32); one skew register on each axis.
  EXPECT_EQ(count_of(c.area, "array", "pe", "flip-flop bit"), 4 * 48);
  EXPECT_EQ(count_of(c.area, "array", "skew_a", "flip-flop bit"), 8);
  EXPECT_EQ(count_of(c.area, "array", "skew_b", "flip-flop bit"), 8);
  const double pe = kMultiply8 + kAdd32 + 32 * kMux + 32 * kAnd;
  EXPECT_NEAR(c.area.block_um2.at("array"), (4 * 48 + 16) * kFlipFlop + 4 * pe, 0.05);
}

TEST(CostArea, ControlOfTwoByTwoByHand) {
  const Costed c = two_by_two({});
  EXPECT_EQ(count_of(c.area, "control", "sequencer", "flip-flop bit"), 668 + 607);
  EXPECT_EQ(count_of(c.area, "control", "row", "flip-flop bit"), 2 * 96);
  // A row: three sums and three comparisons for im2col; from tile to tile three steps, two spans,
  // five wraps, two comparisons and eight selects; 96 enables.
  const double row =
      3 * kAdd32 + 3 * 32 * kCompare + 10 * kAdd32 + 2 * 32 * kCompare + 8 * 32 * kMux;
  EXPECT_NEAR(c.area.unit_um2("control", "row"), 2 * (row + 96 * (kFlipFlop + kMux)), 0.05);
}

TEST(CostArea, MemoryOfTwoByTwoByHand) {
  const Costed c = two_by_two({});
  EXPECT_EQ(count_of(c.area, "memory", "activation", "SRAM bit"), 2 * 1024 * 8);
  EXPECT_EQ(count_of(c.area, "memory", "weight", "SRAM bit"), 2 * 64 * 2 * 8);
  EXPECT_EQ(count_of(c.area, "memory", "parameter", "SRAM bit"), 2 * 4 * 32);
  EXPECT_EQ(count_of(c.area, "memory", "accumulator", "SRAM bit"), 4 * 32);
  EXPECT_EQ(count_of(c.area, "memory", "dma", "flip-flop bit"), 182 + 128);
  // 2 KB in 4 banks, then three memories under 1 KB.
  EXPECT_NEAR(area_of_kind(c.area, "memory", CostKind::sram),
              16384 * 0.379562 + (2048 + 256 + 128) * 0.46224, 0.01);
}

TEST(CostArea, BanksOfTwoByTwoByHand) {
  MemoryShape memory;
  memory.activation_banks = 4;
  memory.activation_port_bytes = 2;
  const Costed ideal = two_by_two({});
  const Costed banked(gemm(2, 2, 2, {2, 2}, {}, memory));
  // Two readers: `pending`, a choice of eight elements, a comparison; a choice of two words a bank.
  EXPECT_NEAR(banked.area.total_um2 - ideal.area.total_um2,
              2 * (kFlipFlop + 7 * 8 * kMux + 32 * kEqual) + 4 * 32 * kMux, 0.05);
  // A third lane has its own.
  const Costed three(gemm(2, 2, 2, {2, 3}, {}));
  const Costed three_banked(gemm(2, 2, 2, {2, 3}, {}, memory));
  EXPECT_NEAR(three_banked.area.total_um2 - three.area.total_um2,
              3 * (kFlipFlop + 7 * 8 * kMux + 32 * kEqual) + 4 * 2 * 32 * kMux, 0.05);
}

// The codes: 13 bits a byte, 39 a word; trees of XORs as their columns have ones.
TEST(CostArea, SecdedOfTwoByTwoByHand) {
  Protection p;
  p.memory_code = MemoryCode::secded;
  const Costed plain = two_by_two({});
  const Costed c = two_by_two(p);
  EXPECT_EQ(count_of(c.area, "memory", "activation", "SRAM bit"), 2 * 1024 * 13);
  EXPECT_EQ(count_of(c.area, "memory", "weight", "SRAM bit"), 2 * 64 * 2 * 13);
  EXPECT_EQ(count_of(c.area, "memory", "parameter", "SRAM bit"), 2 * 4 * (32 + 20));
  EXPECT_EQ(count_of(c.area, "memory", "accumulator", "SRAM bit"), 4 * 39);
  // Check bits are part of their memory, so that the small ones stay as dear a bit as they are.
  EXPECT_NEAR(area_of_kind(c.area, "memory", CostKind::sram),
              26624 * 0.379562 + (3328 + 416 + 156) * 0.46224, 0.02);
  constexpr double kXor = 1.596;
  const double byte_in = (24 - 5) * kXor, word_in = (96 - 7) * kXor;
  const double byte_out = (24 + 8) * kXor + (8 * 4 + 13) * kAnd;
  const double word_out = (96 + 32) * kXor + (32 * 6 + 39) * kAnd;
  // In: 16 bytes of a beat, results of two lanes. Out: two rows and the wide port's two lanes, two
  // weights, eight bytes of a lane's parameters. The buffer of raw results has two lanes of both.
  const double logic = (16 + 2) * byte_in + (2 + 2 + 2 + 8) * byte_out + 2 * (word_in + word_out);
  EXPECT_NEAR(area_of_kind(c.area, "memory", CostKind::logic) -
                  area_of_kind(plain.area, "memory", CostKind::logic),
              logic, 0.05);
  EXPECT_NEAR(area_of_kind(c.area, "memory", CostKind::flip_flop) -
                  area_of_kind(plain.area, "memory", CostKind::flip_flop),
              3 * kFlipFlop, 0.01);
}

TEST(CostArea, VectorUnitOfTwoByTwoByHand) {
  const Costed c = two_by_two({});
  // bias, scale, shift; bias_add, product, output (each with address and valid); pool.
  const int bits = 64 + 48 + 12 + 97 + 145 + 49 + 16;
  EXPECT_NEAR(area_of_kind(c.area, "vector", CostKind::flip_flop), bits * kFlipFlop, 0.01);
  const double lane = kAdd32 + multiply(32, 24) + 6 * 56 * kMux + 56 * kEqual + add(56) +
                      48 * kEqual + 2 * 8 * kCompare + 2 * 8 * kMux + 8 * kCompare + 3 * 8 * kMux +
                      8 * kMux +
                      // Taps: less the zero point, sum or tap, add up, first, whose shift.
                      add(9) + (32 + 24) * kMux + add(56) + 56 * kAnd + 6 * kMux;
  EXPECT_NEAR(area_of_kind(c.area, "vector", CostKind::logic), 2 * lane + (bits - 3) * kMux, 0.05);
}

TEST(CostArea, ChecksumOfTwoByTwoByHand) {
  const Costed c = two_by_two(with(true, false, false));
  // skew, pe.a, pe.b (9 bits), pe.acc, weight.read; bias_sum, expected[0]; one tree level with its
  // expected value and delay stage; the output stage with its flag.
  const int free_running = 8 + 16 + 18 + 64 + 9;
  const int held = 32 + 32 + 32 + 32 + 96 + 97;
  const int bits = free_running + held + 2;  // two valid bits
  EXPECT_EQ(count_of(c.area, "resilience", "checksum", "flip-flop bit"), bits);
  EXPECT_EQ(count_of(c.area, "resilience", "checksum", "flip-flop enable"), held);
  EXPECT_EQ(count_of(c.area, "resilience", "checksum", "SRAM bit"), 2 * 64 * 9);
  const double logic = 2 * multiply(8, 9) + 3 * kAdd32 + 4 * 32 * kMux + 9 * kMux + 9 * kAnd +
                       2 * 32 * kAnd + 32 * kEqual;
  EXPECT_NEAR(c.area.unit_um2("resilience", "checksum"),
              bits * kFlipFlop + held * kMux + 1152 * 0.46224 + logic, 0.05);
}

TEST(CostArea, CheckersOfTwoByTwoByHand) {
  const Costed g = two_by_two(with(false, false, true));
  const int bits = 64 + 4 * 97 + 66 + 2;
  const double lane = add(33) + 2 * 33 * kCompare + 3 * kAnd + 32 * kAnd + kMux;
  EXPECT_NEAR(g.area.unit_um2("resilience", "gradient"),
              bits * kFlipFlop + (bits - 4) * kMux + 2 * lane + 32 * kMux, 0.05);

  const Costed r = two_by_two(with(false, true, false));
  EXPECT_NEAR(r.area.unit_um2("resilience", "range"),
              (64 + 2 * 97) * kFlipFlop + (64 + 2 * 96) * kMux +
                  2 * (2 * 32 * kCompare + 2 * kAnd + 32 * kAnd),
              0.05);
}

TEST(CostArea, CheckersOfOutputsOfTwoByTwoByHand) {
  Protection p = with(false, true, true);
  for (Checker& c : p.checkers) c.position = Position::output;
  p.checkers[1].gate = Gate::row;
  const Costed c = two_by_two(p);
  constexpr int kStage = 2 * 8 + 32 + 1;
  // Each stage of the two has a flag up to the gradient checker's compare, and a valid bit, which
  // needs no enable.
  const int range = 18 + 2 * (kStage + 1), gradient = 18 + 4 * kStage + 3 + 2 * 9 + 2;
  const double product = 2 * kEqual;  // is it a layer with one
  EXPECT_NEAR(c.area.unit_um2("resilience", "range"),
              range * kFlipFlop + (range - 2) * kMux +
                  2 * (2 * 9 * kCompare + 2 * kAnd + 8 * kMux) + product,
              0.05);
  const double lane = add(9) + 2 * 9 * kCompare + 3 * kAnd + 8 * kMux + kMux;
  EXPECT_NEAR(c.area.unit_um2("resilience", "gradient"),
              gradient * kFlipFlop + (gradient - 4) * kMux + 2 * lane + 8 * kMux + product, 0.05);
  constexpr double kXor = 1.596;
  EXPECT_NEAR(c.area.unit_um2("resilience", "output"),
              2 * 2 * 8 * kAnd + 2 * 8 * kXor + 8 * kEqual + product, 0.05)
      << "two XORs over two masked lanes, and the compare";
  const Costed none = two_by_two({});
  EXPECT_NEAR(c.area.unit_um2("vector", "output") - none.area.unit_um2("vector", "output"),
              8 * (kFlipFlop + kMux), 0.05)
      << "the check register";
}

TEST(CostArea, TriplicatedPeIsALittleMoreThanThreeTimes) {
  const Costed none(gemm(4, 4, 4, {4, 4}, {}));
  const Costed tmr(gemm(4, 4, 4, {4, 4}, with(false, false, false, true)));
  const double one = none.area.unit_um2("array", "pe");
  const double three = tmr.area.unit_um2("array", "pe");
  EXPECT_NEAR(three, 3 * one + 16 * 48 * kVoter, 0.05);
  EXPECT_GT(three / one, 3);
  EXPECT_LT(three / one, 3.3);
  // Nothing outside of the PEs grows.
  EXPECT_NEAR(tmr.area.total_um2 - none.area.total_um2, three - one, 1e-6);
}

Protection copies(PeCopies pe, int arrays) {
  Protection p;
  p.pe_copies = pe;
  p.arrays = arrays;
  return p;
}

TEST(CostArea, TriplicatedRegistersHaveOneMac) {
  const Costed none = two_by_two({});
  const Costed registers = two_by_two(copies(PeCopies::registers, 1));
  EXPECT_NEAR(registers.area.total_um2 - none.area.total_um2,
              4 * (2 * 48 * kFlipFlop + 48 * kVoter), 0.05);
  EXPECT_EQ(count_of(registers.area, "array", "pe", "product: 8 x 8 multiplier"), 4);
}

TEST(CostArea, CopiesOfTheArrayByHand) {
  const Costed three = two_by_two(copies(PeCopies::none, 3));
  const double pe = kMultiply8 + kAdd32 + 32 * kMux + 32 * kAnd;
  const double array = (4 * 48 + 16) * kFlipFlop + 4 * pe;
  EXPECT_NEAR(three.area.block_um2.at("array"), 3 * array + 2 * 32 * kVoter, 0.15);
  EXPECT_EQ(count_of(three.area, "array", "skew_a", "flip-flop bit"), 3 * 8);
  EXPECT_EQ(count_of(three.area, "array", "pe", "product: 8 x 8 multiplier"), 3 * 4);
  const Costed none = two_by_two({});
  EXPECT_NEAR(three.area.total_um2 - none.area.total_um2, 2 * array + 2 * 32 * kVoter, 0.15);

  const Costed two = two_by_two(copies(PeCopies::none, 2));
  EXPECT_NEAR(two.area.block_um2.at("array"), 2 * array, 0.1);
  // Two lanes of 32 bits; lane in use, any lane; the status.
  EXPECT_NEAR(two.area.block_um2.at("resilience"), 2 * (32 * kEqual + 2 * kAnd) + kFlipFlop, 0.05);
  // A mixture has both: behind the top row, and below the last one.
  const ArrayShape mixture{3, 4, Dataflow::os, false, {{"gemm1", Dataflow::ws}}};
  test::Random random(8);
  Network network = test::random_network(random, 4);
  while (!compile(network, mixture, {}, {}, "test").array.mixed()) {
    network = test::random_network(random, 4);
  }
  const Costed mixed(compile(network, mixture, {}, copies(PeCopies::none, 3), "test"));
  const Costed alone(compile(network, mixture, {}, {}, "test"));
  EXPECT_NEAR(mixed.area.block_um2.at("array"),
              3 * alone.area.block_um2.at("array") + 2 * 4 * 32 * kVoter, 0.5);
}

TEST(CostArea, AnOverheadIsTheUnitAndWhatItAddsToTheMemories) {
  const Costed none(gemm(16, 16, 16, {16, 16}, {}));
  const Costed gradient(gemm(16, 16, 16, {16, 16}, with(false, false, true)));
  const double unit = gradient.area.unit_um2("resilience", "gradient");
  const double added = gradient.area.total_um2 - none.area.total_um2;
  EXPECT_GT(unit, 0);
  EXPECT_EQ(none.area.unit_um2("resilience", "gradient"), 0);
  // Two more parameter words and beats that no longer fall into place.
  EXPECT_NEAR(added, unit + gradient.area.block_um2.at("memory") - none.area.block_um2.at("memory"),
              1e-6);
  EXPECT_GT(added, unit);
  RecordProperty("gradient_overhead", std::to_string(added / none.area.total_um2));
  RecordProperty("gradient_lane_to_pe",
                 std::to_string(unit / 16 / (none.area.unit_um2("array", "pe") / 256)));
}

TEST(CostArea, GrowsWithTheArrayAndWithEveryProtection) {
  const auto total = [](const ArrayShape& array, const Protection& p) {
    return Costed(gemm(9, 5, 9, array, p)).area.total_um2;
  };
  EXPECT_LT(total({4, 4}, {}), total({5, 4}, {}));
  EXPECT_LT(total({4, 4}, {}), total({4, 5}, {}));
  for (int i = 0; i < 16; ++i) {
    const Protection p = with((i & 1) != 0, (i & 2) != 0, (i & 4) != 0, (i & 8) != 0);
    const double base = total({4, 4}, p);
    for (int bit = 0; bit < 4; ++bit) {
      const int j = i | 1 << bit;
      if (j == i) continue;
      EXPECT_LT(base, total({4, 4}, with((j & 1) != 0, (j & 2) != 0, (j & 4) != 0, (j & 8) != 0)));
    }
  }
  Protection channel = with(false, false, true);
  channel.checkers[0].granularity = Granularity::channel;
  EXPECT_LT(total({4, 4}, with(false, false, true)), total({4, 4}, channel));
}

TEST(Cost, TilesThatRunAgainByHand) {
  Protection p = with(true, false, false);
  for (const Dataflow dataflow : test::kDataflows) {
    SCOPED_TRACE(to_string(dataflow));
    const auto cost = [&](int retries) {
      p.retries = retries;
      return Costed(gemm(2, 2, 2, {2, 2, dataflow}, p));
    };
    const Costed without = cost(0), with_it = cost(3);
    // failed, two bits of tries, uncorrected; and the address to go back to.
    EXPECT_EQ(count_of(with_it.area, "resilience", "recompute", "flip-flop bit"), 4);
    // What is set for good has nothing to hold.
    EXPECT_EQ(count_of(with_it.area, "resilience", "recompute", "flip-flop enable"), 3);
    const bool os = dataflow == Dataflow::os, ws = dataflow == Dataflow::ws;
    const double address = os || ws ? 32 * (kFlipFlop + kMux) : 0;
    const double logic = add(2) + 2 * kCompare + 3 * kAnd +  //
                         (os ? 24 * kCompare + 32 * kMux : 0) + (ws ? 64 * kMux : 0);
    EXPECT_NEAR(with_it.area.total_um2 - without.area.total_um2,
                4 * kFlipFlop + 3 * kMux + address + logic, 0.05);
    EXPECT_GT(with_it.energy.total_pj, without.energy.total_pj);
  }
}

TEST(Cost, SumsEqualTotalsAndEveryRegisterHasARule) {
  for (int seed = 0; seed < 165; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    test::Random random(static_cast<std::uint64_t>(seed));
    const Network network = test::random_network(random);
    const auto& variant =
        test::kVariants[static_cast<std::size_t>(seed) % std::size(test::kVariants)];
    const int rows = random.between(1, 9);
    const ArrayShape array =
        variant.shape(rows, random.between(1, 9), static_cast<std::uint64_t>(seed));
    Protection p = with(random.chance(50), random.chance(50), random.chance(50), random.chance(30));
    test::random_copies(random, p);
    for (Checker& checker : p.checkers) {
      if (random.chance(50)) checker.granularity = Granularity::channel;
    }
    if (random.chance(40)) p.checkers.emplace_back(CheckerKind::median, Gate::layer);
    if (!(array.overlap && array.has(Dataflow::os))) {
      if (p.checksum) p.retries = seed % 3;
      if (seed % 5 == 0) p.passes = 3;
    }
    for (Checker& checker : p.checkers) {
      if (checker.kind != CheckerKind::gradient || random.chance(30)) continue;
      constexpr Suppress kAll[] = {Suppress::zero, Suppress::clamp, Suppress::mean, Suppress::hold};
      checker.suppress = kAll[random.between(0, 3)];
      checker.spike = random.chance(50);
      if (!array.has(Dataflow::is) && p.retries == 0 && random.chance(50)) {
        checker.axis = random.chance(50) ? Axis::line : Axis::map;
      }
    }
    test::random_columns(random, array, p);
    test::random_cells(random, p);
    if (p.passes == 1 && !p.column_checksum && p.maps() == 0) {
      p.memory_code = static_cast<MemoryCode>(seed % 3);
    }
    if (random.chance(40)) {
      const auto first =
          static_cast<std::size_t>(random.between(0, static_cast<int>(p.checkers.size())));
      for (std::size_t i = first; i < p.checkers.size(); ++i) {
        p.checkers[i].position = Position::output;
        if (random.chance(50)) p.checkers[i].gate = Gate::row;
      }
    }
    if (seed % 2 == 0) test::random_neurons(random, network, array, p);
    const Costed c(compile(network, array, {}, p, "test"));

    double total = 0;
    std::map<std::string, double> blocks;
    double flip_flops = 0;
    double sram = 0;
    for (const CostItem& i : c.area.items) {
      ASSERT_GT(i.area_um2, 0) << i.block << " " << i.unit << " " << i.what;
      total += i.area_um2;
      blocks[i.block] += i.area_um2;
      if (i.kind == CostKind::flip_flop) flip_flops += i.count;
      if (i.kind == CostKind::sram) sram += i.count;
    }
    EXPECT_NEAR(total, c.area.total_um2, 1e-6 * total);
    for (const auto& [block, um2] : blocks)
      EXPECT_NEAR(um2, c.area.block_um2.at(block), 1e-6 * um2);
    double bits = 0;
    for (const RegisterClass& r : c.machine.layout().classes())
      bits += static_cast<double>(r.bits());
    EXPECT_EQ(flip_flops + sram, bits);

    total = 0;
    for (const EnergyItem& i : c.energy.items) {
      ASSERT_TRUE(std::isfinite(i.pj));
      ASSERT_GE(i.pj, 0) << i.block << "." << i.unit << " " << i.what;
      ASSERT_EQ(i.what.find("no rule"), std::string::npos) << i.block << "." << i.unit;
      total += i.pj;
    }
    EXPECT_NEAR(total, c.energy.total_pj, 1e-6 * total);
    total = 0;
    for (const auto& [block, pj] : c.energy.block_pj) total += pj;
    EXPECT_NEAR(total, c.energy.total_pj, 1e-6 * total);
    EXPECT_EQ(c.energy.block_pj.contains("resilience"),
              p.checksum || !p.checkers.empty() || p.arrays == 2 || p.passes > 1);
  }
}

TEST(CostEnergy, TwoByTwoByHand) {
  const Costed c = two_by_two({});
  const EnergyBill& e = c.energy;
  const auto pj = [&](const char* block, const char* unit, const char* what) {
    return energy_item(e, block, unit, what).pj;
  };
  // 2 x 2 x 2 products, 4 activations in, 2 rows of 2 weights, 2 rows of 2 sums out.
  EXPECT_NEAR(pj("array", "pe", "product: 8 x 8 multiplier"), 8 * 0.2, 1e-6);
  EXPECT_NEAR(pj("array", "pe", "accumulate: 32-bit adder"), 8 * 0.1, 1e-6);
  EXPECT_NEAR(pj("vector", "lane", "bias: 32-bit adder"), 4 * 0.1, 1e-6);
  const double cycles = static_cast<double>(c.machine.cycle());
  EXPECT_NEAR(pj("array", "pe", "flip-flop clock"), 192 * cycles * 0.00536997, 1e-6);
  // a: 2 rows x 2 cycles pass 2 columns; b likewise; acc: 8 products and 3 sums a column that move
  // up while 2 rows drain (2 in the first cycle, 1 in the second).
  EXPECT_NEAR(pj("array", "pe", "flip-flop toggle"),
              0.5 * (8 * 8 + 8 * 8 + 32 * (8 + 3 * 2)) * 0.0079095, 1e-6);
  EXPECT_NEAR(pj("memory", "weight", "SRAM bit read"), 2 * 16 * 0.0425 * std::sqrt(256.0 / 384),
              1e-6);
  EXPECT_NEAR(pj("memory", "activation", "SRAM bit read"),
              4 * 8 * 0.50625 * std::sqrt(2048.0 / 131072), 1e-6);
  EXPECT_NEAR(pj("memory", "accumulator", "SRAM bit written"),
              4 * 32 * 0.09875 * std::sqrt(16.0 / 384), 1e-6);
  // 4 bytes of image, 16 of parameters and 4 of weights in; 4 sums out.
  EXPECT_NEAR(pj("dram", "dram", "bit read"), (4 + 16 + 4) * 8 * 8, 1e-6);
  EXPECT_NEAR(pj("dram", "dram", "bit written"), 4 * 32 * 8, 1e-6);
  const double microseconds = cycles / kMhz;
  EXPECT_NEAR(pj("leakage", "array", "flip-flop bit"), 208 * 79.112308 * microseconds * 1e-3, 1e-6);
  EXPECT_NEAR(pj("leakage", "memory", "SRAM bit"),
              (16384 + 2048 + 256 + 128) * 71.0261 * microseconds * 1e-3, 1e-6);
}

TEST(CostEnergy, ProtectionIsChargedWhatItDoes) {
  const Costed none = two_by_two({});
  const Costed checksum = two_by_two(with(true, false, false));
  const Costed gradient = two_by_two(with(false, false, true));
  const Costed tmr = two_by_two(with(false, false, false, true));
  // Column: 4 products of 8 x 9 bits. Tree: one addition a row of sums.
  EXPECT_NEAR(
      energy_item(checksum.energy, "resilience", "checksum", "product: 8 x 9 multiplier").pj,
      4 * 72 * 0.003125, 1e-6);
  EXPECT_NEAR(energy_item(checksum.energy, "resilience", "checksum", "row sum: 32-bit adder").pj,
              2 * 0.1, 1e-6);
  // Two bytes more for each of two weight rows, four for the sum of the biases.
  EXPECT_NEAR(checksum.energy.block_pj.at("dram") - none.energy.block_pj.at("dram"), 8 * 8 * 8,
              1e-6);
  EXPECT_EQ(
      energy_item(gradient.energy, "resilience", "gradient", "bounds: 33-bit comparator").count, 8);
  EXPECT_EQ(energy_item(tmr.energy, "array", "pe", "product: 8 x 8 multiplier").count, 24);
  EXPECT_GT(energy_item(tmr.energy, "array", "pe", "vote acc: 32-bit voter").pj, 0);
  const Costed registers = two_by_two(copies(PeCopies::registers, 1));
  EXPECT_EQ(energy_item(registers.energy, "array", "pe", "product: 8 x 8 multiplier").count, 8);
  EXPECT_EQ(energy_item(registers.energy, "array", "pe", "vote acc: 32-bit voter").count, 8);
  // 2 rows of 2 sums leave each array.
  const Costed three = two_by_two(copies(PeCopies::none, 3));
  EXPECT_EQ(energy_item(three.energy, "array", "pe", "product: 8 x 8 multiplier").count, 24);
  EXPECT_EQ(
      energy_item(three.energy, "array", "voter", "vote the row at the top: 32-bit voter").count,
      4);
  EXPECT_NEAR(energy_item(three.energy, "array", "skew_a", "flip-flop toggle").pj,
              3 * energy_item(none.energy, "array", "skew_a", "flip-flop toggle").pj, 1e-6);
  const Costed two = two_by_two(copies(PeCopies::none, 2));
  EXPECT_EQ(energy_item(two.energy, "resilience", "comparator",
                        "compare the row at the top: 32-bit equality comparator")
                .count,
            4);
  for (const Costed* c : {&checksum, &gradient, &tmr, &registers, &three, &two}) {
    EXPECT_GT(c->energy.total_pj, none.energy.total_pj);
  }
}

// Check bits travel with their word: 13 bits where there were 8, in a memory that is as much
// larger.
TEST(CostEnergy, CheckBitsAreReadAndWrittenWithTheirWords) {
  const Costed plain = two_by_two({});
  Protection p;
  for (const auto& [code, byte, word] :
       {std::tuple{MemoryCode::parity, 1, 1}, {MemoryCode::secded, 5, 7}}) {
    p.memory_code = code;
    const Costed c = two_by_two(p);
    for (const char* what : {"SRAM bit read", "SRAM bit written"}) {
      for (const auto& [unit, check, data] : {std::tuple{"activation", byte, 8},
                                              {"weight", byte, 8},
                                              {"parameter", byte, 8},
                                              {"accumulator", word, 32}}) {
        const EnergyItem before = test::energy_item(plain.energy, "memory", unit, what);
        const EnergyItem after = test::energy_item(c.energy, "memory", unit, what);
        EXPECT_NEAR(after.count, before.count * (data + check) / data, 1e-6 * after.count) << unit;
        EXPECT_GT(after.pj, before.pj) << unit;
      }
    }
    const auto decode =
        test::energy_item(c.energy, "memory", "weight",
                          code == MemoryCode::parity ? "weight, syndrome: 8 XOR gates"
                                                     : "weight, syndrome: 24 XOR gates");
    EXPECT_GT(decode.pj, 0);
    EXPECT_GT(c.area.total_um2, plain.area.total_um2);
  }
}

TEST(CostEnergy, GrowsWithEveryCounterAndWithTime) {
  const Costed c(gemm(5, 7, 5, {4, 4}, with(true, true, true)));
  const auto& classes = c.machine.layout().classes();
  const auto energy = [&](const std::vector<LayerCounters>& counters, std::int64_t cycles,
                          double mhz) {
    return energy_of(c.program, classes, counters, cycles, mhz, c.area, tech()).total_pj;
  };
  const auto counters = c.machine.counters();
  const double base = energy(counters, c.machine.cycle(), kMhz);
  EXPECT_DOUBLE_EQ(base, c.energy.total_pj);
  EXPECT_GT(energy(counters, c.machine.cycle() + 1, kMhz), base);
  EXPECT_GT(energy(counters, c.machine.cycle(), kMhz / 2), base) << "more leakage";
  for (const auto counter :
       {&LayerCounters::macs, &LayerCounters::vectors, &LayerCounters::pool_taps,
        &LayerCounters::activation_writes, &LayerCounters::dma_bytes}) {
    auto more = counters;
    ++(more.front().*counter);
    EXPECT_GT(energy(more, c.machine.cycle(), kMhz), base);
  }
  // Reads come with products: one row more in a feed cycle of four lanes.
  auto more = counters;
  more.front().activation_reads += 1;
  more.front().macs += 4;
  EXPECT_GT(energy(more, c.machine.cycle(), kMhz), base);
  // Twice as much of everything, in no more time, is twice the energy without clock and leakage.
  auto twice = counters;
  for (LayerCounters& l : twice) {
    for (const auto counter :
         {&LayerCounters::cycles, &LayerCounters::dram_stall_cycles, &LayerCounters::feed_cycles,
          &LayerCounters::macs, &LayerCounters::activation_reads, &LayerCounters::weight_row_reads,
          &LayerCounters::vectors, &LayerCounters::pool_taps, &LayerCounters::activation_writes,
          &LayerCounters::dma_bytes}) {
      l.*counter *= 2;
    }
  }
  EXPECT_NEAR(energy(twice, 0, kMhz), 2 * energy(counters, 0, kMhz), 1e-6 * base);
  // An idle machine leaks and is clocked, and nothing else.
  const std::vector<LayerCounters> idle(counters.size());
  const EnergyBill still = energy_of(c.program, classes, idle, 100, kMhz, c.area, tech());
  for (const EnergyItem& i : still.items) {
    EXPECT_TRUE(i.block == "leakage" || i.what == "flip-flop clock") << i.what;
  }
  EXPECT_THROW(energy({}, 1, kMhz), std::invalid_argument);
  EXPECT_THROW(energy(counters, 1, 0), std::invalid_argument);
}

TEST(CostOperators, SramEnergyFollowsWidthAndCapacity) {
  const OperatorLibrary lib(tech());
  EXPECT_NEAR(lib.sram_read_bit_pj(64, 131072), 32.4 / 64, 1e-4);
  EXPECT_NEAR(lib.sram_read_bit_pj(256, 65536), 51.9 / 256, 1e-4);
  EXPECT_NEAR(lib.sram_write_bit_pj(256, 65536), 66.3 / 256, 1e-4);
  EXPECT_NEAR(lib.sram_read_bit_pj(16, 384), 0.68 / 16, 1e-4);
  EXPECT_NEAR(lib.sram_read_bit_pj(64, 4 * 131072), 2 * 32.4 / 64, 1e-3);
  EXPECT_DOUBLE_EQ(lib.sram_read_bit_pj(8, 8192), lib.sram_read_bit_pj(64, 8192));
  const double half_way = lib.sram_read_bit_pj(128, 8192);
  EXPECT_NEAR(half_way, (lib.sram_read_bit_pj(64, 8192) + lib.sram_read_bit_pj(256, 8192)) / 2,
              1e-12);
  EXPECT_DOUBLE_EQ(lib.sram_bit_um2(65536, 16), tech().at("area.sram_bit"));
  EXPECT_DOUBLE_EQ(lib.sram_bit_um2(65536, 17), tech().at("area.sram_bit_many_banks"));
  EXPECT_DOUBLE_EQ(lib.sram_bit_um2(1023, 32), tech().at("area.sram_bit_small"));
}

}  // namespace
}  // namespace sagitta
