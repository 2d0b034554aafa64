#include "machine/accelerator.h"

#include <algorithm>
#include <string>
#include <utility>

namespace sagitta {

Accelerator::Accelerator(const sc_core::sc_module_name& name, const Program& program)
    : sc_module(name),
      machine_(program),
      period_(1, sc_core::SC_NS),
      clock_("clock", period_),
      state_("state", machine_),
      sequencer_("sequencer", state_, machine_),
      dma_("dma", state_, machine_),
      activations_("activation_scratchpad", state_, machine_),
      weights_("weight_scratchpad", state_, machine_),
      array_("array", state_, machine_, machine_.array()),
      vector_("vector_unit", state_, machine_),
      injector_("injector") {
  for (Block* block : std::initializer_list<Block*>{&sequencer_, &dma_, &activations_, &weights_,
                                                    &array_, &vector_}) {
    block->clock(clock_);
  }
  clock_.injector(injector_);

  sequencer_.dma(dma_.status);
  dma_.control(sequencer_.control);
  activations_.dma(dma_.beats);
  weights_.dma(dma_.beats);

  if (machine_.arbiter() != nullptr) {
    arbiter_ = std::make_unique<BankArbiterModule>("bank_arbiter", state_, machine_);
    arbiter_->clock(clock_);
    activations_.grant(arbiter_->grant);
    sequencer_.reads_wait(arbiter_->reads_wait);
    weights_.reads_wait(arbiter_->reads_wait);
  }

  array_.activations(activations_.rows);
  array_.weights(weights_.row);
  array_.control(sequencer_.control);
  wire_further_arrays();

  // The drain path: array [-> voter] [-> partial sums] [-> vote over passes] -> bias ->
  // [detector -> checkers] -> requantise -> [checkers ->] scratchpad.
  OutWire<SumVector>* row = array_voter_ ? &array_voter_->row : &array_.row;
  if (machine_.partial_sums() != nullptr) {
    partial_sums_ = std::make_unique<PartialSumsModule>("partial_sums", state_, machine_);
    partial_sums_->clock(clock_);
    partial_sums_->aligned(array_voter_ ? array_voter_->sums : array_.sums);
    partial_sums_->control(sequencer_.control);
    row = &partial_sums_->finished;
    if (program.array.has(Dataflow::is)) weights_.channel(partial_sums_->channel);
  }
  if (machine_.votes() != nullptr) {
    votes_ = std::make_unique<VoteBufferModule>("vote_buffer", state_, machine_);
    votes_->clock(clock_);
    votes_->row(*row);
    votes_->control(sequencer_.control);
    row = &votes_->voted;
  }
  vector_.row(*row);
  vector_.parameters(weights_.parameters);
  vector_.pool(activations_.vector);
  OutWire<SumVector>* sums = &vector_.sums;
  if (machine_.checksum() != nullptr) {
    checksum_ = std::make_unique<ChecksumModule>("checksum_detector", state_, machine_);
    checksum_->clock(clock_);
    checksum_->activations(activations_.rows);
    checksum_->weights(weights_.parameters);
    checksum_->leaving(*row);
    checksum_->input(*sums);
    sums = &checksum_->output;
  }
  if (machine_.columns() != nullptr) {
    columns_ = std::make_unique<ColumnChecksumModule>("column_checksum", state_, machine_);
    columns_->clock(clock_);
    columns_->activations(activations_.rows);
    columns_->weights(weights_.parameters);
    columns_->input(*sums);
    columns_->difference(checksum_->difference);
    sums = &columns_->output;
  }
  if (machine_.recompute() != nullptr) {
    recompute_ = std::make_unique<RecomputeModule>("recompute", state_, machine_);
    recompute_->clock(clock_);
    recompute_->control(sequencer_.control);
    recompute_->checked(*sums);
    if (comparator_) recompute_->copies_differ(comparator_->mismatch);
    if (columns_) {
      recompute_->wrong(columns_->wrong);
      columns_->again(recompute_->again);
    }
    sequencer_.again(recompute_->again);
    if (partial_sums_) partial_sums_->again(recompute_->again);
    if (votes_) votes_->pass(recompute_->pass);
  }
  OutWire<SumVector>* outputs = &vector_.outputs;
  OutWire<WriteBack>* written = &vector_.output;
  const auto& chain = program.protection.checkers;
  for (std::size_t i = 0; i < chain.size(); ++i) {
    auto& core = machine_.checkers()[i];
    const bool of_outputs = chain[i].position == Position::output;
    auto checker = std::make_unique<CheckerModule>((core->name() + "_checker").c_str(), state_,
                                                   machine_, *core);
    checker->clock(clock_);
    checker->parameters(weights_.parameters);
    checker->input(of_outputs ? *outputs : *sums);
    (of_outputs ? outputs : sums) = &checker->output;
    if (of_outputs) written = &checker->written;
    checkers_.push_back(std::move(checker));
  }
  vector_.checked(*sums);
  if (machine_.accumulators() != nullptr) {
    accumulators_ =
        std::make_unique<AccumulatorBufferModule>("accumulator_buffer", state_, machine_);
    accumulators_->clock(clock_);
    accumulators_->input(*sums);
  }
  activations_.write(*written);
}

// Further copies of the array are fed like the first one.
void Accelerator::wire_further_arrays() {
  if (machine_.array_copies() == nullptr) return;
  int number = 1;
  for (Array& core : machine_.array_copies()->further()) {
    auto copy =
        std::make_unique<ArrayModule>(array_block(number++).c_str(), state_, machine_, core);
    copy->clock(clock_);
    copy->activations(activations_.rows);
    copy->weights(weights_.row);
    copy->control(sequencer_.control);
    further_arrays_.push_back(std::move(copy));
  }
  ArrayCopyPorts* ports = nullptr;
  if (machine_.array_copies()->voter() != nullptr) {
    array_voter_ = std::make_unique<ArrayVoterModule>("array_voter", machine_);
    ports = &array_voter_->copies;
  } else {
    comparator_ = std::make_unique<ArrayComparatorModule>("array_comparator", state_, machine_);
    comparator_->clock(clock_);
    ports = &comparator_->copies;
  }
  ports->bind(0, array_);
  for (std::size_t i = 0; i < further_arrays_.size(); ++i) ports->bind(i + 1, *further_arrays_[i]);
}

bool Accelerator::run(std::int64_t budget, InjectorModule::Strike strike) {
  constexpr std::int64_t kLongest = std::int64_t{1} << 40;  // keeps sc_time within its 64 bits
  injector_.arm(std::move(strike));
  while (!machine_.done() && machine_.cycle() < budget) {
    const std::int64_t cycles = std::min(kLongest, budget - machine_.cycle());
    sc_core::sc_start(period_ * static_cast<double>(cycles));
  }
  injector_.arm(nullptr);  // a strike may refer to what lives no longer than the run
  return machine_.done();
}

std::unique_ptr<ClockedMachine> make_accelerator(const Program& program) {
  return std::make_unique<Accelerator>("sagitta", program);
}

}  // namespace sagitta
