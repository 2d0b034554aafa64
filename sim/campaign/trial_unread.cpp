// What is known of trials beforehand: the run's extent, and results that need no machine.
#include "campaign/trial.h"
#include "network/reference.h"

namespace sagitta {

std::int64_t TrialEngine::clean_cycles() {
  if (clean_cycles_ == 0) {
    const std::vector<std::int8_t> blank(static_cast<std::size_t>(network_->input.elements()));
    machine_.reset(blank.data());
    while (!machine_.done()) machine_.step();
    clean_cycles_ = machine_.cycle();
  }
  return clean_cycles_;
}

const std::vector<std::int64_t>& TrialEngine::layer_begins() {
  if (layer_begins_.empty()) {
    const std::vector<std::int8_t> blank(static_cast<std::size_t>(network_->input.elements()));
    machine_.reset(blank.data());
    layer_begins_.assign(network_->layers.size(), -1);
    for (; !machine_.done(); machine_.step()) {
      const auto layer = static_cast<std::size_t>(machine_.layer());
      if (layer < layer_begins_.size() && layer_begins_[layer] < 0) {
        layer_begins_[layer] = machine_.cycle();
      }
    }
    layer_begins_.front() = 0;  // what comes before its work is its loading
  }
  return layer_begins_;
}

// A single flip in a word of a memory that is written before it is read, or not read again: nothing
// else happens, so that the result is known without a machine.
std::optional<TrialResult> TrialEngine::unread(const TrialFaults& faults) {
  if (faults.registers.size() != 1 || !faults.neurons.empty() || !faults.weights.empty()) {
    return std::nullopt;
  }
  const Fault& f = faults.registers[0];
  if (f.kind != FaultKind::flip) return std::nullopt;
  const RegisterClass& c = sites_.classes()[static_cast<std::size_t>(f.site.register_class)];
  const std::size_t byte = c.offset + static_cast<std::size_t>(c.place(f.site.element));
  if (!activity_.of_moment(f.site.register_class) || c.element_bytes != 1 || f.resisted ||
      f.cycle >= clean_.cycles() || !use_->knows(byte)) {
    return std::nullopt;
  }
  const MemoryUse::Access next = use_->next(byte, f.cycle);
  const std::size_t at = clean_.before(f.cycle);
  if ((next.cycle >= 0 && !next.write) ||
      use_->written(byte, clean_.checkpoint(at).cycle, f.cycle)) {
    return std::nullopt;
  }
  const std::byte before = clean_.held().at(at, byte);
  const auto value = [&c](std::byte b) {
    return c.is_signed ? std::int64_t{static_cast<std::int8_t>(b)}
                       : std::int64_t{std::to_integer<std::uint8_t>(b)};
  };
  const auto cycle = static_cast<std::size_t>(f.cycle);
  TrialResult result = clean_trial_;
  result.outcome =
      activity_.in_use(moments_[cycle], f.site) ? Outcome::masked_logical : Outcome::masked_idle;
  result.layer = layers_[cycle];
  result.faults_drawn = result.faults_fired = 1;
  result.faults = {{f.site, f.cycle, true, value(before),
                    value(before ^ static_cast<std::byte>(1U << f.site.bit)), false}};
  logits_ = clean_.result().logits;
  return result;
}

// What every trial in which nothing differs from the fault-free run has in common.
TrialResult TrialEngine::clean_trial() const {
  TrialResult result;
  result.image = image_;
  result.road = Road::core;
  result.reference_class = result.predicted_class = top1(clean_.result().logits);
  result.reference_correct = result.correct = correct_;
  result.cycles = clean_.cycles();
  result.mismatches = clean_.result().mismatches;
  judge(clean_.suppressions(), result);
  return result;
}

void TrialEngine::judge(const std::vector<SuppressionRecord>& suppressions,
                        TrialResult& result) const {
  for (const SuppressionRecord& s : suppressions) {
    const bool wrong = clean_.value_at(s, program_.protection.checkers) == s.value;
    ++(wrong ? result.suppressed_wrong : result.suppressed_right);
  }
}

}  // namespace sagitta
