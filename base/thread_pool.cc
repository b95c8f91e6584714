#include "base/thread_pool.h"

#include <semaphore.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"

namespace schleuse {
namespace {

// Delays take as long as they should though somebody sets the clock.
using Clock = std::chrono::steady_clock;

// No clock reaches farther; nor does anybody wait for it.
constexpr absl::Duration kDelayMax = absl::Hours(24 * 365 * 10);

// Where one thread sleeps.
class Bed {
 public:
  Bed() { sem_init(&called_, 0, 0); }
  ~Bed() { sem_destroy(&called_); }
  Bed(const Bed&) = delete;
  Bed& operator=(const Bed&) = delete;

  // Wakes its thread, or lets it not fall asleep next time.
  void Call() { sem_post(&called_); }
  void Sleep() {
    while (sem_wait(&called_) != 0) {
      if (errno != EINTR) std::abort();
    }
  }
  // False: nobody called.
  bool SleepUntil(Clock::time_point end) {
    const auto since = std::chrono::duration_cast<std::chrono::nanoseconds>(
                           end.time_since_epoch())
                           .count();
    const timespec when = {.tv_sec = since / 1'000'000'000,
                           .tv_nsec = since % 1'000'000'000};
    while (sem_clockwait(&called_, CLOCK_MONOTONIC, &when) != 0) {
      if (errno == ETIMEDOUT) return false;
      if (errno != EINTR) std::abort();
    }
    return true;
  }

 private:
  sem_t called_;
};

}  // namespace

// One of the threads without work, the watcher, sleeps until the next delayed
// task is due; all others until they are called. Who posts calls one of them,
// that which fell asleep last, since its caches are the warmest; and does so
// outside the lock, since that thread wants it at once.
struct ThreadPool::Inside {
  explicit Inside(int threads) : beds(threads) {}

  // One for each thread. Here, so that they outlive whoever calls.
  std::vector<Bed> beds;
  Mutex mutex;
  std::deque<Task> ready ABSL_GUARDED_BY(mutex);
  std::multimap<Clock::time_point, Task> delayed ABSL_GUARDED_BY(mutex);
  // Asleep and not called.
  std::vector<Bed*> idle ABSL_GUARDED_BY(mutex);
  Bed* watcher ABSL_GUARDED_BY(mutex) = nullptr;
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  bool stopped ABSL_GUARDED_BY(mutex) = false;

  // Whom to call, outside the lock, for one more task; nullptr: all are awake.
  Bed* Next() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    if (idle.empty()) return std::exchange(watcher, nullptr);
    Bed* const last = idle.back();
    idle.pop_back();
    return last;
  }

  void MoveDue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    if (delayed.empty()) return;
    const Clock::time_point now = Clock::now();
    while (!delayed.empty() && delayed.begin()->first <= now) {
      ready.push_back(std::move(delayed.begin()->second));
      delayed.erase(delayed.begin());
    }
  }

  // Until there may be something to do.
  void Sleep(Bed& own) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    if (delayed.empty() || watcher != nullptr) {
      idle.push_back(&own);
      mutex.Unlock();
      own.Sleep();
      mutex.Lock();
      return;
    }
    watcher = &own;
    const Clock::time_point due = delayed.begin()->first;
    mutex.Unlock();
    const bool called = own.SleepUntil(due);
    mutex.Lock();
    if (called) return;
    if (watcher == &own) {
      watcher = nullptr;
      return;
    }
    mutex.Unlock();
    own.Sleep();  // somebody is about to call
    mutex.Lock();
  }
};

ThreadPool::ThreadPool(int threads)
    : inside_(std::make_shared<Inside>(threads)) {
  threads_.reserve(threads);
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this, i] { Work(*inside_, i); });
  }
}

void ThreadPool::Stop() {
  std::vector<Bed*> asleep;
  {
    MutexLock lock(inside_->mutex);
    inside_->stopping = true;
    while (Bed* const bed = inside_->Next()) asleep.push_back(bed);
  }
  for (Bed* const bed : asleep) bed->Call();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  // Dropped outside the lock: what they hold may post once more.
  std::deque<Task> ready;
  std::multimap<Clock::time_point, Task> delayed;
  MutexLock lock(inside_->mutex);
  inside_->stopped = true;
  ready.swap(inside_->ready);
  delayed.swap(inside_->delayed);
}

void ThreadPool::Post(Task task) {
  const std::shared_ptr<Inside> inside = inside_;
  Bed* next;
  {
    MutexLock lock(inside->mutex);
    if (inside->stopped) return;
    inside->ready.push_back(std::move(task));
    next = inside->Next();
  }
  if (next != nullptr) next->Call();
}

void ThreadPool::PostAfter(absl::Duration delay, Task task) {
  const std::shared_ptr<Inside> inside = inside_;
  const Clock::time_point due =
      Clock::now() + absl::ToChronoNanoseconds(std::min(delay, kDelayMax));
  Bed* next = nullptr;
  {
    MutexLock lock(inside->mutex);
    if (inside->stopped) return;
    const auto place = inside->delayed.emplace(due, std::move(task));
    if (place == inside->delayed.begin()) {
      // It is due before whatever is watched for.
      next = inside->watcher != nullptr
                 ? std::exchange(inside->watcher, nullptr)
                 : inside->Next();
    }
  }
  if (next != nullptr) next->Call();
}

void ThreadPool::Work(Inside& inside, int number) {
  Bed& own = inside.beds[static_cast<size_t>(number)];
  while (true) {
    Task task;
    Bed* next = nullptr;
    {
      MutexLock lock(inside.mutex);
      while (true) {
        inside.MoveDue();
        if (!inside.ready.empty()) break;
        if (inside.stopping) return;
        inside.Sleep(own);
      }
      task = std::move(inside.ready.front());
      inside.ready.pop_front();
      // Several may have come due at once, and somebody has to watch.
      const bool unwatched =
          !inside.delayed.empty() && inside.watcher == nullptr;
      if (!inside.idle.empty() && (unwatched || !inside.ready.empty())) {
        next = inside.Next();
      }
    }
    if (next != nullptr) next->Call();
    task();
  }
}

}  // namespace schleuse
