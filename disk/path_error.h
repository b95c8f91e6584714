// What the kernel's error numbers mean in the words of disk.h. It calls no
// file system.
#ifndef SCHLEUSE_DISK_PATH_ERROR_H_
#define SCHLEUSE_DISK_PATH_ERROR_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace schleuse {

// The status for `error`, an errno, with a message that names the operation,
// the path and the reason.
absl::Status PathError(int error, absl::string_view operation,
                       absl::string_view path);

// The same for `error` of fsync or fdatasync. What they could not do is never
// Unavailable, as if nothing had been tried.
absl::Status SyncError(int error, absl::string_view operation,
                       absl::string_view path);

//   InvalidArgument  `path` is not absolute, or holds a NUL behind which the
//                    kernel would not look
absl::Status CheckPath(absl::string_view operation, absl::string_view path);

}  // namespace schleuse

#endif  // SCHLEUSE_DISK_PATH_ERROR_H_
