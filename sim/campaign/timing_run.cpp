#include "campaign/timing_run.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "campaign/dataflows.h"
#include "campaign/hardening.h"
#include "campaign/thresholds.h"
#include "machine/machine.h"
#include "schedule/conservation.h"

namespace sagitta {
namespace {

// Both name the dataflows alike.
Stationary stationary_of(Dataflow dataflow) {
  const std::string name = to_string(dataflow);
  for (const Stationary s : {Stationary::output, Stationary::weight, Stationary::input}) {
    if (name == to_string(s)) return s;
  }
  throw std::logic_error("SCALE-Sim has no dataflow " + name);
}

}  // namespace

TimingRun::TimingRun(Experiment experiment)
    : experiment_(std::move(experiment)), file_(read_workload(experiment_.workload_path)) {
  with_origins(experiment_, [this] { load(); });
}

void TimingRun::load() {
  const bool real = experiment_.timing == Timing::real;
  if (real) {
    technology_ = load_technology(experiment_.technology_path);
    network_ = network_of(file_.workload);
    settle_dataflows(experiment_, network_, "workload " + file_.workload.name);
  } else if (file_.products.empty()) {
    throw InputError(experiment_.workload_path, "", "no layer multiplies matrices",
                     "SCALE-Sim's conventions time convolutions and dense layers only");
  }
  for (const Configuration& c : experiment_.configurations) {
    TimedMachine machine;
    machine.name = c.name;
    machine.array = c.array;
    machine.scheme = c.scheme;
    if (real) {
      compile_real(machine);
    } else {
      machine.scale_sim.rows = c.array.rows;
      machine.scale_sim.columns = c.array.columns;
      machine.scale_sim.dataflow = stationary_of(c.array.dataflow);
    }
    machines_.push_back(std::move(machine));
  }
}

void TimingRun::compile_real(TimedMachine& machine) const {
  machine.program = compile(network_, machine.array, experiment_.memory,
                            for_array(machine.scheme, machine.array).blocks, experiment_.file,
                            file_.workload.batch);
  const Machine built(machine.program);
  machine.registers = built.layout().classes();
  const SiteMap sites(built.layout());
  machine.program.protection.hardened_bits =
      Hardening(machine.scheme, sites, experiment_.file, machine.name).bits(sites);
}

void time_program(const Program& program, std::int64_t& cycles,
                  std::vector<LayerCounters>& counters) {
  Machine machine(program, DataPath::none);
  machine.reset(nullptr);
  if (!machine.run(INT64_MAX / 4)) throw std::runtime_error("a timing run did not end");
  check_conservation(program, machine.counters(), machine.cycle());
  cycles = machine.cycle();
  counters = machine.counters();
}

void TimingRun::run_real(TimedMachine& machine) const {
  time_program(machine.program, machine.cycles, machine.counters);
  machine.area = area_of(machine.program, machine.registers, technology_);
  machine.energy = energy_of(machine.program, machine.registers, machine.counters, machine.cycles,
                             experiment_.clock_mhz, machine.area, technology_);
}

void TimingRun::run_scale_sim(TimedMachine& machine) const {
  for (const TopologyLayer& layer : file_.products) {
    machine.layers.push_back(simulate_scale_sim(layer, machine.scale_sim));
    machine.cycles += machine.layers.back().cycles;
  }
}

void TimingRun::run(const Progress& progress) {
  const auto begin = std::chrono::steady_clock::now();
  ProgressState state;
  state.total = static_cast<std::int64_t>(machines_.size());
  for (TimedMachine& machine : machines_) {
    if (experiment_.timing == Timing::real) {
      run_real(machine);
    } else {
      run_scale_sim(machine);
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    ++state.done;
    state.seconds = seconds.count();
    if (progress) progress(state);
  }
  if (experiment_.timing != Timing::real) return;
  const auto unprotected = [](const TimedMachine& machine, const std::vector<TimedMachine>& in) {
    return std::any_of(in.begin(), in.end(), [&machine](const TimedMachine& m) {
      return m.array == machine.array && m.scheme.kind == "none";
    });
  };
  for (const TimedMachine& machine : machines_) {
    if (unprotected(machine, machines_) || unprotected(machine, baselines_)) continue;
    TimedMachine baseline;
    baseline.array = machine.array;
    compile_real(baseline);
    run_real(baseline);
    baselines_.push_back(std::move(baseline));
  }
}

const TimedMachine& TimingRun::baseline(const TimedMachine& machine) const {
  for (const std::vector<TimedMachine>* all : {&machines_, &baselines_}) {
    for (const TimedMachine& m : *all) {
      if (m.array == machine.array && m.scheme.kind == "none") return m;
    }
  }
  throw std::logic_error("asked for a baseline before the run");
}

}  // namespace sagitta
