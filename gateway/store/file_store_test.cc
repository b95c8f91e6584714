#include "gateway/store/file_store.h"

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "base/status_matchers.h"
#include "disk/fake_disk.h"
#include "disk/posix_disk.h"
#include "gateway/store/store_contract.h"
#include "gateway/store/test_files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;
using testing::_;
using testing::AllOf;
using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Kind = DiskOperation::Kind;

// --- the contract -----------------------------------------------------------

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
  std::string Witnessed(const Bundle& bundle) override {
    return ReadFile(*disk_,
                    JoinPath(ParentOf(bundle.location),
                             "receipt.witnessed.tlog-proof"),
                    1 << 20)
        .value_or("");
  }

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

// --- what only files have ---------------------------------------------------

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

// What every recording pays for: nothing is added to it unseen.
TEST_F(FileStoreTest, CommitOfANewRecordingCostsAFewOperationsAndOneCall) {
  const std::string large((9 << 20), 'x');
  const struct {
    const char* recording;
    int operations;
    int syncs;
  } kCases[] = {{"first-of-its-camera", 9, 3},
                {"second", 7, 2},
                // Its camera's directory is tried for emptiness.
                {"first-of-its-process", 10, 3}};
  for (const auto& [recording, operations, syncs] : kCases) {
    SCOPED_TRACE(recording);
    if (recording == kCases[2].recording) files.Restart();
    const StoreSource source = files.Spool(Recording(recording), large);
    const auto upload = *files.store->Open(source);
    const int operations_before = disk.operations();
    const int syncs_before = disk.syncs();
    const auto stored = upload->Commit(large.size(), Sha256::Of(large));
    EXPECT_EQ(disk.operations() - operations_before, operations);
    EXPECT_EQ(disk.syncs() - syncs_before, syncs);
    ASSERT_OK(stored);
    EXPECT_TRUE(stored->has_value());
  }
}

TEST_F(FileStoreTest, NoStepReadsMoreThan8MiB) {
  const std::string large((20 << 20) + 1, 'x');
  Files reading(disk, "/data", {.read_back = true});
  const StoreSource source = reading.Spool(Recording(), large);
  int reads = 0;
  disk.SetFault([&reads](const DiskOperation& operation) {
    reads += operation.kind == Kind::kRead;
    return absl::OkStatus();
  });
  // Read back behind its link, then found there.
  for (int i = 0; i < 2; ++i) {
    const auto upload = *reading.store->Open(source);
    for (int step = 1; step <= 3; ++step) {
      reads = 0;
      const auto stored = upload->Commit(large.size(), Sha256::Of(large));
      ASSERT_OK(stored);
      EXPECT_EQ(stored->has_value(), step == 3) << step;
      EXPECT_LE(reads, 8) << "of 1 MiB each";
    }
  }
}

