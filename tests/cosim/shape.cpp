#include "cosim/shape.h"

#include <cmath>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>

#include "base/error.h"
#include "support/machine_cases.h"
#include "support/random_network.h"

namespace sagitta::cosim {
namespace {

void draw_bounds(test::Random& random, const Network& network, Protection& protection) {
  for (Checker& checker : protection.checkers) {
    if (!checker.has_bounds()) continue;
    checker.layers.clear();
    for (const Layer& layer : network.layers) {
      if (layer.kind != LayerKind::gemm) continue;
      LayerBounds b{layer.name, {}};
      const int count = checker.granularity == Granularity::layer     ? 1
                        : checker.granularity == Granularity::channel ? layer.columns()
                                                                      : layer.output.elements();
      for (int i = 0; i < count; ++i) {
        b.bounds.push_back(checker.position == Position::sum ? test::random_bounds(random)
                                                             : test::random_output_bounds(random));
      }
      checker.layers.push_back(b);
    }
  }
}

// As the RTL's parameters CHECKER0 and up say it (rtl/sagitta.sv).
std::optional<Checker> checker_from(int code) {
  constexpr CheckerKind kKinds[] = {CheckerKind::range, CheckerKind::gradient, CheckerKind::median};
  constexpr Suppress kSuppress[] = {Suppress::zero, Suppress::clamp, Suppress::mean,
                                    Suppress::hold};
  if ((code & 3) == 0) return std::nullopt;
  const int gate = code >> 3 & 3;
  return Checker{.kind = kKinds[(code & 3) - 1],
                 .gate = gate == 0   ? Gate::always
                         : gate == 1 ? Gate::row
                         : gate == 2 ? Gate::layer
                                     : Gate::cell,
                 .granularity = (code & 2048) != 0 ? Granularity::neuron
                                : (code & 4) != 0  ? Granularity::channel
                                                   : Granularity::layer,
                 .axis = (code & 1024) != 0  ? Axis::map
                         : (code & 256) != 0 ? Axis::line
                                             : Axis::lanes,
                 .spike = (code & 32) != 0,
                 .suppress = kSuppress[code >> 6 & 3],
                 .layers = {},
                 .position = (code & 512) != 0 ? Position::output : Position::sum};
}

Case random_product(const Shape& shape, const MemoryShape& memory, test::Random& random) {
  std::vector<int> divisors;
  for (int m = 1; m <= shape.raw_words; ++m) {
    if (shape.raw_words % m == 0) divisors.push_back(m);
  }
  const int m =
      divisors[static_cast<std::size_t>(random.between(0, static_cast<int>(divisors.size()) - 1))];
  const int n = shape.raw_words / m;
  const int k = random.between(1, 24);
  Network one;  // for the bounds of its only layer
  one.layers.emplace_back();
  one.layers.back().name = "gemm";
  one.layers.back().output = {1, m, n};
  Protection p = shape.protection;
  draw_bounds(random, one, p);
  Case c;
  c.image = random.int8s(m * k);
  c.program = compile_gemm(m, k, n, random.int8s(k * n), shape.array, memory, p);
  return c;
}

// Some scales are powers of two: other sums than theirs hardly ever lie halfway between two values.
void round_scales(test::Random& random, Network& network) {
  for (Layer& layer : network.layers) {
    for (FixedScale& scale : layer.scale) {
      if (!random.chance(30)) continue;
      scale = to_fixed_scale(std::ldexp(1.0F, -random.between(1, 8)), "cosim");
    }
  }
}

// Every layer with a product takes one of the dataflows. False: not all of them are taken, so that
// this would be a program for another machine.
bool draw_dataflows(test::Random& random, const Network& network,
                    const std::vector<Dataflow>& members, ArrayShape& array) {
  array.layer_dataflows.clear();
  std::set<Dataflow> taken;
  for (const Layer& layer : network.layers) {
    if (layer.kind != LayerKind::gemm) continue;
    const Dataflow drawn =
        members[static_cast<std::size_t>(random.between(0, static_cast<int>(members.size()) - 1))];
    array.layer_dataflows[layer.name] = drawn;
    taken.insert(drawn);
  }
  return taken.size() == members.size();
}

Case random_layers(const Shape& shape, const MemoryShape& memory, test::Random& random) {
  ArrayShape array = shape.array;
  Network network = test::random_network(random);
  if (shape.dataflows.size() > 1) {
    constexpr int kMostLayers = 6;
    do {
      network = test::random_network(random, kMostLayers);
    } while (!draw_dataflows(random, network, shape.dataflows, array));
  }
  round_scales(random, network);
  Protection p = shape.protection;
  draw_bounds(random, network, p);
  Case c;
  const int batch = random.chance(75) ? 1 : random.between(2, 3);
  c.image = random.int8s(batch * network.input.elements());
  c.program = compile(network, array, memory, p, "cosim", batch);
  return c;
}

}  // namespace

Shape parse_shape(const std::string& name, const std::string& parameters) {
  std::map<std::string, int> values{{"FLOWS", 1},
                                    {"OVERLAP", 0},
                                    {"ROWS", 0},
                                    {"COLUMNS", 0},
                                    {"MAPS", 2},
                                    {"COPIES", 1},
                                    {"MACS", 0},
                                    {"ARRAYS", 1},
                                    {"DMA_QUEUE", 0},
                                    {"DRAM_BYTES", 0},
                                    {"ACTIVATION_BYTES", 0},
                                    {"WEIGHT_ROWS", 0},
                                    {"PARTIAL_ROWS", 0},
                                    {"RAW_WORDS", 0},
                                    {"CHECKSUM", 0},
                                    {"COLUMN_CHECKSUM", 0},
                                    {"CORRECT", 0},
                                    {"RETRIES", 0},
                                    {"PASSES", 1},
                                    {"CHECKER0", 0},
                                    {"CHECKER1", 0},
                                    {"CHECKER2", 0},
                                    {"CHECKER3", 0},
                                    {"MAP_PIXELS", 1},
                                    {"BOUND_ROWS", 1},
                                    {"MEMORY_CODE", 0},
                                    {"ACTIVATION_BANKS", 0},
                                    {"ACTIVATION_PORT_BYTES", 0}};
  std::istringstream in(parameters);
  for (std::string pair; in >> pair;) {
    const std::size_t equals = pair.find('=');
    const auto it = values.find(pair.substr(0, equals));
    if (it == values.end()) throw std::runtime_error(name + ": what is " + pair + "?");
    it->second = std::stoi(pair.substr(equals + 1));
  }
  Shape s;
  s.name = name;
  s.array.rows = values.at("ROWS");
  s.array.columns = values.at("COLUMNS");
  for (const Dataflow member : test::kDataflows) {
    if ((values.at("FLOWS") >> static_cast<int>(member) & 1) != 0) s.dataflows.push_back(member);
  }
  s.array.dataflow = s.dataflows.at(0);
  s.array.overlap = values.at("OVERLAP") != 0;
  s.memory.activation_bytes = values.at("ACTIVATION_BYTES");
  s.memory.activation_banks = values.at("ACTIVATION_BANKS");
  s.memory.activation_port_bytes = values.at("ACTIVATION_PORT_BYTES");
  s.memory.weight_rows = values.at("WEIGHT_ROWS");
  s.memory.partial_rows = values.at("PARTIAL_ROWS");
  s.memory.dram_bytes_per_cycle = values.at("DRAM_BYTES");
  s.memory.dma_queue = values.at("DMA_QUEUE");
  if (values.at("COPIES") == 3) {
    s.protection.pe_copies = values.at("MACS") == 1 ? PeCopies::registers : PeCopies::all;
  }
  s.protection.arrays = values.at("ARRAYS");
  s.protection.checksum = values.at("CHECKSUM") != 0;
  s.protection.column_checksum = values.at("COLUMN_CHECKSUM") != 0;
  s.protection.correct = values.at("CORRECT") != 0;
  s.protection.retries = values.at("RETRIES");
  s.protection.passes = values.at("PASSES");
  for (const char* stage : {"CHECKER0", "CHECKER1", "CHECKER2", "CHECKER3"}) {
    if (const auto checker = checker_from(values.at(stage)))
      s.protection.checkers.push_back(*checker);
  }
  s.protection.memory_code = static_cast<MemoryCode>(values.at("MEMORY_CODE"));
  s.map_pixels = values.at("MAP_PIXELS");
  s.bound_rows = values.at("BOUND_ROWS");
  s.raw_words = values.at("RAW_WORDS");
  s.maps = values.at("MAPS");
  return s;
}

// A pure function of seed and cycle, so that every machine that runs the case sees the same DRAM.
bool Case::dram_ready(std::int64_t cycle) const {
  if (ready_percent == 100) return true;
  Stream stream(stall_seed, static_cast<std::uint64_t>(cycle), Purpose::test);
  return stream.below(100) < static_cast<std::uint64_t>(ready_percent);
}

Case random_case(const Shape& shape, std::uint64_t seed) {
  constexpr int kReadyPercents[] = {100, 100, 90, 50, 20};
  test::Random random(seed);
  for (;;) {
    MemoryShape memory = shape.memory;
    memory.dram_latency = random.between(0, 20);
    const int ready = kReadyPercents[random.between(0, 4)];
    try {
      Case c = shape.raw_words > 0 ? random_product(shape, memory, random)
                                   : random_layers(shape, memory, random);
      if (c.program.activation_maps > shape.maps) continue;
      c.program.activation_maps = shape.maps;  // the others stay empty
      if (c.program.map_pixels > shape.map_pixels && shape.protection.maps() > 0) continue;
      c.program.map_pixels = shape.map_pixels;
      if (c.program.bound_rows > shape.bound_rows && shape.protection.neuron_words() > 0) continue;
      c.program.bound_rows = shape.bound_rows;
      c.stall_seed = seed;
      c.ready_percent = ready;
      return c;
    } catch (const InputError&) {
      // Does not fit the shape's memories: another draw.
    }
  }
}

}  // namespace sagitta::cosim
