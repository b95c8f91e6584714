// How long to wait before trying again. It knows neither clock nor reason.
#ifndef SCHLEUSE_CLIENT_UPLOADER_BACKOFF_H_
#define SCHLEUSE_CLIENT_UPLOADER_BACKOFF_H_

#include <algorithm>

#include "absl/time/time.h"
#include "base/random.h"

namespace schleuse::client {

// Exponential with full jitter: uniform between zero and a bound that doubles
// with each wait. Full jitter, because a fleet that lost its gateway at one
// moment must not come back at one moment.
class Backoff {
 public:
  Backoff(absl::Duration initial, absl::Duration max, Random& random)
      : initial_(initial), max_(max), bound_(initial), random_(random) {}

  absl::Duration Next() {
    const absl::Duration wait = std::min(bound_, max_) * random_.NextFraction();
    bound_ = std::min(bound_ * 2, max_);
    return wait;
  }
  void Reset() { bound_ = initial_; }

 private:
  absl::Duration initial_;
  absl::Duration max_;
  absl::Duration bound_;
  Random& random_;
};

// What the gateway asked for plus a random part of the same length.
inline absl::Duration WaitAsTold(absl::Duration retry_after, Random& random) {
  return retry_after + retry_after * random.NextFraction();
}

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_UPLOADER_BACKOFF_H_
