#include "cost/storage.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <optional>
#include <stdexcept>

#include "cost/flip_flop_rules.h"
#include "schedule/dataflow_use.h"

namespace sagitta {
namespace {

// The path without indices: "array.pe.acc", whichever copy of the array it is in.
std::string plain(const std::string& indexed) {
  const std::string path = as_first_array(indexed);
  std::string text;
  int depth = 0;
  for (const char c : path) {
    if (c == '[') ++depth;
    if (depth == 0) text += c;
    if (c == ']') --depth;
  }
  return text;
}

// In the layers of one dataflow.
double count_loads(Loads loads, const Program& program, const Activity& activity, Dataflow member) {
  const double rows = program.array.rows;
  const double columns = program.array.columns;
  const auto of = [&](Event event) { return activity.of(event, member); };
  switch (loads) {
    case Loads::rows:
      return of(Event::row_feed) / rows;
    case Loads::lanes:
      return of(Event::lane_feed) / columns;
    case Loads::sums:
      return (of(Event::mac) + of(Event::shift)) / (rows * columns);
    case Loads::handed_over:
      return (of(Event::lane) + of(Event::shift)) / (rows * columns);
    case Loads::column_sums:
      return (of(Event::row_feed) + of(Event::row_shift)) / rows;
    case Loads::folded:
      return of(Event::folded) / columns;
    case Loads::vectors:
      return of(Event::lane) / columns;
    case Loads::leaving:
      return of(Event::leaving);
    case Loads::products:
      return (of(Event::requantised) + of(Event::tap_lane)) / columns;
    case Loads::outputs:
      return of(Event::output) / columns;
    case Loads::pool:
      return of(Event::pool_lane) / columns;
    case Loads::feed:
      return of(Event::feed);
    case Loads::row_tile:
      return of(Event::row_tile) + of(Event::column_tile);
    case Loads::column_tile:
      return of(Event::column_tile);
    case Loads::setup_lane:
      return of(Event::setup_lane);
    case Loads::layer:
      return of(Event::layer);
    case Loads::beat:
      return of(Event::beat);
    case Loads::wide_read:
      return of(Event::pool_tap) + of(Event::store_beat);
    case Loads::store_beat:
      return of(Event::store_beat);
    case Loads::channel:
      return of(Event::leaving);
    case Loads::differences:
      return (of(Event::lane_feed) + of(Event::lane)) / columns;
    case Loads::control:
      return of(Event::active_cycle) / 8;
  }
  return of(Event::cycle);
}

// Of a class that is as long as the widest dataflow of a mixture needs, the part that layers of
// this one use: its share of the lanes, or all or nothing of the registers of one lane.
double part_in_use(const std::string& register_path, const ArrayShape& array, Dataflow member) {
  const std::string path = as_first_array(register_path);
  const auto part = [&path](int used, int built) {
    const std::size_t lane = path.find('[') + 1;
    if (path[lane] != ']') return std::stoi(path.substr(lane)) < used ? 1.0 : 0.0;
    return static_cast<double>(used) / built;
  };
  if (path.starts_with("array.skew_a") || path.starts_with("memory.activation.read") ||
      path.starts_with("control.position")) {
    return part(array.activation_lanes(member), array.activation_lanes());
  }
  if (path.starts_with("array.skew_b") || path.starts_with("memory.weight.read")) {
    return part(array.weight_lanes(member), array.weight_lanes());
  }
  return 1;
}

struct Weights {
  double rows = 0;        // of weights, over all column tiles
  double parameters = 0;  // bytes
  double bounds = 0;      // bytes of bounds a neuron
};

Weights delivered(const Program& program) {
  const int stride = program.weight_stride();
  const int lanes = program.array.columns;
  Weights w;
  for (const Transfer& t : program.transfers) {
    if (t.is_image) continue;
    const std::int64_t rows = (t.size - t.header) / stride;
    w.rows += static_cast<double>(rows);
    const std::int64_t bounds = program.parameters.neuron_words == 0
                                    ? 0
                                    : t.header - program.parameters.header_bytes(lanes);
    w.parameters += static_cast<double>(t.header - bounds);
    w.bounds += static_cast<double>(bounds);
  }
  return w;
}

}  // namespace

std::string block_of(const RegisterClass& registers) {
  const std::string path = as_first_array(registers.path);
  return path.substr(0, path.find('.'));
}

std::string unit_of(const RegisterClass& registers) {
  std::string path = plain(registers.path);
  const std::size_t first = path.find('.');
  if (first == std::string::npos) return path;
  return path.substr(first + 1, path.find('.', first + 1) - first - 1);
}

namespace {

// Of a checker: its bounds are reloaded with the parameters that they lie among.
std::optional<Rule> checker_rule(const std::string& path, const Program& program, bool is) {
  const Protection& p = program.protection;
  for (std::size_t i = 0; i < p.checkers.size(); ++i) {
    const std::string block = "resilience." + checker_name(p, i) + ".";
    if (!path.starts_with(block)) continue;
    const bool outputs = p.checkers[i].position == Position::output;
    if (path == block + "open") return Rule{"", Loads::control, true};
    const Loads each = outputs ? Loads::outputs : Loads::vectors;
    if (path != block + "low" && path != block + "high") return Rule{"", each, true};
    if (p.checkers[i].granularity == Granularity::neuron) return Rule{"", Loads::vectors, true};
    const bool with_channel = is && p.checkers[i].granularity == Granularity::channel;
    return Rule{"", with_channel ? Loads::channel : Loads::column_tile, true};
  }
  return std::nullopt;
}

// As layers of one dataflow use the class.
FlipFlopRule rule_in(const RegisterClass& registers, const Program& program,
                     const Activity& activity, Dataflow member) {
  const std::string path = plain(registers.path);
  const bool is = member == Dataflow::is;
  const auto finds = [&path](const Rule& rule) { return path.starts_with(rule.prefix); };
  const Rule* found = std::find_if(std::begin(kInputRules), std::end(kInputRules), finds);
  bool known = is && found != std::end(kInputRules);
  if (!known) {
    found = std::find_if(std::begin(kRules), std::end(kRules), finds);
    known = found != std::end(kRules);
  }
  // A sticky bit: an OR gate in place of an enable, and it is hardly ever new.
  if (path.ends_with(".uncorrected")) return {true, false, 0};
  const std::optional<Rule> of_checker = checker_rule(path, program, is);
  if (!known && !of_checker) return {false, true, activity.of(Event::cycle, member)};
  const Rule& rule = of_checker ? *of_checker : *found;
  // A valid bit is new in every cycle; it has nothing to hold. A stationary operand has. The
  // checksum column of a mixture keeps it in `b` whichever it is.
  const bool renamed = program.array.mixed() && path.starts_with("resilience.checksum");
  const std::string stays = is && !renamed ? ".pe.a" : ".pe.b";
  const double part = part_in_use(registers.path, program.array, member);
  if (member != Dataflow::os && path.ends_with(stays)) {
    return {true, true, part * count_loads(Loads::lanes, program, activity, member)};
  }
  const bool enable = rule.enable && !path.ends_with(".valid");
  return {true, enable, part * count_loads(rule.loads, program, activity, member)};
}

}  // namespace

FlipFlopRule flip_flop_rule(const RegisterClass& registers, const Program& program,
                            const Activity& activity) {
  const std::string path = plain(registers.path);
  FlipFlopRule all{true, false, 0};
  for (const Dataflow member : {Dataflow::os, Dataflow::ws, Dataflow::is}) {
    if (!program.array.has(member)) continue;
    if (program.array.mixed() && !used_in(path, member)) continue;
    const FlipFlopRule rule = rule_in(registers, program, activity, member);
    all.known = all.known && rule.known;
    all.enable = all.enable || rule.enable;
    all.loads += rule.loads;
  }
  return all;
}

namespace {

// The path of the words whose check bits these are, or its own.
std::string words_of(const std::string& path) {
  for (const std::string end : {".byte_check", "_check"}) {
    if (path.ends_with(end)) return path.substr(0, path.size() - end.size());
  }
  return path;
}

// Accesses to words of `bits` without their check bits.
std::vector<SramAccess> word_accesses(const std::string& path, int bits, const Program& program,
                                      const Activity& activity) {
  const int all_lanes = bits * program.array.columns;
  const int beat = 8 * program.memory.dram_bytes_per_cycle;
  const double runs = activity.inferences();
  const auto of = [&](Event event) { return activity.of(event); };
  const auto in = [&](Event event, Dataflow member) { return activity.of(event, member); };
  const auto of_others = [&](Event event) {  // than is
    return in(event, Dataflow::os) + in(event, Dataflow::ws);
  };
  const auto stored = [&](bool here) { return here ? of(Event::store_beat) * all_lanes : 0; };
  if (path == "memory.activation.map.element") {
    const auto image = static_cast<double>(program.transfers.front().size);
    const SramAccess results{true, of(Event::output) * bits, all_lanes};
    const SramAccess beats{true, runs * image * 8, beat};
    if (program.memory.activation_banks > 0) {  // whole words, whoever reads them
      const int word = bits * program.memory.activation_port_bytes;
      return {{false, of(Event::word) * word, word}, results, beats};
    }
    // A padding tap is charged as a read: the counters do not tell them apart.
    const double reads = of_others(Event::row_feed) + in(Event::lane_feed, Dataflow::is);
    return {{false, reads * bits, bits},
            {false, of(Event::pool_tap) * all_lanes + stored(!program.raw_output), all_lanes},
            results,
            beats};
  }
  if (path == "memory.weight.bank.row.lane") {
    const int row = bits * program.array.weight_lanes();
    // A stationary weight is read once a part, a moving one once a row tile.
    const double moving = in(Event::feed, Dataflow::os) + in(Event::feed, Dataflow::is);
    const double reads = in(Event::lane_feed, Dataflow::ws) * bits + moving * row;
    return {{false, reads, row}, {true, runs * delivered(program).rows * row, beat}};
  }
  if (path == "memory.parameter.bank.lane.word" || path == "memory.parameter.bank.tile_word") {
    // One memory, declared in two parts: its writes are shared out by their words.
    const ParameterFormat& format = program.parameters;
    const bool lanes = path.ends_with("lane.word");
    const int width = bits * (lanes ? format.lane_words : format.tile_words);
    const double read = lanes ? of_others(Event::setup_lane) + in(Event::leaving, Dataflow::is)
                              : of(Event::column_tile);
    const double tile_bytes =
        4.0 * format.tile_words * static_cast<double>(program.transfers.size() - 1);
    const double all = delivered(program).parameters;
    return {{false, read * width, width},
            {true, runs * 8 * (lanes ? all - tile_bytes : tile_bytes), beat}};
  }
  if (path == "memory.partial.row.lane") {
    return {{false, of(Event::partial_read) * bits, all_lanes},
            {true, of(Event::partial_write) * bits, all_lanes}};
  }
  if (path == "memory.vote.bank.row.lane") {
    // Of three passes two write, and each reads both rows for the vote of the last one.
    const double rows = of(Event::leaving) * all_lanes;
    return {{false, 2 * rows, all_lanes}, {true, rows * 2 / 3, all_lanes}};
  }
  if (path == "resilience.columns.buffer.row.word") {
    const int row = bits * (program.array.columns + 2);  // with an address and a difference
    const double rows = of(Event::leaving) * row;
    return {{false, rows, row}, {true, rows, row}};
  }
  if (path == "memory.accumulator.word") {
    return {{false, stored(true), all_lanes}, {true, of(Event::raw) * bits, all_lanes}};
  }
  if (path == "resilience.checksum.partial.row") {
    const double columns = program.array.columns;  // one a vector, where the others have C
    return {{false, of(Event::partial_read) / columns * bits, bits},
            {true, of(Event::partial_write) / columns * bits, bits}};
  }
  if (path == "resilience.checksum.weight.bank.row") {
    const double reads =
        in(Event::lane_feed, Dataflow::ws) / program.array.columns + in(Event::feed, Dataflow::os);
    return {{false, reads * bits, bits}, {true, runs * delivered(program).rows * bits, bits}};
  }
  throw std::logic_error("the cost model has no rule for the memory " + path);
}

// Bits of a word of the memory, and its check bits.
struct WordBits {
  int data = 0, check = 0;
};
WordBits word_bits(const std::string& path, const Program& program) {
  const MemoryCode code = program.protection.memory_code;
  const int byte = WordCode(code, 8).check_bits();
  if (path == "memory.activation.map.element" || path == "memory.weight.bank.row.lane") {
    return {8, byte};
  }
  if (path.starts_with("memory.parameter")) return {32, 4 * byte};
  if (path == "resilience.checksum.weight.bank.row") {
    const auto sum = 8 + std::bit_width(static_cast<unsigned>(program.array.columns - 1));
    return {static_cast<int>(sum), sum > 8 ? 2 * byte : byte};
  }
  return {32, WordCode(code, 32).check_bits()};
}

}  // namespace

std::vector<SramAccess> sram_accesses(const RegisterClass& registers, const Program& program,
                                      const Activity& activity) {
  const std::string own = plain(registers.path);
  if (own.find(".line.") != std::string::npos) {  // of maps: each vector is written and read once
    const int width = registers.width * static_cast<int>(registers.elements() / program.map_pixels);
    const double bits = activity.of(Event::map_vector) * width;
    return {{false, bits, width}, {true, bits, width}};
  }
  if (own.find(".bounds.") != std::string::npos) {  // a neuron: a row is read beside each vector
    const int words = registers.extents.back();
    const int row = registers.width * program.array.columns * words;
    const double written = delivered(program).bounds * words / program.parameters.neuron_words;
    // Raw sums are not requantised: none of them passes a checker of outputs.
    const bool passes = !program.raw_output || words == 2;
    const double vectors = passes ? activity.of(Event::leaving) / program.protection.passes : 0;
    return {{false, vectors * row, row},
            {true, activity.inferences() * written * 8, 8 * program.memory.dram_bytes_per_cycle}};
  }
  const std::string path = words_of(own);
  const WordBits word = word_bits(path, program);
  auto accesses = word_accesses(path, word.data, program, activity);
  // Check bits travel with their word: each access is that much wider.
  const double beside = static_cast<double>(word.check) / word.data;
  for (SramAccess& a : accesses) {
    if (own != path) a.bits *= beside;
    a.width = static_cast<int>(std::lround(a.width * (1 + beside)));
  }
  return accesses;
}

double hardened_bits(const RegisterClass& registers, const Program& program) {
  const auto found = program.protection.hardened_bits.find(registers.path);
  return found == program.protection.hardened_bits.end() ? 0 : static_cast<double>(found->second);
}

double memory_bits(const RegisterClass& registers, const std::vector<RegisterClass>& all) {
  const std::string path = words_of(plain(registers.path));
  double bits = 0;
  for (const RegisterClass& r : all) {
    if (r.storage == Storage::sram && words_of(plain(r.path)) == path) {
      bits += static_cast<double>(r.bits());
    }
  }
  return bits;
}

int sram_banks(const RegisterClass& registers, const Program& program) {
  if (words_of(plain(registers.path)) != "memory.activation.map.element") return 2;
  const int banks = program.memory.activation_banks;
  return 2 * (banks > 0 ? banks : program.array.rows);
}

}  // namespace sagitta
