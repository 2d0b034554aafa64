// Worker processes. Work items are taken in order from a shared counter; results come back through
// a pipe from each worker while it works, in messages that the parent takes as a whole or not at
// all: what a worker that dies had not finished sending is as if it had never been computed.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/interrupt.h"

namespace sagitta {

// Bytes of results, written by a worker and read by its parent on the same machine.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::vector<char> bytes) : bytes_(std::move(bytes)) {}
  template <typename T>
  void put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    const auto* p = reinterpret_cast<const char*>(&value);
    bytes_.insert(bytes_.end(), p, p + sizeof(T));
  }
  template <typename T>
  void put_all(const std::vector<T>& values) {
    put(static_cast<std::int64_t>(values.size()));
    for (const T& v : values) put(v);
  }
  template <typename T>
  T get() {
    T value;
    check(sizeof(T));
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  template <typename T>
  std::vector<T> get_all() {
    std::vector<T> values(static_cast<std::size_t>(get<std::int64_t>()));
    for (T& v : values) v = get<T>();
    return values;
  }
  bool at_end() const { return at_ == bytes_.size(); }
  std::vector<char>& bytes() { return bytes_; }
  void check(std::size_t more) const;

 private:
  std::vector<char> bytes_;
  std::size_t at_ = 0;
};

// What a worker sees of the pool.
class WorkQueue {
 public:
  virtual ~WorkQueue() = default;
  virtual std::int64_t next() = 0;  // the next item, or -1
  Buffer results;                   // what is to be sent
  // After each result: sends what has come together, once that is much or some time has passed.
  virtual void result_is_whole() = 0;
};

// What the parent does with a pool of workers.
struct WorkerHooks {
  std::function<void(WorkQueue&)> work;  // in each worker: until next() says -1
  std::function<void(Buffer&)> take;     // in the parent: results of a worker, whole ones
  std::function<void()> tick;  // in the parent, at least twenty times a second; may be null
};

// A worker that was ended by a signal.
struct LostWorker : std::runtime_error {
  explicit LostWorker(int signal);
  int signal;
};

// Runs `work` in `workers` processes (1: still a process of its own) over items 0 .. items - 1.
// Throws LostWorker, or std::runtime_error with the message of a worker that failed; on SIGINT or
// SIGTERM in the parent Interrupted. In each of these cases, and when a hook throws, the workers
// are ended first; what they had sent in whole is taken before LostWorker and Interrupted.
void run_workers(int workers, std::int64_t items, const WorkerHooks& hooks);

// Processors that this process may use.
int default_workers();

}  // namespace sagitta
