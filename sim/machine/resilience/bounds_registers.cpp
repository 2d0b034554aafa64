#include "machine/resilience/bounds_registers.h"

#include <algorithm>

namespace sagitta {
namespace {

constexpr int kRowBits = 24;

}  // namespace

BoundsRegisters::BoundsRegisters(const CheckerPlace& place)
    : sequencer_(&place.sequencer),
      granularity_(place.checker().granularity),
      position_(place.checker().position),
      word_(place.word),
      dma_(&place.dma),
      format_(place.program.parameters),
      lanes_(place.lanes()),
      words_(place.checker().bound_words()),
      rows_(static_cast<std::uint32_t>(place.program.bound_rows)),
      memory_name_(place.name() + "-bounds") {
  const std::string path = place.path();
  const int bits = place.checker().bound_bits();
  if (granularity_ == Granularity::layer) {
    low_ = place.layout.held<std::int32_t>(path + ".low", {}, bits);
    high_ = place.layout.held<std::int32_t>(path + ".high", {}, bits);
    return;
  }
  const int sets = place.program.parameter_sets();
  low_ = place.layout.held<std::int32_t>(path + ".low[]", {sets}, bits);
  high_ = place.layout.held<std::int32_t>(path + ".high[]", {sets}, bits);
  if (granularity_ == Granularity::channel) return;
  memory_ = place.layout.held<std::uint32_t>(path + ".bounds.bank[].row[].lane[].word[]",
                                             {2, static_cast<int>(rows_), lanes_, words_}, 32,
                                             Storage::sram);
  row_ = place.layout.held<std::uint32_t>(path + ".bounds.row", {}, kRowBits);
}

template <typename Word>
Bounds BoundsRegisters::bounds(const Word& word) const {
  if (position_ == Position::sum) {
    return {static_cast<std::int32_t>(word(0)), static_cast<std::int32_t>(word(1))};
  }
  // Nine bits of each half, with their sign.
  const auto nine = [](std::uint32_t half) { return static_cast<std::int32_t>(half << 23) >> 23; };
  return {nine(word(0)), nine(word(0) >> 16)};
}

void BoundsRegisters::load(const Cycle& cycle, const SequencerState& s,
                           const WeightScratchpad& weights, bool arrives) const {
  if (granularity_ == Granularity::neuron) {
    load_row(cycle, s, arrives);
    write_beat(cycle);
  } else if (granularity_ == Granularity::channel) {
    const LaneRange lanes = sequencer_->parameter_target(s, low_.count);
    if (lanes.first == lanes.end) return;
    const Bounds b = bounds([&](int i) { return weights.lane_word(cycle.now, word_ + i); });
    std::fill(low_.at(cycle) + lanes.first, low_.at(cycle) + lanes.end, b.low);
    std::fill(high_.at(cycle) + lanes.first, high_.at(cycle) + lanes.end, b.high);
  } else if (Sequencer::takes_tile_words(s)) {
    const std::uint32_t* words = weights.tile_words(cycle.now) + word_;
    const Bounds b = bounds([words](int i) { return words[i]; });
    *low_.at(cycle) = b.low;
    *high_.at(cycle) = b.high;
  }
}

// What passes in a layer without a product meets no bounds.
bool BoundsRegisters::reads(const SequencerState& s, bool arrives) const {
  return granularity_ == Granularity::neuron && arrives && has_product(s);
}

// The row counts the vectors of a column tile, image by image; parameters come before its first.
void BoundsRegisters::load_row(const Cycle& cycle, const SequencerState& s, bool arrives) const {
  std::uint32_t& row = *row_.at(cycle);
  if (reads(s, arrives)) {
    for (int lane = 0; lane < lanes_; ++lane) {
      const std::size_t place =
          ((s.weight_bank * std::size_t{rows_} + row) * static_cast<std::size_t>(lanes_) +
           static_cast<std::size_t>(lane)) *
          static_cast<std::size_t>(words_);
      // A row that the memory has not reads as zeros.
      const Bounds b = bounds([&](int i) {
        return row < rows_ ? memory_.at(cycle)[place + static_cast<std::size_t>(i)] : 0U;
      });
      low_.at(cycle)[lane] = b.low;
      high_.at(cycle)[lane] = b.high;
    }
  }
  if (Sequencer::takes_tile_words(s)) {
    row = 0;
  } else if (reads(s, arrives)) {
    row = row + 1 == static_cast<std::uint32_t>(s.config.image_rows)
              ? 0
              : (row + 1) & ((1U << kRowBits) - 1);
  }
}

template <typename Take>
void BoundsRegisters::for_each_byte(const std::byte* now, const Take& take) const {
  const DmaState& d = dma_->state(now);
  if (d.data_valid == 0 || d.data_image != 0) return;
  const std::int64_t parameters = format_.header_bytes(lanes_);
  const std::int64_t row_bytes = std::int64_t{4} * lanes_ * format_.neuron_words;
  const std::int64_t end = std::min<std::int64_t>(d.data_header, parameters + row_bytes * rows_);
  for (std::uint32_t i = 0; i < dma_->count(now); ++i) {
    const std::int64_t at = std::int64_t{d.data_address} + i;
    if (at < parameters || at >= end) continue;  // elsewhere, or beyond the memory
    const std::int64_t from = at - parameters;
    const std::int64_t word = from % row_bytes / 4 % format_.neuron_words - word_;
    if (word < 0 || word >= words_) continue;  // another checker's
    const std::int64_t lane = from % row_bytes / 4 / format_.neuron_words;
    const std::int64_t row = from / row_bytes;
    take(((d.data_bank * std::int64_t{rows_} + row) * lanes_ + lane) * words_ + word,
         static_cast<int>(from % 4), dma_->data(now)[i]);
  }
}

void BoundsRegisters::write_beat(const Cycle& cycle) const {
  for_each_byte(cycle.now, [&](std::int64_t place, int byte, std::uint8_t value) {
    std::uint32_t& word = memory_.at(cycle)[place];
    word = (word & ~(0xFFU << (8 * byte))) | std::uint32_t{value} << (8 * byte);
  });
}

void BoundsRegisters::accesses(const std::byte* now, const std::byte* held, const SequencerState& s,
                               bool arrives, const MemoryVisitor& visit) const {
  if (granularity_ != Granularity::neuron) return;
  const std::int64_t row_bytes = std::int64_t{4} * lanes_ * words_;
  const std::uint32_t row = *row_.at(held);
  if (reads(s, arrives) && row < rows_) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(memory_.at(held)) +
                        (s.weight_bank * std::int64_t{rows_} + row) * row_bytes;
    visit(
        {memory_name_.c_str(), s.weight_bank, false, row * row_bytes, {bytes, bytes + row_bytes}});
  }
  const std::int64_t bank_bytes = row_bytes * rows_;
  // Neighbours of a beat are one access.
  MemoryAccess write{memory_name_.c_str(), 0, true, 0, {}};
  for_each_byte(now, [&](std::int64_t place, int byte, std::uint8_t value) {
    const std::int64_t at = 4 * place + byte;
    const auto bank = static_cast<int>(at / bank_bytes);
    const std::int64_t end = write.address + static_cast<std::int64_t>(write.values.size());
    if (!write.values.empty() && (bank != write.bank || at % bank_bytes != end)) {
      visit(write);
      write.values.clear();
    }
    if (write.values.empty()) {
      write.bank = bank;
      write.address = at % bank_bytes;
    }
    write.values.push_back(value);
  });
  if (!write.values.empty()) visit(write);
}

}  // namespace sagitta
