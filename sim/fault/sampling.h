// A run's fault space, bits x cycles x images, cut into strata, and their points in drawn order.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fault/injector.h"
#include "fault/site.h"

namespace sagitta {

// What strata are cut by; nothing gives one stratum.
struct StratifyBy {
  bool block = false;           // first component of the path: array, memory, resilience, ...
  bool register_class = false;  // the path without indices: array.pe[][].acc
  int bit_group = 0;   // bits 0 .. g - 1, g .. 2g - 1, ... of each register; 0: all together
  bool layer = false;  // by cycle
  bool operator==(const StratifyBy&) const = default;
};

// A run's extent in time and images. Layer i lasts from cycle layer_begins[i] to the next one's, or
// to the end of the run; the first begins in cycle 0, and what precedes its work belongs to it.
struct SampledRun {
  std::int64_t cycles = 0;
  std::vector<std::int64_t> layer_begins{0};  // ascending
  std::int64_t images = 1;                    // of which each trial takes one
  std::vector<std::string> layer_names{};     // for strata's names; none: their numbers
};

struct SampledStratum {
  std::string name;             // such as "array.pe[][].acc:8-15 layer 2"; "all" where nothing cuts
  std::int64_t population = 0;  // points: bits x cycles x images
  double weight = 0;            // share of all points
};

struct SampledPoint {
  Fault fault;
  std::int64_t image = 0;
};

class SamplingPlan {
 public:
  // Strata come in the order of registers, then bits, then layers; none is empty. Throws
  // std::invalid_argument: no cycles, images or bits, layers that do not ascend from 0, more than
  // 2^62 points.
  SamplingPlan(const SiteMap& sites, const SiteSelection& selection, const SampledRun& run,
               const StratifyBy& by);

  const std::vector<SampledStratum>& strata() const { return strata_; }

  // Trial k of a stratum, 0 <= k < population, as a function of seed, stratum and k alone. Trials
  // differ from each other, so that as many as the population has are each point once: populations
  // are finite ones to stratified(). Throws std::invalid_argument outside of these ranges.
  SampledPoint draw(std::uint64_t seed, std::size_t stratum, std::int64_t k) const;

 private:
  struct Sites {
    std::vector<SiteSelection::Run> runs;
    std::vector<std::int64_t> cumulative;  // bits up to and including each run
  };
  struct Cell {
    std::size_t sites;
    std::int64_t first_cycle, cycles;
  };
  std::vector<Sites> sites_;
  std::vector<Cell> cells_;  // of each stratum
  std::int64_t images_;
  std::vector<SampledStratum> strata_;
};

}  // namespace sagitta
