// The power cuts and failures of the fake; that it behaves as a disk is in
// disk_contract_test.cc. Where chance decides, a test looks at many seeds and
// wants to see every outcome.
#include "disk/fake_disk.h"

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;
using testing::Contains;
using testing::ElementsAre;
using testing::IsSupersetOf;
using testing::UnorderedElementsAre;
using Kind = DiskOperation::Kind;

constexpr int kSeeds = 400;
constexpr size_t kSector = 512;

// What `look` sees on the disks of many seeds after `act` and a power cut.
std::set<std::string> Outcomes(
    const std::function<void(FakeDisk&)>& act,
    const std::function<std::string(FakeDisk&)>& look) {
  std::set<std::string> seen;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    FakeDisk disk(seed);
    act(disk);
    disk.CutPower();
    disk.RestorePower();
    seen.insert(look(disk));
  }
  return seen;
}

void PutDurably(FakeDisk& disk, absl::string_view path,
                absl::string_view bytes) {
  ASSERT_OK_AND_ASSIGN(const auto file, disk.Create(path));
  ASSERT_OK(file->Write(0, bytes));
  ASSERT_OK(file->Sync());
  ASSERT_OK(disk.SyncDirectory(ParentOf(path)));
}

std::string Get(FakeDisk& disk, absl::string_view path) {
  const absl::StatusOr<std::string> bytes = ReadFile(disk, path, 1 << 24);
  return bytes.ok() ? *bytes : "(" + bytes.status().ToString() + ")";
}

std::function<std::string(FakeDisk&)> BytesOf(std::string path) {
  return [path](FakeDisk& disk) { return Get(disk, path); };
}

// The names in "/", joined.
std::string Names(FakeDisk& disk) {
  return absl::StrJoin(disk.List("/").value(), " ");
}

FakeDisk::Fault FailEvery(Kind kind, absl::Status status) {
  return [kind, status](const DiskOperation& operation) {
    return operation.kind == kind ? status : absl::OkStatus();
  };
}

// --- bytes and the power ---

TEST(FakeDiskPowerTest, WhatWasSyncedIsNeverLost) {
  const std::string bytes(5000, 'x');
  EXPECT_THAT(Outcomes([&](FakeDisk& disk) { PutDurably(disk, "/f", bytes); },
                       BytesOf("/f")),
              ElementsAre(bytes));
}

TEST(FakeDiskPowerTest, AnUnsyncedWriteIsLostKeptOrTorn) {
  const std::string before(3 * kSector, '.');
  const std::string after(3 * kSector, 'x');
  const std::set<std::string> seen = Outcomes(
      [&](FakeDisk& disk) {
        PutDurably(disk, "/f", before);
        ASSERT_OK(disk.Open("/f").value()->Write(0, after));
      },
      BytesOf("/f"));
  // Each subset of the three sectors.
  std::set<std::string> subsets;
  for (int subset = 0; subset < 8; ++subset) {
    std::string bytes;
    for (int sector = 0; sector < 3; ++sector) {
      bytes.append(kSector, subset >> sector & 1 ? 'x' : '.');
    }
    subsets.insert(bytes);
  }
  EXPECT_EQ(seen, subsets);
}

TEST(FakeDiskPowerTest, SectorsLieWhereTheFileSaysNotWhereTheWriteBegins) {
  const std::string before(2 * kSector, '.');
  const std::set<std::string> seen = Outcomes(
      [&](FakeDisk& disk) {
        PutDurably(disk, "/f", before);
        ASSERT_OK(
            disk.Open("/f").value()->Write(kSector - 10, std::string(20, 'x')));
      },
      [](FakeDisk& disk) { return Get(disk, "/f").substr(kSector - 10, 20); });
  const std::string dots(10, '.');
  const std::string marks(10, 'x');
  EXPECT_THAT(seen, UnorderedElementsAre(dots + dots, dots + marks,
                                         marks + dots, marks + marks));
}

TEST(FakeDiskPowerTest, AGrowingFileMayKeepItsSizeAndLoseItsBytes) {
  const std::set<std::string> seen = Outcomes(
      [&](FakeDisk& disk) {
        PutDurably(disk, "/f", "");
        ASSERT_OK(disk.Open("/f").value()->Write(0, "abc"));
      },
      BytesOf("/f"));
  EXPECT_THAT(seen, UnorderedElementsAre("", "abc", std::string("\0\0\0", 3)));
}

