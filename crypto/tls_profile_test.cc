#include "crypto/tls_profile.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <functional>
#include <memory>
#include <string>

#include "base/status_matchers.h"
#include "crypto/openssl.h"
#include "crypto/test_connection.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using KeyPointer = OpenSslPointer<EVP_PKEY, EVP_PKEY_free>;
using X509Pointer = OpenSslPointer<X509, X509_free>;

// A self-signed certificate and its key.
struct Identity {
  explicit Identity(KeyPointer its_key)
      : key(std::move(its_key)), certificate(X509_new()) {
    X509_set_version(certificate.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key.get());
    const bool own_hash = EVP_PKEY_is_a(key.get(), "ED25519") == 1;
    X509_sign(certificate.get(), key.get(), own_hash ? nullptr : EVP_sha256());
  }
  KeyPointer key;
  X509Pointer certificate;
};

const Identity& P256() {
  static const auto* const identity =
      new Identity(KeyPointer(EVP_EC_gen("P-256")));
  return *identity;
}

// Self-signed is good enough here; a weak key is not.
int AcceptAnyIssuer(int, X509_STORE_CTX* chain) {
  return X509_STORE_CTX_get_error(chain) != X509_V_ERR_EE_KEY_TOO_SMALL;
}

using Change = std::function<void(SSL_CTX*)>;
void Nothing(SSL_CTX*) {}

// A context as the process makes them, changed, then given an identity.
ContextPointer NewContext(const Identity& identity, const Change& change) {
  ContextPointer context(SSL_CTX_new(TLS_method()));
  SSL_CTX_set_verify(context.get(),
                     SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                     AcceptAnyIssuer);
  change(context.get());
  SSL_CTX_use_certificate(context.get(), identity.certificate.get());
  SSL_CTX_use_PrivateKey(context.get(), identity.key.get());
  return context;
}

bool Accepted(const Change& change_client, const Change& change_server,
              const Identity& client = P256(),
              const Identity& server = P256()) {
  return TestConnection(NewContext(client, change_client).get(),
                        NewContext(server, change_server).get())
      .accepted();
}

void Tls12Only(SSL_CTX* context) {
  SSL_CTX_set_security_level(context, 1);
  SSL_CTX_clear_options(context, SSL_OP_NO_TLSv1_2);
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set1_sigalgs_list(context, "ECDSA+SHA256");
}
void ChaChaOnly(SSL_CTX* context) {
  SSL_CTX_set_ciphersuites(context, "TLS_CHACHA20_POLY1305_SHA256");
}
void X25519Only(SSL_CTX* context) {
  SSL_CTX_set1_groups_list(context, "X25519");
}
void AnySignature(SSL_CTX* context) {
  SSL_CTX_set_security_level(context, 1);
  SSL_CTX_set1_sigalgs_list(
      context, "ed25519:ECDSA+SHA256:rsa_pss_rsae_sha256:rsa_pss_rsae_sha512");
}

class TlsProfileTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_OK(InstallTlsProfile()); }
};

TEST_F(TlsProfileTest, TwoThatFollowItAgreeOnItsFirstChoice) {
  const ContextPointer client = NewContext(P256(), Nothing);
  const ContextPointer server = NewContext(P256(), Nothing);
  const TestConnection connection(client.get(), server.get());
  ASSERT_TRUE(connection.accepted());
  SSL* ssl = connection.server.get();
  EXPECT_STREQ(SSL_get_version(ssl), "TLSv1.3");
  EXPECT_STREQ(SSL_get_cipher_name(ssl), "TLS_AES_256_GCM_SHA384");
  EXPECT_EQ(SSL_get_negotiated_group(ssl), NID_X9_62_prime256v1);
}

TEST_F(TlsProfileTest, AcceptsTheOtherSuite) {
  EXPECT_TRUE(Accepted(
      [](SSL_CTX* context) {
        SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
      },
      Nothing));
}

// Both ways round: the house is a client too. Each refusal comes with the
// proof that only the profile stood in the way.
TEST_F(TlsProfileTest, RefusesTls12) {
  EXPECT_TRUE(Accepted(Tls12Only, Tls12Only));
  EXPECT_FALSE(Accepted(Tls12Only, Nothing));
  EXPECT_FALSE(Accepted(Nothing, Tls12Only));
}

// gRPC asks every context for TLS 1.2 and newer.
TEST_F(TlsProfileTest, RefusesTls12ThoughTheMinimumIsLoweredAgain) {
  const Change lower = [](SSL_CTX* context) {
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  };
  EXPECT_TRUE(Accepted(Nothing, lower));
  EXPECT_FALSE(Accepted(Tls12Only, lower));
  EXPECT_FALSE(Accepted(lower, Tls12Only));
}

TEST_F(TlsProfileTest, RefusesChaCha20) {
  EXPECT_TRUE(Accepted(ChaChaOnly, ChaChaOnly));
  EXPECT_FALSE(Accepted(ChaChaOnly, Nothing));
  EXPECT_FALSE(Accepted(Nothing, ChaChaOnly));
}

TEST_F(TlsProfileTest, RefusesX25519) {
  EXPECT_TRUE(Accepted(X25519Only, X25519Only));
  EXPECT_FALSE(Accepted(X25519Only, Nothing));
  EXPECT_FALSE(Accepted(Nothing, X25519Only));
}

TEST_F(TlsProfileTest, RefusesEd25519Certificates) {
  const Identity identity(
      KeyPointer(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")));
  EXPECT_TRUE(Accepted(AnySignature, AnySignature, identity, P256()));
  EXPECT_FALSE(Accepted(AnySignature, Nothing, identity, P256()));
  EXPECT_FALSE(Accepted(Nothing, AnySignature, P256(), identity));
}

TEST_F(TlsProfileTest, AcceptsRsaFrom3072BitsAlone) {
  const Identity enough(KeyPointer(EVP_RSA_gen(3072)));
  EXPECT_TRUE(Accepted(Nothing, Nothing, enough, P256()));
  EXPECT_TRUE(Accepted(Nothing, Nothing, P256(), enough));
  // A context of the profile does not even load the short key; so the one who
  // has it is relaxed and the other must refuse.
  const Identity weak(KeyPointer(EVP_RSA_gen(2048)));
  EXPECT_TRUE(Accepted(AnySignature, AnySignature, weak, P256()));
  EXPECT_FALSE(Accepted(AnySignature, Nothing, weak, P256()));
  EXPECT_FALSE(Accepted(Nothing, AnySignature, P256(), weak));
}

TEST_F(TlsProfileTest, SendsNoSessionTicket) {
  static int sessions;
  const auto count = [](SSL*, SSL_SESSION*) { return ++sessions, 0; };
  const Change watch = [&count](SSL_CTX* context) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(context, count);
  };
  sessions = 0;
  EXPECT_TRUE(Accepted(watch, Nothing));
  EXPECT_EQ(sessions, 0);
  // The counting itself works.
  EXPECT_TRUE(Accepted(watch, [](SSL_CTX* context) {
    SSL_CTX_set_num_tickets(context, 1);
    const unsigned char id = 1;
    SSL_CTX_set_session_id_context(context, &id, 1);
  }));
  EXPECT_EQ(sessions, 1);
}

TEST_F(TlsProfileTest, MayBeInstalledTwice) {
  EXPECT_OK(InstallTlsProfile());
  EXPECT_FALSE(Accepted(Tls12Only, Nothing));
}

}  // namespace
}  // namespace schleuse
