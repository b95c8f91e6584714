#include "crypto/signer.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>

#include "base/status.h"
#include "crypto/openssl.h"

namespace schleuse {
namespace {

using KeyPointer = OpenSslPointer<EVP_PKEY, EVP_PKEY_free>;
using ContextPointer = OpenSslPointer<EVP_MD_CTX, EVP_MD_CTX_free>;

constexpr size_t kEd25519Bytes = 32;
// Of a P-256 SubjectPublicKeyInfo with an uncompressed point; a named curve's
// is always so long.
constexpr size_t kSpkiBytesMax = 256;

const unsigned char* Unsigned(absl::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

// What fails only for want of memory or of OpenSSL's default provider.
void MustBe(bool ok) {
  if (ok) return;
  std::fputs("OpenSSL cannot sign\n", stderr);
  std::abort();
}

std::optional<KeyKind> KindOf(const EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "ED25519")) return KeyKind::kEd25519;
  char group[32];
  size_t length = 0;
  if (EVP_PKEY_is_a(key, "EC") &&
      EVP_PKEY_get_group_name(key, group, sizeof(group), &length) == 1 &&
      absl::string_view(group, length) == "prime256v1") {
    return KeyKind::kEcdsaP256;
  }
  return std::nullopt;
}

// Ed25519 hashes for itself.
const EVP_MD* HashFor(KeyKind kind) {
  return kind == KeyKind::kEd25519 ? nullptr : EVP_sha256();
}

std::string SpkiOf(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int length = i2d_PUBKEY(key, &der);
  MustBe(length > 0);
  std::string bytes(reinterpret_cast<char*>(der), static_cast<size_t>(length));
  OPENSSL_free(der);
  return bytes;
}

std::string BytesOf(EVP_PKEY* key, KeyKind kind) {
  if (kind == KeyKind::kEcdsaP256) return SpkiOf(key);
  std::string bytes(kEd25519Bytes, '\0');
  size_t length = bytes.size();
  MustBe(EVP_PKEY_get_raw_public_key(
             key, reinterpret_cast<unsigned char*>(bytes.data()), &length) ==
             1 &&
         length == bytes.size());
  return bytes;
}

}  // namespace

struct PublicKey::Inside {
  KeyPointer key;
  KeyKind kind;
  std::string bytes;
};

PublicKey::PublicKey(std::shared_ptr<const Inside> inside)
    : inside_(std::move(inside)) {}

absl::StatusOr<PublicKey> PublicKey::FromEd25519(absl::string_view bytes32) {
  const OpenSslErrors errors;
  if (bytes32.size() != kEd25519Bytes) {
    return absl::InvalidArgumentError("an Ed25519 key has 32 bytes");
  }
  KeyPointer key(EVP_PKEY_new_raw_public_key(
      EVP_PKEY_ED25519, nullptr, Unsigned(bytes32), bytes32.size()));
  MustBe(key != nullptr);
  return PublicKey(std::make_shared<const Inside>(
      Inside{std::move(key), KeyKind::kEd25519, std::string(bytes32)}));
}

absl::StatusOr<PublicKey> PublicKey::FromEcdsaP256(absl::string_view spki_der) {
  const OpenSslErrors errors;
  const absl::Status no_key =
      absl::InvalidArgumentError("not the SubjectPublicKeyInfo of a P-256 key");
  if (spki_der.size() > kSpkiBytesMax) return no_key;
  const unsigned char* at = Unsigned(spki_der);
  KeyPointer key(d2i_PUBKEY(nullptr, &at, static_cast<long>(spki_der.size())));
  if (key == nullptr || KindOf(key.get()) != KeyKind::kEcdsaP256) return no_key;
  // One key, one form: its hash is its name.
  if (SpkiOf(key.get()) != spki_der) return no_key;
  return PublicKey(std::make_shared<const Inside>(
      Inside{std::move(key), KeyKind::kEcdsaP256, std::string(spki_der)}));
}

KeyKind PublicKey::kind() const { return inside_->kind; }
const std::string& PublicKey::bytes() const { return inside_->bytes; }

