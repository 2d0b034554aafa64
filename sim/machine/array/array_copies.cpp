#include "machine/array/array_copies.h"

#include <algorithm>

namespace sagitta {
namespace {

const std::int32_t* majority(const std::int32_t* x, const std::int32_t* y, const std::int32_t* z,
                             std::vector<std::int32_t>& voted) {
  for (std::size_t c = 0; c < voted.size(); ++c) {
    voted[c] = (x[c] & y[c]) | (y[c] & z[c]) | (x[c] & z[c]);
  }
  return voted.empty() ? nullptr : voted.data();
}

}  // namespace

ArrayVoter::ArrayVoter(const ArrayShape& shape)
    : top_(shape.has(Dataflow::os) ? static_cast<std::size_t>(shape.columns) : 0),
      aligned_(shape.folds() ? static_cast<std::size_t>(shape.columns) : 0) {}

ArrayOutput ArrayVoter::vote(const ArrayOutput& x, const ArrayOutput& y, const ArrayOutput& z) {
  return {majority(x.top, y.top, z.top, top_), majority(x.aligned, y.aligned, z.aligned, aligned_)};
}

ArrayComparator::ArrayComparator(RegisterLayout& layout, const Sequencer& sequencer, bool status)
    : sequencer_(&sequencer) {
  if (status) {
    uncorrected_ = layout.pipe<std::uint8_t>("resilience.comparator.uncorrected", {}, 1);
  }
}

bool ArrayComparator::row_leaves(const std::byte* now) const {
  const SequencerState& s = sequencer_->state(now);
  return sequencer_->dataflow(s) == Dataflow::os ? s.drain2 != 0
                                                 : (sequencer_->tag(now) & kTagValid) != 0;
}

bool ArrayComparator::mismatch(const std::byte* now, const ArrayOutput& x,
                               const ArrayOutput& y) const {
  if (!row_leaves(now)) return false;
  const SequencerState& s = sequencer_->state(now);
  const bool os = sequencer_->dataflow(s) == Dataflow::os;
  const std::int32_t* first = os ? x.top : x.aligned;
  const std::int32_t* second = os ? y.top : y.aligned;
  return !std::equal(first, first + sequencer_->lanes(s), second);
}

void ArrayComparator::step(const Cycle& cycle, bool mismatch) const {
  if (uncorrected_.count == 0) return;
  *uncorrected_.next(cycle) = uncorrected(cycle.now) || mismatch ? 1 : 0;
}

ArrayCopies::ArrayCopies(RegisterLayout& layout, const Program& program, const Sequencer& sequencer)
    : os_(program.array.has(Dataflow::os)), folds_(program.array.folds()) {
  const Protection& p = program.protection;
  for (int i = 1; i < p.arrays; ++i) {
    further_.emplace_back(layout, program.array, p.register_copies(), array_block(i));
  }
  if (p.arrays == 3) voter_.emplace(program.array);
  if (p.arrays == 2) comparator_.emplace(layout, sequencer, p.retries == 0);
}

void ArrayCopies::step(const Cycle& cycle, const std::int8_t* activations,
                       const std::int8_t* weights, const ArrayControl& control, Array& first) {
  for (Array& copy : further_) copy.step(cycle, activations, weights, control);
  if (comparator_) comparator_->step(cycle, differ(cycle.now, first));
}

void ArrayCopies::touch() {
  for (Array& copy : further_) copy.touch();
}

ArrayOutput ArrayCopies::of(const std::byte* now, Array& array) const {
  return {os_ ? array.top(now) : nullptr, folds_ ? array.aligned(now) : nullptr};
}

ArrayOutput ArrayCopies::output(const std::byte* now, Array& first) {
  const ArrayOutput own = of(now, first);
  return voter_ ? voter_->vote(own, of(now, further_[0]), of(now, further_[1])) : own;
}

bool ArrayCopies::differ(const std::byte* now, Array& first) {
  return comparator_ && comparator_->row_leaves(now) &&
         comparator_->mismatch(now, of(now, first), of(now, further_[0]));
}

}  // namespace sagitta
