// Copies of the whole array: three of them outvote what one does, two tell that one is wrong. What
// an array without copies does under a flip is the reference for what two equal wrong ones do.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/gemm_case.h"

namespace sagitta {
namespace {

using test::FaultyRuns;
using test::Random;

using Row = std::vector<std::int32_t>;

// A small network on one variant of the array, unprotected and with copies.
struct Case {
  Network network;
  std::vector<std::int8_t> image;
  ArrayShape array;
  MemoryShape memory;

  Case(const test::ArrayVariant& variant, std::uint64_t seed) {
    Random random(seed);
    constexpr int kLayers = 4;
    do {  // of each dataflow at least a layer
      network = test::random_network(random, kLayers);
      array = variant.shape(3, 2, random.bits() % 1000);
      image = random.int8s(network.input.elements());
      memory.dram_latency = 2;
      memory.dram_bytes_per_cycle = 64;
      if (array.folds()) memory.partial_rows = 5;
    } while (lacks_a_dataflow(variant) || too_long());
  }
  Program program(int arrays, PeCopies pe = PeCopies::none, int retries = 0) const {
    Protection p;
    p.arrays = arrays;
    p.pe_copies = pe;
    p.retries = retries;
    return compile(network, array, memory, p, "test");
  }

 private:
  bool lacks_a_dataflow(const test::ArrayVariant& v) const {
    const Program p = program(1);
    return p.array.has(Dataflow::ws) != (v.dataflow == Dataflow::ws || v.mixed_ws) ||
           p.array.has(Dataflow::is) != (v.dataflow == Dataflow::is || v.mixed_is) ||
           !p.array.has(v.dataflow);
  }
  bool too_long() const {
    const Program p = program(1);
    Machine machine(p);
    machine.reset(image.data());
    return !machine.run(800);
  }
};

// Waits for DRAM that a run again has left no time for.
std::int64_t stalls_saved(const FaultyRuns& runs) {
  const auto stalls = [](const std::vector<LayerCounters>& counters) {
    std::int64_t n = 0;
    for (const LayerCounters& c : counters) n += c.dram_stall_cycles;
    return n;
  };
  return stalls(runs.clean().counters) - stalls(runs.machine().counters());
}

// The path of copy `copy` of a register of the array.
std::string in_copy(const std::string& path, int copy) {
  return array_block(copy) + path.substr(path.find('.'));
}

// The sums in lanes in use that leave an array without copies, cycle by cycle.
struct Leaving {
  int layer;
  Row sums;  // none: no row leaves
};
std::vector<Leaving> rows_that_leave(Machine& machine) {
  std::vector<Leaving> rows;
  while (!machine.done()) {
    const SequencerState& s = machine.control();
    const bool os = machine.sequencer().dataflow(s) == Dataflow::os;
    const bool leaves =
        os ? s.drain2 != 0 : (machine.sequencer().tag(machine.state().now()) & kTagValid) != 0;
    const std::int32_t* sums = os ? machine.array().top(machine.state().now())
                                  : machine.array().aligned(machine.state().now());
    rows.push_back(
        {machine.layer(), leaves ? Row(sums, sums + machine.sequencer().lanes(s)) : Row{}});
    machine.step();
  }
  return rows;
}

// An unprotected machine under one flip.
class Reference {
 public:
  Reference(const Program& program, const Case& c) : machine_(program), sites_(machine_.layout()) {
    machine_.reset(c.image.data());
    machine_.record_tiles(true);
    clean_rows_ = rows_that_leave(machine_);
    tiles_ = machine_.tiles();
    machine_.record_tiles(false);
    clean_cycles_ = machine_.cycle();
    machine_.reset(c.image.data());
    while (!machine_.done()) {
      machine_.save(snapshots_.emplace_back());
      machine_.step();
    }
    clean_ = machine_.logits();
  }
  const SiteMap& sites() const { return sites_; }
  std::int64_t cycles() const { return clean_cycles_; }
  const std::vector<TileRecord>& tiles() const { return tiles_; }
  const std::vector<std::int8_t>& clean() const { return clean_; }

  void run(const std::string& site, std::int64_t cycle) {
    machine_.restore(snapshots_[static_cast<std::size_t>(cycle)]);
    const Site s = sites_.parse(site, "", "");
    flip_bit(machine_.state(), sites_.classes()[static_cast<std::size_t>(s.register_class)],
             s.element, s.bit);
    machine_.touch();
    const std::vector<Leaving> rows = rows_that_leave(machine_);
    differing_rows = 0;
    int layer = -1;  // the first one with a difference; the next ones have other inputs
    for (std::size_t i = 0; i < rows.size() && (layer < 0 || rows[i].layer == layer); ++i) {
      if (rows[i].sums == clean_rows_[static_cast<std::size_t>(cycle) + i].sums) continue;
      layer = rows[i].layer;
      ++differing_rows;
    }
  }
  const std::vector<std::int8_t>& logits() const { return machine_.logits(); }
  int differing_rows = 0;

