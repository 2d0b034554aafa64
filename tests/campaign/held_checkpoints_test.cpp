// Checkpoints of held state in shared blocks are what whole copies would be, whatever is known of
// the machine between two of them.
#include "campaign/held_checkpoints.h"

#include <gtest/gtest.h>

#include "support/random_network.h"

namespace sagitta {
namespace {

using Bytes = std::vector<std::byte>;

std::vector<std::size_t> places_that_differ(const Bytes& a, const Bytes& b) {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i]) places.push_back(i);
  }
  return places;
}

TEST(HeldCheckpoints, AreWholeCopies) {
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{511}, std::size_t{512}, std::size_t{513}, std::size_t{5000}}) {
    SCOPED_TRACE(size);
    test::Random random(size);
    const auto scribble = [&](Bytes& bytes, int most) {
      for (int n = random.between(0, most); n > 0; --n) {
        bytes[static_cast<std::size_t>(random.between(0, static_cast<int>(size) - 1))] =
            static_cast<std::byte>(random.between(0, 255));
      }
    };
    HeldCheckpoints checkpoints;
    for (int run = 0; run < 3; ++run) {  // of another image, in the same place
      checkpoints.begin(size);
      std::vector<Bytes> copies;
      Bytes machine(size);
      for (int i = 0; i < 20; ++i) {
        scribble(machine, 8);
        checkpoints.add(machine.data());
        copies.push_back(machine);
      }
      for (int trial = 0; trial < 2000; ++trial) {
        const auto at = static_cast<std::size_t>(random.between(0, 19));
        checkpoints.restore(machine.data(), at);
        ASSERT_EQ(machine, copies[at]);
        checkpoints.forget();
        scribble(machine, random.chance(20) ? 40 : 3);
        const auto like = static_cast<std::size_t>(random.between(0, 19));
        std::vector<std::size_t> places;
        checkpoints.differences(machine.data(), like, places);
        ASSERT_EQ(places, places_that_differ(machine, copies[like]));
        if (random.chance(70)) checkpoints.know(like, places);
        if (!places.empty()) {
          ASSERT_EQ(checkpoints.at(like, places[0]), copies[like][places[0]]);
        }
      }
    }
  }
}

}  // namespace
}  // namespace sagitta
