#include "disk/disk.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "disk/fake_disk.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;
using testing::AnyOf;
using testing::ElementsAre;
using Kind = DiskOperation::Kind;

TEST(PathTest, ParentOf) {
  EXPECT_EQ(ParentOf("/a/b/c"), "/a/b");
  EXPECT_EQ(ParentOf("/a"), "/");
  EXPECT_EQ(ParentOf("/"), "/");
  EXPECT_EQ(ParentOf("/a/b/"), "/a");
  EXPECT_EQ(ParentOf("/a//b"), "/a");
}

TEST(PathTest, JoinPathPutsOneSlash) {
  EXPECT_EQ(JoinPath("/a", "b"), "/a/b");
  EXPECT_EQ(JoinPath("/a/", "b"), "/a/b");
  EXPECT_EQ(JoinPath("/", "b"), "/b");
  EXPECT_EQ(JoinPath("/a", "b/c"), "/a/b/c");
}

TEST(ReadFileTest, TakesAFileUpToTheBoundAndNoneBeyond) {
  FakeDisk disk;
  ASSERT_OK(WriteFileAtomically(disk, "/f", "abc"));
  EXPECT_THAT(ReadFile(disk, "/f", 4), IsOkAndHolds("abc"));
  EXPECT_THAT(ReadFile(disk, "/f", 3), IsOkAndHolds("abc"));
  EXPECT_THAT(ReadFile(disk, "/f", 2),
              StatusIs(StatusCode::kResourceExhausted));
  EXPECT_THAT(ReadFile(disk, "/g", 2), StatusIs(StatusCode::kNotFound));
}

TEST(WriteFileAtomicallyTest, SurvivesThePowerOnceItSaidOk) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    FakeDisk disk(seed);
    ASSERT_OK(WriteFileAtomically(disk, "/f", "new"));
    disk.CutPower();
    disk.RestorePower();
    EXPECT_THAT(ReadFile(disk, "/f", 9), IsOkAndHolds("new")) << seed;
  }
}

TEST(WriteFileAtomicallyTest, LeavesOldOrNewWhereverThePowerIsCut) {
  const std::string old_bytes(2000, 'o');
  const std::string new_bytes(3000, 'n');
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    bool cut = true;
    for (int operations = 0; cut; ++operations) {
      FakeDisk disk(seed);
      ASSERT_OK(WriteFileAtomically(disk, "/f", old_bytes));
      disk.CutPowerAfter(operations);
      const absl::Status written = WriteFileAtomically(disk, "/f", new_bytes);
      cut = disk.power_was_cut();
      EXPECT_EQ(written.ok(), !cut);
      disk.RestorePower();
      EXPECT_THAT(ReadFile(disk, "/f", 9999),
                  IsOkAndHolds(AnyOf(old_bytes, new_bytes)))
          << "seed " << seed << ", cut after " << operations;
      EXPECT_OK(WriteFileAtomically(disk, "/f", "again"));
    }
  }
}

TEST(WriteFileAtomicallyTest, ReplacesATemporaryFileOfAnEarlierCrash) {
  FakeDisk disk;
  ASSERT_OK_AND_ASSIGN(const auto stale, disk.Create("/f.new"));
  ASSERT_OK(stale->Write(0, "stale and longer"));
  ASSERT_OK(WriteFileAtomically(disk, "/f", "new"));
  EXPECT_THAT(ReadFile(disk, "/f", 99), IsOkAndHolds("new"));
  EXPECT_THAT(disk.List("/"), IsOkAndHolds(ElementsAre("f")));
}

TEST(WriteFileAtomicallyTest, AFailureKeepsTheOldFileAndLeavesNothingElse) {
  for (const Kind kind :
       {Kind::kCreate, Kind::kWrite, Kind::kSync, Kind::kReplace}) {
    FakeDisk disk;
    ASSERT_OK(WriteFileAtomically(disk, "/f", "old"));
    disk.SetFault([kind](const DiskOperation& operation) {
      return operation.kind == kind ? absl::ResourceExhaustedError("full")
                                    : absl::OkStatus();
    });
    EXPECT_THAT(WriteFileAtomically(disk, "/f", "new"),
                StatusIs(StatusCode::kResourceExhausted));
    EXPECT_THAT(ReadFile(disk, "/f", 9), IsOkAndHolds("old"));
    EXPECT_THAT(disk.List("/"), IsOkAndHolds(ElementsAre("f")));
  }
}

