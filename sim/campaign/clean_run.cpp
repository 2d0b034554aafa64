#include "campaign/clean_run.h"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <utility>

#include "network/reference.h"
#include "schedule/conservation.h"

namespace sagitta {
namespace {

// A shorter interval costs more copies than it saves cycles, unless the run is short.
constexpr std::int64_t kShortestInterval = 32;
constexpr std::int64_t kFewestCheckpoints = 128;
constexpr std::int64_t kCheckpointBytes = std::int64_t{64} << 20;

// Cycles in which the program went on: neither waits for DRAM, of which a run that was held up has
// fewer, nor runs of tiles that were run again.
std::int64_t progress(const std::vector<LayerCounters>& counters, std::int64_t cycle) {
  std::int64_t lost = 0;
  for (const LayerCounters& c : counters) lost += c.dram_stall_cycles + c.recompute_cycles;
  return cycle - lost;
}

// Keeps the values of a fault-free run.
class Recorder : public MachineObserver {
 public:
  Recorder(CleanValues& values, NeuronStrikes& neurons, WeightFlips& weights)
      : values_(values), neurons_(neurons), weights_(weights) {}

  void observe(const Machine& machine) override {
    neurons_.note(machine);
    weights_.note(machine);
    const auto layer = static_cast<std::size_t>(machine.layer());
    if (layer >= values_.layers.size()) return;
    const std::byte* now = machine.state().now();
    const SumVector sums = machine.vector().sums(now);
    if (sums.valid) keep(machine, sums.value, sums.address, values_.layers[layer].sums);
    const WriteBack output = machine.vector().output(now);
    if (output.valid) keep(machine, output.value, output.address, values_.layers[layer].output);
    const WriteBack write = machine.written();
    if (write.valid) keep(machine, write.value, write.address, values_.written[layer]);
  }

 private:
  // The lanes' elements of the result lie lane_step apart.
  template <typename T>
  static void keep(const Machine& machine, const T* lanes, std::int32_t address,
                   std::vector<T>& values) {
    const SequencerState& s = machine.control();
    std::int64_t at = address;
    for (int c = 0; c < machine.sequencer().lanes(s); ++c) {
      values.at(static_cast<std::size_t>(at)) = lanes[c];
      at += machine.sequencer().lane_step(s);
    }
  }

  CleanValues& values_;
  NeuronStrikes& neurons_;
  WeightFlips& weights_;
};

}  // namespace

RunCounts RunCounts::of(const std::vector<LayerCounters>& counters) {
  RunCounts n;
  for (const LayerCounters& c : counters) {
    n.mismatches += c.mismatches + c.output_mismatches;
    n.recomputed_tiles += c.recomputed_tiles;
    n.recompute_cycles += c.recompute_cycles;
    n.corrected += c.corrected_reads + c.corrected_sums;
  }
  return n;
}

void RunCounts::add(const RunCounts& from, const RunCounts& to) {
  mismatches += to.mismatches - from.mismatches;
  recomputed_tiles += to.recomputed_tiles - from.recomputed_tiles;
  recompute_cycles += to.recompute_cycles - from.recompute_cycles;
  corrected += to.corrected - from.corrected;
}

void CleanRun::plan(std::int64_t cycles, std::size_t snapshot_bytes,
                    const std::vector<std::int64_t>& also) {
  const std::int64_t fit =
      std::max<std::int64_t>(1, kCheckpointBytes / static_cast<std::int64_t>(snapshot_bytes));
  const std::int64_t wanted = std::min(kShortestInterval, cycles / kFewestCheckpoints + 1);
  const std::int64_t interval = std::max(wanted, cycles / fit + 1);
  std::set<std::int64_t> at;
  for (std::int64_t cycle = 0; cycle < cycles; cycle += interval) at.insert(cycle);
  for (const std::int64_t cycle : also) {
    if (cycle < cycles) at.insert(cycle);
  }
  at_.assign(at.begin(), at.end());
  checkpoints_.resize(at_.size());
}

void CleanRun::record(Machine& machine, ClockedMachine* accelerator,
                      const std::vector<std::int8_t>& image, NeuronStrikes& neurons,
                      WeightFlips& weights) {
  machine.reset(image.data());
  progress_.clear();
  neurons.forget();
  weights.forget();
  Recorder recorder(values_, neurons, weights);
  machine.set_observer(&recorder);
  if (accelerator == nullptr) {
    run(machine);
  } else if (!accelerator->run(INT64_MAX / 4)) {
    throw std::runtime_error("a fault-free run did not end");
  }
  machine.set_observer(nullptr);
  check_conservation(machine.program(), machine.counters(), machine.cycle());
  suppressions_ = machine.suppressions();
  chain_.clear();
  for (const SuppressionRecord& r : suppressions_) chain_[{r.layer, r.address}].push_back(r);
  result_ = {};
  result_.logits = machine.logits();
  result_.cycles = machine.cycle();
  result_.mismatches = machine.mismatches();
  result_.suppressed = static_cast<std::int64_t>(suppressions_.size());
  result_.counters = machine.counters();
}

void CleanRun::run(Machine& machine) {
  std::size_t next = 0;
  held_.begin(machine.layout().held_bytes());
  while (!machine.done()) {
    if (next < at_.size() && machine.cycle() == at_[next]) {
      machine.save_pipeline(checkpoints_[next++]);
      held_.add(std::as_const(machine).state().held());
      progress_.push_back(progress(machine.counters(), machine.cycle()));
    }
    machine.step();
  }
}

void CleanRun::restore(Machine& machine, std::size_t checkpoint) {
  held_.restore(machine.state().held(), checkpoint);
  machine.restore(checkpoints_[checkpoint]);
}

std::size_t CleanRun::before(std::int64_t cycle) const {
  return static_cast<std::size_t>(std::upper_bound(at_.begin(), at_.end(), cycle) - at_.begin()) -
         1;
}

std::optional<std::size_t> CleanRun::like(const Machine& machine, bool recomputed,
                                          std::size_t& from) const {
  const std::int64_t now =
      recomputed ? progress(machine.counters(), machine.cycle()) : machine.cycle();
  const std::vector<std::int64_t>& of = recomputed ? progress_ : at_;
  while (from < of.size() && of[from] < now) ++from;
  return from < of.size() && of[from] == now ? std::optional(from) : std::nullopt;
}

std::optional<std::int32_t> CleanRun::value_at(const SuppressionRecord& s,
                                               const std::vector<Checker>& chain) const {
  const auto layer = static_cast<std::size_t>(s.layer);
  const auto at = static_cast<std::size_t>(s.address);
  const auto position = [&](const SuppressionRecord& record) {
    return chain[static_cast<std::size_t>(record.checker)].position;
  };
  const bool of_sum = position(s) == Position::sum;
  const std::vector<LayerValues>& layers = values_.layers;
  if (s.address < 0 || layer >= layers.size() ||
      at >= (of_sum ? layers[layer].sums.size() : layers[layer].output.size())) {
    return std::nullopt;
  }
  std::int32_t value = of_sum ? layers[layer].sums[at] : layers[layer].output[at];
  const auto replaced = chain_.find({s.layer, s.address});
  if (replaced == chain_.end()) return value;
  for (const SuppressionRecord& earlier : replaced->second) {
    if (position(earlier) == position(s) && earlier.checker < s.checker)
      value = earlier.replacement;
  }
  return value;
}

}  // namespace sagitta
