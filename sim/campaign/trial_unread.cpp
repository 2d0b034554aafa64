// What is known of trials beforehand: the run's extent, and what a flip does before it is read.
#include "campaign/trial_course.h"
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

// A single flip in a word of a memory whose accesses are known: until the word is read it does
// nothing else, so that what it does until then is known without a machine.
std::optional<TrialEngine::MemoryFlip> TrialEngine::memory_flip(const TrialFaults& faults) const {
  if (faults.registers.size() != 1 || !faults.neurons.empty() || !faults.weights.empty()) {
    return std::nullopt;
  }
  const Fault& f = faults.registers[0];
  const RegisterClass& c = sites_.classes()[static_cast<std::size_t>(f.site.register_class)];
  const auto bytes = static_cast<std::size_t>(c.element_bytes);
  MemoryFlip flip;
  flip.first = c.offset + static_cast<std::size_t>(c.place(f.site.element)) * bytes;
  if (f.kind != FaultKind::flip || f.resisted || f.cycle >= clean_.cycles() ||
      !activity_.of_moment(f.site.register_class) || !use_->knows(flip.first)) {
    return std::nullopt;
  }
  flip.checkpoint = clean_.before(f.cycle);
  const std::int64_t since = clean_.checkpoint(flip.checkpoint).cycle;
  std::uint64_t before = 0;
  for (std::size_t i = 0; i < bytes; ++i) {
    if (use_->written(flip.first + i, since, f.cycle)) return std::nullopt;
    before |= std::to_integer<std::uint64_t>(clean_.held().at(flip.checkpoint, flip.first + i))
              << 8 * i;
  }
  const std::int64_t after = register_value(before ^ std::uint64_t{1} << f.site.bit, c);
  flip.record = {f.site, f.cycle, true, register_value(before, c), after, false};
  flip.differs = before ^ static_cast<std::uint64_t>(after);
  if (bytes < 8) flip.differs &= (std::uint64_t{1} << 8 * bytes) - 1;
  for (std::size_t i = 0; i < bytes; ++i) {
    if ((flip.differs >> 8 * i & 0xff) == 0) continue;
    const MemoryUse::Access next = use_->next(flip.first + i, f.cycle);
    flip.read = flip.read || (next.cycle >= 0 && !next.write);
  }
  return flip;
}

// The word is written before it is read, or not read again.
TrialResult TrialEngine::unread(const MemoryFlip& flip) {
  TrialResult result = clean_trial_;
  const auto cycle = static_cast<std::size_t>(flip.record.cycle);
  result.outcome = activity_.in_use(moments_[cycle], flip.record.site) ? Outcome::masked_logical
                                                                       : Outcome::masked_idle;
  result.layer = layers_[cycle];
  result.faults_drawn = result.faults_fired = 1;
  result.faults = {flip.record};
  logits_ = clean_.result().logits;
  return result;
}

// Begins a trial behind its flip, with the word as all that differs. False: nothing is left to run.
bool TrialEngine::start_behind(const MemoryFlip& flip, Course& course) {
  const std::int64_t cycle = flip.record.cycle;
  for (std::size_t i = 0; i < sizeof flip.differs; ++i) {
    const auto change = static_cast<std::byte>(flip.differs >> 8 * i & 0xff);
    if (change == std::byte{0}) continue;
    course.places.push_back(flip.first + i);
    course.bytes.push_back(clean_.held().at(flip.checkpoint, flip.first + i) ^ change);
  }
  const std::int64_t read = next_read(course, cycle);
  const bool settled = settle(course, cycle, read);
  const std::size_t next = settled ? 0 : clean_.before(read);
  if (!settled && next == flip.checkpoint) {  // nothing to be left out
    course.places.clear();
    course.bytes.clear();
    start(course);
    return true;
  }
  course.injector.delivered(flip.record);
  course.layer = layers_[static_cast<std::size_t>(cycle)];
  course.in_use = activity_.in_use(moments_[static_cast<std::size_t>(cycle)], flip.record.site);
  if (!settled) skip_to(course, next);
  return !settled;
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
