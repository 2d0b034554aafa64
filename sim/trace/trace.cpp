#include "trace/trace.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <stdexcept>

#include "base/interrupt.h"
#include "schedule/conservation.h"

namespace sagitta {

Schedule schedule_of(const Program& program, const std::int8_t* image) {
  Machine machine(program);
  machine.record_tiles(true);
  machine.reset(image);
  Schedule schedule;
  schedule.layers.resize(program.layers.size(), {-1, -1});
  while (!machine.done()) {
    const auto layer = static_cast<std::size_t>(machine.layer());
    if (layer < schedule.layers.size()) {
      CycleWindow& w = schedule.layers[layer];
      if (w.first < 0) w.first = machine.cycle();
      w.last = machine.cycle();
    }
    machine.step();
    if (InterruptGuard::interrupted()) throw Interrupted{};
  }
  check_conservation(program, machine.counters(), machine.cycle());
  schedule.cycles = machine.cycle();
  schedule.tiles = machine.tiles();
  schedule.counters = machine.counters();
  return schedule;
}

TracedRun trace(const Program& program, const std::int8_t* image, const std::vector<Fault>& faults,
                const CycleWindow& window, const TraceOutputs& outputs) {
  std::vector<std::unique_ptr<Machine>> runs;
  for (std::size_t i = 0; i < (faults.empty() ? 1U : 2U); ++i) {
    runs.push_back(std::make_unique<Machine>(program));
    runs.back()->reset(image);
  }
  Machine& watched = *runs.back();
  const SiteMap sites(watched.layout());
  Injector injector(sites, faults);
  TracedRun result;
  result.last = window.first - 1;
  for (std::int64_t cycle = 0; cycle <= window.last; ++cycle) {
    if (InterruptGuard::interrupted()) throw Interrupted{};
    if (std::all_of(runs.begin(), runs.end(), [](const auto& m) { return m->done(); })) break;
    // Before the step: the memories still hold what the cycle reads.
    if (!watched.done() && injector.next_cycle() == cycle) {
      if (injector.strike(watched.state(), cycle)) watched.touch();
    }
    if (cycle >= window.first) {
      if (outputs.waveform != nullptr) {
        for (std::size_t i = 0; i < runs.size(); ++i) outputs.waveform->sample(i, cycle, *runs[i]);
      }
      if (outputs.memories != nullptr && !watched.done()) outputs.memories->sample(watched);
      if (outputs.dram != nullptr && !watched.done()) outputs.dram->sample(watched);
      result.last = cycle;
    }
    for (const auto& run : runs) {
      if (!run->done()) run->step();
    }
  }
  if (outputs.waveform != nullptr) outputs.waveform->end(result.last + 1);
  result.cycles = watched.cycle();
  result.finished = watched.done();
  result.faults = injector.records();
  result.logits = watched.logits();
  result.raw_output = watched.raw_output();
  return result;
}

}  // namespace sagitta
