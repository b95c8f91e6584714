// TLS 1.3 over a blocking socket, both sides proven by certificates; OpenSSL
// alone. Dies of any error.
#ifndef SCHLEUSE_TESTS_BENCH_TLS_PEER_H_
#define SCHLEUSE_TESTS_BENCH_TLS_PEER_H_

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "tests/bench/peer_file.h"

namespace schleuse::bench {

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using TlsContext = std::unique_ptr<SSL_CTX, FreeContext>;

// From the options "cert", "key" and "ca".
TlsContext MakeContext(const SSL_METHOD* method, const Options& options);

class TlsConnection {
 public:
  // Shakes hands; owns `socket`.
  static TlsConnection Accept(SSL_CTX* context, int socket);
  static TlsConnection Connect(SSL_CTX* context, int socket);

  void Write(std::string_view bytes);
  // Exactly `length` bytes; false if the peer closed before the first.
  bool Read(char* bytes, size_t length);

 private:
  struct Close {
    void operator()(SSL* ssl) const;
  };
  TlsConnection(SSL_CTX* context, int socket);
  std::unique_ptr<SSL, Close> ssl_;
};

}  // namespace schleuse::bench

#endif  // SCHLEUSE_TESTS_BENCH_TLS_PEER_H_
