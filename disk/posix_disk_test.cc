// What only the kernel's disk can show; the rest is in disk_contract_test.cc.
#include "disk/posix_disk.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace {
int sync_error = 0;  // what the kernel is made to answer to a sync

int SyncOrFail(long call, int descriptor) {
  if (sync_error == 0) return static_cast<int>(syscall(call, descriptor));
  errno = sync_error;
  return -1;
}
}  // namespace

// In the C library's place, in this test alone.
// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name)
extern "C" int fsync(int descriptor) {
  return SyncOrFail(SYS_fsync, descriptor);
}
// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name)
extern "C" int fdatasync(int descriptor) {
  return SyncOrFail(SYS_fdatasync, descriptor);
}

namespace schleuse {
namespace {

using absl::StatusCode;

class PosixDiskTest : public testing::Test {
 protected:
  PosixDiskTest() {
    std::string name = JoinPath(testing::TempDir(), "posix-XXXXXX");
    if (mkdtemp(name.data()) == nullptr) std::abort();
    directory_ = name;
  }
  ~PosixDiskTest() override { std::filesystem::remove_all(directory_); }

  std::string Path(absl::string_view name) const {
    return JoinPath(directory_, name);
  }
  static mode_t ModeOf(const std::string& path) {
    struct stat info = {};
    EXPECT_EQ(stat(path.c_str(), &info), 0);
    return info.st_mode & 07777;
  }

  std::string directory_;
  PosixDisk disk_;
};

// Lowers a limit of this process while it lives.
class Limit {
 public:
  Limit(int which, rlim_t value) : which_(which) {
    EXPECT_EQ(getrlimit(which_, &before_), 0);
    const rlimit lowered = {.rlim_cur = value, .rlim_max = before_.rlim_max};
    EXPECT_EQ(setrlimit(which_, &lowered), 0);
  }
  ~Limit() { EXPECT_EQ(setrlimit(which_, &before_), 0); }

