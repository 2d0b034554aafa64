// The accesses of every memory, beside the code that does them: the same registers decide both, and
// trace_test replays the accesses of whole runs against the memories.
#include "machine/memory/access.h"

#include <algorithm>
#include <utility>

#include "base/wrap.h"
#include "machine/machine.h"

namespace sagitta {

void ActivationScratchpad::visit_reads(const std::byte* now, const std::byte* held,
                                       const BankGrant* grant, const MemoryVisitor& visit) const {
  const SequencerState& s = sequencer_->state(now);
  const auto read = [&](int which, std::uint32_t first, int count) {
    const auto value = [&](std::size_t i) {
      return map(held, which)[static_cast<std::uint32_t>(first + static_cast<std::uint32_t>(i))];
    };
    const std::int64_t size = which < map_count_ ? bytes_ : 0;
    visit_run("activation", which, false, first, count, size, value, visit);
  };
  if (grant != nullptr) {  // whole words
    for (const std::int64_t word : grant->word) {
      if (word >= 0) read(grant->map, static_cast<std::uint32_t>(word * port_bytes_), port_bytes_);
    }
    return;
  }
  const SharedPosition shared = sequencer_->shared_position(s);
  for (int r = 0; r < sequencer_->activations_read(s); ++r) {
    const bool inside =
        Sequencer::in_map(s, static_cast<std::uint32_t>(sequencer_->row_y(now)[r]) + shared.y,
                          static_cast<std::uint32_t>(sequencer_->row_x(now)[r]) + shared.x);
    if (!inside) continue;  // padding is not read
    read(s.config.input_map,
         static_cast<std::uint32_t>(sequencer_->row_address(now)[r]) + shared.address, 1);
  }
  const bool pool = s.phase == static_cast<std::uint8_t>(Phase::pool);
  if (pool || (!raw_ && Sequencer::store_issue(s, logits_))) {
    read(Sequencer::vector_map(s), Sequencer::vector_address(s), columns_);
  }
}

void ActivationScratchpad::accesses(const std::byte* now, const std::byte* held, const Dma& dma,
                                    const WriteBack& write, const BankGrant* grant,
                                    const MemoryVisitor& visit) const {
  const SequencerState& s = sequencer_->state(now);
  constexpr const char* kName = "activation";
  visit_reads(now, held, grant, visit);
  if (const DmaState& d = dma.state(now); d.data_valid != 0 && d.data_image != 0) {
    const auto value = [&](std::size_t i) { return static_cast<std::int8_t>(dma.data(now)[i]); };
    visit_run(kName, 0, true, d.data_address, static_cast<int>(dma.count(now)), bytes_, value,
              visit);
  }
  if (write.valid) {
    const int which = s.config.output_map;
    const std::int64_t size = which < map_count_ ? bytes_ : 0;
    visit_run(
        kName, which, true, static_cast<std::uint32_t>(write.address), sequencer_->lanes(s), size,
        [&](std::size_t i) { return write.value[i]; }, visit,
        static_cast<std::uint32_t>(sequencer_->lane_step(s)));
  }
}

void WeightScratchpad::accesses(const std::byte* now, const std::byte* held, const Dma& dma,
                                std::int32_t channel, bool reads_wait,
                                const MemoryVisitor& visit) const {
  const SequencerState& s = sequencer_->state(now);
  const int bank = s.weight_bank;
  const std::int32_t row = sequencer_->weight_row(s, reads_wait);
  if (row >= 0 && row < rows_) {
    const std::int64_t bank_row = bank * rows_ + row;
    MemoryAccess read{"weight", bank, false, std::int64_t{row} * lanes_, {}};
    const std::int8_t* weights = weights_.at(held) + bank_row * lanes_;
    read.values.assign(weights, weights + lanes_);
    visit(read);
    if (has_checksum_) {
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(checksum_.at(held) + bank_row);
      visit({"checksum", bank, false, std::int64_t{row} * 2, {bytes[0], bytes[1]}});
    }
  }
  const auto read_words = [&](int first, int count) {
    if (count == 0) return;
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(parameters_.at(held) +
                                                              bank * parameter_words_ + first);
    visit({"parameter", bank, false, std::int64_t{first} * 4, {bytes, bytes + 4 * count}});
  };
  const int taken = sequencer_->parameter_lane(s);
  const std::int32_t lane = by_channel(s) ? channel : taken;
  if (lane >= 0 && lane < parameter_lanes_) {
    read_words(lane_area() + lane * format_.lane_words, format_.lane_words);
  }
  if (taken == 0) read_words(tile_area(), format_.tile_words);

  const DmaState& d = dma.state(now);
  if (d.data_valid != 0 && d.data_image == 0) visit_beat(now, dma, visit);
}

// A beat of the column tile's stream, byte by byte; neighbours in one memory are one access.
void WeightScratchpad::visit_beat(const std::byte* now, const Dma& dma,
                                  const MemoryVisitor& visit) const {
  const DmaState& d = dma.state(now);
  const std::int64_t header = header_of(d);
  const std::int64_t stride = lanes_ + (has_checksum_ ? 2 : 0);
  MemoryAccess write{"", d.data_bank, true, 0, {}};
  for (std::int64_t i = 0; i < dma.count(now); ++i) {
    const std::int64_t at = d.data_address + i;
    const std::int64_t row = (at - header) / stride;
    const std::int64_t lane = (at - header) % stride;
    const std::uint8_t byte = dma.data(now)[i];
    if (at < header ? at >= 4 * std::int64_t{parameter_words_} : row >= rows_) continue;
    const char* memory = "parameter";
    std::int64_t address = at;
    std::int64_t value = byte;
    if (at >= header && lane < lanes_) {
      memory = "weight";
      address = row * lanes_ + lane;
      value = static_cast<std::int8_t>(byte);
    } else if (at >= header) {
      memory = "checksum";
      address = row * 2 + lane - lanes_;
      // Of the upper byte the memory has the bits that the width needs, if any; the first is the
      // sign.
      if (const int unused = 16 - checksum_width_; lane > lanes_ && unused < 8) {
        value = static_cast<std::uint8_t>(static_cast<std::int8_t>(byte << unused) >> unused);
      }
    }
    const bool next = memory == write.memory &&
                      address == write.address + static_cast<std::int64_t>(write.values.size());
    if (!next) {
      if (!write.values.empty()) visit(write);
      write = {memory, d.data_bank, true, address, {}};
    }
    write.values.push_back(value);
  }
  if (!write.values.empty()) visit(write);
}

void PartialSums::accesses(const std::byte* now, const std::byte* held, const std::int32_t* aligned,
                           const MemoryVisitor& visit) const {
  const std::uint8_t tag = sequencer_->tag(now);
  const std::uint8_t next = sequencer_->next_tag(now);
  const auto lanes = static_cast<std::size_t>(columns_);
  if ((next & kTagValid) != 0 && (next & kTagFirstFold) == 0 && read_row(now) < rows_) {
    MemoryAccess read{"partial", 0, false, std::int64_t{read_row(now)} * columns_, {}};
    const std::int32_t* words = words_.at(held) + read.address;
    read.values.assign(words, words + columns_);
    visit(read);
  }
  if ((tag & kTagValid) == 0 || (tag & kTagLastFold) != 0 || row(now) >= rows_) return;
  MemoryAccess write{"partial", 0, true, std::int64_t{row(now)} * columns_, {}};
  for (std::size_t c = 0; c < lanes; ++c) {
    write.values.push_back(static_cast<std::int32_t>(
        static_cast<std::uint32_t>(aligned[c]) + static_cast<std::uint32_t>(read_.now(now)[c])));
  }
  visit(write);
}

void AccumulatorBuffer::accesses(const std::byte* now, const std::byte* held,
                                 const SumVector& checked, const MemoryVisitor& visit) const {
  const SequencerState& s = sequencer_->state(now);
  if (Sequencer::store_issue(s, words_)) {
    const auto first = static_cast<std::uint32_t>(s.output_address);
    const auto value = [&](std::size_t i) {
      return bank_.at(held)[static_cast<std::uint32_t>(first + static_cast<std::uint32_t>(i))];
    };
    visit_run("accumulator", 0, false, first, columns_, words_, value, visit);
  }
  if (!checked.valid || s.config.raw == 0) return;
  visit_run(
      "accumulator", 0, true, static_cast<std::uint32_t>(checked.address), sequencer_->lanes(s),
      words_, [&](std::size_t i) { return checked.value[i]; }, visit,
      static_cast<std::uint32_t>(sequencer_->lane_step(s)));
}

void ChecksumDetector::accesses(const std::byte* now, const std::byte* held,
                                const MemoryVisitor& visit) const {
  if (partial_sums_ == nullptr) return;
  constexpr const char* kName = "checksum-partial";
  const std::uint8_t tag = sequencer_->tag(now);
  const std::uint8_t next = sequencer_->next_tag(now);
  const std::uint32_t read_row = partial_sums_->read_row(now);
  if ((next & kTagFirstFold) == 0 && (next & kTagValid) != 0 && read_row < partial_rows_) {
    visit({kName, 0, false, read_row, {partial_.at(held)[read_row]}});
  }
  const std::uint32_t row = partial_sums_->row(now);
  if ((tag & kTagValid) == 0 || (tag & kTagLastFold) != 0 || row >= partial_rows_) return;
  visit({kName, 0, true, row, {wrap_add(aligned(now), *partial_read_.now(now))}});
}

void Machine::visit_memories(const MemoryVisitor& visit) {
  const std::byte* now = state_.now();
  const std::byte* held = std::as_const(state_).held();
  activations_.accesses(now, held, dma_, written(), bank_grant(), visit);
  weights_.accesses(now, held, dma_, parameter_channel(), reads_wait(), visit);
  if (partial_sums_) {  // of copies what they agree on is written
    const std::int32_t* aligned =
        array_copies_ ? array_copies_->output(now, array_).aligned : array_.aligned(now);
    partial_sums_->accesses(now, held, aligned, visit);
  }
  if (votes_) votes_->accesses(now, held, finished(), pass(), judges(), visit);
  if (checksum_) checksum_->accesses(now, held, visit);
  if (columns_) {
    columns_->accesses(now, held, checksum_->output(now), checksum_->difference(now), again(),
                       visit);
  }
  for (std::size_t i = 0; i < checkers_.size(); ++i) {
    checkers_[i]->accesses(now, held, control(), checker_input(i), visit);
  }
  if (accumulators_) accumulators_->accesses(now, held, checked(), visit);
}

std::vector<DramAccess> Machine::dram_accesses() const {
  std::vector<DramAccess> all;
  const DmaState& d = dma_.state(state_.now());
  if (const std::int64_t bytes = dma_.delivered(state_.now()); bytes > 0) {
    const int transfer = dma_.arriving(state_.now());
    const bool image = program_->transfers[static_cast<std::size_t>(transfer)].is_image;
    all.push_back({image ? DramAccess::What::image : DramAccess::What::weights, transfer, false,
                   d.position, bytes});
  }
  if (control().store1 != 0) {
    const std::int64_t size = accumulators_ ? 4 : 1;
    const std::int64_t first = static_cast<std::int64_t>(host_beats_) * program_->array.columns;
    const std::int64_t count =
        std::clamp<std::int64_t>(program_->logits - first, 0, program_->array.columns);
    all.push_back({DramAccess::What::result, 0, true, first * size, count * size});
  }
  return all;
}

}  // namespace sagitta
