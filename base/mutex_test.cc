#include "base/mutex.h"

#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace schleuse {
namespace {

TEST(MutexTest, KeepsThreadsApart) {
  struct {
    Mutex mutex;
    int value ABSL_GUARDED_BY(mutex) = 0;
  } counter;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&counter] {
      for (int i = 0; i < 1000; ++i) {
        MutexLock lock(counter.mutex);
        ++counter.value;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  MutexLock lock(counter.mutex);
  EXPECT_EQ(counter.value, 4000);
}

// A ball that goes back and forth; a lost wakeup would stop it for ever.
TEST(CondVarTest, WaitLetsTheMutexGoAndTakesItAgain) {
  constexpr int kThrows = 1000;
  struct {
    Mutex mutex;
    CondVar thrown;
    int throws ABSL_GUARDED_BY(mutex) = 0;
  } ball;
  const auto play = [&ball](int side) {
    MutexLock lock(ball.mutex);
    while (ball.throws < kThrows) {
      if (ball.throws % 2 == side) {
        ++ball.throws;
        ball.thrown.NotifyOne();
      } else {
        ball.thrown.Wait(ball.mutex);
      }
    }
  };
  std::thread left(play, 0);
  std::thread right(play, 1);
  left.join();
  right.join();
  MutexLock lock(ball.mutex);
  EXPECT_EQ(ball.throws, kThrows);
}

TEST(CondVarTest, NotifyAllWakesEveryWaiter) {
  struct {
    Mutex mutex;
    CondVar changed;
    int waiting ABSL_GUARDED_BY(mutex) = 0;
    bool go ABSL_GUARDED_BY(mutex) = false;
  } gate;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&gate] {
      MutexLock lock(gate.mutex);
      ++gate.waiting;
      gate.changed.NotifyAll();
      while (!gate.go) gate.changed.Wait(gate.mutex);
    });
  }
  {
    MutexLock lock(gate.mutex);
    while (gate.waiting < 4) gate.changed.Wait(gate.mutex);
    gate.go = true;
    gate.changed.NotifyAll();
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace schleuse
