// Where the gateway listens, as an address that needs nobody to look it up.
#ifndef SCHLEUSE_GATEWAY_RPC_LISTEN_ADDRESS_H_
#define SCHLEUSE_GATEWAY_RPC_LISTEN_ADDRESS_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace schleuse {

class ListenAddress {
 public:
  // "192.0.2.1:8443", "[2001:db8::1]:8443"; port 0 lets the kernel choose.
  //   InvalidArgument  no IP literal, or no port
  static absl::StatusOr<ListenAddress> Parse(absl::string_view text);

  // The IP literal without its port and brackets.
  const std::string& ip() const { return ip_; }
  uint16_t port() const { return port_; }
  std::string ToString() const {
    const bool v6 = ip_.find(':') != std::string::npos;
    return v6 ? absl::StrCat("[", ip_, "]:", port_)
              : absl::StrCat(ip_, ":", port_);
  }

 private:
  ListenAddress(std::string ip, uint16_t port)
      : ip_(std::move(ip)), port_(port) {}
  std::string ip_;
  uint16_t port_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_RPC_LISTEN_ADDRESS_H_
