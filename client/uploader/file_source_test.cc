#include "client/uploader/file_source.h"

#include "base/status_matchers.h"
#include "disk/fake_disk.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse::client {
namespace {

using absl::StatusCode;
using ::testing::HasSubstr;

std::unique_ptr<File> Put(FakeDisk& disk, absl::string_view bytes) {
  std::unique_ptr<File> file = disk.Create("/r.mp4").value();
  EXPECT_OK(file->Write(0, bytes));
  return file;
}

TEST(FileSourceTest, ReadsAnyPartOfTheFile) {
  FakeDisk disk;
  Put(disk, "0123456789");
  ASSERT_OK_AND_ASSIGN(auto source, FileSource::Open(disk, "/r.mp4"));
  EXPECT_THAT(source->Size(), IsOkAndHolds(10));
  EXPECT_THAT(source->Read(3, 4), IsOkAndHolds(absl::Cord("3456")));
  EXPECT_OK(source->CheckUnchanged());
}

TEST(FileSourceTest, AMissingFileIsSaidSo) {
  FakeDisk disk;
  EXPECT_THAT(FileSource::Open(disk, "/r.mp4"),
              StatusIs(StatusCode::kNotFound));
}

TEST(FileSourceTest, ADirectoryIsNoRecording) {
  FakeDisk disk;
  ASSERT_OK(disk.MakeDirectory("/d"));
  EXPECT_THAT(FileSource::Open(disk, "/d"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("directory")));
}

TEST(FileSourceTest, AnUnreadableFileIsSaidSo) {
  FakeDisk disk;
  Put(disk, "0123456789");
  ASSERT_OK_AND_ASSIGN(auto source, FileSource::Open(disk, "/r.mp4"));
  disk.SetFault([](const DiskOperation& operation) {
    return operation.kind == DiskOperation::Kind::kRead
               ? absl::DataLossError("bad sector")
               : absl::OkStatus();
  });
  EXPECT_THAT(source->Read(0, 4), StatusIs(StatusCode::kDataLoss));
}

TEST(FileSourceTest, AFileThatGrowsIsNoticed) {
  FakeDisk disk;
  const auto file = Put(disk, "0123456789");
  ASSERT_OK_AND_ASSIGN(auto source, FileSource::Open(disk, "/r.mp4"));
  ASSERT_OK(file->Write(10, "more"));
  EXPECT_THAT(source->CheckUnchanged(),
              StatusIs(StatusCode::kFailedPrecondition,
                       HasSubstr("changed during the transfer")));
  EXPECT_THAT(source->Read(0, 4), StatusIs(StatusCode::kFailedPrecondition));
}

TEST(FileSourceTest, AFileThatShrinksIsNoticed) {
  FakeDisk disk;
  const auto file = Put(disk, "0123456789");
  ASSERT_OK_AND_ASSIGN(auto source, FileSource::Open(disk, "/r.mp4"));
  ASSERT_OK(file->Truncate(5));
  EXPECT_THAT(source->Read(0, 10), StatusIs(StatusCode::kFailedPrecondition));
}

TEST(FileSourceTest, AFileThatIsWrittenInPlaceIsNoticed) {
  FakeDisk disk;
  const auto file = Put(disk, "0123456789");
  ASSERT_OK_AND_ASSIGN(auto source, FileSource::Open(disk, "/r.mp4"));
  ASSERT_OK(file->Write(3, "x"));
  EXPECT_THAT(source->CheckUnchanged(),
              StatusIs(StatusCode::kFailedPrecondition,
                       HasSubstr("changed during the transfer: it was "
                                 "written at")));
}

TEST(FileSourceTest, AFileThatVanishesIsNoticed) {
  FakeDisk disk;
  Put(disk, "0123456789");
  ASSERT_OK_AND_ASSIGN(auto source, FileSource::Open(disk, "/r.mp4"));
  ASSERT_OK(disk.Remove("/r.mp4"));
  EXPECT_THAT(source->CheckUnchanged(),
              StatusIs(StatusCode::kNotFound, HasSubstr("during")));
}

}  // namespace
}  // namespace schleuse::client
