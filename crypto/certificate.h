// X.509 certificates and revocation lists (RFC 5280), as far as identifying a
// peer needs them: who it is, who issued it, until when, and whether that was
// taken back. Chains to the root are the TLS library's work.
#ifndef SCHLEUSE_CRYPTO_CERTIFICATE_H_
#define SCHLEUSE_CRYPTO_CERTIFICATE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "crypto/digest.h"

namespace schleuse {

// Immutable; safe to share between threads.
class Certificate {
 public:
  // The first certificate in `pem`.
  //   InvalidArgument  there is none, or it cannot be read
  static absl::StatusOr<Certificate> FromPem(absl::string_view pem);
  //   InvalidArgument  it is none, or bytes follow it
  static absl::StatusOr<Certificate> FromDer(absl::string_view der);
  // All of them, in order; at least one.
  static absl::StatusOr<std::vector<Certificate>> AllFromPem(
      absl::string_view pem);

  // Every URI among the subject's alternative names, in order, byte for byte
  // (a NUL inside stays visible).
  std::vector<std::string> UriNames() const;
  absl::Time not_before() const;
  absl::Time not_after() const;
  // Lowercase hex, as openssl prints it (upper there).
  std::string SerialHex() const;
  // SHA-256 of the certificate's DER: its name in logs.
  Digest Fingerprint() const;
  std::string SubjectText() const;  // RFC 2253, for people

  // True if `issuer`'s key made this certificate's signature and the names
  // agree.
  bool IssuedBy(const Certificate& issuer) const;
  bool is_ca() const;
  // True for EC of at least 250 bits and RSA of at least 3000 (TR-02102-2);
  // false for every other kind of key.
  bool KeyIsStrongEnough() const;

  // Checks that the PEM private key belongs to this certificate.
  //   InvalidArgument  unreadable, or another key's
  absl::Status MatchesKey(absl::string_view key_pem) const;

 private:
  friend class RevocationList;
  struct Handle;
  explicit Certificate(std::shared_ptr<const Handle> handle);
  // Shared: copies of a certificate are the same immutable object.
  std::shared_ptr<const Handle> handle_;
};

// A CRL, checked against its issuer's key when read. Immutable.
class RevocationList {
 public:
  //   InvalidArgument  not exactly one readable list in `pem`, or not a full
  //                    one (RFC 5280 5.2.4, 5.2.5), or it does not say when
  //                    the next is due, or none of `issuers` signed it
  static absl::StatusOr<RevocationList> FromPem(
      absl::string_view pem, const std::vector<Certificate>& issuers);

  // True if this list speaks for `certificate`'s issuer.
  bool Covers(const Certificate& certificate) const;
  bool Revokes(const Certificate& certificate) const;
  absl::Time next_update() const;
  std::string IssuerText() const;

 private:
  struct Handle;
  explicit RevocationList(std::shared_ptr<const Handle> handle);
  std::shared_ptr<const Handle> handle_;
};

// Until when `certificate` is known not to be revoked: each list that speaks
// for its issuer is asked, and one of them at least is current.
//   PermissionDenied  it is revoked, or nobody can say; the message says which
absl::StatusOr<absl::Time> CheckRevocation(
    const Certificate& certificate, const std::vector<RevocationList>& lists,
    absl::Time now);

}  // namespace schleuse

#endif  // SCHLEUSE_CRYPTO_CERTIFICATE_H_
