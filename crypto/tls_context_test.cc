#include "crypto/tls_context.h"

#include <openssl/ssl.h>

#include <string>
#include <utility>
#include <vector>

#include "base/status_matchers.h"
#include "certs/test_pki.h"
#include "crypto/test_connection.h"
#include "crypto/tls_profile.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

absl::Status Anybody(const std::vector<Certificate>&) {
  return absl::OkStatus();
}

class TlsContextTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_OK(InstallTlsProfile());
    pki_ = new TestPki;
    gateway_ = new std::string(pki_->Issue("gateway gw-1 --ip 127.0.0.1"));
    witness_ = new std::string(pki_->Issue("witness w-1 --ip 127.0.0.1"));
  }

  static TlsIdentity IdentityOf(const std::string& path,
                                const TestPki& roots = *pki_) {
    return {.certificate_chain_pem = ReadTestFile(path),
            .private_key_pem = ReadTestFile(TestPki::KeyOf(path)),
            .root_certificates_pem = roots.Read("root.pem")};
  }
  static ContextPointer NewContext(const TlsIdentity& identity,
                                   PeerCheck check = Anybody) {
    ContextPointer context(SSL_CTX_new(TLS_method()));
    EXPECT_OK(SetUpTlsContext(context.get(), identity, std::move(check)));
    return context;
  }

  static const TestPki* pki_;
  static const std::string* gateway_;
  static const std::string* witness_;
};
const TestPki* TlsContextTest::pki_ = nullptr;
const std::string* TlsContextTest::gateway_ = nullptr;
const std::string* TlsContextTest::witness_ = nullptr;

TEST_F(TlsContextTest, TwoOfOneHouseMeetByItsProfile) {
  const ContextPointer client = NewContext(IdentityOf(*gateway_));
  const ContextPointer server = NewContext(IdentityOf(*witness_));
  const TestConnection connection(client.get(), server.get());
  ASSERT_TRUE(connection.accepted());
  EXPECT_STREQ(SSL_get_version(connection.server.get()), "TLSv1.3");
  EXPECT_STREQ(SSL_get_cipher_name(connection.server.get()),
               "TLS_AES_256_GCM_SHA384");
}

TEST_F(TlsContextTest, BothAreAskedForTheOther) {
  std::vector<Certificate> of_client, of_server;
  const ContextPointer client = NewContext(
      IdentityOf(*gateway_), [&](const std::vector<Certificate>& chain) {
        of_server = chain;
        return absl::OkStatus();
      });
  const ContextPointer server = NewContext(
      IdentityOf(*witness_), [&](const std::vector<Certificate>& chain) {
        of_client = chain;
        return absl::OkStatus();
      });
  ASSERT_TRUE(TestConnection(client.get(), server.get()).accepted());
  ASSERT_EQ(of_client.size(), 3u);
  ASSERT_EQ(of_server.size(), 3u);
  EXPECT_THAT(of_client.front().UriNames(),
              testing::ElementsAre("spiffe://police.example/gateway/hq/gw-1"));
  EXPECT_THAT(of_server.front().UriNames(),
              testing::ElementsAre("spiffe://police.example/witness/hq/w-1"));
  EXPECT_TRUE(of_client.front().IssuedBy(of_client[1]));
  EXPECT_TRUE(of_client[1].IssuedBy(of_client[2]));
}

TEST_F(TlsContextTest, WhomTheCheckRefusesIsRefused) {
  const PeerCheck nobody = [](const std::vector<Certificate>&) {
    return absl::PermissionDeniedError("not you");
  };
  const ContextPointer open = NewContext(IdentityOf(*gateway_));
  const ContextPointer closed = NewContext(IdentityOf(*gateway_), nobody);
  EXPECT_FALSE(TestConnection(open.get(), closed.get()).accepted());
  EXPECT_FALSE(TestConnection(closed.get(), open.get()).accepted());
  EXPECT_TRUE(TestConnection(open.get(), open.get()).accepted());
}

