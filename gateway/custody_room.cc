#include "gateway/custody_room.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "gateway/custody/custody_log.h"
#include "gateway/markers.h"

namespace schleuse {
namespace {

absl::Status MakeEmpty(Disk& disk, const std::string& directory) {
  if (absl::IsNotFound(disk.Stat(ParentOf(directory)).status())) {
    return absl::FailedPreconditionError(absl::StrCat(
        ParentOf(directory), " is missing: mount or make it first"));
  }
  return MakeDirectories(disk, directory);
}

// What an interrupted set-up left: keys that signed nothing, files without
// content. Anything else is not ours to remove.
absl::Status RemoveRemains(Disk& disk, const std::string& directory) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, disk.List(directory));
  for (const std::string& name : names) {
    const std::string path = JoinPath(directory, name);
    if (name == "lost+found") continue;
    if (name == "wal") {
      // Fails, and so refuses, if there is a log in it.
      RETURN_IF_ERROR(disk.RemoveDirectory(path));
    } else if (name == "ed25519.pem" || name == "ecdsa-p256.pem" ||
               name == "keys.pub" || name == "keys.pub.new" ||
               name == "reserve" || name == "schleuse.marker.new") {
      RETURN_IF_ERROR(disk.Remove(path));
    } else {
      return absl::FailedPreconditionError(
          absl::StrCat(directory, " is not empty: it holds ", name,
                       "; choose another directory, or move that away"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status InitCustodyPlace(Disk& disk, const CustodyPlace& place,
                              absl::string_view gateway_id) {
  for (const std::string& directory : {place.directory, place.key_directory}) {
    RETURN_IF_ERROR(MakeEmpty(disk, directory));
  }
  if (HasMarker(disk, place.directory)) {
    return absl::FailedPreconditionError(absl::StrCat(
        place.directory,
        " has a custody log already (schleuse.marker); nothing was changed"));
  }
  for (const std::string& directory : {place.directory, place.key_directory}) {
    RETURN_IF_ERROR(RemoveRemains(disk, directory));
  }
  RETURN_IF_ERROR(InitCustody(disk, place.directory, place.key_directory,
                              place.gateway_name, place.reserve_bytes));
  return WriteMarker(disk, place.directory, "custody", gateway_id);
}

absl::StatusOr<CustodyKeys> OpenCustodyPlace(const Disk& disk,
                                             const CustodyPlace& place,
                                             absl::string_view gateway_id) {
  RETURN_IF_ERROR(CheckMarker(disk, place.directory, "custody", gateway_id));
  return CustodyKeys::Load(disk, place.key_directory, place.gateway_name);
}

}  // namespace schleuse
