// Many devices at once on real threads: for the thread sanitizer, and for what
// no single thread can reach.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/random.h"
#include "base/status_matchers.h"
#include "base/thread_pool.h"
#include "disk/fake_disk.h"
#include "gateway/access/roster_source.h"
#include "gateway/spool/spool.h"
#include "gateway/store/file_store.h"
#include "gateway/transfer/intake.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

constexpr uint64_t kChunkBytes = 1000;

std::string Footage(size_t size, uint64_t seed) {
  std::string bytes(size, '\0');
  SeededRandom random(seed);
  for (char& byte : bytes) byte = static_cast<char>(random.Next());
  return bytes;
}

// What a device hears, for a thread that waits for it.
class PatientEar final : public Outlet {
 public:
  void Send(const Reply& reply) override {
    MutexLock lock(mutex_);
    if (const auto* ready = std::get_if<Ready>(&reply)) ready_ = *ready;
    if (std::holds_alternative<Stored>(reply)) stored_ = true;
  }
  void End(const StreamEnd& end) override {
    MutexLock lock(mutex_);
    end_ = end;
  }
  void ResumeReading() override { may_read_ = true; }

  // Ready, or nothing if the stream ended first.
  std::optional<Ready> WaitForReady() {
    while (true) {
      {
        MutexLock lock(mutex_);
        if (ready_ || end_) return ready_;
      }
      std::this_thread::yield();
    }
  }
  StreamEnd WaitForEnd() {
    while (true) {
      {
        MutexLock lock(mutex_);
        if (end_) return *end_;
      }
      std::this_thread::yield();
    }
  }
  void WaitForRoom() {
    while (!may_read_ && !ended()) std::this_thread::yield();
    may_read_ = false;
  }
  bool ended() {
    MutexLock lock(mutex_);
    return end_.has_value();
  }
  bool stored() {
    MutexLock lock(mutex_);
    return stored_;
  }

 private:
  Mutex mutex_;
  std::optional<Ready> ready_ ABSL_GUARDED_BY(mutex_);
  std::optional<StreamEnd> end_ ABSL_GUARDED_BY(mutex_);
  bool stored_ ABSL_GUARDED_BY(mutex_) = false;
  std::atomic<bool> may_read_{false};
};

class IntakeThreadsTest : public testing::Test {
 protected:
  IntakeThreadsTest() {
    SetLogThreshold(std::nullopt);
    EXPECT_OK(MakeDirectories(disk_, "/spool"));
    EXPECT_OK(MakeDirectories(disk_, "/store"));
    EXPECT_OK(WriteFileAtomically(
        disk_, "/roster.textproto",
        "trust_domain: 'test' grant { name: 'all' device: 'dock/*/*'"
        " camera: 'cam-*' }"));
    absl::StatusOr<Roster> roster = Roster::Load(disk_, "/roster.textproto");
    EXPECT_OK(roster);
    roster_ = std::make_unique<FixedRoster>(*std::move(roster));
    spool_ = MakeSpool();
    store_ = std::make_unique<FileStore>(disk_, "/store", FileStoreOptions{});
    intake_ = std::make_unique<Intake>(
        *spool_, *store_, *roster_, workers_, waiters_, clock_, random_,
        IntakeOptions{.spool_reserve_bytes = 0,
                      .ack_every_bytes = 4000,
                      .ack_every = absl::Milliseconds(1)});
    EXPECT_OK(intake_->Recover());
  }
  // As the gateway's process ends.
  ~IntakeThreadsTest() override {
    intake_.reset();
    workers_.Stop();
    waiters_.Stop();
  }
  std::unique_ptr<Spool> MakeSpool() {
    return std::make_unique<Spool>(disk_, "/spool", random_);
  }

  // A device that brings `footage`, once; whether it heard Stored.
  bool Bring(const RecordingName& name, absl::string_view footage) {
    auto ear = std::make_shared<PatientEar>();
    auto stream = intake_->Connect(device_, ear);
    stream->OnBegin({.name = name,
                     .metadata = "",
                     .extension = "mp4",
                     .size = footage.size()});
    if (const auto ready = ear->WaitForReady()) {
      SendFrom(*stream, *ear, footage, ready->offset);
      stream->OnFinish({.size = footage.size(), .sha256 = Sha256::Of(footage)});
    }
    last_end_reason_ = ear->WaitForEnd().reason;
    stream->OnClosed();
    return ear->stored();
  }
  static void SendFrom(Stream& stream, PatientEar& ear,
                       absl::string_view footage, uint64_t from) {
    for (uint64_t at = from; at < footage.size() && !ear.ended();
         at += kChunkBytes) {
      const absl::string_view data = footage.substr(at, kChunkBytes);
      if (!stream.OnChunk({.offset = at,
                           .crc32c = Crc32c(data),
                           .data = absl::Cord(data)})) {
        ear.WaitForRoom();
      }
    }
  }
  std::string Stored(const RecordingName& name) {
    const auto bytes = ReadFile(
        disk_, absl::StrCat("/store/", name.ToString(), "/recording.mp4"),
        1 << 30);
    return bytes.ok() ? *bytes : bytes.status().ToString();
  }

  FakeDisk disk_;
  SystemClock clock_;
  SystemRandom random_;
  std::unique_ptr<RosterSource> roster_;
  std::unique_ptr<Spool> spool_;
  std::unique_ptr<FileStore> store_;
  ThreadPool workers_{4};
  ThreadPool waiters_{4};
  std::unique_ptr<Intake> intake_;
  const Principal device_ =
      *Principal::Parse("spiffe://test/dock/s1/d1", "test");
  std::atomic<EndReason> last_end_reason_{EndReason::kUnspecified};
};

