// Who is at the other end of the connection that a request of curl's uses at
// this moment. For gateway/egress/*.cc alone.
#ifndef SCHLEUSE_GATEWAY_EGRESS_FOOTAGE_CONNECTION_H_
#define SCHLEUSE_GATEWAY_EGRESS_FOOTAGE_CONNECTION_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "gateway/egress/footage_span.h"

namespace schleuse {

struct FootageConnection {
  // Equal for two requests, or two moments of one, that share a connection of
  // one client. An address in memory may come back, the number of sockets that
  // the client made before it does not.
  struct Id {
    const void* tls;
    uint64_t sockets;

    friend bool operator==(const Id&, const Id&) = default;
  };
  Id id;
  FootagePeer peer;
};

// `easy`, a CURL*, is within a callback of a request. `sockets`: how many its
// client made so far.
//   Internal  curl does not say
absl::StatusOr<FootageConnection::Id> ConnectionOf(void* easy,
                                                   uint64_t sockets);
// Address and certificate, as the kernel and TLS have them, whether the
// connection was made for this request or kept from an earlier one.
//   Internal  curl does not say
absl::StatusOr<FootagePeer> PeerOfConnection(void* easy);

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_EGRESS_FOOTAGE_CONNECTION_H_
