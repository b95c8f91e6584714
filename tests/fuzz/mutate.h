// Inputs that come near a given one.
#ifndef SCHLEUSE_TESTS_FUZZ_MUTATE_H_
#define SCHLEUSE_TESTS_FUZZ_MUTATE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "base/random.h"

namespace schleuse {

// `seed` with one to four changes: bytes flipped, set, cut out, repeated, put
// in or taken from `other`, or the end cut off.
std::string Mutated(absl::string_view seed, absl::string_view other,
                    Random& random);

}  // namespace schleuse

#endif  // SCHLEUSE_TESTS_FUZZ_MUTATE_H_
