#include "base/ip_network.h"

#include <algorithm>
#include <array>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"

namespace schleuse {
namespace {

bool Bit(const IpAddress& ip, int number) {
  const auto byte = static_cast<uint8_t>(ip.bytes()[number / 8]);
  return (byte >> (7 - number % 8) & 1) != 0;
}

bool SameUpTo(int bits, const IpAddress& a, const IpAddress& b) {
  if (a.is_v4() != b.is_v4()) return false;
  for (int i = 0; i < bits; ++i) {
    if (Bit(a, i) != Bit(b, i)) return false;
  }
  return true;
}

int BitsOf(const IpAddress& ip) {
  return 8 * static_cast<int>(ip.bytes().size());
}

struct Internal {
  const char* network;
  int prefix_bits;
};
constexpr std::array<Internal, 7> kInternal = {{{"10.0.0.0", 8},
                                                {"172.16.0.0", 12},
                                                {"192.168.0.0", 16},
                                                {"100.64.0.0", 10},
                                                {"127.0.0.0", 8},
                                                {"fc00::", 7},
                                                {"::1", 128}}};

}  // namespace

absl::StatusOr<IpNetwork> IpNetwork::Parse(absl::string_view text) {
  const absl::Status refused = absl::InvalidArgumentError(
      "must be a network, 10.20.0.0/16 or fd00:20::/32");
  const size_t slash = text.find('/');
  absl::StatusOr<IpAddress> ip = IpAddress::Parse(text.substr(0, slash));
  if (!ip.ok() || ip->is_v4() == absl::StrContains(text, ':')) return refused;
  int bits = BitsOf(*ip);
  if (slash != absl::string_view::npos) {
    const std::optional<uint16_t> given = ParsePort(text.substr(slash + 1));
    if (!given || *given > bits) return refused;
    bits = *given;
  }
  for (int i = bits; i < BitsOf(*ip); ++i) {
    if (!Bit(*ip, i)) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "has bits beyond its prefix of ", bits, ": which network is meant?"));
  }
  return IpNetwork(*std::move(ip), bits);
}

std::string IpNetwork::ToString() const {
  return absl::StrCat(first_.ToString(), "/", prefix_bits_);
}

bool IpNetwork::Holds(const IpAddress& ip) const {
  return SameUpTo(prefix_bits_, first_, ip);
}

bool IpNetwork::IsInternal() const {
  return std::any_of(kInternal.begin(), kInternal.end(),
                     [this](const Internal& internal) {
                       return prefix_bits_ >= internal.prefix_bits &&
                              SameUpTo(internal.prefix_bits, first_,
                                       *IpAddress::Parse(internal.network));
                     });
}

absl::StatusOr<NetworkPort> NetworkPort::Parse(absl::string_view text) {
  const absl::Status refused = absl::InvalidArgumentError(
      "must be a network and a port, 10.20.0.0/16:443 or [fd00:20::/32]:443");
  absl::string_view cidr = text;
  std::optional<uint16_t> port;
  const size_t colon = text.rfind(':');
  const bool bracketed = absl::StartsWith(text, "[");
  // Of an IPv6 network without brackets the last colon is its own.
  if (colon != absl::string_view::npos && !absl::EndsWith(text, "]") &&
      (bracketed || text.find(':') == colon)) {
    port = ParsePort(text.substr(colon + 1));
    if (!port || *port == 0) return refused;
    cidr = text.substr(0, colon);
  }
  if (bracketed &&
      !(absl::ConsumePrefix(&cidr, "[") && absl::ConsumeSuffix(&cidr, "]"))) {
    return refused;
  }
  ASSIGN_OR_RETURN(IpNetwork network, IpNetwork::Parse(cidr));
  if (bracketed && network.is_v4()) return refused;
  return NetworkPort{std::move(network), port};
}

std::string NetworkPort::ToString() const {
  if (!port) return network.ToString();
  return network.is_v4() ? absl::StrCat(network.ToString(), ":", *port)
                         : absl::StrCat("[", network.ToString(), "]:", *port);
}

}  // namespace schleuse
