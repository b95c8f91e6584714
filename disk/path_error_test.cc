#include "disk/path_error.h"

#include <cerrno>

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;

TEST(PathErrorTest, TellsTheCallerWhatToDo) {
  const struct {
    int error;
    StatusCode code;
  } kCases[] = {
      {ENOENT, StatusCode::kNotFound},
      {ENOTDIR, StatusCode::kNotFound},
      {EEXIST, StatusCode::kAlreadyExists},
      {ENOSPC, StatusCode::kResourceExhausted},
      {EDQUOT, StatusCode::kResourceExhausted},
      {EFBIG, StatusCode::kResourceExhausted},
      {EXDEV, StatusCode::kFailedPrecondition},
      {ENOTEMPTY, StatusCode::kFailedPrecondition},
      {EISDIR, StatusCode::kFailedPrecondition},
      {EACCES, StatusCode::kPermissionDenied},
      {EPERM, StatusCode::kPermissionDenied},
      {EROFS, StatusCode::kPermissionDenied},
      {EMFILE, StatusCode::kUnavailable},
      {ENFILE, StatusCode::kUnavailable},
      {ENOMEM, StatusCode::kUnavailable},
      {EINVAL, StatusCode::kInvalidArgument},
      {ENAMETOOLONG, StatusCode::kInvalidArgument},
      {EIO, StatusCode::kDataLoss},
      {EBADF, StatusCode::kDataLoss},
      {ESTALE, StatusCode::kDataLoss},
  };
  for (const auto& [error, code] : kCases) {
    EXPECT_THAT(PathError(error, "open", "/f"), StatusIs(code)) << error;
  }
}

// "Unavailable" would mean: nothing was tried, do it again.
TEST(SyncErrorTest, IsLossOrNoRoomAndNeverUnavailable) {
  for (const int error : {ENOSPC, EDQUOT}) {
    EXPECT_THAT(SyncError(error, "sync", "/f"),
                StatusIs(StatusCode::kResourceExhausted))
        << error;
  }
  for (const int error : {ENOMEM, ENFILE, EMFILE, EIO, EINVAL, EROFS, ENOENT}) {
    EXPECT_THAT(SyncError(error, "sync", "/f"), StatusIs(StatusCode::kDataLoss))
        << error;
  }
  EXPECT_EQ(SyncError(ENOMEM, "sync", "/f").message(),
            "sync /f: Cannot allocate memory");
}

TEST(PathErrorTest, NamesOperationPathAndReason) {
  EXPECT_EQ(PathError(EIO, "sync", "/f").message(),
            "sync /f: Input/output error");
}

TEST(PathErrorTest, ABadPathIsEscapedInTheMessage) {
  EXPECT_OK(CheckPath("open", "/f"));
  EXPECT_THAT(CheckPath("open", "f\n"),
              StatusIs(StatusCode::kInvalidArgument,
                       testing::HasSubstr("open \"f\\n\"")));
  EXPECT_THAT(CheckPath("open", absl::string_view("/\0", 2)),
              StatusIs(StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace schleuse
