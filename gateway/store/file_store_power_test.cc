// What the file store promised, after power cuts, failed syncs and the deaths
// of its process, wherever they come.
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "disk/fake_disk.h"
#include "gateway/store/test_files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using Kind = DiskOperation::Kind;

// Once Commit returned OK, a power cut takes nothing; before, the next Commit
// succeeds and stores once.
TEST(FileStorePowerTest, CommitIsDurableWhereverThePowerIsCut) {
  int places = 0;
  for (const bool read_back : {false, true}) {
    for (uint64_t seed = 1; seed <= 50; ++seed) {
      bool cut = true;
      for (int operations = 0; cut; ++operations) {
        SCOPED_TRACE(absl::StrCat("seed ", seed, ", cut after ", operations));
        FakeDisk disk(seed);
        Files files(disk, "/data", {.read_back = read_back});
        const StoreSource source = files.Spool(Recording(), "footage");
        disk.CutPowerAfter(operations);
        const absl::Status committed = files.Commit(source, "footage");
        cut = disk.power_was_cut();
        places += cut;
        // Where no operation was left to cut, just behind the last.
        if (!cut) disk.CutPower();
        disk.RestorePower();
        if (committed.ok()) {
          EXPECT_THAT(files.Stored(Recording()), ElementsAre("footage"));
        }
        files.Restart();
        EXPECT_OK(files.Commit(source, "footage"));
        disk.CutPower();
        disk.RestorePower();
        EXPECT_THAT(files.Stored(Recording()), ElementsAre("footage"));
      }
    }
  }
  RecordProperty("places", places);
  EXPECT_GT(places, 2 * 50 * 8);
}

// --- what somebody left who did not get as far as his syncs

// Before the commit of `source`.
using Before = std::function<void(Files&, const StoreSource& source)>;

void MakeDirectoriesUnsynced(Files& files, const StoreSource& source) {
  const std::string directory = ParentOf(files.store->TargetOf(source));
  ASSERT_OK(files.disk.MakeDirectory(ParentOf(directory)));
  ASSERT_OK(files.disk.MakeDirectory(directory));
}

void LinkUnsynced(Files& files, const StoreSource& source) {
  MakeDirectoriesUnsynced(files, source);
  ASSERT_OK(files.disk.Link(source.path, files.store->TargetOf(source)));
}

// Another file of the same bytes.
void WriteUnsynced(Files& files, const StoreSource& source) {
  MakeDirectoriesUnsynced(files, source);
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<File> file,
                       files.disk.Create(files.store->TargetOf(source)));
  ASSERT_OK(file->Write(0, "footage"));
}

void Nothing(Files&, const StoreSource&) {}

// A camera that is known, in a process that does not remember it.
void StoreAnother(Files& files, const StoreSource&) {
  ASSERT_OK(files.Commit(files.Spool(Recording("other"), "other"), "other"));
  files.Restart();
}

TEST(FileStorePowerTest, WhatWasThereAlreadyIsDurableOnceACommitSaidSo) {
  for (const Before& before : {Before(LinkUnsynced), Before(WriteUnsynced),
                               Before(MakeDirectoriesUnsynced)}) {
    for (uint64_t seed = 1; seed <= 50; ++seed) {
      bool cut = true;
      for (int operations = 0; cut; ++operations) {
        SCOPED_TRACE(absl::StrCat("seed ", seed, ", cut after ", operations));
        FakeDisk disk(seed);
        Files files(disk, "/data", {});
        const StoreSource source = files.Spool(Recording(), "footage");
        before(files, source);
        disk.CutPowerAfter(operations);
        const absl::Status committed = files.Commit(source, "footage");
        cut = disk.power_was_cut();
        EXPECT_EQ(committed.ok(), !cut);
        disk.RestorePower();
        files.Restart();
        if (committed.ok()) {
          ASSERT_THAT(files.Stored(Recording()), ElementsAre("footage"));
        }
        EXPECT_THAT(ReadFile(disk, source.path, 99), IsOkAndHolds("footage"));
        const absl::Status again = files.Commit(source, "footage");
        disk.RestorePower();
        if (again.ok()) {
          ASSERT_THAT(files.Stored(Recording()), ElementsAre("footage"));
        } else {
          // The other file lost its bytes, and nobody was told otherwise.
          ASSERT_THAT(again, StatusIs(StatusCode::kAlreadyExists));
        }
      }
    }
  }
}