 private:
  int which_;
  rlimit before_;
};

TEST_F(PosixDiskTest, WhatItMakesIsForItsOwnerAlone) {
  const mode_t before = umask(0);
  EXPECT_OK(disk_.Create(Path("f")).status());
  EXPECT_OK(disk_.MakeDirectory(Path("d")));
  EXPECT_OK(ProcessLock::Take(Path("lock")).status());
  umask(before);
  EXPECT_EQ(ModeOf(Path("f")), 0600u);
  EXPECT_EQ(ModeOf(Path("d")), 0700u);
  EXPECT_EQ(ModeOf(Path("lock")), 0600u);
}

TEST_F(PosixDiskTest, NoDescriptorIsHandedToAChild) {
  const int before = open("/dev/null", O_RDONLY | O_CLOEXEC);
  close(before);
  ASSERT_OK_AND_ASSIGN(const auto file, disk_.Create(Path("f")));
  ASSERT_OK_AND_ASSIGN(const auto lock, ProcessLock::Take(Path("lock")));
  for (const int descriptor : {before, before + 1}) {
    EXPECT_EQ(fcntl(descriptor, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  }
}

TEST_F(PosixDiskTest, ClosesWhatItOpened) {
  const int before = open("/dev/null", O_RDONLY | O_CLOEXEC);
  close(before);
  for (int i = 0; i < 3; ++i) {
    EXPECT_OK(WriteFileAtomically(disk_, Path("f"), "abc"));
    EXPECT_OK(ReadFile(disk_, Path("f"), 3).status());
    EXPECT_OK(disk_.List(directory_).status());
    EXPECT_FALSE(disk_.Open(directory_).ok());
    ASSERT_OK_AND_ASSIGN(const auto lock, ProcessLock::Take(Path("lock")));
    EXPECT_FALSE(ProcessLock::Take(Path("lock")).ok());
  }
  const int after = open("/dev/null", O_RDONLY | O_CLOEXEC);
  close(after);
  EXPECT_EQ(after, before);
}

TEST_F(PosixDiskTest, OutOfDescriptorsIsUnavailable) {
  ASSERT_OK(disk_.Create(Path("f")).status());
  std::vector<absl::Status> refusals;
  {
    // Nothing is checked in here: the sanitizers need descriptors too.
    const Limit none(RLIMIT_NOFILE, 0);
    refusals = {disk_.Create(Path("g")).status(),
                disk_.Open(Path("f")).status(), disk_.List(directory_).status(),
                disk_.SyncDirectory(directory_),
                ProcessLock::Take(Path("lock")).status()};
  }
  EXPECT_THAT(refusals, testing::Each(StatusIs(StatusCode::kUnavailable)));
}

// The kernel drops what it failed to write: "nothing was tried, do it again"
// would be believed.
TEST_F(PosixDiskTest, ASyncThatRanOutOfMemoryIsNoInvitationToSyncAgain) {
  ASSERT_OK_AND_ASSIGN(const auto file, disk_.Create(Path("f")));
  for (const int error : {ENOMEM, EIO}) {
    sync_error = error;
    EXPECT_THAT(file->Sync(), StatusIs(StatusCode::kDataLoss));
    EXPECT_THAT(disk_.SyncDirectory(directory_),
                StatusIs(StatusCode::kDataLoss));
  }
  sync_error = ENOSPC;
  EXPECT_THAT(file->Sync(), StatusIs(StatusCode::kResourceExhausted));
  EXPECT_THAT(disk_.SyncDirectory(directory_),
              StatusIs(StatusCode::kResourceExhausted));
  sync_error = 0;
  EXPECT_OK(file->Sync());
  EXPECT_OK(disk_.SyncDirectory(directory_));
}

// The limit on a file's size lets a write through in part, as a full disk does.
TEST_F(PosixDiskTest, AWriteThatFitsInPartIsResourceExhausted) {
  const auto before = signal(SIGXFSZ, SIG_IGN);
  ASSERT_OK_AND_ASSIGN(const auto file, disk_.Create(Path("f")));
  {
    const Limit size(RLIMIT_FSIZE, 1000);
    EXPECT_THAT(file->Write(0, std::string(1500, 'x')),
                StatusIs(StatusCode::kResourceExhausted));
    EXPECT_THAT(file->Write(500, absl::Cord(std::string(1500, 'y'))),
                StatusIs(StatusCode::kResourceExhausted));
    EXPECT_THAT(file->Truncate(1001), StatusIs(StatusCode::kResourceExhausted));
  }
  signal(SIGXFSZ, before);
  EXPECT_THAT(file->Read(0, 9999),
              IsOkAndHolds(std::string(500, 'x') + std::string(500, 'y')));
}

TEST_F(PosixDiskTest, WhatIsForbiddenIsPermissionDenied) {
  if (geteuid() == 0) GTEST_SKIP() << "nothing is forbidden to root";
  ASSERT_OK(WriteFileAtomically(disk_, Path("f"), "abc"));
  ASSERT_OK(disk_.MakeDirectory(Path("d")));
  ASSERT_EQ(chmod(Path("f").c_str(), 0), 0);
  ASSERT_EQ(chmod(Path("d").c_str(), 0), 0);
  EXPECT_THAT(disk_.Open(Path("f")), StatusIs(StatusCode::kPermissionDenied));
  EXPECT_THAT(disk_.List(Path("d")), StatusIs(StatusCode::kPermissionDenied));
  EXPECT_THAT(disk_.Create(Path("d/f")),
              StatusIs(StatusCode::kPermissionDenied));
}

// Opening a FIFO waits for its other end, for ever if nobody comes.
TEST_F(PosixDiskTest, AFifoIsRefusedAndNotWaitedFor) {
  ASSERT_EQ(mkfifo(Path("fifo").c_str(), 0600), 0);
  EXPECT_THAT(disk_.OpenForReading(Path("fifo")),
              StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(disk_.Open(Path("fifo")),
              StatusIs(StatusCode::kFailedPrecondition));
}

TEST_F(PosixDiskTest, AFileLargerThan4GiBKeepsItsOffsets) {
  constexpr uint64_t kFar = uint64_t{5} << 30;
  ASSERT_OK_AND_ASSIGN(const auto file, disk_.Create(Path("f")));
  ASSERT_OK(file->Write(kFar, "far"));
  EXPECT_THAT(file->Size(), IsOkAndHolds(kFar + 3));
  EXPECT_THAT(file->Read(kFar, 9), IsOkAndHolds("far"));
}

TEST_F(PosixDiskTest, FreeBytesIsWhatTheKernelGivesUs) {
  ASSERT_OK_AND_ASSIGN(const uint64_t free, disk_.FreeBytes(directory_));
  const auto space = std::filesystem::space(directory_);
  // Others write to this file system meanwhile.
  EXPECT_NEAR(static_cast<double>(free), static_cast<double>(space.available),
              static_cast<double>(space.capacity) * 0.1);
}

TEST_F(PosixDiskTest, ALockIsHeldOnceAndGivenUpByItsEnd) {
  const std::string path = Path("lock");
  ASSERT_OK_AND_ASSIGN(auto lock, ProcessLock::Take(path));
  EXPECT_THAT(ProcessLock::Take(path), StatusIs(StatusCode::kUnavailable,
                                                testing::HasSubstr("another")));
  lock.reset();
  EXPECT_OK(ProcessLock::Take(path).status());
}

TEST_F(PosixDiskTest, ALockWantsADirectoryThatExists) {
  EXPECT_THAT(ProcessLock::Take(Path("x/lock")),
              StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(ProcessLock::Take(directory_),
              StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(ProcessLock::Take("lock"),
              StatusIs(StatusCode::kInvalidArgument));
}

// The lock must not outlive a gateway that was killed.
TEST_F(PosixDiskTest, AKilledProcessGivesUpItsLock) {
  const std::string path = Path("lock");
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto lock = ProcessLock::Take(path);
    const char answer = lock.ok() ? 'y' : 'n';
    if (write(ready[1], &answer, 1) != 1) _exit(1);
    while (true) pause();
  }
  char answer = 0;
  ASSERT_EQ(read(ready[0], &answer, 1), 1);
  EXPECT_EQ(answer, 'y');
  EXPECT_THAT(ProcessLock::Take(path), StatusIs(StatusCode::kUnavailable));
  kill(child, SIGKILL);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_OK(ProcessLock::Take(path).status());
  close(ready[0]);
  close(ready[1]);
}

}  // namespace
}  // namespace schleuse
