#include "crypto/certificate.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "base/status.h"
#include "crypto/openssl.h"

namespace schleuse {
namespace {

using X509Pointer = OpenSslPointer<X509, X509_free>;
using CrlPointer = OpenSslPointer<X509_CRL, X509_CRL_free>;
using KeyPointer = OpenSslPointer<EVP_PKEY, EVP_PKEY_free>;
using NamesPointer = OpenSslPointer<GENERAL_NAMES, GENERAL_NAMES_free>;
using NumberPointer = OpenSslPointer<BIGNUM, BN_free>;

// TR-02102-2, section 3.6.
constexpr int kEcBitsMin = 250;
constexpr int kRsaBitsMin = 3000;

absl::Status CheckSize(absl::string_view pem) {
  if (pem.size() <= std::numeric_limits<int>::max()) return absl::OkStatus();
  return absl::InvalidArgumentError("more than 2 GiB");
}

absl::StatusOr<absl::Time> ToTime(const ASN1_TIME* time) {
  std::tm utc{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &utc) != 1) {
    return absl::InvalidArgumentError("unreadable time");
  }
  const absl::CivilSecond civil(utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                                utc.tm_hour, utc.tm_min, utc.tm_sec);
  return absl::FromCivil(civil, absl::UTCTimeZone());
}

std::string ToText(const X509_NAME* name) {
  const BioPointer bio(BIO_new(BIO_s_mem()));
  // Escapes control characters too, so that a name cannot forge a log line.
  if (bio == nullptr ||
      X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253) < 0) {
    return "?";
  }
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return size <= 0 ? std::string() : std::string(text, size);
}

// All objects of one kind in `pem`, in order; at least one.
template <typename Pointer, typename Read>
absl::StatusOr<std::vector<Pointer>> ReadAll(absl::string_view pem,
                                             absl::string_view kind,
                                             Read* read) {
  RETURN_IF_ERROR(CheckSize(pem));
  const OpenSslErrors errors;
  const BioPointer bio = ReadingBio(pem);
  std::vector<Pointer> all;
  while (Pointer one{read(bio.get(), nullptr, NoPassword, nullptr)}) {
    all.push_back(std::move(one));
  }
  if (const auto end = ERR_peek_last_error();
      ERR_GET_LIB(end) != ERR_LIB_PEM ||
      ERR_GET_REASON(end) != PEM_R_NO_START_LINE) {
    return absl::InvalidArgumentError(
        absl::StrCat("unreadable ", kind, ": ", errors.Reason()));
  }
  if (all.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("no ", kind, " in PEM"));
  }
  return all;
}

}  // namespace

struct Certificate::Handle {
  static absl::StatusOr<Certificate> Read(X509Pointer x509);

  X509Pointer x509;
  absl::Time not_before;
  absl::Time not_after;
  Digest fingerprint;
};

absl::StatusOr<Certificate> Certificate::Handle::Read(X509Pointer x509) {
  // Reads and keeps all extensions: afterwards nothing changes any more.
  X509_check_purpose(x509.get(), -1, 0);
  if ((X509_get_extension_flags(x509.get()) & EXFLAG_INVALID) != 0) {
    return absl::InvalidArgumentError(
        "unreadable certificate: an extension is malformed or there twice");
  }
  ASSIGN_OR_RETURN(const absl::Time not_before,
                   ToTime(X509_get0_notBefore(x509.get())));
  ASSIGN_OR_RETURN(const absl::Time not_after,
                   ToTime(X509_get0_notAfter(x509.get())));
  unsigned char* der = nullptr;
  const int size = i2d_X509(x509.get(), &der);
  if (size <= 0) return absl::InvalidArgumentError("unreadable certificate");
  const Digest fingerprint =
      Sha256::Of({reinterpret_cast<const char*>(der), size_t(size)});
  OPENSSL_free(der);
  return Certificate(std::make_shared<const Handle>(
      Handle{std::move(x509), not_before, not_after, fingerprint}));
}

Certificate::Certificate(std::shared_ptr<const Handle> handle)
    : handle_(std::move(handle)) {}

