#include "campaign/workers.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>

#include <fmt/format.h>

#include "base/interrupt.h"

namespace sagitta {
namespace {

struct Shared {
  std::atomic<std::int64_t> next{0};
  std::atomic<std::int64_t> units{0};
};

class SharedQueue : public WorkQueue {
 public:
  SharedQueue(Shared& shared, std::int64_t items) : shared_(shared), items_(items) {}
  std::int64_t next() override {
    const std::int64_t i = shared_.next.fetch_add(1);
    return i < items_ ? i : -1;
  }
  void report(std::int64_t units) override { shared_.units.fetch_add(units); }

 private:
  Shared& shared_;
  std::int64_t items_;
};

struct FileCloser {
  void operator()(std::FILE* f) const { std::fclose(f); }
};
using File = std::unique_ptr<std::FILE, FileCloser>;

void write_all(std::FILE* file, const std::vector<char>& bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size() || std::fflush(file) != 0) {
    throw std::runtime_error("cannot write a worker's results: is the temporary folder full?");
  }
}

// The child's life. The first byte of its file says whether what follows are results or a message.
[[noreturn]] void be_worker(Shared& shared, std::int64_t items, pid_t parent, std::FILE* file,
                            const std::function<void(WorkQueue&, Buffer&)>& work) {
  std::signal(SIGINT, SIG_IGN);  // the parent decides, and ends its workers
  std::signal(SIGTERM, SIG_DFL);
  prctl(PR_SET_PDEATHSIG, SIGKILL);   // without it nobody is left to read the results
  if (getppid() != parent) _exit(1);  // it ended before that
  int status = 0;
  try {
    SharedQueue queue(shared, items);
    Buffer buffer;
    work(queue, buffer);
    write_all(file, {'+'});
    write_all(file, buffer.bytes());
  } catch (const std::exception& e) {
    const std::string what = e.what();
    std::rewind(file);
    std::fputc('!', file);
    std::fwrite(what.data(), 1, what.size(), file);
    std::fflush(file);
    status = 1;
  }
  _exit(status);
}

std::vector<char> read_all(std::FILE* file) {
  std::vector<char> bytes;
  std::rewind(file);
  char chunk[65536];
  for (std::size_t n = 0; (n = std::fread(chunk, 1, sizeof chunk, file)) > 0;) {
    bytes.insert(bytes.end(), chunk, chunk + n);
  }
  return bytes;
}

}  // namespace

void Buffer::check(std::size_t more) const {
  if (at_ + more > bytes_.size()) throw std::runtime_error("a worker's results are cut short");
}

std::vector<Buffer> run_workers(int workers, std::int64_t items,
                                const std::function<void(WorkQueue&, Buffer&)>& work,
                                const Progress& progress) {
  workers = static_cast<int>(std::clamp<std::int64_t>(items, 1, std::max(1, workers)));
  void* memory =
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::runtime_error("cannot share memory with the workers");
  auto* shared = new (memory) Shared;
  const std::unique_ptr<void, void (*)(void*)> unmap(memory,
                                                     [](void* p) { munmap(p, sizeof(Shared)); });
  const InterruptGuard guard;
  const pid_t parent = getpid();
  std::fflush(stdout);
  std::fflush(stderr);

  std::vector<File> files;
  std::vector<pid_t> children;
  const auto end_all = [&children] {
    for (const pid_t c : children) {
      if (c > 0) kill(c, SIGKILL);
    }
    for (const pid_t c : children) {
      if (c > 0) waitpid(c, nullptr, 0);
    }
  };
  for (int w = 0; w < workers; ++w) {
    files.emplace_back(std::tmpfile());
    const pid_t child = files.back() ? fork() : -1;
    if (child == 0) be_worker(*shared, items, parent, files.back().get(), work);
    if (child < 0) {
      end_all();
      throw std::runtime_error("cannot start a worker process");
    }
    children.push_back(child);
  }

  const auto start = std::chrono::steady_clock::now();
  const auto seconds = [&start] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  std::string failure;
  double next_progress = 0;
  for (std::size_t left = children.size(); left > 0;) {
    for (std::size_t w = 0; w < children.size(); ++w) {
      int status = 0;
      if (children[w] == 0 || waitpid(children[w], &status, WNOHANG) != children[w]) continue;
      children[w] = 0;
      --left;
      if (WIFSIGNALED(status)) {
        const int signal = WTERMSIG(status);
        failure = fmt::format(
            "a worker process was ended by signal {} ({}); nothing was written{}", signal,
            strsignal(signal),
            signal == SIGKILL ? "\n  remedy: if memory ran out, use fewer workers: -j 1" : "");
      } else if (WEXITSTATUS(status) != 0) {
        const std::vector<char> bytes = read_all(files[w].get());
        failure = bytes.empty() ? "a worker failed" : std::string(bytes.begin() + 1, bytes.end());
      }
    }
    if (InterruptGuard::interrupted() || !failure.empty()) {
      end_all();
      if (InterruptGuard::interrupted()) throw Interrupted{};
      throw std::runtime_error(failure);
    }
    if (progress && seconds() >= next_progress) {
      progress(shared->units.load(), seconds());
      next_progress = seconds() + 0.1;
    }
    if (left > 0) usleep(2000);
  }
  if (progress) progress(shared->units.load(), seconds());

  std::vector<Buffer> buffers(children.size());
  for (std::size_t w = 0; w < buffers.size(); ++w) {
    std::vector<char> bytes = read_all(files[w].get());
    if (bytes.empty() || bytes[0] != '+') throw std::runtime_error("a worker left no results");
    buffers[w].bytes().assign(bytes.begin() + 1, bytes.end());
  }
  return buffers;
}

int default_workers() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

}  // namespace sagitta
