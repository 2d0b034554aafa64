#include "base/registers.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace sagitta {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kSlack = 64;  // one widest vector register

std::size_t round_up(std::size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

std::int64_t RegisterClass::elements() const {
  std::int64_t n = 1;
  for (const int e : extents) n *= e;
  return n;
}

std::int64_t RegisterClass::place(std::int64_t element) const {
  std::int64_t at = 0;
  for (std::size_t i = extents.size(); i-- > 0;) {
    at += element % extents[i] * strides[i];
    element /= extents[i];
  }
  return at;
}

std::size_t RegisterLayout::product(const std::vector<int>& extents) {
  std::size_t n = 1;
  for (const int e : extents) n *= static_cast<std::size_t>(e);
  return n;
}

std::size_t RegisterLayout::allocate(Region region, std::size_t bytes) {
  std::size_t& end = region == Region::pipeline ? pipeline_bytes_ : held_bytes_;
  const std::size_t offset = end;
  end += round_up(bytes + kSlack);
  return offset;
}

void RegisterLayout::declare(RegisterClass registers) {
  if (registers.strides.empty()) {
    registers.strides.assign(registers.extents.size(), 1);
    std::int64_t stride = 1;
    for (std::size_t i = registers.extents.size(); i-- > 0;) {
      registers.strides[i] = stride;
      stride *= registers.extents[i];
    }
  }
  if (registers.elements() > 0) classes_.push_back(std::move(registers));
}

MachineState::MachineState(const RegisterLayout& layout)
    : pipeline_bytes_(layout.pipeline_bytes()),
      held_bytes_(layout.held_bytes()),
      block_(2 * pipeline_bytes_ + held_bytes_) {}

void MachineState::reset() {
  std::memset(block_.data(), 0, block_.size());
  now_ = 0;
}

bool MachineState::pipeline_unchanged() const {
  return std::memcmp(pipeline(0), pipeline(1), pipeline_bytes_) == 0;
}

std::byte* MachineState::address(const RegisterClass& registers, std::int64_t element_offset) {
  std::byte* base = registers.region == Region::held ? held() : pipeline(now_);
  return base + registers.offset + element_offset * registers.element_bytes;
}

void MachineState::save(std::vector<std::byte>& snapshot) {
  if (now_ != 0) {  // bring the current half to the front, so that the copy is one piece
    std::memcpy(pipeline(0), pipeline(1), pipeline_bytes_);
    now_ = 0;
  }
  snapshot.resize(snapshot_bytes());
  std::memcpy(snapshot.data(), block_.data(), snapshot_bytes());
}

void MachineState::restore(const std::vector<std::byte>& snapshot) {
  std::memcpy(block_.data(), snapshot.data(), snapshot.size());
  now_ = 0;
}

bool MachineState::equals(const std::vector<std::byte>& snapshot) const {
  return std::memcmp(pipeline(now_), snapshot.data(), pipeline_bytes_) == 0 &&
         std::memcmp(held(), snapshot.data() + pipeline_bytes_, held_bytes_) == 0;
}

bool MachineState::differences(Region region, const std::vector<std::byte>& snapshot,
                               std::size_t most, std::vector<std::size_t>& places) const {
  constexpr std::size_t kChunk = 256;  // most are equal
  const bool is_held = region == Region::held;
  const std::byte* now = is_held ? held() : pipeline(now_);
  const std::byte* then = snapshot.data() + (is_held ? pipeline_bytes_ : 0);
  const std::size_t bytes = is_held ? held_bytes_ : pipeline_bytes_;
  places.clear();
  for (std::size_t start = 0; start < bytes; start += kChunk) {
    const std::size_t end = std::min(start + kChunk, bytes);
    if (std::memcmp(now + start, then + start, end - start) == 0) continue;
    for (std::size_t i = start; i < end; ++i) {
      if (now[i] == then[i]) continue;
      if (places.size() == most) return false;
      places.push_back(i);
    }
  }
  return true;
}

}  // namespace sagitta
