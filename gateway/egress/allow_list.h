// Whither the gateway may connect: networks and ports. What no entry permits is
// forbidden; without entries that is everything.
#ifndef SCHLEUSE_GATEWAY_EGRESS_ALLOW_LIST_H_
#define SCHLEUSE_GATEWAY_EGRESS_ALLOW_LIST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/ip_network.h"
#include "base/socket_address.h"

namespace schleuse {

// A network and one port in it.
struct AllowedNetwork {
  IpNetwork network;
  uint16_t port;

  // "10.20.0.0/16:443", "[fd00:20::/32]:443"; an address alone is a network of
  // one.
  //   InvalidArgument  it is none, or has bits beyond its prefix, or no port
  static absl::StatusOr<AllowedNetwork> Parse(absl::string_view text);
  std::string ToString() const { return NetworkPort{network, port}.ToString(); }
  bool Holds(const SocketAddress& address) const {
    return address.port == port && network.Holds(address.ip);
  }
  bool IsInternal() const { return network.IsInternal(); }
};

class AllowList {
 public:
  AllowList() = default;
  explicit AllowList(std::vector<AllowedNetwork> networks)
      : networks_(std::move(networks)) {}

  bool Permits(const SocketAddress& address) const;
  const std::vector<AllowedNetwork>& networks() const { return networks_; }

 private:
  std::vector<AllowedNetwork> networks_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_EGRESS_ALLOW_LIST_H_
