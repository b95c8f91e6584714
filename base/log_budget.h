// How much one place may log: lines that whoever is outside can cause must not
// fill our disk. It knows no line and no clock.
#ifndef SCHLEUSE_BASE_LOG_BUDGET_H_
#define SCHLEUSE_BASE_LOG_BUDGET_H_

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "base/limits.h"
#include "base/mutex.h"

namespace schleuse {

// One for each place that logs:
//
//   if (const auto left_out = budget.Take(clock.Now())) {
//     Log(Severity::kWarning, "call refused", {..., {"left_out", *left_out}});
//   }
//
// Safe to call from many threads.
class LogBudget {
 public:
  explicit LogBudget(int lines_per_second = limits::kLogLinesPerSecond)
      : lines_per_second_(lines_per_second) {}

  // If a line may go out at `now`: how many were left out since the last one
  // that did. nullopt: leave this one out too.
  std::optional<uint64_t> Take(absl::Time now) {
    MutexLock lock(mutex_);
    // A clock that was set back must not silence us until it is there again.
    if (now < second_began_ || now >= second_began_ + absl::Seconds(1)) {
      second_began_ = now;
      lines_ = 0;
    }
    if (lines_ >= lines_per_second_) {
      ++left_out_;
      return std::nullopt;
    }
    ++lines_;
    return std::exchange(left_out_, 0);
  }

 private:
  const int lines_per_second_;
  Mutex mutex_;
  absl::Time second_began_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  int lines_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t left_out_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace schleuse

#endif  // SCHLEUSE_BASE_LOG_BUDGET_H_
