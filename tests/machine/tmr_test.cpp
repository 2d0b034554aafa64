// Triplicated PEs: no single flip is ever seen, whatever it strikes and when; the same bit struck
// in two copies is.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "network/reference.h"
#include "support/gemm_case.h"

namespace sagitta {
namespace {

using test::FaultyRuns;
using test::GemmCase;

Protection tmr() {
  Protection p;
  p.name = "tmr-pe";
  p.pe_copies = PeCopies::all;
  return p;
}

class Tmr : public testing::Test {
 protected:
  test::Random random_{5};
  GemmCase gemm_{random_, 5, 3, 4, {3, 2}, tmr()};
  FaultyRuns runs_{gemm_.program, gemm_.a};
};

TEST_F(Tmr, EveryCopyOfEveryRegisterIsASite) {
  EXPECT_EQ(runs_.sites().select("array.pe**", "", "").bits(), 3 * 2 * (8 + 8 + 32) * 3);
}

// One cycle after the flip all copies agree again, and the whole machine is as if nothing happened.
TEST_F(Tmr, EverySingleFlipInEveryCycleIsOutvoted) {
  const SiteSelection copies = runs_.sites().select("array.pe**", "", "");
  Machine clean(gemm_.program);
  Machine struck(gemm_.program);
  clean.reset(gemm_.a.data());
  Machine::Snapshot before;
  while (!clean.done()) {
    clean.save(before);
    clean.step();
    for (std::int64_t i = 0; i < copies.bits(); ++i) {
      const Site s = copies.at(i);
      struck.reset(gemm_.a.data());
      struck.restore(before);
      const RegisterClass& c = runs_.sites().classes()[static_cast<std::size_t>(s.register_class)];
      flip_bit(struck.state(), c, s.element, s.bit);
      struck.touch();
      struck.step();
      ASSERT_TRUE(test::same_state(struck, clean)) << runs_.sites().path(s) << "@" << before.cycle;
    }
  }
  EXPECT_EQ(clean.raw_output(), gemm_.product());
}

TEST_F(Tmr, ASingleFlipNeverReachesAResult) {
  const SiteSelection copies = runs_.sites().select("array.pe**:*", "", "");
  for (std::int64_t cycle = 0; cycle < runs_.cycles(); ++cycle) {
    for (std::int64_t i = cycle % 7; i < copies.bits(); i += 7) {
      ASSERT_TRUE(runs_.run({{copies.at(i), cycle}}));
      ASSERT_FALSE(runs_.visible()) << runs_.sites().path(copies.at(i)) << "@" << cycle;
    }
  }
}

TEST_F(Tmr, TheSameBitInTwoCopiesCorrupts) {
  const std::int64_t cycle = runs_.tiles()[0].start_cycle;
  for (const auto& [one, other] : {std::pair{0, 1}, std::pair{1, 2}, std::pair{0, 2}}) {
    for (const char* name : {"a", "b", "acc"}) {
      const auto path = [&](int copy) {
        return runs_.site(fmt::format("array.pe[0][0].{}.copy[{}]:3", name, copy));
      };
      ASSERT_TRUE(runs_.run({{path(one), cycle}, {path(other), cycle}}));
      EXPECT_TRUE(runs_.visible()) << name << " copies " << one << " and " << other;
    }
  }
}

TEST_F(Tmr, DifferentBitsInTwoCopiesAreOutvoted) {
  for (std::int64_t cycle = 0; cycle < runs_.cycles(); ++cycle) {
    ASSERT_TRUE(runs_.run({{runs_.site("array.pe[0][0].acc.copy[0]:3"), cycle},
                           {runs_.site("array.pe[0][0].acc.copy[1]:4"), cycle},
                           {runs_.site("array.pe[0][0].a.copy[2]:0"), cycle}}));
    EXPECT_FALSE(runs_.visible()) << cycle;
  }
}

// Nothing outside of the PE is covered.
TEST_F(Tmr, SkewRegistersAreNotCovered) {
  ASSERT_TRUE(runs_.run({{runs_.site("array.skew_a[1][0]:6"), runs_.tiles()[0].start_cycle}}));
  EXPECT_TRUE(runs_.visible());
}

}  // namespace
}  // namespace sagitta
