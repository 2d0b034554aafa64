// SCALE-Sim's buffers between DRAM and the array with InterfaceBandwidth = CALC: DRAM is as fast as
// it must be, so that nothing ever waits, and what is reported is the traffic that this takes.
#pragma once

#include <cstdint>
#include <vector>

namespace sagitta {

// Traffic of one buffer with DRAM; cycles are relative to the layer's cycle 0, and prefetches come
// before it.
struct DramTraffic {
  std::int64_t words = 0;
  std::int64_t start = 0, stop = 0;
};

// A buffer of two halves, kept in hundredths. Words enter in the order in which the array first
// asks for them; when a half is full it is given up as a whole, and words that are asked for
// again are fetched again. The first half comes in at 10 words a cycle before the array begins,
// each later one while the one before it is at work.
class ReadBuffer {
 public:
  // `buffer_words`: both halves. `words`: of the operand, addresses 0 .. words - 1.
  ReadBuffer(std::int64_t buffer_words, std::int64_t words);

  void request(std::int64_t cycle, std::int64_t address) {
    if (first_request_ < 0) first_request_ = cycle;
    std::uint32_t& half = half_of_[static_cast<std::size_t>(address)];
    if (half == half_) return;
    half = half_;
    fetch(cycle);
  }
  DramTraffic finish() const;

 private:
  void fetch(std::int64_t cycle);

  std::int64_t set_words_;              // a hundredth of the buffer
  std::vector<std::uint32_t> half_of_;  // the half that last held each word; 0: none
  std::uint32_t half_ = 1;
  std::int64_t held_ = 0;  // words in the half that fills
  std::int64_t fetched_ = 0;
  std::int64_t first_request_ = -1;
  std::int64_t start_ = 0;      // of the first prefetch
  std::int64_t last_full_ = 0;  // when the half before was full: all of this one is there by then
};

// Results leave in the order in which they come, `width` words a cycle. Half a buffer goes to DRAM
// when it is full, the rest after the layer's last cycle.
class WriteBuffer {
 public:
  WriteBuffer(std::int64_t buffer_words, int width);

  void request(std::int64_t cycle);
  DramTraffic finish(std::int64_t last_cycle) const;

 private:
  void drain(DramTraffic& traffic, std::int64_t cycle, std::int64_t words) const;

  std::int64_t half_words_;
  int width_;
  std::int64_t held_ = 0;
  DramTraffic traffic_;
};

}  // namespace sagitta
