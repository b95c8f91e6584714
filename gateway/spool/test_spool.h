// A spool on a fake disk. For the tests of this room alone.
#ifndef SCHLEUSE_GATEWAY_SPOOL_TEST_SPOOL_H_
#define SCHLEUSE_GATEWAY_SPOOL_TEST_SPOOL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/crc32c.h"
#include "base/fake_executor.h"
#include "base/log.h"
#include "base/random.h"
#include "base/status.h"
#include "base/status_matchers.h"
#include "disk/fake_disk.h"
#include "gateway/spool/spool.h"
#include "gtest/gtest.h"

namespace schleuse {

inline std::string Footage(size_t size, uint64_t seed = 1) {
  std::string bytes(size, '\0');
  SeededRandom random(seed);
  for (char& byte : bytes) byte = static_cast<char>(random.Next());
  return bytes;
}

inline RecordingName Recording(absl::string_view id = "r.mp4") {
  return *RecordingName::Parse("cam-1", id);
}

inline absl::Status Append(Partial& partial, absl::string_view data) {
  return partial.Append(absl::Cord(data), Crc32c(data));
}

// All three steps; returns the offset that is durable now.
inline uint64_t SyncAll(Partial& partial) {
  const absl::StatusOr<uint64_t> offset = partial.BeginSync();
  EXPECT_OK(offset);
  EXPECT_OK(partial.Sync());
  partial.EndSync(*offset);
  return *offset;
}

// All steps of a check, several for a few thousand bytes.
inline absl::StatusOr<Partial::SelfCheck> CheckAll(Partial& partial) {
  partial.BeginCheck();
  while (true) {
    ASSIGN_OR_RETURN(const auto check, partial.CheckSome(1500));
    if (check) return *check;
  }
}

// What lies in the bytes file below received().
inline std::string BytesOf(const Disk& disk, const Spool& spool,
                           const Partial& partial) {
  const auto bytes = ReadFile(disk, spool.BytesPath(partial.id()), 1 << 30);
  EXPECT_OK(bytes);
  return bytes.ok() ? bytes->substr(0, partial.received()) : "";
}

struct TestSpool {
  static constexpr char kDirectory[] = "/data/spool";

  explicit TestSpool(uint64_t disk_seed = 1) : disk(disk_seed) {
    SetLogThreshold(std::nullopt);
    EXPECT_OK(MakeDirectories(disk, kDirectory));
    Open();
  }
  void Open() {
    // Its transfers, of which a test may still hold some, use it.
    if (spool != nullptr) earlier.push_back(std::move(spool));
    spool = std::make_unique<Spool>(disk, kDirectory, random);
  }
  // A new process.
  absl::StatusOr<std::vector<Unstored>> Restart() {
    Open();
    return spool->Recover();
  }
  absl::StatusOr<std::vector<Unstored>> RestartAfterPowerCut() {
    if (!disk.power_was_cut()) disk.CutPower();
    disk.RestorePower();
    return Restart();
  }

  std::unique_ptr<Partial> Create(
      const RecordingName& name = Recording(),
      absl::string_view principal = "spiffe://test/dock/s1/d1") {
    auto partial = spool->Create({.name = name,
                                  .principal = std::string(principal),
                                  .metadata = "metadata",
                                  .extension = "mp4",
                                  .priority = 2,
                                  .at = clock.Now()});
    EXPECT_OK(partial);
    return *std::move(partial);
  }
  absl::StatusOr<std::unique_ptr<Partial>> Resume(
      const RecordingName& name = Recording()) {
    const auto id = spool->Lookup(name);
    if (!id) return absl::NotFoundError("nothing is open");
    return spool->Resume(*id);
  }

  std::string RecordsPath(const TransferId& id) const {
    return absl::StrCat(kDirectory, "/", id.ToString(), ".records");
  }
  // The names in the spool that end in `suffix`.
  std::vector<std::string> Files(absl::string_view suffix = "") const {
    std::vector<std::string> names;
    const auto all = disk.List(kDirectory);
    EXPECT_OK(all);
    for (const std::string& name : *all) {
      if (absl::EndsWith(name, suffix)) names.push_back(name);
    }
    return names;
  }
  // Turns a bit, durably, as an old disk does.
  void Damage(absl::string_view path, uint64_t offset) {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<File> file, disk.Open(path));
    ASSERT_OK_AND_ASSIGN(std::string byte, file->Read(offset, 1));
    ASSERT_EQ(byte.size(), 1u);
    byte[0] ^= 0x10;
    ASSERT_OK(file->Write(offset, byte));
    ASSERT_OK(file->Sync());
  }
  void Cut(absl::string_view path, uint64_t size) {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<File> file, disk.Open(path));
    ASSERT_OK(file->Truncate(size));
    ASSERT_OK(file->Sync());
  }
  uint64_t SizeOf(absl::string_view path) const {
    const auto info = disk.Stat(path);
    EXPECT_OK(info);
    return info->size;
  }

  FakeDisk disk;
  FakeExecutor clock;
  SeededRandom random{7};
  std::vector<std::unique_ptr<Spool>> earlier;
  std::unique_ptr<Spool> spool;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_SPOOL_TEST_SPOOL_H_
