#include "client/link/credentials.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/status.h"
#include "crypto/certificate.h"

namespace schleuse::client {
namespace {

namespace tls = grpc::experimental;

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> Read(
    const Disk& disk, const CredentialFiles& files) {
  ASSIGN_OR_RETURN(
      const std::string chain,
      ReadFile(disk, files.certificate, limits::kSettingsBytesMax));
  ASSIGN_OR_RETURN(const std::string key,
                   ReadFile(disk, files.key, limits::kSettingsBytesMax));
  ASSIGN_OR_RETURN(const std::string root,
                   ReadFile(disk, files.root, limits::kSettingsBytesMax));
  const auto certificate = Certificate::FromPem(chain);
  if (!certificate.ok()) {
    return Annotate(certificate.status(), files.certificate);
  }
  RETURN_IF_ERROR(Annotate(certificate->MatchesKey(key), files.key));
  RETURN_IF_ERROR(Annotate(Certificate::AllFromPem(root).status(), files.root));

  tls::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(
      std::make_shared<tls::StaticDataCertificateProvider>(
          root, std::vector<tls::IdentityKeyCertPair>{{key, chain}}));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_verify_server_certs(true);
  options.set_certificate_verifier(
      std::make_shared<tls::HostNameCertificateVerifier>());
  options.set_check_call_host(true);
  std::shared_ptr<grpc::ChannelCredentials> credentials =
      tls::TlsCredentials(options);
  if (credentials == nullptr) {
    return absl::InternalError("gRPC refuses these credentials");
  }
  return credentials;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Credentials>> Credentials::Load(
    const Disk& disk, CredentialFiles files) {
  ASSIGN_OR_RETURN(std::shared_ptr<grpc::ChannelCredentials> good,
                   Read(disk, files));
  return std::unique_ptr<Credentials>(
      new Credentials(disk, std::move(files), std::move(good)));
}

std::shared_ptr<grpc::ChannelCredentials> Credentials::Current() {
  auto fresh = Read(disk_, files_);
  MutexLock lock(mutex_);
  if (fresh.ok()) {
    good_ = *std::move(fresh);
  } else {
    Log(Severity::kWarning, "new credentials are bad; the old ones stay",
        {{"reason", fresh.status().message()}});
  }
  return good_;
}

}  // namespace schleuse::client
