#include "campaign/trial.h"

#include <algorithm>

#include "base/philox.h"
#include "network/fixed_scale.h"
#include "schedule/conservation.h"

namespace sagitta {
namespace {

std::int64_t mismatches_of(const Machine::Snapshot& snapshot) {
  std::int64_t n = 0;
  for (const LayerCounters& c : snapshot.counters) n += c.mismatches + c.output_mismatches;
  return n;
}

// Cycles in which the program went on: neither waits for DRAM, of which a run that was held up has
// fewer, nor runs of tiles that were run again.
std::int64_t progress(const std::vector<LayerCounters>& counters, std::int64_t cycle) {
  std::int64_t lost = 0;
  for (const LayerCounters& c : counters) lost += c.dram_stall_cycles + c.recompute_cycles;
  return cycle - lost;
}

}  // namespace

int draw_image(std::uint64_t seed, std::int64_t trial, int images) {
  Stream stream(seed, static_cast<std::uint64_t>(trial), Purpose::image);
  return static_cast<int>(stream.below(static_cast<std::uint64_t>(images)));
}

std::vector<Fault> draw_faults(std::uint64_t seed, std::int64_t trial, int upsets,
                               const SiteSelection& sites, std::int64_t cycles) {
  Stream site(seed, static_cast<std::uint64_t>(trial), Purpose::fault_site);
  Stream cycle(seed, static_cast<std::uint64_t>(trial), Purpose::fault_cycle);
  std::vector<Fault> faults;
  for (int i = 0; i < upsets; ++i) {
    const auto index = site.below(static_cast<std::uint64_t>(sites.bits()));
    faults.push_back({sites.at(static_cast<std::int64_t>(index)),
                      static_cast<std::int64_t>(cycle.below(static_cast<std::uint64_t>(cycles)))});
  }
  return faults;
}

// Keeps the values of a fault-free run: what trials on the same machine are compared with.
class TrialEngine::Recorder : public MachineObserver {
 public:
  Recorder(std::vector<LayerValues>& values, std::vector<std::vector<std::int8_t>>& written,
           NeuronStrikes& neurons, WeightFlips& weights)
      : values_(values), written_(written), neurons_(neurons), weights_(weights) {}

  void observe(const Machine& machine) override {
    neurons_.note(machine);
    weights_.note(machine);
    const auto layer = static_cast<std::size_t>(machine.layer());
    if (layer >= values_.size()) return;
    const std::byte* now = machine.state().now();
    const SumVector sums = machine.vector().sums(now);
    if (sums.valid) keep(machine, sums.value, sums.address, values_[layer].sums);
    const WriteBack output = machine.vector().output(now);
    if (output.valid) keep(machine, output.value, output.address, values_[layer].output);
    const WriteBack write = machine.written();
    if (write.valid) keep(machine, write.value, write.address, written_[layer]);
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

  std::vector<LayerValues>& values_;
  std::vector<std::vector<std::int8_t>>& written_;
  NeuronStrikes& neurons_;
  WeightFlips& weights_;
};

// Follows a run and notes how far towards the output a difference from the fault-free values came.
class TrialEngine::Differences : public MachineObserver {
 public:
  enum class Reach { none, requantise, activation, output };

  Differences(const Network& network, const std::vector<LayerValues>& reference,
              const std::vector<std::vector<std::int8_t>>& written)
      : network_(network), reference_(reference), written_(written) {}

  void observe(const Machine& machine) override {
    if (reach_ == Reach::output) return;
    const int layer = machine.layer();
    if (layer >= static_cast<int>(network_.layers.size())) return;
    const auto l = static_cast<std::size_t>(layer);
    const std::byte* now = machine.state().now();
    const int lanes = machine.sequencer().lanes(machine.control());
    const std::int64_t step = machine.sequencer().lane_step(machine.control());
    const SumVector sums = machine.vector().sums(now);
    if (sums.valid) compare_sums(l, sums, lanes, step);
    // Also where a checker then replaces it: that is no masking.
    const WriteBack output = machine.vector().output(now);
    if (output.valid) compare_output(reference_[l].output, output, lanes, step);
    const WriteBack write = machine.written();
    if (write.valid) compare_output(written_[l], write, lanes, step);
  }

  Reach reach() const { return reach_; }

