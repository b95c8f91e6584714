// Networks of IP addresses as they are written, and one port or all of them in
// each. It opens nothing and looks nobody up.
#ifndef SCHLEUSE_BASE_IP_NETWORK_H_
#define SCHLEUSE_BASE_IP_NETWORK_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/socket_address.h"

namespace schleuse {

// In CIDR notation (RFC 4632, RFC 4291 2.3).
class IpNetwork {
 public:
  // "10.20.0.0/16", "fd00:20::/32"; an address alone is a network of one. No
  // network of IPv4 addresses that are mapped into IPv6: its prefix would count
  // other bits than it says.
  //   InvalidArgument  it is none, or has bits beyond its prefix
  static absl::StatusOr<IpNetwork> Parse(absl::string_view text);
  std::string ToString() const;

  bool is_v4() const { return first_.is_v4(); }
  // An address of the other family lies in no network of this one.
  bool Holds(const IpAddress& ip) const;
  // Whether all of it is out of the internet's reach: RFC 1918, RFC 6598, RFC
  // 4193, loopback.
  bool IsInternal() const;

  friend bool operator==(const IpNetwork&, const IpNetwork&) = default;

 private:
  IpNetwork(IpAddress first, int prefix_bits)
      : first_(std::move(first)), prefix_bits_(prefix_bits) {}

  IpAddress first_;
  int prefix_bits_;
};

struct NetworkPort {
  IpNetwork network;
  std::optional<uint16_t> port;  // absent: all of them

  // "10.20.0.0/16:443", "[fd00:20::/32]:443"; without a port the brackets may
  // be left away.
  //   InvalidArgument  as IpNetwork says, or it is no port
  static absl::StatusOr<NetworkPort> Parse(absl::string_view text);
  std::string ToString() const;

  bool Holds(const SocketAddress& address) const {
    return (!port || address.port == *port) && network.Holds(address.ip);
  }

  friend bool operator==(const NetworkPort&, const NetworkPort&) = default;
};

}  // namespace schleuse

#endif  // SCHLEUSE_BASE_IP_NETWORK_H_
