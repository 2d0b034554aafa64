// Machines with random programs, schemes and faults, and how to run and compare them.
#pragma once

#include <algorithm>
#include <cstring>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "fault/injector.h"
#include "fault/site.h"
#include "machine/machine.h"
#include "schedule/program.h"
#include "support/random_network.h"

namespace sagitta::test {

inline Bounds random_bounds(Random& random) {
  const int centre = random.between(-60'000, 60'000);
  return {centre - random.between(0, 120'000), centre + random.between(0, 120'000)};
}

// Of outputs: what nine bits hold, beyond the values now and then.
inline Bounds random_output_bounds(Random& random) {
  const int low = random.between(-200, 100);
  return {low, std::min(255, low + random.between(0, 250))};
}

// Bounds that suppress a good part of the values of any layer. A gate of outputs needs no checksum.
inline Checker random_checker(Random& random, const Network& network, CheckerKind kind,
                              bool checksum, Position position = Position::sum) {
  Checker c{.kind = kind};
  c.position = position;
  c.granularity = random.chance(50) ? Granularity::layer : Granularity::channel;
  if (checksum && random.chance(60)) c.gate = random.chance(60) ? Gate::row : Gate::layer;
  if (kind == CheckerKind::median) return c;
  c.spike = kind == CheckerKind::gradient && random.chance(50);
  if (kind == CheckerKind::range) c.suppress = random.chance(50) ? Suppress::zero : Suppress::clamp;
  if (kind == CheckerKind::gradient) {
    constexpr Suppress kAll[] = {Suppress::zero, Suppress::clamp, Suppress::mean, Suppress::hold};
    c.suppress = kAll[random.between(0, 3)];
  }
  for (const Layer& layer : network.layers) {
    if (layer.kind != LayerKind::gemm) continue;
    LayerBounds b{layer.name, {}};
    const int count = c.granularity == Granularity::layer ? 1 : layer.columns();
    for (int i = 0; i < count; ++i) {
      b.bounds.push_back(position == Position::sum ? random_bounds(random)
                                                   : random_output_bounds(random));
    }
    c.layers.push_back(b);
  }
  return c;
}

// Some checkers of lanes get bounds a neuron, where the machine can have them. Draws nothing, as
// random_code; tiles then run once or three times.
inline void random_neurons(Random random, const Network& network, const ArrayShape& array,
                           Protection& p) {
  if (array.has(Dataflow::is)) return;
  for (Checker& c : p.checkers) {
    if (!c.has_bounds() || c.axis != Axis::lanes || !random.chance(30)) continue;
    c.granularity = Granularity::neuron;
    c.layers.clear();
    for (const Layer& layer : network.layers) {
      if (layer.kind != LayerKind::gemm) continue;
      auto& bounds = c.layers.emplace_back(LayerBounds{layer.name, {}}).bounds;
      for (int i = 0; i < layer.rows() * layer.columns(); ++i) {
        bounds.push_back(c.position == Position::sum ? random_bounds(random)
                                                     : random_output_bounds(random));
      }
    }
    p.retries = 0;  // their rows are counted once
    p.memory_code = MemoryCode::none;
  }
}

// Now and then copies within PEs, of the whole array, or both.
inline void random_copies(Random& random, Protection& protection) {
  constexpr PeCopies kPe[] = {PeCopies::registers, PeCopies::all};
  if (random.chance(30)) protection.pe_copies = kPe[random.between(0, 1)];
  if (random.chance(30)) protection.arrays = random.between(2, 3);
}

// Often checksums of columns beside those of rows, where the machine can have them. Draws nothing,
// as random_code.
inline void random_columns(Random random, const ArrayShape& array, Protection& p) {
  const bool may = p.checksum && array.only(Dataflow::os) && !array.overlap && p.arrays != 2;
  if (!may || p.passes > 1 || random.chance(40)) return;
  p.column_checksum = true;
  p.correct = random.chance(60);
}
// Gates of rows and layers in front of sums, often of cells instead.
inline void random_cells(Random random, Protection& p) {
  if (p.maps() > 0) return;
  for (Checker& c : p.checkers) {
    const bool may = p.column_checksum && c.position == Position::sum && c.gate != Gate::always;
    if (may && random.chance(60)) c.gate = Gate::cell;
  }
}

// Sometimes a detector, and then often tiles that run again, where the array can do that.
inline void random_detector(Random& random, const ArrayShape& array, Protection& p) {
  random_copies(random, p);
  p.checksum = random.chance(50);
  const int retries = random.chance(50) ? 0 : random.between(1, 3);
  if (array.overlap && array.has(Dataflow::os)) return;
  if (p.detects()) p.retries = retries;
  if (random.chance(15)) p.passes = 3;
  random_columns(random, array, p);
}

inline Protection random_scheme(Random& random, const Network& network, const ArrayShape& array) {
  Protection p;
  random_detector(random, array, p);
  const int checkers = random.chance(40) ? 0 : random.between(1, 3);
  for (int i = 0; i < checkers; ++i) {
    constexpr CheckerKind kKinds[] = {CheckerKind::range, CheckerKind::gradient,
                                      CheckerKind::median};
    const CheckerKind kind = kKinds[random.between(0, 2)];
    p.checkers.push_back(random_checker(random, network, kind, p.checksum));
  }
  random_cells(random, p);
  // Now and then some of outputs behind them.
  if (!random.chance(30)) return p;
  for (int i = random.between(1, 2); i > 0; --i) {
    constexpr CheckerKind kKinds[] = {CheckerKind::range, CheckerKind::gradient,
                                      CheckerKind::median};
    const CheckerKind kind = kKinds[random.between(0, 2)];
    const bool gated = random.chance(50);
    p.checkers.push_back(random_checker(random, network, kind, gated, Position::output));
  }
  return p;
}

// Now and then check bits in the memories, but for the buffers of a tile's sums, which have none.
// Draws nothing: the same seed goes on to the same machine.
inline MemoryCode random_code(Random random, const Protection& p) {
  if (p.passes > 1 || p.column_checksum) return MemoryCode::none;
  return random.chance(60)   ? MemoryCode::none
         : random.chance(50) ? MemoryCode::parity
                             : MemoryCode::secded;
}

// Now and then banks of activations, few or many, with narrow or wide words.
inline void random_banks(Random& random, MemoryShape& memory) {
  if (random.chance(50)) return;
  memory.activation_banks = 1 << random.between(0, 5);
  memory.activation_port_bytes = random.chance(20) ? 0 : 1 << random.between(0, 4);
}

inline MemoryShape random_memory(Random& random) {
  MemoryShape memory;
  random_banks(random, memory);
  memory.dram_latency = random.between(0, 20);
  memory.dram_bytes_per_cycle = random.between(1, 40);
  memory.dma_queue = random.between(1, 3);
  return memory;
}

// Where an operand is stationary, with so few partial sums that many layers are worked off in parts
// (ws) or in several column tiles (is).
inline MemoryShape random_memory(Random& random, const ArrayShape& array) {
  MemoryShape memory = random_memory(random);
  if (array.folds()) memory.partial_rows = random.between(0, 9);
  return memory;
}

inline constexpr Dataflow kDataflows[] = {Dataflow::os, Dataflow::ws, Dataflow::is};

// What an array can be besides its size.
struct ArrayVariant {
  Dataflow dataflow;
  bool overlap;
  bool mixed_ws = false, mixed_is = false;  // further dataflows, each of some layers