 private:
  void compare_sums(std::size_t layer, const SumVector& sums, int lanes, std::int64_t step) {
    const std::vector<std::int32_t>& expected = reference_[layer].sums;
    const Layer& l = network_.layers[layer];
    for (int c = 0; c < lanes; ++c) {
      const std::int64_t at = sums.address + c * step;
      if (at < 0 || at >= static_cast<std::int64_t>(expected.size())) continue;
      const std::int32_t clean = expected[static_cast<std::size_t>(at)];
      if (sums.value[c] == clean) continue;
      const FixedScale scale = l.scale[static_cast<std::size_t>(at % l.columns())];
      const auto rounded = [&](std::int32_t sum) {
        return round_half_even(std::int64_t{sum} * std::int64_t{scale.mantissa}, scale.shift);
      };
      raise(rounded(sums.value[c]) == rounded(clean) ? Reach::requantise : Reach::activation);
    }
  }

  void compare_output(const std::vector<std::int8_t>& expected, const WriteBack& write, int lanes,
                      std::int64_t step) {
    for (int c = 0; c < lanes; ++c) {
      const std::int64_t at = write.address + c * step;
      if (at < 0 || at >= static_cast<std::int64_t>(expected.size()) ||
          write.value[c] != expected[static_cast<std::size_t>(at)]) {
        raise(Reach::output);
      }
    }
  }

  void raise(Reach reach) { reach_ = std::max(reach_, reach); }

