// A published log that was carried here on a stick (C2SP tlog-tiles: its
// directory with `checkpoint` and `tile/`), as the request that a gateway would
// have made.
#ifndef SCHLEUSE_WITNESS_CARRIED_H_
#define SCHLEUSE_WITNESS_CARRIED_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "disk/disk.h"
#include "evidence/cosigning.h"
#include "witness/witness.h"

namespace schleuse {

// What to ask `witness` for, so that it cosigns the checkpoint in `directory`.
//   NotFound         there is no log, or a tile is missing
//   InvalidArgument  what is there is none
absl::StatusOr<AddCheckpoint> ReadCarried(const Disk& disk,
                                          absl::string_view directory,
                                          const Witness& witness);

}  // namespace schleuse

#endif  // SCHLEUSE_WITNESS_CARRIED_H_
