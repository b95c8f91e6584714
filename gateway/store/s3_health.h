// Whether the object store can be reached, as its answers tell. While it
// cannot, nobody waits for it: each request fails at once, and somebody looks
// from time to time whether it is back.
#ifndef SCHLEUSE_GATEWAY_STORE_S3_HEALTH_H_
#define SCHLEUSE_GATEWAY_STORE_S3_HEALTH_H_

#include <functional>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/mutex.h"

namespace schleuse {

// Safe to call from many threads.
class S3Health {
 public:
  // So many failures, with no success between them, and it is away: one alone
  // may be a connection that broke.
  static constexpr int kFailuresMax = 3;

  // OK, or Unavailable and why.
  absl::Status Check() const;
  // A request was answered, whatever the answer.
  void Answered();
  // One was not. `for_all`: no other one would be either, whatever it asked.
  // True if that makes it away.
  bool Failed(const absl::Status& why, bool for_all);
  // It was looked at, and is back; true if it was away.
  bool Back();

 private:
  mutable Mutex mutex_;
  int failures_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<std::string> away_ ABSL_GUARDED_BY(mutex_);  // why
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_STORE_S3_HEALTH_H_
