#include "gateway/store/file_store.h"

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "base/random.h"
#include "base/status_matchers.h"
#include "disk/fake_disk.h"
#include "disk/posix_disk.h"
#include "gateway/store/store_contract.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Kind = DiskOperation::Kind;

RecordingName Recording(absl::string_view id = "r.mp4") {
  return *RecordingName::Parse("cam-1", id);
}

// A file store below `base` on any disk.
struct Files {
  Files(Disk& on, absl::string_view base, const FileStoreOptions& with)
      : disk(on),
        spool(JoinPath(base, "spool")),
        root(JoinPath(base, "store")),
        options(with) {
    EXPECT_OK(MakeDirectories(disk, spool));
    EXPECT_OK(MakeDirectories(disk, root));
    Restart();
  }
  void Restart() { store = std::make_unique<FileStore>(disk, root, options); }
  StoreSource Spool(const RecordingName& name, absl::string_view bytes) {
    const TransferId id = TransferId::Make(random);
    const std::string path =
        JoinPath(spool, absl::StrCat(id.ToString(), ".bytes"));
    EXPECT_OK(WriteFileAtomically(disk, path, bytes));
    return {.name = name, .transfer_id = id, .path = path, .extension = "mp4"};
  }
  absl::Status Commit(const StoreSource& source, absl::string_view bytes) {
    return (*store->Open(source))
        ->Commit(bytes.size(), Sha256::Of(bytes))
        .status();
  }
  // The contents of what lies in a recording's directory.
  std::vector<std::string> Stored(const RecordingName& name) const {
    std::vector<std::string> all;
    const std::string directory = JoinPath(root, name.ToString());
    const auto names = disk.List(directory);
    if (!names.ok()) return all;
    for (const std::string& file : *names) {
      const auto bytes = ReadFile(disk, JoinPath(directory, file), 1 << 20);
      all.push_back(bytes.ok() ? *bytes : bytes.status().ToString());
    }
    return all;
  }

  Disk& disk;
  const std::string spool;
  const std::string root;
  const FileStoreOptions options;
  SeededRandom random{7};
  std::unique_ptr<FileStore> store;
};

// --- the contract
// -----------------------------------------------------------------

// On a disk of either kind.
class FilesHarness final : public StoreHarness {
 public:
  FilesHarness(std::unique_ptr<Disk> disk, absl::string_view base,
               const FileStoreOptions& options)
      : disk_(std::move(disk)), files_(*disk_, base, options) {}

  Store& store() override { return *files_.store; }
  StoreSource Spool(const RecordingName& name,
                    absl::string_view bytes) override {
    return files_.Spool(name, bytes);
  }
  void Restart() override { files_.Restart(); }
  // Empty: the contract sends it away before anything is stored.
  void GoAway() override { ASSERT_OK(disk_->RemoveDirectory(files_.root)); }
  void ComeBack() override { ASSERT_OK(disk_->MakeDirectory(files_.root)); }

 private:
  const std::unique_ptr<Disk> disk_;
  Files files_;
};

MakeStoreHarness OnFakeDisk(bool read_back) {
  return [read_back] {
    return std::make_unique<FilesHarness>(
        std::make_unique<FakeDisk>(), "/data",
        FileStoreOptions{.read_back = read_back});
  };
}

std::unique_ptr<StoreHarness> OnPosixDisk() {
  const std::string pattern =
      absl::StrCat(testing::TempDir(), "/file_store_XXXXXX");
  std::string directory = pattern;
  EXPECT_NE(mkdtemp(directory.data()), nullptr);
  return std::make_unique<FilesHarness>(std::make_unique<PosixDisk>(),
                                        directory, FileStoreOptions{});
}

INSTANTIATE_TEST_SUITE_P(FileStore, StoreContractTest,
                         testing::Values(OnFakeDisk(false), OnFakeDisk(true),
                                         OnPosixDisk));

// --- what only files have
// ------------------------------------------------------------

class FileStoreTest : public testing::Test {
 protected:
  FakeDisk disk;
  Files files{disk, "/data", {}};

