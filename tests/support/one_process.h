// SystemC elaborates once a process, so a test that elaborates does so in a child of its own.
#pragma once

#include <cstdlib>
#include <exception>
#include <functional>
#include <string>

#include <systemc>

#include <sys/wait.h>
#include <unistd.h>

namespace sagitta::test {

// Runs `body` in a child process. Returns what it returned: empty when all was well, else what was
// wrong. Any SystemC warning, exception or crash is a failure as well.
inline std::string in_child(const std::function<std::string()>& body) {
  int ends[2];
  if (pipe(ends) != 0) return "pipe failed";
  const pid_t child = fork();
  if (child < 0) return "fork failed";
  if (child == 0) {
    close(ends[0]);
    std::string message;
    try {
      sc_core::sc_report_handler::set_actions(sc_core::SC_WARNING, sc_core::SC_THROW);
      sc_core::sc_report_handler::set_actions(sc_core::SC_ERROR, sc_core::SC_THROW);
      message = body();
    } catch (const std::exception& e) {
      message = std::string("exception: ") + e.what();
    }
    const ssize_t written = write(ends[1], message.data(), message.size());
    _exit(written == static_cast<ssize_t>(message.size()) && message.empty() ? 0 : 1);
  }
  close(ends[1]);
  std::string message;
  char buffer[4096];
  for (ssize_t n = 0; (n = read(ends[0], buffer, sizeof buffer)) > 0;) {
    message.append(buffer, static_cast<std::size_t>(n));
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return "the child died of signal " + std::to_string(WTERMSIG(status));
  if (message.empty() && WEXITSTATUS(status) != 0) return "the child failed without a message";
  return message;
}

}  // namespace sagitta::test
