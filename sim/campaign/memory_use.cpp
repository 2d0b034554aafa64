#include "campaign/memory_use.h"

#include <algorithm>
#include <stdexcept>
#include <string_view>

namespace sagitta {
namespace {

const RegisterClass* find(const RegisterLayout& layout, std::string_view path) {
  for (const RegisterClass& c : layout.classes()) {
    if (c.path == path) return &c;
  }
  return nullptr;
}

}  // namespace

void MemoryUse::find_memories(const RegisterLayout& layout) {
  const auto add = [this](const char* name, std::size_t offset, std::size_t bank_bytes,
                          std::size_t banks, std::size_t word_bytes) {
    const std::size_t index =
        memories_.empty() ? 0 : memories_.back().first_index + memories_.back().bytes;
    memories_.push_back({name, offset, bank_bytes * banks, bank_bytes, word_bytes, index});
  };
  const auto add_dense = [&](const char* name, const char* path) {
    const RegisterClass* c = find(layout, path);
    if (c == nullptr) return;
    const auto word = static_cast<std::size_t>(c->element_bytes);
    // Accesses of checksum weights are told by the byte.
    const std::size_t told = std::string_view(name) == "checksum" ? 1 : word;
    add(name, c->offset, static_cast<std::size_t>(c->strides[0]) * word,
        static_cast<std::size_t>(c->extents[0]), told);
  };
  add_dense("activation", "memory.activation.map[].element[]");
  add_dense("weight", "memory.weight.bank[].row[].lane[]");
  const RegisterClass* weights = find(layout, "memory.weight.bank[].row[].lane[]");
  if (weights != nullptr) weight_lanes_ = weights->extents[2];
  add_dense("checksum", "resilience.checksum.weight.bank[].row[]");
  // The words of the lanes and those of the tile, in either order.
  const RegisterClass* lanes = find(layout, "memory.parameter.bank[].lane[].word[]");
  const RegisterClass* tile = find(layout, "memory.parameter.bank[].tile_word[]");
  const RegisterClass* first =
      lanes == nullptr || (tile != nullptr && tile->offset < lanes->offset) ? tile : lanes;
  if (first == nullptr) return;
  add("parameter", first->offset, 4 * static_cast<std::size_t>(first->strides[0]), 2, 1);
}

MemoryUse::MemoryUse(const Program& program,
                     const std::function<void(const Machine&)>& each_cycle) {
  Machine machine(program);
  find_memories(machine.layout());
  const std::size_t bytes = memories_.back().first_index + memories_.back().bytes;
  struct Event {
    std::uint32_t byte;
    std::uint32_t when;
  };
  std::vector<Event> all;
  starts_.assign(bytes + 1, 0);
  const std::size_t layers = program.layers.size();
  first_access_.assign(layers + 1, -1);

  const auto visit = [&](const MemoryAccess& access) {
    const auto memory = std::find_if(
        memories_.begin(), memories_.end(),
        [&access](const Memory& m) { return std::string_view(m.name) == access.memory; });
    if (memory == memories_.end()) return;
    const auto layer = static_cast<std::size_t>(machine.layer());
    // DMA brings the image, to map 0, before the first layer works.
    const bool image = access.write && (layer == layers || (layer == 0 && access.bank == 0));
    if (memory == memories_.begin() && !image) {
      std::int64_t& first = first_access_[layer];
      if (first < 0) first = machine.cycle();
    }
    const auto when = static_cast<std::uint32_t>(2 * machine.cycle() + (access.write ? 1 : 0));
    const std::size_t word = memory->word_bytes;
    const std::size_t begin = static_cast<std::size_t>(access.bank) * memory->bank_bytes +
                              static_cast<std::size_t>(access.address) * word;
    for (std::size_t i = 0; i < access.values.size() * word; ++i) {
      const std::size_t index = memory->first_index + begin + i;
      all.push_back({static_cast<std::uint32_t>(index), when});
      ++starts_[index + 1];
    }
  };
  const std::vector<std::int8_t> blank(static_cast<std::size_t>(program.input.elements()) *
                                       static_cast<std::size_t>(program.batch));
  machine.reset(blank.data());
  while (!machine.done()) {
    machine.visit_memories(visit);
    if (each_cycle) each_cycle(machine);
    machine.step();
  }
  cycles_ = machine.cycle();
  if (machine.cycle() >= std::int64_t{1} << 31) {
    throw std::runtime_error("a run of 2^31 cycles or more is not supported");
  }
  for (std::int64_t& first : first_access_) {
    if (first < 0) first = machine.cycle();
  }
  for (std::size_t i = 1; i < starts_.size(); ++i) starts_[i] += starts_[i - 1];
  events_.resize(all.size());
  std::vector<std::size_t> place(starts_.begin(), starts_.end() - 1);
  for (const Event& e : all) events_[place[e.byte]++] = e.when;
  // A cycle's accesses are told in any order.
  for (std::size_t i = 0; i < bytes; ++i) {
    const auto begin = events_.begin() + static_cast<std::ptrdiff_t>(starts_[i]);
    const auto end = events_.begin() + static_cast<std::ptrdiff_t>(starts_[i + 1]);
    if (!std::is_sorted(begin, end)) std::sort(begin, end);
  }
}

const MemoryUse::Memory* MemoryUse::word_of(std::size_t held_byte) const {
  for (const Memory& m : memories_) {
    if (held_byte >= m.offset && held_byte < m.offset + m.bytes) return &m;
  }
  return nullptr;
}

std::size_t MemoryUse::event_from(std::size_t i, std::int64_t cycle) const {
  const auto begin = events_.begin() + static_cast<std::ptrdiff_t>(starts_[i]);
  const auto end = events_.begin() + static_cast<std::ptrdiff_t>(starts_[i + 1]);
  return static_cast<std::size_t>(
      std::lower_bound(begin, end, static_cast<std::uint32_t>(2 * cycle)) - events_.begin());
}

MemoryUse::Access MemoryUse::next(std::size_t held_byte, std::int64_t cycle) const {
  const std::size_t i = index_of(*word_of(held_byte), held_byte);
  const std::size_t event = event_from(i, cycle);
  return event < starts_[i + 1] ? access(event) : Access{};
}

MemoryUse::Access MemoryUse::last(std::size_t held_byte, std::int64_t cycle) const {
  const std::size_t i = index_of(*word_of(held_byte), held_byte);
  const std::size_t event = event_from(i, cycle);
  return event > starts_[i] ? access(event - 1) : Access{};
}

bool MemoryUse::written(std::size_t held_byte, std::int64_t first, std::int64_t end) const {
  const std::size_t i = index_of(*word_of(held_byte), held_byte);
  for (std::size_t event = event_from(i, first); event < starts_[i + 1]; ++event) {
    const Access a = access(event);
    if (a.cycle >= end) break;
    if (a.write) return true;
  }
  return false;
}

MemoryUse::Activation MemoryUse::activation(std::size_t held_byte) const {
  const Memory& maps = memories_.front();
  if (held_byte < maps.offset || held_byte >= maps.offset + maps.bytes) return {};
  const std::size_t at = held_byte - maps.offset;
  return {static_cast<int>(at / maps.bank_bytes), static_cast<std::int32_t>(at % maps.bank_bytes)};
}

MemoryUse::Weight MemoryUse::weight(std::size_t held_byte) const {
  const Memory* memory = word_of(held_byte);
  if (memory == nullptr || std::string_view(memory->name) != "weight") return {};
  const auto at = static_cast<std::int32_t>((held_byte - memory->offset) % memory->bank_bytes);
  return {at / weight_lanes_, at % weight_lanes_};
}

}  // namespace sagitta
