#include "gateway/rpc/listen_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"

namespace schleuse {
namespace {

bool IsLiteral(int family, const std::string& text) {
  in6_addr room_for_both;
  // inet_pton would stop at a NUL, and the rest would go unread.
  return text.find('\0') == std::string::npos &&
         inet_pton(family, text.c_str(), &room_for_both) == 1;
}

// SimpleAtoi would take spaces and signs.
bool ParsePort(absl::string_view text, uint16_t& port) {
  uint32_t value;
  if (text.empty() || text.size() > 5 ||
      !std::all_of(text.begin(), text.end(), absl::ascii_isdigit) ||
      !absl::SimpleAtoi(text, &value) || value > 65535) {
    return false;
  }
  port = static_cast<uint16_t>(value);
  return true;
}

}  // namespace

absl::StatusOr<ListenAddress> ListenAddress::Parse(absl::string_view text) {
  const absl::Status refused = absl::InvalidArgumentError(
      "must be an IP address and a port, 192.0.2.1:8443 or [2001:db8::1]:8443");
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return refused;
  absl::string_view host = text.substr(0, colon);
  uint16_t port;
  if (!ParsePort(text.substr(colon + 1), port)) return refused;
  if (absl::ConsumePrefix(&host, "[") && absl::ConsumeSuffix(&host, "]")) {
    std::string ip(host);
    if (!IsLiteral(AF_INET6, ip)) return refused;
    return ListenAddress(std::move(ip), port);
  }
  std::string ip(host);
  if (!IsLiteral(AF_INET, ip)) return refused;
  return ListenAddress(std::move(ip), port);
}

}  // namespace schleuse
