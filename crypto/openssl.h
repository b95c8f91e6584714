// What the files of this room share about OpenSSL: owning its objects, and
// its queue of errors. For crypto/*.cc alone.
#ifndef SCHLEUSE_CRYPTO_OPENSSL_H_
#define SCHLEUSE_CRYPTO_OPENSSL_H_

#include <openssl/bio.h>
#include <openssl/err.h>

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace schleuse {

template <auto Free>
struct OpenSslDeleter {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
template <typename T, auto Free>
using OpenSslPointer = std::unique_ptr<T, OpenSslDeleter<Free>>;

using BioPointer = OpenSslPointer<BIO, BIO_free_all>;

// Without it OpenSSL asks at the terminal for the password of what is
// encrypted, and a gateway would hang at start.
inline int NoPassword(char*, int, int, void*) { return -1; }

// Reads `bytes`, which must outlive it.
inline BioPointer ReadingBio(absl::string_view bytes) {
  return BioPointer(
      BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

// Takes back what its scope left in this thread's queue of errors. What lies
// there would be read by the next TLS connection as an error of its own.
class OpenSslErrors {
 public:
  OpenSslErrors() { ERR_set_mark(); }
  ~OpenSslErrors() { ERR_pop_to_mark(); }
  OpenSslErrors(const OpenSslErrors&) = delete;
  OpenSslErrors& operator=(const OpenSslErrors&) = delete;

  // The newest error's reason; never data that was being read.
  std::string Reason() const {
    const char* reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason == nullptr ? "unknown reason" : reason;
  }
};

}  // namespace schleuse

#endif  // SCHLEUSE_CRYPTO_OPENSSL_H_
