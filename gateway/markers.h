// The file `schleuse.marker` in the directories of a gateway: it says whose
// they are, so that a missing mount never looks like a first day. It knows
// nothing of what else lies in them.
//
// Three lines (docs/formats.md):
//   schleuse-marker 1
//   gateway <32 lowercase hex digits>
//   room spool               or: room store, room custody
#ifndef SCHLEUSE_GATEWAY_MARKERS_H_
#define SCHLEUSE_GATEWAY_MARKERS_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/random.h"
#include "disk/disk.h"

namespace schleuse {

// Marks both directories, made if missing (their parents exist), as those of a
// new gateway, durably, and returns its id. Both hold nothing, or only ext4's
// lost+found.
//
// The spool's marker has a name of its own until the store's is durable. Who
// finds that name finds a set-up that was interrupted: calling this again
// finishes it, whatever moment it was. A marker without it is never touched.
//   FailedPrecondition  a directory is marked already, or holds something, or
//                       its parent is missing; the message says what to do
//   others              as Disk says
absl::StatusOr<std::string> InitMarkers(Disk& disk, absl::string_view spool,
                                        absl::string_view store,
                                        Random& random);
// The same where the store is no directory: `mark_store` marks it, durably, as
// that of a gateway. It may be asked again for the same one.
absl::StatusOr<std::string> InitSpoolMarker(
    Disk& disk, absl::string_view spool, Random& random,
    const std::function<absl::Status(absl::string_view gateway_id)>&
        mark_store);

// The id of the gateway that both directories belong to. Changes nothing.
//   FailedPrecondition  a marker is missing or not what it should be; the
//                       message says what to do
//   others              as Disk says
absl::StatusOr<std::string> CheckMarkers(const Disk& disk,
                                         absl::string_view spool,
                                         absl::string_view store);

// The same of the spool alone.
absl::StatusOr<std::string> CheckSpoolMarker(const Disk& disk,
                                             absl::string_view spool);

// The same for one more directory of a gateway that has its two, which exists.
bool HasMarker(const Disk& disk, absl::string_view directory);
absl::Status WriteMarker(Disk& disk, absl::string_view directory,
                         absl::string_view room, absl::string_view gateway_id);
//   FailedPrecondition  as CheckMarkers
absl::Status CheckMarker(const Disk& disk, absl::string_view directory,
                         absl::string_view room, absl::string_view gateway_id);

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_MARKERS_H_
