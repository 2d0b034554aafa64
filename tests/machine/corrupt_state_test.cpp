// Corrupt control, by hand: what docs/machine.md promises under "What faults do to control", and
// what a flip does to a signed register.
#include <gtest/gtest.h>

#include <cstring>

#include "support/gemm_case.h"

namespace sagitta {
namespace {

using test::FaultyRuns;
using test::Random;

// The first cycle of a fault-free run in which `phase` is at work.
std::int64_t first_cycle(const Program& program, const std::vector<std::int8_t>& image,
                         Phase phase) {
  Machine machine(program);
  machine.reset(image.data());
  while (!machine.done() && machine.phase() != phase) machine.step();
  EXPECT_EQ(machine.phase(), phase);
  return machine.cycle();
}

std::vector<std::int8_t> run_struck(const Program& program, const std::vector<std::int8_t>& image,
                                    const std::vector<std::string>& sites, std::int64_t cycle,
                                    bool ends = true) {
  FaultyRuns runs(program, image);
  std::vector<Fault> faults;
  for (const std::string& site : sites) faults.push_back({runs.site(site), cycle});
  EXPECT_EQ(runs.run(faults), ends);
  return runs.machine().logits();
}

// 2 x 3 times 3 x 2 with a scale of 1, so that a logit is its clamped sum.
Network two_rows() {
  Network network;
  network.input = {1, 2, 3};
  Layer layer;
  layer.name = "gemm";
  layer.input = network.input;
  layer.output = {1, 2, 2};
  layer.weights = {1, -2, 3, 4, -5, 6};
  layer.bias = {5, -7};
  layer.scale.assign(2, to_fixed_scale(1.0F, "test"));
  layer.input_zero_point = 3;
  network.layers.push_back(layer);
  return network;
}
const std::vector<std::int8_t> kTwoRows = {1, 2, 3, 4, 5, 6};
// 1 + 6 - 15 + 5, -2 + 8 + 18 - 7; 4 + 15 - 30 + 5, -8 + 20 + 36 - 7.
const std::vector<std::int8_t> kTwoRowsLogits = {-3, 17, -6, 41};

MemoryShape small_memory() {
  MemoryShape memory;
  memory.activation_bytes = 8;
  memory.weight_rows = 4;
  memory.dram_latency = 0;
  memory.dram_bytes_per_cycle = 8;
  return memory;
}

TEST(CorruptState, TheUpperBoundWinsWhereTheLowerOneIsAboveIt) {
  Network network = two_rows();
  network.layers[0].output_min = -60;  // 1100 0100; without the sign bit 0100 0100, which is 68
  network.layers[0].output_max = 30;
  const Program program = compile(network, {2, 2}, small_memory(), {}, "test");
  EXPECT_EQ(run_struck(program, kTwoRows, {"control.sequencer.config.pixel_step:31"}, 0),
            (std::vector<std::int8_t>{-3, 17, -6, 30}))
      << "the descriptor is loaded after this strike";
  const std::int64_t setup = first_cycle(program, kTwoRows, Phase::setup);
  EXPECT_EQ(run_struck(program, kTwoRows, {"control.sequencer.config.output_min:7"}, setup),
            (std::vector<std::int8_t>(4, 30)));
}

// Bit 31 leads out of everything, bit 3 from map 0 into map 1, whose bytes are made 4 first.
TEST(CorruptState, ARowAddressBeyondTheMemoryReadsAsZero) {
  const Program program = compile(two_rows(), {2, 2}, small_memory(), {}, "test");
  const std::int64_t feed = first_cycle(program, kTwoRows, Phase::feed);
  for (const char* bit : {"3", "31"}) {
    SCOPED_TRACE(bit);
    std::vector<std::string> sites = {std::string("control.row[1].address:") + bit};
    for (int element = 0; element < 8; ++element) {
      sites.push_back("memory.activation.map[1].element[" + std::to_string(element) + "]:2");
    }
    // Row 1 reads three zeros, not three of what padding holds: its biases are left.
    EXPECT_EQ(run_struck(program, kTwoRows, sites, feed),
              (std::vector<std::int8_t>{kTwoRowsLogits[0], kTwoRowsLogits[1], 5, -7}));
  }
}

TEST(CorruptState, APoolAddressBeyondTheMemoryReadsAsZero) {
  Network network;
  network.input = {2, 2, 2};
  Layer pool;
  pool.name = "pool";
  pool.kind = LayerKind::max_pool;
  pool.input = network.input;
  pool.window.kernel_h = pool.window.kernel_w = 2;
  pool.output = {1, 1, 2};
  network.layers.push_back(pool);
  const std::vector<std::int8_t> image = {-8, -7, -6, -5, -4, -3, -2, -1};
  const Program program = compile(network, {2, 2}, small_memory(), {}, "test");
  const std::int64_t cycle = first_cycle(program, image, Phase::pool);
  for (const char* bit : {"3", "31"}) {
    SCOPED_TRACE(bit);
    std::vector<std::string> sites = {std::string("control.sequencer.walk_address:") + bit};
    for (int element = 0; element < 8; ++element) {
      sites.push_back("memory.activation.map[1].element[" + std::to_string(element) + "]:2");
    }
    EXPECT_EQ(run_struck(program, image, sites, cycle), (std::vector<std::int8_t>{0, 0}));
  }
  EXPECT_EQ(run_struck(program, image, {"control.sequencer.walk_address:1"}, cycle),
            (std::vector<std::int8_t>{0, 0}))
      << "taps 2 to 5 bytes on: (-6, -5), (-4, -3), (-2, -1) and one beyond";
}

// The store counts up from far below zero, so the machine hangs; the host has had zeros by then.
TEST(CorruptState, AStoreAddressBeyondTheMemoryReadsAsZero) {
  const Program program = compile(two_rows(), {2, 2}, small_memory(), {}, "test");
  const std::int64_t store = first_cycle(program, kTwoRows, Phase::store);
  EXPECT_EQ(run_struck(program, kTwoRows, {"control.sequencer.output_address:31"}, store, false),
            (std::vector<std::int8_t>(4, 0)));
}

// A machine that stands where the beat with the four rows of weights waits in the DMA's register:
// bytes 16 to 23 of the column tile, behind 2 lanes of 2 words.
class CorruptDma : public testing::Test {
 protected:
  static Program product(Dataflow dataflow) {
    Random random(7);
    const std::vector<std::int8_t> b = test::GemmCase(random, 1, 4, 2, {2, 2}).b;
    return compile_gemm(1, 4, 2, b, {2, 2, dataflow}, small_memory(), {});
  }
  explicit CorruptDma(Dataflow dataflow = Dataflow::os)
      : program_(product(dataflow)), machine_(program_), sites_(machine_.layout()) {
    machine_.reset(image_.data());
    const auto& dma = machine_.dma();
    const auto waits = [&] {
      const DmaState& d = dma.state(machine_.state().now());
      return d.data_valid != 0 && d.data_image == 0 && d.data_address == 16;
    };
    while (!machine_.done() && !waits()) machine_.step();
    EXPECT_TRUE(waits());
  }
  void strike(const std::string& path) {
    const Site s = sites_.parse(path, "", "");
    flip_bit(machine_.state(), sites_.classes()[static_cast<std::size_t>(s.register_class)],
             s.element, s.bit);
    machine_.touch();
  }
  std::vector<std::byte> memories() const {
    const std::byte* held = machine_.state().held();
    return {held, held + machine_.layout().held_bytes()};
  }
  // The weights of a bank: four rows of two.
  std::vector<std::int8_t> bank(int which) {
    std::vector<std::int8_t> values;
    for (const RegisterClass& c : sites_.classes()) {
      if (c.path != "memory.weight.bank[].row[].lane[]") continue;
      for (int i = 0; i < 8; ++i) {
        values.push_back(
            static_cast<std::int8_t>(read_register(machine_.state(), c, 8 * which + i)));
      }
    }
    return values;
  }
  std::vector<std::int8_t> weights(std::size_t count) const {
    const auto first = program_.transfers[1].bytes.begin() + 16;
    std::vector<std::int8_t> values(first, first + static_cast<std::ptrdiff_t>(count));
    return values;
  }

