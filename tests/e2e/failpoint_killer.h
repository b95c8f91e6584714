// Stops a process with SIGKILL, or makes one of its threads hang, at a
// failpoint that its environment names. Only test binaries link it.
#ifndef SCHLEUSE_TESTS_E2E_FAILPOINT_KILLER_H_
#define SCHLEUSE_TESTS_E2E_FAILPOINT_KILLER_H_

namespace schleuse {

// SCHLEUSE_KILL_AT=<failpoint>:<n> kills this process when it comes by that
// failpoint for the n-th time (from 1 on); before, the failpoint's name is
// appended to the file SCHLEUSE_KILL_LOG, as the proof. With SCHLEUSE_HANG_AT
// instead the thread that comes by waits there forever. Does nothing without.
void InstallFailpointKiller();

}  // namespace schleuse

#endif  // SCHLEUSE_TESTS_E2E_FAILPOINT_KILLER_H_
