#include "machine/machine.h"

#include <algorithm>

#include "machine/resilience/checker_type.h"

namespace sagitta {
namespace {

// One lane and one row: the others are out of range, which has a defined behaviour. The scratchpads
// keep their size, which costs nothing as long as they are not stepped.
std::optional<Program> narrowed(const Program& program, DataPath data_path) {
  if (data_path == DataPath::whole) return std::nullopt;
  Program narrow;
  narrow.array = program.array;
  narrow.array.rows = narrow.array.columns = 1;
  narrow.memory = program.memory;
  narrow.memory.partial_rows = 1;
  return narrow;
}

std::vector<SumStage> delay_stages(RegisterLayout& layout, const std::string& name, int stages) {
  std::vector<SumStage> delay;
  delay.reserve(static_cast<std::size_t>(stages));
  for (int i = 0; i < stages; ++i) {
    delay.emplace_back(layout, "resilience." + name + "[" + std::to_string(i) + "]", 1, false);
  }
  return delay;
}

constexpr int kRequantiseStages = 2;  // product and output

}  // namespace

int Machine::detector_latency(const Program& program) {
  return program.protection.checksum ? ChecksumDetector::latency(program.array.columns) : 0;
}

int Machine::sum_latency(const Program& program) {
  const Protection& p = program.protection;
  int cycles = detector_latency(program);
  for (std::size_t i = 0; i < p.sum_checkers(); ++i) {
    cycles += checker_type(p.checkers[i].kind).latency_of(p.checkers[i]);
  }
  return cycles;
}

int Machine::unit_latency(const Program& program) {
  const Protection& p = program.protection;
  int cycles = sum_latency(program);
  for (std::size_t i = p.sum_checkers(); i < p.checkers.size(); ++i) {
    cycles += checker_type(p.checkers[i].kind).latency_of(p.checkers[i]);
  }
  return cycles;
}

std::vector<int> Machine::parameter_waits(const Program& program) {
  if (!program.array.has(Dataflow::is)) return {};
  const Protection& p = program.protection;
  // A register is loaded in the cycle before its stage uses it. Bias: as the finished sums appear.
  std::vector<int> waits{0, 1 + sum_latency(program)};
  int before = detector_latency(program);
  if (p.checksum) waits.insert(waits.end(), 2, 0);  // compared sums start where biases are added
  for (std::size_t i = 0; i < p.checkers.size(); ++i) {
    const Checker& c = p.checkers[i];
    if (i == p.sum_checkers()) before += kRequantiseStages;
    if (c.granularity == Granularity::channel) {
      waits.insert(waits.end(), static_cast<std::size_t>(c.bound_words()),
                   before + 1 + checker_type(c.kind).bounds_stage);  // behind the bias adder
    }
    before += checker_type(c.kind).latency_of(c);
  }
  return waits;
}

Machine::Machine(const Program& program, DataPath data_path)
    : program_(&program),
      narrow_(narrowed(program, data_path)),
      sequencer_(layout_, program, unit_latency(program), detector_latency(program),
                 ColumnChecksum::latency(program)),
      dma_(layout_, program),
      activations_(layout_, program, sequencer_),
      arbiter_(program.memory.activation_banks > 0
                   ? std::optional<BankArbiter>(std::in_place, layout_, program, sequencer_)
                   : std::nullopt),
      weights_(layout_, program, sequencer_, parameter_waits(program)),
      accumulators_(program.raw_output ? std::optional<AccumulatorBuffer>(std::in_place, layout_,
                                                                          program, sequencer_)
                                       : std::nullopt),
      array_(layout_, built_for().array, built_for().protection.register_copies()),
      array_copies_(
          built_for().protection.arrays > 1
              ? std::optional<ArrayCopies>(std::in_place, layout_, built_for(), sequencer_)
              : std::nullopt),
      partial_sums_(program.array.folds() ? std::optional<PartialSums>(std::in_place, layout_,
                                                                       built_for(), sequencer_)
                                          : std::nullopt),
      vector_(layout_, built_for(), sequencer_),
      checksum_(built_for().protection.checksum
                    ? std::optional<ChecksumDetector>(std::in_place, layout_, program, sequencer_,
                                                      partial_sums())
                    : std::nullopt),
      columns_(program.protection.column_checksum
                   ? std::optional<ColumnChecksum>(std::in_place, layout_, program, sequencer_,
                                                   built_for().array.columns)
                   : std::nullopt),
      checkers_([&] {
        // Parameter words lie in the order in which the compiler packs them (schedule/images.cpp).
        const Protection& protection = built_for().protection;
        std::vector<std::unique_ptr<SumChecker>> checkers;
        int lane_word = 2 + (protection.checksum && program.array.has(Dataflow::is) ? 2 : 0);
        int tile_word = program.checksum_bytes() > 0 ? 1 : 0;
        int neuron_word = 0;
        for (std::size_t i = 0; i < protection.checkers.size(); ++i) {
          const Granularity granularity = protection.checkers[i].granularity;
          int& word = granularity == Granularity::channel  ? lane_word
                      : granularity == Granularity::neuron ? neuron_word
                                                           : tile_word;
          const CheckerType& type = checker_type(protection.checkers[i].kind);
          checkers.push_back(type.make({layout_, program, sequencer_, dma_, i, word}));
          word += protection.checkers[i].bound_words();
        }
        return checkers;
      }()),
      sum_checkers_(built_for().protection.sum_checkers()),
      recompute_(program.protection.reruns()
                     ? std::optional<Recompute>(std::in_place, layout_, program)
                     : std::nullopt),
      votes_(program.protection.passes > 1 && !narrow_
                 ? std::optional<VoteBuffer>(std::in_place, layout_, program)
                 : std::nullopt),
      unit_delay_(delay_stages(layout_, "delay", narrow_ ? sum_latency(program) : 0)),
      output_delay_(delay_stages(layout_, "output_delay",
                                 narrow_ ? unit_latency(program) - sum_latency(program) : 0)),
      state_(layout_),
      counters_(program.layers.size() + 1) {
  if (narrow_) return;  // no result reaches the host
  logits_.resize(static_cast<std::size_t>(program.logits));
  if (program.raw_output) raw_output_.resize(static_cast<std::size_t>(program.logits));
}

void Machine::reset(const std::int8_t* image) {
  state_.reset();
  touch();
  dma_.set_image(image);
  cycle_ = 0;
  counters_.assign(counters_.size(), {});
  suppressions_.clear();
  tiles_.clear();
  std::fill(logits_.begin(), logits_.end(), std::int8_t{0});
  std::fill(raw_output_.begin(), raw_output_.end(), 0);
  host_beats_ = 0;
  tile_began_ = 0;
}

void Machine::touch() {
  if (arbiter_) arbiter_->touch();
  array_.touch();
  if (array_copies_) array_copies_->touch();
  vector_.touch();
  if (checksum_) checksum_->touch();
  for (auto& c : checkers_) c->touch();
}

int Machine::layer() const {
  const SequencerState& s = control();
  const int layers = static_cast<int>(program_->layers.size());
  const auto phase = static_cast<Phase>(s.phase);
  if (phase == Phase::load || phase == Phase::store || phase == Phase::done) return layers;
  return std::clamp(static_cast<int>(s.layer) - 1, 0, layers);
}

bool Machine::folding() const {
  return partial_sums_ && sequencer_.dataflow(control()) != Dataflow::os;
}

SumVector Machine::leaving() {
  const SequencerState& s = control();
  const std::byte* now = state_.now();
  const std::int32_t* top =
      array_copies_ ? array_copies_->output(now, array_).top : array_.top(now);
  return {s.drain2 != 0, false, s.drain_address2, top};
}

SumVector Machine::finished() {
  return folding() ? partial_sums_->output(state_.now()) : leaving();
}

SumVector Machine::drained() {
  SumVector row = finished();
  if (votes_) return votes_->output(state_.now(), row, pass());
  row.valid = row.valid && goes_on();
  return row;
}

std::int32_t Machine::parameter_channel() const {
  const bool is = sequencer_.dataflow(control()) == Dataflow::is;
  return is ? partial_sums_->parameter_channel(state_.now()) : -1;
}

SumVector Machine::checked() const {
  const std::byte* now = state_.now();
  if (!unit_delay_.empty()) {
    const auto before = static_cast<std::size_t>(detector_latency(*program_));
    const bool last = columns_ && unit_delay_.size() == before;
    return last ? columns_->output(now) : unit_delay_.back().view(now);
  }
  if (sum_checkers_ > 0) return checkers_[sum_checkers_ - 1]->output(now);
  if (columns_) return columns_->output(now);
  if (checksum_) return checksum_->output(now);
  return vector_.sums(now);
}

SumVector Machine::checker_input(std::size_t index) const {
  const std::byte* now = state_.now();
  if (index == sum_checkers_) return vector_.outputs(now);
  if (index > 0) return checkers_[index - 1]->output(now);
  if (columns_) return columns_->output(now);
  return checksum_ ? checksum_->output(now) : vector_.sums(now);
}

bool Machine::uncorrected() const {
  const std::byte* now = state_.now();
  return (array_copies_ && array_copies_->uncorrected(now)) ||
         (recompute_ && recompute_->uncorrected(now)) || (columns_ && columns_->uncorrected(now)) ||
         activations_.status().uncorrected(now) || weights_.status().uncorrected(now) ||
         (partial_sums_ && partial_sums_->status().uncorrected(now)) ||
         (accumulators_ && accumulators_->status().uncorrected(now)) ||
         (checksum_ && checksum_->status().uncorrected(now));
}

// Words that the memories' code corrected in the cycle that was stepped last.
std::int64_t Machine::corrected_now() const {
  return activations_.status().corrected() + weights_.status().corrected() +
         (partial_sums_ ? partial_sums_->status().corrected() : 0) +
         (accumulators_ ? accumulators_->status().corrected() : 0) +
         (checksum_ ? checksum_->status().corrected() : 0);
}

WriteBack Machine::written() const {
  const std::byte* now = state_.now();
  const WriteBack unchecked = vector_.output(now);
  if (!output_delay_.empty()) {
    const SumVector late = output_delay_.back().view(now);
    return {late.valid, late.address, unchecked.value};
  }
  if (sum_checkers_ == checkers_.size()) return unchecked;
  const SumVector checked = checkers_.back()->output(now);
  written_.resize(static_cast<std::size_t>(program_->array.columns));
  std::transform(checked.value, checked.value + written_.size(), written_.begin(),
                 [](std::int32_t value) { return static_cast<std::int8_t>(value); });
  return {checked.valid, checked.address, written_.data()};
}

bool Machine::flagged() const {
  if (!checksum_) return false;
  const SumVector v = checksum_->output(state_.now());
  return v.valid && v.flagged;
}

void Machine::step() {
  const Cycle cycle = state_.cycle();
  const std::byte* now = state_.now();
  const SequencerState& s = control();

  const bool repeats = again();
  sequencer_.step(cycle, dma_.state(now).done, reads_wait(), repeats);
  if (recompute_) recompute_->step(cycle, judges(), mismatch());
  dma_.step(cycle, s);
  if (arbiter_) arbiter_->step(cycle);
  if (narrow_) {
    step_drain_path(cycle);
    commit();
    return;
  }
  activations_.step(cycle, dma_, written(), bank_grant());
  weights_.step(cycle, dma_, parameter_channel(), reads_wait());
  const SumVector row = drained();
  if (partial_sums_) {
    const std::int32_t* aligned =
        array_copies_ ? array_copies_->output(now, array_).aligned : array_.aligned(now);
    partial_sums_->step(cycle, aligned, judges(), repeats);
  }
  if (votes_) votes_->step(cycle, finished(), pass(), judges());
  const ArrayControl array_control = sequencer_.array_control(s);
  array_.step(cycle, activations_.read(now), weights_.read(now), array_control);
  if (array_copies_) {
    array_copies_->step(cycle, activations_.read(now), weights_.read(now), array_control, array_);
  }
  const SumVector out = checked();
  vector_.step(cycle, row, out, activations_.vector(now), weights_);
  if (accumulators_) accumulators_->step(cycle, out);
  if (checksum_) {
    checksum_->step(cycle, activations_.read(now), weights_, row, vector_.sums(now));
  }
  if (columns_) {
    columns_->step(cycle, activations_.read(now), weights_, checksum_->output(now),
                   checksum_->difference(now), repeats);
  }
  for (std::size_t i = 0; i < checkers_.size(); ++i) {
    checkers_[i]->step(cycle, checker_input(i), weights_);
  }
  commit();
}

// Without a data path: whether something is on its way from the array to the scratchpad, and where
// to.
void Machine::step_drain_path(const Cycle& cycle) {
  const std::byte* now = state_.now();
  const SumVector row = drained();
  if (partial_sums_) partial_sums_->step(cycle, array_.aligned(now), judges(), again());
  vector_.step(cycle, row, checked(), activations_.vector(now), weights_);
  SumVector sums = vector_.sums(now);
  int stages = 0;
  for (const SumStage& stage : unit_delay_) {
    stage.load(cycle, sums);
    sums = stage.view(now);
    if (++stages != detector_latency(*program_) || !columns_) continue;
    columns_->step_rows(cycle, sums, 0, again());
    sums = columns_->output(now);
  }
  if (output_delay_.empty()) return;
  SumVector outputs = vector_.outputs(now);
  for (const SumStage& stage : output_delay_) {
    stage.load(cycle, outputs);
    outputs = stage.view(now);
  }
}

void Machine::commit() {
  if (observer_ != nullptr) observer_->observe(*this);
  count();
  for (std::size_t i = 0; i < checkers_.size(); ++i) {
    for (const Suppression& sup : checkers_[i]->suppressed()) {
      // A corrupt address wraps, as its register does.
      const auto step = static_cast<std::uint32_t>(sequencer_.lane_step(control()));
      const auto address =
          static_cast<std::uint32_t>(sup.address) + static_cast<std::uint32_t>(sup.lane) * step;
      suppressions_.push_back({layer(), static_cast<int>(i), static_cast<std::int32_t>(address),
                               sup.value, sup.replacement});
      ++counters_[static_cast<std::size_t>(layer())].suppressed;
    }
  }
  state_.clock_edge();
  if (arbiter_) arbiter_->touch();
  ++cycle_;
}

bool Machine::run(std::int64_t budget) {
  while (!done() && cycle_ < budget) step();
  return done();
}

std::int64_t Machine::mismatches() const {
  std::int64_t n = 0;
  for (const LayerCounters& c : counters_) n += c.mismatches + c.output_mismatches;
  return n;
}

void Machine::save(Snapshot& snapshot) {
  state_.save(snapshot.state);
  save_host(snapshot);
}

void Machine::save_pipeline(Snapshot& snapshot) {
  snapshot.state.assign(state_.now(), state_.now() + layout_.pipeline_bytes());
  save_host(snapshot);
}

void Machine::save_host(Snapshot& snapshot) const {
  snapshot.cycle = cycle_;
  snapshot.counters = counters_;
  snapshot.suppressions = suppressions_;
  snapshot.logits = logits_;
  snapshot.raw_output = raw_output_;
  snapshot.host_beats = host_beats_;
  snapshot.tile_began = tile_began_;
}

void Machine::restore(const Snapshot& snapshot) {
  state_.restore(snapshot.state);
  touch();
  cycle_ = snapshot.cycle;
  counters_ = snapshot.counters;
  suppressions_ = snapshot.suppressions;
  logits_ = snapshot.logits;
  raw_output_ = snapshot.raw_output;
  host_beats_ = snapshot.host_beats;
  tile_began_ = snapshot.tile_began;
}

bool Machine::equals(const Snapshot& snapshot) const {
  return host_equals(snapshot) && state_.equals(snapshot.state);
}

bool Machine::host_equals(const Snapshot& snapshot) const {
  return host_beats_ == snapshot.host_beats && logits_ == snapshot.logits &&
         raw_output_ == snapshot.raw_output;
}

}  // namespace sagitta