TEST(FakeDiskPowerTest, UnsyncedWritesSurviveIndependently) {
  const std::set<std::string> seen = Outcomes(
      [&](FakeDisk& disk) {
        PutDurably(disk, "/f", std::string(2 * kSector, '.'));
        ASSERT_OK_AND_ASSIGN(const auto file, disk.Open("/f"));
        ASSERT_OK(file->Write(0, "1"));
        ASSERT_OK(file->Write(kSector, "2"));
      },
      [](FakeDisk& disk) {
        const std::string bytes = Get(disk, "/f");
        return std::string({bytes[0], bytes[kSector]});
      });
  EXPECT_THAT(seen, UnorderedElementsAre("..", "1.", ".2", "12"));
}

TEST(FakeDiskPowerTest, ATruncationSurvivesOrNotWhateverComesBehindIt) {
  const std::set<std::string> seen = Outcomes(
      [&](FakeDisk& disk) {
        PutDurably(disk, "/f", "abcdef");
        ASSERT_OK_AND_ASSIGN(const auto file, disk.Open("/f"));
        ASSERT_OK(file->Truncate(2));
        ASSERT_OK(file->Write(0, "X"));
      },
      BytesOf("/f"));
  EXPECT_THAT(seen, UnorderedElementsAre("abcdef", "ab", "Xbcdef", "Xb"));
}

TEST(FakeDiskPowerTest, SyncCoversOneFileAlone) {
  const std::set<std::string> seen = Outcomes(
      [&](FakeDisk& disk) {
        PutDurably(disk, "/a", "");
        PutDurably(disk, "/b", "");
        ASSERT_OK(disk.Open("/a").value()->Write(0, "a"));
        ASSERT_OK_AND_ASSIGN(const auto b, disk.Open("/b"));
        ASSERT_OK(b->Write(0, "b"));
        ASSERT_OK(b->Sync());
      },
      [](FakeDisk& disk) {
        return absl::StrCat(Get(disk, "/a").size(), Get(disk, "/b"));
      });
  EXPECT_THAT(seen, UnorderedElementsAre("0b", "1b"));
}

TEST(FakeDiskPowerTest, SyncOfAFileOpenedForReadingSavesWhatOthersWrote) {
  const std::set<std::string> seen = Outcomes(
      [](FakeDisk& disk) {
        PutDurably(disk, "/f", "...");
        ASSERT_OK(disk.Open("/f").value()->Write(0, "abc"));
        ASSERT_OK(disk.OpenForReading("/f").value()->Sync());
      },
      BytesOf("/f"));
  EXPECT_THAT(seen, ElementsAre("abc"));
}

TEST(FakeDiskPowerTest, WhatSurvivedACutSurvivesTheNext) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    FakeDisk disk(seed);
    PutDurably(disk, "/f", std::string(2000, '.'));
    ASSERT_OK(disk.Open("/f").value()->Write(0, std::string(2000, 'x')));
    disk.RestorePower();
    const std::string bytes = Get(disk, "/f");
    disk.RestorePower();
    EXPECT_EQ(Get(disk, "/f"), bytes);
  }
}

TEST(FakeDiskPowerTest, AFileKeepsItsIdentityThroughACut) {
  FakeDisk disk;
  PutDurably(disk, "/f", "abc");
  const FileIdentity before = disk.Stat("/f")->identity;
  disk.RestorePower();
  EXPECT_EQ(disk.Stat("/f")->identity, before);
}

TEST(FakeDiskPowerTest, TheSameSeedMakesTheSameDisk) {
  const auto run = [](uint64_t seed) {
    FakeDisk disk(seed);
    std::string story;
    for (int i = 0; i < 5; ++i) {
      PutDurably(disk, absl::StrCat("/", i), std::string(3000, '.'));
      disk.Open(absl::StrCat("/", i))
          .value()
          ->Write(0, std::string(3000, 'x'))
          .IgnoreError();
      disk.RestorePower();
      story += Get(disk, absl::StrCat("/", i));
    }
    return story;
  };
  EXPECT_EQ(run(7), run(7));
  EXPECT_NE(run(7), run(8));
}

// --- names and the power ---

TEST(FakeDiskPowerTest, AnUnsyncedNameIsLostOrKept) {
  const std::set<std::string> seen = Outcomes(
      [](FakeDisk& disk) { ASSERT_OK(disk.Create("/f").status()); }, Names);
  EXPECT_THAT(seen, UnorderedElementsAre("", "f"));
}

