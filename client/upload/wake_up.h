// What wakes the main thread: a signal that asks to stop, or another thread.
#ifndef SCHLEUSE_CLIENT_UPLOAD_WAKE_UP_H_
#define SCHLEUSE_CLIENT_UPLOAD_WAKE_UP_H_

#include <signal.h>

#include "absl/time/time.h"

namespace schleuse::client {

// Make it before any thread: they inherit that SIGINT and SIGTERM are blocked,
// so that only Wait hears of them. SIGPIPE is ignored meanwhile.
class WakeUp {
 public:
  WakeUp();
  ~WakeUp();
  WakeUp(const WakeUp&) = delete;
  WakeUp& operator=(const WakeUp&) = delete;

  enum class Why { kTime, kSignal, kCalled };
  Why Wait(absl::Duration at_most);
  // From any thread; the next Wait, or the present one, returns kCalled.
  void Call();

 private:
  sigset_t mask_before_;
  struct sigaction pipe_before_;
  int signals_;  // signalfd
  int called_;   // eventfd
};

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_UPLOAD_WAKE_UP_H_
