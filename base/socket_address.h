// IP addresses and ports as they are written, which need nobody to look them
// up. It opens nothing.
#ifndef SCHLEUSE_BASE_SOCKET_ADDRESS_H_
#define SCHLEUSE_BASE_SOCKET_ADDRESS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace schleuse {

class IpAddress {
 public:
  // "192.0.2.1", "2001:db8::1". An IPv4 address that is mapped into IPv6
  // (RFC 4291, 2.5.5.2) is that IPv4 address. No scope ("fe80::1%eth0"): which
  // link it means differs from machine to machine.
  //   InvalidArgument  no IP literal
  static absl::StatusOr<IpAddress> Parse(absl::string_view text);
  // Of 4 or 16 bytes in the order of the network.
  static IpAddress FromBytes(absl::string_view bytes);

  bool is_v4() const { return bytes_.size() == 4; }
  const std::string& bytes() const { return bytes_; }  // 4 or 16
  std::string ToString() const;

  friend bool operator==(const IpAddress&, const IpAddress&) = default;

 private:
  explicit IpAddress(std::string bytes) : bytes_(std::move(bytes)) {}
  std::string bytes_;
};

struct SocketAddress {
  IpAddress ip;
  uint16_t port;

  // "192.0.2.1:8443", "[2001:db8::1]:8443"; where one listens, port 0 lets the
  // kernel choose.
  //   InvalidArgument  no IP literal, or no port
  static absl::StatusOr<SocketAddress> Parse(absl::string_view text);
  std::string ToString() const;

  friend bool operator==(const SocketAddress&, const SocketAddress&) = default;
};

// "0" to "65535", no sign and no space.
std::optional<uint16_t> ParsePort(absl::string_view text);

}  // namespace schleuse

#endif  // SCHLEUSE_BASE_SOCKET_ADDRESS_H_