bool PublicKey::Verify(absl::string_view text,
                       absl::string_view signature) const {
  const OpenSslErrors errors;
  const ContextPointer context(EVP_MD_CTX_new());
  MustBe(context != nullptr &&
         EVP_DigestVerifyInit(context.get(), nullptr, HashFor(inside_->kind),
                              nullptr, inside_->key.get()) == 1);
  return EVP_DigestVerify(context.get(), Unsigned(signature), signature.size(),
                          Unsigned(text), text.size()) == 1;
}

struct PrivateKey::Inside {
  KeyPointer key;
  PublicKey public_key;
};

PrivateKey::PrivateKey(std::shared_ptr<const Inside> inside)
    : inside_(std::move(inside)) {}

namespace {

absl::StatusOr<PublicKey> PublicKeyOf(EVP_PKEY* key) {
  const std::optional<KeyKind> kind = KindOf(key);
  if (!kind) {
    return absl::InvalidArgumentError("a key of neither Ed25519 nor P-256");
  }
  const std::string bytes = BytesOf(key, *kind);
  return *kind == KeyKind::kEd25519 ? PublicKey::FromEd25519(bytes)
                                    : PublicKey::FromEcdsaP256(bytes);
}

}  // namespace

PrivateKey PrivateKey::Generate(KeyKind kind) {
  KeyPointer key(kind == KeyKind::kEd25519
                     ? EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")
                     : EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  MustBe(key != nullptr);
  absl::StatusOr<PublicKey> public_key = PublicKeyOf(key.get());
  MustBe(public_key.ok());
  return PrivateKey(std::make_shared<const Inside>(
      Inside{std::move(key), *std::move(public_key)}));
}

absl::StatusOr<PrivateKey> PrivateKey::FromPem(absl::string_view pem) {
  const OpenSslErrors errors;
  const BioPointer bio = ReadingBio(pem);
  // Nobody is asked for a password: the empty one is tried, and fails.
  char no_password[] = "";
  KeyPointer key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, no_password));
  if (key == nullptr) {
    return absl::InvalidArgumentError("no private key in PEM");
  }
  if (BIO_pending(bio.get()) > 0) {
    return absl::InvalidArgumentError("something stands behind the key");
  }
  ASSIGN_OR_RETURN(PublicKey public_key, PublicKeyOf(key.get()));
  return PrivateKey(std::make_shared<const Inside>(
      Inside{std::move(key), std::move(public_key)}));
}

absl::StatusOr<PrivateKey> PrivateKey::FromEd25519Seed(
    absl::string_view bytes32) {
  if (bytes32.size() != kEd25519Bytes) {
    return absl::InvalidArgumentError("an Ed25519 seed has 32 bytes");
  }
  KeyPointer key(EVP_PKEY_new_raw_private_key(
      EVP_PKEY_ED25519, nullptr, Unsigned(bytes32), bytes32.size()));
  MustBe(key != nullptr);
  ASSIGN_OR_RETURN(PublicKey public_key, PublicKeyOf(key.get()));
  return PrivateKey(std::make_shared<const Inside>(
      Inside{std::move(key), std::move(public_key)}));
}

std::string PrivateKey::ToPem() const {
  const BioPointer bio(BIO_new(BIO_s_secmem()));
  MustBe(bio != nullptr &&
         PEM_write_bio_PKCS8PrivateKey(bio.get(), inside_->key.get(), nullptr,
                                       nullptr, 0, nullptr, nullptr) == 1);
  char* bytes = nullptr;
  const long length = BIO_get_mem_data(bio.get(), &bytes);
  return {bytes, static_cast<size_t>(length)};
}

PublicKey PrivateKey::public_key() const { return inside_->public_key; }

std::string PrivateKey::Sign(absl::string_view text) const {
  const OpenSslErrors errors;
  const ContextPointer context(EVP_MD_CTX_new());
  size_t length = 0;
  MustBe(context != nullptr &&
         EVP_DigestSignInit(context.get(), nullptr, HashFor(kind()), nullptr,
                            inside_->key.get()) == 1 &&
         EVP_DigestSign(context.get(), nullptr, &length, Unsigned(text),
                        text.size()) == 1);
  std::string signature(length, '\0');
  MustBe(EVP_DigestSign(context.get(),
                        reinterpret_cast<unsigned char*>(signature.data()),
                        &length, Unsigned(text), text.size()) == 1);
  signature.resize(length);  // DER may be shorter than its most
  return signature;
}

}  // namespace schleuse
