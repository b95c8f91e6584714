#include "base/executor.h"

#include <utility>

namespace schleuse {

// The right to run the next task. An executor that ends without running it, as
// that of a simulated crash does, takes the tasks along: they may hold whoever
// owns the strand.
class Strand::Turn {
 public:
  explicit Turn(std::shared_ptr<Queue> queue) : queue_(std::move(queue)) {}
  Turn(Turn&&) = default;
  Turn& operator=(Turn&&) = delete;
  ~Turn() {
    if (queue_ == nullptr) return;
    std::deque<Task> dropped;  // let go outside the lock
    MutexLock lock(queue_->mutex);
    dropped.swap(queue_->tasks);
    queue_->running = false;
  }

  std::shared_ptr<Queue> Take() { return std::exchange(queue_, nullptr); }

 private:
  std::shared_ptr<Queue> queue_;
};

Strand::Strand(Executor& executor)
    : executor_(executor), queue_(std::make_shared<Queue>()) {}

void Strand::Post(Task task) { Enqueue(executor_, queue_, std::move(task)); }

void Strand::RunOrPost(Task task) {
  {
    MutexLock lock(queue_->mutex);
    queue_->tasks.push_back(std::move(task));
    if (queue_->running) return;
    queue_->running = true;
  }
  RunTurn(executor_, queue_);
}

void Strand::PostAfter(absl::Duration delay, Task task) {
  executor_.PostAfter(delay, [&executor = executor_, queue = queue_,
                              task = std::move(task)]() mutable {
    Enqueue(executor, std::move(queue), std::move(task));
  });
}

void Strand::Enqueue(Executor& executor, std::shared_ptr<Queue> queue,
                     Task task) {
  {
    MutexLock lock(queue->mutex);
    queue->tasks.push_back(std::move(task));
    if (queue->running) return;
    queue->running = true;
  }
  PostTurn(executor, std::move(queue));
}

void Strand::PostTurn(Executor& executor, std::shared_ptr<Queue> queue) {
  executor.Post([&executor, turn = Turn(std::move(queue))]() mutable {
    RunTurn(executor, turn.Take());
  });
}

// A few tasks a turn, so that a busy strand does not keep a thread from others.
void Strand::RunTurn(Executor& executor, std::shared_ptr<Queue> queue) {
  for (int left = executor.strand_tasks_per_turn(); left > 0; --left) {
    Task task;
    {
      MutexLock lock(queue->mutex);
      if (queue->tasks.empty()) {
        queue->running = false;
        return;
      }
      task = std::move(queue->tasks.front());
      queue->tasks.pop_front();
    }
    task();
    task = nullptr;  // what it held is let go before the next one may run
  }
  {
    MutexLock lock(queue->mutex);
    if (queue->tasks.empty()) {
      queue->running = false;
      return;
    }
  }
  PostTurn(executor, std::move(queue));
}

}  // namespace schleuse