TEST(FileStorePowerTest, KeptBundleIsDurableWhereverThePowerIsCut) {
  for (const Before& before : {Before(LinkUnsynced), Before(WriteUnsynced)}) {
    for (uint64_t seed = 1; seed <= 50; ++seed) {
      bool cut = true;
      for (int operations = 0; cut; ++operations) {
        SCOPED_TRACE(absl::StrCat("seed ", seed, ", cut after ", operations));
        FakeDisk disk(seed);
        Files files(disk, "/data", {});
        const StoreSource source = files.Spool(Recording(), "footage");
        before(files, source);
        const Bundle bundle = files.store->Find(Recording())->front();
        disk.CutPowerAfter(operations);
        const absl::Status kept = files.store->Keep(bundle);
        cut = disk.power_was_cut();
        EXPECT_EQ(kept.ok(), !cut);
        disk.RestorePower();
        if (kept.ok()) {
          ASSERT_THAT(files.Stored(Recording()), ElementsAre("footage"));
        }
      }
    }
  }
}

// Cut in the steps and between them; every third place, for it takes its time.
TEST(FileStorePowerTest, CommitInStepsIsDurableWhereverThePowerIsCut) {
  const std::string large((8 << 20) + 3, 'x');
  const Digest sha256 = Sha256::Of(large);
  bool cut = true;
  for (int operations = 0; cut; operations += 3) {
    SCOPED_TRACE(absl::StrCat("cut after ", operations));
    FakeDisk disk(operations + 1);
    Files files(disk, "/data", {.read_back = true});
    const StoreSource source = files.Spool(Recording(), large);
    const auto commit = [&] {
      return CommitWhole(**files.store->Open(source), large.size(), sha256);
    };
    disk.CutPowerAfter(operations);
    const bool committed = commit().ok();
    cut = disk.power_was_cut();
    EXPECT_EQ(committed, !cut);
    disk.RestorePower();
    files.Restart();
    if (!committed) {
      ASSERT_OK(commit());
      disk.RestorePower();
    }
    ASSERT_TRUE(files.Stored(Recording()) == std::vector<std::string>{large});
  }
}

// --- syncs that fail

bool IsSync(const DiskOperation& operation) {
  return operation.kind == Kind::kSync ||
         operation.kind == Kind::kSyncDirectory;
}

// Fails the sync that comes as the `which`-th; sets `failed`.
FakeDisk::Fault FailSync(int which, bool& failed) {
  return [which, &failed, syncs = 0](const DiskOperation& operation) mutable {
    if (!IsSync(operation) || ++syncs != which) return absl::OkStatus();
    failed = true;
    return absl::DataLossError("medium error");
  };
}

// What a failed sync lost is shown still, and the next sync says OK.
TEST(FileStorePowerTest, CommitThatFailedOnceIsDurableWhenItSucceeds) {
  for (const Before& before :
       {Before(Nothing), Before(StoreAnother), Before(LinkUnsynced)}) {
    bool failed = true;
    for (int which = 1; failed; ++which) {
      for (uint64_t seed = 1; seed <= 50; ++seed) {
        SCOPED_TRACE(absl::StrCat("sync ", which, ", seed ", seed));
        FakeDisk disk(seed);
        Files files(disk, "/data", {});
        const StoreSource source = files.Spool(Recording(), "footage");
        before(files, source);
        failed = false;
        disk.SetFault(FailSync(which, failed));
        const absl::Status committed = files.Commit(source, "footage");
        EXPECT_EQ(absl::IsDataLoss(committed), failed) << committed;
        disk.SetFault(nullptr);
        if (failed) {
          EXPECT_OK(files.Commit(source, "footage"));
        }
        disk.RestorePower();
        ASSERT_THAT(files.Stored(Recording()), ElementsAre("footage"));
      }
    }
  }
}

