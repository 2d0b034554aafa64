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

}  // namespace sagitta
