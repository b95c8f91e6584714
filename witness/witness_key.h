// The witness's key, and the directory that its state lies in: made once, by
// init, and bound to each other. A state that is lost must not look like a
// first day: whoever forgot what it cosigned would cosign a fork.
#ifndef SCHLEUSE_WITNESS_WITNESS_KEY_H_
#define SCHLEUSE_WITNESS_WITNESS_KEY_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "crypto/signer.h"
#include "disk/disk.h"
#include "evidence/note.h"

namespace schleuse {

class WitnessKey {
 public:
  // `key` is Ed25519.
  //   InvalidArgument  no key can be called so
  static absl::StatusOr<WitnessKey> Make(absl::string_view name,
                                         PrivateKey key);

  // What others pin: "<name>+<id>+<key>" is its text.
  const NoteVerifier& verifier() const { return verifier_; }
  // A cosignature line. `time`: seconds since 1970-01-01T00:00:00Z.
  std::string Line(absl::string_view note_text, uint64_t time) const;

 private:
  WitnessKey(NoteVerifier verifier, PrivateKey key)
      : verifier_(std::move(verifier)), key_(std::move(key)) {}
  NoteVerifier verifier_;
  PrivateKey key_;
};

// All paths are absolute.
struct WitnessPlaces {
  std::string name;
  std::string state_directory;
  std::string key_directory;
};

// Makes both directories, a new key and an empty state, durably. Interrupted it
// may be called again.
//   FailedPrecondition  there is a key or a state already, or something else;
//                       the message says what to do
absl::StatusOr<WitnessKey> InitWitness(Disk& disk, const WitnessPlaces& places);

// The key whose state this is.
//   FailedPrecondition  marker or key are missing, or do not belong together,
//                       or others may read the key; the message says what to do
absl::StatusOr<WitnessKey> OpenWitnessKey(const Disk& disk,
                                          const WitnessPlaces& places);

}  // namespace schleuse

#endif  // SCHLEUSE_WITNESS_WITNESS_KEY_H_
