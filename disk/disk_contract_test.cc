// What disk.h promises of every Disk, asked of the kernel's and of the fake.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/random.h"
#include "base/status_matchers.h"
#include "disk/disk.h"
#include "disk/fake_disk.h"
#include "disk/posix_disk.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A disk to try, and a directory on it that is ours.
class Candidate {
 public:
  virtual ~Candidate() = default;
  virtual Disk& disk() = 0;
  virtual std::string directory() = 0;
  // On another file system, if there is one.
  virtual std::optional<std::string> elsewhere() = 0;
};

class FakeCandidate final : public Candidate {
 public:
  FakeCandidate() {
    disk_.MakeDirectory("/here").IgnoreError();
    disk_.MakeDirectory("/there").IgnoreError();
    disk_.MountAt("/there");
  }
  Disk& disk() override { return disk_; }
  std::string directory() override { return "/here"; }
  std::optional<std::string> elsewhere() override { return "/there"; }

 private:
  FakeDisk disk_;
};

class PosixCandidate final : public Candidate {
 public:
  PosixCandidate() {
    directory_ = NewDirectory(testing::TempDir()).value();
    elsewhere_ = NewDirectory("/dev/shm");
  }
  ~PosixCandidate() override {
    std::filesystem::remove_all(directory_);
    if (elsewhere_) std::filesystem::remove_all(*elsewhere_);
  }
  Disk& disk() override { return disk_; }
  std::string directory() override { return directory_; }
  std::optional<std::string> elsewhere() override {
    if (!elsewhere_ || FileSystem(*elsewhere_) == FileSystem(directory_)) {
      return std::nullopt;
    }
    return elsewhere_;
  }

 private:
  static std::optional<std::string> NewDirectory(const std::string& parent) {
    std::string name = JoinPath(parent, "disk-XXXXXX");
    if (mkdtemp(name.data()) == nullptr) return std::nullopt;
    return name;
  }
  static dev_t FileSystem(const std::string& path) {
    struct stat info = {};
    EXPECT_EQ(stat(path.c_str(), &info), 0);
    return info.st_dev;
  }

  PosixDisk disk_;
  std::string directory_;
  std::optional<std::string> elsewhere_;
};

struct Kind {
  std::string name;
  std::function<std::unique_ptr<Candidate>()> make;
};

class DiskContractTest : public testing::TestWithParam<Kind> {
 protected:
  std::string Path(absl::string_view name) const {
    return JoinPath(candidate_->directory(), name);
  }
  void Put(absl::string_view name, absl::string_view bytes) {
    ASSERT_OK_AND_ASSIGN(const auto file, disk_.Create(Path(name)));
    ASSERT_OK(file->Write(0, bytes));
    ASSERT_OK(file->Sync());
  }
  absl::StatusOr<std::string> Get(absl::string_view name) const {
    return ReadFile(disk_, Path(name), 1 << 20);
  }
  std::vector<std::string> Names() const {
    return disk_.List(candidate_->directory()).value();
  }

  const std::unique_ptr<Candidate> candidate_ = GetParam().make();
  Disk& disk_ = candidate_->disk();
};

INSTANTIATE_TEST_SUITE_P(
    EveryDisk, DiskContractTest,
    testing::Values(
        Kind{"Posix", [] { return std::make_unique<PosixCandidate>(); }},
        Kind{"Fake", [] { return std::make_unique<FakeCandidate>(); }}),
    [](const testing::TestParamInfo<Kind>& info) { return info.param.name; });

// --- files ---

TEST_P(DiskContractTest, CreateMakesAnEmptyFileForReadingAndWriting) {
  ASSERT_OK_AND_ASSIGN(const auto file, disk_.Create(Path("f")));
  EXPECT_THAT(file->Size(), IsOkAndHolds(0u));
  EXPECT_OK(file->Write(0, "abc"));
  EXPECT_THAT(file->Read(0, 10), IsOkAndHolds("abc"));
  EXPECT_THAT(Names(), ElementsAre("f"));
}

