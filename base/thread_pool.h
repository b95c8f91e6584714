// An Executor of real threads and real time.
#ifndef SCHLEUSE_BASE_THREAD_POOL_H_
#define SCHLEUSE_BASE_THREAD_POOL_H_

#include <deque>
#include <map>
#include <thread>
#include <vector>

#include "base/executor.h"

namespace schleuse {

class ThreadPool final : public Executor {
 public:
  explicit ThreadPool(int threads);
  // Runs every task posted so far, drops those whose delay is not over, joins.
  ~ThreadPool() override;

  void Post(Task task) override;
  void PostAfter(absl::Duration delay, Task task) override;

 private:
  void Work();

  Mutex mutex_;
  CondVar wake_;
  std::deque<Task> ready_ ABSL_GUARDED_BY(mutex_);
  std::multimap<absl::Time, Task> delayed_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_BASE_THREAD_POOL_H_
