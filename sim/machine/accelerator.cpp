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
      array_("array", state_, machine_),
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

  // The drain path: array [-> partial sums] -> bias -> [detector -> checkers] -> requantise ->
  // [checkers ->] scratchpad.
  OutWire<SumVector>* row = &array_.row;
  if (machine_.partial_sums() != nullptr) {
    partial_sums_ = std::make_unique<PartialSumsModule>("partial_sums", state_, machine_);
    partial_sums_->clock(clock_);
    partial_sums_->aligned(array_.sums);
    row = &partial_sums_->finished;
    if (program.array.has(Dataflow::is)) weights_.channel(partial_sums_->channel);
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

}  // namespace sagitta
