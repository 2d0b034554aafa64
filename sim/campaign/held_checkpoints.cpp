#include "campaign/held_checkpoints.h"

#include <cstring>

namespace sagitta {

void HeldCheckpoints::begin(std::size_t bytes) {
  bytes_ = bytes;
  per_checkpoint_ = (bytes + kBlock - 1) / kBlock;
  blocks_.clear();
  ids_.clear();
  known_.reset();
}

void HeldCheckpoints::add(const std::byte* held) {
  const std::size_t before = ids_.size() - per_checkpoint_;  // of the checkpoint before, if any
  const bool first = ids_.empty();
  for (std::size_t b = 0; b < per_checkpoint_; ++b) {
    const std::byte* now = held + b * kBlock;
    if (!first) {
      const std::size_t id = ids_[before + b];
      if (std::memcmp(blocks_.data() + id * kBlock, now, length(b)) == 0) {
        ids_.push_back(id);
        continue;
      }
    }
    ids_.push_back(blocks_.size() / kBlock);
    blocks_.resize(blocks_.size() + kBlock);
    std::memcpy(blocks_.data() + ids_.back() * kBlock, now, length(b));
  }
}

void HeldCheckpoints::restore(std::byte* held, std::size_t checkpoint) {
  const auto copy = [&](std::size_t b) {
    std::memcpy(held + b * kBlock, block(checkpoint, b), length(b));
  };
  if (known_) {
    const std::size_t* from = ids_.data() + *known_ * per_checkpoint_;
    const std::size_t* to = ids_.data() + checkpoint * per_checkpoint_;
    for (std::size_t b = 0; b < per_checkpoint_; ++b) {
      if (from[b] != to[b]) copy(b);
    }
    for (const std::size_t b : stale_) copy(b);
  } else {
    for (std::size_t b = 0; b < per_checkpoint_; ++b) copy(b);
  }
  known_ = checkpoint;
  stale_.clear();
}

void HeldCheckpoints::differences(const std::byte* held, std::size_t checkpoint,
                                  std::vector<std::size_t>& places) const {
  places.clear();
  for (std::size_t b = 0; b < per_checkpoint_; ++b) {
    const std::byte* now = held + b * kBlock;
    const std::byte* then = block(checkpoint, b);
    if (std::memcmp(now, then, length(b)) == 0) continue;
    for (std::size_t i = 0; i < length(b); ++i) {
      if (now[i] != then[i]) places.push_back(b * kBlock + i);
    }
  }
}

void HeldCheckpoints::know(std::size_t checkpoint, const std::vector<std::size_t>& places) {
  known_ = checkpoint;
  stale_.clear();
  for (const std::size_t place : places) {
    const std::size_t b = place / kBlock;
    if (stale_.empty() || stale_.back() != b) stale_.push_back(b);
  }
}

}  // namespace sagitta
