#include "crypto/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "crypto/openssl.h"

namespace schleuse {
namespace {

// SHA-256 fails for want of memory or of OpenSSL's default provider. Nothing
// can go on without it, and a wrong digest must not get out.
void CheckOpenSsl(bool ok) {
  if (ok) return;
  std::fputs("OpenSSL cannot compute SHA-256\n", stderr);
  std::abort();
}

// Fetched once: a fetch takes longer than hashing a small message.
const EVP_MD* Algorithm() {
  static const EVP_MD* const algorithm =
      EVP_MD_fetch(nullptr, "SHA256", nullptr);
  CheckOpenSsl(algorithm != nullptr);
  return algorithm;
}

using ContextPointer = OpenSslPointer<EVP_MD_CTX, EVP_MD_CTX_free>;

ContextPointer NewContext() {
  ContextPointer context(EVP_MD_CTX_new());
  CheckOpenSsl(context != nullptr);
  return context;
}

}  // namespace

absl::StatusOr<Digest> Digest::FromBytes(absl::string_view bytes) {
  if (bytes.size() != kBytes) {
    return absl::InvalidArgumentError("a SHA-256 has 32 bytes");
  }
  Digest digest;
  std::copy(bytes.begin(), bytes.end(), digest.bytes_.begin());
  return digest;
}

absl::StatusOr<Digest> Digest::FromHex(absl::string_view hex) {
  if (hex.size() != 2 * kBytes ||
      !std::all_of(hex.begin(), hex.end(), absl::ascii_isxdigit)) {
    return absl::InvalidArgumentError("a SHA-256 is written as 64 hex digits");
  }
  return FromBytes(absl::HexStringToBytes(hex));
}

std::string Digest::ToHex() const { return absl::BytesToHexString(bytes()); }

struct Sha256::Context {
  ContextPointer evp = NewContext();
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  CheckOpenSsl(EVP_DigestInit_ex2(context_->evp.get(), Algorithm(), nullptr) ==
               1);
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::Update(absl::string_view bytes) {
  CheckOpenSsl(
      EVP_DigestUpdate(context_->evp.get(), bytes.data(), bytes.size()) == 1);
  bytes_hashed_ += bytes.size();
}

void Sha256::Update(const absl::Cord& bytes) {
  for (const absl::string_view piece : bytes.Chunks()) Update(piece);
}

Digest Sha256::Current() const {
  const ContextPointer copy = NewContext();
  CheckOpenSsl(EVP_MD_CTX_copy_ex(copy.get(), context_->evp.get()) == 1);
  Digest digest;
  CheckOpenSsl(EVP_DigestFinal_ex(copy.get(), digest.bytes_.data(), nullptr) ==
               1);
  return digest;
}

Digest Sha256::Of(absl::string_view bytes) {
  Digest digest;
  CheckOpenSsl(EVP_Digest(bytes.data(), bytes.size(), digest.bytes_.data(),
                          nullptr, Algorithm(), nullptr) == 1);
  return digest;
}

}  // namespace schleuse
