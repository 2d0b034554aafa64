// What a protection scheme means to the machine: which blocks are elaborated and what their
// parameter registers hold. Names of schemes and their options are the experiment file's business.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/memory_code.h"

namespace sagitta {

// Where a checker stands on the drain path, and so what it looks at: sums of 32 bits before they
// are requantised, or outputs of 8 bits on their way from the vector unit to the scratchpad.
enum class Position : std::uint8_t { sum, output };
// When a checker may suppress: always; only in GEMM rows whose checksum failed; from the first such
// row of a layer to the layer's end; or, a cell, in lanes of such rows whose column's checksum
// failed, too (of sums, with Protection::column_checksum). At the output position: vectors whose
// outputs are not those that were computed (the check register's compare,
// machine/vector/vector_unit.h).
enum class Gate : std::uint8_t { always, row, layer, cell };
// Bounds shared by a layer (one register pair); one pair a lane, reloaded each column tile; or one
// pair a lane, reloaded with every vector from a memory of the checker's own (of lanes only, and
// not input stationary).
enum class Granularity : std::uint8_t { layer, channel, neuron };

struct Bounds {
  std::int32_t low = INT32_MIN;
  std::int32_t high = INT32_MAX;
  bool operator==(const Bounds&) const = default;
};

// Fitted bounds of one gemm layer: one entry (layer), one for each output channel, or one for each
// neuron of an image, [pixels][channels].
struct LayerBounds {
  std::string layer;
  std::vector<Bounds> bounds;
  bool operator==(const LayerBounds&) const = default;
};

// The kind of a checker, by the name of its block. The machine says which kinds there are and what
// they do (machine/resilience/checker_type.h).
class CheckerKind {
 public:
  // `name` must outlive the kind.
  constexpr explicit CheckerKind(std::string_view name, bool has_bounds = true)
      : name_(name), has_bounds_(has_bounds) {}
  constexpr std::string_view name() const { return name_; }
  // Without bounds it acts on every sum that its gate lets it act on.
  constexpr bool has_bounds() const { return has_bounds_; }
  constexpr bool operator==(const CheckerKind& other) const { return name_ == other.name_; }

  // A sum against its bounds; its differences to its neighbours, of which both must be outside; the
  // median of a sum and its neighbours.
  static const CheckerKind range, gradient, median;

 private:
  std::string_view name_;
  bool has_bounds_;
};
inline constexpr CheckerKind CheckerKind::range{"range"};
inline constexpr CheckerKind CheckerKind::gradient{"gradient"};
inline constexpr CheckerKind CheckerKind::median{"median", false};

// Whose neighbours: the other lanes of the vector, in a ring (channels of a pixel; input stationary
// pixels of a channel), or the vectors before and after it in a line of the output map (pixels of a
// row), whose first and last have a neighbour on one side only and pass; or those left, right,
// above and below in the output map, of which at least three must be exceeded on the same side, a
// missing one being in bounds. Lines and maps are a gradient checker's only, and not for
// input-stationary layers.
enum class Axis : std::uint8_t { lanes, line, map };
// What takes the place of a suppressed sum: zero (of an output the value that means it, the layer's
// zero point); the bound that it passed (clamp; of a gradient
// the neighbour before it and the bound); the mean of its neighbours, rounded down; or the
// neighbour before it (hold). The last two are a gradient checker's only. In a map the neighbour
// before is the one to the left, or of a line's first pixel the one below, and the mean that of
// these two, or of the last line the left one.
enum class Suppress : std::uint8_t { zero, clamp, mean, hold };

struct Checker {
  CheckerKind kind = CheckerKind::range;
  Gate gate = Gate::always;
  Granularity granularity = Granularity::layer;
  Axis axis = Axis::lanes;
  // Gradient: only where the two differences have opposite signs. In a map it makes no difference.
  bool spike = false;
  Suppress suppress = Suppress::zero;
  std::vector<LayerBounds> layers{};  // of each gemm layer, in order; a missing one passes all
  Position position = Position::sum;

