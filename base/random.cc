#include "base/random.h"

#include <sys/random.h>

#include <cerrno>
#include <cstdlib>

namespace schleuse {

uint64_t SystemRandom::Next() {
  uint64_t value = 0;
  ssize_t got;
  do {
    got = getrandom(&value, sizeof(value), 0);
  } while (got < 0 && errno == EINTR);
  // getrandom cannot fail for 8 bytes on any kernel we support.
  if (got != sizeof(value)) std::abort();
  return value;
}

}  // namespace schleuse