  const std::vector<std::int8_t> image_ = {1, 2, 3, 4};
  Program program_;
  Machine machine_;
  SiteMap sites_;
  const std::vector<std::int8_t> zeros_ = std::vector<std::int8_t>(8, 0);
};

TEST_F(CorruptDma, ABeatInPlaceFillsItsBankAndNothingElse) {
  machine_.step();
  EXPECT_EQ(bank(0), weights(8));
  EXPECT_EQ(bank(1), zeros_);
}

// 16 and 8 is byte 24, the first behind the bank; 16 and 2^31 is far beyond all memories.
TEST_F(CorruptDma, ABeatBeyondItsBankIsDropped) {
  for (const char* bit : {"3", "31"}) {
    SCOPED_TRACE(bit);
    Machine::Snapshot before;
    machine_.save(before);
    const std::vector<std::byte> memories_before = memories();
    strike(std::string("memory.dma.data_address:") + bit);
    machine_.step();
    EXPECT_TRUE(memories() == memories_before);
    // Bank 0 kept the zeros of reset, so the products are zero.
    EXPECT_TRUE(machine_.run(1000));
    EXPECT_EQ(machine_.raw_output(), (std::vector<std::int32_t>{0, 0}));
    machine_.restore(before);
  }
}

TEST_F(CorruptDma, ABeatBeyondTheSecondBankIsDropped) {
  const std::vector<std::byte> before = memories();
  strike("memory.dma.data_address:3");
  strike("memory.dma.data_bank:0");
  machine_.step();
  EXPECT_TRUE(memories() == before);
}

// 16 and 4 is byte 20: rows 2 and 3 take the beat's first four bytes.
TEST_F(CorruptDma, OfABeatAcrossTheEndThePartInsideArrives) {
  strike("memory.dma.data_address:2");
  machine_.step();
  std::vector<std::int8_t> expected(4, 0);
  for (const std::int8_t w : weights(4)) expected.push_back(w);
  EXPECT_EQ(bank(0), expected);
  EXPECT_EQ(bank(1), zeros_);
}

// Input stationary: 2 channels of 2 words fill the parameter bank, then come two folds of two
// channels of two weights. Where the header ends is a register.
class CorruptHeader : public CorruptDma {
 protected:
  CorruptHeader() : CorruptDma(Dataflow::is) {}
};

TEST_F(CorruptHeader, ABeatInPlaceFillsItsBank) {
  machine_.step();
  EXPECT_EQ(bank(0), weights(8));
}

// 16 and 2^31: all eight bytes are parameters beyond the memory. 16 less 16: they are weights
// beyond.
TEST_F(CorruptHeader, WhatIsBeyondTheParametersOrTheWeightsIsDropped) {
  const std::vector<std::byte> before = memories();
  Machine::Snapshot snapshot;
  machine_.save(snapshot);
  for (const char* bit : {"31", "4"}) {
    strike(std::string("memory.dma.data_header:") + bit);
    machine_.step();
    EXPECT_TRUE(memories() == before) << bit;
    machine_.restore(snapshot);
  }
}

// 16 and 4: four parameter bytes beyond the memory, then the weights begin.
TEST_F(CorruptHeader, TheWeightsBeginWhereItSays) {
  strike("memory.dma.data_header:2");
  machine_.step();
  std::vector<std::int8_t> expected = weights(8);
  expected.erase(expected.begin(), expected.begin() + 4);
  expected.resize(8, 0);
  EXPECT_EQ(bank(0), expected);
}

TEST(CorruptState, AColumnAddressBeyondTheMemoryReadsAsZero) {
  const Program program = compile(two_rows(), {2, 2, Dataflow::is}, small_memory(), {}, "test");
  const std::int64_t preload = first_cycle(program, kTwoRows, Phase::preload);
  EXPECT_EQ(run_struck(program, kTwoRows, {"control.column[1].address:31"}, preload),
            (std::vector<std::int8_t>{kTwoRowsLogits[0], kTwoRowsLogits[1], 5, -7}));
}

// Channel 1 of the last fold with a row number that no memory has: no partial sum, and no
// parameters, so that its results are zero whatever the fold adds up to.
TEST(CorruptState, ParametersOfAChannelBeyondTheMemoryReadAsZero) {
  const Program program = compile(two_rows(), {2, 2, Dataflow::is}, small_memory(), {}, "test");
  Machine machine(program);
  machine.reset(kTwoRows.data());
  while (!machine.done() && machine.parameter_channel() != 1) machine.step();
  ASSERT_FALSE(machine.done());
  const std::int64_t cycle = machine.cycle();
  EXPECT_EQ(run_struck(program, kTwoRows, {"memory.partial.read_row:23"}, cycle),
            (std::vector<std::int8_t>{kTwoRowsLogits[0], 0, kTwoRowsLogits[2], 0}));
}

// Registers that are narrower than the integer that stores them, in two's complement by hand. The
// stored integer is what the machine computes with, so it has to be sign-extended too.
class SignedRegisters : public testing::Test {
 protected:
  SignedRegisters() : program_(program()), machine_(program_), sites_(machine_.layout()) {
    machine_.reset(image_.data());
  }
  static Program program() {
    Protection p;
    p.checksum = true;
    p.checkers.emplace_back(CheckerKind::gradient);
    return compile_gemm(2, 2, 4, std::vector<std::int8_t>(8, 1), {2, 4}, {}, p);
  }
  const RegisterClass& registers(const std::string& path) const {
    for (const RegisterClass& c : sites_.classes()) {
      if (c.path == path) return c;
    }
    throw std::logic_error(path);
  }
  // The whole integer that stores the first element.
  std::int64_t stored(const RegisterClass& c) {
    const std::byte* at = machine_.state().address(c, 0);
    const auto as = [at](auto value) {
      std::memcpy(&value, at, sizeof value);
      return static_cast<std::int64_t>(value);
    };
    switch (c.element_bytes) {
      case 1:
        return as(std::int8_t{});
      case 2:
        return as(std::int16_t{});
      case 4:
        return as(std::int32_t{});
      default:
        return as(std::int64_t{});
    }
  }
  // Flips `bit` of the first element, which then has to be `after`.
  void expect_flip(const std::string& path, int bit, std::int64_t before, std::int64_t after) {
    SCOPED_TRACE(path + ":" + std::to_string(bit));
    const RegisterClass& c = registers(path);
    Site site;
    site.register_class = static_cast<int>(&c - sites_.classes().data());
    site.bit = bit;
    Injector injector(sites_, {{site, 9}});
    injector.strike(machine_.state(), 9);
    const FaultRecord& record = injector.records().front();
    EXPECT_TRUE(record.fired);
    EXPECT_EQ(record.before, before);
    EXPECT_EQ(record.after, after);
    EXPECT_EQ(read_register(machine_.state(), c, 0), after);
    EXPECT_EQ(stored(c), after);
  }

