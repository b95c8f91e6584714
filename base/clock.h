// What time it is, from outside, so that tests and the simulator decide.
#ifndef SCHLEUSE_BASE_CLOCK_H_
#define SCHLEUSE_BASE_CLOCK_H_

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace schleuse {

// Safe to call from many threads.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
};

class SystemClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
};

}  // namespace schleuse

#endif  // SCHLEUSE_BASE_CLOCK_H_
