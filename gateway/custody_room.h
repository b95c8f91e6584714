// Where the custody log lies and what it is signed with: made by init, checked
// before each start. It knows nothing of what the log says.
#ifndef SCHLEUSE_GATEWAY_CUSTODY_ROOM_H_
#define SCHLEUSE_GATEWAY_CUSTODY_ROOM_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "disk/disk.h"
#include "gateway/custody/keys.h"

namespace schleuse {

// All paths are absolute.
struct CustodyPlace {
  std::string gateway_name;   // as its keys are pinned
  std::string directory;      // what auditors may read
  std::string key_directory;  // what nobody else may
  uint64_t reserve_bytes;
  int keep_years;
};

// Makes both directories, the keys and an empty log, durably; the marker of the
// gateway `gateway_id` comes last. Who finds none finds a set-up that was
// interrupted: calling this again begins it anew.
//   FailedPrecondition  there is a log already, or something else, or a parent
//                       directory is missing; the message says what to do
absl::Status InitCustodyPlace(Disk& disk, const CustodyPlace& place,
                              absl::string_view gateway_id);

// The keys of the log that belongs to the gateway `gateway_id`.
//   FailedPrecondition  the marker or a key is missing or another's; the
//                       message says what to do
absl::StatusOr<CustodyKeys> OpenCustodyPlace(const Disk& disk,
                                             const CustodyPlace& place,
                                             absl::string_view gateway_id);

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_CUSTODY_ROOM_H_