  const std::vector<std::int8_t> image_ = {1, 1, 1, 1};
  Program program_;
  Machine machine_;
  SiteMap sites_;
};

TEST_F(SignedRegisters, AFlipOfTheTopBitChangesTheSign) {
  // Checksum weights of four columns: 8 + 2 bits in an int16.
  const std::string checksum = "resilience.checksum.weight.bank[].row[]";
  ASSERT_EQ(registers(checksum).width, 10);
  expect_flip(checksum, 9, 0, -512);
  expect_flip(checksum, 0, -512, -511);
  expect_flip(checksum, 8, -511, -255);
  expect_flip(checksum, 9, -255, 257);
  const std::string origin = "control.sequencer.config.origin_y";  // 16 bits in an int32
  ASSERT_EQ(registers(origin).width, 16);
  expect_flip(origin, 15, 0, -32768);
  expect_flip(origin, 14, -32768, -16384);
  const std::string product = "vector.requantise.product[]";  // 56 bits in an int64
  ASSERT_EQ(registers(product).width, 56);
  expect_flip(product, 55, 0, -(std::int64_t{1} << 55));
  const std::string gradient = "resilience.gradient.difference.gradient[]";  // 33 bits in an int64
  ASSERT_EQ(registers(gradient).width, 33);
  expect_flip(gradient, 32, 0, -(std::int64_t{1} << 32));
}

TEST_F(SignedRegisters, AFlipOfTheTopBitOfAnUnsignedRegisterDoesNot) {
  const std::string scale = "vector.scale[]";  // 24 bits in a uint32
  ASSERT_EQ(registers(scale).width, 24);
  expect_flip(scale, 23, 0, 8'388'608);
  const std::string count = "control.sequencer.count";  // 24 bits in an int32
  ASSERT_EQ(registers(count).width, 24);
  expect_flip(count, 23, 0, 8'388'608);
  expect_flip(count, 0, 8'388'608, 8'388'609);
}

}  // namespace
}  // namespace sagitta
