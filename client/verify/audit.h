// Audits a custody log as it lies in a directory: all of it, without the
// gateway.
#ifndef SCHLEUSE_CLIENT_VERIFY_AUDIT_H_
#define SCHLEUSE_CLIENT_VERIFY_AUDIT_H_

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/verify/report.h"
#include "disk/disk.h"
#include "evidence/checkpoint.h"
#include "proto/statement.pb.h"

namespace schleuse::client {

// A checkpoint that was kept elsewhere: the log must not have fallen behind it.
struct KeptCheckpoint {
  std::string from;  // for the report: where it was kept
  std::string note;
};
// Out of a checkpoint, or of a receipt, which ends in one.
KeptCheckpoint KeptFrom(absl::string_view from, absl::string_view bytes);

// Every statement of the logs in order, as the audit comes by: what it says of
// them is believed only if the report holds in the end. `where` is for people.
using EachStatement = absl::FunctionRef<void(
    absl::string_view where, const statement::v1::Statement& statement)>;

// Every entry, tile and checkpoint of every year below `directory`, or of the
// one year that it holds; the chain of the years; what was deleted.
//   NotFound and others  the directory cannot be read: nothing is known
absl::StatusOr<Report> AuditLog(const Disk& disk, absl::string_view directory,
                                const PinnedKeys& pinned,
                                const std::vector<KeptCheckpoint>& kept,
                                Advance advance);
absl::StatusOr<Report> AuditLog(const Disk& disk, absl::string_view directory,
                                const PinnedKeys& pinned,
                                const std::vector<KeptCheckpoint>& kept,
                                Advance advance, EachStatement each);

// Whether the log in `directory` contains all that the kept checkpoint's had,
// from its tiles alone.
absl::StatusOr<Report> CheckConsistency(const Disk& disk,
                                        const KeptCheckpoint& old,
                                        absl::string_view directory,
                                        const PinnedKeys& pinned);

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_VERIFY_AUDIT_H_