TEST_F(IntakeThreadsTest, ManyDevicesAtOnceAreAllStored) {
  std::vector<std::thread> devices;
  std::atomic<int> stored{0};
  for (int device = 0; device < 8; ++device) {
    devices.emplace_back([this, device, &stored] {
      for (int i = 0; i < 10; ++i) {
        const RecordingName name = *RecordingName::Parse(
            absl::StrCat("cam-", device % 3), absl::StrCat(device, "-", i));
        const std::string footage = Footage(20'000, device * 100 + i);
        if (Bring(name, footage) && Stored(name) == footage) ++stored;
      }
    });
  }
  for (std::thread& device : devices) device.join();
  EXPECT_EQ(stored, 80);
}

// Every way out of a commit and of a sync, on threads of two pools.
TEST_F(IntakeThreadsTest, ManyDevicesAreAllStoredOnADiskThatFails) {
  SeededRandom luck(1);
  disk_.SetFault([&luck](const DiskOperation& operation) {
    using Kind = DiskOperation::Kind;
    if (luck.Next() % 20 != 0) return absl::OkStatus();
    switch (operation.kind) {
      case Kind::kLink:
      case Kind::kWrite:
        return absl::ResourceExhaustedError("disk full");
      case Kind::kSync:
      case Kind::kSyncDirectory:
        return absl::DataLossError("medium error");
      case Kind::kCreate:
        return absl::UnavailableError("no descriptors");
      default:
        return absl::OkStatus();
    }
  });
  std::vector<std::thread> devices;
  std::atomic<int> stored{0};
  for (int device = 0; device < 6; ++device) {
    devices.emplace_back([this, device, &stored] {
      for (int i = 0; i < 10; ++i) {
        const RecordingName name = *RecordingName::Parse(
            absl::StrCat("cam-", device % 3), absl::StrCat(device, "-", i));
        const std::string footage = Footage(i % 2 ? 900 : 9000, i);
        for (int j = 0; j < 1000 && !Bring(name, footage); ++j) {
          std::this_thread::yield();
        }
        if (Stored(name) == footage) ++stored;
      }
    });
  }
  for (std::thread& device : devices) device.join();
  disk_.SetFault(nullptr);
  EXPECT_EQ(stored, 60);
}

TEST_F(IntakeThreadsTest, DevicesThatFightForOneRecordingStoreItOnce) {
  const RecordingName name = *RecordingName::Parse("cam-1", "r");
  const std::string footage = Footage(50'000, 1);
  std::vector<std::thread> devices;
  for (int device = 0; device < 4; ++device) {
    devices.emplace_back([this, &name, &footage] {
      for (int i = 0; i < 1000 && !Bring(name, footage); ++i) {
        std::this_thread::yield();
      }
    });
  }
  for (std::thread& device : devices) device.join();
  EXPECT_TRUE(Bring(name, footage));
  EXPECT_EQ(Stored(name), footage);
}

// A chunk that the older stream hands in while the newer one takes over is
// behind Ready, and must not count: it holds other bytes.
TEST_F(IntakeThreadsTest, ChunkThatCrossesATakeoverHasNoEffect) {
  const std::string footage = Footage(50'000, 1);
  const std::string other = Footage(50'000, 2);
  for (int i = 0; i < 300; ++i) {
    const RecordingName name =
        *RecordingName::Parse("cam-1", absl::StrCat("r", i));
    auto ear = std::make_shared<PatientEar>();
    auto older = intake_->Connect(device_, ear);
    older->OnBegin({.name = name, .metadata = "", .extension = "mp4"});
    ASSERT_TRUE(ear->WaitForReady());
    std::atomic<bool> started{false};
    std::thread sender([&] {
      started = true;
      SendFrom(*older, *ear, other, 0);
    });
    while (!started) std::this_thread::yield();

    auto newer_ear = std::make_shared<PatientEar>();
    auto newer = intake_->Connect(device_, newer_ear);
    newer->OnBegin({.name = name, .metadata = "", .extension = "mp4"});
    const auto ready = newer_ear->WaitForReady();
    sender.join();
    ASSERT_TRUE(ready);
    // Goes on with its own bytes from where it was told to.
    const std::string rest = footage.substr(ready->offset);
    const std::string whole = other.substr(0, ready->offset) + rest;
    SendFrom(*newer, *newer_ear, whole, ready->offset);
    newer->OnFinish({.size = whole.size(), .sha256 = Sha256::Of(whole)});
    ASSERT_EQ(newer_ear->WaitForEnd().reason, EndReason::kUnspecified);
    ASSERT_TRUE(newer_ear->stored());
    ASSERT_EQ(Stored(name), whole);
    older->OnClosed();
    newer->OnClosed();
  }
}

TEST_F(IntakeThreadsTest, DrainWhileDevicesSendEndsAllOfThem) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> devices;
  for (int device = 0; device < 4; ++device) {
    devices.emplace_back([this, device, &stop] {
      for (int i = 0; !stop; ++i) {
        const RecordingName name = *RecordingName::Parse(
            absl::StrCat("cam-", device), absl::StrCat("r", i));
        Bring(name, Footage(20'000, i));
      }
    });
  }
  std::this_thread::yield();
  std::atomic<int> drained{0};
  intake_->Drain([&drained] { ++drained; });
  while (drained == 0) std::this_thread::yield();
  stop = true;
  for (std::thread& device : devices) device.join();
  EXPECT_EQ(drained, 1);
}

}  // namespace
}  // namespace schleuse
