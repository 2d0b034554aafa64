// The flat array core against one SystemC module a PE: every register, every cycle.
#include "machine/array/pe_array.h"

#include <map>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "fault/injector.h"
#include "machine/array/array.h"
#include "support/machine_cases.h"
#include "support/one_process.h"

namespace sagitta {
namespace {

using test::Random;

// The flat core alone, with its registers by name.
struct FlatArray {
  RegisterLayout layout;
  Array core;
  MachineState state;
  std::map<std::string, const RegisterClass*> by_path;

  explicit FlatArray(const ArrayShape& shape) : core(layout, shape, 1), state(layout) {
    for (const RegisterClass& c : layout.classes()) by_path[c.path] = &c;
  }
  std::int64_t read(const std::string& path, std::int64_t element) {
    return read_register(state, *by_path.at(path), element);
  }
};

// Compares all registers of both; names the first that differs.
std::string first_difference(FlatArray& flat, const PeArray& pes, const ArrayShape& shape) {
  const auto differ = [](const std::string& path, std::int64_t f, std::int64_t p) {
    return fmt::format("{}: flat {}, per PE {}", path, f, p);
  };
  for (int r = 0; r < shape.rows; ++r) {
    for (int c = 0; c < shape.columns; ++c) {
      const std::int64_t e = std::int64_t{r} * shape.columns + c;
      const std::string pe = fmt::format("pe[{}][{}]", r, c);
      const auto a = flat.read("array.pe[][].a", e);
      const auto b = flat.read("array.pe[][].b", e);
      const auto acc = flat.read("array.pe[][].acc", e);
      if (a != pes.a(r, c)) return differ(pe + ".a", a, pes.a(r, c));
      if (b != pes.b(r, c)) return differ(pe + ".b", b, pes.b(r, c));
      if (acc != pes.acc(r, c)) return differ(pe + ".acc", acc, pes.acc(r, c));
      if (!shape.overlap) continue;
      const auto swap = flat.read("array.pe[][].swap", e);
      if (swap != pes.swap(r, c)) return differ(pe + ".swap", swap, pes.swap(r, c));
      if (shape.has(Dataflow::os)) {
        const auto drain = flat.read("array.pe[][].drain", e);
        if (drain != pes.drain(r, c)) return differ(pe + ".drain", drain, pes.drain(r, c));
      }
      if (shape.folds()) {
        const auto next = flat.read("array.pe[][].next", e);
        if (next != pes.next(r, c)) return differ(pe + ".next", next, pes.next(r, c));
      }
    }
  }
  const int lanes_a = shape.activation_lanes();
  const int lanes_b = shape.weight_lanes();
  for (int lane = 1; lane < std::max(shape.rows, shape.columns); ++lane) {
    for (int stage = 0; stage < lane; ++stage) {
      const std::string at = fmt::format("[{}][{}]", lane, stage);
      if (shape.overlap && lane < shape.rows) {
        const auto swap = flat.read(fmt::format("array.skew_swap[{}][]", lane), stage);
        if (swap != pes.skew_swap(lane, stage)) {
          return differ("skew_swap" + at, swap, pes.skew_swap(lane, stage));
        }
      }
      if (lane < lanes_a) {
        const auto a = flat.read(fmt::format("array.skew_a[{}][]", lane), stage);
        if (a != pes.skew_a(lane, stage)) return differ("skew_a" + at, a, pes.skew_a(lane, stage));
      }
      if (lane < lanes_b) {
        const auto b = flat.read(fmt::format("array.skew_b[{}][]", lane), stage);
        if (b != pes.skew_b(lane, stage)) return differ("skew_b" + at, b, pes.skew_b(lane, stage));
      }
    }
  }
  if (!shape.folds()) return "";
  for (int c = 0; c < shape.columns; ++c) {
    if (c > 0) {
      const auto load = flat.read(fmt::format("array.load[{}]", c), 0);
      if (load != pes.load(c)) return differ(fmt::format("load[{}]", c - 1), load, pes.load(c));
    }
    for (int stage = 0; stage < shape.columns - 1 - c; ++stage) {
      const auto sum = flat.read(fmt::format("array.deskew[{}][]", c), stage);
      if (sum != pes.deskew(c, stage)) {
        return differ(fmt::format("deskew[{}][{}]", c, stage), sum, pes.deskew(c, stage));
      }
    }
  }
  return "";
}

// Modes, load enables, swap bits and shifts at random, in runs, and pauses long enough for the flat
// core to skip steps, which now and then a lone mode or enable interrupts. Each dataflow gets both,
// and has to leave the other's alone. A mixture changes its dataflow at any time, as faults do.
std::string compare(const ArrayShape& shape, std::uint64_t seed, int cycles) {
  Random random(seed);
  int left = 0;
  bool quiet = false;
  ArrayMode mode = ArrayMode::accumulate;
  int load_percent = 0;
  std::vector<Dataflow> members;
  for (const Dataflow d : test::kDataflows) {
    if (shape.has(d)) members.push_back(d);
  }
  Dataflow dataflow = members.front();
  const auto any_mode = [&] { return static_cast<ArrayMode>(random.between(0, 3)); };
  PeArray pes("pes", shape, [&](ArrayOperands& next) {
    if (left-- <= 0) {
      quiet = random.chance(20);
      left = random.between(1, quiet ? 60 : 12);
      mode = random.chance(60) || quiet ? ArrayMode::accumulate : any_mode();
      load_percent = quiet ? 0 : 50 * random.between(0, 2);  // none, any pattern, all
      dataflow = members[static_cast<std::size_t>(
          random.between(0, static_cast<int>(members.size()) - 1))];
    }
    const auto value = [&] { return quiet || random.chance(10) ? std::int8_t{0} : random.int8(); };
    for (auto& v : next.activations) v = value();
    for (auto& v : next.weights) v = value();
    const bool lone = quiet && random.chance(3);
    next.dataflow = dataflow;
    next.mode = lone ? any_mode() : mode;
    next.load = random.chance(lone ? 50 : load_percent);
    next.swap = random.chance(lone ? 50 : quiet ? 0 : 15);
    next.shift = random.chance(lone ? 50 : quiet ? 0 : 30);
  });
  FlatArray flat(shape);
  for (int cycle = 0; cycle < cycles; ++cycle) {
    const ArrayOperands& in = pes.entering();
    flat.core.step(flat.state.cycle(), in.activations.data(), in.weights.data(),
                   {in.dataflow, in.mode, in.load, in.swap, in.shift});
    flat.state.clock_edge();
    pes.run(1);
    const std::string wrong = first_difference(flat, pes, shape);
    if (!wrong.empty()) return fmt::format("cycle {}: {}", cycle + 1, wrong);
    for (int c = 0; c < shape.columns; ++c) {
      if (shape.has(Dataflow::os) && flat.core.top(flat.state.now())[c] != pes.top(c)) {
        return "sums at the top";
      }
      if (!shape.folds()) continue;
      if (flat.core.aligned(flat.state.now())[c] != pes.aligned(c)) return "aligned sums";
    }
  }
  return "";
}

class EachVariant : public testing::TestWithParam<test::ArrayVariant> {};

TEST_P(EachVariant, FlatCoreEqualsOneModuleAPeInEveryRegisterAndCycle) {
  std::uint64_t seed = 1;
  for (int rows = 1; rows <= 9; ++rows) {
    for (int columns = 1; columns <= 9; ++columns) {
      const ArrayShape shape = GetParam().shape(rows, columns);
      EXPECT_EQ(test::in_child([&] { return compare(shape, seed, 500); }), "")
          << rows << "x" << columns << " seed " << seed;
      ++seed;
    }
  }
}

TEST_P(EachVariant, FlatCoreEqualsOneModuleAPeOnLongThinArrays) {
  for (const auto& [rows, columns] : {std::pair{40, 3}, {3, 40}, {17, 33}}) {
    const ArrayShape shape = GetParam().shape(rows, columns);
    EXPECT_EQ(test::in_child([&] { return compare(shape, 7, 400); }), "") << rows << "x" << columns;
  }
}

INSTANTIATE_TEST_SUITE_P(PeArray, EachVariant, testing::ValuesIn(test::kVariants),
                         [](const auto& p) { return p.param.name(); });

}  // namespace
}  // namespace sagitta
