#include "base/thread_pool.h"

#include <deque>
#include <map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/time/clock.h"
#include "base/mutex.h"

namespace schleuse {

// Threads sleep in two places. One of them, the watcher, sleeps until the next
// delayed task is due; all others until they are called. Who posts calls one
// thread, and does so outside the lock, since that thread wants it at once.
struct ThreadPool::Inside {
  Mutex mutex;
  CondVar called;
  CondVar watching;
  std::deque<Task> ready ABSL_GUARDED_BY(mutex);
  std::multimap<absl::Time, Task> delayed ABSL_GUARDED_BY(mutex);
  int idle ABSL_GUARDED_BY(mutex) = 0;   // asleep and not called
  int calls ABSL_GUARDED_BY(mutex) = 0;  // called and still asleep
  bool watched ABSL_GUARDED_BY(mutex) = false;
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  bool stopped ABSL_GUARDED_BY(mutex) = false;

  // Whom to notify, outside the lock, for one more task; nullptr: all are
  // awake.
  CondVar* Call() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    if (idle > 0) {
      --idle;
      ++calls;
      return &called;
    }
    return watched ? &watching : nullptr;
  }

  void MoveDue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    if (delayed.empty()) return;
    const absl::Time now = absl::Now();
    while (!delayed.empty() && delayed.begin()->first <= now) {
      ready.push_back(std::move(delayed.begin()->second));
      delayed.erase(delayed.begin());
    }
  }

  // Until there may be something to do.
  void Sleep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    if (!delayed.empty() && !watched) {
      watched = true;
      watching.WaitFor(mutex, delayed.begin()->first - absl::Now());
      watched = false;
      return;
    }
    ++idle;
    while (calls == 0 && !stopping) called.Wait(mutex);
    if (calls > 0) {
      --calls;
    } else {
      --idle;
    }
  }
};

ThreadPool::ThreadPool(int threads) : inside_(std::make_shared<Inside>()) {
  threads_.reserve(threads);
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { Work(*inside_); });
  }
}

void ThreadPool::Stop() {
  {
    MutexLock lock(inside_->mutex);
    inside_->stopping = true;
  }
  inside_->called.NotifyAll();
  inside_->watching.NotifyAll();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  // Dropped outside the lock: what they hold may post once more.
  std::deque<Task> ready;
  std::multimap<absl::Time, Task> delayed;
  MutexLock lock(inside_->mutex);
  inside_->stopped = true;
  ready.swap(inside_->ready);
  delayed.swap(inside_->delayed);
}

void ThreadPool::Post(Task task) {
  const std::shared_ptr<Inside> inside = inside_;
  CondVar* wake;
  {
    MutexLock lock(inside->mutex);
    if (inside->stopped) return;
    inside->ready.push_back(std::move(task));
    wake = inside->Call();
  }
  if (wake != nullptr) wake->NotifyOne();
}

void ThreadPool::PostAfter(absl::Duration delay, Task task) {
  const std::shared_ptr<Inside> inside = inside_;
  const absl::Time due = absl::Now() + delay;
  CondVar* wake = nullptr;
  {
    MutexLock lock(inside->mutex);
    if (inside->stopped) return;
    const auto place = inside->delayed.emplace(due, std::move(task));
    if (place == inside->delayed.begin()) {
      // It is due before whatever is watched for.
      wake = inside->watched ? &inside->watching : inside->Call();
    }
  }
  if (wake != nullptr) wake->NotifyOne();
}

void ThreadPool::Work(Inside& inside) {
  while (true) {
    Task task;
    CondVar* wake = nullptr;
    {
      MutexLock lock(inside.mutex);
      while (true) {
        inside.MoveDue();
        if (!inside.ready.empty()) break;
        if (inside.stopping) return;
        inside.Sleep();
      }
      task = std::move(inside.ready.front());
      inside.ready.pop_front();
      // Several may have come due at once, and somebody has to watch.
      const bool unwatched = !inside.delayed.empty() && !inside.watched;
      if (inside.idle > 0 && (unwatched || !inside.ready.empty())) {
        wake = inside.Call();
      }
    }
    if (wake != nullptr) wake->NotifyOne();
    task();
  }
}

}  // namespace schleuse