TEST_F(FileStoreTest, CommitThatFailsBetweenStepsBeginsAnew) {
  const std::string large(9 << 20, 'x');
  Files reading(disk, "/data", {.read_back = true});
  const StoreSource source = reading.Spool(Recording(), large);
  const auto upload = *reading.store->Open(source);
  const auto more_to_do = IsOkAndHolds(testing::Not(testing::Optional(_)));
  for (const char* what : {"read back", "found there"}) {
    SCOPED_TRACE(what);
    EXPECT_THAT(upload->Commit(large.size(), Sha256::Of(large)), more_to_do);
    Fail(Kind::kRead, absl::UnavailableError("no memory"));
    EXPECT_THAT(upload->Commit(large.size(), Sha256::Of(large)),
                StatusIs(StatusCode::kUnavailable));
    disk.SetFault(nullptr);
    EXPECT_THAT(upload->Commit(large.size(), Sha256::Of(large)), more_to_do)
        << "it did not read from the beginning";
    EXPECT_OK(CommitWhole(*upload, large.size(), Sha256::Of(large)));
  }
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

TEST_F(FileStoreTest, CameraDirectoryThatSomebodyRemovedIsMadeAgain) {
  const std::string camera = JoinPath(files.root, "cam-1");
  ASSERT_OK(files.Commit(files.Spool(Recording(), "footage"), "footage"));
  ASSERT_OK(disk.Remove(JoinPath(camera, "r.mp4/recording.mp4")));
  ASSERT_OK(disk.RemoveDirectory(JoinPath(camera, "r.mp4")));
  ASSERT_OK(disk.RemoveDirectory(camera));
  EXPECT_OK(files.Commit(files.Spool(Recording("s"), "second"), "second"));
  EXPECT_THAT(files.Stored(Recording("s")), ElementsAre("second"));
  disk.RestorePower();
  EXPECT_THAT(files.Stored(Recording("s")), ElementsAre("second"));
}

TEST_F(FileStoreTest, CameraDirectoryThatIsNeverThereIsMadeAgainOnce) {
  int attempts = 0;
  disk.SetFault([&attempts](const DiskOperation& operation) {
    const bool recording = operation.kind == Kind::kMakeDirectory &&
                           operation.path == "/data/store/cam-1/r.mp4";
    if (!recording) return absl::OkStatus();
    ++attempts;
    return absl::NotFoundError("removed again");
  });
  EXPECT_THAT(files.Commit(files.Spool(Recording(), "footage"), "footage"),
              StatusIs(StatusCode::kNotFound));
  EXPECT_EQ(attempts, 2);
}

TEST_F(FileStoreTest, CommitWhoseSyncFailsLeavesNothing) {
  const StoreSource source = files.Spool(Recording(), "footage");
  for (const char* directory : {"", "/cam-1", "/cam-1/r.mp4"}) {
    const std::string path = absl::StrCat(files.root, directory);
    disk.SetFault([&path](const DiskOperation& operation) {
      return operation.kind == Kind::kSyncDirectory && operation.path == path
                 ? absl::DataLossError("medium error")
                 : absl::OkStatus();
    });
    EXPECT_THAT(files.Commit(source, "footage"),
                StatusIs(StatusCode::kDataLoss));
    EXPECT_THAT(disk.List(path),
                AnyOf(IsOkAndHolds(IsEmpty()), StatusIs(StatusCode::kNotFound)))
        << path;
  }
}

// The same bytes, of another transfer: perhaps the only name they have.
TEST_F(FileStoreTest, FoundFileThatIsNotTheSpoolsIsNeverRemoved) {
  ASSERT_OK(files.Commit(files.Spool(Recording(), "footage"), "footage"));
  const std::string target = "/data/store/cam-1/r.mp4/recording.mp4";
  const FileIdentity stored = disk.Stat(target)->identity;
  const StoreSource source = files.Spool(Recording(), "footage");
  for (const Kind kind : {Kind::kSync, Kind::kSyncDirectory}) {
    Fail(kind, absl::DataLossError("medium error"));
    EXPECT_THAT(files.Commit(source, "footage"),
                StatusIs(StatusCode::kDataLoss));
    disk.SetFault(nullptr);
    EXPECT_EQ(disk.Stat(target)->identity, stored);
    disk.SetFault([](const DiskOperation& operation) {
      EXPECT_NE(operation.kind, Kind::kRemove);
      return absl::OkStatus();
    });
    EXPECT_THAT(files.Commit(source, "footage"),
                StatusIs(StatusCode::kDataLoss, HasSubstr("not ours")));
    files.Restart();
  }
  EXPECT_OK(files.Commit(source, "footage"));
  EXPECT_EQ(disk.Stat(target)->identity, stored);
}

TEST_F(FileStoreTest, FoundFileOfOtherBytesIsNeverRemoved) {
  const StoreSource source = files.Spool(Recording(), "footage");
  ASSERT_OK(files.Commit(source, "footage"));
  Damage(source.path, 3);  // and with it what is stored
  EXPECT_THAT(files.Commit(source, "footage"),
              StatusIs(StatusCode::kAlreadyExists));
  EXPECT_THAT(files.Stored(Recording()), SizeIs(1));
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

// A sync that could not even be tried, and a commit that took its name back,
// left a doubt about what the next one stored.
TEST_F(FileStoreTest, StoredBundleWasDoubtedForAnAttemptBeforeIt) {
  const StoreSource source = files.Spool(Recording(), "footage");
  disk.SetFault([](const DiskOperation& operation) {
    return operation.kind == Kind::kSyncDirectory &&
                   operation.path == "/data/store/cam-1/r.mp4"
               ? absl::UnavailableError("no descriptors")
               : absl::OkStatus();
  });
  EXPECT_THAT(files.Commit(source, "footage"),
              StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(files.Stored(Recording()), IsEmpty());
  disk.SetFault(nullptr);
  ASSERT_OK(files.Commit(source, "footage"));
  EXPECT_OK(files.store->Keep(files.store->Find(Recording())->front()));
}

TEST_F(FileStoreTest, FoundFileWasDoubtedForASyncThatWasNotTried) {
  ASSERT_OK(files.Commit(files.Spool(Recording(), "footage"), "footage"));
  const StoreSource source = files.Spool(Recording(), "footage");
  Fail(Kind::kSyncDirectory, absl::UnavailableError("no descriptors"));
  EXPECT_THAT(files.Commit(source, "footage"),
              StatusIs(StatusCode::kUnavailable));
  disk.SetFault(nullptr);
  EXPECT_OK(files.Commit(source, "footage"));
}

TEST_F(FileStoreTest, BundleThatCannotBeReadIsNotTakenForOtherBytes) {
  ASSERT_OK(files.Commit(files.Spool(Recording(), "footage"), "footage"));
  const StoreSource source = files.Spool(Recording(), "footage");
  Fail(Kind::kRead, absl::DataLossError("medium error"));
  EXPECT_THAT(files.Commit(source, "footage"), StatusIs(StatusCode::kDataLoss));
}

// --- within reach of the spool ----------------------------------------------

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
