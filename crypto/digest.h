// SHA-256 (FIPS 180-4), whole and in pieces.
#ifndef SCHLEUSE_CRYPTO_DIGEST_H_
#define SCHLEUSE_CRYPTO_DIGEST_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"

namespace schleuse {

// 32 bytes that are a SHA-256.
class Digest {
 public:
  static constexpr size_t kBytes = 32;

  //   InvalidArgument  not 32 bytes
  static absl::StatusOr<Digest> FromBytes(absl::string_view bytes);
  //   InvalidArgument  not 64 hex digits
  static absl::StatusOr<Digest> FromHex(absl::string_view hex);

  absl::string_view bytes() const {
    return {reinterpret_cast<const char*>(bytes_.data()), kBytes};
  }
  std::string ToHex() const;  // lowercase, as sha256sum prints it

  friend bool operator==(const Digest&, const Digest&) = default;

 private:
  friend class Sha256;
  Digest() = default;
  std::array<uint8_t, kBytes> bytes_;
};

// A running SHA-256. One thread at a time; may move between threads.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void Update(absl::string_view bytes);
  void Update(const absl::Cord& bytes);
  // The hash of everything so far; more may follow.
  Digest Current() const;
  uint64_t bytes_hashed() const { return bytes_hashed_; }

  static Digest Of(absl::string_view bytes);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
  uint64_t bytes_hashed_ = 0;
};

}  // namespace schleuse

#endif  // SCHLEUSE_CRYPTO_DIGEST_H_
