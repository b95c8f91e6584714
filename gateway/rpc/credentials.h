// Who may finish a TLS handshake with the gateway. It knows certificates and
// gRPC's ways of checking them, but no call.
#ifndef SCHLEUSE_GATEWAY_RPC_CREDENTIALS_H_
#define SCHLEUSE_GATEWAY_RPC_CREDENTIALS_H_

#include <grpcpp/security/server_credentials.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "gateway/access/identify.h"
#include "gateway/transfer/intake.h"

namespace schleuse {

struct ServerIdentity {
  std::string certificate_chain_pem;  // leaf first
  std::string private_key_pem;
  std::string root_certificates_pem;  // what clients' chains must end in
};

// Mutual TLS: a client without a certificate that chains to the roots, or whom
// `identifier` does not know at this moment, is refused inside the handshake
// and reaches no call; `on_refused` hears of each, from some thread. The TLS
// profile itself is the process's (crypto/tls_profile.h).
//   InvalidArgument  certificate and key do not belong together
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const ServerIdentity& identity,
    std::shared_ptr<const Identifier> identifier, const Clock& clock,
    std::function<void(const RefusedCertificate&)> on_refused);

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_RPC_CREDENTIALS_H_
