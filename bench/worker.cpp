#include "worker.h"

#include <csignal>
#include <cstdio>
#include <ctime>
#include <exception>
#include <stdexcept>
#include <utility>

#include <sys/wait.h>
#include <unistd.h>

namespace sagitta::bench {
namespace {

void serve(const std::function<Measure()>& make, int from, int to) {
  const Measure measure = make();
  for (double seconds = 0; read(from, &seconds, sizeof seconds) == sizeof seconds;) {
    if (seconds <= 0) return;  // asked to stop
    const Slice slice = measure(seconds);
    if (write(to, &slice, sizeof slice) != sizeof slice) break;
  }
}

}  // namespace

double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

Worker::Worker(std::string name, const std::function<Measure()>& make) : name_(std::move(name)) {
  int down[2];
  int up[2];
  if (pipe(down) != 0 || pipe(up) != 0) throw std::runtime_error("pipe failed");
  child_ = fork();
  if (child_ < 0) throw std::runtime_error("fork failed");
  if (child_ == 0) {
    close(down[1]);
    close(up[0]);
    try {
      serve(make, down[0], up[1]);
    } catch (const std::exception& e) {
      std::fprintf(stderr, "%s: %s\n", name_.c_str(), e.what());
    }
    _exit(0);
  }
  close(down[0]);
  close(up[1]);
  to_ = down[1];
  from_ = up[0];
}

Worker::~Worker() {
  // Closing the pipe is not enough: children started later hold its other ends, too.
  const double stop = 0;
  if (write(to_, &stop, sizeof stop) != sizeof stop) kill(child_, SIGTERM);
  close(to_);
  close(from_);
  waitpid(child_, nullptr, 0);
}

Slice Worker::measure(double seconds) {
  Slice slice;
  if (write(to_, &seconds, sizeof seconds) != sizeof seconds ||
      read(from_, &slice, sizeof slice) != sizeof slice) {
    throw std::runtime_error(name_ + " ended without a result");
  }
  return slice;
}

}  // namespace sagitta::bench
