#include "base/thread_pool.h"

#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "base/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using testing::ElementsAre;

// Waits until it was told `count` times.
class Countdown {
 public:
  explicit Countdown(int count) : left_(count) {}
  void Tell() {
    MutexLock lock(mutex_);
    if (--left_ == 0) zero_.NotifyAll();
  }
  void Wait() {
    MutexLock lock(mutex_);
    while (left_ > 0) zero_.Wait(mutex_);
  }

 private:
  Mutex mutex_;
  CondVar zero_;
  int left_ ABSL_GUARDED_BY(mutex_);
};

TEST(ThreadPoolTest, RunsTasksSideBySide) {
  ThreadPool pool(3);
  Countdown met(3);
  Countdown done(3);
  for (int i = 0; i < 3; ++i) {
    pool.Post([&] {
      met.Tell();
      met.Wait();  // for the other two: ends only if all run at once
      done.Tell();
    });
  }
  done.Wait();
}

TEST(ThreadPoolTest, OneThreadKeepsTheOrderOfPosting) {
  std::vector<int> ran;
  {
    ThreadPool pool(1);
    for (int i = 0; i < 4; ++i) pool.Post([&ran, i] { ran.push_back(i); });
  }
  EXPECT_THAT(ran, ElementsAre(0, 1, 2, 3));
}

TEST(ThreadPoolTest, ATaskMayPost) {
  ThreadPool pool(1);
  Countdown done(1);
  pool.Post([&] { pool.Post([&] { done.Tell(); }); });
  done.Wait();
}

// What ends the pool may wait for the task and not for who posted it. For the
// thread sanitizer.
TEST(ThreadPoolTest, APostOfAForeignThreadDoesNotOutliveThePool) {
  for (int round = 0; round < 500; ++round) {
    auto pool = std::make_unique<ThreadPool>(1);
    Countdown ran(1);
    std::thread foreign(
        [&pool = *pool, &ran] { pool.Post([&ran] { ran.Tell(); }); });
    ran.Wait();
    pool.reset();
    foreign.join();
  }
}

TEST(ThreadPoolTest, ItsEndRunsWhatWasPostedAndWhatThatPosts) {
  std::atomic<int> ran = 0;
  {
    ThreadPool pool(2);
    for (int i = 0; i < 200; ++i) {
      pool.Post([&] {
        ++ran;
        pool.Post([&] { ++ran; });
      });
    }
  }
  EXPECT_EQ(ran, 400);
}

TEST(ThreadPoolTest, ItsEndDropsWhatIsNotDueAndDoesNotWaitForIt) {
  bool ran = false;
  auto held = std::make_shared<int>(0);
  const std::weak_ptr<int> watch = held;
  {
    ThreadPool pool(1);
    pool.PostAfter(absl::Hours(1),
                   [&ran, held = std::move(held)] { ran = true; });
  }
  EXPECT_FALSE(ran);
  EXPECT_TRUE(watch.expired());
}

TEST(ThreadPoolTest, DelayedTasksRunInTheOrderOfTheirTimes) {
  std::vector<int> ran;  // one thread of the pool alone
  Countdown done(3);
  ThreadPool pool(1);
  const auto add = [&](int i) {
    return [&, i] {
      ran.push_back(i);
      done.Tell();
    };
  };
  pool.PostAfter(absl::Milliseconds(40), add(3));
  pool.PostAfter(absl::Milliseconds(20), add(2));
  pool.PostAfter(absl::ZeroDuration(), add(1));
  done.Wait();
  EXPECT_THAT(ran, ElementsAre(1, 2, 3));
}

TEST(ThreadPoolTest, ADelayedTaskIsNotEarly) {
  Countdown done(1);
  ThreadPool pool(2);
  const absl::Time posted = absl::Now();
  absl::Time ran;
  pool.PostAfter(absl::Milliseconds(30), [&] {
    ran = absl::Now();
    done.Tell();
  });
  done.Wait();
  EXPECT_GE(ran - posted, absl::Milliseconds(30));
}

// A task that is due sooner must not wait for the sleep of one due later.
TEST(ThreadPoolTest, ALaterPostedTaskThatIsDueSoonerWakesTheThread) {
  Countdown done(1);
  ThreadPool pool(1);
  pool.PostAfter(absl::Hours(1), [] {});
  pool.PostAfter(absl::Milliseconds(1), [&] { done.Tell(); });
  done.Wait();
}

}  // namespace
}  // namespace schleuse
