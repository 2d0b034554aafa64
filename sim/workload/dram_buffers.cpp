#include "workload/dram_buffers.h"

#include <algorithm>

namespace sagitta {
namespace {

constexpr std::int64_t kSets = 100;       // of a buffer
constexpr std::int64_t kHalfSets = 50;    // of the half at work
constexpr std::int64_t kFirstWords = 10;  // a cycle, before the array begins
constexpr std::int64_t kLatency = 1;      // from a read to its word

std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

}  // namespace

ReadBuffer::ReadBuffer(std::int64_t buffer_words, std::int64_t words)
    : set_words_(buffer_words / kSets), half_of_(static_cast<std::size_t>(words)) {}

void ReadBuffer::fetch(std::int64_t cycle) {
  ++fetched_;
  if (++held_ < kHalfSets * set_words_) return;
  if (half_ == 1) {  // it was there before the first request
    start_ = first_request_ - 1 - kLatency - ceil_div(held_, kFirstWords) + 1;
  }
  last_full_ = cycle;
  held_ = 0;
  ++half_;
}

DramTraffic ReadBuffer::finish() const {
  if (half_ > 1) return {fetched_, start_ + kLatency, last_full_ + kLatency};
  const std::int64_t sets = ceil_div(held_, set_words_);
  const std::int64_t end = -1 - kLatency;
  return {fetched_, end - ceil_div(sets * set_words_, kFirstWords) + 1 + kLatency, end + kLatency};
}

WriteBuffer::WriteBuffer(std::int64_t buffer_words, int width)
    : half_words_(buffer_words / 2), width_(width) {}

void WriteBuffer::drain(DramTraffic& traffic, std::int64_t cycle, std::int64_t words) const {
  if (words == 0) return;
  const std::int64_t start = traffic.words == 0 ? cycle : std::max(cycle, traffic.stop + 1);
  if (traffic.words == 0) traffic.start = start;
  traffic.stop = start + ceil_div(words, width_) - 1;
  traffic.words += words;
}

void WriteBuffer::request(std::int64_t cycle) {
  if (++held_ < half_words_) return;
  drain(traffic_, cycle, held_);
  held_ = 0;
}

DramTraffic WriteBuffer::finish(std::int64_t last_cycle) const {
  DramTraffic traffic = traffic_;
  drain(traffic, last_cycle, held_);
  return traffic;
}

}  // namespace sagitta
