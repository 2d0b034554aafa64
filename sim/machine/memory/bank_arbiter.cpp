#include "machine/memory/bank_arbiter.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace sagitta {

int BankGrant::words() const {
  return static_cast<int>(
      std::count_if(word.begin(), word.end(), [](std::int64_t w) { return w >= 0; }));
}

BankArbiter::BankArbiter(RegisterLayout& layout, const Program& program, const Sequencer& sequencer)
    : sequencer_(&sequencer),
      columns_(program.array.columns),
      maps_(program.activation_maps),
      logits_(program.logits),
      raw_(program.raw_output),
      bytes_(program.memory.activation_bytes),
      word_bits_(std::countr_zero(static_cast<unsigned>(program.memory.activation_port_bytes))) {
  const int readers = std::max(sequencer.positions(), program.array.columns);
  pending_ = layout.pipe<std::uint8_t>("memory.activation.pending[]", {readers}, 1);
  grant_.take.resize(pending_.count);
  grant_.address.resize(pending_.count);
  grant_.pending.resize(pending_.count);
  grant_.word.resize(static_cast<std::size_t>(program.memory.activation_banks));
}

// Each row (is: column) has its pixel and all share the tap, or (ws) the other way round.
void BankArbiter::ask_positions(const std::byte* now, const SequencerState& s) const {
  const int readers = sequencer_->activations_read(s);
  if (readers == 0) return;
  grant_.reads = true;
  grant_.map = s.config.input_map;
  const SharedPosition shared = sequencer_->shared_position(s);
  const std::int32_t* row_y = sequencer_->row_y(now);
  const std::int32_t* row_x = sequencer_->row_x(now);
  const std::int32_t* row_address = sequencer_->row_address(now);
  for (int r = 0; r < readers; ++r) {
    const auto i = static_cast<std::size_t>(r);
    const bool inside = sequencer_->in_map(s, static_cast<std::uint32_t>(row_y[r]) + shared.y,
                                           static_cast<std::uint32_t>(row_x[r]) + shared.x);
    grant_.address[i] = static_cast<std::uint32_t>(row_address[r]) + shared.address;
    grant_.take[i] = !inside                    ? BankGrant::Take::padding
                     : holds(grant_.address[i]) ? BankGrant::Take::element
                                                : BankGrant::Take::zero;
  }
}

// Neighbouring elements, for pooling, adding or the host. A tap in the padding is not read.
void BankArbiter::ask_vector(const SequencerState& s) const {
  const bool pool = s.phase == static_cast<std::uint8_t>(Phase::pool);
  if (!pool && (raw_ || !Sequencer::store_issue(s, logits_))) return;
  grant_.reads = grant_.wide = true;
  grant_.map = sequencer_->vector_map(s);
  if (pool && !Sequencer::tap_in_map(s)) return;
  const std::uint32_t first = sequencer_->vector_address(s);
  const std::int64_t left = pool ? sequencer_->lanes(s) : logits_ - std::int64_t{s.output_address};
  const auto lanes = static_cast<std::size_t>(std::min<std::int64_t>(left, columns_));
  for (std::size_t i = 0; i < lanes; ++i) {
    grant_.address[i] = first + static_cast<std::uint32_t>(i);
    if (holds(grant_.address[i])) grant_.take[i] = BankGrant::Take::element;
  }
}

// Of those who ask, or in the further cycles of an access of those who still wait, each bank serves
// one word. Whatever a fault leaves in `pending`, who does not ask does not wait.
void BankArbiter::serve(const std::byte* now) const {
  const std::uint8_t* waited = pending_.now(now);
  const bool first = std::all_of(waited, waited + pending_.count, [](auto w) { return w == 0; });
  const auto banks = static_cast<std::uint32_t>(grant_.word.size());
  for (std::size_t i = 0; i < pending_.count; ++i) {
    if (!first && waited[i] == 0) {
      grant_.take[i] = BankGrant::Take::hold;
      continue;
    }
    if (grant_.take[i] != BankGrant::Take::element) continue;
    const std::int64_t word = grant_.address[i] >> word_bits_;
    std::int64_t& delivered = grant_.word[static_cast<std::uint32_t>(word) & (banks - 1)];
    if (delivered < 0) delivered = word;
    if (delivered == word) continue;
    grant_.take[i] = BankGrant::Take::hold;
    grant_.pending[i] = 1;
    grant_.waits = true;
  }
}

void BankArbiter::work_out(const std::byte* now) const {
  const SequencerState& s = sequencer_->state(now);
  grant_.reads = grant_.wide = grant_.waits = false;
  std::fill(grant_.take.begin(), grant_.take.end(), BankGrant::Take::zero);
  std::fill(grant_.pending.begin(), grant_.pending.end(), std::uint8_t{0});
  std::fill(grant_.word.begin(), grant_.word.end(), std::int64_t{-1});
  ask_positions(now, s);
  if (!grant_.reads) ask_vector(s);
  if (grant_.reads) serve(now);
  known_ = true;
}

void BankArbiter::step(const Cycle& cycle) const {
  std::memcpy(pending_.next(cycle), grant(cycle.now).pending.data(), pending_.count);
}

}  // namespace sagitta
