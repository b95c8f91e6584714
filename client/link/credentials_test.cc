#include "client/link/credentials.h"

#include <grpcpp/client_context.h>
#include <grpcpp/security/server_credentials.h>

#include <string>

#include "base/log.h"
#include "base/status_matchers.h"
#include "certs/test_pki.h"
#include "client/link/connections.h"
#include "client/link/fake_gateway.h"
#include "disk/posix_disk.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse::client {
namespace {

using absl::StatusCode;

struct Pki {
  TestPki pki;
  const std::string dock = pki.Issue("dock d1 --station s1");
  const std::string other_dock = pki.Issue("dock d2 --station s1");
  const std::string gateway =
      pki.Issue("gateway gw --dns gw.test --ip 127.0.0.1");

  CredentialFiles Files() const {
    return {dock, TestPki::KeyOf(dock), pki.Path("root.pem")};
  }
  std::shared_ptr<grpc::ServerCredentials> ServerCredentials() const {
    grpc::SslServerCredentialsOptions options(
        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    options.pem_root_certs = pki.Read("root.pem");
    options.pem_key_cert_pairs.push_back(
        {ReadTestFile(TestPki::KeyOf(gateway)), ReadTestFile(gateway)});
    return grpc::SslServerCredentials(options);
  }
};

const Pki& ThePki() {
  static const auto* const pki = new Pki();
  return *pki;
}

const Disk& TheDisk() {
  static const auto* const disk = new PosixDisk();
  return *disk;
}

// What comes of a call with these credentials.
grpc::Status Call(FakeGateway& gateway, Credentials& credentials,
                  const std::string& server_name = "") {
  Connections connections(
      {gateway.address(), server_name}, [&] { return credentials.Current(); },
      1);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(20));
  auto stream = transfer::v1::TransferService::NewStub(connections.Get(0))
                    ->Upload(&context);
  stream->WritesDone();
  return stream->Finish();
}

TEST(CredentialsTest, AGatewayOfOurOwnIsTrusted) {
  FakeGateway gateway(ThePki().ServerCredentials());
  ASSERT_OK_AND_ASSIGN(auto credentials,
                       Credentials::Load(TheDisk(), ThePki().Files()));
  // It was reached: this is its own refusal of a call without Begin.
  EXPECT_EQ(Call(gateway, *credentials).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Call(gateway, *credentials, "gw.test").error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST(CredentialsTest, AGatewayOfAnotherNameIsNot) {
  FakeGateway gateway(ThePki().ServerCredentials());
  ASSERT_OK_AND_ASSIGN(auto credentials,
                       Credentials::Load(TheDisk(), ThePki().Files()));
  EXPECT_EQ(Call(gateway, *credentials, "elsewhere.test").error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

TEST(CredentialsTest, AGatewayOfAnotherRootIsNot) {
  FakeGateway gateway(ThePki().ServerCredentials());
  const TestPki stranger;
  CredentialFiles files = ThePki().Files();
  files.root = stranger.Path("root.pem");
  ASSERT_OK_AND_ASSIGN(auto credentials, Credentials::Load(TheDisk(), files));
  EXPECT_EQ(Call(gateway, *credentials).error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

TEST(CredentialsTest, AGatewayWithoutTlsIsNot) {
  FakeGateway gateway;
  ASSERT_OK_AND_ASSIGN(auto credentials,
                       Credentials::Load(TheDisk(), ThePki().Files()));
  EXPECT_EQ(Call(gateway, *credentials).error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

TEST(CredentialsTest, TheKeyOfAnotherCertificateIsRefused) {
  CredentialFiles files = ThePki().Files();
  files.key = TestPki::KeyOf(ThePki().other_dock);
  EXPECT_THAT(Credentials::Load(TheDisk(), files),
              StatusIs(StatusCode::kInvalidArgument));
}

TEST(CredentialsTest, AFileThatIsNoCertificateIsRefused) {
  CredentialFiles files = ThePki().Files();
  files.root = files.key;
  EXPECT_THAT(Credentials::Load(TheDisk(), files),
              StatusIs(StatusCode::kInvalidArgument));
}

TEST(CredentialsTest, AMissingFileIsSaidSo) {
  CredentialFiles files = ThePki().Files();
  files.certificate += ".not-there";
  EXPECT_THAT(Credentials::Load(TheDisk(), files),
              StatusIs(StatusCode::kNotFound));
}

TEST(CredentialsTest, ABadRenewalLeavesTheOldOnesInForce) {
  SetLogThreshold(Severity::kAlarm);
  FakeGateway gateway(ThePki().ServerCredentials());
  CredentialFiles files = ThePki().Files();
  const std::string certificate = ThePki().pki.Path("renewed.pem");
  WriteTestFile(certificate, ReadTestFile(files.certificate));
  files.certificate = certificate;
  ASSERT_OK_AND_ASSIGN(auto credentials, Credentials::Load(TheDisk(), files));
  WriteTestFile(certificate, ReadTestFile(ThePki().other_dock));
  EXPECT_EQ(Call(gateway, *credentials).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace schleuse::client
