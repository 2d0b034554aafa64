// What is in use, where idle_flips_test cannot tell: it sees that idle flips do nothing, not that
// those in use are called so.
#include "campaign/activity.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/machine_cases.h"

namespace sagitta {
namespace {

using test::Random;

// Check bits stand and fall with their word, of whichever byte of it.
TEST(Activity, CheckBitsOfAWordAreInUseWhenItIs) {
  int in_use = 0;
  int idle = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const Network network = test::random_network(random, 4);
    const auto image = random.int8s(network.input.elements());
    Protection p;
    p.checksum = true;
    p.memory_code = MemoryCode::parity;
    const Program program =
        compile(network, {random.between(1, 4), random.between(2, 5)}, {}, p, "test");
    Machine machine(program);
    const SiteMap sites(machine.layout());
    const Activity activity(sites, program);
    machine.reset(image.data());
    while (!machine.done()) {
      const int bank = random.between(0, 1);
      const int row = random.between(0, 11);
      const auto at = [&](const std::string& what) {
        return activity.in_use(
            machine, sites.parse(fmt::format("resilience.checksum.weight.bank[{}].row[{}]{}:0",
                                             bank, row, what),
                                 "", ""));
      };
      if (row < program.memory.weight_rows) {
        const bool word = at("");
        ASSERT_EQ(at(".byte_check[0]"), word) << machine.cycle();
        ASSERT_EQ(at(".byte_check[1]"), word) << machine.cycle();
        ++(word ? in_use : idle);
      }
      machine.step();
    }
  }
  EXPECT_GT(in_use, 500);
  EXPECT_GT(idle, 500);
}

}  // namespace
}  // namespace sagitta