absl::StatusOr<Certificate> Certificate::FromPem(absl::string_view pem) {
  RETURN_IF_ERROR(CheckSize(pem));
  const OpenSslErrors errors;
  const BioPointer bio = ReadingBio(pem);
  X509Pointer x509(PEM_read_bio_X509(bio.get(), nullptr, NoPassword, nullptr));
  if (x509 == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("no readable certificate in PEM: ", errors.Reason()));
  }
  return Handle::Read(std::move(x509));
}

absl::StatusOr<Certificate> Certificate::FromDer(absl::string_view der) {
  RETURN_IF_ERROR(CheckSize(der));
  const OpenSslErrors errors;
  const auto* next = reinterpret_cast<const unsigned char*>(der.data());
  const unsigned char* const end = next + der.size();
  X509Pointer x509(d2i_X509(nullptr, &next, static_cast<long>(der.size())));
  if (x509 == nullptr || next != end) {
    return absl::InvalidArgumentError(
        absl::StrCat("no readable certificate in DER: ", errors.Reason()));
  }
  return Handle::Read(std::move(x509));
}

absl::StatusOr<std::vector<Certificate>> Certificate::AllFromPem(
    absl::string_view pem) {
  const OpenSslErrors errors;
  ASSIGN_OR_RETURN(
      std::vector<X509Pointer> all,
      ReadAll<X509Pointer>(pem, "certificate", &PEM_read_bio_X509));
  std::vector<Certificate> certificates;
  for (X509Pointer& x509 : all) {
    ASSIGN_OR_RETURN(Certificate certificate, Handle::Read(std::move(x509)));
    certificates.push_back(std::move(certificate));
  }
  return certificates;
}

std::vector<std::string> Certificate::UriNames() const {
  const OpenSslErrors errors;
  const NamesPointer names(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(
      handle_->x509.get(), NID_subject_alt_name, nullptr, nullptr)));
  std::vector<std::string> uris;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    const ASN1_IA5STRING* uri = name->d.uniformResourceIdentifier;
    uris.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)),
                      ASN1_STRING_length(uri));
  }
  return uris;
}

absl::Time Certificate::not_before() const { return handle_->not_before; }
absl::Time Certificate::not_after() const { return handle_->not_after; }
Digest Certificate::Fingerprint() const { return handle_->fingerprint; }

std::string Certificate::SerialHex() const {
  const NumberPointer number(
      ASN1_INTEGER_to_BN(X509_get0_serialNumber(handle_->x509.get()), nullptr));
  char* hex = number == nullptr ? nullptr : BN_bn2hex(number.get());
  if (hex == nullptr) return "?";
  std::string text = absl::AsciiStrToLower(hex);
  OPENSSL_free(hex);
  return text;
}

std::string Certificate::SubjectText() const {
  return ToText(X509_get_subject_name(handle_->x509.get()));
}

bool Certificate::IssuedBy(const Certificate& issuer) const {
  const OpenSslErrors errors;
  return X509_check_issued(issuer.handle_->x509.get(), handle_->x509.get()) ==
             X509_V_OK &&
         X509_verify(handle_->x509.get(),
                     X509_get0_pubkey(issuer.handle_->x509.get())) == 1;
}

bool Certificate::is_ca() const {
  const OpenSslErrors errors;
  // 1: says so in basicConstraints. Higher numbers are guesses about old ones.
  return X509_check_ca(handle_->x509.get()) == 1;
}

bool Certificate::KeyIsStrongEnough() const {
  const OpenSslErrors errors;
  const EVP_PKEY* key = X509_get0_pubkey(handle_->x509.get());
  if (key == nullptr) return false;
  if (EVP_PKEY_is_a(key, "EC")) return EVP_PKEY_get_bits(key) >= kEcBitsMin;
  if (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS")) {
    return EVP_PKEY_get_bits(key) >= kRsaBitsMin;
  }
  return false;
}

