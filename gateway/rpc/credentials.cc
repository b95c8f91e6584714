#include "gateway/rpc/credentials.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/log.h"
#include "base/log_budget.h"
#include "base/status.h"
#include "crypto/certificate.h"
#include "gateway/access/principal.h"

namespace schleuse {
namespace {

namespace tls = grpc::experimental;

// Asked by gRPC once the chain was found good, before the handshake ends.
class IdentityVerifier final : public tls::ExternalCertificateVerifier {
 public:
  IdentityVerifier(std::shared_ptr<const Identifier> identifier,
                   const Clock& clock,
                   std::function<void(const RefusedCertificate&)> on_refused)
      : identifier_(std::move(identifier)),
        clock_(clock),
        on_refused_(std::move(on_refused)) {}

  // Answers at once, so that there is nothing to cancel.
  bool Verify(tls::TlsCustomVerificationCheckRequest* request,
              std::function<void(grpc::Status)>,
              grpc::Status* answer) override {
    const absl::string_view pem(request->peer_cert().data(),
                                request->peer_cert().size());
    const absl::Status refused =
        identifier_->IdentifyPem(pem, clock_.Now()).status();
    if (refused.ok()) {
      *answer = grpc::Status::OK;
      return true;
    }
    const absl::StatusOr<Certificate> certificate = Certificate::FromPem(pem);
    if (const auto left_out = refusals_.Take(clock_.Now())) {
      Log(Severity::kWarning, "certificate refused",
          {{"subject", certificate.ok() ? certificate->SubjectText() : ""},
           {"sha256",
            certificate.ok() ? certificate->Fingerprint().ToHex() : ""},
           {"reason", refused.message()},
           {"left_out", *left_out}});
    }
    const std::vector<std::string> names =
        certificate.ok() ? certificate->UriNames() : std::vector<std::string>();
    on_refused_({.device = names.size() == 1 ? names[0] : "",
                 .serial = certificate.ok() ? certificate->SerialHex() : "",
                 .reason = std::string(refused.message())});
    // The peer sees a handshake that fails, not why.
    *answer = grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "refused");
    return true;
  }
  void Cancel(tls::TlsCustomVerificationCheckRequest*) override {}

 private:
  const std::shared_ptr<const Identifier> identifier_;
  const Clock& clock_;
  const std::function<void(const RefusedCertificate&)> on_refused_;
  LogBudget refusals_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const ServerIdentity& identity,
    std::shared_ptr<const Identifier> identifier, const Clock& clock,
    std::function<void(const RefusedCertificate&)> on_refused) {
  // gRPC would accept a pair that does not match and fail every handshake.
  ASSIGN_OR_RETURN(const Certificate leaf,
                   Certificate::FromPem(identity.certificate_chain_pem));
  RETURN_IF_ERROR(leaf.MatchesKey(identity.private_key_pem));

  const std::vector<tls::IdentityKeyCertPair> pairs = {
      {.private_key = identity.private_key_pem,
       .certificate_chain = identity.certificate_chain_pem}};
  tls::TlsServerCredentialsOptions options(
      std::make_shared<tls::StaticDataCertificateProvider>(
          identity.root_certificates_pem, pairs));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.set_certificate_verifier(
      tls::ExternalCertificateVerifier::Create<IdentityVerifier>(
          std::move(identifier), clock, std::move(on_refused)));
  // A server has no name of its peer to compare.
  options.set_check_call_host(false);
  return tls::TlsServerCredentials(options);
}

}  // namespace schleuse
