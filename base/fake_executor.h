// An Executor and Clock for tests: one thread, a clock that moves only when
// told, and an order of tasks that a seed decides. It knows nothing of what
// the tasks do.
#ifndef SCHLEUSE_BASE_FAKE_EXECUTOR_H_
#define SCHLEUSE_BASE_FAKE_EXECUTOR_H_

#include <cstdint>
#include <map>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/random.h"

namespace schleuse {

class FakeExecutor final : public Executor, public Clock {
 public:
  // Seed 0 keeps the order of posting; any other shuffles by it.
  explicit FakeExecutor(uint64_t seed = 0);

  void Post(Task task) override;
  void PostAfter(absl::Duration delay, Task task) override;
  absl::Time Now() const override { return now_; }
  int strand_tasks_per_turn() const override { return tasks_per_turn_; }
  void set_strand_tasks_per_turn(int tasks) { tasks_per_turn_ = tasks; }

  // Runs one ready task. False if none was ready.
  bool RunOne();
  // Runs ready tasks, at most `tasks_max`, until none is left.
  void RunReady(int tasks_max = 1'000'000);
  // Moves the clock to the next delayed task and makes it ready. False if
  // none waits.
  bool SkipToNext();
  // When the next delayed task falls due; the infinite future if none waits.
  absl::Time next_due() const {
    return delayed_.empty() ? absl::InfiniteFuture() : delayed_.begin()->first;
  }
  // Moves the clock; what falls due becomes ready.
  void Advance(absl::Duration by);
  // Forgets all tasks, as a crash of the process does.
  void DropAll();

  bool idle() const { return ready_.empty(); }

 private:
  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
  int tasks_per_turn_ = 1;
  uint64_t seed_;
  SeededRandom random_;
  std::vector<Task> ready_;
  std::multimap<absl::Time, Task> delayed_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_BASE_FAKE_EXECUTOR_H_