TEST(FakeDiskPowerTest, SyncOfAFileDoesNotSaveItsName) {
  const std::set<std::string> seen = Outcomes(
      [](FakeDisk& disk) { ASSERT_OK(disk.Create("/f").value()->Sync()); },
      Names);
  EXPECT_THAT(seen, UnorderedElementsAre("", "f"));
}

TEST(FakeDiskPowerTest, SyncOfADirectoryDoesNotSaveBytes) {
  const std::set<std::string> seen = Outcomes(
      [](FakeDisk& disk) {
        ASSERT_OK(disk.Create("/f").value()->Write(0, "abc"));
        ASSERT_OK(disk.SyncDirectory("/"));
      },
      BytesOf("/f"));
  EXPECT_THAT(seen, IsSupersetOf({std::string(), std::string("abc")}));
}

TEST(FakeDiskPowerTest, NamesSurviveIndependently) {
  const std::set<std::string> seen = Outcomes(
      [](FakeDisk& disk) {
        ASSERT_OK(disk.Create("/a").status());
        ASSERT_OK(disk.Create("/b").status());
      },
      Names);
  EXPECT_THAT(seen, UnorderedElementsAre("", "a", "b", "a b"));
}

TEST(FakeDiskPowerTest, ARemovedNameMayComeBackWithItsBytes) {
  const std::set<std::string> seen = Outcomes(
      [](FakeDisk& disk) {
        PutDurably(disk, "/f", "abc");
        ASSERT_OK(disk.Remove("/f"));
      },
      [](FakeDisk& disk) {
        return Names(disk).empty() ? "gone" : Get(disk, "/f");
      });
  EXPECT_THAT(seen, UnorderedElementsAre("gone", "abc"));
}

TEST(FakeDiskPowerTest, ARemovalThatWasSyncedIsForEver) {
  const std::set<std::string> seen = Outcomes(
      [](FakeDisk& disk) {
        PutDurably(disk, "/f", "abc");
        ASSERT_OK(disk.Remove("/f"));
        ASSERT_OK(disk.SyncDirectory("/"));
      },
      Names);
  EXPECT_THAT(seen, ElementsAre(""));
}

// Moving by Link and Remove: without a sync between, both names may be lost.
TEST(FakeDiskPowerTest, AFileMovedWithoutASyncBetweenMayBeLost) {
  const std::set<std::string> seen = Outcomes(
      [](FakeDisk& disk) {
        PutDurably(disk, "/a", "abc");
        ASSERT_OK(disk.MakeDirectory("/d"));
        ASSERT_OK(disk.SyncDirectory("/"));
        ASSERT_OK(disk.Link("/a", "/d/b"));
        ASSERT_OK(disk.Remove("/a"));
      },
      [](FakeDisk& disk) {
        return absl::StrCat(Names(disk), ":",
                            absl::StrJoin(disk.List("/d").value(), " "));
      });
  EXPECT_THAT(seen, UnorderedElementsAre("d:", "d:b", "a d:", "a d:b"));
}

TEST(FakeDiskPowerTest, ReplaceIsOneChange) {
  const std::set<std::string> seen = Outcomes(
      [](FakeDisk& disk) {
        PutDurably(disk, "/old", "old");
        PutDurably(disk, "/new", "new");
        ASSERT_OK(disk.Replace("/new", "/old"));
      },
      [](FakeDisk& disk) {
        return absl::StrCat(Names(disk), ":", Get(disk, "/old"));
      });
  EXPECT_THAT(seen, UnorderedElementsAre("new old:old", "old:new"));
}

TEST(FakeDiskPowerTest, ADirectoryIsMadeDurableInItsParent) {
  const std::set<std::string> seen = Outcomes(
      [](FakeDisk& disk) {
        ASSERT_OK(disk.MakeDirectory("/d"));
        PutDurably(disk, "/d/f", "abc");  // syncs /d, not /
      },
      Names);
  EXPECT_THAT(seen, UnorderedElementsAre("", "d"));
}

TEST(FakeDiskPowerTest, ADirectoryThatSurvivedKeepsWhatWasSyncedInIt) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    FakeDisk disk(seed);
    ASSERT_OK(disk.MakeDirectory("/d"));
    PutDurably(disk, "/d/f", "abc");
    disk.RestorePower();
    if (!disk.Stat("/d").ok()) continue;
    EXPECT_EQ(Get(disk, "/d/f"), "abc");
  }
}

