#include "base/thread_pool.h"

#include <utility>

#include "absl/time/clock.h"

namespace schleuse {

ThreadPool::ThreadPool(int threads) {
  threads_.reserve(threads);
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

ThreadPool::~ThreadPool() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyAll();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::Post(Task task) {
  MutexLock lock(mutex_);
  ready_.push_back(std::move(task));
  // Under the lock: behind it the task may have run, and the pool be gone.
  wake_.NotifyOne();
}

void ThreadPool::PostAfter(absl::Duration delay, Task task) {
  MutexLock lock(mutex_);
  delayed_.emplace(absl::Now() + delay, std::move(task));
  wake_.NotifyOne();  // under the lock, as in Post
}

void ThreadPool::Work() {
  while (true) {
    Task task;
    {
      MutexLock lock(mutex_);
      while (true) {
        const absl::Time now = absl::Now();
        while (!delayed_.empty() && delayed_.begin()->first <= now) {
          ready_.push_back(std::move(delayed_.begin()->second));
          delayed_.erase(delayed_.begin());
        }
        if (!ready_.empty()) break;
        if (stopping_) return;
        if (delayed_.empty()) {
          wake_.Wait(mutex_);
        } else {
          wake_.WaitFor(mutex_, delayed_.begin()->first - now);
        }
      }
      task = std::move(ready_.front());
      ready_.pop_front();
    }
    task();
  }
}

}  // namespace schleuse
