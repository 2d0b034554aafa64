// Delivery of flips and stuck bits to registers that nothing else writes, or that are written in
// every cycle; and the text form of faults.
#include "fault/injector.h"

#include <bit>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"

namespace sagitta {
namespace {

// Two registers of 8 bits: `kept` holds its value, `written` becomes zero at each clock edge.
class Delivery : public testing::Test {
 protected:
  Delivery() {
    layout_.pipe<std::uint8_t>("block.kept[]", {4}, 8);
    layout_.pipe<std::int8_t>("block.written[]", {4}, 6);
    state_ = std::make_unique<MachineState>(layout_);
    sites_ = std::make_unique<SiteMap>(layout_);
    state_->reset();
  }
  Fault fault(const std::string& text) const { return parse_fault(*sites_, text, "f", "$"); }
  static Site kept(int bit) { return {0, 1, bit}; }
  std::int64_t value(int register_class = 0) {
    return read_register(*state_, layout_.classes()[static_cast<std::size_t>(register_class)], 1);
  }
  // Runs so many cycles; returns in which of them strike() was called and changed the state.
  std::vector<std::int64_t> run(Injector& injector, std::int64_t cycles) {
    std::vector<std::int64_t> changed;
    for (std::int64_t cycle = 0; cycle < cycles; ++cycle) {
      while ((value(1) & 63) != 0) {  // the edge
        flip_bit(*state_, layout_.classes()[1], 1,
                 std::countr_zero(static_cast<unsigned>(value(1))));
      }
      if (injector.next_cycle() == cycle && injector.strike(*state_, cycle)) {
        changed.push_back(cycle);
      }
    }
    return changed;
  }
  std::vector<FaultRecord> records_of(const std::vector<Fault>& faults, std::int64_t cycles = 20) {
    Injector injector(*sites_, faults);
    run(injector, cycles);
    return injector.records();
  }