TEST(FakeDiskPowerTest, TheNamesOfAFileAreCountedAnew) {
  const std::set<std::string> seen = Outcomes(
      [](FakeDisk& disk) {
        PutDurably(disk, "/a", "abc");
        ASSERT_OK(disk.Link("/a", "/b"));
      },
      [](FakeDisk& disk) {
        return absl::StrCat(Names(disk), ":", disk.Stat("/a")->links);
      });
  EXPECT_THAT(seen, UnorderedElementsAre("a:1", "a b:2"));
}

// --- the operation at which the power goes ---

TEST(FakeDiskPowerTest, CutsAtTheOperationThatWasAskedFor) {
  FakeDisk disk;
  ASSERT_OK_AND_ASSIGN(const auto file, disk.Create("/f"));
  disk.CutPowerAfter(2);
  EXPECT_OK(file->Write(0, "a"));
  EXPECT_OK(file->Sync());
  EXPECT_FALSE(disk.power_was_cut());
  EXPECT_THAT(file->Write(1, "b"), StatusIs(StatusCode::kUnavailable));
  EXPECT_TRUE(disk.power_was_cut());
  EXPECT_THAT(disk.List("/"), StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(disk.Create("/g"), StatusIs(StatusCode::kUnavailable));
  disk.RestorePower();
  EXPECT_FALSE(disk.power_was_cut());
  EXPECT_OK(disk.List("/").status());
}

TEST(FakeDiskPowerTest, RestoringCallsOffACutThatHasNotComeYet) {
  FakeDisk disk;
  disk.CutPowerAfter(0);
  disk.RestorePower();
  EXPECT_OK(disk.List("/").status());
}

TEST(FakeDiskPowerTest, EveryOperationFailsWhileThePowerIsOff) {
  FakeDisk disk;
  ASSERT_OK_AND_ASSIGN(const auto file, disk.Create("/f"));
  const int before = disk.operations();
  disk.CutPower();
  const auto off = StatusIs(StatusCode::kUnavailable);
  EXPECT_THAT(disk.Create("/g"), off);
  EXPECT_THAT(disk.Open("/f"), off);
  EXPECT_THAT(disk.OpenForReading("/f"), off);
  EXPECT_THAT(disk.Link("/f", "/g"), off);
  EXPECT_THAT(disk.Replace("/f", "/g"), off);
  EXPECT_THAT(disk.Remove("/f"), off);
  EXPECT_THAT(disk.MakeDirectory("/d"), off);
  EXPECT_THAT(disk.RemoveDirectory("/d"), off);
  EXPECT_THAT(disk.SyncDirectory("/"), off);
  EXPECT_THAT(disk.List("/"), off);
  EXPECT_THAT(disk.Stat("/f"), off);
  EXPECT_THAT(disk.FreeBytes("/"), off);
  EXPECT_THAT(file->Write(0, "x"), off);
  EXPECT_THAT(file->Write(0, absl::Cord("x")), off);
  EXPECT_THAT(file->Read(0, 1), off);
  EXPECT_THAT(file->Size(), off);
  EXPECT_THAT(file->Truncate(0), off);
  EXPECT_THAT(file->Sync(), off);
  EXPECT_EQ(disk.operations(), before);
}

TEST(FakeDiskPowerTest, AFileOpenedBeforeACutIsDeadForEver) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    FakeDisk disk(seed);
    PutDurably(disk, "/f", "abc");
    ASSERT_OK_AND_ASSIGN(const auto file, disk.Open("/f"));
    disk.RestorePower();
    const auto dead = StatusIs(StatusCode::kUnavailable);
    EXPECT_THAT(file->Write(0, "x"), dead);
    EXPECT_THAT(file->Read(0, 1), dead);
    EXPECT_THAT(file->Size(), dead);
    EXPECT_THAT(file->Truncate(0), dead);
    EXPECT_THAT(file->Sync(), dead);
    EXPECT_EQ(Get(disk, "/f"), "abc");
  }
}

