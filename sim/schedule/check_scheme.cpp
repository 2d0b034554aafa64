#include "schedule/check_scheme.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"

namespace sagitta {
namespace {

void check_recompute(const Protection& protection, const ArrayShape& array,
                     const std::string& where) {
  if (protection.retries == 0 && protection.passes == 1) return;
  const auto refuse = [&](const std::string& problem, const char* remedy) {
    throw InputError(where, "$.scheme", fmt::format("scheme {} {}", protection.name, problem),
                     remedy);
  };
  if (protection.retries < 0 || protection.retries > kMostRetries) {
    refuse(fmt::format("runs tiles again {} times", protection.retries), "use 0 to 7 retries");
  }
  if (protection.passes != 1 && protection.passes != 3) {
    refuse(fmt::format("runs each tile {} times", protection.passes),
           "run it once, or three times and vote");
  }
  if (protection.passes > 1 && protection.memory_code != MemoryCode::none) {
    refuse("runs each tile three times, and the memory of the vote has no check bits",
           "leave out the memories' code, or run each tile once");
  }
  if (protection.retries > 0 && !protection.detects()) {
    refuse("runs tiles again, but nothing tells which",
           "add a checksum or a second array, or use 0 retries");
  }
  if (protection.retries > 0 && protection.has_lines()) {
    refuse("runs tiles again, whose vectors a checker along lines would take for the next ones",
           "take a checker of lanes, or use 0 retries");
  }
  if (array.overlap && array.has(Dataflow::os)) {
    refuse(
        "runs tiles again, but with overlap the next output-stationary tile has begun before "
        "one has ended",
        "take another dataflow, leave out array.overlap, or use 0 retries and one pass");
  }
}

// Checksums of columns: of which machines.
void check_columns(const Protection& protection, const ArrayShape& array,
                   const std::string& where) {
  const auto refuse = [&](const std::string& problem, const char* remedy) {
    throw InputError(where, "$.scheme", fmt::format("scheme {} {}", protection.name, problem),
                     remedy);
  };
  const bool cells = std::any_of(
      protection.checkers.begin(), protection.checkers.end(),
      [](const Checker& c) { return c.gate == Gate::cell && c.position == Position::sum; });
  const bool of_outputs = std::any_of(
      protection.checkers.begin(), protection.checkers.end(),
      [](const Checker& c) { return c.gate == Gate::cell && c.position == Position::output; });
  if (of_outputs) {
    refuse("opens a gate of outputs by row and column, which only sums have checksums of",
           "take the gate \"row\" there, or a checker of sums");
  }
  if (!protection.column_checksum) {
    if (cells) refuse("opens a gate by row and column, but columns have no checksums", "add them");
    if (protection.correct) refuse("corrects sums without checksums of columns", "add them");
    return;
  }
  if (!protection.checksum) {
    refuse("has checksums of columns without those of rows", "add the checksum of rows");
  }
  if (!array.only(Dataflow::os)) {
    refuse(
        "has checksums of columns, whose sums are a tile's: they stay in the array only where "
        "every layer is output stationary",
        "use \"dataflow\": \"os\", or a scheme with checksums of rows");
  }
  if (array.overlap) {
    refuse(
        "has checksums of columns, and with overlap the next tile's products come before the "
        "last one's rows have left",
        "leave out array.overlap");
  }
  if (protection.arrays == 2 || protection.passes > 1) {
    refuse("has checksums of columns beside another redundancy that judges tiles",
           "use one of the two");
  }
  if (protection.memory_code != MemoryCode::none) {
    refuse("has checksums of columns, and the buffer of a tile's rows has no check bits",
           "leave out the memories' code, or the checksums of columns");
  }
}

// Bounds a neuron: of which machines.
void check_neurons(const Protection& protection, const ArrayShape& array,
                   const std::string& where) {
  if (protection.neuron_words() == 0) return;
  const auto refuse = [&](const std::string& problem, const char* remedy) {
    throw InputError(where, "$.scheme", fmt::format("scheme {} {}", protection.name, problem),
                     remedy);
  };
  const bool lanes =
      std::all_of(protection.checkers.begin(), protection.checkers.end(), [](const Checker& c) {
        return c.granularity != Granularity::neuron || c.axis == Axis::lanes;
      });
  if (!lanes) {
    refuse("has bounds a neuron of a checker along lines or in maps",
           "take bounds a channel, or a checker of lanes");
  }
  if (array.has(Dataflow::is)) {
    refuse(
        "has bounds a neuron, and the vectors of an input-stationary layer are channels, each of "
        "which would take bounds of many pixels",
        "take another dataflow, or bounds a channel");
  }
  if (protection.retries > 0) {
    refuse("runs tiles again, whose vectors would take the bounds of the next ones",
           "take bounds a channel, or use 0 retries");
  }
  if (protection.memory_code != MemoryCode::none) {
    refuse("has bounds a neuron in a memory without check bits",
           "leave out the memories' code, or take bounds a channel");
  }
}

}  // namespace

void check_scheme(const Protection& protection, const ArrayShape& array, const std::string& where) {
  check_recompute(protection, array, where);
  check_columns(protection, array, where);
  check_neurons(protection, array, where);
  const bool ordered =
      std::is_sorted(protection.checkers.begin(), protection.checkers.end(),
                     [](const Checker& a, const Checker& b) { return a.position < b.position; });
  if (!ordered) {
    throw InputError(
        where, "$.scheme",
        fmt::format("scheme {} has a checker of sums behind one of outputs", protection.name),
        "name the checkers of sums first");
  }
  if (protection.maps() > 0 && protection.memory_code != MemoryCode::none) {
    throw InputError(where, "$.scheme",
                     fmt::format("scheme {} holds lines of a map in a memory without check bits",
                                 protection.name),
                     "leave out the memories' code, or take another checker");
  }
  for (std::size_t i = 0; i < protection.checkers.size(); ++i) {
    if (protection.checkers[i].axis != Axis::map || !protection.cells_from(i)) continue;
    throw InputError(where, "$.scheme",
                     fmt::format("scheme {} opens a gate by row and column at a checker of maps or "
                                 "behind it, whose lines wait with one flag a row",
                                 protection.name),
                     "take the gate \"row\" there, or a checker along lines");
  }
  if (!protection.has_lines() || !array.has(Dataflow::is)) return;
  throw InputError(where, "$.scheme",
                   fmt::format("scheme {} looks along the lines of a map, and the vectors of an "
                               "input-stationary layer are channels",
                               protection.name),
                   "take another dataflow, or a checker of lanes");
}

}  // namespace sagitta