  void Fail(Kind kind, const absl::Status& status) {
    disk.SetFault([kind, status](const DiskOperation& operation) {
      return operation.kind == kind ? status : absl::OkStatus();
    });
  }
  void Damage(absl::string_view path, uint64_t offset) {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<File> file, disk.Open(path));
    ASSERT_OK_AND_ASSIGN(std::string byte, file->Read(offset, 1));
    byte[0] ^= 0x10;
    ASSERT_OK(file->Write(offset, byte));
  }
};

TEST_F(FileStoreTest, CommitLinksTheSpoolsFileAndWritesNothingTwice) {
  const StoreSource source = files.Spool(Recording(), "footage");
  int writes = 0;
  disk.SetFault([&writes](const DiskOperation& operation) {
    writes += operation.kind == Kind::kWrite;
    return absl::OkStatus();
  });
  ASSERT_OK(files.Commit(source, "footage"));
  EXPECT_EQ(writes, 0);
  EXPECT_EQ(disk.Stat("/data/store/cam-1/r.mp4/recording.mp4")->links, 2u);
  ASSERT_OK(disk.Remove(source.path));
  EXPECT_THAT(files.Stored(Recording()), ElementsAre("footage"));
}

TEST_F(FileStoreTest, AnotherExtensionIsNoOtherRecording) {
  ASSERT_OK(files.Commit(files.Spool(Recording(), "footage"), "footage"));
  StoreSource source = files.Spool(Recording(), "other");
  source.extension = "mkv";
  EXPECT_THAT(files.Commit(source, "other"),
              StatusIs(StatusCode::kAlreadyExists));
  source = files.Spool(Recording(), "footage");
  source.extension = "mkv";
  EXPECT_OK(files.Commit(source, "footage"));
  EXPECT_THAT(files.Stored(Recording()), ElementsAre("footage"));
}