  const Network& network_;
  const std::vector<LayerValues>& reference_;
  const std::vector<std::vector<std::int8_t>>& written_;
  Reach reach_ = Reach::none;
};

TrialEngine::TrialEngine(const Program& program, const Network& network)
    : network_(&network),
      program_(program),
      machine_(program_),
      sites_(machine_.layout()),
      activity_(sites_, program_),
      neurons_(sites_, network),
      weights_(program_, network) {
  for (const Layer& layer : network.layers) {
    const auto elements = static_cast<std::size_t>(layer.output.elements());
    reference_.push_back({std::vector<std::int32_t>(layer.kind == LayerKind::gemm ? elements : 0),
                          std::vector<std::int8_t>(elements)});
    written_.emplace_back(elements);
  }
}

std::int64_t TrialEngine::clean_cycles() {
  if (clean_cycles_ == 0) {
    const std::vector<std::int8_t> blank(static_cast<std::size_t>(network_->input.elements()));
    machine_.reset(blank.data());
    while (!machine_.done()) machine_.step();
    clean_cycles_ = machine_.cycle();
  }
  return clean_cycles_;
}

CleanResult TrialEngine::prepare(int image, const std::vector<std::int8_t>& pixels, int label) {
  image_ = image;
  label_ = label;
  pixels_ = pixels;
  machine_.reset(pixels_.data());
  checkpoint_count_ = 0;
  progress_.clear();
  neurons_.forget();
  weights_.forget();
  Recorder recorder(reference_, written_, neurons_, weights_);
  machine_.set_observer(&recorder);
  while (!machine_.done()) {
    if (machine_.cycle() % kCheckpointInterval == 0) {
      if (checkpoint_count_ == checkpoints_.size()) checkpoints_.emplace_back();
      machine_.save(checkpoints_[checkpoint_count_++]);
      progress_.push_back(progress(machine_.counters(), machine_.cycle()));
    }
    machine_.step();
  }
  machine_.set_observer(nullptr);
  check_conservation(machine_.program(), machine_.counters(), machine_.cycle());
  clean_cycles_ = machine_.cycle();
  clean_suppressions_ = machine_.suppressions();
  clean_chain_.clear();
  for (const SuppressionRecord& r : clean_suppressions_) {
    clean_chain_[{r.layer, r.address}].push_back(r);
  }
  clean_ = {};
  clean_.image = image;
  clean_.logits = machine_.logits();
  clean_.correct = top1(clean_.logits) == label;
  clean_.cycles = clean_cycles_;
  clean_.mismatches = machine_.mismatches();
  clean_.suppressed = static_cast<std::int64_t>(machine_.suppressions().size());
  clean_.counters = machine_.counters();
  return clean_;
}

void TrialEngine::strike(Injector& injector, bool& in_use) {
  const std::int64_t cycle = machine_.cycle();
  for (const FaultRecord& r : injector.records()) {
    if (r.cycle == cycle && !r.resisted && !in_use) in_use = activity_.in_use(machine_, r.site);
  }
  injector.strike(machine_.state(), cycle);
  machine_.touch();
}

// The last checkpoint before anything that the trial's faults change; nullptr: none strikes.
const Machine::Snapshot* TrialEngine::start(std::int64_t first_register) const {
  std::int64_t first = first_register;
  for (const std::int64_t cycle : {neurons_.first_cycle(), weights_.first_cycle()}) {
    if (cycle >= 0 && (first < 0 || cycle < first)) first = cycle;
  }
  if (first < 0) return nullptr;
  const auto i = static_cast<std::size_t>(first / kCheckpointInterval);
  return &checkpoints_[std::min(i, checkpoint_count_ - 1)];
}

const Machine::Snapshot* TrialEngine::converged_to(bool recomputed, std::size_t& from) const {
  const std::int64_t cycle = machine_.cycle();
  std::size_t i = static_cast<std::size_t>(cycle / kCheckpointInterval);
  if (!recomputed) {
    if (cycle % kCheckpointInterval != 0) return nullptr;
  } else {
    const std::int64_t done = progress(machine_.counters(), cycle);
    while (from < checkpoint_count_ && progress_[from] < done) ++from;
    if (from >= checkpoint_count_ || progress_[from] > done) return nullptr;
    i = from;
  }
  return i < checkpoint_count_ && machine_.equals(checkpoints_[i]) ? &checkpoints_[i] : nullptr;
}

TrialResult TrialEngine::run_trial(std::int64_t trial, const TrialFaults& faults, bool from_reset) {
  TrialResult result;
  result.trial = trial;
  result.image = image_;
  result.reference_class = top1(clean_.logits);
  result.reference_correct = clean_.correct;

  Injector injector(sites_, faults.registers);
  neurons_.begin(faults.values, faults.neurons, keep_records_, oracle_);
  weights_.apply(faults.weights);
  const Machine::Snapshot* from = from_reset ? nullptr : start(injector.next_cycle());
  if (from == nullptr) {
    machine_.reset(pixels_.data());
  } else {
    machine_.restore(*from);
  }
  Differences differences(*network_, reference_, written_);
  machine_.set_observer(&differences);
  bool in_use = !faults.weights.empty() || !faults.neurons.empty();
  const auto all_struck = [&] {
    return injector.next_cycle() < 0 && !neurons_.pending() && weights_.delivered(machine_);
  };
  const Machine::Snapshot* converged = nullptr;  // the checkpoint that the run has come back to
  bool stands_still = false;
  int unchanged = 0;
  bool recomputed = false;
  std::size_t next_checkpoint = 0;
  const std::int64_t limit = budget(clean_cycles_, machine_.program().protection.retries);
  while (!machine_.done() && machine_.cycle() < limit) {
    const std::int64_t cycle = machine_.cycle();
    if (cycle == injector.next_cycle()) {
      if (result.layer < 0) result.layer = machine_.layer();
      strike(injector, in_use);
    }
    if (neurons_.pending()) neurons_.strike(machine_);
    // Once every fault has struck and all state is as in the fault-free run, so is the rest.
    const bool comparable = recomputed || cycle % kCheckpointInterval == 0;
    if (!from_reset && comparable && all_struck()) {
      converged = converged_to(recomputed, next_checkpoint);
      if (converged != nullptr) break;
    }
    recomputed = recomputed || machine_.again();
    machine_.step();
    // A machine that stands still will do so for ever. Two unchanged edges are needed: the first
    // may have followed a write to a memory, which the second one would then have shown.
    unchanged = machine_.cycle() % kCheckpointInterval < 2 && machine_.state().pipeline_unchanged()
                    ? unchanged + 1
                    : 0;
    if (!from_reset && unchanged == 2 && injector.next_cycle() < 0 && !machine_.done()) {
      stands_still = true;
      break;
    }
  }
  machine_.set_observer(nullptr);

  const bool finished = converged != nullptr || machine_.done();
  const std::vector<std::int8_t>& logits = converged != nullptr ? clean_.logits : machine_.logits();
  std::vector<SuppressionRecord> suppressions = machine_.suppressions();
  result.faults = injector.records();
  result.faults_fired = std::count_if(result.faults.begin(), result.faults.end(),
                                      [](const FaultRecord& r) { return r.fired; }) +
                        neurons_.fired() + weights_.fired(machine_);
  result.faults_drawn = static_cast<std::int64_t>(faults.registers.size() + faults.neurons.size() +
                                                  faults.weights.size());
  if (keep_records_) {
    result.faults.insert(result.faults.end(), neurons_.records().begin(), neurons_.records().end());
    result.weights = weights_.records(machine_);
  }
  weights_.undo();
  result.cycles = converged != nullptr ? clean_cycles_ + machine_.cycle() - converged->cycle
                  : stands_still       ? limit
                                       : machine_.cycle();
  for (const LayerCounters& c : machine_.counters()) {
    result.recomputed_tiles += c.recomputed_tiles;
    result.recompute_cycles += c.recompute_cycles;
  }
  result.mismatches = machine_.mismatches();
  if (converged != nullptr) {  // what the fault-free run does from there on, this one does too
    result.mismatches += clean_.mismatches - mismatches_of(*converged);
    suppressions.insert(
        suppressions.end(),
        clean_suppressions_.begin() + static_cast<std::ptrdiff_t>(converged->suppressions.size()),
        clean_suppressions_.end());
  }
  judge_suppressions(suppressions, result);
  result.suppressed_right += neurons_.zeroed();
  if (!finished) {
    result.outcome = Outcome::hang;
  } else if (result.faults_fired == 0) {
    result.outcome = Outcome::not_fired;
  } else if (machine_.uncorrected()) {
    result.outcome = Outcome::detected_uncorrected;
  } else if (logits == clean_.logits) {
    const bool acted = result.mismatches > clean_.mismatches || neurons_.zeroed() > 0 ||
                       static_cast<std::int64_t>(suppressions.size()) > clean_.suppressed ||
                       corrected() > 0;  // without faults there are none
    using Reach = Differences::Reach;
    if (acted) {
      result.outcome = Outcome::detected_corrected;
    } else if (differences.reach() == Reach::output) {
      result.outcome = Outcome::masked_downstream;
    } else if (differences.reach() == Reach::activation) {
      result.outcome = Outcome::masked_activation;
    } else if (differences.reach() == Reach::requantise) {
      result.outcome = Outcome::masked_requantise;
    } else {
      result.outcome = in_use ? Outcome::masked_logical : Outcome::masked_idle;
    }
  } else {
    result.outcome = compare_logits(clean_.logits, logits, label_);
  }
  if (finished && result.outcome != Outcome::detected_uncorrected) {
    result.predicted_class = top1(logits);
    result.correct = result.predicted_class == label_;
  }
  return result;
}

std::int64_t TrialEngine::corrected() const {
  std::int64_t n = 0;
  for (const LayerCounters& c : machine_.counters()) n += c.corrected_reads + c.corrected_sums;
  return n;
}

// What stands at this place, before this checker, in the fault-free run.
std::optional<std::int32_t> TrialEngine::fault_free(const SuppressionRecord& s) const {
  const auto layer = static_cast<std::size_t>(s.layer);
  const auto at = static_cast<std::size_t>(s.address);
  const auto& chain = machine_.program().protection.checkers;
  const auto position = [&](const SuppressionRecord& record) {
    return chain[static_cast<std::size_t>(record.checker)].position;
  };
  const bool of_sum = position(s) == Position::sum;
  if (s.address < 0 || layer >= reference_.size() ||
      at >= (of_sum ? reference_[layer].sums.size() : reference_[layer].output.size())) {
    return std::nullopt;
  }
  std::int32_t value = of_sum ? reference_[layer].sums[at] : reference_[layer].output[at];
  const auto replaced = clean_chain_.find({s.layer, s.address});
  if (replaced == clean_chain_.end()) return value;
  for (const SuppressionRecord& earlier : replaced->second) {
    if (position(earlier) == position(s) && earlier.checker < s.checker)
      value = earlier.replacement;
  }
  return value;
}

void TrialEngine::judge_suppressions(const std::vector<SuppressionRecord>& suppressions,
                                     TrialResult& result) const {
  for (const SuppressionRecord& s : suppressions) {
    ++(fault_free(s) == s.value ? result.suppressed_wrong : result.suppressed_right);
  }
}

}  // namespace sagitta