  bool has_bounds() const { return kind.has_bounds(); }
  // Bits of what it looks at, and of its bounds, which are those of a difference where they share a
  // parameter word.
  int value_bits() const { return position == Position::output ? 8 : 32; }
  int bound_bits() const { return position == Position::output ? 9 : 32; }
  // Parameter words that its bounds take. At the output position one: low in bits 15..0, high in
  // bits 31..16, in two's complement.
  int bound_words() const { return !has_bounds() ? 0 : position == Position::output ? 1 : 2; }
  // ... and how many of them this granularity has beside each other.
  int bound_words(Granularity of) const { return granularity == of ? bound_words() : 0; }
  bool operator==(const Checker&) const = default;
};

// What a PE has three times, with a voter a register: nothing, its registers, or its registers and
// its MAC. Voted values feed all copies, so the last two differ in what they cost only.
enum class PeCopies : std::uint8_t { none, registers, all };
inline constexpr int kMostRetries = 7;

struct Protection {
  std::string name = "none";            // the scheme's name in results
  PeCopies pe_copies = PeCopies::none;  // triple modular redundancy within each PE
  // Complete copies of the array, skew and deskew registers included, fed alike: 1; 2, whose sums
  // are compared as they leave (dual modular redundancy); or 3, whose sums are voted.
  int arrays = 1;
  bool checksum = false;  // the checksum column and its comparator
  // Besides, expected sums of the columns of each tile, whose rows wait for them (output stationary
  // only; machine/resilience/column_checksum.h); and what crosses where a row and a column failed
  // is corrected. Where that is not to be had, the tile runs again, or the host is told.
  bool column_checksum = false;
  bool correct = false;
  // How often a tile may run again from the scratchpads, all K folds, because one of its GEMM rows
  // was flagged by a detector; at most kMostRetries. If the last try fails too, the host is told.
  int retries = 0;
  // How often each tile runs: once, or three times, and then the sums of all three are voted on.
  int passes = 1;
  // In the order in which sums and then outputs pass them: those at the output position are last.
  std::vector<Checker> checkers{};
  MemoryCode memory_code = MemoryCode::none;  // check bits beside the words of every memory
  // Bits of hardened flip-flops, by the path of their register class. They work as any others do:
  // only what they cost differs, and how often an upset changes one (campaign/hardening.h).
  std::map<std::string, std::int64_t> hardened_bits{};
  bool operator==(const Protection&) const = default;

  // Whether a tile may run more than once.
  bool reruns() const { return retries > 0 || passes > 1; }
  int register_copies() const { return pe_copies == PeCopies::none ? 1 : 3; }
  int mac_copies() const { return pe_copies == PeCopies::all ? 3 : 1; }
  // Whether something compares the sums of a GEMM row and flags it.
  bool detects() const { return checksum || arrays == 2; }
  // Words of bounds a neuron, of all checkers.
  int neuron_words() const {
    int words = 0;
    for (const Checker& c : checkers) words += c.bound_words(Granularity::neuron);
    return words;
  }
  // Whether a checker needs to know where a line of the output map begins and ends.
  bool has_lines() const {
    return std::any_of(checkers.begin(), checkers.end(),
                       [](const Checker& c) { return c.axis != Axis::lanes; });
  }
  // Checkers of maps, each of which holds a line of the map back.
  int maps() const {
    return static_cast<int>(std::count_if(checkers.begin(), checkers.end(),
                                          [](const Checker& c) { return c.axis == Axis::map; }));
  }
  // Whether the flag of a position, the checksum's or that of the outputs' check, is still read at
  // checker `first` of the chain or behind it.
  bool gated_from(std::size_t first, Position position = Position::sum) const {
    return (checksum || position == Position::output) && first < checkers.size() &&
           std::any_of(checkers.begin() + static_cast<std::ptrdiff_t>(first), checkers.end(),
                       [position](const Checker& c) {
                         const bool by_flag = c.gate == Gate::row || c.gate == Gate::layer;
                         return c.position == position && by_flag;
                       });
  }
  // Whether the checksums of columns judge tiles, or only mark the cells that failed.
  bool judges_columns() const { return column_checksum && (correct || retries > 0); }
  // Whether the cells that failed are still read at checker `first` of the chain or behind it.
  bool cells_from(std::size_t first) const {
    return column_checksum && first < checkers.size() &&
           std::any_of(checkers.begin() + static_cast<std::ptrdiff_t>(first), checkers.end(),
                       [](const Checker& c) { return c.gate == Gate::cell; });
  }
  // Whether outputs have a check register.
  bool checks_outputs() const { return gated_from(0, Position::output); }
  // How many checkers, the first ones, look at sums.
  std::size_t sum_checkers() const {
    return static_cast<std::size_t>(
        std::count_if(checkers.begin(), checkers.end(),
                      [](const Checker& c) { return c.position == Position::sum; }));
  }
};

// The name of a checker's block: its kind, and for the second one of a kind a number.
inline std::string checker_name(const Protection& protection, std::size_t index) {
  const auto begin = protection.checkers.begin();
  const Checker& checker = protection.checkers[index];
  const auto before = std::count_if(begin, begin + static_cast<std::ptrdiff_t>(index),
                                    [&](const Checker& c) { return c.kind == checker.kind; });
  const std::string kind(checker.kind.name());
  return before == 0 ? kind : kind + "_" + std::to_string(before + 1);
}

// The name of a copy of the array, counted from 0: "array", "array_2", "array_3".
inline std::string array_block(int copy) {
  return copy == 0 ? "array" : "array_" + std::to_string(copy + 1);
}
// The path of a copy's register as that of the first one's: "array.pe[][].a" for
// "array_3.pe[][].a".
inline std::string as_first_array(const std::string& path) {
  const std::size_t dot = path.find('.');
  if (!path.starts_with("array_") || dot == std::string::npos) return path;
  return "array" + path.substr(dot);
}

}  // namespace sagitta