// The spool may not have the first one's file any more.
TEST(FileStorePowerTest, NameThatAFailedSyncLostIsNotFoundByAnotherTransfer) {
  bool failed = true;
  for (int which = 1; failed; ++which) {
    for (uint64_t seed = 1; seed <= 50; ++seed) {
      SCOPED_TRACE(absl::StrCat("sync ", which, ", seed ", seed));
      FakeDisk disk(seed);
      Files files(disk, "/data", {});
      const StoreSource first = files.Spool(Recording(), "footage");
      const StoreSource second = files.Spool(Recording(), "footage");
      failed = false;
      disk.SetFault(FailSync(which, failed));
      files.Commit(first, "footage").IgnoreError();
      disk.SetFault(nullptr);
      ASSERT_OK(disk.Remove(first.path));
      ASSERT_OK(files.Commit(second, "footage"));
      disk.RestorePower();
      ASSERT_THAT(files.Stored(Recording()), ElementsAre("footage"));
    }
  }
}

// As above, and the power goes during the second attempt or the taking back.
TEST(FileStorePowerTest, PowerCutBehindAFailedSyncTakesNothing) {
  for (const Before& before : {Before(Nothing), Before(LinkUnsynced)}) {
    bool failed = true;
    for (int which = 1; failed; ++which) {
      for (uint64_t seed = 1; seed <= 10; ++seed) {
        bool cut = true;
        for (int operations = 0; cut; ++operations) {
          SCOPED_TRACE(absl::StrCat("sync ", which, ", seed ", seed,
                                    ", cut after ", operations));
          FakeDisk disk(seed);
          Files files(disk, "/data", {});
          const StoreSource source = files.Spool(Recording(), "footage");
          before(files, source);
          failed = false;
          disk.SetFault(FailSync(which, failed));
          disk.CutPowerAfter(operations);
          absl::Status committed = files.Commit(source, "footage");
          if (!committed.ok()) committed = files.Commit(source, "footage");
          cut = disk.power_was_cut();
          disk.SetFault(nullptr);
          EXPECT_EQ(committed.ok(), !cut);
          disk.RestorePower();
          files.Restart();
          if (!committed.ok()) {
            ASSERT_OK(files.Commit(source, "footage"));
            disk.RestorePower();
          }
          ASSERT_THAT(files.Stored(Recording()), ElementsAre("footage"));
        }
      }
    }
  }
}

// A sync that fails leaves names that no sync can save; what was made may not
// even be taken back.
TEST(FileStorePowerTest, NameThatCouldNotBeTakenBackIsNotBelieved) {
  for (const Before& before :
       {Before(Nothing), Before(StoreAnother), Before(LinkUnsynced)}) {
    bool failed = true;
    for (int which = 1; failed; ++which) {
      bool stuck = true;
      for (int lives = 0; stuck; ++lives) {
        for (uint64_t seed = 1; seed <= 50; ++seed) {
          SCOPED_TRACE(absl::StrCat("sync ", which, ", seed ", seed,
                                    ", operations behind it ", lives));
          FakeDisk disk(seed);
          Files files(disk, "/data", {});
          const StoreSource source = files.Spool(Recording(), "footage");
          before(files, source);
          failed = stuck = false;
          disk.SetFault([&, fail = FailSync(which, failed),
                         left = lives](const DiskOperation& operation) mutable {
            if (!failed) return fail(operation);
            if (left-- > 0) return absl::OkStatus();
            stuck = true;
            return absl::UnavailableError("nothing goes any more");
          });
          files.Commit(source, "footage").IgnoreError();
          disk.SetFault(nullptr);
          ASSERT_OK(files.Commit(source, "footage"));
          disk.RestorePower();
          ASSERT_THAT(files.Stored(Recording()), ElementsAre("footage"));
        }
      }
    }
  }
}

