// Files of pinned keys: what is read is written as it was, comments aside, and
// all of it can stand in an origin.
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_split.h"
#include "evidence/checkpoint.h"
#include "tests/fuzz/fuzz.h"

namespace schleuse {

void Fuzz(absl::string_view text) {
  const absl::StatusOr<PinnedKeys> pinned = PinnedKeys::Parse(text);
  if (!pinned.ok()) {
    FUZZ_CHECK(absl::IsInvalidArgument(pinned.status()));
    return;
  }
  std::string keys;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (line.empty() || line[0] == '#') continue;
    absl::StrAppend(&keys, line, "\n");
  }
  FUZZ_CHECK(pinned->ToString() == keys);

  const Origin origin = {.gateway = pinned->gateway(), .year = 9999};
  const absl::StatusOr<std::vector<NoteVerifier>> verifiers =
      pinned->For(origin);
  FUZZ_CHECK(verifiers.ok());
  FUZZ_CHECK(verifiers->size() == pinned->keys().size());
  for (const NoteVerifier& verifier : *verifiers) {
    FUZZ_CHECK(verifier.name() == origin.ToString());
  }
  const Origin other = {.gateway = pinned->gateway() + "x", .year = 2026};
  FUZZ_CHECK(absl::IsPermissionDenied(pinned->For(other).status()));
}

}  // namespace schleuse