  ArrayVariant with_overlap(bool on) const { return {dataflow, on, mixed_ws, mixed_is}; }
  // `seed` and size decide which layers of a random network have which dataflow.
  ArrayShape shape(int rows, int columns, std::uint64_t seed = 0) const {
    ArrayShape array{rows, columns, dataflow, overlap};
    std::vector<Dataflow> members{dataflow};
    if (mixed_ws) members.push_back(Dataflow::ws);
    if (mixed_is) members.push_back(Dataflow::is);
    if (members.size() == 1) return array;
    Random random(seed * 65'536 + static_cast<std::uint64_t>(rows) * 256 +
                  static_cast<std::uint64_t>(columns));
    for (int i = 0; i < kMostRandomLayers; ++i) {
      array.layer_dataflows["gemm" + std::to_string(i)] = members[static_cast<std::size_t>(
          random.between(0, static_cast<int>(members.size()) - 1))];
    }
    return array;
  }
  std::string name() const {
    return std::string(to_string(dataflow)) + (mixed_ws ? "Ws" : "") + (mixed_is ? "Is" : "") +
           (overlap ? "Overlap" : "");
  }
};
// GoogleTest's way of showing a parameter.
inline void PrintTo(const ArrayVariant& variant, std::ostream* out) {
  *out << variant.name();
}

// Without overlap: each dataflow, and mixtures.
inline constexpr ArrayVariant kFlows[] = {{Dataflow::os, false},
                                          {Dataflow::ws, false},
                                          {Dataflow::is, false},
                                          {Dataflow::os, false, true, false},
                                          {Dataflow::os, false, true, true}};

inline constexpr ArrayVariant kVariants[] = {{Dataflow::os, false},
                                             {Dataflow::ws, false},
                                             {Dataflow::is, false},
                                             {Dataflow::os, true},
                                             {Dataflow::ws, true},
                                             {Dataflow::is, true},
                                             {Dataflow::os, false, true, false},
                                             {Dataflow::os, true, true, false},
                                             {Dataflow::os, false, true, true},
                                             {Dataflow::os, true, true, true},
                                             {Dataflow::ws, false, false, true}};

// A network (or one bare matrix product), an image and the program for it.
struct MachineCase {
  Program program;
  Network network;                 // no layers for a matrix product
  std::vector<std::int8_t> image;  // as many as the program's batch, one behind the other
};

inline MachineCase random_case(Random& random, const ArrayShape& array) {
  MachineCase c;
  if (random.chance(20)) {
    const int m = random.between(1, 20);
    const int k = random.between(1, 12);
    const int n = random.between(1, 20);
    Protection p;
    random_detector(random, array, p);
    p.memory_code = random_code(random, p);
    c.image = random.int8s(m * k);
    c.program = compile_gemm(m, k, n, random.int8s(k * n), array, random_memory(random, array), p);
    return c;
  }
  c.network = random_network(random);
  const int batch = random.chance(80) ? 1 : random.between(2, 3);
  c.image = random.int8s(batch * c.network.input.elements());
  Protection p = random_scheme(random, c.network, array);
  for (Checker& checker : p.checkers) {
    const bool may = checker.kind == CheckerKind::gradient && !array.has(Dataflow::is);
    if (!may || !random.chance(40)) continue;
    checker.axis = random.chance(50) || p.cells_from(0) ? Axis::line : Axis::map;
    p.retries = 0;  // they take one vector after the other
  }
  p.memory_code = p.maps() > 0 ? MemoryCode::none : random_code(random, p);
  random_neurons(random, c.network, array, p);
  c.program = compile(c.network, array, random_memory(random, array), p, "test", batch);
  return c;
}

// `count` flips of registers chosen class by class, so that small blocks are struck as often as
// large memories.
inline std::vector<Fault> random_faults(Random& random, const SiteMap& sites, std::int64_t cycles,
                                        int count) {
  std::vector<Fault> faults;
  for (int i = 0; i < count; ++i) {
    Fault f;
    f.site.register_class = random.between(0, static_cast<int>(sites.classes().size()) - 1);
    const RegisterClass& c = sites.classes()[static_cast<std::size_t>(f.site.register_class)];
    f.site.element =
        static_cast<std::int64_t>(random.bits() % static_cast<std::uint64_t>(c.elements()));
    f.site.bit = random.between(0, c.width - 1);
    f.cycle = random.between(0, static_cast<int>(cycles) - 1);
    faults.push_back(f);
  }
  return faults;
}

// Runs the machine from where it is, striking on the way; true when done within `budget` cycles.
inline bool run_with(Machine& machine, Injector& injector, std::int64_t budget) {
  for (;;) {
    const std::int64_t at = injector.next_cycle();
    if (at < 0 || at >= budget) return machine.run(budget);
    if (machine.run(at)) return true;
    if (injector.strike(machine.state(), at)) machine.touch();
  }
}

// A copy of the registers of this cycle and of the memories.
inline std::vector<std::byte> state_of(const Machine& machine) {
  const std::size_t pipeline = machine.layout().pipeline_bytes();
  const std::size_t held = machine.layout().held_bytes();
  std::vector<std::byte> copy(pipeline + held);
  std::memcpy(copy.data(), machine.state().now(), pipeline);
  std::memcpy(copy.data() + pipeline, machine.state().held(), held);
  return copy;
}

inline bool same_state(const Machine& x, const Machine& y) {
  const std::size_t pipeline = x.layout().pipeline_bytes();
  const std::size_t held = x.layout().held_bytes();
  return pipeline == y.layout().pipeline_bytes() && held == y.layout().held_bytes() &&
         std::memcmp(x.state().now(), y.state().now(), pipeline) == 0 &&
         std::memcmp(x.state().held(), y.state().held(), held) == 0;
}

inline bool same_counters(const LayerCounters& x, const LayerCounters& y) {
  return std::memcmp(&x, &y, sizeof x) == 0;  // int64 members only: no padding
}

// Everything that a user sees of a run.
inline std::string difference(const Machine& x, const Machine& y) {
  if (x.cycle() != y.cycle()) return "cycle";
  if (x.logits() != y.logits()) return "logits";
  if (x.raw_output() != y.raw_output()) return "raw output";
  if (x.uncorrected() != y.uncorrected()) return "uncorrected";
  const auto& a = x.counters();
  const auto& b = y.counters();
  if (!std::equal(a.begin(), a.end(), b.begin(), b.end(), same_counters)) return "counters";
  const auto same = [](const SuppressionRecord& p, const SuppressionRecord& q) {
    return p.layer == q.layer && p.address == q.address && p.value == q.value;
  };
  const auto& s = x.suppressions();
  const auto& t = y.suppressions();
  if (!std::equal(s.begin(), s.end(), t.begin(), t.end(), same)) return "suppressions";
  return "";
}

}  // namespace sagitta::test
