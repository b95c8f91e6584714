// Keeps signals away from threads that we do not make ourselves.
#ifndef SCHLEUSE_BASE_SIGNALS_BLOCKED_H_
#define SCHLEUSE_BASE_SIGNALS_BLOCKED_H_

#include <csignal>

namespace schleuse {

// While it lives, the calling thread takes no signal; nor do the threads that
// it makes meanwhile, and theirs, ever. Else one of those is where a signal
// ends the process for which another thread waits.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_BASE_SIGNALS_BLOCKED_H_
