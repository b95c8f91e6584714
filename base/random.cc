#include "base/random.h"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <utility>

namespace schleuse {

namespace {

// What a thread has fetched ahead; getrandom gives up to 256 bytes in one
// piece.
struct Fetched {
  std::array<uint64_t, 32> values;
  size_t left = 0;
};

void Fill(Fetched& fetched) {
  ssize_t got;
  do {
    got = getrandom(fetched.values.data(), sizeof(fetched.values), 0);
  } while (got < 0 && errno == EINTR);
  // It cannot fail for 256 bytes on any kernel we support.
  if (got != sizeof(fetched.values)) std::abort();
  fetched.left = fetched.values.size();
}

}  // namespace

uint64_t SystemRandom::Next() {
  static thread_local Fetched fetched;
  if (fetched.left == 0) Fill(fetched);
  return std::exchange(fetched.values[--fetched.left], 0);
}

}  // namespace schleuse
