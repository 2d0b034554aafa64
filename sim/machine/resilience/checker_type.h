// What a kind of checker is to everybody else: how it is built, how long it takes, what it is made
// of and what its bounds are fitted to. Each file in checkers/ defines the type of one kind, named
// after the file; the build collects them (CMakeLists.txt).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "machine/resilience/checker.h"
#include "network/network.h"
#include "schedule/protection.h"

namespace sagitta {

// Hardware that a checker consists of, beside its registers, in the terms of cost/operators.h.
struct OperatorUse {
  enum class Kind : std::uint8_t { adder, comparator, equality, mux2, and_mask };
  std::string purpose;  // "difference"
  Kind kind = Kind::adder;
  int bits = 1;
  double instances = 0;
  bool each_lane = true;   // at work once a valid lane; false: once a vector
  double evaluations = 1;  // of it, each time
};

// The counter of rows that bounds a neuron take, where the checker has such.
void add_row_counter(const Checker& checker, std::vector<OperatorUse>& list);

// What a checker holds against its bounds to judge one neuron: a value and the channel whose bounds
// apply (one a neuron: at its pixel), or two of them. It acts where all are outside, under the
// spike rule on opposite sides. Or, counted, one above its high bound or one below its low bound is
// enough: of the differences to the neighbours in a map the third largest and the third smallest.
struct Judged {
  std::int64_t first = 0;
  std::int64_t second = 0;
  int pixel = 0;
  int channel = 0;
  int second_channel = -1;  // -1: there is one value only
  // Counted: all differences, of which `first` and `second` are two.
  int differences = 0;
  std::array<std::int64_t, 4> difference{};

  bool counted() const { return differences > 0; }
};

struct CheckerType {
  CheckerKind kind;
  std::string summary;  // for users, in one line
  // What an experiment may ask for.
  std::vector<Suppress> suppress;  // the default first
  bool spike = false;
  bool line = false;  // neighbours in a line of the output map, or in the whole map, too

  // Cycles from a sum at its input to its output, and the stage, counted from 1, in which it meets
  // its bounds.
  int latency = 0;
  int map_latency = 0;  // ... of one that looks at maps, beside the line that it holds back
  int bounds_stage = 0;
  int latency_of(const Checker& checker) const {
    return checker.axis == Axis::map ? map_latency : latency;
  }
  std::unique_ptr<SumChecker> (*make)(const CheckerPlace& place) = nullptr;
  std::vector<OperatorUse> (*operators)(const Checker& checker, int lanes) = nullptr;
  // Every neuron of a layer that it judges, from the sums of one image ([pixels][channels]); null
  // where there are no bounds.
  void (*judged)(const Checker& checker, const Layer& layer, const ArrayShape& array,
                 const std::vector<std::int32_t>& sums, std::vector<Judged>& all) = nullptr;
};

// All that there are, by name.
const std::vector<CheckerType>& checker_types();
// Throws std::logic_error for a kind that is not among them.
const CheckerType& checker_type(const CheckerKind& kind);

}  // namespace sagitta
