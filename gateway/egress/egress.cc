#include "gateway/egress/egress.h"

#include <curl/curl.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace schleuse {
namespace {

constexpr size_t kReasonBytesMax = 200;

}  // namespace

Egress::Egress(const Disk& disk, EgressOptions options)
    : options_(std::move(options)),
      names_(disk, options_.hosts_file, options_.dns) {}

absl::StatusOr<std::unique_ptr<Egress>> Egress::Open(const Disk& disk,
                                                     EgressOptions options) {
  // Once a process; what it set up ends with the process. Debian's libcurl is
  // built so that other threads may run meanwhile.
  static const CURLcode begun = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (begun != CURLE_OK) {
    return absl::InternalError(absl::StrCat("the HTTP library cannot begin: ",
                                            curl_easy_strerror(begun)));
  }
  RETURN_IF_ERROR(CheckTlsIdentity(options.identity));
  return std::unique_ptr<Egress>(new Egress(disk, std::move(options)));
}

absl::Status Egress::Refuse(const HttpsUrl& url, absl::string_view address,
                            absl::string_view words) const {
  // Some of them are the server's.
  std::string reason(words.substr(0, kReasonBytesMax));
  std::replace_if(
      reason.begin(), reason.end(),
      [](unsigned char c) { return !absl::ascii_isprint(c); }, '?');
  if (options_.on_refused) {
    options_.on_refused({.host = url.host,
                         .port = url.port,
                         .address = std::string(address),
                         .reason = reason});
  }
  return absl::PermissionDeniedError(absl::StrCat(
      "no connection to ", url.Origin(),
      address.empty() ? "" : absl::StrCat(" (", address, ")"), ": ", reason));
}

absl::Status Egress::CheckServer(const std::vector<Certificate>& chain) const {
  if (!chain.front().KeyIsStrongEnough()) {
    return absl::PermissionDeniedError("its certificate has a weak key");
  }
  for (const Certificate& certificate : chain) {
    for (const RevocationList& list : options_.revocation_lists) {
      if (!list.Covers(certificate) || !list.Revokes(certificate)) continue;
      return absl::PermissionDeniedError(absl::StrCat(
          "the certificate ", certificate.SerialHex(), " is revoked"));
    }
  }
  return absl::OkStatus();
}

}  // namespace schleuse
