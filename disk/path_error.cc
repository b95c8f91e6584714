#include "disk/path_error.h"

#include <cerrno>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace schleuse {
namespace {

absl::StatusCode CodeOf(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::StatusCode::kNotFound;
    case EEXIST:
      return absl::StatusCode::kAlreadyExists;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return absl::StatusCode::kResourceExhausted;
    case EXDEV:
    case ENOTEMPTY:
    case EISDIR:
      return absl::StatusCode::kFailedPrecondition;
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::StatusCode::kPermissionDenied;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return absl::StatusCode::kUnavailable;
    case EINVAL:
    case ENAMETOOLONG:
      return absl::StatusCode::kInvalidArgument;
    default:
      return absl::StatusCode::kDataLoss;
  }
}

absl::Status StatusOf(absl::StatusCode code, int error,
                      absl::string_view operation, absl::string_view path) {
  char buffer[128];
  return absl::Status(code,
                      absl::StrCat(operation, " ", path, ": ",
                                   strerror_r(error, buffer, sizeof(buffer))));
}

}  // namespace

absl::Status PathError(int error, absl::string_view operation,
                       absl::string_view path) {
  return StatusOf(CodeOf(error), error, operation, path);
}

absl::Status SyncError(int error, absl::string_view operation,
                       absl::string_view path) {
  const absl::StatusCode code =
      CodeOf(error) == absl::StatusCode::kResourceExhausted
          ? absl::StatusCode::kResourceExhausted
          : absl::StatusCode::kDataLoss;
  return StatusOf(code, error, operation, path);
}

absl::Status CheckPath(absl::string_view operation, absl::string_view path) {
  if (absl::StartsWith(path, "/") && !absl::StrContains(path, '\0')) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat(operation, " \"", absl::CHexEscape(path),
                   "\": a path is absolute and holds no NUL"));
}

}  // namespace schleuse