TEST_P(DiskContractTest, CreateNeverTakesANameThatExists) {
  Put("f", "old");
  ASSERT_OK(disk_.MakeDirectory(Path("d")));
  EXPECT_THAT(disk_.Create(Path("f")), StatusIs(StatusCode::kAlreadyExists));
  EXPECT_THAT(disk_.Create(Path("d")), StatusIs(StatusCode::kAlreadyExists));
  EXPECT_THAT(Get("f"), IsOkAndHolds("old"));
}

TEST_P(DiskContractTest, CreateWantsADirectoryThatExists) {
  Put("f", "");
  EXPECT_THAT(disk_.Create(Path("d/f")), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(disk_.Create(Path("f/f")), StatusIs(StatusCode::kNotFound));
}

TEST_P(DiskContractTest, OpenWantsAFileThatExists) {
  Put("f", "");
  for (const absl::string_view name : {"g", "f/g", "d/g"}) {
    EXPECT_THAT(disk_.Open(Path(name)), StatusIs(StatusCode::kNotFound));
    EXPECT_THAT(disk_.OpenForReading(Path(name)),
                StatusIs(StatusCode::kNotFound));
  }
}

TEST_P(DiskContractTest, ADirectoryIsNotOpenedAsAFile) {
  ASSERT_OK(disk_.MakeDirectory(Path("d")));
  EXPECT_THAT(disk_.Open(Path("d")), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(disk_.OpenForReading(Path("d")),
              StatusIs(StatusCode::kFailedPrecondition));
}

TEST_P(DiskContractTest, OpenReadsAndWritesWhatIsThere) {
  Put("f", "abcdef");
  ASSERT_OK_AND_ASSIGN(const auto file, disk_.Open(Path("f")));
  EXPECT_OK(file->Write(2, "XY"));
  EXPECT_THAT(file->Read(0, 100), IsOkAndHolds("abXYef"));
  EXPECT_THAT(Get("f"), IsOkAndHolds("abXYef"));
}

TEST_P(DiskContractTest, AFileOpenedForReadingIsNotWritten) {
  Put("f", "abc");
  ASSERT_OK_AND_ASSIGN(const auto file, disk_.OpenForReading(Path("f")));
  EXPECT_THAT(file->Write(0, "x"), StatusIs(StatusCode::kPermissionDenied));
  EXPECT_THAT(file->Write(0, absl::Cord("x")),
              StatusIs(StatusCode::kPermissionDenied));
  EXPECT_THAT(file->Truncate(0), StatusIs(StatusCode::kPermissionDenied));
  EXPECT_THAT(file->Read(0, 3), IsOkAndHolds("abc"));
}

// What that makes durable is in fake_disk_test.cc.
TEST_P(DiskContractTest, AFileOpenedForReadingIsSynced) {
  Put("f", "abc");
  ASSERT_OK_AND_ASSIGN(const auto writer, disk_.Open(Path("f")));
  ASSERT_OK_AND_ASSIGN(const auto reader, disk_.OpenForReading(Path("f")));
  ASSERT_OK(writer->Write(0, "xyz"));
  EXPECT_OK(reader->Sync());
  EXPECT_THAT(reader->Read(0, 3), IsOkAndHolds("xyz"));
}

TEST_P(DiskContractTest, ReadEndsWithTheFile) {
  Put("f", "abcdef");
  ASSERT_OK_AND_ASSIGN(const auto file, disk_.OpenForReading(Path("f")));
  EXPECT_THAT(file->Read(0, 6), IsOkAndHolds("abcdef"));
  EXPECT_THAT(file->Read(2, 3), IsOkAndHolds("cde"));
  EXPECT_THAT(file->Read(4, 3), IsOkAndHolds("ef"));
  EXPECT_THAT(file->Read(6, 1), IsOkAndHolds(""));
  EXPECT_THAT(file->Read(7, 1), IsOkAndHolds(""));
  EXPECT_THAT(file->Read(0, 0), IsOkAndHolds(""));
}

TEST_P(DiskContractTest, ReadIntoFillsNoMoreThanTheFileHolds) {
  Put("f", "abcdef");
  ASSERT_OK_AND_ASSIGN(const auto file, disk_.OpenForReading(Path("f")));
  std::string into = "------";
  EXPECT_THAT(file->ReadInto(4, absl::MakeSpan(into)), IsOkAndHolds(2u));
  EXPECT_EQ(into, "ef----");
  EXPECT_THAT(file->ReadInto(6, absl::MakeSpan(into)), IsOkAndHolds(0u));
  EXPECT_THAT(file->ReadInto(1, absl::MakeSpan(into).first(3)),
              IsOkAndHolds(3u));
  EXPECT_EQ(into, "bcd---");
}

TEST_P(DiskContractTest, ReadOfAnAbsurdLengthTakesNoMoreThanTheFile) {
  Put("f", "abc");
  ASSERT_OK_AND_ASSIGN(const auto file, disk_.OpenForReading(Path("f")));
  EXPECT_THAT(file->Read(1, UINT64_MAX), IsOkAndHolds("bc"));
  EXPECT_THAT(file->Read(UINT64_MAX, UINT64_MAX), IsOkAndHolds(""));
}

TEST_P(DiskContractTest, BytesAreKeptAsTheyAre) {
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  Put("f", all);
  EXPECT_THAT(Get("f"), IsOkAndHolds(all));
}

TEST_P(DiskContractTest, AWriteBehindTheEndLeavesZerosBetween) {
  ASSERT_OK_AND_ASSIGN(const auto file, disk_.Create(Path("f")));
  ASSERT_OK(file->Write(3, "x"));
  EXPECT_THAT(file->Read(0, 10), IsOkAndHolds(std::string("\0\0\0x", 4)));
}

TEST_P(DiskContractTest, AnEmptyWriteChangesNothing) {
  ASSERT_OK_AND_ASSIGN(const auto file, disk_.Create(Path("f")));
  EXPECT_OK(file->Write(100, ""));
  EXPECT_OK(file->Write(100, absl::Cord()));
  EXPECT_THAT(file->Size(), IsOkAndHolds(0u));
}

TEST_P(DiskContractTest, ACordOfManyPiecesIsWrittenWhole) {
  absl::Cord cord;
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    // External pieces are not joined.
    const std::string piece(1 + i * 7 % 300, static_cast<char>('a' + i % 26));
    expected += piece;
    auto* owned = new std::string(piece);
    cord.Append(absl::MakeCordFromExternal(*owned, [owned] { delete owned; }));
  }
  ASSERT_OK_AND_ASSIGN(const auto file, disk_.Create(Path("f")));
  ASSERT_OK(file->Write(5, cord));
  EXPECT_THAT(file->Size(), IsOkAndHolds(5 + expected.size()));
  EXPECT_THAT(file->Read(5, expected.size()), IsOkAndHolds(expected));
}

// Small and large ones, over each other and over other writes, read meanwhile.
TEST_P(DiskContractTest, WholeBlocksAreReadAsAnyOtherWrite) {
  constexpr uint64_t kBlock = File::kBlockBytes;
  constexpr uint64_t kBlocksMax = 256;
  const std::unique_ptr<char, void (*)(void*)> memory(
      static_cast<char*>(std::aligned_alloc(kBlock, kBlocksMax * kBlock)),
      std::free);
  ASSERT_OK_AND_ASSIGN(const auto file, disk_.Create(Path("f")));
  std::string all;
  SeededRandom random(5);
  for (int i = 0; i < 60; ++i) {
    const uint64_t blocks = 1 + random.Next() % (i % 2 == 0 ? kBlocksMax : 4);
    const uint64_t offset = random.Next() % (all.size() / kBlock + 2) * kBlock;
    std::memset(memory.get(), 'a' + i, blocks * kBlock);
    const absl::string_view bytes(memory.get(), blocks * kBlock);
    ASSERT_OK(file->WriteBlocks(offset, bytes));
    all.resize(std::max(all.size(), offset + bytes.size()), '\0');
    all.replace(offset, bytes.size(), bytes.data(), bytes.size());
    const uint64_t at = random.Next() % all.size();
    ASSERT_OK(file->Write(at, "x"));
    all[at] = 'x';
    if (i % 7 == 0) {
      ASSERT_OK(file->Sync());
    }
    ASSERT_OK_AND_ASSIGN(const std::string read, file->Read(0, all.size()));
    ASSERT_TRUE(read == all) << i;
  }
}

TEST_P(DiskContractTest, WhatIsNotWholeBlocksIsNotWrittenAsSuch) {
  constexpr uint64_t kBlock = File::kBlockBytes;
  const std::unique_ptr<char, void (*)(void*)> memory(
      static_cast<char*>(std::aligned_alloc(kBlock, 2 * kBlock)), std::free);
  std::memset(memory.get(), 'a', 2 * kBlock);
  ASSERT_OK_AND_ASSIGN(const auto file, disk_.Create(Path("f")));
  const auto write = [&](uint64_t offset, uint64_t from, uint64_t size) {
    return file->WriteBlocks(offset,
                             absl::string_view(memory.get() + from, size));
  };
  EXPECT_THAT(write(1, 0, kBlock), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(write(0, 1, kBlock), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(write(0, 0, kBlock - 1), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(file->Size(), IsOkAndHolds(0u));
}

TEST_P(DiskContractTest, TruncateCutsAndExtendsWithZeros) {
  Put("f", "abcdef");
  ASSERT_OK_AND_ASSIGN(const auto file, disk_.Open(Path("f")));
  ASSERT_OK(file->Truncate(2));
  EXPECT_THAT(file->Read(0, 10), IsOkAndHolds("ab"));
  ASSERT_OK(file->Truncate(4));
  EXPECT_THAT(file->Read(0, 10), IsOkAndHolds(std::string("ab\0\0", 4)));
  EXPECT_THAT(file->Size(), IsOkAndHolds(4u));
}

TEST_P(DiskContractTest, AFileBeyondAllBoundsIsRefusedAsFull) {
  ASSERT_OK_AND_ASSIGN(const auto file, disk_.Create(Path("f")));
  for (const uint64_t offset : {uint64_t{INT64_MAX}, uint64_t{UINT64_MAX}}) {
    EXPECT_THAT(file->Write(offset, "x"),
                StatusIs(StatusCode::kResourceExhausted));
  }
  EXPECT_THAT(file->Truncate(UINT64_MAX),
              StatusIs(StatusCode::kResourceExhausted));
  EXPECT_THAT(file->Size(), IsOkAndHolds(0u));
}

TEST_P(DiskContractTest, AnOpenFileOutlivesItsName) {
  ASSERT_OK_AND_ASSIGN(const auto file, disk_.Create(Path("f")));
  ASSERT_OK(disk_.Remove(Path("f")));
  EXPECT_OK(file->Write(0, "abc"));
  EXPECT_OK(file->Sync());
  EXPECT_THAT(file->Read(0, 3), IsOkAndHolds("abc"));
  EXPECT_THAT(Names(), IsEmpty());
}

TEST_P(DiskContractTest, TwoOpenFilesSeeOneAnothersWrites) {
  ASSERT_OK_AND_ASSIGN(const auto writer, disk_.Create(Path("f")));
  ASSERT_OK_AND_ASSIGN(const auto reader, disk_.OpenForReading(Path("f")));
  ASSERT_OK(writer->Write(0, "abc"));
  EXPECT_THAT(reader->Read(0, 3), IsOkAndHolds("abc"));
}

TEST_P(DiskContractTest, ManyThreadsWriteAndSyncOneFile) {
  constexpr int kThreads = 4;
  constexpr int kPieces = 50;
  ASSERT_OK_AND_ASSIGN(const auto file, disk_.Create(Path("f")));
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&file, t] {
      const std::string piece(100, static_cast<char>('a' + t));
      for (int i = 0; i < kPieces; ++i) {
        EXPECT_OK(file->Write((i * kThreads + t) * piece.size(), piece));
        if (i % 10 == t) {
          EXPECT_OK(file->Sync());
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::string expected;
  for (int i = 0; i < kThreads * kPieces; ++i) {
    expected.append(100, static_cast<char>('a' + i % kThreads));
  }
  EXPECT_THAT(Get("f"), IsOkAndHolds(expected));
}

// --- names ---

TEST_P(DiskContractTest, LinkGivesASecondNameToOneFile) {
  Put("a", "abc");
  ASSERT_OK(disk_.Link(Path("a"), Path("b")));
  ASSERT_OK_AND_ASSIGN(const auto file, disk_.Open(Path("a")));
  ASSERT_OK(file->Write(0, "X"));
  EXPECT_THAT(Get("b"), IsOkAndHolds("Xbc"));
  EXPECT_EQ(disk_.Stat(Path("a"))->links, 2u);
  EXPECT_EQ(disk_.Stat(Path("b"))->links, 2u);
  ASSERT_OK(disk_.Remove(Path("a")));
  EXPECT_THAT(Get("b"), IsOkAndHolds("Xbc"));
  EXPECT_EQ(disk_.Stat(Path("b"))->links, 1u);
}

TEST_P(DiskContractTest, LinkNeverReplaces) {
  Put("a", "new");
  Put("b", "old");
  ASSERT_OK(disk_.MakeDirectory(Path("d")));
  EXPECT_THAT(disk_.Link(Path("a"), Path("b")),
              StatusIs(StatusCode::kAlreadyExists));
  EXPECT_THAT(disk_.Link(Path("a"), Path("a")),
              StatusIs(StatusCode::kAlreadyExists));
  EXPECT_THAT(disk_.Link(Path("a"), Path("d")),
              StatusIs(StatusCode::kAlreadyExists));
  EXPECT_THAT(Get("b"), IsOkAndHolds("old"));
}

TEST_P(DiskContractTest, LinkWantsAFileAndADirectoryToPutItIn) {
  Put("a", "");
  EXPECT_THAT(disk_.Link(Path("x"), Path("b")),
              StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(disk_.Link(Path("a"), Path("x/b")),
              StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(disk_.Link(Path("a"), Path("a/b")),
              StatusIs(StatusCode::kNotFound));
}

TEST_P(DiskContractTest, LinkTakesNoDirectory) {
  ASSERT_OK(disk_.MakeDirectory(Path("d")));
  EXPECT_THAT(disk_.Link(Path("d"), Path("e")),
              StatusIs(StatusCode::kPermissionDenied));
}

TEST_P(DiskContractTest, LinkDoesNotCrossFileSystems) {
  const std::optional<std::string> elsewhere = candidate_->elsewhere();
  if (!elsewhere) GTEST_SKIP() << "no second file system here";
  Put("a", "abc");
  EXPECT_THAT(disk_.Link(Path("a"), JoinPath(*elsewhere, "a")),
              StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(disk_.List(*elsewhere), IsOkAndHolds(IsEmpty()));
}

TEST_P(DiskContractTest, ReplacePutsANewFileUnderAnOldName) {
  Put("a", "new");
  Put("b", "old");
  ASSERT_OK_AND_ASSIGN(const auto old, disk_.OpenForReading(Path("b")));
  ASSERT_OK(disk_.Replace(Path("a"), Path("b")));
  EXPECT_THAT(Get("b"), IsOkAndHolds("new"));
  EXPECT_THAT(Names(), ElementsAre("b"));
  EXPECT_THAT(old->Read(0, 3), IsOkAndHolds("old"));
}

TEST_P(DiskContractTest, ReplaceRenamesToANameThatIsFree) {
  Put("a", "abc");
  ASSERT_OK(disk_.Replace(Path("a"), Path("b")));
  EXPECT_THAT(Get("b"), IsOkAndHolds("abc"));
  EXPECT_THAT(Names(), ElementsAre("b"));
}

TEST_P(DiskContractTest, ReplaceStaysInOneDirectory) {
  Put("a", "abc");
  ASSERT_OK(disk_.MakeDirectory(Path("d")));
  EXPECT_THAT(disk_.Replace(Path("a"), Path("d/a")),
              StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(Names(), ElementsAre("a", "d"));
}

TEST_P(DiskContractTest, ReplaceWantsFiles) {
  Put("a", "abc");
  ASSERT_OK(disk_.MakeDirectory(Path("d")));
  EXPECT_THAT(disk_.Replace(Path("x"), Path("a")),
              StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(disk_.Replace(Path("a"), Path("d")),
              StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(disk_.Replace(Path("d"), Path("e")),
              StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(Names(), ElementsAre("a", "d"));
}

// A surprise of rename(2) that callers meet and the fake must not hide.
TEST_P(DiskContractTest, ReplaceLeavesTwoNamesOfOneFile) {
  Put("a", "abc");
  ASSERT_OK(disk_.Link(Path("a"), Path("b")));
  EXPECT_OK(disk_.Replace(Path("a"), Path("b")));
  EXPECT_THAT(Names(), ElementsAre("a", "b"));
}

TEST_P(DiskContractTest, RemoveTakesAFilesName) {
  Put("a", "abc");
  Put("b", "");
  ASSERT_OK(disk_.Remove(Path("a")));
  EXPECT_THAT(Names(), ElementsAre("b"));
  EXPECT_THAT(disk_.Remove(Path("a")), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(disk_.Remove(Path("b/a")), StatusIs(StatusCode::kNotFound));
}

TEST_P(DiskContractTest, RemoveTakesNoDirectory) {
  ASSERT_OK(disk_.MakeDirectory(Path("d")));
  EXPECT_THAT(disk_.Remove(Path("d")),
              StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(Names(), ElementsAre("d"));
}

TEST_P(DiskContractTest, SyncFileSystemWantsSomethingThatIsThere) {
  Put("f", "x");
  EXPECT_OK(disk_.SyncFileSystem(candidate_->directory()));
  EXPECT_OK(disk_.SyncFileSystem(Path("f")));
  EXPECT_THAT(disk_.SyncFileSystem(Path("none")),
              StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(Names(), ElementsAre("f"));
}

// --- directories ---

TEST_P(DiskContractTest, MakeDirectoryMakesOne) {
  ASSERT_OK(disk_.MakeDirectory(Path("d")));
  EXPECT_OK(disk_.SyncDirectory(candidate_->directory()));
  EXPECT_THAT(disk_.List(Path("d")), IsOkAndHolds(IsEmpty()));
  EXPECT_TRUE(disk_.Stat(Path("d"))->is_directory);
}

TEST_P(DiskContractTest, MakeDirectoryWantsAFreeNameAndAParent) {
  Put("f", "");
  ASSERT_OK(disk_.MakeDirectory(Path("d")));
  EXPECT_THAT(disk_.MakeDirectory(Path("d")),
              StatusIs(StatusCode::kAlreadyExists));
  EXPECT_THAT(disk_.MakeDirectory(Path("f")),
              StatusIs(StatusCode::kAlreadyExists));
  EXPECT_THAT(disk_.MakeDirectory(Path("x/d")),
              StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(disk_.MakeDirectory(Path("f/d")),
              StatusIs(StatusCode::kNotFound));
}

TEST_P(DiskContractTest, RemoveDirectoryTakesAnEmptyOne) {
  ASSERT_OK(disk_.MakeDirectory(Path("d")));
  Put("d/f", "");
  EXPECT_THAT(disk_.RemoveDirectory(Path("d")),
              StatusIs(StatusCode::kFailedPrecondition));
  ASSERT_OK(disk_.Remove(Path("d/f")));
  EXPECT_OK(disk_.RemoveDirectory(Path("d")));
  EXPECT_THAT(Names(), IsEmpty());
}

TEST_P(DiskContractTest, RemoveDirectoryWantsADirectory) {
  Put("f", "");
  EXPECT_THAT(disk_.RemoveDirectory(Path("x")),
              StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(disk_.RemoveDirectory(Path("f")),
              StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(Names(), ElementsAre("f"));
}

TEST_P(DiskContractTest, SyncDirectoryAndListWantADirectory) {
  Put("f", "");
  for (const absl::string_view name : {"f", "x", "f/x"}) {
    EXPECT_THAT(disk_.SyncDirectory(Path(name)),
                StatusIs(StatusCode::kNotFound));
    EXPECT_THAT(disk_.List(Path(name)), StatusIs(StatusCode::kNotFound));
  }
}

TEST_P(DiskContractTest, ListIsSortedByBytes) {
  for (const absl::string_view name : {"b", "a.new", "B", "\xC3\xA4", ".x"}) {
    Put(name, "");
  }
  ASSERT_OK(disk_.MakeDirectory(Path("aa")));
  EXPECT_THAT(Names(), ElementsAre(".x", "B", "a.new", "aa", "b", "\xC3\xA4"));
}

TEST_P(DiskContractTest, StatTellsOfFiles) {
  Put("f", "abc");
  ASSERT_OK_AND_ASSIGN(const FileInfo info, disk_.Stat(Path("f")));
  EXPECT_EQ(info.size, 3u);
  EXPECT_FALSE(info.is_directory);
  EXPECT_EQ(info.links, 1u);
  EXPECT_GT(info.modified, absl::FromUnixSeconds(1'600'000'000));
  EXPECT_THAT(disk_.Stat(Path("x")), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(disk_.Stat(Path("f/x")), StatusIs(StatusCode::kNotFound));
}

TEST_P(DiskContractTest, IdentityIsThatOfTheFileAndNotOfItsName) {
  Put("a", "same");
  Put("b", "same");
  ASSERT_OK(disk_.Link(Path("a"), Path("c")));
  const auto identity = [this](absl::string_view name) {
    return disk_.Stat(Path(name)).value().identity;
  };
  const FileIdentity a = identity("a");
  const FileIdentity b = identity("b");
  EXPECT_EQ(identity("c"), a);
  EXPECT_FALSE(a == b) << "two files, though of the same bytes";
  ASSERT_OK(disk_.Open(Path("a")).value()->Write(0, "other"));
  EXPECT_EQ(identity("a"), a);
  ASSERT_OK(disk_.Replace(Path("b"), Path("a")));
  EXPECT_EQ(identity("a"), b);
  EXPECT_EQ(identity("c"), a);
}

TEST_P(DiskContractTest, DirectoriesHaveIdentitiesToo) {
  ASSERT_OK(disk_.MakeDirectory(Path("d")));
  ASSERT_OK(disk_.MakeDirectory(Path("e")));
  const FileIdentity d = disk_.Stat(Path("d"))->identity;
  EXPECT_EQ(disk_.Stat(Path("d/"))->identity, d);
  EXPECT_FALSE(disk_.Stat(Path("e"))->identity == d);
}

TEST_P(DiskContractTest, ModifiedNeverGoesBack) {
  Put("f", "abc");
  ASSERT_OK_AND_ASSIGN(const FileInfo before, disk_.Stat(Path("f")));
  ASSERT_OK_AND_ASSIGN(const auto file, disk_.Open(Path("f")));
  ASSERT_OK(file->Write(0, "x"));
  EXPECT_GE(disk_.Stat(Path("f"))->modified, before.modified);
}

TEST_P(DiskContractTest, FreeBytesTellsOfTheFileSystem) {
  ASSERT_OK_AND_ASSIGN(const uint64_t free,
                       disk_.FreeBytes(candidate_->directory()));
  EXPECT_GT(free, 0u);
  EXPECT_THAT(disk_.FreeBytes(Path("x")), StatusIs(StatusCode::kNotFound));
}

// --- paths and messages ---

TEST_P(DiskContractTest, EveryCallRefusesAPathThatIsNotAbsoluteOrHoldsNul) {
  Put("f", "abc");
  const std::vector<std::string> bad = {"", "f", "../f",
                                        Path(absl::string_view("f\0x", 3))};
  for (const std::string& path : bad) {
    const auto refused = StatusIs(StatusCode::kInvalidArgument);
    EXPECT_THAT(disk_.Create(path), refused);
    EXPECT_THAT(disk_.Open(path), refused);
    EXPECT_THAT(disk_.OpenForReading(path), refused);
    EXPECT_THAT(disk_.Link(path, Path("g")), refused);
    EXPECT_THAT(disk_.Link(Path("f"), path), refused);
    EXPECT_THAT(disk_.Replace(path, Path("g")), refused);
    EXPECT_THAT(disk_.Replace(Path("f"), path), refused);
    EXPECT_THAT(disk_.Remove(path), refused);
    EXPECT_THAT(disk_.MakeDirectory(path), refused);
    EXPECT_THAT(disk_.RemoveDirectory(path), refused);
    EXPECT_THAT(disk_.SyncDirectory(path), refused);
    EXPECT_THAT(disk_.List(path), refused);
    EXPECT_THAT(disk_.Stat(path), refused);
    EXPECT_THAT(disk_.FreeBytes(path), refused);
  }
  EXPECT_THAT(Names(), ElementsAre("f"));
}

TEST_P(DiskContractTest, ANameThatIsTooLongIsRefused) {
  Put("f", "");
  const std::string longest(255, 'x');
  const std::string too_long(256, 'x');
  EXPECT_OK(disk_.Create(Path(longest)).status());
  const auto refused = StatusIs(StatusCode::kInvalidArgument);
  EXPECT_THAT(disk_.Create(Path(too_long)), refused);
  EXPECT_THAT(disk_.MakeDirectory(Path(too_long)), refused);
  EXPECT_THAT(disk_.Link(Path("f"), Path(too_long)), refused);
  EXPECT_THAT(disk_.Replace(Path("f"), Path(too_long)), refused);
}

TEST_P(DiskContractTest, SlashesMayRepeat) {
  Put("f", "abc");
  const std::string path = absl::StrCat(candidate_->directory(), "///f");
  EXPECT_THAT(ReadFile(disk_, path, 3), IsOkAndHolds("abc"));
  EXPECT_THAT(disk_.List(absl::StrCat(candidate_->directory(), "//")),
              IsOkAndHolds(ElementsAre("f")));
}

TEST_P(DiskContractTest, MessagesNameOperationPathAndReason) {
  const std::string path = Path("missing");
  EXPECT_THAT(disk_.Open(path),
              StatusIs(StatusCode::kNotFound,
                       AllOf(HasSubstr("open"), HasSubstr(path),
                             HasSubstr("No such file or directory"))));
  EXPECT_THAT(disk_.Link(path, Path("other")),
              StatusIs(StatusCode::kNotFound,
                       AllOf(HasSubstr("link"), HasSubstr(path))));
}

// --- what disk.h builds on a Disk ---

TEST_P(DiskContractTest, WriteFileAtomicallyWritesAndReplaces) {
  ASSERT_OK(WriteFileAtomically(disk_, Path("f"), "first"));
  EXPECT_THAT(Get("f"), IsOkAndHolds("first"));
  ASSERT_OK(WriteFileAtomically(disk_, Path("f"), "second"));
  EXPECT_THAT(Get("f"), IsOkAndHolds("second"));
  EXPECT_THAT(Names(), ElementsAre("f"));
}

TEST_P(DiskContractTest, MakeDirectoriesMakesWhatIsMissing) {
  ASSERT_OK(MakeDirectories(disk_, Path("a/b/c")));
  ASSERT_OK(MakeDirectories(disk_, Path("a/b/c")));
  ASSERT_OK(MakeDirectories(disk_, Path("a/b/d/")));
  EXPECT_THAT(disk_.List(Path("a/b")), IsOkAndHolds(ElementsAre("c", "d")));
}

}  // namespace
}  // namespace schleuse
