// Estimates of a configuration's proportions, with the interval that fits how its trials were
// drawn.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/interval.h"
#include "campaign/outcome.h"
#include "campaign/sample_plan.h"

namespace sagitta {

// Sums over the trials of a stratum, each counted as often as the points that it stands for.
struct OutcomeSums {
  std::int64_t trials = 0;
  OutcomeCounts outcomes{};
  std::int64_t correct = 0;            // right class in spite of the faults
  std::int64_t reference_correct = 0;  // fault-free, on the same draws

  std::int64_t count(bool (*which)(Outcome)) const;
};

// What a stratum's trials say of the fault space.
struct RatedStratum {
  double weight = 1;       // its share of the fault space
  double population = 0;   // points
  double probability = 1;  // importance: with which a trial falls in it
};

class Rates {
 public:
  // A plan whose trials are all alike, or lie in strata; `planned`: of a sequence, the trials at
  // which it is narrowest.
  explicit Rates(SamplePlan plan = {}, std::vector<RatedStratum> strata = {{}}, double planned = 0);

  void set(std::vector<OutcomeSums> sums) { sums_ = std::move(sums); }
  const std::vector<OutcomeSums>& sums() const { return sums_; }
  std::size_t strata() const { return strata_.size(); }
  double weight(std::size_t stratum) const { return strata_[stratum].weight; }

  // The share of what `count` counts; at 95 %.
  Proportion of(const std::function<std::int64_t(const OutcomeSums&)>& count) const;
  Proportion of(bool (*which)(Outcome)) const;

  // The same within a part of the fault space: a register, a layer. `part`: of each stratum, the
  // trials that fell in it, and what is counted. Where strata lie across the part, its share of
  // them is estimated by the same trials; the interval takes it for known. `reaches_all`: the part
  // may lie in strata that have no trial at all, of which then nothing is known.
  struct Counted {
    std::int64_t count = 0;
    std::int64_t n = 0;
  };
  Proportion within(const std::vector<Counted>& part, bool reaches_all = false) const;

  // "Wilson score", ...; for results.
  const char* interval() const;
  // Importance: trials that the average over all is worth (Kish).
  double effective_size() const;

 private:
  SamplePlan plan_;
  std::vector<RatedStratum> strata_;
  double planned_;
  std::vector<OutcomeSums> sums_;
};

}  // namespace sagitta
