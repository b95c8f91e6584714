// Checks what the store keeps of one recording, without the gateway.
#ifndef SCHLEUSE_CLIENT_VERIFY_BUNDLE_H_
#define SCHLEUSE_CLIENT_VERIFY_BUNDLE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/verify/report.h"
#include "disk/disk.h"
#include "evidence/checkpoint.h"
#include "evidence/receipt.h"

namespace schleuse::client {

// A directory with recording.<ext>, statement.json and receipt.tlog-proof; or,
// where the recording was deleted in its time, with deleted.json and
// deleted.tlog-proof instead of the footage.
// Where receipt.witnessed.tlog-proof lies beside them it is checked as well;
// `policy` says whose word is asked for.
//   NotFound and others  the directory cannot be read: nothing is known
absl::StatusOr<Report> VerifyBundle(const Disk& disk,
                                    absl::string_view directory,
                                    const PinnedKeys& pinned,
                                    const WitnessPolicy& policy,
                                    Advance advance);

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_VERIFY_BUNDLE_H_
