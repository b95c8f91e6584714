#include "gateway/egress/footage_connection.h"

#include <curl/curl.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/socket_address.h"
#include "base/status.h"
#include "crypto/certificate.h"
#include "crypto/tls_context.h"

namespace schleuse {
namespace {

absl::Status Silent(absl::string_view what) {
  return absl::InternalError(
      absl::StrCat("the HTTP library does not say ", what,
                   ", so no footage goes over this connection"));
}

absl::StatusOr<const ssl_st*> TlsOf(CURL* easy) {
  curl_tlssessioninfo* info = nullptr;
  if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK ||
      info == nullptr || info->backend != CURLSSLBACKEND_OPENSSL ||
      info->internals == nullptr) {
    return Silent("by which TLS it is");
  }
  return static_cast<const ssl_st*>(info->internals);
}

}  // namespace

absl::StatusOr<FootageConnection::Id> ConnectionOf(CURL* easy,
                                                   uint64_t sockets) {
  ASSIGN_OR_RETURN(const ssl_st* const tls, TlsOf(easy));
  return FootageConnection::Id{tls, sockets};
}

absl::StatusOr<FootagePeer> PeerOfConnection(CURL* easy) {
  // Curl has both from getpeername, once the socket is connected.
  const char* ip_text = nullptr;
  long port = 0;
  if (curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &ip_text) != CURLE_OK ||
      curl_easy_getinfo(easy, CURLINFO_PRIMARY_PORT, &port) != CURLE_OK ||
      ip_text == nullptr || port < 1 || port > 65535) {
    return Silent("to which address it is");
  }
  absl::StatusOr<IpAddress> ip = IpAddress::Parse(ip_text);
  if (!ip.ok()) return Silent("to which address it is");
  ASSIGN_OR_RETURN(const ssl_st* const tls, TlsOf(easy));
  const absl::StatusOr<Certificate> certificate = PeerOf(tls);
  if (!certificate.ok()) return Silent("whose certificate it has");
  return FootagePeer{{*std::move(ip), static_cast<uint16_t>(port)},
                     certificate->Fingerprint()};
}

}  // namespace schleuse
