#include "gateway/egress/https_url.h"

#include <algorithm>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/socket_address.h"

namespace schleuse {
namespace {

constexpr size_t kUrlBytesMax = 1024;

bool AllOf(absl::string_view text, absl::string_view more) {
  return std::all_of(text.begin(), text.end(), [more](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           absl::StrContains(more, c);
  });
}

bool IsHostName(absl::string_view host) {
  return !host.empty() && host.size() <= 253 && AllOf(host, "-.") &&
         host.front() != '.' && host.front() != '-';
}

}  // namespace

absl::StatusOr<HttpsUrl> HttpsUrl::Parse(absl::string_view text) {
  const absl::Status refused = absl::InvalidArgumentError(
      "must be a URL, https://store.police.example:8443 or "
      "https://10.0.0.5/prefix");
  if (text.size() > kUrlBytesMax || !absl::ConsumePrefix(&text, "https://")) {
    return refused;
  }
  HttpsUrl url;
  const size_t slash = text.find('/');
  if (slash != absl::string_view::npos) {
    absl::string_view prefix = text.substr(slash);
    if (!AllOf(prefix, "/-._~")) return refused;
    while (absl::ConsumeSuffix(&prefix, "/")) {
    }
    url.prefix = std::string(prefix);
    text = text.substr(0, slash);
  }
  absl::string_view host = text;
  const size_t colon = text.rfind(':');
  if (colon != absl::string_view::npos && !absl::EndsWith(text, "]")) {
    const std::optional<uint16_t> port = ParsePort(text.substr(colon + 1));
    if (!port || *port == 0) return refused;
    url.port = *port;
    host = text.substr(0, colon);
  }
  if (absl::ConsumePrefix(&host, "[")) {
    if (!absl::ConsumeSuffix(&host, "]") || !IpAddress::Parse(host).ok() ||
        !absl::StrContains(host, ':')) {
      return refused;
    }
  } else if (!IsHostName(host)) {
    return refused;
  }
  url.host = std::string(host);
  return url;
}

std::string HttpsUrl::Origin() const {
  return absl::StrContains(host, ':')
             ? absl::StrCat("https://[", host, "]:", port)
             : absl::StrCat("https://", host, ":", port);
}

}  // namespace schleuse
