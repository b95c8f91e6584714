#include "gateway/egress/allow_list.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "base/status.h"

namespace schleuse {

absl::StatusOr<AllowedNetwork> AllowedNetwork::Parse(absl::string_view text) {
  ASSIGN_OR_RETURN(NetworkPort parsed, NetworkPort::Parse(text));
  if (!parsed.port) {
    return absl::InvalidArgumentError(
        "must be a network and a port, 10.20.0.0/16:443 or [fd00:20::/32]:443");
  }
  return AllowedNetwork{std::move(parsed.network), *parsed.port};
}

bool AllowList::Permits(const SocketAddress& address) const {
  return std::any_of(networks_.begin(), networks_.end(),
                     [&address](const AllowedNetwork& network) {
                       return network.Holds(address);
                     });
}

}  // namespace schleuse
