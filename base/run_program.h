// How a program begins and ends that uses a library with threads of its own.
#ifndef SCHLEUSE_BASE_RUN_PROGRAM_H_
#define SCHLEUSE_BASE_RUN_PROGRAM_H_

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "absl/synchronization/mutex.h"

namespace schleuse {

// Ends the process with what `run` returns. The library that `hold` begins is
// held to the end: whoever lets go of gRPC last may wait ten seconds for a
// thread of its own that sleeps.
[[noreturn]] inline void RunProgram(void (*hold)(), int (*run)(int, char**),
                                    int argc, char** argv) {
  // Debian's Abseil looks for deadlocks: it remembers for each lock of gRPC's
  // which others are held. That helps its developers and costs us.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  // Its threads, and theirs, take no signal, ever. Else one of them is where a
  // signal ends the process that another thread is yet to wait for.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  hold();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  const int code = run(argc, argv);
  std::fflush(nullptr);
  std::_Exit(code);  // those threads still run
}

}  // namespace schleuse

#endif  // SCHLEUSE_BASE_RUN_PROGRAM_H_