  RegisterLayout layout_;
  std::unique_ptr<MachineState> state_;
  std::unique_ptr<SiteMap> sites_;
};

using Cycles = std::vector<std::int64_t>;

TEST_F(Delivery, AStuckBitIsForcedInEachCycleOfItsInterval) {
  Injector injector(*sites_, {fault("block.written[1]:2=1@3..6")});
  EXPECT_EQ(injector.next_cycle(), 3);
  EXPECT_FALSE(injector.settled());
  EXPECT_EQ(run(injector, 20), (Cycles{3, 4, 5, 6}));
  EXPECT_EQ(injector.next_cycle(), -1);
  EXPECT_TRUE(injector.settled());
  const FaultRecord& r = injector.records()[0];
  EXPECT_TRUE(r.fired);
  EXPECT_EQ(r.before, 0);
  EXPECT_EQ(r.after, 4);
  EXPECT_EQ(r.cycle, 3);
  EXPECT_EQ(r.last, 6);
}

TEST_F(Delivery, OneThatIsNotWrittenIsForcedOnce) {
  Injector injector(*sites_, {fault("block.kept[1]:7=1@3")});
  EXPECT_EQ(run(injector, 20), (Cycles{3}));
  EXPECT_EQ(value(), 128);
  EXPECT_EQ(injector.next_cycle(), 20) << "to the end";
  EXPECT_TRUE(injector.settled());
}

TEST_F(Delivery, TheFirstChangeCountsWheneverItIs) {
  flip_bit(*state_, layout_.classes()[0], 1, 5);  // 32
  Injector injector(*sites_, {fault("block.kept[1]:5=1@2"), fault("block.kept[1]:5@9"),
                              fault("block.kept[1]:0@4")});
  EXPECT_EQ(run(injector, 20), (Cycles{4, 9, 10}));
  const auto& r = injector.records();
  EXPECT_TRUE(r[0].fired) << "the flip in cycle 9 was undone in cycle 10";
  EXPECT_EQ(r[0].before, 1);
  EXPECT_EQ(r[0].after, 33);
  EXPECT_EQ(r[1].before, 33);
  EXPECT_EQ(r[1].after, 1);
}

TEST_F(Delivery, ABitThatHasItsValueAnywayDoesNotFire) {
  flip_bit(*state_, layout_.classes()[0], 1, 5);
  const auto r = records_of({fault("block.kept[1]:4=0@2"), fault("block.kept[1]:5=1@2..8")});
  for (const FaultRecord& record : r) {
    EXPECT_FALSE(record.fired);
    EXPECT_EQ(record.before, 32);
    EXPECT_EQ(record.after, 32);
  }
}

TEST_F(Delivery, FaultsOfACycleActInTheOrderGiven) {
  const Fault zero = fault("block.kept[1]:3=0@5..5");
  const Fault one = fault("block.kept[1]:3=1@5..5");
  const Fault flip = fault("block.kept[1]:3@5");
  const auto left_by = [&](const std::vector<Fault>& faults) {
    state_->reset();
    records_of(faults);
    return value();
  };
  EXPECT_EQ(left_by({zero, one}), 8);
  EXPECT_EQ(left_by({one, zero}), 0);
  EXPECT_EQ(left_by({one, flip}), 0);
  EXPECT_EQ(left_by({flip, one}), 8);
  EXPECT_EQ(left_by({flip, flip}), 0);
  // The one that lasts comes first or second whenever it began.
  const Fault since = fault("block.kept[1]:3=1@2..5");
  EXPECT_EQ(left_by({since, zero}), 0);
  EXPECT_EQ(left_by({zero, since}), 8);
}

TEST_F(Delivery, EndsAreWaitedFor) {
  Injector injector(*sites_, {fault("block.kept[1]:3=1@1"), fault("block.kept[1]:2=1@4..6")});
  Cycles settled;
  for (std::int64_t cycle = 0; cycle < 9; ++cycle) {
    if (injector.next_cycle() == cycle) injector.strike(*state_, cycle);
    if (injector.settled()) settled.push_back(cycle);
  }
  EXPECT_EQ(settled, (Cycles{6, 7, 8}));
}

TEST_F(Delivery, AHardenedCellResists) {
  Fault f = fault("block.written[1]:2=1@3");
  f.resisted = true;
  Injector injector(*sites_, {f});
  EXPECT_TRUE(run(injector, 20).empty());
  EXPECT_EQ(injector.next_cycle(), -1);
  EXPECT_TRUE(injector.settled());
  EXPECT_FALSE(injector.records()[0].fired);
}

TEST_F(Delivery, TellsWhatIsAboutToChange) {
  const std::vector<Fault> faults = {fault("block.kept[1]:3=1@1..2"), fault("block.kept[1]:2=0@1"),
                                     fault("block.kept[1]:0@1")};
  Injector injector(*sites_, faults);
  std::vector<int> bits;
  const auto note = [&](const Site& site) {
    EXPECT_EQ(value(), 0) << "nothing has changed yet";
    bits.push_back(site.bit);
  };
  injector.strike(*state_, 1, note);
  EXPECT_EQ(bits, (std::vector<int>{3, 0}));
  bits.clear();
  injector.strike(*state_, 2, note);
  EXPECT_TRUE(bits.empty());
}

TEST_F(Delivery, TextGoesBothWays) {
  for (const std::string text : {"block.kept[1]:3@5", "block.kept[0]:7=0@0", "block.kept[2]:0=1@9",
                                 "block.written[3]:5=1@7..7", "block.written[3]:5=0@7..12"}) {
    EXPECT_EQ(fault_text(*sites_, fault(text)), text);
  }
  EXPECT_EQ(fault("block.kept[1]:3=0@5").last, kToTheEnd);
}

TEST_F(Delivery, WrongTextIsRefused) {
  const auto refused = [&](const std::string& text, const std::string& part) {
    try {
      fault(text);
      FAIL() << text;
    } catch (const InputError& e) {
      EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
    }
  };
  refused("block.kept[1]:3", "is not SITE@CYCLE");
  refused("block.kept[1]:3@-1", "is not SITE@CYCLE");
  refused("block.kept[1]:3@5..9", "is a flip, which happens in one cycle");
  refused("block.kept[1]:3=2@5", "has a bit stuck at '2'");
  refused("block.kept[1]:3=@5", "has a bit stuck at ''");
  refused("block.kept[1]:3=0", "is not SITE=0@FIRST");
  refused("block.kept[1]:3=0@x", "is not SITE=0@FIRST");
  refused("block.kept[1]:3=0@5..", "is not SITE=0@FIRST or SITE=0@FIRST..LAST");
  refused("block.kept[1]:3=0@..7", "is not SITE=0@FIRST");
  refused("block.kept[1]:3=0@5..7..9", "is not SITE=0@FIRST");
  refused("block.kept[1]:3=1@5..4", "ends before it begins");
  refused("block.kept[9]:3=1@5..8", "index 9 is outside 0..3");
}

}  // namespace
}  // namespace sagitta