// Each kind of operation may have happened although nobody heard so.
TEST(FakeDiskPowerTest, TheOperationAtTheCutHappensOrNot) {
  const std::vector<std::function<absl::Status(FakeDisk&)>> operations = {
      [](FakeDisk& disk) { return disk.Create("/new").status(); },
      [](FakeDisk& disk) { return disk.Link("/f", "/new"); },
      [](FakeDisk& disk) { return disk.Replace("/f", "/new"); },
      [](FakeDisk& disk) { return disk.Remove("/f"); },
      [](FakeDisk& disk) { return disk.MakeDirectory("/new"); },
      [](FakeDisk& disk) { return disk.RemoveDirectory("/d"); },
  };
  for (size_t i = 0; i < operations.size(); ++i) {
    const std::set<std::string> seen = Outcomes(
        [&](FakeDisk& disk) {
          PutDurably(disk, "/f", "abc");
          ASSERT_OK(disk.MakeDirectory("/d"));
          ASSERT_OK(disk.SyncDirectory("/"));
          disk.CutPowerAfter(0);
          EXPECT_THAT(operations[i](disk), StatusIs(StatusCode::kUnavailable));
        },
        Names);
    EXPECT_EQ(seen.size(), 2u) << i;
    EXPECT_THAT(seen, Contains("d f")) << i;
  }
}

TEST(FakeDiskPowerTest, AWriteAtTheCutMayStopAnywhere) {
  const std::string bytes = "abcdef";
  std::set<std::string> seen = Outcomes(
      [&](FakeDisk& disk) {
        PutDurably(disk, "/f", "......");
        ASSERT_OK_AND_ASSIGN(const auto file, disk.Open("/f"));
        disk.CutPowerAfter(0);
        EXPECT_FALSE(file->Write(0, bytes).ok());
      },
      BytesOf("/f"));
  EXPECT_THAT(seen, IsSupersetOf({std::string("......"), std::string("abc..."),
                                  std::string("abcdef")}));
}

TEST(FakeDiskPowerTest, ASyncAtTheCutSavesAllSomeOrNothing) {
  const auto bytes = std::string(kSector, 'x');
  const std::set<std::string> seen = Outcomes(
      [&](FakeDisk& disk) {
        PutDurably(disk, "/f", std::string(2 * kSector, '.'));
        ASSERT_OK_AND_ASSIGN(const auto file, disk.Open("/f"));
        ASSERT_OK(file->Write(0, bytes + bytes));
        disk.CutPowerAfter(0);
        EXPECT_FALSE(file->Sync().ok());
      },
      [](FakeDisk& disk) {
        const std::string got = Get(disk, "/f");
        return std::string({got[0], got[kSector]});
      });
  EXPECT_THAT(seen, UnorderedElementsAre("..", "x.", ".x", "xx"));
}

TEST(FakeDiskPowerTest, ASyncOfADirectoryAtTheCutSavesAllSomeOrNothing) {
  const std::set<std::string> seen = Outcomes(
      [](FakeDisk& disk) {
        ASSERT_OK(disk.Create("/a").status());
        ASSERT_OK(disk.Create("/b").status());
        disk.CutPowerAfter(0);
        EXPECT_FALSE(disk.SyncDirectory("/").ok());
      },
      Names);
  EXPECT_THAT(seen, UnorderedElementsAre("", "a", "b", "a b"));
}

// --- operations that fail ---

TEST(FakeDiskFaultTest, IsAskedBeforeEveryOperation) {
  FakeDisk disk;
  std::vector<std::string> asked;
  disk.SetFault([&asked](const DiskOperation& operation) {
    asked.push_back(absl::StrCat(operation.number, operation.path));
    return absl::OkStatus();
  });
  ASSERT_OK_AND_ASSIGN(const auto file, disk.Create("/f"));
  EXPECT_OK(file->Write(0, "abc"));
  EXPECT_OK(disk.Link("/f", "/g"));
  EXPECT_THAT(disk.Open("/x"), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(asked, ElementsAre("1/f", "2/f", "3/g", "4/x"));
  disk.SetFault(nullptr);
  EXPECT_OK(file->Sync());
  EXPECT_EQ(asked.size(), 4u);
  EXPECT_EQ(disk.operations(), 5);
  EXPECT_EQ(disk.syncs(), 1);
}

TEST(FakeDiskFaultTest, WhatFailsDoesNotHappen) {
  FakeDisk disk;
  PutDurably(disk, "/f", "abc");
  ASSERT_OK(disk.MakeDirectory("/d"));
  ASSERT_OK_AND_ASSIGN(const auto file, disk.Open("/f"));
  disk.SetFault(
      [](const DiskOperation&) { return absl::DataLossError("told to"); });
  const auto fails = StatusIs(StatusCode::kDataLoss, "told to");
  EXPECT_THAT(disk.Create("/g"), fails);
  EXPECT_THAT(disk.Open("/f"), fails);
  EXPECT_THAT(disk.OpenForReading("/f"), fails);
  EXPECT_THAT(disk.Link("/f", "/g"), fails);
  EXPECT_THAT(disk.Replace("/f", "/g"), fails);
  EXPECT_THAT(disk.Remove("/f"), fails);
  EXPECT_THAT(disk.MakeDirectory("/e"), fails);
  EXPECT_THAT(disk.RemoveDirectory("/d"), fails);
  EXPECT_THAT(disk.SyncDirectory("/"), fails);
  EXPECT_THAT(disk.List("/"), fails);
  EXPECT_THAT(disk.Stat("/f"), fails);
  EXPECT_THAT(disk.FreeBytes("/"), fails);
  EXPECT_THAT(file->Read(0, 1), fails);
  EXPECT_THAT(file->Size(), fails);
  EXPECT_THAT(file->Truncate(0), fails);
  disk.SetFault(nullptr);
  EXPECT_EQ(Names(disk), "d f");
  EXPECT_EQ(Get(disk, "/f"), "abc");
}

TEST(FakeDiskFaultTest, AFailingWriteIsDoneInPart) {
  std::set<std::string> seen;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    FakeDisk disk(seed);
    PutDurably(disk, "/f", "....");
    ASSERT_OK_AND_ASSIGN(const auto file, disk.Open("/f"));
    disk.SetFault(FailEvery(Kind::kWrite, absl::DataLossError("bad sector")));
    EXPECT_THAT(file->Write(0, "abcd"), StatusIs(StatusCode::kDataLoss));
    seen.insert(Get(disk, "/f"));
  }
  EXPECT_THAT(seen, IsSupersetOf({std::string("...."), std::string("ab.."),
                                  std::string(".bc."), std::string("abcd")}));
}

