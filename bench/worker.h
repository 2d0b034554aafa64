// A child process that measures on demand. SystemC elaborates once a process, so each machine lives
// in a child of its own; the parent asks them in turn, so that a change of load hits all alike.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <sys/types.h>

namespace sagitta::bench {

struct Slice {
  std::int64_t cycles = 0;
  double seconds = 0;  // CPU time
  std::uint64_t checksum =
      0;  // of what the first slice computed; keeps the work from being removed
};

// Measures for at least this many seconds of CPU time.
using Measure = std::function<Slice(double seconds)>;

class Worker {
 public:
  // `make` runs in the child: it elaborates and returns what to call for each slice.
  Worker(std::string name, const std::function<Measure()>& make);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  const std::string& name() const { return name_; }
  Slice measure(double seconds);  // throws std::runtime_error if the child failed

 private:
  std::string name_;
  pid_t child_ = -1;
  int to_ = -1;
  int from_ = -1;
};

double cpu_seconds();

}  // namespace sagitta::bench