 private:
  Machine machine_;
  SiteMap sites_;
  std::vector<Leaving> clean_rows_;
  std::int64_t clean_cycles_ = 0;
  std::vector<TileRecord> tiles_;
  std::vector<Machine::Snapshot> snapshots_;
  std::vector<std::int8_t> clean_;
};

// Every bit of the array in the middle of a tile, and random ones in random cycles, most of them
// while there are tiles in the array.
std::vector<std::pair<std::string, std::int64_t>> strikes(const Reference& reference,
                                                          std::uint64_t seed) {
  const SiteSelection all = reference.sites().select("array.**", "", "");
  Random random(seed);
  const auto below = [&random](std::int64_t n) {
    return static_cast<std::int64_t>(random.bits() % static_cast<std::uint64_t>(n));
  };
  std::vector<std::pair<std::string, std::int64_t>> list;
  const auto of_a_tile = [&] {
    const auto tile =
        static_cast<std::size_t>(below(static_cast<std::int64_t>(reference.tiles().size())));
    return reference.tiles()[tile];
  };
  const TileRecord one = of_a_tile();
  const std::int64_t middle = (one.start_cycle + one.end_cycle) / 2;
  for (std::int64_t i = 0; i < all.bits(); ++i) {
    list.emplace_back(reference.sites().path(all.at(i)), middle);
  }
  for (int i = 0; i < 400; ++i) {
    const TileRecord t = of_a_tile();
    const std::int64_t inside = t.start_cycle + below(t.end_cycle - t.start_cycle + 1);
    list.emplace_back(reference.sites().path(all.at(below(all.bits()))),
                      i % 8 == 0 ? below(reference.cycles()) : inside);
  }
  return list;
}

class ArrayCopies : public testing::TestWithParam<test::ArrayVariant> {
 protected:
  Case case_{GetParam(), 77};
};

INSTANTIATE_TEST_SUITE_P(Dataflows, ArrayCopies, testing::ValuesIn(test::kVariants),
                         [](const auto& variant) { return variant.param.name(); });

TEST_P(ArrayCopies, EachHasTheRegistersOfTheArray) {
  const Program one = case_.program(1, PeCopies::registers);
  const Program three = case_.program(3, PeCopies::registers);
  const Machine unprotected(one);
  const Machine machine(three);
  std::map<std::string, const RegisterClass*> by_path;
  for (const RegisterClass& c : machine.layout().classes()) by_path[c.path] = &c;
  std::size_t of_array = 0;
  for (const RegisterClass& c : unprotected.layout().classes()) {
    ASSERT_TRUE(by_path.contains(c.path)) << c.path;
    if (!c.path.starts_with("array.")) continue;
    ++of_array;
    for (const int copy : {1, 2}) {
      const auto found = by_path.find(in_copy(c.path, copy));
      ASSERT_NE(found, by_path.end()) << in_copy(c.path, copy);
      EXPECT_EQ(found->second->extents, c.extents);
      EXPECT_EQ(found->second->width, c.width);
      EXPECT_NE(found->second->offset, by_path.at(c.path)->offset);
    }
  }
  EXPECT_GT(of_array, 5U);
  EXPECT_EQ(machine.layout().classes().size(),
            unprotected.layout().classes().size() + 2 * of_array);
}

// Every register of the unprotected machine, in every cycle.
TEST_P(ArrayCopies, ChangeNothingWithoutFaults) {
  const Program one = case_.program(1);
  Machine unprotected(one);
  for (const int arrays : {2, 3}) {
    const Program program = case_.program(arrays);
    Machine machine(program);
    const SiteMap sites(machine.layout());
    unprotected.reset(case_.image.data());
    machine.reset(case_.image.data());
    while (!unprotected.done()) {
      for (const RegisterClass& c : unprotected.layout().classes()) {
        for (int copy = 0; copy < (c.path.starts_with("array.") ? arrays : 1); ++copy) {
          const std::string path = copy == 0 ? c.path : in_copy(c.path, copy);
          const auto& classes = machine.layout().classes();
          const auto same = std::find_if(classes.begin(), classes.end(),
                                         [&](const RegisterClass& r) { return r.path == path; });
          ASSERT_NE(same, classes.end());
          for (std::int64_t e = 0; e < c.elements(); ++e) {
            ASSERT_EQ(read_register(machine.state(), *same, e),
                      read_register(unprotected.state(), c, e))
                << path << " in cycle " << machine.cycle();
          }
        }
      }
      unprotected.step();
      machine.step();
    }
    EXPECT_EQ(test::difference(unprotected, machine), "");
    EXPECT_FALSE(machine.uncorrected());
  }
}

// The same bit in two of three arrays does what it does in one that is alone; in one, nothing.
TEST_P(ArrayCopies, TwoOfThreeDecide) {
  const Program one = case_.program(1);
  const Program three = case_.program(3);
  Reference reference(one, case_);
  FaultyRuns voted(three, case_.image);
  int corrupts = 0;
  int struck = 0;
  for (const auto& [path, cycle] : strikes(reference, 1)) {
    const int copy = ++struck % 3;
    const auto fault = [&](int in) { return Fault{voted.site(in_copy(path, in)), cycle}; };
    ASSERT_TRUE(voted.run({fault(copy)}));
    ASSERT_FALSE(voted.visible()) << in_copy(path, copy) << "@" << cycle;
    reference.run(path, cycle);
    ASSERT_TRUE(voted.run({fault(copy), fault((copy + 1) % 3)}));
    ASSERT_EQ(voted.machine().logits(), reference.logits()) << path << "@" << cycle;
    corrupts += reference.logits() != reference.clean() ? 1 : 0;
    ASSERT_FALSE(voted.machine().uncorrected());
  }
  EXPECT_GT(corrupts, 2);
}

// Bit by bit: other bits of a sum may be wrong in each copy.
TEST(ArrayVoter, TakesTheMajorityOfEachBit) {
  const ArrayShape shape{2, 5, Dataflow::os, false, {{"one", Dataflow::ws}}};
  ArrayVoter voter(shape);
  Random random(4);
  for (int i = 0; i < 200; ++i) {
    Row sums[2][3];
    for (auto& rows : sums) {
      for (Row& row : rows) {
        for (int c = 0; c < shape.columns; ++c) {
          row.push_back(static_cast<std::int32_t>(random.bits()));
        }
      }
    }
    const auto of = [&](int copy) {
      return ArrayOutput{sums[0][copy].data(), sums[1][copy].data()};
    };
    const ArrayOutput voted = voter.vote(of(0), of(1), of(2));
    for (int c = 0; c < shape.columns; ++c) {
      for (int bit = 0; bit < 32; ++bit) {
        for (const int which : {0, 1}) {
          int ones = 0;
          for (const Row& row : sums[which]) ones += row[static_cast<std::size_t>(c)] >> bit & 1;
          const std::int32_t* row = which == 0 ? voted.top : voted.aligned;
          ASSERT_EQ(row[c] >> bit & 1, ones >= 2 ? 1 : 0);
        }
      }
    }
  }
}

// Each row that leaves with another sum is told, and none else; the first copy's go on. What is
// wrong alike in both is not.
TEST_P(ArrayCopies, TwoTellEveryRowThatDiffers) {
  const Program one = case_.program(1);
  const Program two = case_.program(2);
  Reference reference(one, case_);
  FaultyRuns compared(two, case_.image);
  int told = 0;
  int silent = 0;
  int struck = 0;
  for (const auto& [path, cycle] : strikes(reference, 2)) {
    const int copy = ++struck % 2;
    reference.run(path, cycle);
    ASSERT_TRUE(compared.run({{compared.site(in_copy(path, copy)), cycle}}));
    ASSERT_EQ(compared.machine().mismatches(), reference.differing_rows)
        << in_copy(path, copy) << "@" << cycle;
    ASSERT_EQ(compared.machine().uncorrected(), reference.differing_rows > 0);
    ASSERT_EQ(compared.machine().logits(), copy == 0 ? reference.logits() : reference.clean());
    ++(reference.differing_rows > 0 ? told : silent);
    ASSERT_TRUE(compared.run(
        {{compared.site(in_copy(path, 0)), cycle}, {compared.site(in_copy(path, 1)), cycle}}));
    ASSERT_EQ(compared.machine().mismatches(), 0);
    ASSERT_EQ(compared.machine().logits(), reference.logits());
  }
  EXPECT_GT(told, 100);
  EXPECT_GT(silent, 20);
}

// A tile in which they differ runs again, and is right then.
TEST_P(ArrayCopies, ATileInWhichTwoDifferRunsAgain) {
  if (GetParam().overlap && GetParam().dataflow == Dataflow::os) {
    EXPECT_THROW(case_.program(2, PeCopies::none, 1), InputError);
    return;
  }
  const Program again = case_.program(2, PeCopies::none, 1);
  FaultyRuns runs(again, case_.image);
  const SiteSelection all = runs.sites().select("array**", "", "");
  Random random(9);
  const auto counted = [&](auto member) {
    std::int64_t n = 0;
    for (const LayerCounters& c : runs.machine().counters()) n += c.*member;
    return n;
  };
  int repaired = 0;
  for (int i = 0; i < 600; ++i) {
    const auto below = [&random](std::size_t n) { return random.bits() % n; };
    const TileRecord& t = runs.tiles()[below(runs.tiles().size())];
    const auto cycles = static_cast<std::size_t>(t.end_cycle - t.start_cycle + 1);
    const Fault fault{
        all.at(static_cast<std::int64_t>(below(static_cast<std::size_t>(all.bits())))),
        t.start_cycle + static_cast<std::int64_t>(below(cycles))};
    ASSERT_TRUE(runs.run({fault}));
    ASSERT_EQ(runs.machine().logits(), runs.clean().logits) << runs.sites().path(fault.site);
    ASSERT_FALSE(runs.machine().uncorrected());
    const std::int64_t tiles = counted(&LayerCounters::recomputed_tiles);
    ASSERT_EQ(tiles, runs.machine().mismatches() > 0 ? 1 : 0);
    ASSERT_EQ(runs.machine().cycle(),
              runs.cycles() + counted(&LayerCounters::recompute_cycles) - stalls_saved(runs));
    repaired += static_cast<int>(tiles);
  }
  EXPECT_GT(repaired, 50);
}

// A copy that is wrong in every try.
TEST_P(ArrayCopies, ATileThatDiffersInEveryTryIsTold) {
  if (GetParam().overlap && GetParam().dataflow == Dataflow::os) return;
  const Program again = case_.program(2, PeCopies::none, 2);
  FaultyRuns runs(again, case_.image);
  std::vector<Fault> stuck;
  const Site site = runs.site("array_2.pe[0][0].acc:4");
  for (std::int64_t cycle = 0; cycle < 2 * runs.cycles(); ++cycle) stuck.push_back({site, cycle});
  ASSERT_TRUE(runs.run(stuck, 5 * runs.cycles()));
  EXPECT_TRUE(runs.machine().uncorrected());
  EXPECT_EQ(runs.machine().logits(), runs.clean().logits) << "the first one's go on";
}

// It stays set until reset, and is a register like any other.
TEST_P(ArrayCopies, TheStatusIsASite) {
  const Program two = case_.program(2);
  FaultyRuns compared(two, case_.image);
  const Site status = compared.site("resilience.comparator.uncorrected:0");
  for (std::int64_t cycle = 0; cycle < compared.cycles(); cycle += 7) {
    ASSERT_TRUE(compared.run({{status, cycle}}));
    EXPECT_TRUE(compared.machine().uncorrected());
    EXPECT_EQ(compared.machine().logits(), compared.clean().logits);
    EXPECT_EQ(compared.machine().mismatches(), 0);
    ASSERT_TRUE(compared.run({{status, cycle}, {status, compared.cycles() - 1}}));
    EXPECT_FALSE(compared.machine().uncorrected()) << "struck once more";
  }
}

// One MAC or three: what the registers do is the same, under any flips.
TEST_P(ArrayCopies, TriplicatedRegistersDoWhatTriplicatedPesDo) {
  const Program registers = case_.program(1, PeCopies::registers);
  const Program all = case_.program(1, PeCopies::all);
  Machine x(registers);
  Machine y(all);
  const SiteMap sites(x.layout());
  ASSERT_EQ(sites.total_bits(), SiteMap(y.layout()).total_bits());
  x.reset(case_.image.data());
  y.reset(case_.image.data());
  const SiteSelection pes = sites.select("array.pe**", "", "");
  Random random(3);
  while (!x.done()) {
    if (random.chance(20)) {
      for (int i = 0; i < 30; ++i) {
        const Site s = pes.at(
            static_cast<std::int64_t>(random.bits() % static_cast<std::uint64_t>(pes.bits())));
        const auto& c = sites.classes()[static_cast<std::size_t>(s.register_class)];
        for (Machine* m : {&x, &y}) {
          flip_bit(m->state(), c, s.element, s.bit);
          m->touch();
        }
      }
    }
    x.step();
    y.step();
    ASSERT_TRUE(test::same_state(x, y)) << "cycle " << x.cycle();
  }
  EXPECT_EQ(test::difference(x, y), "");
}

}  // namespace
}  // namespace sagitta
