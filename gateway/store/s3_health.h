// Whether the object store can be reached. Failures of requests only make it
// suspected: one recording that the store chokes on must not keep the others
// waiting. Somebody then looks at it by a request that has nothing to do with
// any recording, and only that decides. While it is away nobody waits for it:
// each request fails at once, until it was looked at and is back.
#ifndef SCHLEUSE_GATEWAY_STORE_S3_HEALTH_H_
#define SCHLEUSE_GATEWAY_STORE_S3_HEALTH_H_

#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "base/mutex.h"

namespace schleuse {

// Safe to call from many threads.
class S3Health {
 public:
  // So many failures, with no answer between them, and it is suspected: one
  // alone may be a connection that broke.
  static constexpr int kFailuresMax = 3;

  // OK, or Unavailable and why.
  absl::Status Check() const;
  // A request was answered, whatever the answer.
  void Answered();
  // One was not. `for_all`: it looks as if no other one would be either.
  void Failed(bool for_all);
  // Whether somebody is to look: it is suspected, or away.
  bool WantsALook() const;
  // What came of looking. True if that changed whether it is away.
  bool Looked(const absl::Status& found);

 private:
  mutable Mutex mutex_;
  int failures_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<std::string> away_ ABSL_GUARDED_BY(mutex_);  // why
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_STORE_S3_HEALTH_H_
