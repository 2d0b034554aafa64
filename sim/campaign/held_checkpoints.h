// The held state (scratchpads, parameters, ...) of a run's checkpoints, in blocks that checkpoints
// share: from one to the next little of it changes, so that all of a run's fit a cache, and going
// from one to another is the copy of a few blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace sagitta {

class HeldCheckpoints {
 public:
  // Forgets all, for a machine with so many bytes of held state.
  void begin(std::size_t bytes);
  // The next checkpoint.
  void add(const std::byte* held);

  std::byte at(std::size_t checkpoint, std::size_t place) const {
    return blocks_[ids_[checkpoint * per_checkpoint_ + place / kBlock] * kBlock + place % kBlock];
  }
  // Makes `held` the checkpoint's. What is known to be so already is not copied; see know().
  void restore(std::byte* held, std::size_t checkpoint);
  // Places that differ from the checkpoint's, in order.
  void differences(const std::byte* held, std::size_t checkpoint,
                   std::vector<std::size_t>& places) const;

  // The machine's held state is the checkpoint's but for these places, and stays so until it is
  // restored or something has changed it, which must be told by forget().
  void know(std::size_t checkpoint, const std::vector<std::size_t>& places);
  void forget() { known_.reset(); }

 private:
  static constexpr std::size_t kBlock = 512;
  const std::byte* block(std::size_t checkpoint, std::size_t b) const {
    return blocks_.data() + ids_[checkpoint * per_checkpoint_ + b] * kBlock;
  }
  std::size_t length(std::size_t b) const {
    return b + 1 < per_checkpoint_ ? kBlock : bytes_ - b * kBlock;
  }

  std::size_t bytes_ = 0;
  std::size_t per_checkpoint_ = 0;  // blocks
  std::vector<std::byte> blocks_;   // each of them once
  std::vector<std::size_t> ids_;    // places among them, checkpoint by checkpoint
  std::optional<std::size_t> known_;
  std::vector<std::size_t> stale_;  // blocks in which it is not that one
};

}  // namespace sagitta