// What happened to PostgreSQL in 2018: fsync fails, reading still shows the
// bytes, the next fsync succeeds, and the bytes are gone.
TEST(FakeDiskFaultTest, AFailedSyncLosesBytesForGoodThoughReadingShowsThem) {
  std::set<std::string> seen;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    FakeDisk disk(seed);
    PutDurably(disk, "/f", "...");
    ASSERT_OK_AND_ASSIGN(const auto file, disk.Open("/f"));
    ASSERT_OK(file->Write(0, "abc"));
    disk.SetFault(FailEvery(Kind::kSync, absl::DataLossError("told to")));
    EXPECT_THAT(file->Sync(), StatusIs(StatusCode::kDataLoss));
    disk.SetFault(nullptr);
    EXPECT_EQ(Get(disk, "/f"), "abc");
    EXPECT_OK(file->Sync());
    EXPECT_EQ(Get(disk, "/f"), "abc");
    disk.RestorePower();
    seen.insert(Get(disk, "/f"));
  }
  EXPECT_THAT(seen, UnorderedElementsAre("...", "abc"));
}

TEST(FakeDiskFaultTest, WhatIsWrittenAfterAFailedSyncIsSyncedAsEver) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    FakeDisk disk(seed);
    PutDurably(disk, "/f", "...");
    ASSERT_OK_AND_ASSIGN(const auto file, disk.Open("/f"));
    ASSERT_OK(file->Write(0, "abc"));
    disk.SetFault(FailEvery(Kind::kSync, absl::DataLossError("told to")));
    EXPECT_FALSE(file->Sync().ok());
    disk.SetFault(nullptr);
    ASSERT_OK(file->Write(0, "xyz"));
    ASSERT_OK(file->Sync());
    disk.RestorePower();
    EXPECT_EQ(Get(disk, "/f"), "xyz");
  }
}

// The sync of "/" fails, this once.
void FailToSyncNames(FakeDisk& disk) {
  disk.SetFault(
      FailEvery(Kind::kSyncDirectory, absl::DataLossError("told to")));
  EXPECT_THAT(disk.SyncDirectory("/"), StatusIs(StatusCode::kDataLoss));
  disk.SetFault(nullptr);
}

TEST(FakeDiskFaultTest, AFailedSyncLosesNamesForGoodThoughListShowsThem) {
  const std::set<std::string> seen = Outcomes(
      [](FakeDisk& disk) {
        ASSERT_OK(disk.Create("/a").status());
        ASSERT_OK(disk.MakeDirectory("/b"));
        FailToSyncNames(disk);
        EXPECT_EQ(Names(disk), "a b");
        EXPECT_OK(disk.Stat("/a").status());
        EXPECT_OK(disk.SyncDirectory("/"));
        EXPECT_EQ(Names(disk), "a b");
        PutDurably(disk, "/b/f", "abc");
      },
      Names);
  EXPECT_THAT(seen, UnorderedElementsAre("", "a", "b", "a b"));
}