absl::Status Certificate::MatchesKey(absl::string_view key_pem) const {
  RETURN_IF_ERROR(CheckSize(key_pem));
  const OpenSslErrors errors;
  const BioPointer bio = ReadingBio(key_pem);
  const KeyPointer key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassword, nullptr));
  if (key == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("no readable private key in PEM: ", errors.Reason()));
  }
  if (X509_check_private_key(handle_->x509.get(), key.get()) != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("the private key is not that of ", SubjectText()));
  }
  return absl::OkStatus();
}

struct RevocationList::Handle {
  CrlPointer crl;
  Certificate issuer;
  absl::Time next_update;
};

RevocationList::RevocationList(std::shared_ptr<const Handle> handle)
    : handle_(std::move(handle)) {}

absl::StatusOr<RevocationList> RevocationList::FromPem(
    absl::string_view pem, const std::vector<Certificate>& issuers) {
  const OpenSslErrors errors;
  ASSIGN_OR_RETURN(
      std::vector<CrlPointer> all,
      ReadAll<CrlPointer>(pem, "revocation list", &PEM_read_bio_X509_CRL));
  if (all.size() != 1) {
    return absl::InvalidArgumentError("more than one revocation list in PEM");
  }
  CrlPointer crl = std::move(all[0]);
  const std::string name = ToText(X509_CRL_get_issuer(crl.get()));
  // Lists of changes and lists of a part of the certificates say so in a
  // critical extension. They must not pass for a whole one.
  if (X509_CRL_get_ext_by_critical(crl.get(), 1, -1) >= 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("the revocation list of ", name,
                     " has a critical extension: only full lists are read"));
  }
  const auto next_update = ToTime(X509_CRL_get0_nextUpdate(crl.get()));
  if (!next_update.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the revocation list of ", name, " does not say when the next is due"));
  }
  const auto issuer = std::find_if(
      issuers.begin(), issuers.end(), [&crl](const Certificate& candidate) {
        X509* x509 = candidate.handle_->x509.get();
        return X509_NAME_cmp(X509_CRL_get_issuer(crl.get()),
                             X509_get_subject_name(x509)) == 0 &&
               (X509_get_key_usage(x509) & KU_CRL_SIGN) != 0 &&
               X509_CRL_verify(crl.get(), X509_get0_pubkey(x509)) == 1;
      });
  if (issuer == issuers.end()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the revocation list of ", name, " is signed by none of our CAs"));
  }
  // The first look-up sorts the list: afterwards nothing changes any more.
  X509_REVOKED* revoked = nullptr;
  X509_CRL_get0_by_cert(crl.get(), &revoked, issuer->handle_->x509.get());
  return RevocationList(std::make_shared<const Handle>(
      Handle{std::move(crl), *issuer, *next_update}));
}

bool RevocationList::Covers(const Certificate& certificate) const {
  return certificate.IssuedBy(handle_->issuer);
}

bool RevocationList::Revokes(const Certificate& certificate) const {
  const OpenSslErrors errors;
  X509_REVOKED* revoked = nullptr;
  return X509_CRL_get0_by_cert(handle_->crl.get(), &revoked,
                               certificate.handle_->x509.get()) != 0;
}

absl::Time RevocationList::next_update() const { return handle_->next_update; }

std::string RevocationList::IssuerText() const {
  return ToText(X509_CRL_get_issuer(handle_->crl.get()));
}

absl::StatusOr<absl::Time> CheckRevocation(
    const Certificate& certificate, const std::vector<RevocationList>& lists,
    absl::Time now) {
  absl::Time end = absl::InfinitePast();
  bool covered = false;
  for (const RevocationList& list : lists) {
    if (!list.Covers(certificate)) continue;
    // Revoked stays revoked, whatever the age of the list.
    if (list.Revokes(certificate)) {
      return absl::PermissionDeniedError("it is revoked");
    }
    covered = true;
    end = std::max(end, list.next_update());
  }
  if (!covered) {
    return absl::PermissionDeniedError("its CA has no revocation list here");
  }
  if (now >= end) {
    return absl::PermissionDeniedError(
        "its CA's revocation list is out of date");
  }
  return end;
}

}  // namespace schleuse
