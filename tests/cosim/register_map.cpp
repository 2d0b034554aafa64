#include "cosim/register_map.h"

#include <algorithm>
#include <cstring>
#include <regex>
#include <stdexcept>

#include <fmt/format.h>

namespace sagitta::cosim {
namespace {

struct Alias {
  const char* pattern;  // of a class's path
  const char* replacement;
};

// Paths whose registers lie elsewhere than the rules say; every rule that matches is applied, in
// order.
const Alias kAliases[] = {
    // Named blocks and instances between a path's components.
    {R"(^control\.(row|column|position)\[\])", "control.sequencer.positions.position[]"},
    {R"(^control\.next_row\[\])", "control.sequencer.positions.next_row[].held"},
    {R"(^control\.tag)", "control.sequencer.issued.tags.tag"},
    {R"(^(control\.sequencer)\.(layer|weight_bank|column_tile|first_column|group_.*)$)",
     "$1.tiles.$2"},
    {R"(^(control\.sequencer)\.first_depth$)", "$1.folds.phases.first_depth"},
    {R"(^(control\.sequencer)\.(tap_[yx]|tap_address|kernel_[yx]|channel)$)", "$1.taps.$2"},
    {R"(^(control\.sequencer)\.((walk|part)_(y|x|address))$)", "$1.walker.$2"},
    {R"(^(control\.sequencer)\.mode1$)", "$1.issued.modes.mode1"},
    {R"(^(control\.sequencer)\.(drain1|drain_address1)$)", "$1.issued.rows.$2"},
    {R"(^(control\.sequencer)\.(drain_wait|drain_left)$)", "$1.outputs.phases.behind.$2"},
    {R"(^(control\.sequencer)\.ahead$)", "$1.folds.phases.behind.ahead"},
    {R"(^(control\.sequencer)\.tag1$)", "$1.issued.tags.tag1"},
    {R"(^(control\.sequencer)\.((mode|drain|param|pool|store|load|swap)(_address|_lane)?[12])$)",
     "$1.issued.$2"},
    {R"(^memory\.activation\.pending)", "memory.activation.banks.arbiter.pending"},
    {R"(^memory\.parameter\.(bank\[\]\.tile|tile))", "memory.weight.parameter_.tile.$1"},
    {R"(^memory\.parameter\.(bank\[\]\.lane|lane))", "memory.weight.parameter_.$1"},
    {R"(^memory\.parameter\.wait\[(\d+)\]\[\])",
     "memory.weight.parameter_.wait_[$1].waits.line.stage[]"},
    {R"(^memory\.partial\.)", "memory.sums.partial."},
    {R"(^memory\.vote\.)", "memory.votes.vote."},
    {R"(^memory\.accumulator\.)", "memory.raw_results.accumulator."},
    {R"(^(array\w*)\.pe\[\]\[\]\.)", "$1.pe[].flows.unit."},
    {R"(^(array\w*)\.load\[(\d+)\])", "$1.downwards.load[$2].delayed.enable"},
    {R"(^(array\w*)\.deskew)", "$1.downwards.deskew"},
    {R"(^array_2\.)", "further[1].array."},
    {R"(^array_3\.)", "further[2].array."},
    {R"(^resilience\.comparator)", "resilience.copies.comparator"},
    {R"(^resilience\.checksum\.weight\.)", "memory.weight.checksum."},
    {R"(^resilience\.checksum\.wait\[\])", "resilience.checksum.from_partial.wait_.stage[]"},
    {R"(^resilience\.checksum\.partial\.)", "resilience.checksum.from_partial.partial."},
    {R"(^resilience\.checksum\.expected\[(\d+)\])", "resilience.checksum.expected[$1].value"},
    {R"(^resilience\.checksum\.input_tree\[(\d+)\])",
     "resilience.checksum.inputs.input_tree[$1].later.entry"},
    {R"(^resilience\.checksum\.(late_weight|late_load))",
     "resilience.checksum.inputs.delayed.$1.stage"},
    {R"(^resilience\.checksum\.late_swap)",
     "resilience.checksum.inputs.delayed.swaps.late_swap.stage"},
    {R"(^resilience\.checksum\.pe\[\]\.)", "resilience.checksum.pe[].unit."},
    {R"(^resilience\.checksum\.tree\[(\d+)\])", "resilience.checksum.tree[$1].later.entry"},
    {R"(^resilience\.checksum\.delay\[(\d+)\])", "resilience.checksum.delay[$1].later.stage"},
    {R"(^(resilience\.(?:range|gradient)\w*)\.(low|high))", "$1.bounds.$2"},
    {R"(^(resilience\.(?:range|gradient|median)\w*)\.open)", "$1.gate.sticky.open"},
    {R"(^resilience\.checksum)", "resilience.detector.checksum"},
    {R"(^resilience\.columns\.(tree|total|flagged)\[(\d+)\])",
     "resilience.columns.$1[$2].later.entry"},
    {R"(^resilience\.columns\.weight)", "resilience.columns.delayed.weight.stage"},
    {R"(^resilience\.columns\.read\.(sum|address|valid))", "resilience.columns.read.stage.$1"},
    {R"(^resilience\.columns)", "resilience.waits.columns"},
    {R"(\.(\w+)\.cell\[\]$)", ".$1_cell.travels.held[]"},
    {R"(^vector\.output\.check$)", "vector.output.checked.check"},
    {R"(^resilience\.recompute\.(failed|attempt)$)", "resilience.recompute.retries.$1"},
    {R"(^resilience\.recompute)", "resilience.tiles.recompute"},
    {R"(^vector\.requantise\.shift$)", "vector.requantise.shift_moves.shift"},
    // Delay lines, one a lane.
    {R"((skew|skew_a|skew_b|skew_swap|deskew)\[(\d+)\]\[\]$)", "$1[$2].delayed.line.stage[]"},
    // Copies of a register are one vector.
    {R"(\.copy\[\]$)", "[]"},
    // Keywords.
    {R"(\.(wait|output|config|parameter|edge)(\.|$))", ".$1_$2"},
};

// Checkers are known by their place in the chain.
std::string with_stage(const std::string& path, const Protection& protection) {
  for (std::size_t i = 0; i < protection.checkers.size(); ++i) {
    const std::string block = "resilience." + checker_name(protection, i) + ".";
    if (!path.starts_with(block)) continue;
    const Checker& checker = protection.checkers[i];
    const bool line = checker.axis == Axis::line;
    const bool map = checker.axis == Axis::map;
    const char* module = checker.kind == CheckerKind::range    ? "value.range"
                         : checker.kind == CheckerKind::median ? "filter.median"
                         : map                                 ? "in_map.gradient"
                         : line                                ? "along_line.gradient"
                                                               : "neighbours.gradient";
    std::string rest = path.substr(block.size());
    if (const std::string memory = "bounds.";
        rest.starts_with(memory + "bank[]") || rest == memory + "row") {
      return fmt::format("resilience.stage[{}].each_neuron.memory.{}", i,
                         rest.substr(memory.size()));
    }
    if (checker.kind == CheckerKind::gradient) {  // stages that hold more than a sum
      static const std::regex lanes(R"(^(difference|compare)\.(sum|address|valid|flag))");
      static const std::regex lines(R"(^(latch|difference)\.(sum|address|valid|flag))");
      static const std::regex maps(R"(^(difference|below|above)\.(sum|address|valid|flag))");
      rest = std::regex_replace(rest, map ? maps : line ? lines : lanes, "$1.stage.$2");
      rest =
          std::regex_replace(rest, std::regex(R"(^above\.(previous|first))"), "above.neighbour.$1");
      rest = std::regex_replace(rest, std::regex(R"(^line\[\]\.flag)"), "flags.line[].flag");
      rest =
          std::regex_replace(rest, std::regex(R"(^compare\.(low|high))"), "compare.holds.held.$1");
      if (line)
        rest = std::regex_replace(rest, std::regex(R"(^compare\.previous)"), "memory.previous");
    }
    return fmt::format("resilience.stage[{}].{}.{}", i, module, rest);
  }
  return path;
}

std::string rtl_path(const std::string& path, const Protection& protection) {
  static const std::vector<std::pair<std::regex, std::string>> aliases = [] {
    std::vector<std::pair<std::regex, std::string>> compiled;
    for (const Alias& a : kAliases) compiled.emplace_back(a.pattern, a.replacement);
    return compiled;
  }();
  std::string out = path;
  for (const auto& [pattern, replacement] : aliases) {
    out = std::regex_replace(out, pattern, replacement);
  }
  if (out.ends_with("_check[]")) {  // check bits, which are there with a code only
    const std::size_t first = out.rfind('.', out.find('['));
    out.insert(first + 1, "code.");
  }
  return with_stage(out, protection);
}

std::vector<std::string> split(const std::string& path) {
  std::vector<std::string> parts{""};
  for (const char c : path) {
    if (c == '.') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

std::string name_of(const std::string& component) {
  return component.substr(0, component.find("[]"));
}
int indices_of(const std::string& component) {
  int n = 0;
  for (std::size_t at = 0; (at = component.find("[]", at)) != std::string::npos; at += 2) ++n;
  return n;
}

// Where the elements of a class lie: a scope (with one "[]" where it is a generate loop), a name,
// and how many of the innermost elements one variable holds.
struct Place {
  std::string scope;
  std::string name;
  std::int64_t elements = 1;
};

Place place_of(const RegisterClass& c, const Protection& protection) {
  const std::vector<std::string> parts = split(rtl_path(c.path, protection));
  Place place;
  if (c.storage == Storage::sram) {  // one memory, named after the components with an index
    for (const std::string& part : parts) {
      if (indices_of(part) > 0 || &part == &parts.back()) {
        place.name += (place.name.empty() ? "" : "_") + name_of(part);
      } else {
        place.scope += (place.scope.empty() ? "" : ".") + part;
      }
    }
    place.elements = c.elements();
    return place;
  }
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    place.scope += (i > 0 ? "." : "") + parts[i];
  }
  place.name = name_of(parts.back());
  const int trailing = indices_of(parts.back());
  for (std::size_t i = c.extents.size() - static_cast<std::size_t>(trailing); i < c.extents.size();
       ++i) {
    place.elements *= c.extents[i];
  }
  return place;
}

std::size_t element_offset(const RegisterClass& c, std::int64_t element) {
  std::int64_t offset = 0;
  for (std::size_t i = c.extents.size(); i-- > 0;) {
    offset += element % c.extents[i] * c.strides[i];
    element /= c.extents[i];
  }
  return c.offset + static_cast<std::size_t>(offset * c.element_bytes);
}

const std::byte* region(const Machine& machine, Region r) {
  return r == Region::held ? machine.state().held() : machine.state().now();
}

}  // namespace

std::uint64_t Register::rtl_value() const {
  std::uint64_t raw = 0;  // little endian, as the host is
  std::memcpy(&raw, rtl, rtl_bytes);
  return raw >> shift & (~std::uint64_t{0} >> (64 - registers->width));
}

void Register::flip_rtl(int bit) const {
  rtl[(shift + bit) / 8] ^= std::byte{1} << (shift + bit) % 8;
}

RegisterMap::RegisterMap(const Machine& machine, RtlModel& rtl) : sites_(machine.layout()) {
  for (std::size_t i = 0; i < sites_.classes().size(); ++i) {
    first_.push_back(registers_.size());
    const RegisterClass& c = sites_.classes()[i];
    const Place place = place_of(c, machine.program().protection);
    const std::size_t loop = place.scope.find("[]");
    RtlVariable variable;
    for (std::int64_t e = 0; e < c.elements(); ++e) {
      const std::int64_t inner = e % place.elements;
      if (inner == 0) {
        std::string scope = place.scope;
        if (loop != std::string::npos) {
          scope.replace(loop, 2, fmt::format("[{}]", e / place.elements));
        }
        const auto found = rtl.find(scope, place.name);
        if (!found) {
          throw std::runtime_error(
              fmt::format("{}: the RTL has no public {} in {} (is its name in tests/cosim/*.vlt?)",
                          c.path, place.name, scope));
        }
        variable = *found;
        rtl_registers_.push_back(
            {scope + "." + place.name, static_cast<int>(i), place.elements * c.width});
        if (variable.words * variable.word_bits != place.elements * c.width) {
          throw std::runtime_error(fmt::format("{}: {} elements of {} bits, but {}.{} has {} x {}",
                                               c.path, place.elements, c.width, scope, place.name,
                                               variable.words, variable.word_bits));
        }
      }
      const int per_word = variable.word_bits / c.width;
      const auto bit = inner % per_word * c.width;
      Register r;
      r.site = {static_cast<int>(i), e, 0};
      r.registers = &c;
      r.offset = element_offset(c, e);
      r.rtl = variable.data + inner / per_word * variable.word_bytes + bit / 8;
      r.shift = static_cast<int>(bit % 8);
      r.rtl_bytes = static_cast<std::size_t>((r.shift + c.width + 7) / 8);
      registers_.push_back(r);
      bits_ += c.width;
      add_block(registers_.size() - 1);
    }
  }
  check_overlaps();
}

void RegisterMap::add_block(std::size_t index) {
  const Register& r = registers_[index];
  const auto bytes = static_cast<std::size_t>(r.registers->element_bytes);
  if (r.shift != 0 || r.registers->width != 8 * r.registers->element_bytes) {
    singles_.push_back(index);
    return;
  }
  if (!blocks_.empty()) {
    Block& last = blocks_.back();
    if (last.first + last.count == index && last.region == r.registers->region &&
        last.offset + last.bytes == r.offset && last.rtl + last.bytes == r.rtl) {
      ++last.count;
      last.bytes += bytes;
      return;
    }
  }
  blocks_.push_back({index, 1, r.registers->region, r.offset, r.rtl, bytes});
}

bool RegisterMap::describes(const Machine& machine) const {
  const auto& other = machine.layout().classes();
  return std::equal(sites_.classes().begin(), sites_.classes().end(), other.begin(), other.end(),
                    [](const RegisterClass& x, const RegisterClass& y) {
                      return x.path == y.path && x.extents == y.extents && x.offset == y.offset;
                    });
}

void RegisterMap::clear_memories() const {
  for (const Register& r : registers_) {
    if (r.registers->storage != Storage::sram) continue;
    for (int bit = 0; bit < r.registers->width; ++bit) {
      if ((r.rtl_value() >> bit & 1) != 0) r.flip_rtl(bit);
    }
  }
}

// No bit of the RTL stands for two bits of the simulator.
void RegisterMap::check_overlaps() const {
  std::vector<const Register*> order;
  for (const Register& r : registers_) order.push_back(&r);
  std::sort(order.begin(), order.end(), [](const Register* x, const Register* y) {
    return x->rtl != y->rtl ? x->rtl < y->rtl : x->shift < y->shift;
  });
  for (std::size_t i = 1; i < order.size(); ++i) {
    const Register& x = *order[i - 1];
    if ((order[i]->rtl - x.rtl) * 8 + order[i]->shift < x.shift + x.registers->width) {
      throw std::runtime_error(sites_.path(x.site) + " shares bits with " +
                               sites_.path(order[i]->site));
    }
  }
}

const Register& RegisterMap::at(const Site& site) const {
  return registers_[first_[static_cast<std::size_t>(site.register_class)] +
                    static_cast<std::size_t>(site.element)];
}

std::uint64_t RegisterMap::expected(const Register& r) {
  const RegisterClass& c = *r.registers;
  std::uint64_t value = r.rtl_value();
  if (c.is_signed && c.width < 64 && (value >> (c.width - 1) & 1) != 0) {
    value |= ~std::uint64_t{0} << c.width;
  }
  return value & (~std::uint64_t{0} >> (64 - 8 * c.element_bytes));
}

std::uint64_t RegisterMap::simulated(const Machine& machine, const Register& r) {
  std::uint64_t raw = 0;
  std::memcpy(&raw, region(machine, r.registers->region) + r.offset,
              static_cast<std::size_t>(r.registers->element_bytes));
  return raw;
}

const Register* RegisterMap::first_difference(const Machine& machine) const {
  for (const Block& b : blocks_) {
    if (std::memcmp(region(machine, b.region) + b.offset, b.rtl, b.bytes) == 0) continue;
    for (std::size_t i = b.first; i < b.first + b.count; ++i) {
      if (simulated(machine, registers_[i]) != expected(registers_[i])) return &registers_[i];
    }
  }
  for (const std::size_t i : singles_) {
    if (simulated(machine, registers_[i]) != expected(registers_[i])) return &registers_[i];
  }
  return nullptr;
}

}  // namespace sagitta::cosim