TEST(WriteFileAtomicallyTest, TellsIfTheNameMayNotBeDurable) {
  FakeDisk disk;
  disk.SetFault([](const DiskOperation& operation) {
    return operation.kind == Kind::kSyncDirectory ? absl::DataLossError("disk")
                                                  : absl::OkStatus();
  });
  EXPECT_THAT(WriteFileAtomically(disk, "/f", "new"),
              StatusIs(StatusCode::kDataLoss));
}

TEST(MakeDirectoriesTest, SurvivesThePowerOnceItSaidOk) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    FakeDisk disk(seed);
    ASSERT_OK(MakeDirectories(disk, "/a/b/c"));
    disk.RestorePower();
    EXPECT_OK(disk.List("/a/b/c").status()) << seed;
  }
}

// A process that dies between making a directory and syncing its name leaves
// one that is there and yet may be lost.
TEST(MakeDirectoriesTest, SyncsADirectoryThatACrashLeftUnsynced) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    FakeDisk disk(seed);
    ASSERT_OK(disk.MakeDirectory("/a"));
    ASSERT_OK(MakeDirectories(disk, "/a/b"));
    ASSERT_OK(disk.MakeDirectory("/whole"));
    ASSERT_OK(MakeDirectories(disk, "/whole"));
    disk.RestorePower();
    EXPECT_THAT(disk.List("/"), IsOkAndHolds(ElementsAre("a", "whole")));
    EXPECT_THAT(disk.List("/a"), IsOkAndHolds(ElementsAre("b")));
  }
}

TEST(MakeDirectoriesTest, NeverAnswersOkWherePowerCanStillTakeIt) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    bool cut = true;
    for (int operations = 0; cut; ++operations) {
      FakeDisk disk(seed);
      disk.CutPowerAfter(operations);
      const absl::Status made = MakeDirectories(disk, "/a/b/c");
      cut = disk.power_was_cut();
      EXPECT_EQ(made.ok(), !cut);
      disk.RestorePower();
      EXPECT_OK(MakeDirectories(disk, "/a/b/c"));
    }
  }
}

TEST(MakeDirectoriesTest, ADirectoryWhoseSyncFailedIsNotBelievedLater) {
  for (int which = 1; which <= 3; ++which) {
    for (uint64_t seed = 1; seed <= 50; ++seed) {
      FakeDisk disk(seed);
      disk.SetFault([which, syncs = 0](const DiskOperation& operation) mutable {
        return operation.kind == Kind::kSyncDirectory && ++syncs == which
                   ? absl::DataLossError("disk")
                   : absl::OkStatus();
      });
      EXPECT_THAT(MakeDirectories(disk, "/a/b/c"),
                  StatusIs(StatusCode::kDataLoss));
      EXPECT_OK(MakeDirectories(disk, "/a/b/c"));
      disk.RestorePower();
      EXPECT_OK(disk.List("/a/b/c").status()) << which << ", seed " << seed;
    }
  }
}

TEST(MakeDirectoriesTest, RefusesAFileInItsWay) {
  FakeDisk disk;
  ASSERT_OK(WriteFileAtomically(disk, "/f", ""));
  EXPECT_THAT(MakeDirectories(disk, "/f"),
              StatusIs(StatusCode::kAlreadyExists));
  EXPECT_THAT(MakeDirectories(disk, "/f/g/h"),
              StatusIs(StatusCode::kAlreadyExists));
}

TEST(MakeDirectoriesTest, DoesNotMindAParentThatItMayNotRead) {
  FakeDisk disk;
  ASSERT_OK(MakeDirectories(disk, "/srv/ours"));
  disk.SetFault([](const DiskOperation& operation) {
    return operation.kind == Kind::kSyncDirectory && operation.path == "/srv"
               ? absl::PermissionDeniedError("not yours")
               : absl::OkStatus();
  });
  EXPECT_OK(MakeDirectories(disk, "/srv/ours"));
  EXPECT_OK(MakeDirectories(disk, "/srv/ours/spool"));
  EXPECT_THAT(MakeDirectories(disk, "/srv/theirs"),
              StatusIs(StatusCode::kPermissionDenied));
}

TEST(MakeDirectoriesTest, HandsUpAFailingSync) {
  FakeDisk disk;
  disk.SetFault([](const DiskOperation& operation) {
    return operation.kind == Kind::kSyncDirectory ? absl::DataLossError("disk")
                                                  : absl::OkStatus();
  });
  EXPECT_THAT(MakeDirectories(disk, "/a"), StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(MakeDirectories(disk, "/a"), StatusIs(StatusCode::kDataLoss));
}

}  // namespace
}  // namespace schleuse
