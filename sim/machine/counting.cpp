// What a machine notes of a run beside its registers: counts, tiles and what the host receives.
#include <optional>

#include "machine/machine.h"

namespace sagitta {

void Machine::capture_store(const SequencerState& s) {
  if (s.store1 == 0) return;
  const auto columns = static_cast<std::size_t>(program_->array.columns);
  const std::size_t first = host_beats_++ * columns;
  for (std::size_t c = 0; c < columns && first + c < logits_.size(); ++c) {
    if (accumulators_) {
      raw_output_[first + c] = accumulators_->vector(state_.now())[c];
    } else {
      logits_[first + c] = activations_.vector(state_.now())[c];
    }
  }
}

// The array sees what the sequencer issued two cycles ago.
void Machine::record_tile(const SequencerState& s) {
  const bool os = sequencer_.dataflow(s) == Dataflow::os;
  if (sequencer_.issues_rows(s, reads_wait()) && (os ? s.weight_row : s.pixel) == 0) {
    tiles_.push_back({layer(), s.first_row, s.first_column,
                      os ? 0 : s.first_depth / program_->array.rows, pass(), cycle_ + 2, -1});
  }
  if (os ? sequencer_.ends_tile(s) : (sequencer_.tag(state_.now()) & kTagEnd) != 0) {
    // The oldest tile under way: the next ones may already have begun.
    auto oldest = tiles_.end();
    while (oldest != tiles_.begin() && (oldest - 1)->end_cycle < 0) --oldest;
    const bool ahead = os && sequencer_.overlap();
    if (oldest != tiles_.end()) oldest->end_cycle = cycle_ + (ahead ? 2 : 0);
  }
}

// Where the cycle went: into exactly one of these, unless a fault has made the phase one that the
// machine does not use.
void Machine::count_phase(const SequencerState& s, LayerCounters& c) const {
  auto phase = static_cast<Phase>(s.phase);
  if (arbiter_) {
    const std::optional<Phase> spent = sequencer_.spent_in(s, reads_wait());
    if (!spent) {
      ++c.bank_stall_cycles;
      return;
    }
    phase = *spent;
  }
  switch (phase) {
    case Phase::load:
      ++c.control_cycles;
      break;
    case Phase::wait:
      ++(Sequencer::data_ready(s, dma_.state(state_.now()).done) ? c.control_cycles
                                                                 : c.dram_stall_cycles);
      break;
    case Phase::setup:
      ++c.setup_cycles;
      break;
    case Phase::feed:
    case Phase::stream:
      ++c.feed_cycles;
      break;
    case Phase::bubble:
      ++c.fill_cycles;
      break;
    case Phase::drain:
      ++c.drain_cycles;
      break;
    case Phase::verify:
      ++c.verify_cycles;
      break;
    case Phase::pool:
      ++c.pool_cycles;
      ++c.pool_taps;
      c.activation_reads += sequencer_.lanes(s);
      break;
    case Phase::flush:
      ++c.flush_cycles;
      break;
    case Phase::store:
      ++c.store_cycles;
      break;
    case Phase::preload:
      ++c.preload_cycles;
      break;
    case Phase::settle:
      ++c.settle_cycles;
      break;
    case Phase::done:
    default:
      break;
  }
}

// A try ends where the tile is judged, and where none is at work the next one begins a cycle
// later.
void Machine::count_recompute(const SequencerState& s, LayerCounters& c) {
  const auto phase = static_cast<Phase>(s.phase);
  const bool ends = sequencer_.judges(s) && goes_on();
  if (recompute_->fails(state_.now(), sequencer_.judges(s), mismatch())) {
    ++c.recomputed_tiles;
    c.recompute_cycles += cycle_ + 1 - tile_began_;
  }
  if (ends || phase == Phase::wait || phase == Phase::setup) tile_began_ = cycle_ + 1;
}

void Machine::count_dma(const SequencerState& s, LayerCounters& c) const {
  const std::byte* now = state_.now();
  switch (dma_.activity(now, s)) {
    case Dma::Activity::burst:
      ++c.dma_burst_cycles;
      c.dram_read_bytes += dma_.delivered(now);
      break;
    case Dma::Activity::latency:
      ++c.dma_latency_cycles;
      break;
    case Dma::Activity::blocked:
      ++c.dma_blocked_cycles;
      break;
    case Dma::Activity::idle:
      ++c.dma_idle_cycles;
      break;
  }
  if (dma_.state(now).data_valid == 0) return;
  c.dma_bytes += dma_.count(now);
  c.activation_dma_bytes += activations_.taken(now, dma_);
  c.weight_dma_bytes += weights_.taken(now, dma_);
}

void Machine::count() {
  const SequencerState& s = control();
  LayerCounters& c = counters_[static_cast<std::size_t>(layer())];
  ++c.cycles;
  count_phase(s, c);
  count_dma(s, c);
  const bool waits = reads_wait();
  if (sequencer_.issues_rows(s, waits)) {
    c.macs += std::int64_t{sequencer_.rows(s)} * sequencer_.lanes(s);
  }
  if (!waits) c.activation_reads += sequencer_.activations_read(s);
  if (const BankGrant* grant = bank_grant()) c.activation_words += grant->words();
  if (sequencer_.weight_row(s, waits) >= 0) ++c.weight_row_reads;
  const bool folds = folding();
  if (folds) {
    const std::uint8_t tag = sequencer_.tag(state_.now());
    const int lanes = (tag & kTagValid) != 0 ? sequencer_.lanes(s) : 0;
    if ((tag & kTagFirstFold) == 0) c.partial_reads += lanes;
    if ((tag & kTagLastFold) == 0) c.partial_writes += lanes;
  }
  const bool row = folds ? partial_sums_->output(state_.now()).valid : s.drain2 != 0;
  if (row && goes_on()) ++c.vectors;
  if (written().valid) c.activation_writes += sequencer_.lanes(s);
  if (accumulators_ && checked().valid && s.config.raw != 0) {
    c.accumulator_writes += sequencer_.lanes(s);
  }
  if (s.store1 != 0) ++c.store_beats;
  if (flagged()) ++c.mismatches;
  if (copies_differ()) ++c.mismatches;
  if (program_->protection.memory_code != MemoryCode::none) c.corrected_reads += corrected_now();
  if (program_->protection.checks_outputs() && !narrow_) {
    const SumVector v = vector_.outputs(state_.now());
    if (v.valid && v.flagged) ++c.output_mismatches;
  }
  if (columns_) c.corrected_sums += columns_->corrected();
  if (recompute_) count_recompute(s, c);
  capture_store(s);
  if (record_tiles_) record_tile(s);
}

}  // namespace sagitta