TEST_F(TlsContextTest, AnotherHousesPeerIsRefusedAndNobodyAsked) {
  const TestPki foreign;
  const std::string stranger = foreign.Issue("gateway gw-1 --ip 127.0.0.1");
  bool asked = false;
  const PeerCheck ask = [&](const std::vector<Certificate>&) {
    asked = true;
    return absl::OkStatus();
  };
  // It would take us for one of its own.
  const ContextPointer theirs = NewContext(IdentityOf(stranger, *pki_));
  const ContextPointer ours = NewContext(IdentityOf(*gateway_), ask);
  EXPECT_FALSE(TestConnection(theirs.get(), ours.get()).accepted());
  EXPECT_FALSE(TestConnection(ours.get(), theirs.get()).accepted());
  EXPECT_FALSE(asked);
}

TEST_F(TlsContextTest, APeerWithoutACertificateIsRefused) {
  const ContextPointer server = NewContext(IdentityOf(*gateway_));
  const ContextPointer client(SSL_CTX_new(TLS_method()));
  EXPECT_FALSE(TestConnection(client.get(), server.get()).accepted());
}

TEST_F(TlsContextTest, ADeviceCannotPassForAServer) {
  const std::string dock = pki_->Issue("dock d1 --station s1");
  const ContextPointer client = NewContext(IdentityOf(*gateway_));
  const ContextPointer server = NewContext(IdentityOf(dock));
  EXPECT_FALSE(TestConnection(client.get(), server.get()).accepted());
  EXPECT_TRUE(TestConnection(server.get(), client.get()).accepted());
}

// Libraries set their own before they hand a context over.
TEST_F(TlsContextTest, WhatALibrarySetBeforeDoesNotStay) {
  ContextPointer loose(SSL_CTX_new(TLS_method()));
  SSL_CTX_clear_options(loose.get(), SSL_OP_NO_TLSv1_2);
  SSL_CTX_set_min_proto_version(loose.get(), TLS1_2_VERSION);
  SSL_CTX_set_max_proto_version(loose.get(), TLS1_2_VERSION);
  SSL_CTX_set_security_level(loose.get(), 0);
  SSL_CTX_set_ciphersuites(loose.get(), "TLS_CHACHA20_POLY1305_SHA256");
  SSL_CTX_set_verify(loose.get(), SSL_VERIFY_NONE, nullptr);
  ASSERT_OK(SetUpTlsContext(loose.get(), IdentityOf(*gateway_), Anybody));
  const ContextPointer peer = NewContext(IdentityOf(*witness_));
  const TestConnection connection(loose.get(), peer.get());
  ASSERT_TRUE(connection.accepted());
  EXPECT_STREQ(SSL_get_version(connection.client.get()), "TLSv1.3");
  EXPECT_STREQ(SSL_get_cipher_name(connection.client.get()),
               "TLS_AES_256_GCM_SHA384");
  const ContextPointer nobody(SSL_CTX_new(TLS_method()));
  EXPECT_FALSE(TestConnection(nobody.get(), loose.get()).accepted());
}

TEST_F(TlsContextTest, RefusesWhatDoesNotFitTogether) {
  const auto set_up = [](const TlsIdentity& identity) {
    const ContextPointer context(SSL_CTX_new(TLS_method()));
    return SetUpTlsContext(context.get(), identity, Anybody);
  };
  const TlsIdentity good = IdentityOf(*gateway_);
  ASSERT_OK(set_up(good));
  TlsIdentity identity = good;
  identity.private_key_pem = ReadTestFile(TestPki::KeyOf(*witness_));
  EXPECT_THAT(set_up(identity), StatusIs(absl::StatusCode::kInvalidArgument));
  identity = good;
  identity.root_certificates_pem = "";
  EXPECT_THAT(set_up(identity), StatusIs(absl::StatusCode::kInvalidArgument));
  identity = good;
  identity.certificate_chain_pem = "nothing";
  EXPECT_THAT(set_up(identity), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace schleuse
