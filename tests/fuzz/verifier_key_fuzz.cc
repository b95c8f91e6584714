// Verifier keys: one text for each key, and no other text passes for it.
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "evidence/note.h"
#include "tests/fuzz/fuzz.h"

namespace schleuse {

void Fuzz(absl::string_view vkey) {
  const absl::StatusOr<NoteVerifier> verifier = NoteVerifier::Parse(vkey);
  if (!verifier.ok()) {
    FUZZ_CHECK(absl::IsInvalidArgument(verifier.status()));
    return;
  }
  FUZZ_CHECK(verifier->ToString() == vkey);
  const absl::StatusOr<NoteVerifier> made =
      NoteVerifier::Make(verifier->name(), verifier->type(), verifier->key());
  FUZZ_CHECK(made.ok());
  FUZZ_CHECK(made->id() == verifier->id());
  // The id is a hash of all the rest, of an ECDSA key without its name.
  SeededRandom random = RandomOf(vkey);
  const size_t hashed =
      verifier->type() == NoteKeyType::kEcdsaP256 ? verifier->name().size() : 0;
  const std::string other = WithAByteChanged(vkey.substr(hashed), random);
  FUZZ_CHECK(
      !NoteVerifier::Parse(absl::StrCat(vkey.substr(0, hashed), other)).ok());
}

}  // namespace schleuse