TEST(FakeDiskFaultTest, AFailedSyncLosesRemovalsAndReplacements) {
  const std::set<std::string> seen = Outcomes(
      [](FakeDisk& disk) {
        PutDurably(disk, "/gone", "");
        PutDurably(disk, "/new", "new");
        PutDurably(disk, "/old", "old");
        ASSERT_OK(disk.Remove("/gone"));
        ASSERT_OK(disk.Replace("/new", "/old"));
        FailToSyncNames(disk);
        EXPECT_EQ(Names(disk), "old");
        EXPECT_OK(disk.SyncDirectory("/"));
      },
      [](FakeDisk& disk) {
        return absl::StrCat(Names(disk), ":", Get(disk, "/old"));
      });
  EXPECT_THAT(seen, UnorderedElementsAre("gone new old:old", "new old:old",
                                         "gone old:new", "old:new"));
}

TEST(FakeDiskFaultTest, ANameMadeAgainAfterAFailedSyncIsSyncedAsEver) {
  const std::set<std::string> seen = Outcomes(
      [](FakeDisk& disk) {
        PutDurably(disk, "/f", "abc");
        ASSERT_OK(disk.Link("/f", "/g"));
        FailToSyncNames(disk);
        ASSERT_OK(disk.Remove("/g"));
        ASSERT_OK(disk.Link("/f", "/g"));
        EXPECT_OK(disk.SyncDirectory("/"));
      },
      Names);
  EXPECT_THAT(seen, ElementsAre("f g"));
}

TEST(FakeDiskFaultTest, ASyncOfNamesThatWasNotTriedLosesNone) {
  const std::set<std::string> seen = Outcomes(
      [](FakeDisk& disk) {
        ASSERT_OK(disk.Create("/a").status());
        disk.SetFault(FailEvery(Kind::kSyncDirectory,
                                absl::UnavailableError("no descriptors")));
        EXPECT_THAT(disk.SyncDirectory("/"),
                    StatusIs(StatusCode::kUnavailable));
        disk.SetFault(nullptr);
        EXPECT_OK(disk.SyncDirectory("/"));
      },
      Names);
  EXPECT_THAT(seen, ElementsAre("a"));
}

TEST(FakeDiskFaultTest, AFailedSyncOfNamesTouchesNoOtherDirectory) {
  const std::set<std::string> seen = Outcomes(
      [](FakeDisk& disk) {
        ASSERT_OK(disk.MakeDirectory("/d"));
        ASSERT_OK(disk.SyncDirectory("/"));
        PutDurably(disk, "/d/old", "");
        ASSERT_OK(disk.Create("/d/new").status());
        FailToSyncNames(disk);
        EXPECT_OK(disk.SyncDirectory("/d"));
      },
      [](FakeDisk& disk) {
        return absl::StrJoin(disk.List("/d").value(), " ");
      });
  EXPECT_THAT(seen, ElementsAre("new old"));
}

// --- capacity and mounts ---

TEST(FakeDiskCapacityTest, AFullDiskTakesWhatFitsAndRefusesTheRest) {
  FakeDisk disk;
  disk.SetCapacity(10);
  ASSERT_OK_AND_ASSIGN(const auto file, disk.Create("/f"));
  EXPECT_OK(file->Write(0, "1234567"));
  EXPECT_THAT(disk.FreeBytes("/"), IsOkAndHolds(3u));
  EXPECT_THAT(file->Write(7, "89abc"),
              StatusIs(StatusCode::kResourceExhausted));
  EXPECT_EQ(Get(disk, "/f"), "123456789a");
  EXPECT_THAT(disk.FreeBytes("/"), IsOkAndHolds(0u));
  EXPECT_OK(file->Write(0, "XXX"));  // takes no more room
  EXPECT_THAT(file->Truncate(11), StatusIs(StatusCode::kResourceExhausted));
  ASSERT_OK_AND_ASSIGN(const auto other, disk.Create("/g"));
  EXPECT_THAT(other->Write(0, "x"), StatusIs(StatusCode::kResourceExhausted));
  EXPECT_THAT(other->Size(), IsOkAndHolds(0u));
}

