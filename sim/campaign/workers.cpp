#include "campaign/workers.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>

#include <fmt/format.h>

namespace sagitta {
namespace {

// In front of each message of a worker.
struct MessageHead {
  enum Kind : std::uint32_t { results, failure } kind;
  std::uint32_t bytes;
};

class PipeQueue : public WorkQueue {
 public:
  PipeQueue(std::atomic<std::int64_t>& shared, std::int64_t items, int pipe)
      : shared_(shared), items_(items), pipe_(pipe) {}
  std::int64_t next() override {
    const std::int64_t i = shared_.fetch_add(1);
    return i < items_ ? i : -1;
  }
  void result_is_whole() override {
    constexpr std::size_t kMuch = 1 << 15;
    constexpr std::chrono::milliseconds kSomeTime{100};
    if (results.bytes().size() < kMuch && Clock::now() - sent_ < kSomeTime) return;
    send(MessageHead::results, results.bytes());
    results.bytes().clear();
    sent_ = Clock::now();
  }
  void send(MessageHead::Kind kind, const std::vector<char>& bytes) const {
    const MessageHead head{kind, static_cast<std::uint32_t>(bytes.size())};
    write_all(&head, sizeof head);
    write_all(bytes.data(), bytes.size());
  }

 private:
  using Clock = std::chrono::steady_clock;
  void write_all(const void* data, std::size_t size) const {
    const char* at = static_cast<const char*>(data);
    while (size > 0) {
      const ssize_t n = write(pipe_, at, size);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) _exit(1);  // nobody is left to read the results
      at += n;
      size -= static_cast<std::size_t>(n);
    }
  }

  std::atomic<std::int64_t>& shared_;
  std::int64_t items_;
  int pipe_;
  Clock::time_point sent_ = Clock::now();
};

// The child's life.
[[noreturn]] void be_worker(PipeQueue& queue, pid_t parent,
                            const std::function<void(WorkQueue&)>& work) {
  std::signal(SIGINT, SIG_IGN);  // the parent decides, and ends its workers
  std::signal(SIGTERM, SIG_DFL);
  prctl(PR_SET_PDEATHSIG, SIGKILL);   // without it nobody is left to read the results
  if (getppid() != parent) _exit(1);  // it ended before that
  try {
    work(queue);
    if (!queue.results.bytes().empty()) queue.send(MessageHead::results, queue.results.bytes());
  } catch (const std::exception& e) {
    const std::string what = e.what();
    queue.send(MessageHead::failure, {what.begin(), what.end()});
    _exit(1);
  }
  _exit(0);
}

// A worker as its parent has it.
struct Worker {
  pid_t pid = 0;
  int pipe = -1;
  std::vector<char> bytes;  // read, and not yet a whole message

  // The next whole message, taken out of `bytes`.
  bool message(MessageHead& head, std::vector<char>& content) {
    if (bytes.size() < sizeof head) return false;
    std::memcpy(&head, bytes.data(), sizeof head);
    const std::size_t end = sizeof head + head.bytes;
    if (bytes.size() < end) return false;
    content.assign(bytes.begin() + sizeof head, bytes.begin() + static_cast<std::ptrdiff_t>(end));
    bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(end));
    return true;
  }
};

