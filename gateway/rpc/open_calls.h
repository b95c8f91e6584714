// The calls that are open, so that each can be asked from time to time whether
// it waits for a device that does nothing. It knows nothing of what a call is
// for.
#ifndef SCHLEUSE_GATEWAY_RPC_OPEN_CALLS_H_
#define SCHLEUSE_GATEWAY_RPC_OPEN_CALLS_H_

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "base/executor.h"
#include "base/mutex.h"

namespace schleuse {

class OpenCall {
 public:
  virtual ~OpenCall() = default;
  // Comes once in every `patience`, from a task of the executor.
  virtual void OnTick() = 0;
};

// One timer for all of them: one for each call would still be queued long after
// its call is over, as many as a device cares to open and drop.
//
// Safe to call from many threads. Shared with the timer, which may come when
// everybody else has let go.
class OpenCalls : public std::enable_shared_from_this<OpenCalls> {
 public:
  // `executor` is used while calls are open.
  OpenCalls(Executor& executor, absl::Duration patience)
      : executor_(executor), patience_(patience) {}

  void Add(const std::shared_ptr<OpenCall>& call);
  void Remove(const OpenCall& call);

 private:
  void SetTimer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnTimer();

  Executor& executor_;
  const absl::Duration patience_;
  Mutex mutex_;
  absl::flat_hash_map<const OpenCall*, std::weak_ptr<OpenCall>> calls_
      ABSL_GUARDED_BY(mutex_);
  bool timer_set_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_RPC_OPEN_CALLS_H_