// Somebody else's file of the same bytes: what its failed sync lost, no later
// one brings back, and it is not ours to make anew.
TEST(FileStorePowerTest, AnothersFileWasCalledStoredBehindItsFailedSync) {
  bool failed = true;
  for (int which = 1; failed; ++which) {
    for (uint64_t seed = 1; seed <= 50; ++seed) {
      SCOPED_TRACE(absl::StrCat("sync ", which, ", seed ", seed));
      FakeDisk disk(seed);
      Files files(disk, "/data", {});
      const StoreSource source = files.Spool(Recording(), "footage");
      WriteUnsynced(files, source);
      failed = false;
      disk.SetFault(FailSync(which, failed));
      absl::Status committed = files.Commit(source, "footage");
      disk.SetFault(nullptr);
      if (!committed.ok()) committed = files.Commit(source, "footage");
      disk.CutPower();
      disk.RestorePower();
      if (!committed.ok()) continue;
      ASSERT_THAT(files.Stored(Recording()), ElementsAre("footage"));
    }
  }
}

// A sync that says that the disk is full has failed as any other.
TEST(FileStorePowerTest, BundleWasKeptBehindASyncThatFoundNoRoom) {
  for (const StatusCode code :
       {StatusCode::kDataLoss, StatusCode::kResourceExhausted}) {
    bool failed = true;
    for (int which = 1; failed; ++which) {
      for (uint64_t seed = 1; seed <= 50; ++seed) {
        SCOPED_TRACE(absl::StrCat("sync ", which, ", seed ", seed));
        FakeDisk disk(seed);
        Files files(disk, "/data", {});
        WriteUnsynced(files, files.Spool(Recording(), "footage"));
        const Bundle bundle = files.store->Find(Recording())->front();
        failed = false;
        disk.SetFault(
            [&, fail = FailSync(which, failed)](const auto& operation) mutable {
              return fail(operation).ok() ? absl::OkStatus()
                                          : absl::Status(code, "failed");
            });
        absl::Status kept = files.store->Keep(bundle);
        disk.SetFault(nullptr);
        if (!kept.ok()) kept = files.store->Keep(bundle);
        disk.CutPower();
        disk.RestorePower();
        if (!kept.ok()) continue;
        ASSERT_THAT(files.Stored(Recording()), ElementsAre("footage"));
      }
    }
  }
}

// A directory whose sync failed is made anew; if it cannot be removed it stays
// what it is, a name that no sync can save.
TEST(FileStorePowerTest, DirectoryThatCouldNotBeMadeAnewWasTakenForDurable) {
  for (const char* which : {"/data/store", "/data/store/cam-1"}) {
    for (uint64_t seed = 1; seed <= 50; ++seed) {
      SCOPED_TRACE(absl::StrCat(which, ", seed ", seed));
      FakeDisk disk(seed);
      Files files(disk, "/data", {});
      const StoreSource source = files.Spool(Recording(), "footage");
      disk.SetFault(
          [which, failed = false](const DiskOperation& operation) mutable {
            const bool sync = operation.kind == Kind::kSyncDirectory &&
                              operation.path == which && !failed;
            failed = failed || sync;
            return sync || operation.kind == Kind::kRemoveDirectory
                       ? absl::DataLossError("medium error")
                       : absl::OkStatus();
          });
      EXPECT_THAT(files.Commit(source, "footage"),
                  StatusIs(StatusCode::kDataLoss));
      const absl::Status committed = files.Commit(source, "footage");
      disk.SetFault(nullptr);
      disk.CutPower();
      disk.RestorePower();
      if (committed.ok()) {
        ASSERT_THAT(files.Stored(Recording()), ElementsAre("footage"));
      }
      files.Restart();
      EXPECT_OK(files.Commit(source, "footage"));
    }
  }
}

