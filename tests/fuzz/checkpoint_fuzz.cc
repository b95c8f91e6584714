// Checkpoints: what is read is written again as it was, and a signed one opens
// with the keys of its own gateway and with no others.
#include <string>

#include "absl/status/status.h"
#include "evidence/checkpoint.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/keys.h"

namespace schleuse {
namespace {

void CheckOpening(absl::string_view text, const Checkpoint& checkpoint,
                  const Origin& origin, Random& random) {
  const absl::StatusOr<std::string> note =
      fuzz_keys::Sign(text, checkpoint.origin);
  if (!note.ok()) return;  // no key can be called so
  const PinnedKeys pinned = fuzz_keys::Pinned(origin.gateway);
  FUZZ_CHECK(absl::IsPermissionDenied(
      OpenCheckpoint(*note, fuzz_keys::Pinned(origin.gateway + "x")).status()));
  const std::string other = WithAByteChanged(text, random);
  FUZZ_CHECK(!OpenCheckpoint(other + note->substr(other.size()), pinned).ok());
  const absl::StatusOr<Checkpoint> opened = OpenCheckpoint(*note, pinned);
  FUZZ_CHECK(opened.ok());
  FUZZ_CHECK(*opened == checkpoint);
  // The second time it is remembered, and says the same.
  FUZZ_CHECK(*OpenCheckpoint(*note, pinned) == checkpoint);
}

}  // namespace

void Fuzz(absl::string_view text) {
  const absl::StatusOr<Checkpoint> checkpoint = ParseCheckpoint(text);
  if (!checkpoint.ok()) {
    FUZZ_CHECK(absl::IsInvalidArgument(checkpoint.status()));
    FUZZ_CHECK(!OpenCheckpoint(text, fuzz_keys::Pinned()).ok());
    return;
  }
  FUZZ_CHECK(ToText(*checkpoint) == text);
  const absl::StatusOr<Origin> origin = Origin::Parse(checkpoint->origin);
  if (!origin.ok()) {
    FUZZ_CHECK(absl::IsInvalidArgument(origin.status()));
    return;
  }
  FUZZ_CHECK(origin->ToString() == checkpoint->origin);
  SeededRandom random = RandomOf(text);
  CheckOpening(text, *checkpoint, *origin, random);
}

}  // namespace schleuse
