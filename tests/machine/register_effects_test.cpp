// Every register class of every block matters: for each one a flip is found that changes a result,
// a count or a cycle. A register without such a flip would not count as modelled.
#include <cstdio>
#include <map>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/gemm_case.h"

namespace sagitta {
namespace {

using test::FaultyRuns;
using test::Random;

constexpr int kTries = 4000;

// Layers that between them use every field of the layer descriptor: stride, dilation, padding,
// several row tiles and column tiles, groups, both poolings with padding, an add, a dense layer.
Network network(Random& random) {
  const auto gemm = [&](const FeatureShape& input, const FeatureShape& output, const Window& window,
                        int groups = 1) {
    Layer l;
    l.name = "gemm";
    l.groups = groups;
    l.input = input;
    l.output = output;
    l.window = window;
    l.weights = random.int8s(l.depth() * l.columns());
    for (int n = 0; n < l.columns(); ++n) {
      l.bias.push_back(random.between(-2000, 2000));
      l.scale.push_back(to_fixed_scale(0.004F, "test"));
    }
    l.input_zero_point = 3;
    l.output_zero_point = -20;
    l.output_min = -60;
    l.output_max = 70;
    return l;
  };
  Network net;
  net.input = {6, 5, 2};
  Window w;
  w.kernel_h = w.kernel_w = 2;
  w.dilation_h = w.dilation_w = 2;
  w.pad_top = w.pad_left = 1;
  net.layers.push_back(gemm({6, 5, 2}, {5, 4, 4}, w));
  Layer pool;
  pool.kind = LayerKind::max_pool;
  pool.input = {5, 4, 4};
  pool.window.kernel_h = pool.window.kernel_w = 2;
  pool.window.stride_h = pool.window.stride_w = 2;
  pool.window.pad_top = 1;
  pool.output = {3, 2, 4};
  net.layers.push_back(pool);
  net.layers.push_back(gemm({3, 2, 4}, {3, 2, 4}, {}, 2));
  Layer add;
  add.kind = LayerKind::add;
  add.sources = {1, 2};
  add.input = add.output = {3, 2, 4};
  add.tap_scale = to_tap_scale(0.7, 0.4, "test");
  add.input_zero_point = -20;
  add.second_zero_point = -21;
  add.output_zero_point = 5;
  net.layers.push_back(add);
  Layer average = add;
  average.kind = LayerKind::average_pool;
  average.sources.clear();
  average.window.kernel_h = 2;
  average.window.kernel_w = 2;
  average.window.pad_left = 1;
  average.output = {2, 2, 4};
  average.tap_scale = to_tap_scale(0.3, 0.3, "test");
  net.layers.push_back(average);
  Window s;
  s.stride_h = 2;
  net.layers.push_back(gemm({2, 2, 4}, {1, 2, 3}, s));
  net.layers.push_back(gemm({1, 1, 6}, {1, 1, 4}, {}));
  for (std::size_t i = 0; i < net.layers.size(); ++i) net.layers[i].name += std::to_string(i);
  return net;
}

// "array.skew_a[2][]" and "array.skew_a[1][]" are one class.
std::string class_name(const std::string& path) {
  std::string name;
  bool inside = false;
  for (const char c : path) {
    inside = c == '[' || (inside && c != ']');
    if (!inside || c == '[') name += c;
  }
  return name;
}

// One flip in front of the vote of three passes reaches one of them and is outvoted, to which
// PassesTest holds it; what votes, and what stands behind, is not.
bool is_behind_the_vote(const std::string& name) {
  return name.starts_with("memory.vote.") || name.starts_with("resilience.") ||
         name.starts_with("vector.");
}

using PathsAndCycles = std::vector<std::pair<std::string, std::int64_t>>;

// Strikes seeded random (register, bit, cycle) of every class until one shows; prints the table and
// returns the classes without any. A copy of a triplicated register is struck together with
// another.
std::vector<std::string> without_effect(const std::string& title, const Program& program,
                                        const std::vector<std::int8_t>& image,
                                        const PathsAndCycles& always = {}) {
  FaultyRuns runs(program, image, always);
  const bool voted_passes = program.protection.passes > 1;
  const auto& classes = runs.sites().classes();
  std::map<std::string, std::vector<int>> by_name;
  for (std::size_t i = 0; i < classes.size(); ++i)
    by_name[class_name(classes[i].path)].push_back(static_cast<int>(i));
  std::printf("%s: %zu register classes, %lld cycles\n", title.c_str(), by_name.size(),
              static_cast<long long>(runs.cycles()));
  std::vector<std::string> none;
  for (const auto& [name, members] : by_name) {
    if (voted_passes && !is_behind_the_vote(name)) continue;
    Random random(1);
    std::string found;
    int tries = 0;
    while (found.empty() && ++tries <= kTries) {
      Site s;
      s.register_class = members[random.bits() % members.size()];
      const RegisterClass& c = classes[static_cast<std::size_t>(s.register_class)];
      s.element =
          static_cast<std::int64_t>(random.bits() % static_cast<std::uint64_t>(c.elements()));
      s.bit = random.between(0, c.width - 1);
      std::vector<Fault> faults{{s, random.between(0, static_cast<int>(runs.cycles()) - 1)}};
      const bool voted_array = name.starts_with("array") && program.protection.arrays == 3;
      if (name.ends_with(".copy[]")) {
        faults.push_back(faults[0]);  // copies are the last index: the next one, circularly
        faults[1].site.element += s.element % 3 == 2 ? -2 : 1;
      }
      if (name.starts_with("memory.vote.bank") || name.starts_with("memory.vote.read")) {
        const auto words = c.elements() / 2;  // of a pass; its other one, too
        faults.push_back(faults[0]);
        faults[1].site.element = (s.element + words) % c.elements();
      }
      if (voted_array) {  // two of three arrays are struck: this one and the next, circularly
        for (std::size_t n = faults.size(), f = 0; f < n; ++f) {
          const std::string path = runs.sites().path(faults[f].site);
          const int copy = path[5] == '_' ? path[6] - '1' : 0;
          faults.push_back({runs.site(array_block((copy + 1) % 3) + path.substr(path.find('.'))),
                            faults[f].cycle});
        }
      }
      const bool done = runs.run(faults);
      if (!done || runs.visible()) {
        found =
            runs.sites().path(s) + "@" + std::to_string(faults[0].cycle) + (done ? "" : " (hang)");
      }
    }
    if (found.empty()) none.push_back(name);
    std::printf("  %-44s %5d  %s\n", name.c_str(), tries, found.empty() ? "none" : found.c_str());
  }
  return none;
}

MemoryShape memory(const ArrayShape& array, MemoryShape m) {
  m.activation_bytes = 160;
  // Input stationary few enough that most layers have several column tiles.
  m.weight_rows = array.has(Dataflow::is) ? 9 : 16;
  m.dram_latency = 3;
  m.dram_bytes_per_cycle = 8;
  m.partial_rows = 16;  // the first layer has 20 pixels an image: three parts
  return m;
}

// Makes the checksums of every row of sums off by one.
void break_checksums(Program& program) {
  const ParameterFormat& f = program.parameters;
  const bool tile_first = program.array.has(Dataflow::is);
  std::size_t layer = 0;
  for (std::size_t t = 1; t < program.transfers.size(); ++t) {
    while (layer + 1 < program.layers.size() &&
           program.first_column_tile[layer + 1] < static_cast<int>(t)) {
      ++layer;
    }
    Transfer& transfer = program.transfers[t];
    if (program.dataflow(layer) != Dataflow::is) {
      ++transfer.bytes[tile_first ? 0 : static_cast<std::size_t>(4 * 3 * f.lane_words)];
      continue;
    }
    // Words 2 and 3 of every channel.
    for (std::int64_t at = 4 * f.tile_words; at < transfer.header; at += 4 * f.lane_words) {
      ++transfer.bytes[static_cast<std::size_t>(at + 8)];
      ++transfer.bytes[static_cast<std::size_t>(at + 12)];
    }
  }
}

// A flip of an output register in every third cycle: each row that stands there then is flagged.
PathsAndCycles break_outputs(const Program& program, const std::vector<std::int8_t>& image) {
  const std::int64_t cycles = FaultyRuns(program, image).cycles();
  PathsAndCycles all;
  for (std::int64_t c = 0; c < cycles; c += 3) all.emplace_back("vector.output.value[0]:0", c);
  return all;
}

// A flip of a sum now and then: a row and a column of most tiles are wrong.
PathsAndCycles break_sums(const Program& program, const std::vector<std::int8_t>& image) {
  const std::int64_t cycles = FaultyRuns(program, image).cycles();
  PathsAndCycles all;
  for (std::int64_t c = 0; c < cycles; c += 17) all.emplace_back("array.pe[0][1].acc:14", c);
  return all;
}

// What stands behind a row gate shows only while the gate is open. So the machine is run as it is,
// and once more with checksums that are off by one in every row, or outputs that are struck.
std::vector<std::string> without_effect(const std::string& title, const Protection& p,
                                        const ArrayShape& array, const MemoryShape& banks = {}) {
  Random random(2);
  const Network net = network(random);
  constexpr int kBatch = 2;
  const auto image = random.int8s(kBatch * net.input.elements());
  Program program = compile(net, array, memory(array, banks), p, "test", kBatch);
  std::vector<std::string> none = without_effect(title, program, image);
  const auto keep_only = [&none](const std::vector<std::string>& open) {
    std::erase_if(none, [&open](const std::string& name) {
      return std::find(open.begin(), open.end(), name) == open.end();
    });
  };
  if (p.checks_outputs()) {
    keep_only(without_effect(title + ", opened", program, image, break_outputs(program, image)));
  }
  if (p.column_checksum) {
    keep_only(without_effect(title + ", struck", program, image, break_sums(program, image)));
  }
  if (p.gated_from(0) || p.retries > 0) {
    break_checksums(program);
    keep_only(without_effect(title + ", opened", program, image));
  }
  return none;
}
std::vector<std::string> without_effect(const std::string& title, const Protection& p,
                                        Dataflow dataflow = Dataflow::os, bool overlap = false) {
  return without_effect(title, p, ArrayShape{3, 3, dataflow, overlap});
}

constexpr std::size_t kMostPixels = 256;  // of a layer

Checker checker(CheckerKind kind, Granularity granularity, Gate gate, std::int32_t reach) {
  Checker c{.kind = kind, .gate = gate, .granularity = granularity};
  for (int layer = 0; layer < 4; ++layer) {
    const std::size_t count = granularity == Granularity::layer     ? 1
                              : granularity == Granularity::channel ? 4
                                                                    : 4 * kMostPixels;
    c.layers.push_back({"gemm", std::vector<Bounds>(count, Bounds{-reach, reach})});
  }
  return c;
}

using Names = std::vector<std::string>;

TEST(RegisterEffects, Unprotected) {
  EXPECT_EQ(without_effect("none", Protection{}), Names{});
}

TEST(RegisterEffects, WeightStationary) {
  EXPECT_EQ(without_effect("none, ws", Protection{}, Dataflow::ws), Names{});
  Protection p;
  p.pe_copies = PeCopies::all;
  EXPECT_EQ(without_effect("tmr-pe, ws", p, Dataflow::ws), Names{});
}

TEST(RegisterEffects, WeightStationaryGradientBehindTheRowGate) {
  Protection p;
  p.checksum = true;
  p.checkers.push_back(checker(CheckerKind::gradient, Granularity::layer, Gate::row, 12'000));
  EXPECT_EQ(without_effect("gradient, row gate, ws", p, Dataflow::ws), Names{});
}

TEST(RegisterEffects, InputStationary) {
  EXPECT_EQ(without_effect("none, is", Protection{}, Dataflow::is), Names{});
  Protection p;
  p.pe_copies = PeCopies::all;
  EXPECT_EQ(without_effect("tmr-pe, is", p, Dataflow::is), Names{});
}

TEST(RegisterEffects, InputStationaryRangeThenGradientBehindTheRowGate) {
  Protection p;
  p.checksum = true;
  p.checkers.push_back(checker(CheckerKind::range, Granularity::channel, Gate::row, 10'000));
  p.checkers.push_back(checker(CheckerKind::gradient, Granularity::channel, Gate::row, 12'000));
  EXPECT_EQ(without_effect("range, then gradient, row gate, is", p, Dataflow::is), Names{});
}

TEST(RegisterEffects, Overlap) {
  Protection p;
  p.pe_copies = PeCopies::all;
  p.checksum = true;
  for (const Dataflow dataflow : test::kDataflows) {
    const std::string name = std::string("overlap, ") + to_string(dataflow);
    EXPECT_EQ(without_effect(name, {}, dataflow, true), Names{});
    EXPECT_EQ(without_effect(name + ", tmr-pe, checksum", p, dataflow, true), Names{});
  }
}

// The layers with a product are number 0, 2, 5 and 6; what belongs to a dataflow needs a layer of
// it that is large enough.
ArrayShape mixture(bool with_is, bool overlap) {
  using enum Dataflow;
  if (!with_is) return {3, 3, os, overlap, {{"gemm0", ws}, {"gemm5", ws}}};
  return {3, 4, os, overlap, {{"gemm0", ws}, {"gemm2", is}, {"gemm6", is}}};
}

TEST(RegisterEffects, Mixtures) {
  Protection p;
  p.pe_copies = PeCopies::all;
  p.checksum = true;
  for (const bool with_is : {false, true}) {
    for (const bool overlap : {false, true}) {
      const std::string name =
          std::string("os and ws") + (with_is ? " and is" : "") + (overlap ? ", overlap" : "");
      EXPECT_EQ(without_effect(name, {}, mixture(with_is, overlap)), Names{});
      EXPECT_EQ(without_effect(name + ", tmr-pe, checksum", p, mixture(with_is, overlap)), Names{});
    }
  }
}

TEST(RegisterEffects, MixtureRangeThenGradientBehindTheRowGate) {
  Protection p;
  p.checksum = true;
  p.checkers.push_back(checker(CheckerKind::range, Granularity::channel, Gate::row, 10'000));
  p.checkers.push_back(checker(CheckerKind::gradient, Granularity::channel, Gate::row, 12'000));
  EXPECT_EQ(without_effect("range, then gradient, row gate, mixture", p, mixture(true, false)),
            Names{});
}

// `pending`, in every variant: it decides which operands are read, and when.
TEST(RegisterEffects, Banks) {
  MemoryShape banks;
  banks.activation_banks = 2;
  banks.activation_port_bytes = 2;
  for (const test::ArrayVariant& v : test::kVariants) {
    EXPECT_EQ(without_effect("banks, " + v.name(), {}, v.shape(3, 3), banks), Names{});
  }
}

TEST(RegisterEffects, Range) {
  Protection p;
  p.checkers.push_back(checker(CheckerKind::range, Granularity::layer, Gate::always, 10'000));
  EXPECT_EQ(without_effect("range-zero, layer bounds", p), Names{});
  p.checkers = {checker(CheckerKind::range, Granularity::channel, Gate::always, 10'000)};
  EXPECT_EQ(without_effect("range-zero, channel bounds", p), Names{});
}

TEST(RegisterEffects, Gradient) {
  Protection p;
  p.checkers.push_back(checker(CheckerKind::gradient, Granularity::layer, Gate::always, 12'000));
  EXPECT_EQ(without_effect("gradient, layer bounds", p), Names{});
  p.checkers = {checker(CheckerKind::gradient, Granularity::channel, Gate::always, 12'000)};
  EXPECT_EQ(without_effect("gradient, channel bounds", p), Names{});
}

TEST(RegisterEffects, GradientBehindTheRowGate) {
  Protection p;
  p.checksum = true;
  p.checkers.push_back(checker(CheckerKind::gradient, Granularity::layer, Gate::row, 12'000));
  EXPECT_EQ(without_effect("gradient, row gate", p), Names{});
}

TEST(RegisterEffects, RangeThenGradientBehindTheRowGate) {
  Protection p;
  p.checksum = true;
  p.checkers.push_back(checker(CheckerKind::range, Granularity::layer, Gate::row, 10'000));
  p.checkers.push_back(checker(CheckerKind::gradient, Granularity::layer, Gate::row, 12'000));
  EXPECT_EQ(without_effect("range, then gradient, row gate", p), Names{});
}

// Every gate, both axes, and each way of taking a sum's place that has registers of its own.
TEST(RegisterEffects, ChainsOfCheckers) {
  const auto range = CheckerKind::range, gradient = CheckerKind::gradient,
             median = CheckerKind::median;
  Protection p;
  p.checksum = true;
  p.checkers = {checker(gradient, Granularity::channel, Gate::always, 12'000),
                checker(range, Granularity::layer, Gate::layer, 10'000),
                {.kind = median}};
  p.checkers[0].axis = Axis::line;
  p.checkers[0].suppress = Suppress::mean;
  p.checkers[1].suppress = Suppress::clamp;
  EXPECT_EQ(without_effect("along lines", p), Names{});
  EXPECT_EQ(without_effect("along lines, ws", p, Dataflow::ws), Names{});
  p.checkers = {checker(gradient, Granularity::layer, Gate::layer, 12'000),
                {.kind = median, .gate = Gate::row}};
  p.checkers[0].spike = true;
  EXPECT_EQ(without_effect("spikes, then median", p), Names{});
  EXPECT_EQ(without_effect("spikes, then median, is", p, Dataflow::is), Names{});
}

TEST(RegisterEffects, BoundsANeuron) {
  for (const Dataflow dataflow : {Dataflow::os, Dataflow::ws}) {
    Protection p;
    p.checkers = {checker(CheckerKind::range, Granularity::neuron, Gate::always, 10'000),
                  checker(CheckerKind::gradient, Granularity::neuron, Gate::always, 3'000)};
    p.checkers[1].suppress = Suppress::clamp;
    EXPECT_EQ(without_effect(std::string("bounds a neuron, ") + to_string(dataflow), p, dataflow),
              Names{});
  }
}

TEST(RegisterEffects, CheckersOfMaps) {
  for (const Dataflow dataflow : {Dataflow::os, Dataflow::ws}) {
    Protection p;
    p.checksum = true;
    p.checkers = {checker(CheckerKind::gradient, Granularity::channel, Gate::row, 12'000)};
    p.checkers[0].axis = Axis::map;
    EXPECT_EQ(without_effect(std::string("in maps, row gate, ") + to_string(dataflow), p, dataflow),
              Names{});
    p.checksum = false;
    p.checkers = {checker(CheckerKind::gradient, Granularity::layer, Gate::always, 12'000)};
    p.checkers[0].axis = Axis::map;
    p.checkers[0].suppress = Suppress::mean;
    EXPECT_EQ(without_effect(std::string("in maps, ") + to_string(dataflow), p, dataflow), Names{});
  }
}

Checker of_outputs(CheckerKind kind, Granularity granularity, Gate gate, std::int32_t reach) {
  Checker c = checker(kind, granularity, gate, reach);
  c.position = Position::output;
  return c;
}

TEST(RegisterEffects, CheckersOfOutputs) {
  const auto range = CheckerKind::range, gradient = CheckerKind::gradient,
             median = CheckerKind::median;
  for (const Dataflow dataflow : test::kDataflows) {
    const std::string name = std::string("outputs, ") + to_string(dataflow);
    Protection p;
    p.checkers = {of_outputs(gradient, Granularity::channel, Gate::always, 40),
                  of_outputs(range, Granularity::layer, Gate::always, 50)};
    if (dataflow != Dataflow::is) {
      p.checkers[0].axis = Axis::line;
      p.checkers[0].suppress = Suppress::mean;
    }
    EXPECT_EQ(without_effect(name, p, dataflow), Names{});
    p.checkers = {of_outputs(range, Granularity::layer, Gate::layer, 5),
                  {.kind = median, .gate = Gate::row, .position = Position::output}};
    EXPECT_EQ(without_effect(name + ", gated", p, dataflow), Names{});
  }
}

TEST(RegisterEffects, ChecksumAlone) {
  Protection p;
  p.checksum = true;
  EXPECT_EQ(without_effect("checksum", p), Names{});
}

// Of three arrays, two are struck alike; of two, either.
TEST(RegisterEffects, CopiesOfTheArray) {
  for (const test::ArrayVariant& v : test::kVariants) {
    if (!v.overlap) continue;  // which has all registers and more
    const bool small = !v.mixed_ws && !v.mixed_is;
    const ArrayShape array = small ? v.shape(3, 3) : mixture(v.mixed_is, v.overlap);
    for (const int arrays : {2, 3}) {
      Protection p;
      p.arrays = arrays;
      if (arrays == 2) p.pe_copies = PeCopies::registers;
      const std::string name = std::to_string(arrays) + " arrays, " + v.name();
      EXPECT_EQ(without_effect(name, p, array), Names{});
    }
  }
}

// Opened, every tile fails in every try, so that addresses to go back to are used.
TEST(RegisterEffects, TilesThatRunAgain) {
  Protection p;
  p.checksum = true;
  p.retries = 2;
  for (const Dataflow dataflow : test::kDataflows) {
    EXPECT_EQ(without_effect(std::string("recompute, ") + to_string(dataflow), p, dataflow),
              Names{});
  }
  EXPECT_EQ(without_effect("recompute, mixture", p, mixture(true, false)), Names{});
}

// What corrects shows where something is wrong already.
TEST(RegisterEffects, ChecksumsOfColumns) {
  Protection p;
  p.checksum = p.column_checksum = p.correct = true;
  EXPECT_EQ(without_effect("columns", p), Names{});
  p.retries = 1;
  EXPECT_EQ(without_effect("columns, recompute", p), Names{});
}

TEST(RegisterEffects, GatesOfCells) {
  Protection p;
  p.checksum = p.column_checksum = true;
  p.checkers = {checker(CheckerKind::range, Granularity::layer, Gate::cell, 5'000),
                checker(CheckerKind::gradient, Granularity::layer, Gate::cell, 1'000),
                {.kind = CheckerKind::median, .gate = Gate::cell}};
  EXPECT_EQ(without_effect("range, gradient and median, gates of cells", p), Names{});
}

// What one pass keeps is outvoted, unless the other says the same: copies are struck together.
TEST(RegisterEffects, ThreePasses) {
  Protection p;
  p.passes = 3;
  for (const Dataflow dataflow : test::kDataflows) {
    EXPECT_EQ(without_effect(std::string("three passes, ") + to_string(dataflow), p, dataflow),
              Names{});
  }
  p.checksum = true;
  p.retries = 1;
  EXPECT_EQ(without_effect("three passes, recompute, mixture", p, mixture(true, false)), Names{});
}

TEST(RegisterEffects, TriplicatedPesWithTwoCopiesStruck) {
  Protection p;
  p.pe_copies = PeCopies::all;
  EXPECT_EQ(without_effect("tmr-pe", p), Names{});
}

TEST(RegisterEffects, MemoryCodes) {
  Protection p;
  p.checksum = true;
  for (const MemoryCode code : {MemoryCode::parity, MemoryCode::secded}) {
    p.memory_code = code;
    const std::string name = code == MemoryCode::parity ? "parity, " : "secded, ";
    for (const Dataflow dataflow : test::kDataflows) {
      EXPECT_EQ(without_effect(name + to_string(dataflow), p, dataflow), Names{});
    }
    EXPECT_EQ(without_effect(name + "os and ws and is", p, mixture(true, false)), Names{});
  }
}

// A bare product uses neither the requantiser nor the pooling path, so only its own buffer and the
// blocks that carry it are asked for.
TEST(RegisterEffects, TheAccumulatorBufferOfAMatrixProduct) {
  Random random(6);
  Protection p;
  p.memory_code = MemoryCode::secded;
  const test::GemmCase gemm(random, 5, 4, 5, {3, 3}, p);
  const Names none = without_effect("matrix product", gemm.program, gemm.a);
  for (const std::string& name : none) {
    EXPECT_FALSE(name.starts_with("array.") || name.starts_with("memory.accumulator") ||
                 name.starts_with("vector.bias"))
        << name;
  }
}

}  // namespace
}  // namespace sagitta
