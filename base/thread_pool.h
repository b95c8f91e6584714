// An Executor of real threads and real time.
#ifndef SCHLEUSE_BASE_THREAD_POOL_H_
#define SCHLEUSE_BASE_THREAD_POOL_H_

#include <memory>
#include <thread>
#include <vector>

#include "base/executor.h"

namespace schleuse {

class ThreadPool final : public Executor {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool() override { Stop(); }

  // Runs every task posted so far, drops those whose delay is not over, and
  // joins; whatever is posted from then on is dropped. For pools whose tasks
  // post to each other: stop all before any of them goes. May be repeated, by
  // one thread.
  void Stop();

  void Post(Task task) override;
  void PostAfter(absl::Duration delay, Task task) override;
  // Each turn costs a queue and perhaps a change of threads; so many chunks
  // take a few milliseconds at the most. What takes longer goes through Post
  // again.
  int strand_tasks_per_turn() const override { return 8; }

 private:
  // Shared with the calls of Post that are under way: behind one of them its
  // task may have run, and the pool be gone.
  struct Inside;
  static void Work(Inside& inside, int number);

  const std::shared_ptr<Inside> inside_;
  std::vector<std::thread> threads_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_BASE_THREAD_POOL_H_
