// Where a server inside the network is: "https://<host>[:<port>][/<prefix>]".
#ifndef SCHLEUSE_GATEWAY_EGRESS_HTTPS_URL_H_
#define SCHLEUSE_GATEWAY_EGRESS_HTTPS_URL_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace schleuse {

struct HttpsUrl {
  std::string host;  // a name, or an IP literal without brackets
  uint16_t port = 443;
  std::string prefix;  // "" or "/a/b", without a slash at its end

  // No user, no query, no fragment, no escapes.
  //   InvalidArgument  it is none
  static absl::StatusOr<HttpsUrl> Parse(absl::string_view text);
  // "https://host:port", with brackets where they belong.
  std::string Origin() const;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_EGRESS_HTTPS_URL_H_