// Lets another thread go first at every change of names: else one commit is
// over before the next begins.
class YieldingDisk final : public Disk {
 public:
  explicit YieldingDisk(Disk& disk) : disk_(disk) {}
  absl::StatusOr<std::unique_ptr<File>> Create(absl::string_view p) override {
    return disk_.Create(p);
  }
  absl::StatusOr<std::unique_ptr<File>> Open(absl::string_view p) override {
    return disk_.Open(p);
  }
  absl::StatusOr<std::unique_ptr<File>> OpenForReading(
      absl::string_view p) const override {
    return disk_.OpenForReading(p);
  }
  absl::Status Link(absl::string_view from, absl::string_view to) override {
    return Yielding(disk_.Link(from, to));
  }
  absl::Status Replace(absl::string_view from, absl::string_view to) override {
    return disk_.Replace(from, to);
  }
  absl::Status Remove(absl::string_view p) override {
    return Yielding(disk_.Remove(p));
  }
  absl::Status MakeDirectory(absl::string_view p) override {
    return Yielding(disk_.MakeDirectory(p));
  }
  absl::Status RemoveDirectory(absl::string_view p) override {
    return Yielding(disk_.RemoveDirectory(p));
  }
  absl::Status SyncDirectory(absl::string_view p) override {
    return Yielding(disk_.SyncDirectory(p));
  }
  absl::Status SyncFileSystem(absl::string_view p) override {
    return Yielding(disk_.SyncFileSystem(p));
  }
  absl::StatusOr<std::vector<std::string>> List(
      absl::string_view p) const override {
    return disk_.List(p);
  }
  absl::StatusOr<FileInfo> Stat(absl::string_view p) const override {
    return disk_.Stat(p);
  }
  absl::StatusOr<uint64_t> FreeBytes(absl::string_view p) const override {
    return disk_.FreeBytes(p);
  }

 private:
  static absl::Status Yielding(absl::Status done) {
    std::this_thread::yield();
    return done;
  }
  Disk& disk_;
};

// The failed sync of one commit loses the names that another waits for, and
// the other's own sync says OK.
TEST(FileStorePowerTest, FailedSyncOfOneThreadIsNotBelievedByAnother) {
  constexpr int kThreads = 4;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    FakeDisk disk(seed);
    YieldingDisk yielding(disk);
    Files files(yielding, "/data", {});
    std::vector<StoreSource> sources[kThreads];
    for (int i = 0; i < 20; ++i) {
      for (int t = 0; t < kThreads; ++t) {
        // New cameras of one thread or of all, and recordings as well.
        const std::string camera = i % 2 == 0 ? absl::StrCat("cam", i)
                                              : absl::StrCat("cam", i, "-", t);
        const std::string id = i % 4 == 0 ? "shared" : absl::StrCat("of", t);
        sources[t].push_back(
            files.Spool(*RecordingName::Parse(camera, id), "footage"));
      }
    }
    disk.SetFault([syncs = seed](const DiskOperation& operation) mutable {
      return IsSync(operation) && ++syncs % 3 == 0
                 ? absl::DataLossError("medium error")
                 : absl::OkStatus();
    });
    std::vector<RecordingName> stored[kThreads];
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&files, &mine = sources[t], &ok = stored[t]] {
        for (const StoreSource& source : mine) {
          if (files.Commit(source, "footage").ok()) ok.push_back(source.name);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    disk.SetFault(nullptr);
    disk.RestorePower();
    for (const auto& names : stored) {
      for (const RecordingName& name : names) {
        ASSERT_THAT(files.Stored(name), ElementsAre("footage"))
            << name.ToString();
      }
    }
  }
}

// The camera's directory is remembered as durable: rightly so.
TEST(FileStorePowerTest, SecondRecordingOfACameraIsAsDurableAsTheFirst) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    FakeDisk disk(seed);
    Files files(disk, "/data", {});
    for (const char* id : {"one", "two"}) {
      ASSERT_OK(files.Commit(files.Spool(Recording(id), id), id));
    }
    disk.CutPower();
    disk.RestorePower();
    EXPECT_THAT(files.Stored(Recording("one")), ElementsAre("one"));
    EXPECT_THAT(files.Stored(Recording("two")), ElementsAre("two"));
  }
}

}  // namespace
}  // namespace schleuse
