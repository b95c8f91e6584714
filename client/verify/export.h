// Hands out a span of a custody log as statements with their proofs, each of
// which verifies alone; and checks what was handed out.
//
//   <out>/keys.pub
//   <out>/<year>[-n]/<index, 12 digits>.json          the statement
//   <out>/<year>[-n]/<index, 12 digits>.tlog-proof    its receipt
#ifndef SCHLEUSE_CLIENT_VERIFY_EXPORT_H_
#define SCHLEUSE_CLIENT_VERIFY_EXPORT_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/verify/report.h"
#include "disk/disk.h"
#include "evidence/checkpoint.h"

namespace schleuse::client {

// Statements whose time lies in [from, to), and all that stand between the
// first and the last of them. `out` must not exist or be empty.
//   FailedPrecondition  it is not
//   NotFound            there is no log
absl::StatusOr<Report> ExportStatements(Disk& disk, absl::string_view log,
                                        absl::string_view out,
                                        const PinnedKeys& pinned,
                                        absl::Time from, absl::Time to,
                                        Advance advance);

// What ExportStatements wrote.
absl::StatusOr<Report> VerifyExport(const Disk& disk,
                                    absl::string_view directory,
                                    const PinnedKeys& pinned, Advance advance);

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_VERIFY_EXPORT_H_
