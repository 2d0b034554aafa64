// Times a workload on every machine of an experiment: no values, the same cycles.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/counters.h"
#include "base/registers.h"
#include "campaign/experiment.h"
#include "campaign/progress.h"
#include "campaign/workload_file.h"
#include "cost/cost.h"
#include "schedule/program.h"
#include "workload/scale_sim.h"

namespace sagitta {

// An array with a scheme, and what it takes for one pass over the workload.
struct TimedMachine {
  std::string name;
  ArrayShape array;
  Scheme scheme;

  // Real timing.
  Program program;
  std::vector<RegisterClass> registers;
  std::int64_t cycles = 0;              // from reset until the host has the result
  std::vector<LayerCounters> counters;  // by layer; the last entry is outside of layers
  AreaBill area;
  EnergyBill energy;

  // SCALE-Sim's conventions: one entry a layer that multiplies.
  ScaleSimConfig scale_sim;
  std::vector<ScaleSimLayer> layers;
};

class TimingRun {
 public:
  // Reads and compiles everything that the experiment names. Throws InputError.
  explicit TimingRun(Experiment experiment);

  // Counts the cycles; progress is in machines.
  void run(const Progress& progress);

  const Experiment& experiment() const { return experiment_; }
  const Workload& workload() const { return file_.workload; }
  const std::vector<TopologyLayer>& products() const { return file_.products; }
  const Technology& technology() const { return technology_; }  // real timing
  const std::vector<TimedMachine>& machines() const { return machines_; }
  // The unprotected machine of the same array; real timing, after run().
  const TimedMachine& baseline(const TimedMachine& machine) const;

 private:
  void load();
  void compile_real(TimedMachine& machine) const;
  void run_real(TimedMachine& machine) const;
  void run_scale_sim(TimedMachine& machine) const;

  Experiment experiment_;
  WorkloadFile file_;
  Network network_;  // real timing
  Technology technology_;
  std::vector<TimedMachine> machines_;
  std::vector<TimedMachine> baselines_;  // of arrays that have no unprotected machine above
};

// Runs the program on a machine without a data path. Throws std::runtime_error when that does not
// end, and ConservationError when its counts do not balance.
void time_program(const Program& program, std::int64_t& cycles,
                  std::vector<LayerCounters>& counters);

}  // namespace sagitta