class Pool {
 public:
  explicit Pool(const WorkerHooks& hooks) : hooks_(hooks) {}
  ~Pool() {
    end();
    for (const Worker& w : workers_) {
      if (w.pipe >= 0) close(w.pipe);
    }
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void start(int count, std::atomic<std::int64_t>& shared, std::int64_t items) {
    const pid_t parent = getpid();
    std::fflush(stdout);
    std::fflush(stderr);
    for (int i = 0; i < count; ++i) {
      int ends[2];
      if (pipe(ends) != 0) throw std::runtime_error("cannot make a pipe to a worker process");
      const pid_t child = fork();
      if (child == 0) {
        PipeQueue queue(shared, items, ends[1]);
        be_worker(queue, parent, hooks_.work);
      }
      close(ends[1]);  // or the next worker would hold it, and no end of this one be seen
      workers_.push_back({child, ends[0], {}});
      if (child < 0) throw std::runtime_error("cannot start a worker process");
      fcntl(ends[0], F_SETPIPE_SZ, 1 << 20);  // fewer waits; nothing depends on it
    }
  }

  // Takes what the workers send, until none is left.
  void serve() {
    while (wait_and_read(50)) {
      if (hooks_.tick) hooks_.tick();
      if (!InterruptGuard::interrupted() && lost_ == 0 && failure_.empty()) continue;
      end();
      while (wait_and_read(0)) {
      }  // what they had sent
      break;
    }
    if (InterruptGuard::interrupted()) throw Interrupted{};
    if (lost_ != 0) throw LostWorker(lost_);
    if (!failure_.empty()) throw std::runtime_error(failure_);
  }

 private:
  // Ends all that still run.
  void end() {
    for (const Worker& w : workers_) {
      if (w.pid > 0) kill(w.pid, SIGKILL);
    }
    for (Worker& w : workers_) {
      if (w.pid > 0) waitpid(w.pid, nullptr, 0);
      w.pid = 0;
    }
  }

  // Waits for a message, and takes what there is. False: all pipes have ended.
  bool wait_and_read(int milliseconds) {
    std::vector<pollfd> waiting;
    for (const Worker& w : workers_) waiting.push_back({w.pipe, POLLIN, 0});
    const auto open = [](const Worker& w) { return w.pipe >= 0; };
    if (std::none_of(workers_.begin(), workers_.end(), open)) return false;
    if (poll(waiting.data(), waiting.size(), milliseconds) <= 0) return true;  // or a signal
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      if (waiting[i].revents != 0) read_from(workers_[i]);
    }
    return true;
  }

  void read_from(Worker& worker) {
    static char chunk[1 << 18];
    const ssize_t n = read(worker.pipe, chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) return;
    if (n <= 0) {
      ended(worker);
      return;
    }
    worker.bytes.insert(worker.bytes.end(), chunk, chunk + n);
    MessageHead head{};
    std::vector<char> content;
    while (worker.message(head, content)) {
      if (head.kind == MessageHead::failure) {
        failure_.assign(content.begin(), content.end());
      } else {
        Buffer buffer(std::move(content));
        hooks_.take(buffer);
      }
    }
  }

  void ended(Worker& worker) {
    close(worker.pipe);
    worker.pipe = -1;
    int status = 0;
    if (worker.pid <= 0 || waitpid(worker.pid, &status, 0) != worker.pid) return;
    worker.pid = 0;
    if (WIFSIGNALED(status)) {
      lost_ = WTERMSIG(status);
    } else if (WEXITSTATUS(status) != 0 && failure_.empty()) {
      failure_ = "a worker failed";
    }
  }

  const WorkerHooks& hooks_;
  std::vector<Worker> workers_;
  std::string failure_;
  int lost_ = 0;  // the signal that ended a worker
};

}  // namespace

void Buffer::check(std::size_t more) const {
  if (at_ + more > bytes_.size()) throw std::runtime_error("a worker's results are cut short");
}

LostWorker::LostWorker(int number)
    : std::runtime_error(
          fmt::format("a worker process was ended by signal {} ({})", number, strsignal(number))),
      signal(number) {}

void run_workers(int workers, std::int64_t items, const WorkerHooks& hooks) {
  workers = static_cast<int>(std::clamp<std::int64_t>(items, 1, std::max(1, workers)));
  using Counter = std::atomic<std::int64_t>;
  void* memory =
      mmap(nullptr, sizeof(Counter), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::runtime_error("cannot share memory with the workers");
  const std::unique_ptr<void, void (*)(void*)> unmap(memory,
                                                     [](void* p) { munmap(p, sizeof(Counter)); });
  auto* next = new (memory) Counter(0);
  const InterruptGuard guard;
  Pool pool(hooks);
  pool.start(workers, *next, items);
  pool.serve();
}

int default_workers() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

}  // namespace sagitta
