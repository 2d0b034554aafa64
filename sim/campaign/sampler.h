// Which point of the fault space trial k strikes, for plans other than the uniform one (draws.cpp):
// one upset a trial, in strata that estimates are put together from.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "campaign/experiment.h"
#include "fault/sampling.h"
#include "schedule/program.h"

namespace sagitta {

class Sampler {
 public:
  struct Stratum {
    std::string name;
    double population = 0;   // bits x cycles x images
    double weight = 1;       // its share of the fault space
    double probability = 1;  // with which a trial falls in it; importance
  };
  struct Point {
    Fault fault;
    int image = 0;
    int stratum = 0;
    std::int64_t weight = 1;  // points that it stands for; exhaustive
  };

  virtual ~Sampler() = default;
  const std::vector<Stratum>& strata() const { return strata_; }
  // The first trials may only decide what the others are, and have no part in estimates.
  std::int64_t pilots() const { return pilots_; }
  // Trials that are decided: all of them, or the pilots.
  virtual std::int64_t trials() const = 0;
  // What follows from the pilots, of each stratum: how many of its pilots had the event of
  // interest.
  virtual void allocate(const std::vector<std::int64_t>& /*events*/) {}
  virtual Point point(std::int64_t trial) const = 0;

 protected:
  std::vector<Stratum> strata_;
  std::int64_t pilots_ = 0;
};

// For a plan that is not uniform, or draws from a finite population without replacement. `sites`
// and `selection` are of `program`'s machine, `trials` those that the estimates are to rest on.
// Throws InputError, naming `experiment`'s place.
std::unique_ptr<Sampler> make_sampler(const Experiment& experiment,
                                      const Configuration& configuration, const Program& program,
                                      const SiteMap& sites, const SiteSelection& selection,
                                      const SampledRun& run);

}  // namespace sagitta
