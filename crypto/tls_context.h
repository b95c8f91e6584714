// A context of OpenSSL for libraries that bring TLS code of their own, as the
// HTTP client and the HTTP server do: the profile of the house, one identity,
// our roots and nobody else's, mutual authentication, and a word of ours on
// every peer inside the handshake.
#ifndef SCHLEUSE_CRYPTO_TLS_CONTEXT_H_
#define SCHLEUSE_CRYPTO_TLS_CONTEXT_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "crypto/certificate.h"

struct ssl_ctx_st;  // OpenSSL's SSL_CTX
struct ssl_st;      // OpenSSL's SSL

namespace schleuse {

struct TlsIdentity {
  std::string certificate_chain_pem;
  std::string private_key_pem;
  std::string root_certificates_pem;  // peers' chains must end in one of them
};

// Asked in every handshake once the peer's chain was found good; `chain` is
// that chain, the peer's own certificate first, the root last. An error ends
// the handshake: the peer hears no reason. From any thread.
using PeerCheck =
    std::function<absl::Status(const std::vector<Certificate>& chain)>;

// Makes `context` such a one, for a server or a client, whatever it was before.
// Sessions are never resumed, so that every connection is checked. Whether a
// server's certificate names the host that was called is the caller's to see
// to. `check` lives as long as the context.
//   InvalidArgument  a certificate or the key cannot be read, or do not fit
//                    together
//   Internal         OpenSSL refuses the profile
absl::Status SetUpTlsContext(ssl_ctx_st* context, const TlsIdentity& identity,
                             PeerCheck check);

// Who is at the other end of a connection that was made with such a context.
//   InvalidArgument  nobody, or it cannot be read
absl::StatusOr<Certificate> PeerOf(const ssl_st* connection);

// As SetUpTlsContext says, tried on a context of its own.
absl::Status CheckTlsIdentity(const TlsIdentity& identity);

}  // namespace schleuse

#endif  // SCHLEUSE_CRYPTO_TLS_CONTEXT_H_
