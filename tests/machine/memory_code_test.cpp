// Check bits in the memories: what they correct, what they tell the host, and what they leave
// alone.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/gemm_case.h"

namespace sagitta {
namespace {

using test::FaultyRuns;
using test::Random;

Protection with(MemoryCode code, bool checksum = false) {
  Protection p;
  p.memory_code = code;
  p.checksum = checksum;
  return p;
}

std::int64_t corrected(const Machine& machine) {
  std::int64_t n = 0;
  for (const LayerCounters& c : machine.counters()) n += c.corrected_reads;
  return n;
}

std::string stem(const std::string& path) {
  for (const std::string& end : {std::string(".byte_check[]"), std::string("_check[]")}) {
    if (path.ends_with(end))
      return path.substr(0, path.size() - end.size()) + (end == "_check[]" ? "[]" : "");
  }
  return path;
}

// A memory of words: the class of its data and that of its check bits.
struct Memory {
  int data = -1, check = -1;
};
std::map<std::string, Memory> memories_of(const SiteMap& sites) {
  std::map<std::string, Memory> memories;
  for (std::size_t i = 0; i < sites.classes().size(); ++i) {
    const RegisterClass& c = sites.classes()[i];
    if (c.storage != Storage::sram) continue;
    Memory& m = memories[stem(c.path)];
    (c.path == stem(c.path) ? m.data : m.check) = static_cast<int>(i);
  }
  return memories;
}

// The bits of one coded word: of the data (a byte of it, where bytes are coded), then of the check
// bits.
std::vector<Site> bits_of(const SiteMap& sites, const Memory& memory, std::int64_t element,
                          int byte) {
  const auto& data = sites.classes()[static_cast<std::size_t>(memory.data)];
  const auto& check = sites.classes()[static_cast<std::size_t>(memory.check)];
  const std::int64_t bytes = check.elements() / data.elements();  // 1: the word as a whole
  std::vector<Site> bits;
  const int first = bytes > 1 ? 8 * byte : 0;
  const int end = bytes > 1 ? std::min(first + 8, data.width) : data.width;
  for (int b = first; b < end; ++b) bits.push_back({memory.data, element, b});
  for (int b = 0; b < check.width; ++b) bits.push_back({memory.check, element * bytes + byte, b});
  return bits;
}

struct Struck {
  std::int64_t element = 0;
  int byte = 0;
  std::int64_t cycle = -1;
};

// Every memory of the machines, struck in every bit and every pair of bits of some words, in a
// cycle from which on they are read. `memories`: how many there should be.
void strike_all(const std::string& title, const Program& secded, const Program& parity,
                const Program& plain, const std::vector<std::int8_t>& image, std::size_t memories) {
  SCOPED_TRACE(title);
  FaultyRuns corrects(secded, image), detects(parity, image), bare(plain, image);
  ASSERT_EQ(corrected(corrects.machine()), 0);
  ASSERT_EQ(corrects.cycles(), bare.cycles());
  const auto all = memories_of(corrects.sites());
  const auto all_parity = memories_of(detects.sites());
  const auto all_plain = memories_of(bare.sites());
  ASSERT_EQ(all.size(), memories);
  ASSERT_EQ(all_plain.size(), memories);
  Random random(5);
  for (const auto& [name, memory] : all) {
    SCOPED_TRACE(name);
    ASSERT_GE(memory.data, 0);
    ASSERT_GE(memory.check, 0);
    const auto& data = corrects.sites().classes()[static_cast<std::size_t>(memory.data)];
    const auto& check = corrects.sites().classes()[static_cast<std::size_t>(memory.check)];
    const int bytes = static_cast<int>(check.elements() / data.elements());
    int words = 0, changed = 0;
    for (int tries = 0; words < 3 && tries < 4000; ++tries) {
      const Struck s{
          static_cast<std::int64_t>(random.bits() % static_cast<std::uint64_t>(data.elements())),
          random.between(0, bytes - 1), random.between(0, static_cast<int>(corrects.cycles()) - 1)};
      const auto bits = bits_of(corrects.sites(), memory, s.element, s.byte);
      ASSERT_TRUE(corrects.run({{bits[0], s.cycle}}));
      const std::int64_t reads = corrected(corrects.machine());
      if (reads == 0) continue;  // not read again before it is written, or never
      ++words;
      const auto parity_bits = bits_of(detects.sites(), all_parity.at(name), s.element, s.byte);
      for (std::size_t i = 0; i < bits.size(); ++i) {
        ASSERT_TRUE(corrects.run({{bits[i], s.cycle}}));
        EXPECT_EQ(corrects.machine().logits(), corrects.clean().logits);
        EXPECT_EQ(corrects.machine().raw_output(), corrects.clean().raw_output);
        EXPECT_EQ(corrects.machine().cycle(), corrects.clean().cycle);
        EXPECT_EQ(corrected(corrects.machine()), reads);
        EXPECT_FALSE(corrects.machine().uncorrected());
        for (std::size_t j = i + 1; j < bits.size(); ++j) {
          ASSERT_TRUE(corrects.run({{bits[i], s.cycle}, {bits[j], s.cycle}}, 1'000'000));
          EXPECT_TRUE(corrects.machine().uncorrected()) << i << " " << j;
          EXPECT_EQ(corrected(corrects.machine()), 0);
        }
      }
      for (const Site& site : parity_bits) {
        ASSERT_TRUE(detects.run({{site, s.cycle}}));
        EXPECT_TRUE(detects.machine().uncorrected());
        EXPECT_EQ(corrected(detects.machine()), 0);
      }
      for (std::size_t b = 0; b + static_cast<std::size_t>(check.width) < bits.size(); ++b) {
        ASSERT_TRUE(bare.run({{{all_plain.at(name).data, s.element, bits[b].bit}, s.cycle}}));
        changed += bare.visible() ? 1 : 0;
        EXPECT_FALSE(bare.machine().uncorrected());
      }
    }
    EXPECT_EQ(words, 3);
    EXPECT_GT(changed, 0) << "without a code nothing of this would have been seen";
  }
}

// A network with everything that reads activations: a convolution with padding, pooling, an add and
// a dense layer, a channel more than the array has lanes.
Network network(Random& random) {
  Network net;
  net.input = {4, 3, 2};
  const auto gemm = [&](const std::string& name, const FeatureShape& input,
                        const FeatureShape& output, const Window& window) {
    Layer l;
    l.name = name;
    l.input = input;
    l.output = output;
    l.window = window;
    l.weights = random.int8s(l.depth() * l.columns());
    for (int n = 0; n < l.columns(); ++n) {
      l.bias.push_back(random.between(-2000, 2000));
      l.scale.push_back(to_fixed_scale(0.003F, "test"));
    }
    l.output_min = -127;
    return l;
  };
  Window w;
  w.kernel_h = w.kernel_w = 2;
  w.pad_top = w.pad_left = 1;
  net.layers.push_back(gemm("gemm0", {4, 3, 2}, {4, 3, 4}, w));
  net.layers.push_back(gemm("gemm1", {4, 3, 4}, {4, 3, 4}, {}));
  Layer add;
  add.name = "add2";
  add.kind = LayerKind::add;
  add.sources = {0, 1};
  add.input = add.output = {4, 3, 4};
  add.tap_scale = to_tap_scale(0.7, 0.6, "test");
  net.layers.push_back(add);
  Layer pool;
  pool.name = "pool3";
  pool.kind = LayerKind::max_pool;
  pool.input = {4, 3, 4};
  pool.output = {3, 2, 4};
  pool.window.kernel_h = pool.window.kernel_w = 2;
  net.layers.push_back(pool);
  net.layers.push_back(gemm("gemm4", {1, 1, 24}, {1, 1, 5}, {}));
  return net;
}

MemoryShape memory(const ArrayShape& array, bool banks = false) {
  MemoryShape m;
  m.activation_bytes = 128;
  m.weight_rows = array.has(Dataflow::is) ? 60 : 24;
  m.partial_rows = 8;
  m.dram_latency = 3;
  m.dram_bytes_per_cycle = 7;  // no word of parameters arrives whole
  if (banks) {
    m.activation_banks = 2;
    m.activation_port_bytes = 2;
  }
  return m;
}

// Weights, activations, parameters; partial sums and the checksum's memories where there are any.
TEST(MemoryCode, EveryErrorOfAWordInEveryDataflow) {
  Random random(1);
  const Network net = network(random);
  const auto image = random.int8s(net.input.elements());
  for (const Dataflow dataflow : test::kDataflows) {
    const ArrayShape array{2, 3, dataflow};
    const auto program = [&](MemoryCode code) {
      return compile(net, array, memory(array), with(code, true), "test");
    };
    const std::size_t memories = dataflow == Dataflow::os ? 5 : dataflow == Dataflow::ws ? 7 : 5;
    strike_all(to_string(dataflow), program(MemoryCode::secded), program(MemoryCode::parity),
               program(MemoryCode::none), image, memories);
  }
}

TEST(MemoryCode, EveryErrorOfAWordWithBanksOverlapAndABatch) {
  Random random(2);
  const Network net = network(random);
  const auto image = random.int8s(2 * net.input.elements());
  for (const Dataflow dataflow : test::kDataflows) {
    const ArrayShape array{2, 3, dataflow, true};
    MemoryShape m = memory(array, true);
    m.activation_bytes = 256;
    const auto program = [&](MemoryCode code) {
      return compile(net, array, m, with(code), "test", 2);
    };
    strike_all(std::string("banks, ") + to_string(dataflow), program(MemoryCode::secded),
               program(MemoryCode::parity), program(MemoryCode::none), image,
               dataflow == Dataflow::os ? 3 : 4);
  }
}

TEST(MemoryCode, EveryErrorOfAWordOfRawResults) {
  Random random(3);
  const test::GemmCase gemm(random, 5, 4, 5, {2, 3}, with(MemoryCode::secded));
  const auto program = [&](MemoryCode code) {
    return compile_gemm(5, 4, 5, gemm.b, {2, 3}, gemm.program.memory, with(code));
  };
  strike_all("product", gemm.program, program(MemoryCode::parity), program(MemoryCode::none),
             gemm.a, 4);
}

// Nothing repairs the memory: a weight hit before its layer is corrected each time that it is read.
// Outputs stationary that is once a tile of pixels, weights stationary once.
TEST(MemoryCode, AWeightIsCorrectedAtEachRead) {
  Random random(4);
  for (const auto& [dataflow, reads] : {std::pair{Dataflow::os, 3}, {Dataflow::ws, 1}}) {
    const test::GemmCase gemm(random, 6, 4, 3, {2, 3, dataflow}, with(MemoryCode::secded), 8);
    FaultyRuns runs(gemm.program, gemm.a);
    const std::int64_t before = runs.tiles().front().start_cycle - 5;
    ASSERT_TRUE(runs.run({{runs.site("memory.weight.bank[0].row[1].lane[2]:6"), before}}));
    EXPECT_EQ(corrected(runs.machine()), reads);
    EXPECT_EQ(runs.machine().raw_output(), gemm.product());
  }
}

// The decoder stands in front of the read register.
TEST(MemoryCode, AFlipBehindTheReadRegisterIsNotSeen) {
  Random random(6);
  const test::GemmCase gemm(random, 2, 6, 3, {2, 3}, with(MemoryCode::secded));
  FaultyRuns runs(gemm.program, gemm.a);
  const std::int64_t cycle = runs.tiles().front().start_cycle - 1;
  for (const char* path : {"memory.weight.read[1]:6", "memory.activation.read[1]:6"}) {
    ASSERT_TRUE(runs.run({{runs.site(path), cycle}}));
    EXPECT_NE(runs.machine().raw_output(), gemm.product()) << path;
    EXPECT_EQ(corrected(runs.machine()), 0);
    EXPECT_FALSE(runs.machine().uncorrected());
  }
}

// Lanes beyond the tile's are read with the others; nobody uses them.
TEST(MemoryCode, WhatNobodyUsesRaisesNothing) {
  Random random(7);
  const test::GemmCase gemm(random, 4, 4, 4, {2, 3}, with(MemoryCode::parity));
  FaultyRuns runs(gemm.program, gemm.a);
  // The second column tile has one lane; its weights lie in the other bank.
  const std::int64_t cycle = runs.tiles()[2].start_cycle - 4;
  const auto alarm = [&](const std::string& path) {
    EXPECT_TRUE(runs.run({{runs.site(path), cycle}}));
    return runs.machine().uncorrected();
  };
  EXPECT_TRUE(alarm("memory.weight.bank[1].row[1].lane[0]:3"));
  EXPECT_FALSE(alarm("memory.weight.bank[1].row[1].lane[1]:3"));
  EXPECT_FALSE(alarm("memory.weight.bank[1].row[1].lane_check[2]:0"));
  EXPECT_FALSE(alarm("memory.weight.bank[0].row[1].lane[0]:3")) << "the first tile is done";
}

// What the host is told stays until reset, and can itself be hit.
TEST(MemoryCode, TheStatusIsSticky) {
  Random random(8);
  const test::GemmCase gemm(random, 2, 3, 3, {2, 3}, with(MemoryCode::parity));
  FaultyRuns runs(gemm.program, gemm.a);
  EXPECT_FALSE(runs.machine().uncorrected());
  for (const char* path : {"memory.activation.uncorrected:0", "memory.weight.uncorrected:0",
                           "memory.accumulator.uncorrected:0"}) {
    ASSERT_TRUE(runs.run({{runs.site(path), 2}}));
    EXPECT_TRUE(runs.machine().uncorrected()) << path;
    EXPECT_EQ(runs.machine().raw_output(), gemm.product());
  }
}

std::vector<std::byte> bytes_of(const Machine& machine, const RegisterClass& c) {
  std::vector<std::byte> bytes;
  const std::byte* base = c.region == Region::held ? machine.state().held() : machine.state().now();
  for (std::int64_t e = 0; e < c.elements(); ++e) {
    const std::byte* at = base + c.offset + c.place(e) * c.element_bytes;
    bytes.insert(bytes.end(), at, at + c.element_bytes);
  }
  return bytes;
}

// Without a fault: the same registers, words, cycles and counts, in every cycle.
TEST(MemoryCode, IdleCodesChangeNothing) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    Random random(60'000 + seed);
    const auto& variants = test::kVariants;
    const auto variant = variants[seed % std::size(variants)];
    const ArrayShape array = variant.shape(random.between(1, 4), random.between(1, 5), seed);
    const test::MachineCase c = test::random_case(random, array);
    Program plain = c.program, coded = c.program;
    plain.protection.memory_code = MemoryCode::none;
    coded.protection.memory_code = seed % 2 == 0 ? MemoryCode::parity : MemoryCode::secded;
    Machine x(plain), y(coded);
    x.reset(c.image.data());
    y.reset(c.image.data());
    std::map<std::string, const RegisterClass*> classes;
    for (const RegisterClass& r : y.layout().classes()) classes[r.path] = &r;
    while (!x.done()) {
      if (x.cycle() % 41 == 0) {
        for (const RegisterClass& r : x.layout().classes()) {
          ASSERT_EQ(bytes_of(x, r), bytes_of(y, *classes.at(r.path))) << r.path << x.cycle();
        }
      }
      x.step();
      y.step();
    }
    EXPECT_EQ(test::difference(x, y), "");
    EXPECT_FALSE(y.uncorrected());
  }
}

}  // namespace
}  // namespace sagitta
