#include "base/executor.h"

#include <utility>

namespace schleuse {

Strand::Strand(Executor& executor)
    : executor_(executor), queue_(std::make_shared<Queue>()) {}

void Strand::Post(Task task) { Enqueue(executor_, queue_, std::move(task)); }

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
  executor.Post([&executor, queue = std::move(queue)]() mutable {
    RunTurn(executor, std::move(queue));
  });
}

// One task a turn, so that a busy strand does not keep a thread from others.
void Strand::RunTurn(Executor& executor, std::shared_ptr<Queue> queue) {
  Task task;
  {
    MutexLock lock(queue->mutex);
    task = std::move(queue->tasks.front());
    queue->tasks.pop_front();
  }
  task();
  task = nullptr;  // what it held is let go before the next one may run
  {
    MutexLock lock(queue->mutex);
    if (queue->tasks.empty()) {
      queue->running = false;
      return;
    }
  }
  executor.Post([&executor, queue = std::move(queue)]() mutable {
    RunTurn(executor, std::move(queue));
  });
}

}  // namespace schleuse
