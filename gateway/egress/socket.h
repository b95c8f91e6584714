// The kernel's socket addresses as ours. For gateway/egress/*.cc alone.
#ifndef SCHLEUSE_GATEWAY_EGRESS_SOCKET_H_
#define SCHLEUSE_GATEWAY_EGRESS_SOCKET_H_

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <optional>

#include "base/socket_address.h"

namespace schleuse {

// nullopt: of no family that is ever permitted, or bound to one link by a
// scope, which no allow-list can name.
inline std::optional<SocketAddress> FromSocket(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &address, sizeof v4);
    return SocketAddress{
        IpAddress::FromBytes({reinterpret_cast<const char*>(&v4.sin_addr), 4}),
        ntohs(v4.sin_port)};
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &address, sizeof v6);
    if (v6.sin6_scope_id != 0) return std::nullopt;
    return SocketAddress{
        IpAddress::FromBytes(
            {reinterpret_cast<const char*>(&v6.sin6_addr), 16}),
        ntohs(v6.sin6_port)};
  }
  return std::nullopt;
}

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_EGRESS_SOCKET_H_
