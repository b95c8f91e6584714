#include "client/upload/wake_up.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace schleuse::client {

WakeUp::WakeUp() {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGINT);
  sigaddset(&mask, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &mask, &mask_before_);
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, &pipe_before_);
  signals_ = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
  called_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  // Only without descriptors or memory at the very start: nothing can be done.
  if (signals_ < 0 || called_ < 0) std::abort();
}

WakeUp::~WakeUp() {
  close(signals_);
  close(called_);
  sigaction(SIGPIPE, &pipe_before_, nullptr);
  pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
}

WakeUp::Why WakeUp::Wait(absl::Duration at_most) {
  pollfd descriptors[] = {{signals_, POLLIN, 0}, {called_, POLLIN, 0}};
  poll(descriptors, 2, static_cast<int>(absl::ToInt64Milliseconds(at_most)));
  signalfd_siginfo info;
  if (read(signals_, &info, sizeof(info)) == sizeof(info)) return Why::kSignal;
  uint64_t count;
  if (read(called_, &count, sizeof(count)) == sizeof(count)) {
    return Why::kCalled;
  }
  return Why::kTime;
}

void WakeUp::Call() {
  const uint64_t one = 1;
  // Cannot fail but by overflow, and then it is readable already.
  if (write(called_, &one, sizeof(one)) < 0) return;
}

}  // namespace schleuse::client
