// Who may ask the witness over the network, decided inside the handshake. It
// knows no HTTP.
#ifndef SCHLEUSE_WITNESS_DOOR_H_
#define SCHLEUSE_WITNESS_DOOR_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "crypto/certificate.h"
#include "witness/config.h"

namespace schleuse {

// The gateway that a client may ask for: one whose certificate was issued by
// one of our CAs, is not revoked, and names exactly one client that is
// configured.
//   PermissionDenied  nobody of ours; the message says why, for the log
absl::StatusOr<std::string> GatewayOf(const Certificate& client,
                                      const WitnessConfig::Https& https,
                                      absl::Time now);

}  // namespace schleuse

#endif  // SCHLEUSE_WITNESS_DOOR_H_
