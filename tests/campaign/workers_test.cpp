// Workers that come to harm: what they had sent in whole is taken, and nothing else.
#include "campaign/workers.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <numeric>
#include <set>
#include <thread>

namespace sagitta {
namespace {

// Items as results of their own: an item's number, so many times.
void put_item(WorkQueue& queue, std::int64_t item, int copies) {
  queue.results.put_all(std::vector<std::int64_t>(static_cast<std::size_t>(copies), item));
  queue.result_is_whole();
}

class Taken {
 public:
  void operator()(Buffer& buffer) {
    while (!buffer.at_end()) {
      const auto item = buffer.get_all<std::int64_t>();
      ASSERT_FALSE(item.empty());
      for (const std::int64_t v : item) EXPECT_EQ(v, item.front());
      EXPECT_TRUE(items.insert(item.front()).second) << item.front() << " twice";
    }
  }
  std::set<std::int64_t> items;
};

TEST(Workers, EveryResultArrivesOnce) {
  for (const int workers : {1, 2, 7}) {
    Taken taken;
    int ticks = 0;
    run_workers(workers, 500,
                {[](WorkQueue& queue) {
                   for (std::int64_t i = queue.next(); i >= 0; i = queue.next()) {
                     put_item(queue, i, i % 50 == 0 ? 40000 : 3);  // more than a pipe holds, too
                   }
                 },
                 [&](Buffer& b) { taken(b); }, [&] { ++ticks; }});
    EXPECT_EQ(taken.items.size(), 500U);
    EXPECT_GT(ticks, 0);
  }
}

TEST(Workers, WhatALostWorkerHadSentIsTaken) {
  Taken taken;
  const auto work = [](WorkQueue& queue) {
    for (std::int64_t i = queue.next(); i >= 0; i = queue.next()) {
      if (i == 100) raise(SIGKILL);  // with results that it has not sent
      put_item(queue, i, i < 50 ? 10000 : 1);
    }
    usleep(10000000);
  };
  try {
    run_workers(1, 500, {work, [&](Buffer& b) { taken(b); }, nullptr});
    FAIL() << "nothing was lost";
  } catch (const LostWorker& e) {
    EXPECT_EQ(e.signal, SIGKILL);
    EXPECT_STREQ(e.what(), "a worker process was ended by signal 9 (Killed)");
  }
  EXPECT_GE(taken.items.size(), 50U);
  EXPECT_LT(taken.items.size(), 100U);
}

// A message that breaks off is as if it had never been sent.
TEST(Workers, AMessageCutShortIsNotTaken) {
  Taken taken;
  const auto work = [](WorkQueue& queue) {
    put_item(queue, 1, 10000);
    std::thread([] {  // in the midst of a message that the pipe cannot hold
      usleep(200000);
      raise(SIGKILL);
    })
        .detach();
    for (std::int64_t i = 2;; ++i) put_item(queue, i, 1000000);
  };
  const auto slowly = [&](Buffer& b) {
    taken(b);
    usleep(1000000);
  };
  EXPECT_THROW(run_workers(1, 1, {work, slowly, nullptr}), LostWorker);
  EXPECT_TRUE(taken.items.contains(1));
  EXPECT_LT(taken.items.size(), 5U);
}

TEST(Workers, AFailureCarriesItsMessage) {
  const auto work = [](WorkQueue& queue) {
    if (queue.next() == 0) throw std::runtime_error("this one failed");
    usleep(10000000);  // the other worker is not waited for
  };
  try {
    run_workers(2, 10, {work, [](Buffer&) {}, nullptr});
    FAIL();
  } catch (const std::runtime_error& e) {
    EXPECT_STREQ(e.what(), "this one failed");
  }
}

// What the parent cannot take ends the workers, too.
TEST(Workers, AnErrorInTheParentEndsThem) {
  const auto work = [](WorkQueue& queue) {
    put_item(queue, 1, 10000);
    usleep(10000000);
  };
  const auto refuse = [](Buffer&) { throw std::runtime_error("no room"); };
  EXPECT_THROW(run_workers(3, 10, {work, refuse, nullptr}), std::runtime_error);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "a worker is left";
}

}  // namespace
}  // namespace sagitta
