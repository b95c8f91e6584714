// Whither footage went over a span of days, out of what a gateway stated: a
// custody log is audited as a whole, and its statements of next hops are held
// against the networks that are allowed.
#ifndef SCHLEUSE_CLIENT_VERIFY_RESIDENCY_H_
#define SCHLEUSE_CLIENT_VERIFY_RESIDENCY_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/ip_network.h"
#include "client/verify/report.h"
#include "disk/disk.h"
#include "evidence/checkpoint.h"

namespace schleuse::client {

struct ResidencyQuestion {
  // Where next hops may be. None: only a store in the gateway itself may be.
  std::vector<NetworkPort> allow = {};
  // From the first on and before the second; infinite: from the first, or to
  // the last moment of which something is stated.
  absl::Time from = absl::InfinitePast();
  absl::Time to = absl::InfiniteFuture();
};

// Holds if the log does (as AuditLog says), its statements speak of every
// moment that is asked for, and every next hop is allowed.
//   NotFound and others  the directory cannot be read: nothing is known
absl::StatusOr<Report> CheckResidency(const Disk& disk,
                                      absl::string_view directory,
                                      const PinnedKeys& pinned,
                                      const ResidencyQuestion& question,
                                      Advance advance);

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_VERIFY_RESIDENCY_H_
