#include "machine/memory/activation_scratchpad.h"

#include <algorithm>
#include <cstring>

namespace sagitta {

ActivationScratchpad::ActivationScratchpad(RegisterLayout& layout, const Program& program,
                                           const Sequencer& sequencer)
    : sequencer_(&sequencer),
      ports_(sequencer.positions()),
      columns_(program.array.columns),
      map_count_(program.activation_maps),
      logits_(program.logits),
      raw_(program.raw_output),
      bytes_(program.memory.activation_bytes),
      port_bytes_(program.memory.activation_port_bytes) {
  maps_ = layout.held<std::int8_t>("memory.activation.map[].element[]",
                                   {map_count_, static_cast<int>(bytes_)}, 8, Storage::sram);
  const MemoryCode code = program.protection.memory_code;
  check_ = CheckBits(layout, "memory.activation.map[].element_check[]",
                     {map_count_, static_cast<int>(bytes_)}, code, 8);
  status_ = ReadStatus(layout, "memory.activation.uncorrected", code);
  read_ = layout.pipe<std::int8_t>("memory.activation.read[]", {ports_}, 8);
  vector_ = layout.pipe<std::int8_t>("memory.activation.vector[]", {columns_}, 8);
}

void ActivationScratchpad::read_rows(const Cycle& cycle, const SequencerState& s) {
  std::int8_t* read = read_.next(cycle);
  std::memset(read, 0, static_cast<std::size_t>(ports_));
  const int ports = sequencer_->activations_read(s);
  if (ports == 0) return;
  const std::int32_t* row_y = sequencer_->row_y(cycle.now);
  const std::int32_t* row_x = sequencer_->row_x(cycle.now);
  const std::int32_t* row_address = sequencer_->row_address(cycle.now);
  const auto height = static_cast<std::uint32_t>(s.config.height);
  const auto width = static_cast<std::uint32_t>(s.config.width);
  const SharedPosition shared = sequencer_->shared_position(s);
  for (int r = 0; r < ports; ++r) {
    // Unsigned comparison covers both ends: a negative position is a large one.
    const bool inside = static_cast<std::uint32_t>(row_y[r]) + shared.y < height &&
                        static_cast<std::uint32_t>(row_x[r]) + shared.x < width;
    const std::uint32_t address = static_cast<std::uint32_t>(row_address[r]) + shared.address;
    if (!inside) {
      read[r] = s.config.input_zero_point;
    } else if (holds(s.config.input_map, address)) {
      read[r] = load(cycle, s.config.input_map, address, true);
    }  // else: beyond the memory, which reads as zero
  }
}

void ActivationScratchpad::read_vector(const Cycle& cycle, const SequencerState& s) {
  std::int8_t* vector = vector_.next(cycle);
  const bool pool = s.phase == static_cast<std::uint8_t>(Phase::pool);
  if (!pool && (raw_ || !Sequencer::store_issue(s, logits_))) {
    std::memcpy(vector, vector_.now(cycle), static_cast<std::size_t>(columns_));
    return;
  }
  const int which = Sequencer::vector_map(s);
  const std::uint32_t first = Sequencer::vector_address(s);
  // All lanes are read, but only these are used: by the tap, unless it lies in the padding, or by
  // the host.
  const std::int64_t used = !pool                      ? logits_ - std::int64_t{s.output_address}
                            : Sequencer::tap_in_map(s) ? sequencer_->lanes(s)
                                                       : 0;
  for (int c = 0; c < columns_; ++c) {
    const std::uint32_t address = first + static_cast<std::uint32_t>(c);
    vector[c] = holds(which, address) ? load(cycle, which, address, c < used) : std::int8_t{0};
  }
}

// What the banks deliver goes to the readers' registers; the others hold, so that an access may
// take several cycles.
void ActivationScratchpad::collect(const Cycle& cycle, const Pipe<std::int8_t>& target,
                                   std::int8_t zero_point, const BankGrant& grant) {
  const std::int8_t* now = target.now(cycle);
  std::int8_t* next = target.next(cycle);
  for (std::size_t i = 0; i < target.count; ++i) {
    switch (grant.take[i]) {
      case BankGrant::Take::hold:
        next[i] = now[i];
        break;
      case BankGrant::Take::zero:
        next[i] = 0;
        break;
      case BankGrant::Take::padding:
        next[i] = zero_point;
        break;
      case BankGrant::Take::element:
        next[i] = load(cycle, grant.map, grant.address[i], true);
        break;
    }
  }
}

void ActivationScratchpad::read_banks(const Cycle& cycle, const SequencerState& s,
                                      const BankGrant& grant) {
  if (grant.wide) {
    collect(cycle, vector_, 0, grant);
  } else {
    std::memcpy(vector_.next(cycle), vector_.now(cycle), vector_.count);
  }
  if (grant.reads && !grant.wide) {
    collect(cycle, read_, s.config.input_zero_point, grant);
  } else {
    std::memset(read_.next(cycle), 0, read_.count);
  }
}

std::int64_t ActivationScratchpad::taken(const std::byte* now, const Dma& dma) const {
  const DmaState& d = dma.state(now);
  if (d.data_valid == 0 || d.data_image == 0) return 0;
  return std::clamp<std::int64_t>(bytes_ - d.data_address, 0, dma.count(now));
}

void ActivationScratchpad::step(const Cycle& cycle, const Dma& dma, const WriteBack& write,
                                const BankGrant* grant) {
  const SequencerState& s = sequencer_->state(cycle.now);
  if (grant != nullptr) {
    read_banks(cycle, s, *grant);
  } else {
    read_rows(cycle, s);
    read_vector(cycle, s);
  }

  // Writes come last: a read in the same cycle sees the old word. The image goes to map 0.
  const DmaState& d = dma.state(cycle.now);
  if (d.data_valid != 0 && d.data_image != 0) {
    const std::uint8_t* data = dma.data(cycle.now);
    for (std::uint32_t i = 0; i < dma.count(cycle.now); ++i) {
      const std::uint32_t address = d.data_address + i;
      if (address < static_cast<std::uint64_t>(bytes_)) {
        store(cycle, 0, address, static_cast<std::int8_t>(data[i]));
      }
    }
  }
  if (write.valid) write_back(cycle, s, write);
  status_.step(cycle);
}

void ActivationScratchpad::write_back(const Cycle& cycle, const SequencerState& s,
                                      const WriteBack& write) const {
  const int lanes = sequencer_->lanes(s);
  const auto step = static_cast<std::uint32_t>(sequencer_->lane_step(s));
  for (int c = 0; c < lanes; ++c) {
    const std::uint32_t address =
        static_cast<std::uint32_t>(write.address) + static_cast<std::uint32_t>(c) * step;
    if (holds(s.config.output_map, address)) {
      store(cycle, s.config.output_map, address, write.value[c]);
    }
  }
}

}  // namespace sagitta
