// Named places where a test may stop the process, to prove that a crash just
// there loses nothing. In a production binary nothing can ever be installed:
// the hook is set by code that only test binaries link.
#ifndef SCHLEUSE_BASE_FAILPOINT_H_
#define SCHLEUSE_BASE_FAILPOINT_H_

#include <atomic>

namespace schleuse {

using FailpointHook = void (*)(const char* name);

inline std::atomic<FailpointHook> failpoint_hook{nullptr};

// Costs one relaxed load where no hook is installed.
inline void Failpoint(const char* name) {
  if (FailpointHook hook = failpoint_hook.load(std::memory_order_relaxed)) {
    hook(name);
  }
}

}  // namespace schleuse

#endif  // SCHLEUSE_BASE_FAILPOINT_H_
