// Worker processes. Work items are taken in order from a shared counter; results come back through
// anonymous temporary files and are put in order by the caller, so that they do not depend on the
// number of workers.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "base/interrupt.h"

namespace sagitta {

// Bytes of results, written by a worker and read by its parent on the same machine.
class Buffer {
 public:
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
  virtual std::int64_t next() = 0;              // the next item, or -1
  virtual void report(std::int64_t units) = 0;  // progress
};

// Called about ten times a second in the parent with the units reported so far.
using Progress = std::function<void(std::int64_t units, double seconds)>;

// Runs `work` in `workers` processes (1: still a process of its own) over items 0 .. items - 1.
// Returns every worker's buffer. Throws std::runtime_error when a worker fails, with its message;
// on SIGINT or SIGTERM in the parent the workers are ended and Interrupted is thrown.
std::vector<Buffer> run_workers(int workers, std::int64_t items,
                                const std::function<void(WorkQueue&, Buffer&)>& work,
                                const Progress& progress);

// Processors that this process may use.
int default_workers();

}  // namespace sagitta