TEST(FakeDiskCapacityTest, RoomComesBackWithTheLastNameAndTheLastOpenFile) {
  FakeDisk disk;
  disk.SetCapacity(10);
  auto file = disk.Create("/a").value();
  ASSERT_OK(file->Write(0, "12345678"));
  ASSERT_OK(disk.Link("/a", "/b"));
  ASSERT_OK(disk.Remove("/a"));
  EXPECT_THAT(disk.FreeBytes("/"), IsOkAndHolds(2u));
  ASSERT_OK(disk.Remove("/b"));
  EXPECT_THAT(disk.FreeBytes("/"), IsOkAndHolds(2u));
  file.reset();
  EXPECT_THAT(disk.FreeBytes("/"), IsOkAndHolds(10u));
}

TEST(FakeDiskCapacityTest, RoomComesBackByTruncateAndReplace) {
  FakeDisk disk;
  disk.SetCapacity(10);
  PutDurably(disk, "/a", "1234");
  PutDurably(disk, "/b", "123456");
  ASSERT_OK(disk.Replace("/a", "/b"));
  EXPECT_THAT(disk.FreeBytes("/"), IsOkAndHolds(6u));
  ASSERT_OK(disk.Open("/b").value()->Truncate(1));
  EXPECT_THAT(disk.FreeBytes("/"), IsOkAndHolds(9u));
}

TEST(FakeDiskCapacityTest, RoomIsCountedAnewAfterAPowerCut) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    FakeDisk disk(seed);
    disk.SetCapacity(100);
    PutDurably(disk, "/a", std::string(40, 'a'));
    ASSERT_OK(disk.Link("/a", "/b"));
    ASSERT_OK(disk.SyncDirectory("/"));
    ASSERT_OK_AND_ASSIGN(auto file, disk.Create("/c"));
    ASSERT_OK(file->Write(0, std::string(30, 'c')));
    disk.RestorePower();
    file.reset();  // of the disk's earlier life: gives nothing back
    uint64_t used = 40;
    if (disk.Stat("/c").ok()) used += disk.Stat("/c")->size;
    EXPECT_THAT(disk.FreeBytes("/"), IsOkAndHolds(100 - used));
    ASSERT_OK(disk.Remove("/a"));
    ASSERT_OK(disk.Remove("/b"));
    EXPECT_THAT(disk.FreeBytes("/"), IsOkAndHolds(140 - used));
  }
}

TEST(FakeDiskCapacityTest, AFileOpenAtAPowerCutNeitherHoldsNorGivesBackRoom) {
  FakeDisk disk;
  disk.SetCapacity(100);
  PutDurably(disk, "/f", std::string(40, 'f'));
  auto held_before = disk.Open("/f").value();
  disk.RestorePower();
  auto held_now = disk.Open("/f").value();
  ASSERT_OK(disk.Remove("/f"));
  held_before.reset();
  EXPECT_THAT(disk.FreeBytes("/"), IsOkAndHolds(60u));
  held_now.reset();
  EXPECT_THAT(disk.FreeBytes("/"), IsOkAndHolds(100u));
}

TEST(FakeDiskMountTest, LinkStaysWithinItsFileSystem) {
  FakeDisk disk;
  ASSERT_OK(MakeDirectories(disk, "/store/sub"));
  ASSERT_OK(MakeDirectories(disk, "/store2"));
  disk.MountAt("/store/");
  PutDurably(disk, "/f", "abc");
  EXPECT_THAT(disk.Link("/f", "/store/sub/f"),
              StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_OK(disk.Link("/f", "/store2/f"));
  PutDurably(disk, "/store/g", "abc");
  EXPECT_OK(disk.Link("/store/g", "/store/sub/g"));
  EXPECT_THAT(disk.Link("/store/g", "/g"),
              StatusIs(StatusCode::kFailedPrecondition));
  disk.RestorePower();
  EXPECT_THAT(disk.Link("/f", "/store/f"),
              StatusIs(StatusCode::kFailedPrecondition));
}

TEST(FakeDiskTest, ThreadsMayUseItWhileThePowerGoes) {
  FakeDisk disk;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&disk, t] {
      for (int i = 0; i < 50; ++i) {
        const std::string path = absl::StrCat("/", t, "-", i);
        const auto file = disk.Create(path);
        if (!file.ok()) continue;
        (*file)->Write(0, path).IgnoreError();
        (*file)->Sync().IgnoreError();
        disk.SyncDirectory("/").IgnoreError();
      }
    });
  }
  disk.CutPower();
  disk.RestorePower();
  for (std::thread& thread : threads) thread.join();
  EXPECT_OK(disk.List("/").status());
}

}  // namespace
}  // namespace schleuse
