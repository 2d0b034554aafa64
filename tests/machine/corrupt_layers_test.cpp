// Corrupt control of adding layers, by hand: banks and operations that do not exist, and a product
// register that overflows.
#include <gtest/gtest.h>

#include "support/gemm_case.h"

namespace sagitta {
namespace {

using test::FaultyRuns;

// A copy of the image is added to the image, in steps of 1 without zero points. The image lies in
// bank 0, the copy in bank 1, and the sum in bank 2, since the image lives until then.
class CorruptAdd : public testing::Test {
 protected:
  CorruptAdd() : program_(program()), runs_(program_, image_) {
    Machine machine(program_);
    machine.reset(image_.data());
    while (machine.layer() != 1 || machine.phase() != Phase::pool) machine.step();
    first_tap_ = machine.cycle();
  }
  static Program program() {
    Network network;
    network.input = {1, 1, 2};
    Layer copy;
    copy.name = "copy";
    copy.kind = LayerKind::max_pool;
    copy.input = copy.output = network.input;
    Layer add = copy;
    add.name = "add";
    add.kind = LayerKind::add;
    add.sources = {0, -1};
    add.tap_scale = to_tap_scale(1, 1, "test");
    network.layers = {copy, add};
    MemoryShape memory;
    memory.activation_bytes = 4;
    return compile(network, {2, 2}, memory, {}, "test");
  }
  std::vector<std::int8_t> struck(const std::vector<std::string>& sites, int later = 0) {
    std::vector<Fault> faults;
    for (const std::string& site : sites) faults.push_back({runs_.site(site), first_tap_ + later});
    EXPECT_TRUE(runs_.run(faults));
    return runs_.machine().logits();
  }

  const std::vector<std::int8_t> image_ = {5, -3};
  Program program_;
  FaultyRuns runs_;
  std::int64_t first_tap_ = 0;
};

using Values = std::vector<std::int8_t>;

TEST_F(CorruptAdd, ThreeBanksAreNumberedByTwoBits) {
  EXPECT_EQ(program_.activation_maps, 3);
  EXPECT_EQ(program_.layers[1].input_map, 1);
  EXPECT_EQ(program_.layers[1].second_map, 0);
  EXPECT_EQ(program_.layers[1].output_map, 2);
  EXPECT_EQ(runs_.clean().logits, (Values{10, -6}));
}

TEST_F(CorruptAdd, AFlippedBankReadsAnotherMap) {
  // Bank 2 is still as reset left it: zeros.
  EXPECT_EQ(struck({"control.sequencer.config.second_map:1"}), (Values{5, -3}));
  EXPECT_EQ(
      struck({"control.sequencer.config.second_map:1", "memory.activation.map[2].element[0]:5"}),
      (Values{5 + 32, -3}));
}

TEST_F(CorruptAdd, ABankThatDoesNotExistReadsAsZeroAndTakesNothing) {
  EXPECT_EQ(struck({"control.sequencer.config.input_map:1"}), (Values{5, -3}));
  EXPECT_EQ(struck({"control.sequencer.config.output_map:0"}), (Values{0, 0}))
      << "the host reads from where the layer has not written";
}

TEST_F(CorruptAdd, AnOperationThatDoesNotExistWritesNothing) {
  EXPECT_EQ(struck({"control.sequencer.config.operation:0"}), (Values{0, 0}));
}

// Two cycles after its issue the first tap's product, 5 x 2^23, stands in the register. With bits
// 24 and 26 to 54 set it holds 2^55 - 2^23; the second tap leads over the top of 56 bits.
TEST_F(CorruptAdd, TheProductWrapsAt56Bits) {
  std::vector<std::string> sites = {"vector.requantise.product[0]:24"};
  for (int bit = 26; bit < 55; ++bit) {
    sites.push_back("vector.requantise.product[0]:" + std::to_string(bit));
  }
  EXPECT_EQ(struck(sites, 2), (Values{-128, -6}));
  sites.pop_back();  // a quarter of that: no overflow
  EXPECT_EQ(struck(sites, 2), (Values{127, -6}));
}

}  // namespace
}  // namespace sagitta
