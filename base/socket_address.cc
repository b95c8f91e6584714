#include "base/socket_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace schleuse {
namespace {

constexpr absl::string_view kMappedPrefix("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);

absl::string_view WithoutMapping(absl::string_view bytes) {
  if (bytes.size() == 16) absl::ConsumePrefix(&bytes, kMappedPrefix);
  return bytes;
}

}  // namespace

IpAddress IpAddress::FromBytes(absl::string_view bytes) {
  return IpAddress(std::string(WithoutMapping(bytes)));
}

absl::StatusOr<IpAddress> IpAddress::Parse(absl::string_view text) {
  const std::string terminated(text);
  in6_addr v6;
  in_addr v4;
  // inet_pton would stop at a NUL, and the rest would go unread.
  if (!absl::StrContains(text, '\0')) {
    if (inet_pton(AF_INET, terminated.c_str(), &v4) == 1) {
      return FromBytes({reinterpret_cast<const char*>(&v4), sizeof v4});
    }
    if (inet_pton(AF_INET6, terminated.c_str(), &v6) == 1) {
      return FromBytes({reinterpret_cast<const char*>(&v6), sizeof v6});
    }
  }
  return absl::InvalidArgumentError(
      "must be an IP address, 192.0.2.1 or 2001:db8::1");
}

std::string IpAddress::ToString() const {
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data(), text, sizeof text);
  return text;
}

// SimpleAtoi would take spaces and signs.
std::optional<uint16_t> ParsePort(absl::string_view text) {
  uint32_t value;
  if (text.empty() || text.size() > 5 ||
      !std::all_of(text.begin(), text.end(), absl::ascii_isdigit) ||
      !absl::SimpleAtoi(text, &value) || value > 65535) {
    return std::nullopt;
  }
  return static_cast<uint16_t>(value);
}

absl::StatusOr<SocketAddress> SocketAddress::Parse(absl::string_view text) {
  const absl::Status refused = absl::InvalidArgumentError(
      "must be an IP address and a port, 192.0.2.1:8443 or [2001:db8::1]:8443");
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return refused;
  absl::string_view host = text.substr(0, colon);
  const std::optional<uint16_t> port = ParsePort(text.substr(colon + 1));
  if (!port) return refused;
  const bool bracketed =
      absl::ConsumePrefix(&host, "[") && absl::ConsumeSuffix(&host, "]");
  absl::StatusOr<IpAddress> ip = IpAddress::Parse(host);
  if (!ip.ok() || bracketed != absl::StrContains(host, ':')) return refused;
  return SocketAddress{*std::move(ip), *port};
}

std::string SocketAddress::ToString() const {
  return ip.is_v4() ? absl::StrCat(ip.ToString(), ":", port)
                    : absl::StrCat("[", ip.ToString(), "]:", port);
}

}  // namespace schleuse
