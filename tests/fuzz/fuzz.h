// What a fuzz target is: a property that holds for every string of bytes. One
// target a file, <what>_fuzz.cc, which defines Fuzz; libFuzzer calls it with
// what it thinks up, and replay.cc, in the ordinary tests, with the target's
// seeds and what comes near them.
#ifndef SCHLEUSE_TESTS_FUZZ_FUZZ_H_
#define SCHLEUSE_TESTS_FUZZ_FUZZ_H_

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "base/crc32c.h"
#include "base/random.h"

namespace schleuse {

// Ends the process if the property does not hold.
void Fuzz(absl::string_view);

// For choices within a property: the same input, the same choices.
inline SeededRandom RandomOf(absl::string_view input) {
  return SeededRandom(Crc32c(input));
}
// `bound` is not 0.
inline size_t Below(Random& random, size_t bound) {
  return random.Next() % bound;
}
// `bytes` are not empty.
inline std::string WithAByteChanged(absl::string_view bytes, Random& random) {
  std::string changed(bytes);
  char& byte = changed[Below(random, changed.size())];
  byte = static_cast<char>(byte ^ (1 + Below(random, 255)));
  return changed;
}
// Two inputs in one: what stands before the first zero byte, and behind it.
inline std::pair<absl::string_view, absl::string_view> SplitAtZero(
    absl::string_view input) {
  const size_t zero = input.find('\0');
  if (zero == absl::string_view::npos) return {input, {}};
  return {input.substr(0, zero), input.substr(zero + 1)};
}

}  // namespace schleuse

#define FUZZ_CHECK(condition)                                                \
  do {                                                                       \
    if (!(condition)) {                                                      \
      std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, \
                   #condition);                                              \
      std::abort();                                                          \
    }                                                                        \
  } while (false)

#endif  // SCHLEUSE_TESTS_FUZZ_FUZZ_H_