TEST_F(FileStoreTest, ReadBackDetectsDamageAndLeavesNothing) {
  Files reading(disk, "/data", {.read_back = true});
  const StoreSource source = reading.Spool(Recording(), "footage");
  Damage(source.path, 3);
  EXPECT_THAT(reading.Commit(source, "footage"),
              StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(reading.Stored(Recording()), IsEmpty())
      << "damaged bytes under the recording's name";
  EXPECT_OK(disk.Stat(source.path)) << "the spool keeps its name";
  // The medium is itself again.
  Damage(source.path, 3);
  EXPECT_OK(reading.Commit(source, "footage"));
  EXPECT_THAT(reading.Stored(Recording()), ElementsAre("footage"));
}

TEST_F(FileStoreTest, SourceOfAnotherSizeIsNotStored) {
  const StoreSource source = files.Spool(Recording(), "footage");
  EXPECT_THAT((*files.store->Open(source))->Commit(6, Sha256::Of("footag")),
              StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(files.Stored(Recording()), IsEmpty());
}

TEST_F(FileStoreTest, SourceThatIsGoneIsAnErrorAndStoresNothing) {
  const StoreSource source = files.Spool(Recording(), "footage");
  ASSERT_OK(disk.Remove(source.path));
  EXPECT_THAT(files.Commit(source, "footage"), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(files.Stored(Recording()), IsEmpty());
}

TEST_F(FileStoreTest, RootThatIsGoneIsNeverMadeAnew) {
  const StoreSource source = files.Spool(Recording(), "footage");
  ASSERT_OK(disk.RemoveDirectory(files.root));
  EXPECT_THAT(files.Commit(source, "footage"),
              StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(disk.Stat(files.root), StatusIs(StatusCode::kNotFound))
      << "it would come back empty below a missing mount";
}

TEST_F(FileStoreTest, FullDiskIsReportedAtEachStepAndMayBeTriedAgain) {
  for (const Kind kind :
       {Kind::kMakeDirectory, Kind::kLink, Kind::kSyncDirectory}) {
    const RecordingName name =
        Recording(absl::StrCat("r", static_cast<int>(kind)));
    const StoreSource source = files.Spool(name, "footage");
    Fail(kind, absl::ResourceExhaustedError("no space"));
    EXPECT_THAT(files.Commit(source, "footage"),
                StatusIs(StatusCode::kResourceExhausted));
    disk.SetFault(nullptr);
    EXPECT_OK(files.Commit(source, "footage"));
    EXPECT_THAT(files.Stored(name), ElementsAre("footage"));
  }
}

TEST_F(FileStoreTest, CommitThatFailedOnceIsDurableWhenItSucceeds) {
  // Each directory's sync fails once, at the first attempt.
  for (int which = 1; which <= 3; ++which) {
    SCOPED_TRACE(which);
    for (uint64_t seed = 1; seed <= 50; ++seed) {
      FakeDisk cut(seed);
      Files store(cut, "/data", {});
      const StoreSource source = store.Spool(Recording(), "footage");
      cut.SetFault([which, syncs = 0](const DiskOperation& operation) mutable {
        return operation.kind == Kind::kSyncDirectory && ++syncs == which
                   ? absl::DataLossError("medium error")
                   : absl::OkStatus();
      });
      EXPECT_THAT(store.Commit(source, "footage"),
                  StatusIs(StatusCode::kDataLoss));
      EXPECT_OK(store.Commit(source, "footage"));
      cut.SetFault(nullptr);
      cut.CutPower();
      cut.RestorePower();
      ASSERT_THAT(store.Stored(Recording()), ElementsAre("footage"));
    }
  }
}

TEST_F(FileStoreTest, BundleThatCannotBeReadIsNotTakenForOtherBytes) {
  ASSERT_OK(files.Commit(files.Spool(Recording(), "footage"), "footage"));
  const StoreSource source = files.Spool(Recording(), "footage");
  Fail(Kind::kRead, absl::DataLossError("medium error"));
  EXPECT_THAT(files.Commit(source, "footage"), StatusIs(StatusCode::kDataLoss));
}

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

// Who laid it there may not have got as far as its syncs.
TEST(FileStorePowerTest, BundleThatWasThereAlreadyIsMadeDurable) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    FakeDisk disk(seed);
    Files files(disk, "/data", {});
    const StoreSource source = files.Spool(Recording(), "footage");
    const std::string target = files.store->TargetOf(source);
    ASSERT_OK(disk.MakeDirectory(ParentOf(ParentOf(target))));
    ASSERT_OK(disk.MakeDirectory(ParentOf(target)));
    ASSERT_OK(disk.Link(source.path, target));
    ASSERT_OK(files.Commit(source, "footage"));
    disk.CutPower();
    disk.RestorePower();
    ASSERT_THAT(files.Stored(Recording()), ElementsAre("footage"));
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

// --- within reach of the spool
// -----------------------------------------------------------

TEST_F(FileStoreTest, ReachIsProvedAndLeavesNoTrace) {
  EXPECT_OK(files.store->CheckReach(files.spool));
  EXPECT_THAT(disk.List(files.spool), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(disk.List(files.root), IsOkAndHolds(IsEmpty()));
}

TEST_F(FileStoreTest, TracesOfAKilledProbeDoNotMatter) {
  for (const std::string& directory : {files.spool, files.root}) {
    ASSERT_OK(disk.Create(JoinPath(directory, "reach.probe")));
    EXPECT_OK(files.store->CheckReach(files.spool));
    EXPECT_THAT(disk.List(files.spool), IsOkAndHolds(IsEmpty()));
    EXPECT_THAT(disk.List(files.root), IsOkAndHolds(IsEmpty()));
  }
}

TEST_F(FileStoreTest, OtherFileSystemIsRefusedWithBothPlacesNamed) {
  disk.MountAt(files.root);
  EXPECT_THAT(files.store->CheckReach(files.spool),
              StatusIs(StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr(files.root), HasSubstr(files.spool),
                             HasSubstr("file system"))));
  EXPECT_THAT(disk.List(files.spool), IsOkAndHolds(IsEmpty()));
  // A store put there all the same takes nothing.
  EXPECT_THAT(files.Commit(files.Spool(Recording(), "footage"), "footage"),
              StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(files.Stored(Recording()), IsEmpty());
}

TEST_F(FileStoreTest, RootThatIsMissingIsOutOfReach) {
  ASSERT_OK(disk.RemoveDirectory(files.root));
  EXPECT_THAT(files.store->CheckReach(files.spool),
              StatusIs(StatusCode::kNotFound));
}

}  // namespace
}  // namespace schleuse
