#include "crypto/tls_context.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "crypto/openssl.h"
#include "crypto/tls_commands.h"

namespace schleuse {
namespace {

using X509Pointer = OpenSslPointer<X509, X509_free>;
using ContextPointer = OpenSslPointer<SSL_CTX, SSL_CTX_free>;
using KeyPointer = OpenSslPointer<EVP_PKEY, EVP_PKEY_free>;
using StorePointer = OpenSslPointer<X509_STORE, X509_STORE_free>;

absl::Status Wrong(const OpenSslErrors& errors, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(what, ": ", errors.Reason()));
}

X509Pointer ReadCertificate(BIO* bio) {
  return X509Pointer(PEM_read_bio_X509(bio, nullptr, NoPassword, nullptr));
}

absl::Status UseChain(SSL_CTX* context, absl::string_view pem,
                      const OpenSslErrors& errors) {
  const BioPointer bio = ReadingBio(pem);
  const X509Pointer own = ReadCertificate(bio.get());
  if (own == nullptr || SSL_CTX_use_certificate(context, own.get()) != 1) {
    return Wrong(errors, "the certificate cannot be used");
  }
  if (SSL_CTX_clear_chain_certs(context) != 1) return Wrong(errors, "chain");
  while (const X509Pointer issuer = ReadCertificate(bio.get())) {
    if (SSL_CTX_add1_chain_cert(context, issuer.get()) != 1) {
      return Wrong(errors, "the certificate's chain cannot be used");
    }
  }
  return absl::OkStatus();
}

absl::Status UseKey(SSL_CTX* context, absl::string_view pem,
                    const OpenSslErrors& errors) {
  const BioPointer bio = ReadingBio(pem);
  const KeyPointer key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassword, nullptr));
  if (key == nullptr || SSL_CTX_use_PrivateKey(context, key.get()) != 1 ||
      SSL_CTX_check_private_key(context) != 1) {
    return Wrong(errors, "the private key cannot be used");
  }
  return absl::OkStatus();
}

absl::Status UseRoots(SSL_CTX* context, absl::string_view pem,
                      const OpenSslErrors& errors) {
  const BioPointer bio = ReadingBio(pem);
  StorePointer store(X509_STORE_new());
  STACK_OF(X509_NAME)* names = sk_X509_NAME_new_null();
  int roots = 0;
  while (const X509Pointer root = ReadCertificate(bio.get())) {
    if (X509_STORE_add_cert(store.get(), root.get()) == 1) ++roots;
    sk_X509_NAME_push(names, X509_NAME_dup(X509_get_subject_name(root.get())));
  }
  // What clients are told to choose their certificate by.
  SSL_CTX_set_client_CA_list(context, names);
  if (roots == 0) return Wrong(errors, "no root certificate can be used");
  SSL_CTX_set_cert_store(context, store.release());
  return absl::OkStatus();
}

absl::StatusOr<Certificate> Read(X509* x509) {
  unsigned char* der = nullptr;
  const int size = i2d_X509(x509, &der);
  if (size <= 0) return absl::InvalidArgumentError("unreadable certificate");
  absl::StatusOr<Certificate> certificate = Certificate::FromDer(
      {reinterpret_cast<const char*>(der), static_cast<size_t>(size)});
  OPENSSL_free(der);
  return certificate;
}

absl::Status Ask(const PeerCheck& check, const STACK_OF(X509) * chain) {
  std::vector<Certificate> certificates;
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    ASSIGN_OR_RETURN(Certificate certificate, Read(sk_X509_value(chain, i)));
    certificates.push_back(std::move(certificate));
  }
  if (certificates.empty()) return absl::InternalError("a chain of none");
  return check(certificates);
}

// The place in a context where its PeerCheck lies.
int CheckIndex() {
  static const int index = SSL_CTX_get_ex_new_index(
      0, nullptr, nullptr, nullptr,
      [](void*, void* check, CRYPTO_EX_DATA*, int, long, void*) {
        delete static_cast<PeerCheck*>(check);
      });
  return index;
}

// Called for each certificate of a chain, the root first, the peer last.
int Verify(int good, X509_STORE_CTX* verified) {
  if (good != 1) return 0;
  if (X509_STORE_CTX_get_error_depth(verified) > 0) return 1;
  const auto* ssl = static_cast<const SSL*>(X509_STORE_CTX_get_ex_data(
      verified, SSL_get_ex_data_X509_STORE_CTX_idx()));
  const auto* check = static_cast<const PeerCheck*>(
      SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), CheckIndex()));
  if (check == nullptr) return 0;
  if (Ask(*check, X509_STORE_CTX_get0_chain(verified)).ok()) return 1;
  X509_STORE_CTX_set_error(verified, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

}  // namespace

absl::Status SetUpTlsContext(SSL_CTX* context, const TlsIdentity& identity,
                             PeerCheck check) {
  const OpenSslErrors errors;
  RETURN_IF_ERROR(ApplyTlsProfile(context));
  RETURN_IF_ERROR(UseChain(context, identity.certificate_chain_pem, errors));
  RETURN_IF_ERROR(UseKey(context, identity.private_key_pem, errors));
  RETURN_IF_ERROR(UseRoots(context, identity.root_certificates_pem, errors));
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  auto owned = std::make_unique<PeerCheck>(std::move(check));
  delete static_cast<PeerCheck*>(SSL_CTX_get_ex_data(context, CheckIndex()));
  if (SSL_CTX_set_ex_data(context, CheckIndex(), owned.get()) != 1) {
    return absl::InternalError("no room in the TLS context");
  }
  static_cast<void>(owned.release());  // the context's from here on
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                     Verify);
  return absl::OkStatus();
}

absl::StatusOr<Certificate> PeerOf(const SSL* connection) {
  const X509Pointer peer(SSL_get1_peer_certificate(connection));
  if (peer == nullptr) return absl::InvalidArgumentError("no certificate");
  return Read(peer.get());
}

absl::Status CheckTlsIdentity(const TlsIdentity& identity) {
  const ContextPointer context(SSL_CTX_new(TLS_method()));
  if (context == nullptr) return absl::InternalError("no TLS context");
  return SetUpTlsContext(context.get(), identity,
                         [](const std::vector<Certificate>&) {
                           return absl::PermissionDeniedError("never asked");
                         });
}

}  // namespace schleuse
