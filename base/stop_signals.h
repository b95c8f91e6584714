// How somebody outside asks a program to end: SIGTERM, or SIGINT at a terminal.
#ifndef SCHLEUSE_BASE_STOP_SIGNALS_H_
#define SCHLEUSE_BASE_STOP_SIGNALS_H_

#include <csignal>

namespace schleuse {

inline sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

// In this thread and every one that it makes from now on: they wait for
// WaitForStop.
inline void BlockStopSignals() {
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

inline void WaitForStop() {
  const sigset_t signals = StopSignals();
  int signal;
  while (sigwait(&signals, &signal) != 0) {
  }
}

}  // namespace schleuse

#endif  // SCHLEUSE_BASE_STOP_SIGNALS_H_
