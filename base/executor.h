// Where work runs: handed in from outside, so that the core owns no thread.
#ifndef SCHLEUSE_BASE_EXECUTOR_H_
#define SCHLEUSE_BASE_EXECUTOR_H_

#include <deque>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "base/mutex.h"

namespace schleuse {

using Task = absl::AnyInvocable<void()>;

// Runs tasks some time after they were posted, never inside Post. Safe to call
// from many threads and from tasks.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual void Post(Task task) = 0;
  virtual void PostAfter(absl::Duration delay, Task task) = 0;
  // How many tasks a strand may run before others have their turn.
  virtual int strand_tasks_per_turn() const { return 1; }
};

// Runs its tasks one after another, in the order of their posting, on some
// thread of the executor below. Many strands share few threads.
//
// A strand may be destroyed while tasks wait: they still run.
class Strand {
 public:
  // `executor` must outlive the last task.
  explicit Strand(Executor& executor);

  void Post(Task task);
  // The same, but where nothing waits or runs the task runs here and now: for
  // the last thing that a thread does which may as well go on. The caller holds
  // no lock.
  void RunOrPost(Task task);
  // Joins the end of the queue once `delay` is over.
  void PostAfter(absl::Duration delay, Task task);

 private:
  // Shared by the strand and the turns it has posted, whichever lives longer.
  struct Queue {
    Mutex mutex;
    std::deque<Task> tasks ABSL_GUARDED_BY(mutex);
    bool running ABSL_GUARDED_BY(mutex) = false;
  };
  class Turn;
  static void Enqueue(Executor& executor, std::shared_ptr<Queue> queue,
                      Task task);
  static void PostTurn(Executor& executor, std::shared_ptr<Queue> queue);
  static void RunTurn(Executor& executor, std::shared_ptr<Queue> queue);

  Executor& executor_;
  std::shared_ptr<Queue> queue_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_BASE_EXECUTOR_H_
