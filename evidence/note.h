// Signed notes (C2SP signed-note 1.0.0): a text and signatures by named keys,
// of Ed25519, ECDSA P-256 (type 2, as transparency logs use it), and
// cosignatures of witnesses (C2SP tlog-cosignature, cosignature/v1). Pure: no
// clock, no file.
#ifndef SCHLEUSE_EVIDENCE_NOTE_H_
#define SCHLEUSE_EVIDENCE_NOTE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "crypto/signer.h"

namespace schleuse {

// The byte that names a kind of key in its text form.
enum class NoteKeyType : uint8_t {
  kEd25519 = 1,
  kEcdsaP256 = 2,
  kCosignature = 4,  // Ed25519, over the time too
};

// Whose signatures are known: a name and a public key.
class NoteVerifier {
 public:
  // "<name>+<8 hex digits>+<base64>".
  //   InvalidArgument  it is none, the digits are not its id, or its type is
  //                    not known
  static absl::StatusOr<NoteVerifier> Parse(absl::string_view vkey);
  //   InvalidArgument  no name of a key can be that
  static absl::StatusOr<NoteVerifier> Make(absl::string_view name,
                                           NoteKeyType type, PublicKey key);

  const std::string& name() const { return name_; }
  uint32_t id() const { return id_; }
  NoteKeyType type() const { return type_; }
  const PublicKey& key() const { return key_; }
  std::string ToString() const;

 private:
  NoteVerifier(std::string name, NoteKeyType type, PublicKey key);

  std::string name_;
  NoteKeyType type_;
  PublicKey key_;
  uint32_t id_;
};

// One signature that was found good.
struct NoteSignature {
  size_t verifier;    // its number among those given
  uint64_t time = 0;  // of a cosignature: seconds since 1970-01-01T00:00:00Z
};

struct OpenedNote {
  std::string text;                       // with its last line feed
  std::vector<NoteSignature> signatures;  // one a verifier, at least one
};

// No note of ours comes near: a checkpoint has some hundred bytes.
constexpr size_t kNoteBytesMax = 1 << 20;
constexpr size_t kNoteSignaturesMax = 100;

// Takes a note apart and checks the signatures of `known` verifiers; those of
// others are passed over.
//   InvalidArgument    it is no signed note
//   DataLoss           a known key's signature is bad
//   PermissionDenied   no known key signed it
absl::StatusOr<OpenedNote> OpenNote(absl::string_view note,
                                    absl::Span<const NoteVerifier> known);

// The text of a note, whoever signed it: nothing is checked but its form.
//   InvalidArgument    it is no signed note
absl::StatusOr<std::string> NoteText(absl::string_view note);

// The note with the good signatures of `known` alone, one of each, in the order
// in which they stand there: what strangers may have added is left out.
//   InvalidArgument    it is no signed note
absl::StatusOr<std::string> WithSignaturesOf(
    absl::Span<const NoteVerifier> known, absl::string_view note);

// One key that signs under a name. `type` fits the key.
class NoteSigner {
 public:
  //   InvalidArgument  no name of a key can be that
  static absl::StatusOr<NoteSigner> Make(absl::string_view name,
                                         PrivateKey key);
  const NoteVerifier& verifier() const { return verifier_; }
  // A signature line, with its line feed. `text` is that of a note.
  std::string SignatureLine(absl::string_view text) const;

 private:
  NoteSigner(NoteVerifier verifier, PrivateKey key)
      : verifier_(std::move(verifier)), key_(std::move(key)) {}

  NoteVerifier verifier_;
  PrivateKey key_;
};

// A cosignature line by a witness. `time`: seconds since 1970-01-01T00:00:00Z.
//   InvalidArgument  the key is not Ed25519, or no key's name can be that
absl::StatusOr<std::string> CosignatureLine(absl::string_view name,
                                            const PrivateKey& key,
                                            absl::string_view text,
                                            uint64_t time);

// The whole note. `text` ends in a line feed and holds no control character.
//   InvalidArgument  no note can have that text
absl::StatusOr<std::string> SignNote(absl::string_view text,
                                     absl::Span<const NoteSigner> signers);

}  // namespace schleuse

#endif  // SCHLEUSE_EVIDENCE_NOTE_H_
