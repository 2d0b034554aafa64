// A trial on its way: what trial.cpp and trial_carry.cpp know of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "campaign/trial.h"

namespace sagitta {

// Its pieces are run on the machine; between them, and behind the last one if it ends clean, the
// run is the fault-free one.
struct TrialEngine::Course {
  Course(const SiteMap& sites, const TrialFaults& faults, const Network& network,
         const CleanValues& clean)
      : injector(sites, faults.registers),
        differences(network, clean),
        in_use(!faults.weights.empty() || !faults.neurons.empty()) {}

  Injector injector;
  Differences differences;
  bool shortcuts = true;
  std::int64_t limit = 0;
  bool in_use;     // a register that was struck, when it was
  int layer = -1;  // at work when the first register was struck

  // The piece at hand.
  bool on_machine = false;        // false before the first one
  bool recomputed = false;        // a tile has run again in it
  std::size_t search = 0;         // CleanRun::like
  std::int64_t passed_over = -1;  // a cycle in which the state need not be compared
  int unchanged = 0;              // clock edges in a row that changed nothing
  std::size_t began_with = 0;     // suppressions of the fault-free run before it
  std::size_t checkpoint = 0;     // that it has come back to
  // A place of the pipeline that differed, and was in use, when last compared.
  std::optional<std::size_t> suspect;

  // Of all pieces.
  Road road = Road::machine;
  std::int64_t late = 0;  // cycles behind the fault-free run: tiles have run again
  RunCounts counts;       // beyond the fault-free run's
  std::vector<SuppressionRecord> suppressions;

  // Words that are not as in the fault-free run: places in the held state, and what they hold.
  std::vector<std::size_t> places;
  std::vector<std::size_t> differ;  // among others, when last compared
  std::vector<std::byte> bytes;
};

// A single flip in a word of a memory, up to the cycle in which the word is read.
struct TrialEngine::MemoryFlip {
  FaultRecord record;
  std::size_t first = 0;       // place in the held state of the word's first byte
  std::size_t checkpoint = 0;  // the last one before it; the word is the same in both
  std::uint64_t differs = 0;   // the word's stored bits that it changes, little endian
  bool read = false;           // before it is written, and before the run ends
};

}  // namespace sagitta
