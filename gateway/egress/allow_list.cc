#include "gateway/egress/allow_list.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

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

absl::StatusOr<AllowedNetwork> AllowedNetwork::Parse(absl::string_view text) {
  const absl::Status refused = absl::InvalidArgumentError(
      "must be a network and a port, 10.20.0.0/16:443 or [fd00:20::/32]:443");
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return refused;
  absl::string_view cidr = text.substr(0, colon);
  const std::optional<uint16_t> port = ParsePort(text.substr(colon + 1));
  if (!port || *port == 0) return refused;
  const bool bracketed =
      absl::ConsumePrefix(&cidr, "[") && absl::ConsumeSuffix(&cidr, "]");
  if (bracketed != absl::StrContains(cidr, ':')) return refused;
  const size_t slash = cidr.find('/');
  absl::StatusOr<IpAddress> ip = IpAddress::Parse(cidr.substr(0, slash));
  // A prefix of a mapped address would count other bits than it says.
  if (!ip.ok() || ip->is_v4() == bracketed) return refused;
  int bits = BitsOf(*ip);
  if (slash != absl::string_view::npos) {
    const std::optional<uint16_t> given = ParsePort(cidr.substr(slash + 1));
    if (!given || *given > bits) return refused;
    bits = *given;
  }
  for (int i = bits; i < BitsOf(*ip); ++i) {
    if (!Bit(*ip, i)) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "has bits beyond its prefix of ", bits, ": which network is meant?"));
  }
  return AllowedNetwork{*std::move(ip), bits, *port};
}

std::string AllowedNetwork::ToString() const {
  const std::string cidr = absl::StrCat(network.ToString(), "/", prefix_bits);
  return network.is_v4() ? absl::StrCat(cidr, ":", port)
                         : absl::StrCat("[", cidr, "]:", port);
}

bool AllowedNetwork::Holds(const SocketAddress& address) const {
  return address.port == port && SameUpTo(prefix_bits, network, address.ip);
}

bool AllowedNetwork::IsInternal() const {
  return std::any_of(kInternal.begin(), kInternal.end(),
                     [this](const Internal& internal) {
                       return prefix_bits >= internal.prefix_bits &&
                              SameUpTo(internal.prefix_bits, network,
                                       *IpAddress::Parse(internal.network));
                     });
}

bool AllowList::Permits(const SocketAddress& address) const {
  return std::any_of(networks_.begin(), networks_.end(),
                     [&address](const AllowedNetwork& network) {
                       return network.Holds(address);
                     });
}

}  // namespace schleuse
