// Signatures: Ed25519 (RFC 8032) over a text, and ECDSA on P-256 (FIPS 186-5,
// DER, randomised) over a text's SHA-256.
#ifndef SCHLEUSE_CRYPTO_SIGNER_H_
#define SCHLEUSE_CRYPTO_SIGNER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace schleuse {

enum class KeyKind { kEd25519, kEcdsaP256 };

// Checks signatures. Copies share the key; safe to use from many threads.
class PublicKey {
 public:
  //   InvalidArgument  it is no such key
  static absl::StatusOr<PublicKey> FromEd25519(absl::string_view bytes32);
  // SubjectPublicKeyInfo (RFC 5280), DER, of a P-256 key; no byte behind it.
  static absl::StatusOr<PublicKey> FromEcdsaP256(absl::string_view spki_der);

  KeyKind kind() const;
  // 32 bytes for Ed25519, SubjectPublicKeyInfo in DER for P-256.
  const std::string& bytes() const;
  bool Verify(absl::string_view text, absl::string_view signature) const;

 private:
  friend class PrivateKey;
  struct Inside;
  explicit PublicKey(std::shared_ptr<const Inside> inside);
  std::shared_ptr<const Inside> inside_;
};

// Signs. Copies share the key; safe to use from many threads.
class PrivateKey {
 public:
  static PrivateKey Generate(KeyKind kind);
  // PKCS #8 (RFC 5958) in PEM, not encrypted. One key and nothing else.
  //   InvalidArgument  it is none, or of another kind than these two
  static absl::StatusOr<PrivateKey> FromPem(absl::string_view pem);
  // An Ed25519 key from its 32 secret bytes.
  static absl::StatusOr<PrivateKey> FromEd25519Seed(absl::string_view bytes32);

  // A secret; the caller sees to who may read it.
  std::string ToPem() const;
  PublicKey public_key() const;
  KeyKind kind() const { return public_key().kind(); }
  std::string Sign(absl::string_view text) const;

 private:
  struct Inside;
  explicit PrivateKey(std::shared_ptr<const Inside> inside);
  std::shared_ptr<const Inside> inside_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_CRYPTO_SIGNER_H_
