// Ctrl-C and SIGTERM as something that a loop can ask for, so that it ends tidily.
#pragma once

#include <csignal>
#include <string>

namespace sagitta {

// Thrown by work that was interrupted; the command line then exits with 130.
struct Interrupted {
  std::string kept = {};  // of work that goes on when it is started again; empty: nothing is
};

// While alive, SIGINT and SIGTERM are noted instead of ending the process at once.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  static bool interrupted();

 private:
  struct sigaction old_int_ {
  }, old_term_{};
};

}  // namespace sagitta
