#include "base/fake_executor.h"

#include <utility>

namespace schleuse {

FakeExecutor::FakeExecutor(uint64_t seed) : seed_(seed), random_(seed) {}

void FakeExecutor::Post(Task task) { ready_.push_back(std::move(task)); }

void FakeExecutor::PostAfter(absl::Duration delay, Task task) {
  delayed_.emplace(now_ + delay, std::move(task));
}

bool FakeExecutor::RunOne() {
  if (ready_.empty()) return false;
  const size_t index = seed_ == 0 ? 0 : random_.Next() % ready_.size();
  Task task = std::move(ready_[index]);
  ready_.erase(ready_.begin() + static_cast<ptrdiff_t>(index));
  task();
  return true;
}

void FakeExecutor::RunReady(int tasks_max) {
  while (tasks_max-- > 0 && RunOne()) {
  }
}

bool FakeExecutor::SkipToNext() {
  if (delayed_.empty()) return false;
  Advance(delayed_.begin()->first - now_);
  return true;
}

void FakeExecutor::Advance(absl::Duration by) {
  now_ += by;
  while (!delayed_.empty() && delayed_.begin()->first <= now_) {
    ready_.push_back(std::move(delayed_.begin()->second));
    delayed_.erase(delayed_.begin());
  }
}

void FakeExecutor::DropAll() {
  // A task's end may post again; what that posts is dropped as well.
  while (!ready_.empty() || !delayed_.empty()) {
    std::vector<Task> ready = std::move(ready_);
    std::multimap<absl::Time, Task> delayed = std::move(delayed_);
    ready_.clear();
    delayed_.clear();
  }
}

}  // namespace schleuse
